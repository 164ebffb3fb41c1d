package fetch

import (
	"net/url"
	"strings"
)

// CanonicalLink is the spelling that is the same for all links to one article: what identifies an item without a
// guid, and what ties the items of a story across outlets. It is no address to ask: the scheme is always
// https and "www." is gone. Parameters that only tell where a reader came from go, the others stay in their
// order, for they may be what names the article. The fragment goes, unless it is a path ("#!", "#/"). What is
// no http or https address is returned as it is.
func CanonicalLink(link string) string {
	link = strings.TrimSpace(link)
	scheme, rest, ok := strings.Cut(link, "://")
	if scheme = strings.ToLower(scheme); !ok || scheme != "http" && scheme != "https" {
		return link
	}
	rest, fragment, _ := strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	host, path, _ := strings.Cut(rest, "/")
	if host = canonicalHost(host); !hostForm.MatchString(host) {
		return link
	}
	path = canonicalEscapes(canonicalPath(canonicalEscapes(path)))
	var parameters []string
	for p := range strings.SplitSeq(query, "&") {
		p = canonicalEscapes(p)
		for strings.HasPrefix(p, "amp;") { // escaped once too often
			p = p[len("amp;"):]
		}
		if p != "" && !isTracking(p) {
			parameters = append(parameters, p)
		}
	}
	if to := wrapped(host, path, parameters); to != "" {
		return CanonicalLink(to)
	}
	var b strings.Builder
	b.Grow(len(link) + 8)
	b.WriteString("https://")
	b.WriteString(host)
	b.WriteByte('/')
	b.WriteString(path)
	separator := byte('?')
	for _, p := range parameters {
		b.WriteByte(separator)
		b.WriteString(p)
		separator = '&'
	}
	if strings.HasPrefix(fragment, "!") || strings.HasPrefix(fragment, "/") {
		b.WriteByte('#')
		b.WriteString(canonicalEscapes(fragment))
	}
	return b.String()
}

// canonicalHost is an authority in lower case, without user, "www.", final dot and a usual port.
func canonicalHost(authority string) string {
	host := strings.ToLower(authority[strings.LastIndexByte(authority, '@')+1:])
	port := ""
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host, port = host[:i], host[i+1:]
	}
	if strings.IndexByte(host[strings.LastIndexByte(host, ']')+1:], ':') >= 0 { // a second port
		return authority
	}
	if !isASCII([]byte(host)) {
		if ascii, err := hostToASCII(host); err == nil {
			host = ascii
		}
	}
	host = strings.TrimRight(host, ".")
	for strings.HasPrefix(host, "www.") && strings.Count(host, ".") > 1 {
		host = host[len("www."):]
	}
	if port != "" && port != "80" && port != "443" {
		host += ":" + port
	}
	return host
}

// canonicalPath is a path, without the first slash, without what does not belong to it: a session, a final
// slash, steps back.
func canonicalPath(path string) string {
	if i := strings.Index(strings.ToLower(path), ";jsessionid="); i >= 0 {
		path = path[:i]
	}
	if strings.Contains("/"+path+"/", "/./") || strings.Contains("/"+path+"/", "/../") {
		if u, err := (&url.URL{Path: "/"}).Parse("/" + path); err == nil {
			path = strings.TrimPrefix(u.EscapedPath(), "/")
		}
	}
	return strings.TrimRight(path, "/")
}

// wrapped is the address that a link of Google's, whose parts are canonical, leads to; its own is another in each poll.
func wrapped(host, path string, parameters []string) string {
	if path != "url" && path != "news/url" || !strings.Contains("."+host, ".google.") {
		return ""
	}
	for _, p := range parameters {
		key, value, _ := strings.Cut(p, "=")
		if key != "url" && key != "q" {
			continue
		}
		to, err := url.QueryUnescape(value)
		_, rest, ok := strings.Cut(to, "://")
		if err != nil || !ok {
			continue
		}
		end := strings.IndexAny(rest+"/", "/?#")
		if inner := canonicalHost(rest[:end]); strings.HasPrefix(to, "http") && hostForm.MatchString(inner) && !strings.Contains("."+inner, ".google.") {
			return to
		}
	}
	return ""
}

// trackingPrefixes and trackingNames are parameters that tell where a reader came from, and never what is read.
var (
	trackingPrefixes = []string{"utm_", "at_", "ns_", "mc_", "hsa_", "pk_", "mtm_", "matomo_", "ga_", "_hs", "vero_", "wt_", "wt.",
		"fb_", "oly_", "guce_", "xtor", "stm_", "itm_", "asc_", "cmp_", "spm_"}
	trackingNames = func() map[string]bool {
		names := map[string]bool{}
		for _, n := range strings.Fields(`fbclid gclid gclsrc dclid wbraid gbraid msclkid yclid ysclid igshid igsh twclid
			ttclid li_fat_id mkt_tok mkt_source ito cmp cmpid cmpn ncid icid maca traffic_source wprss smid smtyp emc _ga _gl _openstat ocid
			srnd sref taid tpcc guccounter feedtype feedname fsrc rref dlvrit soc_src soc_trk sr_share s_cid spm __twitter_impression
			phpsessid jsessionid rssid trk recruiter _branch_match_id algotrack hootpostid rb_clickid s_kwcid epik mibextid
			campaign_id campaignid wickedid yptr xcust ref_src ref_url cm_mmc cm_ven echobox fr_share sharedid`) {
			names[n] = true
		}
		return names
	}()
)

// isTracking reports whether a parameter tells nothing of what is read. Names that also mean other things, as
// ref and source do, only tell where a reader came from when their value is a feed.
func isTracking(parameter string) bool {
	name, value, has := strings.Cut(parameter, "=")
	name, value = strings.ToLower(name), strings.ToLower(value)
	if trackingNames[name] {
		return true
	}
	for _, p := range trackingPrefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	switch name {
	case "rss", "feed", "fromrss", "from_rss", "isrss":
		if !has || value == "" || value == "1" || value == "true" || value == "yes" {
			return true
		}
	}
	switch value {
	case "rss", "rss1", "rss2", "rss20", "rss2.0", "rssfeed", "rssfeeds", "rss_feed", "rss-feed", "feed", "atom", "feedburner", "rdf":
		return name != "id" && name != "p" && name != "q" && name != "page" && name != "tag" && name != "s"
	}
	return strings.HasPrefix(value, "rss-") || strings.HasPrefix(value, "rss_") ||
		strings.HasSuffix(value, "-rss") || strings.HasSuffix(value, "_rss")
}

// canonicalEscapes percent-encodes exactly what must be (RFC 3986 §6.2.2.2).
func canonicalEscapes(s string) string {
	i := 0
	for i < len(s) && s[i] != '%' && s[i] > ' ' && s[i] < 0x7f && !strings.ContainsRune("\"<>\\^`{|}", rune(s[i])) {
		i++
	}
	if i == len(s) {
		return s
	}
	var b strings.Builder
	b.Grow(i + 3*(len(s)-i))
	b.WriteString(s[:i])
	for ; i < len(s); i++ {
		c := s[i]
		escaped := c <= ' ' || c >= 0x7f || strings.ContainsRune("\"<>\\^`{|}", rune(c))
		if c == '%' {
			if i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
				c = unhex(s[i+1])<<4 | unhex(s[i+2])
				escaped = !isAlnum(c) && c != '-' && c != '.' && c != '_' && c != '~'
				i += 2
			} else {
				escaped = true
			}
		}
		if escaped {
			writeEscape(&b, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
