package config

import (
	"os"
	"path/filepath"
	"testing"
)

// The password of a database comes from its address, the environment or a file, and stands in nothing that is shown.
func TestDatabase(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("p@ss:w/rd\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(name string) (string, bool) { return "geheim", name == "PASSWORD" }
	for _, c := range []struct{ store, url, shown string }{
		{`url = "postgres://me@db.test/news"`, "postgres://me@db.test/news", "postgres://me@db.test/news"},
		{`url = "postgres://me:${PASSWORD}@db.test:5433/news?sslmode=require"`, "postgres://me:geheim@db.test:5433/news?sslmode=require", "postgres://me@db.test:5433/news"},
		{"url = \"postgres://me@a.test:5432,b.test:5433/news?target_session_attrs=read-write\"\npassword_file = \"secret\"",
			"postgres://me:p%40ss%3Aw%2Frd@a.test:5432,b.test:5433/news?target_session_attrs=read-write", "postgres://me@a.test:5432,b.test:5433/news"},
		{`url = "postgresql:///news?host=/run/postgresql&password=${PASSWORD}"`, "postgresql:///news?host=/run/postgresql&password=geheim", "postgresql:///news"},
	} {
		cfg, err := load(filepath.Join(dir, "broadsheet.toml"), []byte(contactLine+"[store]\n"+c.store+"\n"), env)
		if err != nil {
			t.Errorf("%s: %v", c.store, err)
			continue
		}
		if s := cfg.Store; s.URL != c.url || s.Shown != c.shown || s.Path != "" {
			t.Errorf("%s:\n got %q, shown %q, path %q\nwant %q, shown %q", c.store, s.URL, s.Shown, s.Path, c.url, c.shown)
		}
	}
}
