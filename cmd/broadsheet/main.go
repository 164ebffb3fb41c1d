// Command broadsheet is a newspaper made of other newspapers: it polls feeds, keeps every item once,
// and publishes combined feeds by section.
//
// This package joins the rooms and is the only one that knows them all. main turns an error into an
// exit code; run is the whole program; app.go builds the parts from a configuration; each command
// has a file of its own. control.go and dial.go are the two ends of the socket by which a command
// asks a running daemon.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"broadsheet/config"
	"broadsheet/store"
)

// Exit codes; scripts rely on them.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitStrict = 3  // --strict: some outlets failed
	exitHeld   = 75 // EX_TEMPFAIL of sysexits.h
	exitConfig = 78 // EX_CONFIG
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// program is one run of the command line.
type program struct {
	stdout, stderr io.Writer
	configFlag     string
	logFormat      string
	verbose, quiet bool
	started        bool // the arguments were understood
}

// run does what args say and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	out := &results{Writer: stdout}
	p := &program{stdout: out, stderr: stderr}
	root := p.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if out.err != nil {
		p.started, err = true, cmp.Or(err, out.err)
	}
	code := p.exitCode(err)
	if err != nil && code != exitStrict {
		if errors.Is(err, context.Canceled) && ctx.Err() != nil {
			err = errors.New("stopped by a signal; what was done until then is kept")
		}
		fmt.Fprintln(stderr, "broadsheet:", err)
		if code == exitUsage {
			fmt.Fprintln(stderr, "Try: broadsheet --help")
		}
	}
	return code
}

// results is where results go. It remembers that some could not be written, so that a file that is cut short shows in the exit code.
type results struct {
	io.Writer
	err error
}

func (r *results) Write(b []byte) (int, error) {
	n, err := r.Writer.Write(b)
	r.err = cmp.Or(r.err, err)
	return n, err
}

var (
	errStrict = errors.New("some outlets failed")
	errUsage  = errors.New("wrong usage") // found out only with the configuration at hand
)

func (p *program) exitCode(err error) int {
	var problems config.Errors
	var refused *refusedError
	switch {
	case err == nil:
		return exitDone
	case !p.started, errors.Is(err, errUsage):
		return exitUsage
	case errors.As(err, &problems), errors.As(err, &refused):
		return exitConfig
	case errors.Is(err, store.ErrHeld):
		return exitHeld
	case errors.Is(err, errStrict):
		return exitStrict
	}
	return exitFailed
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "broadsheet",
		Short: "A newspaper made of other newspapers: polls feeds and publishes combined feeds by section",
		Long: `Broadsheet polls the feeds of the outlets that you list, keeps every item once, ties together
the items that carry the same story, and publishes combined feeds by section.

See it work without any configuration:   broadsheet demo
Then write broadsheet.toml and run:      broadsheet serve      (or, in cron: broadsheet fetch --once)

Exit codes: 0 done (outlets that fail are reported, not fatal); 1 failed; 2 wrong usage; 3 with --strict, some outlets failed;
75 the store is held by another process; 78 the configuration is wrong.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	f := root.PersistentFlags()
	f.StringVarP(&p.configFlag, "config", "c", "", "configuration `file` (default $BROADSHEET_CONFIG, else ./broadsheet.toml)")
	f.StringVar(&p.logFormat, "log-format", "text", "text or json")
	f.BoolVarP(&p.verbose, "verbose", "v", false, "say more")
	f.BoolVarP(&p.quiet, "quiet", "q", false, "say only what went wrong")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if p.logFormat != "text" && p.logFormat != "json" {
			return fmt.Errorf("--log-format %s: only text and json are known", p.logFormat)
		}
		if p.verbose && p.quiet {
			return errors.New("-v and -q exclude each other")
		}
		limitMemory(p.log(slog.LevelInfo))
		return nil
	}
	for _, c := range []*cobra.Command{p.serveCommand(), p.fetchCommand(), p.publishCommand(), p.checkCommand(), p.previewCommand(), p.explainCommand(), p.outletsCommand(),
		p.discoverCommand(), p.importCommand(), p.exportCommand(), p.backupCommand(), p.repairCommand(), p.copyCommand(), p.demoCommand(), p.versionCommand(), p.healthcheckCommand()} {
		does := c.RunE
		c.RunE = func(c *cobra.Command, args []string) error {
			p.started = true // whatever goes wrong from here on is not the usage
			return does(c, args)
		}
		root.AddCommand(c)
	}
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" { // cobra's own takes an unknown shell for a wish to be helped
			c.Args = cobra.ExactArgs(1)
			c.RunE = func(_ *cobra.Command, args []string) error {
				return fmt.Errorf("completion %s: only bash, zsh, fish and powershell are known", args[0])
			}
		}
	}
	return root
}

// log makes the log of a command. usual is the level without -v and -q.
func (p *program) log(usual slog.Level) *slog.Logger {
	switch {
	case p.quiet:
		usual = slog.LevelWarn // outlets that fail are no errors of ours
	case p.verbose:
		usual = min(usual-4, slog.LevelInfo) // one level more: warnings to all, all to debugging
	}
	o := &slog.HandlerOptions{Level: usual}
	if p.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(p.stderr, o))
	}
	return slog.New(slog.NewTextHandler(p.stderr, o))
}

// warn tells what is odd about a configuration.
func (p *program) warn(pl *plan) {
	for _, w := range pl.config.Warnings {
		if p.logFormat == "json" {
			p.log(slog.LevelWarn).Warn(w)
		} else {
			fmt.Fprintln(p.stderr, "warning:", w)
		}
	}
}

// talks reports whether a one-shot tells what it did although nothing went wrong: to a person, and with -v.
func (p *program) talks() bool { return p.verbose || onTerminal(p.stderr) && !p.quiet }

// onTerminal reports whether a person reads w.
func onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
