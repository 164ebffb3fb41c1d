package store

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// makeKey hashes value, filed near what it belongs to.
func makeKey(near, kind, value string) Key {
	place := uint64(14695981039346656037) // FNV-1a, which is enough to lie together
	for _, c := range []byte(near) {
		place = (place ^ uint64(c)) * 1099511628211
	}
	var room [256]byte // a hash of a longer value costs an allocation
	b := append(append(append(append(append(room[:0], near...), 0), kind...), 0), value...)
	sum := sha256.Sum256(b)
	var k Key
	binary.BigEndian.PutUint64(k[:], place)
	copy(k[6:], sum[:])
	return k
}

// LinkKey is the key of a canonical link; links of one host lie together.
func LinkKey(canonical string) Key {
	_, rest, _ := strings.Cut(canonical, "://")
	host, _, _ := strings.Cut(rest, "/")
	return makeKey(host, "link", canonical)
}

// IDKey is the key of a published id; the ids of one authority lie together.
func IDKey(id string) Key {
	near := id
	if i := strings.IndexAny(id, ",#?"); i >= 0 {
		near = id[:i]
	}
	if scheme, rest, ok := strings.Cut(near, "://"); ok {
		host, _, _ := strings.Cut(rest, "/")
		near = scheme + host
	}
	return makeKey(near, "id", id)
}

// LinkHash is a canonical link as an Item keeps it; 0 without one.
func LinkHash(canonical string) uint64 {
	if canonical == "" {
		return 0
	}
	sum := sha256.Sum256([]byte(canonical))
	return binary.BigEndian.Uint64(sum[:])
}

// levels is how many names an arrival may go by, each more exact than the one before: what identifies it, that
// and the link, that and the title.
const levels = 3

// key is one of these names. PRODUCT: absolute IRIs and links identify an item within its outlet, other
// guids within their feed.
func (a *Arrival) key(f *FeedState, level int) Key {
	var kind, value string
	name := f.keyName()
	switch {
	case a.Item.GUID != "" && !f.ByLink && isIRI(a.Item.GUID):
		kind, value = "iri", a.Item.GUID
	case a.Item.GUID != "" && !f.ByLink:
		kind, value = "guid\x00"+name.URL, a.Item.GUID
	case a.Canonical != "":
		kind, value = "link", a.Canonical
	default:
		kind, value = "text", fmt.Sprintf("%s\x00%x", a.Item.Title, a.Item.Text)
	}
	switch level {
	case 1:
		kind, value = kind+"\x00link", value+"\x00"+a.Canonical
	case 2:
		kind, value = kind+"\x00title", value+"\x00"+a.Canonical+"\x00"+a.Item.Title
	}
	return makeKey(name.Outlet, kind, value)
}

// exact is equal for arrivals that are copies of each other: nothing tells them apart by any key.
type exact struct {
	guid, canonical, title string
	text                   uint64
}

func (a *Arrival) exact() exact {
	e := exact{a.Item.GUID, a.Canonical, a.Item.Title, 0}
	if e.guid == "" && e.canonical == "" {
		e.text = a.Item.Text
	}
	return e
}

// linkName is the key by which a feed remembers that a link stood on several items.
func (a *Arrival) linkName(f *FeedState) Key { return makeKey(f.keyName().Outlet, "link", a.Canonical) }

// placesName is the key by which a feed remembers that its guids name places in the document.
func placesName(f *FeedState) Key { return makeKey(f.keyName().Outlet, "places", f.keyName().URL) }

// isIRI reports whether a guid claims to be unique beyond its feed. "12:30" and "post:7" have the
// shape of an IRI as well; they only count with an authority or a scheme that promises uniqueness.
func isIRI(guid string) bool {
	scheme, rest, ok := strings.Cut(guid, ":")
	if !ok || scheme == "" || rest == "" {
		return false
	}
	for i, c := range []byte(scheme) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (i == 0 || !('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.')) {
			return false
		}
	}
	switch strings.ToLower(scheme) {
	case "tag", "urn":
		return !strings.ContainsAny(rest[:1], " \t\r\n\f")
	}
	return strings.HasPrefix(rest, "//")
}

const maxName = 253 // bytes of a host's name (RFC 1035 §2.3.4, written out)

// tagHost is the authority of a tag: URI: the host of the first of these addresses that has a name
// or an IPv4 address for one.
func tagHost(addresses ...string) string {
	for _, s := range addresses {
		u, err := url.Parse(s)
		if err != nil {
			continue
		}
		h := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
		if a, err := netip.ParseAddr(h); err == nil && a.Is6() {
			continue
		}
		if len(h) <= maxName && tagAuthority.MatchString(h) {
			return h
		}
	}
	return "localhost"
}

var (
	tagAuthority = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)
	tagURI       = regexp.MustCompile(`^tag:([a-z0-9._-]+@)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?,\d{4}(-\d{2}(-\d{2})?)?:[0-9a-zA-Z;/?:@&=+$._!~*'()%,-]*(#[0-9a-zA-Z;/?:@&=+$._!~*'()%,-]*)?$`)
	urn          = regexp.MustCompile(`^urn:[a-zA-Z0-9][a-zA-Z0-9-]{1,31}:([a-zA-Z0-9()+,.:=@;$_!*'-]|%[0-9A-F]{2})+$`)
	urnUUID      = regexp.MustCompile(`^urn:uuid:[a-fA-F0-9]{8}(-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}$`)
	httpURI      = regexp.MustCompile(`^https?://([0-9a-zA-Z;:&=+$._!~*'()%,-]*@)?([a-z0-9_.-]+)(:[1-9][0-9]*)?(/[^?#]*)(\?[^#]*)?(#.*)?$`)
	uriChars     = regexp.MustCompile(`^[0-9a-zA-Z;/?:@&=+$._!~*'()%,#-]*$`)
	escape       = regexp.MustCompile(`%.{0,2}`)
	doubleEscape = regexp.MustCompile(`%25[0-9a-fA-F]{2}`) // the validator resolves it twice
)

// Publishable reports whether the W3C feed validator takes id as it is, without error or warning: a
// registered scheme, its form, and RFC 3986's canonical spelling (src/feedvalidator/uri.py,
// canonicalForm, and validators.py, class canonicaluri). Other registered schemes than these do not
// name items; their guids get a tag: URI.
func Publishable(id string) bool {
	if len(id) > 1024 || !uriChars.MatchString(id) || !canonicalEscapes(id) {
		return false
	}
	switch scheme, _, _ := strings.Cut(id, ":"); scheme {
	case "tag":
		return tagURI.MatchString(id)
	case "urn":
		return urn.MatchString(id) && (!strings.HasPrefix(strings.ToLower(id), "urn:uuid:") || urnUUID.MatchString(id))
	case "http", "https":
		m := httpURI.FindStringSubmatch(id)
		if m == nil || m[1] == "@" || m[1] == ":@" || m[3] == ":80" && scheme == "http" || m[3] == ":443" && scheme == "https" ||
			strings.HasSuffix(m[2], ".") || strings.Contains(m[6], "##") || strings.Count(id, "#") > 1 {
			return false
		}
		for segment := range strings.SplitSeq(m[4], "/") {
			if segment == "." || segment == ".." {
				return false
			}
		}
		return true
	}
	return false
}

// canonicalEscapes reports whether every percent escape is whole, upper case and needed, and the
// octets that they stand for are UTF-8 in normal form C.
func canonicalEscapes(id string) bool {
	for _, e := range escape.FindAllString(id, -1) {
		if len(e) != 3 || e != strings.ToUpper(e) {
			return false
		}
		s, err := url.PathUnescape(e)
		if err != nil || strings.ContainsAny(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") {
			return false
		}
	}
	s, err := url.PathUnescape(id)
	return err == nil && !doubleEscape.MatchString(id) && utf8.ValidString(s) && norm.NFC.IsNormalString(s)
}
