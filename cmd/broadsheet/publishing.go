package main

import (
	"context"
	"errors"
	"time"

	"broadsheet/publish"
	"broadsheet/store"
)

// wake says that there may be something new to publish.
func (d *daemon) wake() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// Bounds of publishing.
const (
	publishShare = 5               // of all time, one part is spent with it at most
	publishAhead = time.Second     // but for what comes after a rest: so much may be owed
	publishRest  = 2 * time.Second // at most
)

var errUnpublished = errors.New("what is new cannot be published; the log says why")

// publishing brings what is served and written up to date after each change, at once after a rest. In a flood of commits it
// rests four times as long as the work takes, so that it costs a fifth of one core at most.
func (d *daemon) publishing(ctx context.Context) error {
	var paid time.Time // until when the share of all work so far reaches
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.changed:
		case <-time.After(time.Minute): // another process may have withdrawn something
		}
		began := time.Now()
		err := d.publish(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			d.log.Error("not published; what was published before stays", "err", err)
			d.unpublished.Store(&errUnpublished)
		case d.unpublished.Swap(nil) != nil:
			d.log.Info("published again")
		}
		d.first.Do(d.tellReady)
		if paid.Before(began) {
			paid = began
		}
		paid = paid.Add(publishShare * time.Since(began))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(min(time.Until(paid)-publishAhead, publishRest)):
		}
		if errors.Is(err, store.ErrAway) {
			d.wake()
		}
	}
}

func (d *daemon) publish(ctx context.Context) error {
	p := d.parts()
	dir := p.config.Publish.Dir
	if !d.serve && dir == "" {
		return nil
	}
	if d.serve {
		e, err := p.publisher.Edition(ctx)
		if err != nil {
			return err
		}
		p.documents.Show(e)
		if p.announcer != nil {
			p.announcer.Announce(e)
		}
		e.Pack()
	}
	if dir == "" {
		return nil
	}
	if _, err := p.publisher.Write(ctx, dir, d.store); err != nil {
		return err
	}
	if !d.serve && p.announcer != nil {
		p.announcer.Announce(p.publisher.Rendered())
	}
	select {
	case d.written <- struct{}{}:
	default:
	}
	return nil
}

// archiving writes archives after sections were written, so that sections never wait for them.
func (d *daemon) archiving(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.written:
		}
		p := d.parts()
		dir := p.config.Publish.Dir
		if dir == "" { // a reload came between
			continue
		}
		if _, err := publish.WriteArchives(ctx, dir, d.store, p.publisher); err != nil && ctx.Err() == nil {
			d.log.Error("archives not written; what was written before stays", "err", err)
		}
	}
}
