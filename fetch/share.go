package fetch

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"broadsheet/store"
)

// shareKey tells which feeds ask for the same, and may see each other's answers: the same address with the
// same credentials, by the same policy. It holds secrets and never leaves the process.
func (f *Feed) shareKey() string {
	return fmt.Sprintf("%q %q %q %q %v %v", f.Address, f.Headers, f.Username, f.Password, f.AllowPrivate, f.InsecureTLS)
}

// sharers are the feeds that an answer to j serves as well: the same address, configured in other outlets
// (PROTOCOL F22).
func (s *Scheduler) sharers(j *job) []*job {
	all := s.shared[j.share]
	others := make([]*job, 0, max(len(all)-1, 0))
	for _, o := range all {
		if o != j && o.feed.Enabled && o.host == j.host {
			others = append(others, o)
		}
	}
	return others
}

// share lets d wait as long as the address of another feed must not be asked, which is the same.
func (d *Due) share(f *Feed, s *Settings, st *store.FeedState, now time.Time, running bool) {
	if d.Never {
		return
	}
	hard := Next(f, s, st).Forced
	if running && hard.Before(now.Add(time.Minute)) {
		hard = now.Add(time.Minute) // reckoned anew when that poll has ended
	}
	if hard.After(d.At) {
		d.At, d.Reason = hard, "the same address was polled for "+f.Outlet
	}
	if hard.After(d.Early) {
		d.Early = hard
	}
	if hard.After(d.Forced) {
		d.Forced = hard
	}
}

// A turn is a feed with its state, as they stood when its poll began.
type turn struct {
	feed  Feed
	state store.FeedState
}

func turnsOf(jobs []*job) []turn {
	turns := make([]turn, len(jobs))
	for i, j := range jobs {
		turns[i] = turn{j.feed, j.state}
	}
	return turns
}

// A getter asks for a feed as Client.get does.
type getter func(ctx context.Context, f *Feed, from string, v store.Validators) (*answer, error)

// once returns a getter that makes one request for all turns and gives each of them the answer. It is
// conditional only if all know the same document: a 304 would tell the others nothing.
func (c *Client) once(turns []turn, way guide) getter {
	if len(turns) == 1 {
		return func(ctx context.Context, f *Feed, from string, v store.Validators) (*answer, error) {
			return c.get(ctx, f, from, v, way)
		}
	}
	conditional := true
	for _, v := range turns[1:] {
		conditional = conditional && sameDocument(&v.state, &turns[0].state)
	}
	type gotten struct {
		answer *answer
		err    error
	}
	asked := map[string]gotten{} // by what was asked for: a feed that has moved may ask twice
	return func(ctx context.Context, f *Feed, from string, v store.Validators) (*answer, error) {
		if !conditional {
			v = store.Validators{}
		}
		what := fmt.Sprintf("%s %s %q %q", from, v.For, v.ETag, v.LastModified)
		g, known := asked[what]
		if !known {
			g.answer, g.err = c.get(ctx, f, from, v, way)
			asked[what] = g
		}
		return g.answer, g.err
	}
}

func sameDocument(a, b *store.FeedState) bool {
	v, w := &a.Validators, &b.Validators
	return v.For == w.For && bytes.Equal(v.ETag, w.ETag) && bytes.Equal(v.LastModified, w.LastModified) &&
		a.Document == b.Document && a.Unsound == b.Unsound
}
