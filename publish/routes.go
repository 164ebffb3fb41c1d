package publish

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A lock opens with a section's key. It keeps the key's hash, so that neither the key's length nor how much of it was
// right shows in the time that a try takes.
type lock [sha256.Size]byte

func newLock(key string) lock { return sha256.Sum256([]byte(key)) }

func (l lock) opens(query url.Values) bool {
	tried := sha256.Sum256([]byte(query.Get("key")))
	return subtle.ConstantTimeCompare(tried[:], l[:]) == 1
}

// An answer says what is at a path. The zero answer is nothing: a private section looks like that to who does not
// have its key.
type answer struct {
	document *Document
	archive  func(context.Context) *Document // an archive, once it is rendered; nil if that fails, which is logged
	moved    string                          // the present address, relative to the one asked for
	private  bool                            // not for scripts of other sites
	gone     bool
}

// sectionForm are the paths of a section: its slug, and what follows.
var sectionForm = regexp.MustCompile(`^/([a-z0-9-]{1,64})((?:\.(?:html|rss|atom|json|opml))?|/archive/([0-9]{4}-[0-9]{2})(\.(?:html|rss|atom|json))?)$`)

// at finds what is at a path of the URL: "/" and "/world" are pages, too.
func (e *Edition) at(path string, query url.Values) answer {
	name, ok := strings.CutPrefix(path, "/")
	if !ok {
		return answer{}
	}
	if name == "" {
		name = "index.html"
	}
	if d := e.docs[name]; d != nil {
		return answer{document: d}
	}
	parts := sectionForm.FindStringSubmatch(path)
	if parts == nil || name == "index" {
		return answer{}
	}
	slug, rest, month, ending := parts[1], parts[2], parts[3], parts[4]
	now := slug
	if to, ok := e.moved[slug]; ok {
		now = to
	}
	lock, private := e.locks[now]
	if private && !lock.opens(query) {
		return answer{}
	}
	if now != slug {
		return answer{moved: strings.Repeat("../", strings.Count(rest, "/")) + now + rest, private: private}
	}
	if month != "" {
		if ending == "" {
			ending = ".html"
		}
		if a, ok := e.archive(slug, month, ending); ok {
			a.private = private
			return a
		}
	} else {
		if rest == "" {
			name += ".html"
		}
		if d := e.docs[name]; d != nil {
			return answer{document: d}
		}
		if d := e.private[name]; d != nil {
			return answer{document: d, private: true}
		}
	}
	known, once := e.slugs[slug]
	return answer{gone: once && !known.Private && !e.has(slug)}
}

// has reports whether there is a section of that slug.
func (e *Edition) has(slug string) bool { return e.shelf != nil && e.shelf.desks[slug] != nil }

// archive finds a month of a section; it is not ok if there is no such section.
func (e *Edition) archive(slug, month, ending string) (answer, bool) {
	if !e.has(slug) || !slices.Contains(archiveEndings, ending) {
		return answer{}, false
	}
	m, err := time.Parse(monthForm, month)
	if err != nil {
		return answer{}, true
	}
	switch e.shelf.calendar.state(m) {
	case never:
		return answer{}, true
	case past:
		return answer{gone: true}, true
	}
	return answer{archive: func(ctx context.Context) *Document {
		d, err := e.shelf.document(ctx, e.shelf.desks[slug], m, ending)
		if err != nil && ctx.Err() == nil {
			e.shelf.p.log.Error("archive not rendered", "section", slug, "month", month, "err", err)
		}
		return d
	}}, true
}

// something reports whether there is anything.
func (a answer) something() bool {
	return a.document != nil || a.archive != nil || a.moved != "" || a.gone
}

// give answers a request with what there is: not with what is gone.
func (a answer) give(w http.ResponseWriter, r *http.Request) {
	d := a.document
	switch {
	case a.moved != "" && r.Method != http.MethodOptions: // a browser asks with OPTIONS where it is, and follows no redirect then
		if !a.private {
			w.Header().Set("Access-Control-Allow-Origin", "*") // or a reader in a browser could not follow
		}
		redirect(w, r, a.moved)
		return
	case a.archive != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		if d = a.archive(r.Context()); d == nil {
			w.Header().Set("Retry-After", "60")
			plainAnswer(w, http.StatusServiceUnavailable, "The archive cannot be read just now. Try again in a minute.")
			return
		}
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		d.serve(w, r)
	case http.MethodOptions:
		w.Header().Set("Allow", allowed)
		if !a.private {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.Header().Set("Access-Control-Allow-Methods", allowed)
			w.Header().Set("Access-Control-Allow-Headers", "If-None-Match, If-Modified-Since")
			w.Header().Set("Access-Control-Max-Age", "86400")
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", allowed)
		plainAnswer(w, http.StatusMethodNotAllowed, "Documents can be read only: GET, HEAD.")
	}
}
