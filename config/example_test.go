package config

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const example = "../config.example.toml"

var (
	stated      = regexp.MustCompile(`(?m)^(\s*)# ([a-z_]+) = `)
	commentedIn = "$1$2 = "
)

// The example loads, with the one warning that a new user should see.
func TestExampleLoads(t *testing.T) {
	cfg, err := Load(example)
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Warnings) != 1 || !strings.Contains(cfg.Warnings[0], ": contact: is still the example's") {
		t.Errorf("warnings %q, want the one about contact", cfg.Warnings)
	}
	if cfg.Contact != exampleContact {
		t.Errorf("contact %q, want %q", cfg.Contact, exampleContact)
	}
	var slugs, ids []string
	for _, s := range cfg.Sections {
		slugs = append(slugs, s.Slug)
	}
	for _, o := range cfg.Outlets {
		ids = append(ids, o.ID)
	}
	for _, slug := range []string{"world-news", "business", "science", "technology"} {
		if !slices.Contains(slugs, slug) {
			t.Errorf("no section %q", slug)
		}
	}
	for _, id := range []string{"mehr", "bbc", "aljazeera", "dw", "npr", "guardian", "france24", "hindu"} {
		if !slices.Contains(ids, id) {
			t.Errorf("no outlet %q", id)
		}
	}
}

// Every default that the example states is the one that holds: the example with those lines
// commented in is the same configuration.
func TestExampleStatesTheDefaults(t *testing.T) {
	data, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	as, err := load(example, data, noEnv)
	if err != nil {
		t.Fatal(err)
	}
	in, err := load(example, stated.ReplaceAll(data, []byte(commentedIn)), noEnv)
	if err != nil {
		t.Fatal(err)
	}

	// Every key stands in it.
	var missing []string
	for _, path := range everyKey(reflect.TypeFor[Config](), "") {
		if _, ok := in.places[path]; !ok {
			missing = append(missing, path)
		}
	}
	if len(missing) > 0 {
		t.Errorf("the example lacks %q", missing)
	}

	for _, cfg := range []*Config{as, in} {
		cfg.places, cfg.Digest, cfg.Warnings = nil, "", nil
	}
	if !reflect.DeepEqual(as, in) {
		t.Errorf("what the example states differs from what holds:\nwithout %+v\nwith    %+v", as, in)
	}

	want := defaults()
	want.Contact = exampleContact
	want.Store.Path, want.Store.Shown = as.Store.Path, as.Store.Shown
	want.Hosts, want.Outlets, want.Sections = as.Hosts, as.Outlets, as.Sections
	if !reflect.DeepEqual(*as, want) {
		t.Errorf("the example is not the defaults:\n got %+v\nwant %+v", *as, want)
	}
}

// everyKey returns the path of each key in the first block of its kind.
func everyKey(t reflect.Type, path string) (paths []string) {
	for name, key := range keysOf(t) {
		ft, at := t.FieldByIndex(key.index).Type, under(path, name)
		if ft.Kind() == reflect.Slice && ft.Elem().Kind() == reflect.Struct && ft.Elem().PkgPath() == t.PkgPath() {
			ft, at = ft.Elem(), fmt.Sprintf("%s[0]", at)
		}
		paths = append(paths, at)
		if ft.Kind() == reflect.Struct {
			paths = append(paths, everyKey(ft, at)...)
		}
	}
	return paths
}
