package fetch

import (
	"io"
	"sync"
	"time"
)

// How long a server may take for how much of a body (PROTOCOL F47).
const (
	stallTimeout = 10 * time.Second // for each stallBytes
	stallBytes   = 1 << 10
)

// A watched body is closed when it makes no progress.
type watched struct {
	io.ReadCloser
	timer *time.Timer
	bytes int64
	since int // of these, since the timer was set
	fired chan struct{}
}

func watch(r io.ReadCloser) *watched {
	w := &watched{ReadCloser: r, fired: make(chan struct{})}
	w.timer = time.AfterFunc(stallTimeout, sync.OnceFunc(func() { // goOn may set it anew when it has fired
		close(w.fired)
		r.Close() // unblocks Read
	}))
	return w
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	w.bytes += int64(n)
	if w.since += n; w.since >= stallBytes && w.timer.Stop() {
		w.since = 0
		w.timer.Reset(stallTimeout)
	}
	return n, err
}

// stop ends the watch, and goOn begins it anew: what lies between is not the server's fault.
func (w *watched) stop() { w.timer.Stop() }

func (w *watched) goOn() {
	w.since = 0
	w.timer.Reset(stallTimeout)
}

func (w *watched) stalled() bool {
	select {
	case <-w.fired:
		return true
	default:
		return false
	}
}
