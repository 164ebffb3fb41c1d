package main

import (
	"context"
	"fmt"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
)

// What a daemon tells whoever looks after it: systemd, where that has started it with Type=notify or notify-reload
// (sd_notify(3)), and /healthz.

// tell tells systemd a state; where there is none that wants to know, nobody.
func (d *daemon) tell(state string) {
	if _, err := systemd.SdNotify(false, state); err != nil {
		d.log.Warn("systemd not told how we are", "err", err)
	}
}

func (d *daemon) tellReady()    { d.tell(systemd.SdNotifyReady) }
func (d *daemon) tellStopping() { d.tell(systemd.SdNotifyStopping) }

// tellReloading tells systemd that a reload begins; tellReady, that it has ended.
func (d *daemon) tellReloading() {
	d.tell(systemd.SdNotifyReloading + "\n" + systemd.SdNotifyMonotonicUsec())
}

const (
	pulseEvery = 10 * time.Second
	standstill = 2 * time.Minute // without a turn of the scheduler (PROTOCOL R25)
)

// pulse feels, until ctx ends, whether the scheduler takes its turns, and tells systemd's watchdog.
func (d *daemon) pulse(ctx context.Context) error {
	every := pulseEvery
	limit, err := systemd.SdWatchdogEnabled(false)
	if err != nil {
		return fmt.Errorf("systemd's watchdog: %w", err)
	}
	if limit > 0 {
		every = min(every, limit/2) // as sd_watchdog_enabled(3) has it
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		d.scheduler.Load() // which the scheduler answers in a turn of its own
		now := time.Now()
		d.felt.Store(&now)
		if limit > 0 {
			d.tell(systemd.SdNotifyWatchdog)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// alive says that the scheduler stands still, if it does.
func (d *daemon) alive() error {
	if since := time.Since(*d.felt.Load()); since > standstill {
		return fmt.Errorf("polling has stood still for %s; restart the daemon", since.Round(time.Second))
	}
	return nil
}
