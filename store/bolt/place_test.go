package bolt

import (
	"math/rand/v2"
	"testing"

	"broadsheet/store"
)

func TestName(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		n := name{rng.Uint64() >> rng.IntN(64), store.ItemID(rng.Uint64() >> rng.IntN(64)), int64(rng.Uint64()) >> rng.IntN(64)}
		v := appendName(nil, n)
		if got, err := decodeName(v); err != nil || got != n {
			t.Fatalf("%v: %+v, want %+v", err, got, n)
		}
		for i := range v {
			if got, err := decodeName(v[:i]); err == nil {
				t.Fatalf("%x without its end is %+v", v, got)
			}
		}
	}
}
