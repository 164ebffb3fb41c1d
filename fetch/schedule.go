package fetch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/robfig/cron/v3"
)

// A Schedule yields due times: the first that lies after a given time.
type Schedule interface {
	Next(after time.Time) time.Time
}

// ParseSchedule reads a cron expression of five fields, a descriptor such as @hourly, or "@every 90m".
// It is read in UTC unless it begins with "CRON_TZ=Europe/Berlin ". In a zone with summer time, times
// in the hour that is skipped do not happen, and those in the hour that comes twice happen twice
// (min_interval bounds it).
func ParseSchedule(spec string) (Schedule, error) {
	s, err := cron.ParseStandard(spec)
	if err != nil {
		return nil, fmt.Errorf("%w; write a cron expression (\"*/30 * * * *\", \"CRON_TZ=Europe/Berlin 0 6 * * *\"), @hourly or \"@every 1h\"", err)
	}
	if s.Next(time.Now().UTC()).IsZero() {
		return nil, errors.New("this never happens within five years; check day and month")
	}
	return inUTC{s}, nil
}

// inUTC is a schedule that asks cron in UTC: it takes the zone of the time that it is given.
type inUTC struct{ s cron.Schedule }

func (u inUTC) Next(after time.Time) time.Time {
	if n := u.s.Next(after.UTC()); !n.IsZero() {
		return n
	}
	return after.Add(10 * 365 * 24 * time.Hour) // cron looks five years ahead: a 29 February may lie behind (2096 to 2104)
}

// Repeat runs job by the cron expression until ctx ends, and waits for a run that is under way. A
// panic in job is logged, a run that is still going when the next is due makes that one fall out.
func Repeat(ctx context.Context, spec string, log *slog.Logger, job func()) error {
	l := cronLog{log}
	// A panic that got as far as SkipIfStillRunning would count as a run that never ends.
	c := cron.New(cron.WithLocation(time.UTC), cron.WithLogger(l), cron.WithChain(cron.SkipIfStillRunning(l), cron.Recover(l)))
	if _, err := c.AddFunc(spec, job); err != nil {
		return err
	}
	c.Start()
	<-ctx.Done()
	<-c.Stop().Done()
	return nil
}

// cronLog lets cron speak through our log. Its info lines tell each wake-up, which nobody needs, and what falls out.
type cronLog struct{ log *slog.Logger }

func (l cronLog) Info(msg string, args ...any) {
	if msg == "skip" {
		l.log.Warn("cron: a run falls out, since the one before still goes on")
		return
	}
	l.log.Debug("cron: "+msg, args...)
}

func (l cronLog) Error(err error, msg string, args ...any) {
	l.log.Error("cron: "+msg, append(args, "err", err)...)
}
