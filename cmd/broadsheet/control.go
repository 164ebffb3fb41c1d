package main

import (
	"cmp"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"broadsheet/config"
	"broadsheet/fetch"
	"broadsheet/publish"
	"broadsheet/store"
)

// The control socket: HTTP over a unix socket that only its owner can open. The daemon works by its
// own configuration; a client says by what digest of the configuration it came to ask.
const digestHeader = "Broadsheet-Configuration"

// socketPath is where the daemon of a configuration listens for commands: beside the store, or in
// the runtime directory where that path would be too long, or the store is no file.
func socketPath(cfg *config.Config) (string, error) {
	path := cfg.Server.Control
	if path == "" && !shared(cfg) {
		path = strings.TrimSuffix(cfg.Store.Path, filepath.Ext(cfg.Store.Path)) + ".sock"
	}
	if path != "" && len(path) <= config.MaxSocket {
		return path, nil
	}
	dir, err := runtimeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, fmt.Sprintf("broadsheet-%s.sock", shortHash(cmp.Or(path, cfg.Store.Shown)))), nil
}

// runtimeDir is a folder that is ours alone.
func runtimeDir() (string, error) {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return dir, nil
	}
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("broadsheet-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm() != 0o700 || !ok || int(owner.Uid) != os.Getuid() {
		return "", fmt.Errorf("%s is not a folder of ours alone; remove it, or set XDG_RUNTIME_DIR", dir)
	}
	return dir, nil
}

// errControlled says that another process answers at the socket.
var errControlled = errors.New("another process has the control socket")

// listenControl opens the socket. A store that is held proves that a socket that lies there is left over from a process
// that died; of processes that share one, the first has it, as a lock beside it proves.
func listenControl(path string, shared bool) (_ net.Listener, err error) {
	var lock *os.File
	if shared {
		if lock, err = os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600); err != nil {
			return nil, fmt.Errorf("control socket: %w; set server.control to a path that can be written", err)
		}
		defer func() {
			if err != nil {
				lock.Close()
			}
		}()
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			return nil, errControlled
		}
	}
	if err := removeSocket(path); err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	before := syscall.Umask(0o177) // 0600 from the first moment on
	l, err := net.Listen("unix", path)
	syscall.Umask(before)
	if err != nil {
		return nil, fmt.Errorf("control socket %s: %w; set server.control to a path that can be written", path, err)
	}
	if lock != nil {
		return &lockedListener{l, lock}, nil
	}
	return l, nil
}

// A lockedListener gives its lock back when it is closed.
type lockedListener struct {
	net.Listener
	lock *os.File
}

func (l *lockedListener) Close() error { return errors.Join(l.Listener.Close(), l.lock.Close()) }

// A message is a line of the answer to /once: progress, and at the end a summary or an error.
type message struct {
	Progress *fetch.Progress `json:"progress,omitempty"`
	Summary  *fetch.Summary  `json:"summary,omitempty"`
	Err      string          `json:"err,omitempty"`
}

// rendered is an edition on its way to a client, which writes it where it stands.
type rendered struct {
	Revision  store.Revision
	Digest    string
	Documents []*publish.Document
}

// control answers the commands of other processes.
func (d *daemon) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, r *http.Request) {
		if err := cmp.Or(d.alive(), d.ready()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	mux.HandleFunc("POST /once", d.agreed(d.controlOnce))
	mux.HandleFunc("GET /outlets", d.agreed(func(w http.ResponseWriter, r *http.Request) {
		rows, err := d.parts().rows(r.Context())
		answerJSON(w, d.log, rows, err)
	}))
	mux.HandleFunc("GET /explain", d.agreed(func(w http.ResponseWriter, r *http.Request) {
		all, err := explain(r.Context(), d.store, d.parts().publisher, r.FormValue("item"))
		answerJSON(w, d.log, all, err)
	}))
	mux.HandleFunc("POST /preview", func(w http.ResponseWriter, r *http.Request) { // of any configuration
		var want previewing
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<20)).Decode(&want); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		out, err := d.preview(r.Context(), want)
		answerJSON(w, d.log, out, err)
	})
	mux.HandleFunc("POST /revive", d.agreed(func(w http.ResponseWriter, r *http.Request) {
		feeds, err := d.scheduler.Revive(r.FormValue("outlet"))
		answerJSON(w, d.log, feeds, err)
	}))
	mux.HandleFunc("GET /documents", d.agreed(func(w http.ResponseWriter, r *http.Request) {
		e, err := d.parts().publisher.Edition(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if err := gob.NewEncoder(w).Encode(rendered{e.Revision, e.Digest, slices.Collect(e.Documents())}); err != nil {
			d.log.Warn("control: documents not sent", "err", err)
		}
	}))
	mux.HandleFunc("POST /archives", d.agreed(d.controlArchives))
	mux.HandleFunc("GET /note", d.agreed(func(w http.ResponseWriter, r *http.Request) {
		note, err := d.store.Note(r.Context(), r.FormValue("kind"), r.FormValue("key"))
		answerJSON(w, d.log, note, err)
	}))
	mux.HandleFunc("POST /note", d.agreed(func(w http.ResponseWriter, r *http.Request) {
		note, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<20))
		if err == nil {
			err = d.store.SetNote(r.Context(), r.URL.Query().Get("kind"), r.URL.Query().Get("key"), note)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	mux.HandleFunc("GET /notes", d.agreed(func(w http.ResponseWriter, r *http.Request) {
		notes := []store.Note{}
		for n, err := range d.store.Notes(r.Context(), r.FormValue("kind")) {
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			notes = append(notes, n)
		}
		answerJSON(w, d.log, notes, nil)
	}))
	mux.HandleFunc("POST /swap", d.agreed(func(w http.ResponseWriter, r *http.Request) {
		var swaps []store.Swap
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 16<<20)).Decode(&swaps); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		done, err := d.store.SwapNotes(r.Context(), r.URL.Query().Get("kind"), swaps...)
		answerJSON(w, d.log, done, err)
	}))
	mux.HandleFunc("GET /backup", d.agreed(func(w http.ResponseWriter, r *http.Request) {
		b, ok := d.store.(store.Backuper)
		if !ok {
			http.Error(w, errNoBackup.Error(), http.StatusNotImplemented)
			return
		}
		if err := b.Backup(r.Context(), w); err != nil {
			d.log.Warn("control: backup not sent", "err", err)
			panic(http.ErrAbortHandler) // the client must see a broken answer, not a short file
		}
	}))
	return mux
}

// agreed refuses clients that come with another configuration than the daemon's.
func (d *daemon) agreed(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(digestHeader) != d.parts().config.Digest {
			http.Error(w, "the configuration file differs from the one that the running daemon works by; reload it (SIGHUP) or restart it", http.StatusConflict)
			return
		}
		h(w, r)
	}
}

func (d *daemon) controlOnce(w http.ResponseWriter, r *http.Request) {
	var want fetch.Request
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&want); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	lines := make(chan message, 1024)
	go func() { // ends with lines
		defer close(lines)
		sum, err := d.scheduler.Once(r.Context(), want, func(p fetch.Progress) {
			select {
			case lines <- message{Progress: &p}:
			default: // a client that does not read misses steps, not the end
			}
		})
		if err != nil {
			lines <- message{Err: err.Error()}
			return
		}
		lines <- message{Summary: &sum}
	}()
	out := json.NewEncoder(w)
	for m := range lines {
		out.Encode(m) // a client that went away ends r.Context, and with it lines
		http.NewResponseController(w).Flush()
	}
}

// controlArchives sends the archives that a client has not written yet as they are now, each as soon as it is rendered.
func (d *daemon) controlArchives(w http.ResponseWriter, r *http.Request) {
	var have publish.Bound
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<20)).Decode(&have); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	now, stale, err := d.parts().publisher.Archives(r.Context(), have)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	out := gob.NewEncoder(w)
	err = out.Encode(now)
	for a, failed := range stale {
		if err = errors.Join(err, failed); err == nil {
			err = out.Encode(a)
		}
		if err != nil {
			break
		}
	}
	if err != nil {
		d.log.Warn("control: archives not sent", "err", err)
		panic(http.ErrAbortHandler) // the client must see a broken answer, not a short one
	}
}

func answerJSON(w http.ResponseWriter, log *slog.Logger, v any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if err := json.NewEncoder(w).Encode(v); err != nil {
		log.Warn("control: answer not sent", "err", err)
	}
}

// serveControl answers on l until ctx ends.
func (d *daemon) serveControl(ctx context.Context, l net.Listener) error {
	s := &http.Server{Handler: d.control(), ReadHeaderTimeout: 5 * time.Second}
	return serveUntil(ctx, s, l)
}

// serveUntil serves on l until ctx ends, and then gives answers under way five seconds.
func serveUntil(ctx context.Context, s *http.Server, l net.Listener) error {
	stopped := make(chan struct{})
	defer context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if s.Shutdown(grace) != nil {
			s.Close()
		}
	})()
	err := s.Serve(l)
	if ctx.Err() != nil {
		<-stopped
		return nil
	}
	return err
}
