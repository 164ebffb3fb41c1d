package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// loadText loads a document as if it stood in the folder dir, with an environment.
func loadText(t *testing.T, dir, text string, vars map[string]string) (*Config, error) {
	t.Helper()
	return load(filepath.Join(dir, "b.toml"), []byte(text), func(name string) (string, bool) {
		v, ok := vars[name]
		return v, ok
	})
}

const contactLine = "contact = \"https://reader.test/about\"\n"

func TestSmallestFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "broadsheet.toml")
	if err := os.WriteFile(file, []byte(contactLine), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "broadsheet.db"); cfg.Store.Path != want {
		t.Errorf("store at %q, want %q", cfg.Store.Path, want)
	}
	if len(cfg.Warnings) != 2 || !strings.Contains(cfg.Warnings[0], "no outlet") || !strings.Contains(cfg.Warnings[1], "no section") {
		t.Errorf("warnings %q, want that there is no outlet and no section", cfg.Warnings)
	}
	if len(cfg.Digest) != 64 {
		t.Errorf("digest %q", cfg.Digest)
	}
}

func TestUnreadable(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]string{
		filepath.Join(dir, "none.toml"): "none.toml: there is no such file; name one with `broadsheet -c FILE` or $BROADSHEET_CONFIG, or see it work without one: `broadsheet demo`",
		dir:                             filepath.Base(dir) + ": is a directory; name the file in it",
	} {
		cfg, err := Load(name)
		var problems Errors
		if !errors.As(err, &problems) || !strings.HasSuffix(err.Error(), want) || cfg != nil {
			t.Errorf("%s: %v, want …%s", name, err, want)
		}
	}
	locked := filepath.Join(dir, "locked.toml")
	if err := os.WriteFile(locked, []byte(contactLine), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(locked); err == nil {
		t.Skip("this user may read every file")
	}
	if _, err := Load(locked); err == nil || !strings.Contains(err.Error(), "may not be read") {
		t.Errorf("locked file: %v", err)
	}
}

func TestInclude(t *testing.T) {
	cfg, err := Load("testdata/include/main.toml")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, o := range cfg.Outlets {
		ids = append(ids, o.ID)
	}
	if want := []string{"first", "second", "third"}; !slices.Equal(ids, want) {
		t.Errorf("outlets %q, want %q", ids, want)
	}
	if len(cfg.Sections) != 2 {
		t.Errorf("%d sections, want 2", len(cfg.Sections))
	}
	for path, want := range map[string]string{
		"section[1].where":            "testdata/include/outlets.d/b.toml:13: section.where: x",
		"outlet[2].feed[1].url":       "testdata/include/outlets.d/b.toml:8: outlet.feed.url: x",
		"outlet[1].feed[0].schedule":  "testdata/include/outlets.d/a.toml:3: outlet.schedule: x", // where it comes from
		"outlet[0].feed[0].schedule":  "testdata/include/main.toml:6: outlet.feed.schedule: x",   // the default
		"section[0].from[2]":          "testdata/include/main.toml:11: section.from: x",
		"section[0].include[1]":       "testdata/include/main.toml:9: section.include: x",
		"fetch.schedule":              "testdata/include/main.toml:1: fetch.schedule: x",
		"contact":                     "testdata/include/main.toml:1: contact: x",
		"outlet[2].feed[0].headers.X": "testdata/include/outlets.d/b.toml:5: outlet.feed.headers.X: x",
	} {
		if got := cfg.Problem(path, "x").String(); got != want {
			t.Errorf("Problem(%q) is %q, want %q", path, got, want)
		}
	}
}

func TestIncludeProblems(t *testing.T) {
	text := contactLine + `include_files = ["bad.d/*.toml"]
[[outlet]]
id = "first"
  [[outlet.feed]]
  url = "https://first.test/rss"
[[section]]
slug = "x"
from = ["may-be-in-the-broken-file"]
`
	_, err := loadText(t, "testdata/include", text, nil)
	want := strings.TrimSpace(`
testdata/include/bad.d/one.toml:1: title: an included file holds [[outlet]] and [[section]] blocks only; move this to testdata/include/b.toml
testdata/include/bad.d/one.toml:4: outlet.id: "first" is taken already, on testdata/include/b.toml:4; choose another
testdata/include/bad.d/one.toml:5: outlet.nane: unknown key; did you mean name?
testdata/include/bad.d/one.toml:9: server: an included file holds [[outlet]] and [[section]] blocks only; move this to testdata/include/b.toml
testdata/include/bad.d/two.toml:1: expected ']]' to close array table name; a block opens with [name] or [[name]]
`)
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestDigest(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	digest := func() string {
		t.Helper()
		cfg, err := Load(filepath.Join(dir, "b.toml"))
		if err != nil {
			t.Fatal(err)
		}
		return cfg.Digest
	}
	write("b.toml", contactLine+`include_files = ["more.toml"]`)
	write("more.toml", "# nothing")
	first := digest()
	if again := digest(); again != first {
		t.Error("the digest of the same files differs")
	}
	write("more.toml", "# nothing yet")
	if changed := digest(); changed == first {
		t.Error("the digest does not see a change of an included file")
	}
}

func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pw"), []byte("open sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := loadText(t, dir, contactLine+`
title = "The ${CITY} Daily"
[fetch]
allow_private = ["10.0.0.0/8"]
[[outlet]]
id = "o"
  [[outlet.feed]]
  url = "https://o.test/plain"
  headers = { Accept-Language = "fa" }
  [[outlet.feed]]
  url = "https://o.test/rss?key=${KEY}"
  allow_private = ["192.168.1.1", "fd00::1:2/16"]
  [[outlet.feed]]
  url = "https://o.test/basic"
  username = "me"
  password_file = "pw"
  [[outlet.feed]]
  url = "https://o.test/header"
  headers = { X-Api-Key = "1" }
  [[outlet.feed]]
  url = "https://o.test/env"
  headers = { X-Odd = "${KEY}" }
[[section]]
slug = "x"
from = ["https://o.test/rss?key=${KEY}"]
`, map[string]string{"KEY": "hunter2", "CITY": "Isfahan"})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Title != "The Isfahan Daily" {
		t.Errorf("title %q", cfg.Title)
	}
	feeds := cfg.Outlets[0].Feeds
	for i, want := range []bool{false, true, true, true, true} {
		if feeds[i].Secret != want {
			t.Errorf("feed %d: secret %v, want %v", i, feeds[i].Secret, want)
		}
	}
	if f := feeds[1]; f.URL != "https://o.test/rss?key=hunter2" || f.Shown != "https://o.test/rss?key=${KEY}" {
		t.Errorf("address %q, shown %q", f.URL, f.Shown)
	}
	if want := []netip.Prefix{netip.MustParsePrefix("192.168.1.1/32"), netip.MustParsePrefix("fd00::/16"), netip.MustParsePrefix("10.0.0.0/8")}; !slices.Equal(feeds[1].AllowPrivate, want) {
		t.Errorf("allow_private %v, want %v", feeds[1].AllowPrivate, want)
	}
	if f := feeds[2]; f.Password != "open sesame" || f.Username != "me" {
		t.Errorf("user %q, password %q", f.Username, f.Password)
	}
	if from := cfg.Sections[0].From[0]; from != feeds[1].Shown {
		t.Errorf("from %q, want the address as shown", from)
	}
}

// What comes from the environment or a password file is in no message.
func TestSecretsStayOutOfMessages(t *testing.T) {
	const canary = "hunter2canary"
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "pw"), []byte(canary+"\n"+canary), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := loadText(t, dir, `
contact = "(${KEY})"
base_url = "ftp://${KEY}"
language = "${KEY}"
timezone = "${KEY}"
[server]
listen = "${KEY}"
[store]
url = "${KEY}"
retention = "${KEY}"
[fetch]
max_bytes = "${KEY}"
allow_private = ["${KEY}"]
proxy = "ftp://${KEY}"
[publish]
content = "${KEY}"
[[outlet]]
id = "${KEY} x"
language = "${KEY}"
tags = ["${KEY} "]
  [[outlet.feed]]
  url = "ftp://o.test/${KEY}"
  [[outlet.feed]]
  url = "https://me:hunter2canary@o.test/rss"
  [[outlet.feed]]
  url = "https://o.test/${KEY}"
  password_file = "pw"
  [[outlet.feed]]
  url = "https://o.test/${KEY}"
  [[outlet.feed]]
  url = "https://o.test/1"
  password = ["hunter2canary"]
  headers = { Authorization = 1, Cookie = "${KEY}\n" }
[[section]]
slug = "${KEY} x"
from = ["${KEY}", "tag:${KEY}", "https://o.test/${KEY}x"]
languages = ["${KEY}"]
stories = "${KEY}"
`, map[string]string{"KEY": canary})
	if err == nil || len(err.(Errors)) < 15 {
		t.Fatalf("found only\n%v", err)
	}
	for _, line := range append(strings.Split(err.Error(), "\n"), cfg.Warnings...) {
		if strings.Contains(line, canary) {
			t.Error(line)
		}
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "0d": 0,
		"90d": 90 * day, "1d12h": 36 * time.Hour, "1.5d": 36 * time.Hour, "2d1ms": 2*day + time.Millisecond,
		"15m": 15 * time.Minute, "1h30m": 90 * time.Minute, "100ms": 100 * time.Millisecond,
		"106751d": 106751 * day,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "d", "1", "90", "1w", "90 d", "-1d", "-5m", "1d-2h", "1h1d", "1e3d", "106752d", "106751d24h", "999999999999999999999d", "NaNd", "٣d",
	} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "512": 512, "512B": 512, "500KB": 500_000, "16MiB": 16 << 20, "16 MiB": 16 << 20, "1.5KiB": 1536, "2GB": 2e9, "1GiB": 1 << 30, "1MB": 1e6, "1KiB": 1024,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "MiB", "16M", "16mib", "-1", "1e3", "16  MiB", "9999999999GiB", "0x10", "16MiB "} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

// Zero is no bound, in each way to write it.
func TestZeros(t *testing.T) {
	for _, zero := range []string{`0`, `"0"`, `"0s"`, `"0d"`} {
		cfg, err := loadText(t, t.TempDir(), contactLine+strings.ReplaceAll(`
[store]
retention = Z
[fetch]
min_interval = Z
host_gap = Z
[publish]
limit = Z
[[section]]
slug = "x"
limit = Z
max_age = Z
max_per_outlet = Z
`, "Z", zero), nil)
		if err != nil {
			t.Fatal(err)
		}
		s := cfg.Sections[0]
		if cfg.Store.Retention != 0 || cfg.Fetch.MinInterval != 0 || cfg.Fetch.HostGap != 0 || cfg.Publish.Limit != 0 || s.Limit != 0 || s.MaxAge != 0 || s.MaxPerOutlet != 0 {
			t.Errorf("%s: %+v", zero, cfg)
		}
	}
}

// A host has what its block says, and else what [fetch] says.
func TestHosts(t *testing.T) {
	cfg, err := loadText(t, t.TempDir(), contactLine+`
[fetch]
host_gap = "3s"
per_host = 2
proxy = "socks5://me:${KEY}@127.0.0.1:1080"
[[host]]
name = "FeedBurner.com"
gap = "0s"
scope = "host"
[[host]]
name = "127.0.0.1"
per_host = 4
`, map[string]string{"KEY": "hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	want := []Host{{"feedburner.com", 0, 2, "host"}, {"127.0.0.1", 3 * time.Second, 4, "domain"}}
	if !slices.Equal(cfg.Hosts, want) {
		t.Errorf("%+v, want %+v", cfg.Hosts, want)
	}
	if cfg.Fetch.Proxy != "socks5://me:hunter2@127.0.0.1:1080" {
		t.Errorf("proxy %q", cfg.Fetch.Proxy)
	}
}

// What is not written comes from the wider block.
func TestInheritance(t *testing.T) {
	dir := t.TempDir()
	if len(dir+"/run/b.sock") > MaxSocket {
		t.Skip("needs a TMPDIR whose path is shorter: sockets lie below it")
	}
	cfg, err := loadText(t, dir, contactLine+`
base_url = "https://news.test/paper/"
[server]
listen = "unix:run/b.sock"
control = "run/c.sock"
[fetch]
schedule = "@every 2h"
[publish]
limit = 20
dir = "www"
[[outlet]]
id = "a"
schedule = "@every 3h"
  [[outlet.feed]]
  url = "https://a.test/1"
  [[outlet.feed]]
  url = "https://a.test/2"
  schedule = "@every 4h"
[[outlet]]
id = "b"
enabled = false
  [[outlet.feed]]
  url = "https://b.test/1"
[[section]]
slug = "x"
[[section]]
slug = "y"
title = "Why"
limit = 5
stories = "keep"
`, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, b := cfg.Outlets[0], cfg.Outlets[1]
	if got := []string{a.Feeds[0].Schedule, a.Feeds[1].Schedule, b.Feeds[0].Schedule}; !slices.Equal(got, []string{"@every 3h", "@every 4h", "@every 2h"}) {
		t.Errorf("schedules %q", got)
	}
	if !a.Enabled || b.Enabled || a.Name != "a" || a.Content != "full" {
		t.Errorf("outlets %+v %+v", a, b)
	}
	x, y := cfg.Sections[0], cfg.Sections[1]
	if x.Limit != 20 || y.Limit != 5 || x.Title != "x" || y.Title != "Why" || x.Stories != "merge" || y.Stories != "keep" || x.MaxAge != 30*day || x.Content != "full" {
		t.Errorf("sections %+v %+v", x, y)
	}
	if cfg.BaseURL != "https://news.test/paper" {
		t.Errorf("base_url %q", cfg.BaseURL)
	}
	if cfg.Publish.Dir != filepath.Join(dir, "www") || cfg.Server.Listen != "unix:"+filepath.Join(dir, "run/b.sock") || cfg.Server.Control != filepath.Join(dir, "run/c.sock") {
		t.Errorf("paths %q %q %q under %q", cfg.Publish.Dir, cfg.Server.Listen, cfg.Server.Control, dir)
	}
}

// Whatever the file says, Load ends, and either the result or the complaint is usable.
func FuzzLoad(f *testing.F) {
	files, _ := filepath.Glob("testdata/bad/*.toml")
	for _, file := range append(files, example) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("a.b.c = {d = [{e.f = 1}, {}]}\n[a.b]\n[[a]]\n[[a.b]]\n"))
	f.Add([]byte("[[outlet]]\nfeed = [{url='http://x/'}]\n[outlet]\n[[outlet.feed]]\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		if strings.Contains(string(data), "_file") { // include_files, password_file
			return // no file of this machine is read
		}
		cfg, err := load(filepath.Join(dir, "b.toml"), data, noEnv)
		if err == nil {
			return
		}
		problems := err.(Errors)
		if len(problems) == 0 {
			t.Fatal("an error without a problem")
		}
		for _, p := range problems {
			if p.File == "" || p.Text == "" || strings.Contains(p.Text, "\n") {
				t.Errorf("%q", p)
			}
		}
		if cfg != nil {
			cfg.Problem("section[0].where", "x")
		}
	})
}

func TestBaseURLWithoutName(t *testing.T) {
	for base, warned := range map[string]bool{"http://[2001:db8::1]:8080/news": true, "http://192.0.2.1/news": false, "https://news.example": false} {
		cfg, err := loadText(t, t.TempDir(), contactLine+"base_url = \""+base+"\"\n", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.ContainsFunc(cfg.Warnings, func(w string) bool { return strings.Contains(w, ": base_url: ") }); got != warned {
			t.Errorf("%s: warnings %q", base, cfg.Warnings)
		}
	}
}
