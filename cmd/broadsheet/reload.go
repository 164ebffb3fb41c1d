package main

import (
	"context"
	"errors"

	"broadsheet/publish"
)

// reload takes up the configuration anew: all of it or, on any error, none of it. It breaks off when ctx ends, which a store that does
// not answer must not hold up.
func (d *daemon) reload(ctx context.Context, load func() (*plan, error)) {
	d.tellReloading()
	defer d.tellReady()
	now := d.parts()
	pl, err := load()
	if err == nil {
		if d.pushed == nil {
			pl.unpushed()
		}
		err = sameProcess(now.plan, pl)
	}
	var next *parts
	if err == nil {
		next, err = d.newParts(pl)
	}
	show := func() error { // before it is served: a reader never meets an empty house
		e, err := next.publisher.Edition(ctx)
		if err == nil {
			e.Pack()
			next.documents.Show(e)
		}
		return err
	}
	if err == nil {
		err = show()
	}
	if err == nil {
		err = d.scheduler.Reload(pl.settings, pl.feeds, pl.renames...)
	}
	if err != nil {
		d.metrics.reload(false)
		d.log.Error("configuration not reloaded; the one before stays in force", "err", err)
		return
	}
	if err := publish.Remember(ctx, d.store, pl.publication); err != nil {
		d.log.Error("what the configuration withdraws and names is not remembered yet", "err", err)
	}
	if len(pl.renames) > 0 {
		if err := show(); err != nil {
			d.log.Error("not published under new names yet", "err", err)
		}
	}
	d.work.Store(next)
	close(now.replaced)
	if d.pushed != nil {
		d.pushed.SetBase(pl.config.BaseURL)
	}
	d.wake()
	for _, w := range pl.config.Warnings {
		d.log.Warn("configuration: " + w)
	}
	d.metrics.reload(true)
	d.log.Info("configuration reloaded", "outlets", len(pl.config.Outlets), "sections", len(pl.config.Sections))
}

// sameProcess refuses what only a new process can take up.
func sameProcess(old, new *plan) error {
	a, b := old.config, new.config
	switch {
	case !sameStore(a, b):
		return errors.New("store.url has changed; restart the daemon")
	case a.Server.Listen != b.Server.Listen, a.Server.Admin != b.Server.Admin, a.Server.Control != b.Server.Control:
		return errors.New("an address in [server] has changed; restart the daemon")
	}
	return nil
}
