package store

import "strconv"

// Count is a number with what it counts, as people read it: "1 item", "2 items".
func Count[N int | uint64](n N, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.FormatUint(uint64(n), 10) + " " + noun
}
