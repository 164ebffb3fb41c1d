package bolt

import (
	"encoding/binary"
	"time"

	"broadsheet/store"
	"broadsheet/store/record"
)

// place is where an item stands in lists: its key in the bucket of heads. It never changes.
type place [16]byte

func placeOf(date time.Time, id store.ItemID) (p place) {
	binary.BigEndian.PutUint64(p[:8], uint64(date.UnixMicro())^1<<63)
	binary.BigEndian.PutUint64(p[8:], uint64(id))
	return p
}

func (p place) date() int64      { return int64(binary.BigEndian.Uint64(p[:8]) ^ 1<<63) }
func (p place) id() store.ItemID { return store.ItemID(binary.BigEndian.Uint64(p[8:])) }

func key8[T ~uint64](n T) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

func revisionEntry(rev store.Revision, id store.ItemID) []byte {
	return binary.BigEndian.AppendUint64(key8(rev), uint64(id))
}

// decodeHead reads what lies under p in the bucket of heads.
func decodeHead(p place, v string) (store.Item, error) {
	return record.Item(p.id(), time.UnixMicro(p.date()).UTC(), v)
}

// A name is what is kept under a key or a published id: the item that it names, with its date, so that its head
// is found at once, and the day when an outlet last listed it, counted from 1970.
type name struct {
	day  uint64
	item store.ItemID
	date int64 // microseconds; without meaning if the item was pruned
}

func (n name) place() (p place) {
	binary.BigEndian.PutUint64(p[:8], uint64(n.date)^1<<63)
	binary.BigEndian.PutUint64(p[8:], uint64(n.item))
	return p
}

func appendName(b []byte, n name) []byte {
	return binary.AppendVarint(binary.AppendUvarint(binary.AppendUvarint(b, n.day), uint64(n.item)), n.date)
}

func decodeName(v []byte) (n name, err error) {
	var w [3]int
	var item uint64
	n.day, w[0] = binary.Uvarint(v)
	item, w[1] = binary.Uvarint(v[max(w[0], 0):])
	n.date, w[2] = binary.Varint(v[max(w[0], 0)+max(w[1], 0):])
	if n.item = store.ItemID(item); min(w[0], w[1], w[2]) <= 0 || w[0]+w[1]+w[2] != len(v) {
		return name{}, record.ErrDamaged
	}
	return n, nil
}
