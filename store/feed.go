package store

import (
	"cmp"
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

	FailingSince time.Time `json:"failing_since,omitzero"` // the first failure since the last success
	Missing      bool      `json:"missing,omitempty"`      // the last failure says that there is nothing at this address: 404, no such name
	Outage       bool      `json:"outage,omitempty"`       // the last attempt reached no server, and so did most: our own fault

	// What the outlet asked of us with its last answer.
	FreshUntil time.Time     `json:"fresh_until,omitzero"` // Cache-Control: max-age, Expires
	TTL        time.Duration `json:"ttl,omitempty"`        // RSS ttl
	RetryAfter time.Time     `json:"retry_after,omitzero"` // Retry-After; not even --force goes against it
	HostHold   bool          `json:"host_hold,omitempty"`  // RetryAfter binds the whole host (429, 503)

	// What its documents tell of it.
	Pace     Pace      `json:"pace,omitzero"`
	Received time.Time `json:"received,omitzero"` // when the last whole document came, also one that was known already
	Listed   time.Time `json:"listed,omitzero"`   // when the store was last told what it lists
	Listing  Key       `json:"listing,omitzero"`  // hash of its items, whatever stands around them
	Heads    []uint64  `json:"heads,omitempty"`   // hashes of the names of its first items
	Unsound  bool      `json:"unsound,omitempty"` // a 304 has hidden changed items: its validators are not sent any more
	Move     Move      `json:"move,omitzero"`
	Hubs     []string  `json:"hubs,omitempty"`  // WebSub hubs that it names (rel="hub"), in its order
	Topic    string    `json:"topic,omitempty"` // what it calls itself (rel="self"): the name that its hubs know it by
	Push     Push      `json:"push,omitzero"`   // only Pushed polls set it

	Flood      time.Time `json:"flood,omitzero"`        // when it last brought more than FloodItems new items at once
	FloodItems int       `json:"flood_items,omitempty"` // how many they were

	Saves   uint64  `json:"saves,omitempty"`  // how often it was saved: tells its versions apart
	History History `json:"history,omitzero"` // what it did lately

	Items     int   `json:"items,omitempty"`     // stored items that it carried
	Ambiguous []Key `json:"ambiguous,omitempty"` // keys that stood on several items of one document

	Keys    FeedName `json:"keys,omitzero"`     // with these names its items' keys are made; "" is its own
	Oldest  ItemID   `json:"oldest,omitempty"`  // lowest number that its last whole document listed
	Rotated int      `json:"rotated,omitempty"` // documents in a row whose guids were new and whose links were known
	ByLink  bool     `json:"by_link,omitempty"` // its guids mean nothing: its items are known by their links
}

// A FeedName is what a feed is known by: its outlet's id, and its address as configured. Without an address it is
// the outlet as a whole.
type FeedName struct {
	Outlet string `json:"outlet,omitempty"`
	URL    string `json:"url,omitempty"`
}

// Compare orders names by outlet, then by address.
func (n FeedName) Compare(o FeedName) int {
	return cmp.Or(cmp.Compare(n.Outlet, o.Outlet), cmp.Compare(n.URL, o.URL))
}

// Name is the name of the feed whose state f is.
func (f *FeedState) Name() FeedName { return FeedName{f.Outlet, f.URL} }

// keyName is the name with which the keys of its items are made. It outlives every renaming.
func (f *FeedState) keyName() FeedName {
	return FeedName{cmp.Or(f.Keys.Outlet, f.Outlet), cmp.Or(f.Keys.URL, f.URL)}
}

// Validators vouch for a stored document (RFC 9110 §8.8). They are opaque: kept and sent back byte
// for byte, and only to the address that gave them.
type Validators struct {
	For          string `json:"for,omitempty"` // hash of the address that answered with them, after redirects
	ETag         []byte `json:"etag,omitempty"`
	LastModified []byte `json:"last_modified,omitempty"`
}

// A Pace is how often a feed says, or shows, that it changes.
type Pace struct {
	Gap       time.Duration `json:"gap,omitempty"`        // mean, between its newest items; 0 is unknown
	Longest   time.Duration `json:"longest,omitempty"`    // the longest of these gaps
	Newest    time.Time     `json:"newest,omitzero"`      // date of its newest item; zero if it dates none
	Period    time.Duration `json:"period,omitempty"`     // sy:updatePeriod by sy:updateFrequency; 0 if it does not say
	SkipHours uint32        `json:"skip_hours,omitempty"` // bit n: not in hour n, UTC (RSS 2.0 skipHours)
	SkipDays  uint8         `json:"skip_days,omitempty"`  // bit n: not on time.Weekday n, UTC (RSS 2.0 skipDays)
}

// A Move is what is known of an address that redirects permanently. The configuration is never
// rewritten; a move that holds only says where to ask first.
type Move struct {
	To      string    `json:"to,omitempty"`     // where the permanent redirects lead; "" if nowhere
	Since   time.Time `json:"since,omitzero"`   // the first of the polls that led there without a break
	Polls   int       `json:"polls,omitempty"`  // how many they are
	Same    bool      `json:"same,omitempty"`   // what stands there shares its title or an item with what stood here
	Holds   bool      `json:"holds,omitempty"`  // long enough: To is asked
	Checked time.Time `json:"checked,omitzero"` // when the configured address was last asked
}

// A Push is what we have from a feed's hub (WebSub).
type Push struct {
	Hub    string    `json:"hub,omitempty"`    // that pushes, or would not; "" if there is nothing to say
	Until  time.Time `json:"until,omitzero"`   // end of the lease that it verified; zero if it pushes nothing
	Last   time.Time `json:"last,omitzero"`    // when it last pushed
	Missed bool      `json:"missed,omitempty"` // a poll since found new items that it had not pushed; Settle sets it
	Err    string    `json:"err,omitempty"`    // why it pushes nothing, or will not for longer; "" if all is well
}

// FloodItems is how many new items at once are a flood, from a feed that has brought items before.
const FloodItems = 100

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
