package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"broadsheet/config"
	"broadsheet/fetch"
	"broadsheet/store"
	"broadsheet/store/bolt"
	"broadsheet/store/postgres"
)

// A keeper is what all stores are.
type keeper interface {
	store.Store
	store.Notes
	store.Sizer
}

// openStore opens the store that a configuration names. For a file that another process holds it waits as long as wait.
func openStore(ctx context.Context, cfg *config.Config, wait time.Duration, log *slog.Logger) (keeper, error) {
	if shared(cfg) {
		st, err := postgres.Open(ctx, cfg.Store.URL, postgres.Options{Log: log})
		if err != nil {
			return nil, err
		}
		return st, nil
	}
	st, err := bolt.Open(cfg.Store.Path, bolt.Options{Wait: wait, Log: log})
	if err != nil {
		return nil, err
	}
	return st, nil
}

// shared reports whether several processes may have the store open at once.
func shared(cfg *config.Config) bool { return cfg.Store.Path == "" }

// sameStore reports whether two configurations keep their items in one place.
func sameStore(a, b *config.Config) bool {
	return a.Store.Path == b.Store.Path && (!shared(a) || a.Store.URL == b.Store.URL)
}

// How often a daemon looks whether another process has stored something.
const (
	watchPause  = 400 * time.Millisecond // and as much again, at random, so that many do not look in step
	watchAnswer = 15 * time.Second       // in which the store must have answered
)

// watch wakes the publishing when another process has stored something, and takes note of whether the store can be
// reached.
func (d *daemon) watch(ctx context.Context) error {
	var seen store.Revision
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(watchPause + rand.N(watchPause)):
		}
		asked, cancel := context.WithTimeout(ctx, watchAnswer)
		rev, err := d.store.Revision(asked)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			if d.unreached.Swap(&fetch.ErrUnreached) == nil {
				d.log.Error("the store cannot be reached; what is shown stays", "err", err)
			}
			continue
		case d.unreached.Swap(nil) != nil:
			d.log.Info("the store is reached again")
			d.wake()
		}
		if rev != seen {
			seen = rev
			d.wake()
		}
	}
}
