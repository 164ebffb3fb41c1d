package publish

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// Pings tell a WebSub hub of others which of our feeds have changed: each address once per change, after its new bytes are
// there to be fetched.
type Pings struct {
	*courier
	o   HubOptions
	hub string
}

// NewPings makes the pings to a hub.
func NewPings(hub string, o HubOptions) *Pings {
	o.BaseURL = strings.TrimRight(o.BaseURL, "/")
	p := &Pings{courier: newCourier("ping "+hub, o.Notes, func(string) string { return hub }, o.Log), o: o, hub: hub}
	p.blind = true
	p.topic = func(d *Document) string { return o.BaseURL + "/" + d.Path }
	p.tell = p.ping
	return p
}

// Run pings until ctx ends.
func (p *Pings) Run(ctx context.Context) error { return p.run(ctx, false) }

// Once pings what is owed now and returns; what fails stays owed to the next run.
func (p *Pings) Once(ctx context.Context) error { return p.run(ctx, true) }

// ping says that a topic has changed, as the hubs of the world have understood it since PubSubHubbub.
func (p *Pings) ping(ctx context.Context, n *notice, _ *Document) error {
	form := url.Values{"hub.mode": {"publish"}, "hub.url": {n.Topic}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.hub, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	err = p.o.send(req)
	if errors.Is(err, errGone) { // the hub, not the topic
		err = errors.New("the hub answers 410 Gone; name another one in publish.hub")
	}
	return err
}
