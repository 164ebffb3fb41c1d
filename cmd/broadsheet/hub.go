package main

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"broadsheet/fetch"
	"broadsheet/publish"
	"broadsheet/store"
)

// An announcer tells others of what is published: our own hub its subscribers, pings somebody else's hub.
type announcer interface {
	Announce(*publish.Edition)
	Run(context.Context) error
	Counts() publish.Counts
}

// builtin is publish.hub for a hub of our own.
const builtin = "builtin"

// hubAddress is the hub that feeds name; "" if there is none.
func hubAddress(hub, baseURL string) string {
	if hub == builtin {
		return baseURL + publish.HubPath
	}
	return cmp.Or(publish.Address(hub), hub)
}

// hubOptions let the parts of publish that speak to others do so by the one client, whose guard is fetch's. named is the port
// of an address that the operator wrote, which may be asked like 80 and 443.
func (pl *plan) hubOptions(notes store.Notes, client *fetch.Client, named string, log *slog.Logger) publish.HubOptions {
	port := ""
	if u, err := url.Parse(named); err == nil {
		port = u.Port()
	}
	return publish.HubOptions{
		BaseURL: pl.config.BaseURL, Notes: notes, Host: fetch.HostName, Gap: pl.config.Fetch.HostGap, Log: log,
		Do: func(req *http.Request) (*http.Response, error) {
			return client.Visit(req, pl.config.Fetch.AllowPrivate, port)
		},
	}
}

// announcing makes what tells others, if the configuration wants that, and the handler of our own hub, if it is that.
func (d *daemon) announcing(pl *plan, client *fetch.Client) (announcer, http.Handler) {
	switch hub := pl.config.Publish.Hub; {
	case hub == builtin && d.serve:
		h := publish.NewHub(pl.hubOptions(d.store, client, pl.config.BaseURL, d.log))
		return h, h
	case hub != "" && hub != builtin:
		return publish.NewPings(hub, pl.hubOptions(d.store, client, hub, d.log)), nil
	}
	return nil, nil
}

// announcements run for the parts that are in force, and after a reload for those that replaced them.
func (d *daemon) announcements(ctx context.Context) error {
	for ctx.Err() == nil {
		p := d.parts()
		work, stop := context.WithCancel(ctx)
		go func() { // ended by stop
			select {
			case <-p.replaced:
				stop()
			case <-work.Done():
			}
		}()
		if p.announcer == nil {
			<-work.Done()
		} else if err := p.announcer.Run(work); err != nil {
			stop()
			return err
		}
		stop()
		p.client.Close()
	}
	return nil
}

// pingTime is how long a one-shot tries to reach a hub.
const pingTime = 30 * time.Second

// ping tells an outside hub what a one-shot has written. Our own needs the daemon, which tells it when it runs next.
func (pl *plan) ping(ctx context.Context, notes store.Notes, written *publish.Edition, log *slog.Logger) error {
	hub := pl.config.Publish.Hub
	if hub == "" || hub == builtin {
		return nil
	}
	client := fetch.NewClient(pl.settings, nil)
	defer client.Close()
	pings := publish.NewPings(hub, pl.hubOptions(notes, client, hub, log))
	pings.Announce(written)
	ctx, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	return pings.Once(ctx)
}

// unpushed takes from the feeds that hubs may push: nobody listens where there is no daemon that polls and serves.
func (pl *plan) unpushed() *plan {
	for i := range pl.feeds {
		pl.feeds[i].WebSub = false
	}
	return pl
}
