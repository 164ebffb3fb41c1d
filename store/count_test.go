package store

import "testing"

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 items", 1: "1 item", 2: "2 items", 21: "21 items"} {
		if got := Count(n, "item"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
