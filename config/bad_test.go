package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var wanted = regexp.MustCompile(`(?m)^# want: (.*)$`)

// Each file of testdata/bad ends in what Load says to it, a line each, without
// the file's name.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".toml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.HasPrefix(data, []byte("\xff\xfe")) {
				data = bytes.ReplaceAll(data, []byte{0}, nil)
			}
			var want []string
			for _, m := range wanted.FindAllSubmatch(data, -1) {
				want = append(want, string(m[1]))
			}
			_, err = Load(file)
			var problems Errors
			if !errors.As(err, &problems) {
				t.Fatalf("Load returned %v, want Errors", err)
			}
			got := strings.ReplaceAll(err.Error(), file+":", "")
			got = regexp.MustCompile(`(?m)^ `).ReplaceAllString(got, "")
			if got != strings.Join(want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
			}
		})
	}
}
