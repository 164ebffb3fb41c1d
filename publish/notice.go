package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"broadsheet/store"
)

// A notice says what somebody has been told of a topic. It is kept as a note, so that what is owed survives a restart,
// and so that of several publishers on one store one tells it: the one that swaps the note before it sends anything.
type notice struct {
	Topic    string         `json:"topic"`              // address of a feed of ours
	Callback string         `json:"callback,omitempty"` // of a subscriber
	Secret   string         `json:"secret,omitempty"`   // for its signatures
	Lease    time.Time      `json:"lease,omitzero"`     // when the subscription ends
	Told     string         `json:"told,omitempty"`     // the feed's news that was told last, or is owed
	Revision store.Revision `json:"revision,omitempty"` // of the edition that it stood in
	Owed     time.Time      `json:"owed,omitzero"`      // when it is tried again; zero: it is told
	Teller   string         `json:"teller,omitempty"`   // the courier that is telling it now, or died of it
	Since    time.Time      `json:"since,omitzero"`     // when it was owed first
	Failures int            `json:"failures,omitempty"` // attempts since the last success
}

// told is a notice in the hands of a courier.
type told struct {
	key  string
	note []byte    // as it is stored; nil if it is not yet
	seen time.Time // when it was found to be stored so
	notice
	host string
	busy bool
}

// free is when the courier of a name may tell it. What another one is telling is free when it has stayed so for long by our
// clock, whatever the other's clock says.
func (t *told) free(teller string) time.Time {
	if t.Teller == "" || t.Teller == teller {
		return t.Owed
	}
	return t.seen.Add(claimTime)
}

// swap writes notes, and takes up what was written: its own or, where another process was there first, that one's.
func (c *courier) swap(ctx context.Context, all []*told, swaps []store.Swap) ([]bool, error) {
	if len(swaps) == 0 {
		return nil, nil
	}
	done, err := c.notes.SwapNotes(ctx, c.kind, swaps...)
	if err != nil {
		return nil, err
	}
	for i, t := range all {
		switch {
		case !done[i]:
			if err := c.reload(ctx, t.key); err != nil {
				return nil, err
			}
		case swaps[i].New == nil:
			delete(c.told, t.key)
		default:
			c.told[t.key] = t
			if err := c.put(t.key, swaps[i].New); err != nil {
				return nil, err
			}
		}
	}
	c.count()
	return done, nil
}

// read takes up all notices as they are stored.
func (c *courier) read(ctx context.Context) error {
	stored := map[string]bool{}
	for n, err := range c.notes.Notes(ctx, c.kind) {
		if err != nil {
			return err
		}
		stored[n.Key] = true
		if err := c.put(n.Key, n.Value); err != nil {
			return err
		}
	}
	for key, t := range c.told {
		if !stored[key] && t.note != nil && !t.busy {
			delete(c.told, key)
		}
	}
	c.count()
	return nil
}

// reload takes up one notice as it is stored.
func (c *courier) reload(ctx context.Context, key string) error {
	note, err := c.notes.Note(ctx, c.kind, key)
	if err != nil {
		return err
	}
	if note == nil {
		if t := c.told[key]; t != nil && t.note != nil {
			delete(c.told, key)
		}
		return nil
	}
	return c.put(key, note)
}

func (c *courier) put(key string, note []byte) error {
	var n notice
	if err := json.Unmarshal(note, &n); err != nil {
		return fmt.Errorf("note %q of %s: %w", key, c.kind, err)
	}
	if t := c.told[key]; t != nil {
		if !bytes.Equal(t.note, note) {
			t.seen = time.Now()
		}
		t.note, t.notice = note, n
		return nil
	}
	c.told[key] = c.take(key, note, n)
	return nil
}

func (c *courier) take(key string, note []byte, n notice) *told {
	return &told{key: key, note: note, seen: time.Now(), notice: n, host: c.host(n.Callback)}
}

// count brings up to date what others ask for.
func (c *courier) count() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Receivers, c.counts.Owed = len(c.told), 0
	clear(c.by)
	for _, t := range c.told {
		c.by[t.host]++
		if t.Failures > 0 && !t.Owed.IsZero() {
			c.counts.Owed++
		}
	}
}

func encodeNotice(n *notice) []byte {
	b, err := json.Marshal(n)
	if err != nil {
		panic("publish: " + err.Error()) // strings, numbers and times
	}
	return b
}
