package publish

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"broadsheet/store"
)

// An outside hub is told each changed address once, after a failure again, and by one-shots what is still owed.
func TestPings(t *testing.T) {
	w := newWorld(t)
	pings := make(chan string, 100)
	status := make(chan int, 100)
	hub := listen(t, w, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || r.PostForm.Get("hub.mode") != "publish" || len(r.PostForm["hub.url"]) != 1 {
			t.Errorf("%s %v %v", r.Method, r.PostForm, err)
		}
		select {
		case s := <-status:
			rw.WriteHeader(s)
		default:
			rw.WriteHeader(http.StatusNoContent)
		}
		pings <- r.PostForm.Get("hub.url")
	}))
	pub := publication([]Outlet{outlet("a"), outlet("b")}, Section{Slug: "a", From: []string{"a"}}, Section{Slug: "b", From: []string{"b"}})
	pub.Hub = hub
	once := func(failed int, want ...string) {
		t.Helper()
		p := w.publisher(pub) // as each one-shot has its own
		if _, err := p.Write(t.Context(), w.path+".files", w.st); err != nil {
			t.Fatal(err)
		}
		o := NewPings(hub, hubOptions(w, pub.BaseURL))
		o.Announce(p.Rendered())
		if err := o.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for range len(pings) {
			got[<-pings]++
		}
		for _, path := range want {
			got[pub.BaseURL+"/"+path]--
		}
		again := 0 // those that failed, whichever they were
		for path, n := range got {
			if again += n; n < 0 {
				t.Errorf("%s: not pinged", path)
			}
		}
		if again != failed {
			t.Errorf("%d pings too many, want %d", again, failed)
		}
	}
	w.poll(in("0s"), "a", feedOf("a"), news("one", "https://a.example/1", "<p>one</p>"))
	once(0, "a.atom", "a.rss", "a.json", "b.atom", "b.rss", "b.json")
	once(0)
	w.poll(in("1m"), "b", feedOf("b"), news("one", "https://b.example/1", "<p>one</p>"))
	for range 2 {
		status <- 500
	}
	once(2, "b.atom", "b.rss", "b.json") // two of them failed, and were tried again
	once(0)
	var owed []store.Note
	for n, err := range w.st.Notes(t.Context(), "ping "+hub) {
		if err != nil {
			t.Fatal(err)
		}
		if x := decodeNotice(t, n.Value); !x.Owed.IsZero() || x.Failures > 0 {
			owed = append(owed, n)
		}
	}
	if len(owed) > 0 {
		t.Errorf("owed: %s", owed)
	}
}

// Feeds name the hub in each format and in the header, static files in each format.
func TestHubAdvertised(t *testing.T) {
	p := newPress(t)
	hub := p.base + "/hub"
	for path, want := range map[string]string{
		"/all.atom": `<link rel="hub" href="` + hub + `"></link>`,
		"/all.rss":  `<atom:link rel="hub" href="` + hub + `"></atom:link>`,
		"/all.json": `"type": "WebSub",`,
	} {
		resp, body := ask(t, "GET", p.base+path)
		if got, self := resp.Header.Get("Link"), fmt.Sprintf(`<%s>; rel="hub", <%s%s>; rel="self"`, hub, p.base, path); got != self {
			t.Errorf("%s: Link %s, want %s", path, got, self)
		}
		if !strings.Contains(body, want) && !strings.Contains(body, strings.ReplaceAll(want, "></link>", "/>")) || !strings.Contains(body, hub) {
			t.Errorf("%s does not name the hub:\n%s", path, body[:min(len(body), 1500)])
		}
	}
	for _, path := range []string{"/all.html", "/", "/all.opml", "/style.css"} {
		if resp, _ := ask(t, "GET", p.base+path); resp.Header.Get("Link") != "" {
			t.Errorf("%s: Link %s", path, resp.Header.Get("Link"))
		}
	}
	pub := publication([]Outlet{outlet("a")}, Section{Slug: "all"})
	w := newWorld(t)
	for d := range w.edition(w.publisher(pub)).Documents() {
		if strings.Contains(string(d.Body), `"hub"`) || strings.Contains(string(d.Body), `"hubs"`) {
			t.Errorf("%s names a hub where there is none", d.Path)
		}
	}
}
