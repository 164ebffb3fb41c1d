package record

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"broadsheet/store"
)

func TestCodec(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	p := NewPacker()
	same := func(what string, got, want any, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: %v\n got %+v\nwant %+v", what, err, got, want)
		}
	}
	for range 2000 {
		var it store.Item
		fillRandom(reflect.ValueOf(&it).Elem(), rng)
		v := AppendItem(nil, &it)
		got, err := Item(it.ID, it.Date, string(v))
		same("item", got, it, err)
		same("outlet", string(Outlet(v)), it.Outlet, nil)

		var body store.Body
		fillRandom(reflect.ValueOf(&body).Elem(), rng)
		gotBody, err := p.Unpack(body.Item, p.Pack(nil, &body))
		same("body", gotBody, body, err)

		var story store.Story
		fillRandom(reflect.ValueOf(&story).Elem(), rng)
		gotStory, err := Story(story.ID, string(AppendStory(nil, &story)))
		same("story", gotStory, story, err)

		var refs []store.LinkRef
		fillRandom(reflect.ValueOf(&refs).Elem(), rng)
		day, gotRefs, err := Links(string(AppendLinks(nil, 20000, refs)))
		same("links", gotRefs, refs, err)
		same("day of the links", day, uint64(20000), nil)
	}
}

// fillRandom sets all fields to random values, many of them zero.
func fillRandom(v reflect.Value, rng *rand.Rand) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		if rng.IntN(4) > 0 { // from the year 1 to 9999
			v.Set(reflect.ValueOf(time.UnixMicro(-62135596800e6 + rng.Int64N(315537897600e6)).UTC()))
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fillRandom(v.Field(i), rng)
		}
	case reflect.Slice:
		if n := rng.IntN(4); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fillRandom(v.Index(i), rng)
			}
		}
	case reflect.String:
		words := []string{"", "a", "a", "漢字", "<p>\x01", "\xff", strings.Repeat("long ", rng.IntN(300))}
		v.SetString(words[rng.IntN(len(words))])
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(rng.Uint64()) >> rng.IntN(64))
	case reflect.Bool:
		v.SetBool(rng.IntN(2) == 0)
	case reflect.Uint64:
		v.SetUint(rng.Uint64() >> rng.IntN(64))
	}
}

// Values of a newer layout, and damaged ones, are refused and never panic.
func TestDecodeRefuses(t *testing.T) {
	head := AppendItem(nil, &store.Item{ID: 1, Story: 1, Outlet: "a", Feeds: []string{"f"}, Title: "t"})
	p := NewPacker()
	body := p.Pack(nil, &store.Body{Content: strings.Repeat("content ", 100)})
	for _, v := range [][]byte{head, body} {
		newer := slices.Clone(v)
		newer[0]++
		for i, v := range [][]byte{newer, append(slices.Clone(v), 0), v[:len(v)-1], v[:1], nil} {
			_, err := Item(1, time.Time{}, string(v))
			if err == nil {
				t.Errorf("%d: decoded as an item", i)
			}
			if i == 0 && !strings.Contains(err.Error(), "newer version") {
				t.Errorf("a newer layout: %v", err)
			}
			if _, err = p.Unpack(1, v); err == nil {
				t.Errorf("%d: decoded as a body", i)
			}
			if i == 0 && !strings.Contains(err.Error(), "newer version") {
				t.Errorf("a newer layout: %v", err)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	p := NewPacker()
	rng := rand.New(rand.NewPCG(5, 6))
	for range 5 {
		var it store.Item
		var body store.Body
		var story store.Story
		for _, v := range []any{&it, &body, &story} {
			fillRandom(reflect.ValueOf(v).Elem(), rng)
		}
		f.Add(AppendItem(nil, &it))
		f.Add(p.Pack(nil, &body))
		f.Add(AppendStory(nil, &story))
	}
	f.Add(AppendStory(nil, &store.Story{ID: 1, PublishedID: "a", Ties: []store.Tie{{Item: 2, Partner: 3, Layer: store.ByReport, Score: math.NaN(), Why: "x"}}}))
	f.Add(AppendLinks(nil, 20000, []store.LinkRef{{Outlet: "a", Item: 2, Story: 1}, {Outlet: "b", Item: 3, Story: 1, Original: true}}))
	// What was decoded is compared by what it is written as: a score that is no number equals nothing, itself included.
	again := func(t *testing.T, first, second []byte, err error) {
		t.Helper()
		if err != nil || !bytes.Equal(first, second) {
			t.Errorf("%v\n got %q\nwant %q", err, second, first)
		}
	}
	f.Fuzz(func(t *testing.T, v []byte) {
		Outlet(v)
		if it, err := Item(2, time.UnixMicro(1).UTC(), string(v)); err == nil {
			first := AppendItem(nil, &it)
			it, err = Item(it.ID, it.Date, string(first))
			again(t, first, AppendItem(nil, &it), err)
		}
		if b, err := p.Unpack(1, v); err == nil {
			first := p.Pack(nil, &b)
			b, err = p.Unpack(1, first)
			again(t, first, p.Pack(nil, &b), err)
		}
		if s, err := Story(1, string(v)); err == nil {
			first := AppendStory(nil, &s)
			s, err = Story(1, string(first))
			again(t, first, AppendStory(nil, &s), err)
		}
		if day, refs, err := Links(string(v)); err == nil {
			first := AppendLinks(nil, day, refs)
			day, refs, err = Links(string(first))
			again(t, first, AppendLinks(nil, day, refs), err)
		}
	})
}
