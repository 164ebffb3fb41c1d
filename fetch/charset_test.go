package fetch

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// titleIn reads a feed that is written in a charset, declares one and is sent as one.
func titleIn(t *testing.T, e encoding.Encoding, title, declared, header string) string {
	t.Helper()
	doc := `<rss version="2.0"><channel><title>` + title + `</title></channel></rss>`
	if declared != "" {
		doc = fmt.Sprintf("<?xml version=\"1.0\" encoding=%q?>\n", declared) + doc
	}
	body := []byte(doc)
	if e != nil {
		var err error
		if body, err = e.NewEncoder().Bytes(body); err != nil {
			t.Fatal(err)
		}
	}
	contentType := "application/rss+xml"
	if header != "" {
		contentType += "; charset=" + header
	}
	d, err := parseDocument(body, contentType, &url.URL{Scheme: "https", Host: "outlet.example"})
	if err != nil {
		t.Errorf("declared %q, sent as %q: %v", declared, header, err)
		return ""
	}
	return d.Title
}

func TestCharsets(t *testing.T) {
	const russian, german, japaneseTitle, chinese, hangul = "Новости дня", "Größe – „Übung“", "新しいニュース", "今日新闻", "오늘의 뉴스"
	utf16le := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	utf16be := unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	for _, test := range []struct {
		name             string
		e                encoding.Encoding
		title            string
		declared, header string
	}{
		{"UTF-8, nothing said", nil, russian, "", ""},
		{"UTF-8, declared", nil, russian, "UTF-8", ""},
		{"UTF-8, sent", nil, russian, "", "utf-8"},
		{"UTF-8 with a mark", unicode.UTF8BOM, russian, "", ""},
		{"mark beats header and declaration", unicode.UTF8BOM, german, "windows-1251", "koi8-r"},
		{"windows-1251, declared", charmap.Windows1251, russian, "windows-1251", ""},
		{"windows-1251, sent", charmap.Windows1251, russian, "", "windows-1251"},
		{"header beats declaration", charmap.Windows1251, russian, "koi8-r", "windows-1251"},
		{"header lies: not UTF-8", charmap.Windows1251, russian, "windows-1251", "utf-8"},
		{"header lies: not ISO-2022-JP", charmap.Windows1251, russian, "windows-1251", "iso-2022-jp"},
		{"declaration lies: not UTF-8", charmap.Windows1252, german, "utf-8", ""},
		{"both lie", charmap.Windows1252, german, "utf-8", "utf-8"},
		{"nothing said, not UTF-8", charmap.Windows1252, german, "", ""},
		{"header lies: UTF-8", nil, russian, "utf-8", "iso-8859-1"},
		{"declaration lies: UTF-8", nil, russian, "iso-8859-1", ""},
		{"unknown charset", nil, russian, "x-nobody-knows", "bogus"},
		{"iso-8859-1 is windows-1252", charmap.Windows1252, german, "iso-8859-1", ""},
		{"koi8-r", charmap.KOI8R, russian, "koi8-r", ""},
		{"gb2312", simplifiedchinese.GBK, chinese, "gb2312", ""},
		{"shift_jis", japanese.ShiftJIS, japaneseTitle, "Shift_JIS", ""},
		{"euc-jp", japanese.EUCJP, japaneseTitle, "euc-jp", ""},
		{"iso-2022-jp", japanese.ISO2022JP, japaneseTitle, "iso-2022-jp", ""},
		{"euc-kr", korean.EUCKR, hangul, "", "euc-kr"},
		{"UTF-16, little end first", utf16le, chinese, "utf-16", ""},
		{"UTF-16, big end first", utf16be, chinese, "utf-16", ""},
		{"UTF-16 mark beats the header", utf16le, russian, "utf-16", "utf-8"},
		{"UTF-16 without a mark", unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), chinese, "utf-16", ""},
		{"UTF-16 without a mark, big end first", unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), chinese, "", ""},
		{"UTF-32", utf32.UTF32(utf32.LittleEndian, utf32.UseBOM), chinese, "utf-32", ""},
	} {
		if got := titleIn(t, test.e, test.title, test.declared, test.header); got != test.title {
			t.Errorf("%s: %q, want %q", test.name, got, test.title)
		}
	}
}

// Charsets that neither browsers nor golang.org/x/text know by these names.
func TestOldCharsets(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"utf-7", "+BB0EPgQyBD4EQQRCBDg +BDQEPQRP, 1 +- 1 +AOk-x", "Новости дня, 1 + 1 éx"},
		{"hz", "~{=qHUPBNE~}: ok", "今日新闻: ok"},
		{"iso2022_jp", "\x1b$BF|K\\\x1b(B ok", "日本 ok"},
		{"iso-2022-jp-2", "\x1b$(C?@4C\x1b(B \x1b$A=qHU\x1b(B", "오늘 今日"},
		{"iso2022_kr", "\x1b$)C\x0e?@4C@G\x0f ok", "오늘의 ok"},
		{"csISO2022KR", "\x1b$)C\x0e?@4C@G\x0f ok", "오늘의 ok"},
		{"U7", "+BB0EPgQyBD4", "Ново"},
		{"cp1051", "Gr\xcf\xdee", "Grüße"},
		{"big5hkscs", "\xa4\xb5\xa4\xe9", "今日"},
		{"cp932", "\x93\xfa\x96{", "日本"},
		{"shiftjis", "\x93\xfa\x96{", "日本"},
		{"s_jis_2004", "\x93\xfa\x96{", "日本"},
		{"euckr", "\xbf\xc0\xb4\xc3", "오늘"},
		{"1251", "\xcd\xee\xe2\xee", "Ново"},
		{"ISO_8859-5:1988", "\xbd\xde\xd2\xde", "Ново"},
		{"latin-1", "Gr\xf6\xdfe", "Größe"},
		{"tis620", "\xa2\xe8\xd2\xc7", "ข่าว"},
		{"utf_16_be", "\x04\x1d\x04\x3e", "Но"},
		{"cp949", "\xbf\xc0\xb4\xc3", "오늘"},
		{"mac-greek", "\xb6\xe9\xe4", "Ειδ"},
		{"IBM424", "\x41\x42\x15\xc1", "אב\nA"},
		{"cp1125", "\x8d\xae\xa2\xae", "Ново"},
		{"cp874", "\xa2\xe8\xd2\xc7", "ข่าว"},
		{"cp856", "\x99\x8c\x85\x8d", "שלום"},
	} {
		c, _ := charsetByName(test.name)
		if c == nil {
			t.Errorf("%s: unknown", test.name)
		} else if got := string(c([]byte(test.in))); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	for _, name := range []string{"utf-7", "iso-2022-jp"} {
		if got, _ := toUTF8([]byte("<?xml version='1.0' encoding='"+name+"'?>\xc4\xc4"), ""); !utf8.Valid(got) {
			t.Errorf("%s: %q", name, got)
		}
	}
	// What looks like ASCII is read as what it says that it is.
	if got := titleIn(t, nil, "+BB0EPgQyBD4EQQRCBDg-", "utf-7", ""); got != "Новости" {
		t.Errorf("UTF-7: %q", got)
	}
	// EBCDIC says of which country it is in EBCDIC.
	back := map[rune]byte{}
	c, _ := charsetByName("cp424")
	for b := range 256 {
		back[[]rune(string(c([]byte{byte(b)})))[0]] = byte(b)
	}
	for declared, header := range map[string]string{` encoding="cp424"`: "", "": "text/xml; charset=ibm424"} {
		var body []byte
		for _, r := range `<?xml version="1.0"` + declared + `?><rss><channel><title>חדשות</title></channel></rss>` {
			body = append(body, back[r])
		}
		d, err := parseDocument(body, header, testAddress())
		if err != nil || d.Title != "חדשות" {
			t.Errorf("EBCDIC%s: %v, %v", declared, d, err)
		}
	}
}

// A document that does not tell its charset, and is not in UTF-8, is read in the one that it looks like.
func TestCharsetGuess(t *testing.T) {
	for _, test := range []struct{ charset, text, read string }{
		{"windows-1251", "Правительство утвердило новый порядок движения судов в порту на зимний период", "windows-1251"},
		{"koi8-r", "Правительство утвердило новый порядок движения судов в порту на зимний период", "KOI8-R"},
		{"shift_jis", "港の新しい航路が承認されました。冬の間、船は北側を通ることになります。", "Shift_JIS"},
		{"euc-jp", "港の新しい航路が承認されました。冬の間、船は北側を通ることになります。", "EUC-JP"},
		{"euc-kr", "항구의 새로운 항로가 승인되었습니다. 겨울 동안 배들은 북쪽으로 다니게 됩니다.", "EUC-KR"},
		{"gbk", "港口的新航道已获批准，冬季期间船舶将从北侧通行。居民对此表示欢迎。", "GB18030"},
		{"big5", "港口的新航道已獲批准，冬季期間船舶將從北側通行。居民對此表示歡迎。", "Big5"},
		{"windows-1255", "הממשלה אישרה את סדרי התנועה החדשים של האוניות בנמל בתקופת החורף", "ISO-8859-8-I"},
		{"windows-1252", "Der Hafen öffnet früher, für größere Schiffe; die Gebühren für Fähren müssen überprüft werden, täglich", "windows-1252"},
		{"windows-1252", "Café", "windows-1252"},
	} {
		e, err := htmlindex.Get(test.charset)
		if err != nil {
			t.Fatal(err)
		}
		body, err := e.NewEncoder().String("<rss><channel><title>" + test.text + "</title></channel></rss>")
		if err != nil {
			t.Fatal(err)
		}
		for range 3 { // whatever looks first
			text, fault := toUTF8([]byte(body), "")
			if !strings.Contains(string(text), test.text) || !strings.HasSuffix(fault, "read as "+test.read) {
				t.Errorf("%s: %q, %s", test.charset, text, fault)
			}
		}
	}
}

// A few bytes amiss do not make a document windows-1252.
func TestCharsetRepair(t *testing.T) {
	for _, test := range []struct{ body, header, want string }{
		{"Новости \xd0", "", "Новости \uFFFD"},
		{"Новости \x96 дня", "", "Новости – дня"},
		{"caf\xe9 cr\xe8me", "", "café crème"},
		{"\x93quoted\x94", "", "“quoted”"},
		{"plain", "", "plain"},
		{strings.Repeat("Blåbærgrød ", 7) + "bes\xf8ge", "text/xml; charset=iso-8859-1", strings.Repeat("Blåbærgrød ", 7) + "besøge"},
		{"Bl\xe5b\xe6rgr\xf8d \xc3\xa5", "text/xml; charset=iso-8859-1", "Blåbærgrød Ã¥"},
	} {
		if got, _ := toUTF8([]byte(test.body), test.header); string(got) != test.want {
			t.Errorf("%q: %q, want %q", test.body, got, test.want)
		}
	}
	if got, _ := toUTF8([]byte("\xef\xbb\xbfНовости \xd0"), "text/xml; charset=koi8-r"); string(got) != "Новости \uFFFD" {
		t.Errorf("a mark, and a byte amiss: %q", got)
	}
}
