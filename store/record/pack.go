package record

import (
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"broadsheet/store"
)

// A Packer compresses bodies. One encoder and one decoder serve the whole store: each costs memory.
type Packer struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

const (
	plain      = 0 // how a body is packed: its second byte
	compressed = 1

	packFrom = 200     // bytes; what is shorter gains nothing
	packTo   = 1 << 28 // bytes; what is longer is kept plain, so that a damaged value cannot take all memory
	maxRatio = 1 << 16 // zstd makes at most 128 KiB of 4 bytes
)

// NewPacker makes a Packer, which any number of goroutines may use.
func NewPacker() *Packer {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<18), zstd.WithEncoderCRC(true))
	if err != nil {
		panic(err) // the options are wrong
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(packTo), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic(err)
	}
	return &Packer{enc, dec}
}

// Pack appends what Unpack reads.
func (p *Packer) Pack(b []byte, body *store.Body) []byte {
	start := len(b)
	b = appendBody(append(b, bodyLayout, plain), body)
	long := b[start+2:]
	if len(long) < packFrom || len(long) > packTo {
		return b
	}
	short := p.enc.EncodeAll(long, nil)
	if len(short) >= len(long) {
		return b
	}
	b = binary.AppendUvarint(append(b[:start], bodyLayout, compressed), uint64(len(long)))
	return append(b, short...)
}

// Unpack reads the body of the item with this number.
func (p *Packer) Unpack(id store.ItemID, v []byte) (store.Body, error) {
	switch {
	case len(v) < 2:
		return store.Body{}, fmt.Errorf("body of item %d: %w", id, ErrDamaged)
	case v[0] > bodyLayout:
		return store.Body{}, fmt.Errorf("body of item %d: %w", id, newer(v[0]))
	case v[0] == bodyLayout && v[1] == plain:
		return decodeBody(id, string(v[2:]))
	case v[0] != bodyLayout || v[1] != compressed:
		return store.Body{}, fmt.Errorf("body of item %d: %w", id, ErrDamaged)
	}
	n, w := binary.Uvarint(v[2:])
	if short := v[2+max(w, 0):]; w > 0 && n <= min(packTo, maxRatio*uint64(len(short))) {
		if long, err := p.dec.DecodeAll(short, make([]byte, 0, n)); err == nil {
			return decodeBody(id, string(long))
		}
	}
	return store.Body{}, fmt.Errorf("body of item %d: %w", id, ErrDamaged)
}
