package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"broadsheet/store"
)

// The words of pgx that the rest of the package uses. A batch goes to the server in one round trip.
type (
	conn  = pgxpool.Conn
	batch = pgx.Batch
	rows  = pgx.Rows
	row   = pgx.Row
	tag   = pgconn.CommandTag
)

var errNoRows = pgx.ErrNoRows

const (
	connectTimeout   = 5 * time.Second  // for each host of an address that does not say
	statementTimeout = 30 * time.Second // what a statement may take, waiting for locks included
	standstill       = 10 * time.Second // what a process may make the server wait in the middle of a transaction: others wait for what it holds, and renew leases of 20 s every 5
	attemptTimeout   = 45 * time.Second // what a call may wait for an answer before the connection counts as lost
	patience         = 10 * time.Second // how long a call goes on trying to reach a server
	clashes          = 20               // how often a call is tried that others get in the way of
	maxConns         = 8                // of one process, for an address that does not say (pool_max_conns)
	applicationName  = "broadsheet"
)

// settings hold for every connection. All statements here are made to go by an index, one row after the other; a planner
// that thinks a table small, because its statistics are of yesterday or it was empty when the statement was
// prepared, would read it from end to end.
var settings = map[string]string{
	"enable_seqscan":                      "off",
	"enable_hashjoin":                     "off",
	"enable_mergejoin":                    "off",
	"jit":                                 "off", // what is switched off counts as dear, and dear statements would be compiled
	"plan_cache_mode":                     "force_generic_plan",
	"statement_timeout":                   fmt.Sprint(statementTimeout.Milliseconds()),
	"idle_in_transaction_session_timeout": fmt.Sprint(standstill.Milliseconds()),
	"lock_timeout":                        "0", // statement_timeout bounds that, too; who waits for the head waits for all that came before
	"transaction_timeout":                 "0", // PostgreSQL 17's
	"timezone":                            "UTC",
	"yb_use_hash_splitting_by_default":    "off", // YugabyteDB's: keys lie in their order, as lists want them
}

// engine is a pool of connections that tries again where that helps.
type engine struct {
	pool   *pgxpool.Pool
	where  string // the address, without secrets
	schema string
	log    *slog.Logger
	clock  clock
	calls  atomic.Int64 // under way
	closed atomic.Bool
}

// newEngine reads an address and makes the pool; nothing is dialled yet.
func newEngine(address string, o Options) (*engine, error) {
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, errAddress(err)
	}
	e := &engine{where: where(config.ConnConfig), schema: "broadsheet", log: o.Log, clock: clock{log: o.Log}}
	c := config.ConnConfig
	if path := c.RuntimeParams["search_path"]; path != "" {
		e.schema = path
	}
	delete(c.RuntimeParams, "search_path") // set below, when the schema is known to be one name
	if strings.ContainsAny(e.schema, `",`) {
		return nil, errors.New("search_path in store.url must be the name of one schema")
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = applicationName
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	if !strings.Contains(address, "pool_max_conns") {
		config.MaxConns = maxConns
	}
	if !strings.Contains(address, "pool_max_conn_idle_time") {
		config.MaxConnIdleTime = 5 * time.Minute
	}
	names, values := []string{"search_path"}, []string{`"` + e.schema + `"`}
	for name, value := range settings {
		if c.RuntimeParams[name] == "" {
			names, values = append(names, name), append(values, value)
		}
	}
	config.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		var theirs time.Time
		asked := time.Now()
		// Only what the engine knows: others than PostgreSQL lack some.
		err := c.QueryRow(ctx, `SELECT count(set_config(n.name, n.value, false)), clock_timestamp() FROM unnest($1::text[], $2::text[]) AS n(name, value)
			WHERE n.name IN (SELECT name FROM pg_settings)`, names, values).Scan(nil, &theirs)
		if err == nil {
			e.clock.told(theirs, asked, time.Now())
		}
		return err
	}
	e.pool, err = pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.where, err)
	}
	return e, nil
}

// where names the servers and the database of an address.
func where(c *pgx.ConnConfig) string {
	hosts := []string{fmt.Sprintf("%s:%d", c.Host, c.Port)}
	for _, f := range c.Fallbacks {
		if h := fmt.Sprintf("%s:%d", f.Host, f.Port); h != hosts[len(hosts)-1] {
			hosts = append(hosts, h)
		}
	}
	return "PostgreSQL at " + strings.Join(hosts, ", ") + ", database " + c.Database
}

// do runs f with a connection. It is run again from its beginning where the server asks for that (a deadlock, a
// serialisation failure), and for a while where a server could not be reached, went away or was not the primary. What f
// does must therefore bear being done twice.
func (e *engine) do(ctx context.Context, f func(context.Context, *conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	end := time.Now().Add(patience)
	var met error // in the try before
	for pause, n := 20*time.Millisecond, 1; ; n++ {
		v, err := e.once(ctx, f)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return e.ended(ctx, met)
		}
		switch {
		case v == final, v == clash && n >= clashes:
			return fmt.Errorf("%s: %w", e.where, e.explain(err))
		case v != clash && time.Now().After(end):
			return fmt.Errorf("%s: %w: %w", e.where, store.ErrAway, e.explain(err))
		}
		if v == demoted {
			e.pool.Reset() // its connections are all of a server that was the primary
		}
		e.log.Debug("PostgreSQL: once more", "attempt", n, "err", err)
		met = err
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-ctx.Done():
			return e.ended(ctx, met)
		}
		if v != clash {
			pause = min(2*pause, time.Second)
		}
	}
}

// ended says that a caller waits no longer, and what for, if his time was up: he may have less of it than we have patience.
func (e *engine) ended(ctx context.Context, met error) error {
	if met == nil || ctx.Err() != context.DeadlineExceeded {
		return ctx.Err()
	}
	return fmt.Errorf("%s: %w: %w", e.where, ctx.Err(), e.explain(met))
}

// errBusy says that a call waited in vain for one of the pool's connections.
var errBusy = errors.New("all connections of this process are in use; pool_max_conns in store.url permits more")

func (e *engine) once(ctx context.Context, f func(context.Context, *conn) error) (verdict, error) {
	e.calls.Add(1)
	defer e.calls.Add(-1)
	attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	c, err := e.pool.Acquire(attempt)
	if err != nil {
		var connect *pgconn.ConnectError
		if errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &connect) {
			return away, errBusy
		}
		return judge(err, !e.closed.Load()), err
	}
	defer c.Release() // a connection that is left within a transaction is closed
	err = f(attempt, c)
	if err == nil {
		return final, nil
	}
	if attempt.Err() != nil {
		// Nobody refused: the server's machine is gone, and all our other connections to it will be as silent.
		e.pool.Reset()
	}
	lost := c.Conn().IsClosed()
	if !lost && c.Conn().PgConn().TxStatus() != 'I' {
		c.Exec(attempt, "ROLLBACK")
	}
	return judge(err, lost), err
}

// send sends a batch, which may hold any number of statements but not none.
func send(ctx context.Context, c *conn, b *batch) error {
	return c.SendBatch(ctx, b).Close()
}

// A verdict is what to do about an error.
type verdict int

const (
	final   verdict = iota // trying again would not help
	clash                  // another transaction was in the way
	away                   // no server, or not any more
	demoted                // the server does not take writes any more
)

// judge looks at an error; lost says that there is no connection any more.
func judge(err error, lost bool) verdict {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch class := pg.Code[:min(2, len(pg.Code))]; {
		case pg.Code == "40003":
			return away // whether it was done is not known
		case pg.Code == "25P03":
			return away // we stood still
		case class == "40":
			return clash
		case pg.Code == "25006":
			return demoted
		case class == "28" || class == "3D":
			return final // who we are, and which databases there are, will not be another in a second
		case class == "08" || class == "57" && pg.Code != "57014" || pg.Code == "53300":
			return away
		}
		return final
	}
	if lost {
		return away
	}
	return final
}

// errAddress says what is wrong with an address. The error of pgx repeats it, and a password may stand in it where nobody expects
// it: only what is known to be none of it is told.
func errAddress(err error) error {
	var file *fs.PathError
	switch cause := errors.Unwrap(err); {
	case errors.As(err, &file):
		return fmt.Errorf("store.url names a file that cannot be read: %w", file)
	case cause != nil && cause.Error() == "sslmode is invalid":
		return errors.New("store.url: sslmode is disable, prefer, require, verify-ca or verify-full")
	}
	return errors.New("store.url is no address of PostgreSQL: postgres://user@host:port/database?parameter=value, with special characters of the password escaped (%40 is @) and pool_max_conns 1 or more")
}

// explain adds a remedy where there is one.
func (e *engine) explain(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		switch text := err.Error(); {
		case strings.Contains(text, "read only connection"):
			return fmt.Errorf("%w; none of the servers takes writes: name the primary, too", err)
		case strings.Contains(text, "dial error"), strings.Contains(text, "hostname resolving error"):
			return fmt.Errorf("%w; is the address right, and does a server run there and listen on it (listen_addresses)?", err)
		case strings.HasSuffix(text, "server refused TLS connection"):
			return fmt.Errorf("%w; give it a certificate (ssl=on), or write sslmode=disable into store.url if nobody can listen on the way", err)
		}
		return err
	}
	switch pg.Code { // what the server said; of several tries to connect the others say less
	case "28P01", "28000":
		return fmt.Errorf("%w; the password is taken from store.url, store.password_file, $PGPASSWORD or ~/.pgpass, and who may come from where is in the server's pg_hba.conf", pg)
	case "3D000":
		return fmt.Errorf("%w; create it: createdb -E UTF8 %s", pg, e.pool.Config().ConnConfig.Database)
	case "42501":
		return fmt.Errorf("%w; the user needs the rights to connect to the database and to create a schema in it (GRANT CONNECT, CREATE ON DATABASE), or to own the schema %q and its tables", pg, e.schema)
	case "42P01", "3F000":
		return fmt.Errorf("%w; the schema %q is gone, or the user may not use it any more (GRANT USAGE ON SCHEMA)", pg, e.schema)
	case "42704":
		return fmt.Errorf("%w; what store.url has behind the question mark must be a parameter of PostgreSQL", pg)
	case "25006":
		return fmt.Errorf("%w; a standby takes no writes: name the primary, or all servers with target_session_attrs=read-write", pg)
	case "42P05", "26000": // a prepared statement that is there already, or not there
		return fmt.Errorf("%w; a pooler in between must be in session mode", pg)
	case "57014":
		return fmt.Errorf("%w; a statement took longer than %v", pg, statementTimeout)
	case "53300":
		return fmt.Errorf("%w; give the server a larger max_connections or store.url a smaller pool_max_conns (now %d)", pg, e.pool.Config().MaxConns)
	}
	return err
}

// missing reports whether a statement failed because a table or schema is not there.
func missing(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "42P01" || pg.Code == "3F000")
}

// exists reports whether a statement failed because what it makes is there already.
func exists(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "42P07" || pg.Code == "42P06" || pg.Code == "42710" || pg.Code == "23505")
}
