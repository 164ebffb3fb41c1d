package fetch

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mmcdole/gofeed"
)

// BenchmarkReal compares all that becomes of the real documents of ../shared/data/feeds with what gofeed alone takes to
// read them: all that gofeed can read in one run of the loop, and of three sizes the ten that are nearest.
func BenchmarkReal(b *testing.B) {
	address, _ := url.Parse("https://outlet.example/feed")
	for _, set := range realDocuments(b) {
		size := 0
		for _, body := range set.bodies {
			size += len(body)
		}
		b.Run("ours/"+set.name, func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				for _, body := range set.bodies {
					if _, err := parseDocument(body, "", address); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
		b.Run("gofeed/"+set.name, func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				for _, body := range set.bodies {
					if _, err := gofeed.NewParser().Parse(bytes.NewReader(body)); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

type documentSet struct {
	name   string
	bodies [][]byte
}

func realDocuments(b *testing.B) []documentSet {
	names, _ := filepath.Glob(filepath.Join(sharedData, "feeds/*"))
	if len(names) == 0 {
		b.Skip("needs the project's data in ../shared/data")
	}
	var all [][]byte
	for _, name := range names {
		body, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := gofeed.NewParser().Parse(bytes.NewReader(body)); err == nil {
			all = append(all, body)
		}
	}
	sets := []documentSet{{"all", all}}
	for _, kb := range []int{16, 80, 700} {
		near := slices.Clone(all)
		far := func(body []byte) int { return max(len(body)-kb<<10, kb<<10-len(body)) }
		slices.SortStableFunc(near, func(x, y []byte) int { return far(x) - far(y) })
		sets = append(sets, documentSet{fmt.Sprintf("%dKB", kb), near[:10]})
	}
	return sets
}
