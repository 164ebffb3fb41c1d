package postgres

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// A clock shows the time by the server's clock, which all processes share: what one stores, another one compares. It runs with this
// machine's, and is compared with the server's by what the server says anyway: with each claim, so in front of the polls, and
// with each new connection, so after a failover. So neither a machine that wakes or has its clock set polls too early, nor
// does a new primary with another clock.
type clock struct {
	log   *slog.Logger
	ahead atomic.Int64 // of this machine's, a Duration
}

// clockStep is how far clocks may be apart and count as the same. No comparison would come to less: what is told was on its way.
const clockStep = 5 * time.Second

func (k *clock) now() time.Time {
	return time.Now().Add(time.Duration(k.ahead.Load())).UTC().Truncate(time.Microsecond)
}

// told takes in a time that the server has told between asked and answered.
func (k *clock) told(theirs, asked, answered time.Time) {
	before := k.ahead.Load()
	ahead := reckon(time.Duration(before), theirs, answered, answered.Sub(asked))
	if int64(ahead) == before || !k.ahead.CompareAndSwap(before, int64(ahead)) {
		return
	}
	if ahead == 0 {
		k.log.Info("this machine's clock is PostgreSQL's again")
	} else {
		k.log.Warn("this machine's clock is not PostgreSQL's; the times of polls are by the latter", "ahead", ahead)
	}
}

// reckon is by how much a clock is ahead of ours that showed a time in an answer that took so long, and was taken to be ahead by before:
// that stays unless the answer disproves it, so that a slow one changes nothing.
func reckon(before time.Duration, theirs, answered time.Time, took time.Duration) time.Duration {
	least := theirs.Sub(answered)
	if most := least + took; before >= least-clockStep && before <= most+clockStep {
		return before
	}
	return (least + took/2).Round(clockStep)
}
