package main

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"broadsheet/config"
	"broadsheet/fetch"
	"broadsheet/publish"
	"broadsheet/store"
)

// holdWait is how long a command waits for a store that another process holds.
const holdWait = 10 * time.Second

// A remote is a running daemon, as its control socket shows it.
type remote struct {
	client *http.Client
	digest string
}

// refusedError says that the daemon works by another configuration.
type refusedError struct{ text string }

func (e *refusedError) Error() string { return e.text }

// errStopped says that a daemon did not finish what it was asked for.
var errStopped = errors.New("the running daemon stopped before it was done")

// dial finds the daemon of a configuration; nil if none answers.
func dial(ctx context.Context, cfg *config.Config) (*remote, error) {
	path, err := socketPath(cfg)
	if err != nil {
		return nil, err
	}
	r := &remote{digest: cfg.Digest, client: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", path)
		},
	}}}
	hello, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	body, err := r.do(hello, http.MethodGet, "/health", nil)
	if err != nil {
		return nil, nil
	}
	body.Close()
	return r, nil
}

// reach opens the store of a configuration or, where a daemon holds it, finds the daemon: one of the
// two is not nil. It waits holdWait for another one-shot to end. A store that processes share is opened beside whatever
// daemons there are.
func reach(ctx context.Context, cfg *config.Config, log *slog.Logger) (keeper, *remote, error) {
	if shared(cfg) {
		st, err := openStore(ctx, cfg, 0, log)
		return st, nil, err
	}
	for end := time.Now().Add(holdWait); ; {
		r, err := dial(ctx, cfg)
		if r != nil || err != nil {
			return nil, r, err
		}
		st, err := openStore(ctx, cfg, min(500*time.Millisecond, max(time.Until(end), 0)), log)
		if !errors.Is(err, store.ErrHeld) || !time.Now().Before(end) || ctx.Err() != nil {
			return st, nil, err
		}
	}
}

// reach is reach for what looks at the store's feeds or items: it is prepared first. A daemon
// has done so itself.
func (pl *plan) reach(ctx context.Context, log *slog.Logger) (keeper, *remote, error) {
	st, r, err := reach(ctx, pl.config, log)
	if st == nil || err != nil {
		return st, r, err
	}
	pl.unpushed()
	if err := pl.prepare(ctx, st, log); err != nil {
		return nil, nil, errors.Join(err, st.Close())
	}
	return st, nil, nil
}

// prepare brings a store up to what the configuration and the program want of it.
func (pl *plan) prepare(ctx context.Context, st keeper, log *slog.Logger) error {
	if err := fetch.Rename(ctx, st, log, pl.renames...); err != nil {
		return err
	}
	return fetch.Resanitise(ctx, st, log)
}

// do asks the daemon; the caller closes the body.
func (r *remote) do(ctx context.Context, method, path string, body io.Reader) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://daemon"+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set(digestHeader, r.digest)
	resp, err := r.client.Do(req)
	if err != nil { // it was there a moment ago
		return nil, fmt.Errorf("%w: %w", errStopped, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err != nil {
		return nil, fmt.Errorf("ask the running daemon: %w", err)
	}
	if resp.StatusCode == http.StatusConflict {
		return nil, &refusedError{strings.TrimSpace(string(text))}
	}
	return nil, fmt.Errorf("the running daemon answers: %s", strings.TrimSpace(string(text)))
}

func (r *remote) once(ctx context.Context, want fetch.Request, progress func(fetch.Progress)) (fetch.Summary, error) {
	b, err := json.Marshal(want)
	if err != nil {
		return fetch.Summary{}, err
	}
	body, err := r.do(ctx, http.MethodPost, "/once", bytes.NewReader(b))
	if err != nil {
		return fetch.Summary{}, err
	}
	defer body.Close()
	for in := json.NewDecoder(body); ; {
		var m message
		switch err := in.Decode(&m); {
		case err != nil:
			return fetch.Summary{}, fmt.Errorf("%w: %w", errStopped, err)
		case m.Err != "":
			return fetch.Summary{}, fmt.Errorf("%w: %s", errStopped, m.Err)
		case m.Progress != nil:
			progress(*m.Progress)
		case m.Summary != nil:
			return *m.Summary, nil
		}
	}
}

// revive asks to poll ended feeds of an outlet again; it returns their addresses.
func (r *remote) revive(ctx context.Context, outlet string) (feeds []string, err error) {
	body, err := r.do(ctx, http.MethodPost, "/revive?"+url.Values{"outlet": {outlet}}.Encode(), nil)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return feeds, json.NewDecoder(body).Decode(&feeds)
}

func (r *remote) rows(ctx context.Context) (rows []publish.Row, err error) {
	body, err := r.do(ctx, http.MethodGet, "/outlets", nil)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return rows, json.NewDecoder(body).Decode(&rows)
}

// explain asks about the items that are called name.
func (r *remote) explain(ctx context.Context, name string) (all []explained, err error) {
	body, err := r.do(ctx, http.MethodGet, "/explain?"+url.Values{"item": {name}}.Encode(), nil)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return all, json.NewDecoder(body).Decode(&all)
}

// preview asks what a section would show under another configuration.
func (r *remote) preview(ctx context.Context, want previewing) (out publish.Preview, err error) {
	b, err := json.Marshal(want)
	if err != nil {
		return out, err
	}
	body, err := r.do(ctx, http.MethodPost, "/preview", bytes.NewReader(b))
	if err != nil {
		return out, err
	}
	defer body.Close()
	return out, json.NewDecoder(body).Decode(&out)
}

// unread says why an answer could not be read to its end.
func unread(err error) error {
	var cut *net.OpError
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &cut) {
		return fmt.Errorf("%w: %w", errStopped, err)
	}
	return fmt.Errorf("ask the running daemon: %w", err)
}

func (r *remote) edition(ctx context.Context) (*publish.Edition, error) {
	body, err := r.do(ctx, http.MethodGet, "/documents", nil)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var e rendered
	if err := gob.NewDecoder(body).Decode(&e); err != nil {
		return nil, unread(err)
	}
	return publish.NewEdition(e.Revision, e.Digest, e.Documents), nil
}

// The daemon renders archives, one after the other; its clients write them.
var _ publish.Archivist = (*remote)(nil)

func (r *remote) Archives(ctx context.Context, have publish.Bound) (now publish.Bound, stale iter.Seq2[publish.Archive, error], err error) {
	asked, err := json.Marshal(have)
	if err != nil {
		return now, nil, err
	}
	body, err := r.do(ctx, http.MethodPost, "/archives", bytes.NewReader(asked))
	if err != nil {
		return now, nil, err
	}
	answer := gob.NewDecoder(body)
	if err := answer.Decode(&now); err != nil {
		return now, nil, errors.Join(unread(err), body.Close())
	}
	return now, func(yield func(publish.Archive, error) bool) {
		defer body.Close()
		for {
			var a publish.Archive
			err := answer.Decode(&a)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				err = unread(err)
			}
			if !yield(a, err) || err != nil {
				return
			}
		}
	}, nil
}

// The daemon keeps its clients' notes, as the store does where there is no daemon.
var _ store.Notes = (*remote)(nil)

func notePath(kind, key string) string {
	return "/note?" + url.Values{"kind": {kind}, "key": {key}}.Encode()
}

func (r *remote) Note(ctx context.Context, kind, key string) (note []byte, err error) {
	body, err := r.do(ctx, http.MethodGet, notePath(kind, key), nil)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return note, json.NewDecoder(body).Decode(&note)
}

func (r *remote) SetNote(ctx context.Context, kind, key string, value []byte) error {
	body, err := r.do(ctx, http.MethodPost, notePath(kind, key), bytes.NewReader(value))
	if err != nil {
		return err
	}
	return body.Close()
}

func (r *remote) Notes(ctx context.Context, kind string) iter.Seq2[store.Note, error] {
	return func(yield func(store.Note, error) bool) {
		body, err := r.do(ctx, http.MethodGet, "/notes?"+url.Values{"kind": {kind}}.Encode(), nil)
		var notes []store.Note
		if err == nil {
			err = errors.Join(json.NewDecoder(body).Decode(&notes), body.Close())
		}
		if err != nil {
			yield(store.Note{}, err)
			return
		}
		for _, n := range notes {
			if !yield(n, nil) {
				return
			}
		}
	}
}

func (r *remote) SwapNotes(ctx context.Context, kind string, swaps ...store.Swap) (done []bool, err error) {
	b, err := json.Marshal(swaps)
	if err != nil {
		return nil, err
	}
	body, err := r.do(ctx, http.MethodPost, "/swap?"+url.Values{"kind": {kind}}.Encode(), bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return done, json.NewDecoder(body).Decode(&done)
}

func (r *remote) backup(ctx context.Context, w io.Writer) error {
	body, err := r.do(ctx, http.MethodGet, "/backup", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(w, body)
	return err
}
