package main

import (
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"broadsheet/fetch"
)

// logRequests writes a debugging line for each request (-v), with the address of the client as the
// trusted proxies in front tell it.
func logRequests(h http.Handler, log *slog.Logger, trusted []netip.Prefix) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !log.Enabled(r.Context(), slog.LevelDebug) {
			h.ServeHTTP(w, r)
			return
		}
		began, answer := time.Now(), &watchedAnswer{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(answer, r)
		log.Debug("request", "client", clientAddress(r, trusted), "method", r.Method, "path", shownPath(r.URL.Path), "status", answer.status,
			"bytes", answer.bytes, "took", time.Since(began).Round(time.Microsecond), "agent", r.UserAgent())
	})
}

// shownPath is a path without what lets a hub in.
func shownPath(path string) string {
	if before, _, found := strings.Cut(path, fetch.CallbackPath); found {
		return before + fetch.CallbackPath + "…"
	}
	return path
}

// clientAddress is who asked: the peer or, where that is a proxy that we trust, whom the last proxy
// that we do not trust came from.
func clientAddress(r *http.Request, trusted []netip.Prefix) string {
	isTrusted := func(address string) bool {
		a, err := netip.ParseAddr(address)
		return err == nil && slices.ContainsFunc(trusted, func(n netip.Prefix) bool { return n.Contains(a.Unmap()) })
	}
	client := r.RemoteAddr
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		client = peer.Addr().Unmap().String()
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && isTrusted(client); i-- {
		if hop := strings.TrimSpace(hops[i]); hop != "" {
			client = hop
		}
	}
	return client
}

// watchedAnswer remembers what was answered.
type watchedAnswer struct {
	http.ResponseWriter
	status int
	bytes  int
}

func (w *watchedAnswer) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *watchedAnswer) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.bytes += n
	return n, err
}

// Unwrap lets http.ResponseController reach what is beneath.
func (w *watchedAnswer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
