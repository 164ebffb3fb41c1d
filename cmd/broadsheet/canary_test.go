package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
	"broadsheet/store/bolt"
)

// canaries are secrets that no output may hold, as they are or as an address writes them (PROTOCOL S12).
var canaries = map[string]string{
	"QUERY": "canary+query/1", "SEGMENT": "canary-path-2", "PASSWORD": "canary password 3", "KEY": "canary-header-4",
	"FILE": "canary-file-5", "LITERAL": "canary-literal-6", "PROXY": "canary-proxy-7", "USER": "canary-user-8",
}

// found tells which of them are in a text.
func found(text []byte) (names []string) {
	lower := bytes.ToLower(text)
	for name, secret := range canaries {
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			if bytes.Contains(lower, bytes.ToLower([]byte(form))) {
				names = append(names, name)
				break
			}
		}
	}
	return names
}

// indiscreet is an outlet that repeats what it was asked wherever it can.
func indiscreet(w http.ResponseWriter, r *http.Request) {
	step, _ := strings.CutPrefix(r.URL.Path, "/")
	step, rest, _ := strings.Cut(step, "/")
	asked := *r.URL
	asked.Host, asked.Scheme = r.Host, "http"
	again := func(path string) string { a := asked; a.Path = path; return a.String() }
	switch step {
	case "good":
		w.Header().Set("ETag", `"1"`)
		fmt.Fprintf(w, `<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel><title>A</title><link>http://a.example/</link><description>d</description>
<atom:link rel="self" href="%s"/><item><guid>1</guid><title>One</title><link>http://a.example/1</link><description>Text.</description></item></channel></rss>`,
			strings.ReplaceAll(asked.String(), "&", "&amp;"))
	case "loop":
		http.Redirect(w, r, asked.String(), http.StatusFound)
	case "hops":
		http.Redirect(w, r, again(r.URL.Path+"x"), http.StatusMovedPermanently)
	case "away":
		asked.Host = "127.0.0.1:1"
		http.Redirect(w, r, asked.String(), http.StatusFound)
	case "moved":
		http.Redirect(w, r, again("/good/"+rest), http.StatusMovedPermanently)
	case "page":
		fmt.Fprintf(w, `<html><head><link rel="alternate" type="application/rss+xml" href="%s"><link rel="alternate" type="application/rss+xml" href="feed.xml"></head></html>`, asked.String())
	case "junk":
		fmt.Fprint(w, r.URL.Query().Get("token"), asked.RawQuery, rest)
	case "short":
		w.Header().Set("Content-Length", "100000")
		fmt.Fprint(w, "<rss><channel><title>half")
	case "coding":
		w.Header().Set("Content-Encoding", asked.RawQuery)
	case "broken":
		fmt.Fprintf(w, `<rss version="2.0"><channel><title>A</title><%s`, rest)
	default:
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, r.Header, asked.String())
	}
}

// Whatever goes wrong with feeds that have secrets, nothing that the program writes, serves or keeps has them.
func TestSecretsStayInside(t *testing.T) {
	for name, secret := range canaries {
		t.Setenv("CANARY_"+name, secret)
	}
	t.Setenv("CANARY_QUERY", url.QueryEscape(canaries["QUERY"]))
	s := httptest.NewServer(http.HandlerFunc(indiscreet))
	defer s.Close()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("password", canaries["FILE"])
	address := freeAddress()

	var feeds strings.Builder
	n := 0
	feed := func(at, more string) {
		n++
		fmt.Fprintf(&feeds, "[[outlet]]\nid = \"o%d\"\nname = \"Outlet %d\"\nrepublish = %v\n  [[outlet.feed]]\n  url = \"%s\"\n%s\n", n, n, n%2 == 0, at, more)
	}
	const query, segment = "?token=${CANARY_QUERY}", "/${CANARY_SEGMENT}"
	for _, step := range []string{"good", "loop", "hops", "away", "moved", "page", "junk", "short", "coding", "broken", "no"} {
		feed(s.URL+"/"+step+segment+query, "")
		feed(s.URL+"/"+step+segment+query+"&again", `username = "${CANARY_USER}"
password = "${CANARY_PASSWORD}"`)
	}
	feed(s.URL+"/no/file", "username = \"u\"\npassword_file = \"password\"")
	feed(s.URL+"/no/header", `headers = { X-Api-Key = "${CANARY_KEY}", Cookie = "`+canaries["LITERAL"]+`" }`)
	feed(s.URL+"/good/header", `headers = { X-Api-Key = "${CANARY_KEY}", Cookie = "`+canaries["LITERAL"]+`" }`)
	feed("http://127.0.0.1:1"+segment+query, "")
	feed(strings.Replace(s.URL, "http", "https", 1)+segment+query, "")
	feed("http://${CANARY_SEGMENT}.invalid/feed"+query, "")
	config := fmt.Sprintf(`
contact = "https://reader.test/about"
base_url = "http://%s"
[server]
listen = "%s"
[store]
url = "bolt:s.db"
[fetch]
min_interval = "0s"
host_gap = "0s"
per_host = 8
allow_private = ["127.0.0.0/8"]
PROXY
[publish]
dir = "public"
%s
[[section]]
slug = "world"
max_age = "0"
`, address, address, &feeds)
	write("broadsheet.toml", strings.Replace(config, "PROXY", "", 1))
	write("proxied.toml", strings.Replace(config, "PROXY", `proxy = "http://u:${CANARY_PROXY}@127.0.0.1:1"`, 1))
	write("wrong.toml", strings.Replace(config, "PROXY", `proxy = "gopher://u:${CANARY_PROXY}@127.0.0.1:1"`, 1)+feeds.String()+`
[[outlet]]
id = "wrong"
  [[outlet.feed]]
  url = "ftp://u:${CANARY_PASSWORD}@a.example/${CANARY_SEGMENT}?${CANARY_QUERY}"
  headers = { Authorization = "${CANARY_KEY}", "bad name" = "${CANARY_KEY}" }
  username = "${CANARY_USER}:x"
  password = "${CANARY_PASSWORD}"
  password_file = "password"
`)

	check := func(what string, text []byte) {
		t.Helper()
		if names := found(text); len(names) > 0 {
			t.Errorf("%s: holds %q", what, names)
			for line := range strings.Lines(string(text)) {
				if len(found([]byte(line))) > 0 {
					t.Logf("    %.600s", line)
				}
			}
		}
	}
	do := func(config string, args ...string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		run(t.Context(), append([]string{"-c", filepath.Join(dir, config)}, args...), &stdout, &stderr)
		check(strings.Join(args, " "), append(stdout.Bytes(), stderr.Bytes()...))
		if stdout.Len()+stderr.Len() == 0 && args[0] != "publish" {
			t.Errorf("%q says nothing", args)
		}
	}
	do("wrong.toml", "check")
	do("broadsheet.toml", "check")
	do("broadsheet.toml", "check", "--live")
	do("broadsheet.toml", "fetch", "--once", "-v")
	do("broadsheet.toml", "fetch", "--once", "-v", "--force", "--log-format", "json")
	do("broadsheet.toml", "outlets")
	do("broadsheet.toml", "outlets", "--json")
	do("broadsheet.toml", "export")
	do("broadsheet.toml", "publish", "--out", filepath.Join(dir, "out"))

	ctx, stop := context.WithCancel(t.Context())
	var logged bytes.Buffer
	done := make(chan int)
	go func() {
		done <- run(ctx, []string{"-c", filepath.Join(dir, "broadsheet.toml"), "serve", "-v"}, io.Discard, &logged)
	}()
	for _, path := range []string{"/readyz", "/", "/status", "/status.json", "/status.atom", "/metrics", "/world", "/world.atom", "/world.rss", "/world.json", "/world.opml", "/outlets.opml", "/sections.opml", "/nothing"} {
		check(path, served(t, "http://"+address+path))
	}
	do("broadsheet.toml", "fetch", "--once", "-v", "--force")
	do("broadsheet.toml", "outlets", "--json")
	stop()
	<-done
	check("the daemon's log", logged.Bytes())
	do("proxied.toml", "fetch", "--once", "-v", "--force")

	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() || strings.HasSuffix(path, "/password") || strings.HasSuffix(path, ".toml") {
			return err
		}
		check(filepath.Base(path)+"'s name", []byte(path))
		b, err := os.ReadFile(path)
		check(path, b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	checkStored(t, filepath.Join(dir, "s.db"), check)
}

// served is what the daemon answers, once it is there.
func served(t *testing.T, address string) []byte {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if resp, err := http.Get(address); err == nil {
			all := new(bytes.Buffer)
			err := resp.Write(all)
			resp.Body.Close()
			if err == nil && resp.StatusCode != http.StatusServiceUnavailable {
				return all.Bytes()
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal(address, "does not answer")
	return nil
}

// checkStored looks at what is kept, whatever is compressed in the file.
func checkStored(t *testing.T, path string, check func(string, []byte)) {
	st, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	look := func(what string, v any, err error) {
		t.Helper()
		b, encoding := json.Marshal(v)
		if err != nil || encoding != nil {
			t.Fatal(err, encoding)
		}
		check(what, b)
	}
	for f, err := range st.Feeds(t.Context()) {
		look("a state", f, err)
	}
	for it, err := range st.Items(t.Context(), store.Query{}) {
		look("an item", it, err)
		for b, err := range st.Bodies(t.Context(), it.ID) {
			look("a body", b, err)
		}
	}
}
