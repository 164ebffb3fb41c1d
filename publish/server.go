package publish

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
)

// A Handler serves an Edition from memory: no request reads the store, waits for another, or sees half
// of a change.
type Handler struct {
	base    string // path of the base URL: "" or "/news"
	edition atomic.Pointer[Edition]
}

// NewHandler serves under the path of baseURL, and also without it, for a proxy in front that takes
// it away. Until Show is called it answers 503.
func NewHandler(baseURL string) *Handler { return &Handler{base: basePath(baseURL)} }

func basePath(baseURL string) string {
	u, err := url.Parse(baseURL)
	if err != nil {
		return ""
	}
	return strings.TrimRight(u.Path, "/")
}

// Show puts an edition in the place of the one before. Readers get it at once; e.Pack should follow, so that none of
// them has to wait for a coding.
func (h *Handler) Show(e *Edition) { h.edition.Store(e) }

// Shown returns the edition that is served; nil before the first Show.
func (h *Handler) Shown() *Edition { return h.edition.Load() }

const allowed = "GET, HEAD, OPTIONS"

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := h.edition.Load()
	if e == nil {
		w.Header().Set("Retry-After", "5")
		plainAnswer(w, http.StatusServiceUnavailable, "The first edition is being made. Try again in a few seconds.")
		return
	}
	// As it is first: a section may be called what the base URL's path is called.
	query := r.URL.Query()
	a := e.at(r.URL.Path, query)
	if rest, ok := strings.CutPrefix(r.URL.Path, h.base); !a.something() && ok && h.base != "" {
		if rest == "" {
			redirect(w, r, h.base+"/")
			return
		}
		a = e.at(rest, query)
	}
	switch {
	case a.gone:
		e.regret(w, r, http.StatusGone, gonePage, "This was here once and will not come back. The sections are listed on the front page.")
	case !a.something():
		e.regret(w, r, http.StatusNotFound, missingPage, "There is no such page. The sections are listed on the front page.")
	default:
		a.give(w, r)
	}
}

// regret answers people with a page, and programs with a line. Nothing of the request stands in either.
func (e *Edition) regret(w http.ResponseWriter, r *http.Request, status int, path, text string) {
	name := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	forPeople := (!strings.Contains(name, ".") || strings.HasSuffix(name, ".html")) && (r.Method == http.MethodGet || r.Method == http.MethodHead)
	page := e.docs[path]
	w.Header().Set("Access-Control-Allow-Origin", "*") // or a reader in a browser could not tell it from a failure
	if !forPeople || page == nil {
		plainAnswer(w, status, text)
		return
	}
	plainHeaders(w, page.ContentType, policyPage)
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(page.Body)
	}
}

// redirect sends a reader to another path of ours, with the query as it was.
func redirect(w http.ResponseWriter, r *http.Request, path string) {
	u := url.URL{Path: path, RawQuery: r.URL.RawQuery}
	w.Header().Set("Location", u.String())
	plainAnswer(w, http.StatusPermanentRedirect, "See "+u.String())
}

// plainAnswer says something that is no document.
func plainAnswer(w http.ResponseWriter, status int, text string) {
	plainHeaders(w, "text/plain; charset=utf-8", "default-src 'none'")
	w.WriteHeader(status)
	io.WriteString(w, text+"\n")
}

// plainHeaders are those of what is no document.
func plainHeaders(w http.ResponseWriter, contentType, policy string) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
}

// Content security policies (PROTOCOL S16): no script anywhere, pictures from anywhere.
const (
	policyPage = "default-src 'none'; img-src http: https:; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	policyFeed = "default-src 'none'; style-src 'self'; sandbox" // the sheet is what a browser shows a feed with
)

// serve answers GET and HEAD (RFC 9110 §13, PROTOCOL P40–P43).
func (d *Document) serve(w http.ResponseWriter, r *http.Request) {
	body, tag, coding, ok := d.representation(r.Header.Values("Accept-Encoding"))
	h := w.Header()
	h.Set("Content-Type", d.ContentType)
	h.Set("ETag", tag)
	if !d.Modified.IsZero() {
		h.Set("Last-Modified", d.Modified.Format(http.TimeFormat))
	}
	h.Set("Cache-Control", d.cacheControl())
	h.Set("Vary", "Accept-Encoding")
	if d.shownByBrowsers() && inWindow(r) {
		h.Set("Content-Type", typeXML)
		h.Set("Cache-Control", strings.Replace(d.cacheControl(), "public", "private", 1))
		h.Add("Vary", "Sec-Fetch-Dest, Upgrade-Insecure-Requests")
	}
	h.Set("X-Content-Type-Options", "nosniff")
	if d.Private {
		h.Set("X-Robots-Tag", "noindex")
	} else {
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Expose-Headers", "ETag, Last-Modified")
	}
	if d.isFeed() {
		h.Set("Content-Security-Policy", policyFeed)
	} else {
		h.Set("Content-Security-Policy", policyPage)
		h.Set("Referrer-Policy", "no-referrer")
	}
	if d.Links != "" {
		h.Set("Link", d.Links)
	}
	if d.unchanged(r) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if !ok {
		h.Del("ETag")
		h.Del("Last-Modified")
		plainAnswer(w, http.StatusNotAcceptable, "This comes as it is, or as br, zstd or gzip; the request refuses all of them.")
		return
	}
	if coding != "" {
		h.Set("Content-Encoding", coding)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		w.Write(body)
	}
}

// inWindow reports whether a browser asks for what a window is to show. Over http, but for loopback, it does not say so in
// Sec-Fetch-Dest; it asks for https instead. No feed reader sends either.
func inWindow(r *http.Request) bool {
	if dest := r.Header.Get("Sec-Fetch-Dest"); dest != "" {
		return dest == "document"
	}
	return r.Header.Get("Upgrade-Insecure-Requests") == "1"
}

// unchanged reports whether the reader has the document already. If-None-Match beats
// If-Modified-Since; dates are compared for equality, as nginx does, since a restored backup may well
// be older.
func (d *Document) unchanged(r *http.Request) bool {
	if tags := r.Header.Values("If-None-Match"); len(tags) > 0 {
		for _, list := range tags {
			for tag := range strings.SplitSeq(list, ",") {
				if tag = strings.TrimSpace(tag); tag == "*" || baseTag(tag) == baseTag(d.ETag) {
					return true
				}
			}
		}
		return false
	}
	since, err := http.ParseTime(r.Header.Get("If-Modified-Since"))
	return err == nil && !d.Modified.IsZero() && since.Equal(d.Modified) // clients whose date is not set send the first year's
}

// baseTag is a tag without what codings, proxies and careless clients put around it. Our tags hold
// letters, digits, "-" and "_"; none ends in one of these suffixes.
func baseTag(tag string) string {
	tag = strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)
	for _, suffix := range []string{"-gz", "-br", "-zst", "-gzip", ";gzip", "-df"} {
		if base, ok := strings.CutSuffix(tag, suffix); ok && len(base) == tagLength {
			return base
		}
	}
	return tag
}

// tagLength is the length of a base tag: 128 bits in base64.
const tagLength = 22
