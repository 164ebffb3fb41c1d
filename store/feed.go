package store

import (
	"encoding/hex"
	"fmt"
	"time"
)

// A FeedState is what is known of a feed beside its items. It is written with each poll.
type FeedState struct {
	Outlet string `json:"outlet"` // the outlet's id
	URL    string `json:"url"`    // the feed's address as configured: "${TOKEN}" stays "${TOKEN}"

	Title      string     `json:"title,omitempty"` // what the feed calls itself
	Validators Validators `json:"validators,omitzero"`
	Document   Key        `json:"document,omitzero"` // hash of the last whole document, decoded

	LastTry     time.Time `json:"last_try,omitzero"`      // the last attempt, also one that reached no server
	LastPoll    time.Time `json:"last_poll,omitzero"`     // the last poll: an attempt that reached a server
	LastSuccess time.Time `json:"last_success,omitzero"`  // the last 200 that parsed, or 304
	LastNewItem time.Time `json:"last_new_item,omitzero"` // arrival of its newest item
	NextPoll    time.Time `json:"next_poll,omitzero"`     // when it is due; zero: at once, or never (Gone)
	Reason      string    `json:"reason,omitempty"`       // why then, in words

	Status   int    `json:"status,omitempty"`   // HTTP status of the last answer; 0 if there was none
	Failures int    `json:"failures,omitempty"` // polls that failed since the last success
	Err      string `json:"err,omitempty"`      // of the last poll, secrets redacted
	Damaged  bool   `json:"damaged,omitempty"`  // the last document was cut off or broken
	Gone     bool   `json:"gone,omitempty"`     // answered 410: never polled again by itself
	Private  bool   `json:"private,omitempty"`  // was reached at an address that allow_private permits

	// What the outlet asked of us with its last answer.
	FreshUntil time.Time     `json:"fresh_until,omitzero"` // Cache-Control: max-age, Expires
	TTL        time.Duration `json:"ttl,omitempty"`        // RSS ttl
	RetryAfter time.Time     `json:"retry_after,omitzero"` // Retry-After; not even --force goes against it
	HostHold   bool          `json:"host_hold,omitempty"`  // RetryAfter binds the whole host (429)

	Items     int   `json:"items,omitempty"`     // stored items that it carried
	Ambiguous []Key `json:"ambiguous,omitempty"` // keys that stood on several items of one document
}

// Validators vouch for a stored document (RFC 9110 §8.8). They are opaque: kept and sent back byte
// for byte, and only to the address that gave them.
type Validators struct {
	For          string `json:"for,omitempty"` // hash of the address that answered with them, after redirects
	ETag         []byte `json:"etag,omitempty"`
	LastModified []byte `json:"last_modified,omitempty"`
}

// A Key is a hash that names something. Its first 6 bytes come from what it lies near to (its outlet, its
// host), so that what one poll looks up stands together in an ordered store.
type Key [16]byte

func (k Key) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, k[:]), nil }

func (k *Key) UnmarshalText(b []byte) error {
	if n, err := hex.Decode(k[:], b); err != nil || n != len(k) {
		return fmt.Errorf("%q is no key", b)
	}
	return nil
}
