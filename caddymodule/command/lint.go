package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/cacheward/cacheward/policies"
	"github.com/cacheward/cacheward/policies/lint"
	"github.com/cacheward/cacheward/policies/lint/report"
)

// What help says of the lint command.
const (
	LintUsage = "[<paths...>] [--format <format>] [--out <format>=<file>] [--fail-on error|warning|info] [--fix [--write]] [--explain <rule>] [--list]"
	LintShort = "Finds mistakes in policies and Caddyfiles before visitors do"
	LintLong  = `
Judges policies, and the Caddy configurations around them: where a referral code would
be lost, one visitor's page be shown to another, a route never be reached, and why, and
what to write instead. Nothing is sent to anybody, and no server is started.

	$ cacheward lint
	$ cacheward lint Caddyfile policies/ --fail-on warning
	$ cacheward lint --format github --out sarif=cacheward.sarif
	$ cacheward lint --explain CW101
	$ cacheward lint --fix --write landing.yaml
	$ git show HEAD:Caddyfile | cacheward lint - --stdin-filename Caddyfile

` + discoveryHelp + `

A finding can be suppressed, with a reason, by a comment at the end of its line, on the
line above, or on the line above its route:

	# cacheward:ignore CW103 -- the page shows nobody's name

Exit status: 0 if nothing was found that is as bad as --fail-on or worse, 1 if something
was or a file could not be read, 2 if nothing could be judged.
`
)

// lintOptions are the flags of the lint command.
type lintOptions struct {
	format, failOn, color   string
	outs, only, disabled    []string
	baseline, writeBaseline string
	stdinName, explain      string
	fix, write, noInline    bool
	list, exitZero          bool
	stdin                   io.Reader
	stdout, stderr          io.Writer
	now                     time.Time
	rules                   func(lint.Rule) bool
}

// WireLint adds the flags of the lint command, and what it does. Exit makes the command
// end with a status.
func WireLint(exit func(cmd *cobra.Command, code int) error) func(*cobra.Command) {
	return func(cmd *cobra.Command) {
		var o lintOptions
		flags := cmd.Flags()
		flags.StringVar(&o.format, "format", "text", strings.Join(report.Formats(), ", "))
		flags.StringArrayVar(&o.outs, "out", nil, "write a format to a file besides: sarif=cacheward.sarif; may be repeated")
		flags.StringVar(&o.failOn, "fail-on", string(lint.Error), "exit with 1 at findings as bad as this or worse: error, warning or info")
		flags.BoolVar(&o.fix, "fix", false, "show what can be corrected mechanically, as a diff")
		flags.BoolVar(&o.write, "write", false, "with --fix: write it into the files")
		flags.StringVar(&o.baseline, "baseline", "", "a file of findings that do not count")
		flags.StringVar(&o.writeBaseline, "write-baseline", "", "write what is found into such a file")
		flags.BoolVar(&o.noInline, "no-inline-ignores", false, "pay no attention to comments that suppress findings")
		flags.StringVar(&o.stdinName, "stdin-filename", "", "how the file is called that comes from standard input")
		flags.StringSliceVar(&o.only, "rule", nil, "only this rule, by id or name; may be repeated")
		flags.StringSliceVar(&o.disabled, "disable", nil, "not this rule, by id or name; may be repeated")
		flags.BoolVar(&o.list, "list", false, "list all rules")
		flags.StringVar(&o.explain, "explain", "", "show the page of a rule")
		flags.StringVar(&o.color, "color", "auto", "auto, always or never")
		flags.BoolVar(&o.exitZero, "exit-zero", false, "exit with 0 whatever is found")
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		usage := func(err error) error {
			fmt.Fprintf(cmd.ErrOrStderr(), "cacheward lint: %v; see cacheward lint --help\n", err)
			return exit(cmd, 2)
		}
		cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			o.stdin, o.stdout, o.stderr, o.now = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr(), time.Now()
			if err := o.check(args); err != nil {
				return usage(err)
			}
			code, err := o.execute(args)
			if err != nil {
				fmt.Fprintf(o.stderr, "cacheward lint: %v\n", err)
				return exit(cmd, 2)
			}
			return exit(cmd, code)
		}
	}
}

// check refuses flags that make no sense.
func (o *lintOptions) check(args []string) error {
	formats := report.Formats()
	switch {
	case !slices.Contains(formats, o.format):
		return fmt.Errorf("--format %q; %s", o.format, policies.Suggest(o.format, formats))
	case !slices.Contains([]string{"error", "warning", "info"}, o.failOn):
		return fmt.Errorf("--fail-on %q; error, warning or info was expected", o.failOn)
	case !slices.Contains([]string{"auto", "always", "never"}, o.color):
		return fmt.Errorf("--color %q; auto, always or never was expected", o.color)
	case o.write && !o.fix:
		return errors.New("--write needs --fix")
	case o.fix && slices.Contains(args, "-") && o.write:
		return errors.New("--write cannot write to standard input; leave it out to see a diff")
	case o.stdinName != "" && !slices.Contains(args, "-"):
		return errors.New("--stdin-filename needs the path -")
	}
	for _, out := range o.outs {
		if format, name, ok := strings.Cut(out, "="); !ok || name == "" || !slices.Contains(formats, format) {
			return fmt.Errorf("--out %q; a format and a file were expected, such as sarif=cacheward.sarif", out)
		}
	}
	chosen := make(map[string]bool)
	for _, name := range slices.Concat(o.only, o.disabled) {
		rule, ok := lint.Find(name)
		if !ok {
			return fmt.Errorf("there is no rule %q; cacheward lint --list shows all", name)
		}
		chosen[rule.ID] = true
	}
	if len(o.only) > 0 && len(o.disabled) > 0 {
		return errors.New("--rule and --disable exclude each other")
	}
	if len(chosen) > 0 {
		wanted := len(o.only) > 0
		o.rules = func(r lint.Rule) bool { return chosen[r.ID] == wanted }
	}
	return nil
}

func (o *lintOptions) colored() bool {
	if o.color != "auto" {
		return o.color == "always"
	}
	f, ok := o.stdout.(*os.File)
	return ok && isatty.IsTerminal(f.Fd()) && os.Getenv("NO_COLOR") == ""
}
