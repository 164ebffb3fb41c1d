package fetch

import "context"

// A document that is read, parsed and not yet saved takes some seven times its length. So that feeds at fetch.max_bytes cannot take
// that times fetch.concurrency (PROTOCOL R24), few long ones are in hand at a time; the others wait, and their time with them.
const (
	longDocument = 1 << 20 // bytes, on the wire or decoded; all but a few are shorter
	longRead     = 2       // long documents in hand
	longParsed   = 1       // of them, those that are read to their end
)

// A hand is what holds long documents.
type hand struct{ read, parsed chan struct{} }

func newHand() hand {
	return hand{make(chan struct{}, longRead), make(chan struct{}, longParsed)}
}

// A seat is what a poll takes up of the hand, from when it needs it until it leaves.
type seat struct {
	hand          hand
	reads, parses bool
}

// long returns when there is room for a long document.
func (s *seat) long(ctx context.Context) error { return take(ctx, s.hand.read, &s.reads) }

// whole returns when a document that was read to its end may be parsed.
func (s *seat) whole(ctx context.Context) error { return take(ctx, s.hand.parsed, &s.parses) }

// leave gives back what was taken.
func (s *seat) leave() {
	give(s.hand.parsed, &s.parses)
	give(s.hand.read, &s.reads)
}

func take(ctx context.Context, c chan struct{}, taken *bool) error {
	if *taken {
		return nil
	}
	select {
	case c <- struct{}{}:
		*taken = true
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func give(c chan struct{}, taken *bool) {
	if *taken {
		*taken = false
		<-c
	}
}

// willing is for those whose long documents nobody counts.
func willing() error { return nil }
