package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"broadsheet/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// steps are the migrations, each a list of statements; the first has the number 1.
func steps() (all [][]string, err error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	for _, name := range names { // sorted
		sql, err := migrations.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var statements []string
		for part := range strings.SplitSeq(string(sql), ";\n") {
			if part = strings.TrimSpace(part); part != "" {
				statements = append(statements, part)
			}
		}
		all = append(all, statements)
	}
	return all, nil
}

// migrate brings the schema up to what this program needs, and reads what the Store remembers of it. Of several
// processes that come at once one does it: it holds the row of the table migrations, and the others find it done.
func (s *Store) migrate(ctx context.Context, o Options) error {
	all, err := steps()
	if err != nil {
		return err
	}
	return s.do(ctx, func(ctx context.Context, c *conn) error {
		var done int
		err := c.QueryRow(ctx, "SELECT done FROM migrations WHERE one = 1").Scan(&done)
		if o.Exists && missing(err) {
			return fmt.Errorf("there is no store of Broadsheet in the schema %q", s.schema)
		}
		if missing(err) || err == errNoRows || err == nil && done < len(all) {
			done, err = s.catchUp(ctx, c, all)
		}
		if err != nil {
			return err
		}
		if done > len(all) {
			return fmt.Errorf("the store was written by a newer version of broadsheet (schema %d, this one reads %d): run that version", done, len(all))
		}
		var copying string
		err = c.QueryRow(ctx, "SELECT id, created, copying FROM head WHERE one = 1").Scan(&s.id, &s.created, &copying)
		s.created = s.created.UTC()
		if err == nil && copying != "" && !o.Copy {
			err = store.ErrUnfinished
		}
		return err
	})
}

// errPooled says that what was set for a connection does not hold for all that is sent over it.
var errPooled = errors.New("search_path does not stay as it was set: a pooler in between must be in session mode")

// catchUp does the migrations that are not done yet.
func (s *Store) catchUp(ctx context.Context, c *conn, all [][]string) (done int, err error) {
	for _, sql := range []string{
		`CREATE SCHEMA IF NOT EXISTS "` + s.schema + `"`,
		`CREATE TABLE IF NOT EXISTS "` + s.schema + `".migrations (one int PRIMARY KEY CHECK (one = 1), done int NOT NULL)`,
		`INSERT INTO "` + s.schema + `".migrations VALUES (1, 0) ON CONFLICT DO NOTHING`,
	} {
		// Two that make one table at once: the second fails although it says IF NOT EXISTS.
		if _, err := c.Exec(ctx, sql); err != nil && !exists(err) {
			return 0, err
		}
	}
	if _, err := c.Exec(ctx, "BEGIN"); err != nil {
		return 0, err
	}
	var in *string
	var encoding string
	if err := c.QueryRow(ctx, "SELECT current_schema(), current_setting('server_encoding')").Scan(&in, &encoding); err != nil {
		return 0, err
	}
	switch {
	case in == nil || *in != s.schema: // what would be made, would be made elsewhere
		return 0, errPooled
	case encoding != "UTF8" && encoding != "SQL_ASCII": // the latter takes bytes as they are
		return 0, fmt.Errorf("the database keeps text as %s, which is not for all letters: create one with createdb -E UTF8 -T template0 %s", encoding, c.Conn().Config().Database)
	}
	if err := c.QueryRow(ctx, "SELECT done FROM migrations WHERE one = 1 FOR UPDATE").Scan(&done); err != nil {
		return 0, err
	}
	for _, statements := range all[min(done, len(all)):] {
		for _, sql := range statements {
			if _, err := c.Exec(ctx, sql); err != nil {
				return 0, fmt.Errorf("migration %d: %w", done+1, err)
			}
		}
		done++
	}
	if _, err := c.Exec(ctx, `INSERT INTO head (one, id, created, revision, last, gone, day, names, sweep, copying)
		VALUES (1, $1, $2, 0, 0, 0, 0, '', '', '') ON CONFLICT DO NOTHING`, newUUID(), s.Now()); err != nil {
		return 0, err
	}
	if _, err := c.Exec(ctx, "UPDATE migrations SET done = $1 WHERE one = 1", done); err != nil {
		return 0, err
	}
	_, err = c.Exec(ctx, "COMMIT")
	return done, err
}
