package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"
)

const (
	pruneBatch = 500 // items that one transaction deletes

	// A clock that stands a year ahead for an hour must not delete everything (PROTOCOL R21): it is believed when it has
	// shown for so long a time that goes on from the one before.
	pruneTrust = 24 * time.Hour
	pruneGap   = 7 * 24 * time.Hour // at least, that may lie between two looks at it
	pruneApart = time.Hour          // by which the clocks of processes that share a store may differ
)

// The note under this kind is a pruneClock.
const pruneKind = "prune"

// A pruneClock is what the clock showed when we looked at it to prune.
type pruneClock struct {
	Since time.Time `json:"since"` // from when on without a leap
	Last  time.Time `json:"last"`
}

// look takes in what the clock shows now, and reports whether what is past retention may be deleted by it.
func (c *pruneClock) look(now time.Time, retention time.Duration) bool {
	if gap := now.Sub(c.Last); gap < -pruneApart || gap > max(pruneGap, retention/2) {
		c.Since = now
	}
	c.Last = now
	return now.Sub(c.Since) >= min(pruneTrust, retention)
}

// prune deletes what is past retention.
func (pl *plan) prune(ctx context.Context, st keeper, log *slog.Logger) error {
	retention := pl.config.Store.Retention
	if retention == 0 {
		return nil
	}
	var clock pruneClock
	note, err := st.Note(ctx, pruneKind, "")
	if err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	if note != nil {
		if err := json.Unmarshal(note, &clock); err != nil {
			return fmt.Errorf("prune: %w", err)
		}
	}
	now := time.Now().UTC()
	believed := clock.look(now, retention)
	if note, err = json.Marshal(clock); err == nil {
		err = st.SetNote(ctx, pruneKind, "", note)
	}
	if err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	if !believed {
		log.Debug("nothing deleted yet: the clock has to go on for a while first", "since", clock.Since)
		return nil
	}
	for ctx.Err() == nil {
		n, err := st.Prune(ctx, now.Add(-retention), pruneBatch)
		if err != nil {
			return fmt.Errorf("prune: %w", err)
		}
		if n < pruneBatch {
			break
		}
	}
	return nil
}
