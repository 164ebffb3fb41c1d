package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"broadsheet/store"
	"broadsheet/store/bolt"
	"broadsheet/store/postgres"
)

func (p *program) copyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "copy FROM_URL TO_URL",
		Short: "Move a store between a file and a database",
		Long: `Copies everything that the store at FROM_URL keeps into an empty one at TO_URL, reads both back and compares them. URLs are those
of store.url: bolt:PATH or postgres://USER@HOST/DATABASE (the password from $PGPASSWORD or ~/.pgpass, so that it does not show in
the list of processes). What is published from the copy has the same ids and the same bytes. No other process may write into either
store meanwhile. A copy that broke off goes on when the same command is given again; until it is finished no other command opens
its store. FROM_URL stays as it is.`,
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error { return p.copy(c.Context(), args[0], args[1]) },
	}
}

// copier is a store that was opened to be copied.
type copier interface {
	store.Copier
	Close() error
}

func (p *program) copy(ctx context.Context, fromURL, toURL string) error {
	if fromURL == toURL {
		return fmt.Errorf("%w: FROM_URL and TO_URL are the same store", errUsage)
	}
	log := p.log(slog.LevelWarn)
	from, err := openCopier(ctx, fromURL, true, log)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := openCopier(ctx, toURL, false, log)
	if err != nil {
		return err
	}
	defer to.Close()
	tell, end := p.copyProgress()
	counts := map[store.Kind]int{}
	err = store.Copy(ctx, from, to, func(what string, kind store.Kind, n int) {
		tell(what, kind, n)
		if what == store.Compared {
			counts[kind] = n
		}
	})
	end()
	if err != nil {
		return err
	}
	if p.talks() {
		fmt.Fprintf(p.stderr, "the same in both stores: %s of %s\n", store.Count(counts[store.KeptItems], "item"), store.Count(counts[store.KeptFeeds], "feed"))
	}
	return nil
}

// openCopier opens the store at a URL. One that must exist is not made.
func openCopier(ctx context.Context, url string, exists bool, log *slog.Logger) (copier, error) {
	scheme, path, _ := strings.Cut(url, ":")
	switch {
	case scheme == "postgres" || scheme == "postgresql":
		st, err := postgres.Open(ctx, url, postgres.Options{Copy: !exists, Exists: exists, Log: log})
		if err != nil {
			return nil, err
		}
		return st, nil
	case scheme == "bolt" && path != "" && (!strings.HasPrefix(path, "//") || strings.HasPrefix(path, "///")):
		if _, err := os.Stat(path); exists && errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("there is no store at %s; FROM_URL names the one that is copied", path)
		}
		st, err := bolt.Open(path, bolt.Options{Wait: holdWait, Copy: !exists, Log: log})
		if err != nil {
			return nil, err
		}
		return st, nil
	}
	return nil, fmt.Errorf("%w: a store's URL is bolt:PATH or postgres://USER@HOST/DATABASE", errUsage) // not repeated: it may hold a password
}

// copyProgress tells on a terminal how far the copy is, on one line; elsewhere it is silent.
func (p *program) copyProgress() (tell func(what string, kind store.Kind, n int), end func()) {
	if p.quiet || !onTerminal(p.stderr) {
		return func(string, store.Kind, int) {}, func() {}
	}
	return func(what string, kind store.Kind, n int) { fmt.Fprintf(p.stderr, "\r\x1b[K%d %s %s", n, kind, what) },
		func() { fmt.Fprint(p.stderr, "\r\x1b[K") }
}
