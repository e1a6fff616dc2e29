package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// controller is what the verbs that ask a running proxy have in common: where it is, and
// how the answer is shown.
type controller struct {
	verb            string
	address, config string
	format, color   string
	stdout, stderr  io.Writer
}

// What the help of these verbs says in common.
const (
	adminFlagsUsage = "[--address <admin>] [--config <file>] [--format text|json]"
	adminFlagsLong  = `
The running proxy is asked through Caddy's admin endpoint: that of --address
(localhost:2019, or unix//run/caddy-admin.sock), or the one that the configuration in
--config names, or Caddy's default.
`
	fleetLong = `
Where several edges work together it is done on all of them, whichever is asked; the answer
says how many have confirmed it. An edge that is silent serves nothing that is stored, unless
its on_partition is serve, and does it before it trusts what it has stored again.
`
)

// errPart: what was asked for was done in part, or nobody knows. What there is to say has
// been said.
var errPart = errors.New("done in part")

// unknownError is an error after which the proxy may have done what it was asked for.
type unknownError struct{ err error }

func (e unknownError) Error() string { return e.err.Error() }
func (e unknownError) Unwrap() error { return e.err }

// usageError is a command line that cannot be meant.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }

// wireControl makes a command of a verb. Run returns nil for exit status 0, errPart or an
// unknownError for 1, any other error for 2.
func wireControl(cmd *cobra.Command, verb string, exit func(cmd *cobra.Command, code int) error,
	run func(ctx context.Context, c *controller, args []string) error) {
	c := &controller{verb: verb}
	flags := cmd.Flags()
	flags.StringVar(&c.address, "address", "", "the admin endpoint (default that of --config, or localhost:2019)")
	flags.StringVarP(&c.config, "config", "c", "", "a Caddyfile, or Caddy's JSON, that says where the admin endpoint is")
	flags.StringVar(&c.format, "format", "text", "text or json")
	flags.StringVar(&c.color, "color", "auto", "auto, always or never")
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	fail := func(err error) error {
		if errors.Is(err, errPart) {
			return exit(cmd, 1)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "cacheward %s: %s\n", verb, show.Safe(err.Error()))
		if _, unknown := errors.AsType[unknownError](err); unknown {
			return exit(cmd, 1)
		}
		return exit(cmd, 2)
	}
	usage := func(err error) error {
		return fail(fmt.Errorf("%w; see cacheward %s --help", err, verb))
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c.stdout, c.stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
		if err := c.check(); err != nil {
			return usage(err)
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		err := run(ctx, c, args)
		if wrong, ok := errors.AsType[usageError](err); ok {
			return usage(wrong)
		}
		if err != nil {
			return fail(err)
		}
		return nil
	}
}

func (c *controller) check() error {
	switch {
	case c.format != "text" && c.format != "json":
		return fmt.Errorf("--format %q; text or json was expected", c.format)
	case !slices.Contains([]string{"auto", "always", "never"}, c.color):
		return fmt.Errorf("--color %q; auto, always or never was expected", c.color)
	}
	return nil
}

// noArguments refuses words that are no flags.
func noArguments(args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("unexpected argument %q", args[0])}
	}
	return nil
}

// colored says whether standard output takes colours.
func (c *controller) colored() bool {
	if c.color != "auto" {
		return c.color == "always"
	}
	return c.onTerminal(c.stdout) && os.Getenv("NO_COLOR") == ""
}

// onTerminal says whether what is written there is seen by a person.
func (c *controller) onTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// view is how the answer is shown here and now.
func (c *controller) view() view {
	v := view{Style: show.Style{Color: c.colored()}, width: plainWidth, now: time.Now(), loc: time.Local}
	if f, ok := c.stdout.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			v.width, v.terminal = max(width, leastWidth), true
		}
	}
	return v
}

// tell writes the answer: as JSON, or as the text that is made of it.
func (c *controller) tell(answer any, text func(view) string) error {
	out := ""
	if c.format == "json" {
		var b strings.Builder
		if err := show.JSON(&b, answer); err != nil {
			return fmt.Errorf("writing the answer: %w", err)
		}
		out = b.String()
	} else {
		out = text(c.view())
	}
	return c.write(out)
}

// write writes to standard output. That whoever reads it has heard enough is no error.
func (c *controller) write(text string) error {
	if _, err := io.WriteString(c.stdout, text); err != nil && !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("writing the answer: %w", err)
	}
	return nil
}
