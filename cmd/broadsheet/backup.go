package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"broadsheet/store"
)

func (p *program) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a consistent copy of the store, also while a daemon runs",
		Long: `Writes a consistent copy of the store to FILE, which must not exist. The copy is a store itself: to go back to it, stop
the daemon and put it in the place that store.url names.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return p.backup(c.Context(), args[0]) },
	}
}

func (p *program) backup(ctx context.Context, to string) error {
	plan, err := p.plan()
	if err != nil {
		return err
	}
	if shared(plan.config) {
		return errNoBackup
	}
	if _, err := os.Lstat(to); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is there already; a backup never overwrites: choose another name", to)
	}
	if _, err := os.Stat(plan.config.Store.Path); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no store at %s yet; `broadsheet fetch --once` makes one", plan.config.Store.Path)
	}
	st, r, err := reach(ctx, plan.config, p.log(slog.LevelWarn))
	if err != nil {
		return err
	}
	if r != nil {
		return writeWhole(to, func(w io.Writer) error { return r.backup(ctx, w) })
	}
	defer st.Close()
	return writeWhole(to, func(w io.Writer) error { return st.(store.Backuper).Backup(ctx, w) })
}

var errNoBackup = errors.New("backup copies a store that is a file; a database has its own means (pg_dump, pg_basebackup), and `broadsheet copy` moves it into a file")

// writeWhole makes a file appear whole and durable under its name, or not at all.
func writeWhole(name string, write func(io.Writer) error) (err error) {
	defer func() {
		if file := (*fs.PathError)(nil); errors.As(err, &file) {
			err = fmt.Errorf("%s: %w; see that its folder is there, has room and can be written to", name, err)
		}
	}()
	f, err := os.CreateTemp(filepath.Dir(name), ".broadsheet-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := write(w); err != nil {
		return err
	}
	if err := errors.Join(w.Flush(), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
