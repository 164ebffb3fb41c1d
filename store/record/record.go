// Package record writes items, bodies, links and stories as bytes, for keepers to keep.
//
// It is written by hand: small, and read with few allocations. Numbers are varints, hashes 8 bytes, strings carry
// their length before them. The first byte of a value names its layout. What a keeper has beside a value, as a key
// or a column, is not in it: an item's number and date, a body's number, a story's number.
package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"broadsheet/store"
)

const (
	itemLayout  = 1
	bodyLayout  = 1
	storyLayout = 1
)

// AppendItem appends what Item reads. Outlet comes first, so that a query for some outlets need not read on.
func AppendItem(b []byte, it *store.Item) []byte {
	date := it.Date.UnixMicro()
	b = append(b, itemLayout)
	b = appendString(b, it.Outlet)
	b = binary.AppendUvarint(b, uint64(it.Revision))
	b = binary.AppendVarint(b, int64(it.ID)-int64(it.Story))
	b = binary.AppendUvarint(b, uint64(len(it.Feeds)))
	for _, f := range it.Feeds {
		b = appendString(b, f)
	}
	b = appendString(b, it.PublishedID)
	b = appendSame(b, it.GUID, it.PublishedID)
	b = appendSame(b, it.Link, it.GUID)
	b = appendString(b, it.Title)
	b = appendString(b, it.Lead)
	b = appendString(b, it.Language)
	b = appendString(b, it.Detected)
	b = appendString(b, it.CopyOf)
	b = appendAuthors(b, it.Authors)
	b = appendCategories(b, it.Categories)
	b = binary.AppendUvarint(b, uint64(len(it.Enclosures)))
	for _, e := range it.Enclosures {
		b = binary.AppendVarint(appendString(appendString(b, e.URL), e.Type), e.Length)
		b = binary.AppendVarint(appendString(b, e.Title), int64(e.Duration))
	}
	b = appendString(b, it.Image)
	b = binary.AppendUvarint(b, uint64(len(it.Related)))
	for _, id := range it.Related {
		b = binary.AppendUvarint(b, uint64(id))
	}
	b = binary.AppendVarint(b, int64(it.Words))
	b = binary.AppendVarint(b, it.Arrived.UnixMicro()-date)
	b = binary.AppendVarint(b, it.Updated.UnixMicro()-date)
	b = binary.AppendVarint(b, it.Moved.UnixMicro()-date)
	b = binary.AppendVarint(b, it.Changed.UnixMicro()-date)
	for _, h := range []uint64{it.LinkHash, it.Text, it.Rest} {
		b = binary.LittleEndian.AppendUint64(b, h)
	}
	if it.Editor != "" { // few items have one
		b = appendString(b, it.Editor)
	}
	return b
}

// Item reads the item with this number and date.
func Item(id store.ItemID, at time.Time, s string) (store.Item, error) {
	date := at.UnixMicro()
	r := reader{s: s}
	r.layout(itemLayout)
	it := store.Item{ID: id, Date: at, Outlet: r.string()}
	it.Revision = store.Revision(r.uvarint())
	it.Story = store.StoryID(int64(it.ID) - r.varint())
	it.Feeds = list(&r, (*reader).string)
	it.PublishedID = r.string()
	it.GUID = r.same(it.PublishedID)
	it.Link = r.same(it.GUID)
	it.Title, it.Lead, it.Language, it.Detected, it.CopyOf = r.string(), r.string(), r.string(), r.string(), r.string()
	it.Authors = r.authors()
	it.Categories = r.categories()
	it.Enclosures = list(&r, func(r *reader) store.Enclosure {
		return store.Enclosure{URL: r.string(), Type: r.string(), Length: r.varint(), Title: r.string(), Duration: time.Duration(r.varint())}
	})
	it.Image = r.string()
	it.Related = list(&r, (*reader).item)
	it.Words = int(r.varint())
	it.Arrived = time.UnixMicro(r.varint() + date).UTC()
	it.Updated = time.UnixMicro(r.varint() + date).UTC()
	it.Moved = time.UnixMicro(r.varint() + date).UTC()
	it.Changed = time.UnixMicro(r.varint() + date).UTC()
	it.LinkHash, it.Text, it.Rest = r.hash(), r.hash(), r.hash()
	if r.s != "" {
		if it.Editor = r.string(); it.Editor == "" {
			r.fail(ErrDamaged)
		}
	}
	if err := r.end(); err != nil {
		return store.Item{}, fmt.Errorf("item %d: %w", id, err)
	}
	return it, nil
}

// Outlet reads the outlet of an item and no more.
func Outlet(v []byte) []byte {
	if len(v) == 0 || v[0] != itemLayout {
		return nil
	}
	n, w := binary.Uvarint(v[1:])
	if w <= 0 || n > uint64(len(v)-1-w) {
		return nil
	}
	return v[1+w:][:n]
}

// AppendStory appends what Story reads.
func AppendStory(b []byte, s *store.Story) []byte {
	b = append(b, storyLayout)
	b = appendString(b, s.PublishedID)
	b = binary.AppendUvarint(b, uint64(len(s.Items)))
	for _, id := range s.Items {
		b = binary.AppendUvarint(b, uint64(id))
	}
	b = binary.AppendUvarint(b, uint64(len(s.Ties)))
	for _, t := range s.Ties {
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(t.Item)), uint64(t.Partner))
		b = binary.LittleEndian.AppendUint64(appendString(b, string(t.Layer)), math.Float64bits(t.Score))
		b = appendString(b, t.Why)
	}
	return b
}

// Story reads the story with this number.
func Story(id store.StoryID, v string) (store.Story, error) {
	r := reader{s: v}
	r.layout(storyLayout)
	s := store.Story{ID: id, PublishedID: r.string()}
	s.Items = list(&r, (*reader).item)
	s.Ties = list(&r, func(r *reader) store.Tie {
		return store.Tie{Item: r.item(), Partner: r.item(), Layer: store.Layer(r.string()), Score: math.Float64frombits(r.hash()), Why: r.string()}
	})
	if err := r.end(); err != nil {
		return store.Story{}, fmt.Errorf("story %d: %w", id, err)
	}
	return s, nil
}

// AppendLinks appends what Links reads: who has a canonical link, and the day when an outlet last listed it.
func AppendLinks(b []byte, day uint64, refs []store.LinkRef) []byte {
	b = binary.AppendUvarint(b, day)
	b = binary.AppendUvarint(b, uint64(len(refs)))
	for _, l := range refs {
		b = binary.AppendUvarint(appendString(b, l.Outlet), uint64(l.Item))
		b = binary.AppendVarint(b, int64(l.Item)-int64(l.Story))
		if l.Original {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	return b
}

// Links reads who has a canonical link.
func Links(v string) (day uint64, refs []store.LinkRef, err error) {
	r := reader{s: v}
	day = r.uvarint()
	refs = list(&r, func(r *reader) store.LinkRef {
		l := store.LinkRef{Outlet: r.string(), Item: store.ItemID(r.uvarint())}
		l.Story = store.StoryID(int64(l.Item) - r.varint())
		l.Original = r.uvarint() != 0
		return l
	})
	return day, refs, r.end()
}

func appendAuthors(b []byte, authors []store.Author) []byte {
	b = binary.AppendUvarint(b, uint64(len(authors)))
	for _, a := range authors {
		b = appendString(appendString(appendString(b, a.Name), a.Email), a.URL)
	}
	return b
}

func appendCategories(b []byte, categories []store.Category) []byte {
	b = binary.AppendUvarint(b, uint64(len(categories)))
	for _, c := range categories {
		b = appendString(appendString(appendString(b, c.Term), c.Scheme), c.Label)
	}
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendSame appends s, in one byte if it equals other.
func appendSame(b []byte, s, other string) []byte {
	if s == other {
		return append(b, 0)
	}
	return append(binary.AppendUvarint(b, uint64(len(s))+1), s...)
}

// appendTime appends t, in one byte if it is zero.
func appendTime(b []byte, t time.Time) []byte {
	return binary.AppendUvarint(b, uint64(t.UnixMicro()-time.Time{}.UnixMicro()))
}

// ErrDamaged says that bytes are not what was written.
var ErrDamaged = errors.New("the value is damaged; put a backup in the store's place")

func newer(layout byte) error {
	return fmt.Errorf("was written by a newer version of broadsheet (layout %d)", layout)
}

// reader reads a value from its front. Its strings are parts of the value.
type reader struct {
	s   string
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.s = ""
}

func (r *reader) layout(known byte) {
	switch {
	case r.s == "":
		r.fail(ErrDamaged)
	case r.s[0] > known:
		r.fail(newer(r.s[0]))
	case r.s[0] < known:
		r.fail(ErrDamaged)
	default:
		r.s = r.s[1:]
	}
}

func (r *reader) uvarint() (n uint64) {
	for i := range min(len(r.s), binary.MaxVarintLen64) {
		c := r.s[i]
		if i == binary.MaxVarintLen64-1 && c > 1 {
			break
		}
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			r.s = r.s[i+1:]
			return n
		}
	}
	r.fail(ErrDamaged)
	return 0
}

func (r *reader) varint() int64 {
	n := r.uvarint()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *reader) take(n uint64) string {
	if n > uint64(len(r.s)) {
		r.fail(ErrDamaged)
		return ""
	}
	s := r.s[:n]
	r.s = r.s[n:]
	return s
}

func (r *reader) string() string { return r.take(r.uvarint()) }

func (r *reader) item() store.ItemID { return store.ItemID(r.uvarint()) }

func (r *reader) same(other string) string {
	n := r.uvarint()
	if n == 0 {
		return other
	}
	return r.take(n - 1)
}

func (r *reader) time() time.Time {
	return time.UnixMicro(int64(r.uvarint()) + time.Time{}.UnixMicro()).UTC()
}

func (r *reader) hash() (n uint64) {
	for i, c := range []byte(r.take(8)) {
		n |= uint64(c) << (8 * i)
	}
	return n
}

func (r *reader) authors() []store.Author {
	return list(r, func(r *reader) store.Author {
		return store.Author{Name: r.string(), Email: r.string(), URL: r.string()}
	})
}

func (r *reader) categories() []store.Category {
	return list(r, func(r *reader) store.Category {
		return store.Category{Term: r.string(), Scheme: r.string(), Label: r.string()}
	})
}

// end reports what went wrong. Something left over is wrong, too.
func (r *reader) end() error {
	if r.s != "" {
		r.fail(ErrDamaged)
	}
	return r.err
}

// list reads a number and as many elements, each of at least one byte.
func list[T any](r *reader, element func(*reader) T) []T {
	n := r.uvarint()
	if n == 0 {
		return nil
	}
	if n > uint64(len(r.s)) {
		r.fail(ErrDamaged)
		return nil
	}
	l := make([]T, 0, n)
	for range n {
		if r.err != nil {
			return nil
		}
		l = append(l, element(r))
	}
	return l
}

// Hash is a hash as it stands in an item, for those who look for it there.
func Hash(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }
