package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
	"github.com/cacheward/cacheward/policies"
)

// What cacheward audit --help says.
const (
	AuditUsage = "<verb> [<files...>]"
	AuditShort = "Answers questions from the audit log: what was shared, with whom, and what was not and why"
	AuditLong  = `
Answers questions from the records that Cacheward writes of every decision. On an
ordinary day:

	$ cacheward audit summary                           hit share, refusals and more, by route
	$ cacheward audit refusals                          why pages are not shared, and what to change
	$ cacheward audit divergences                       pages that differ from visitor to visitor, and where
	$ cacheward audit bypasses                          why requests go past the cache
	$ cacheward audit why https://shop.example/lp       the latest decisions on a page
	$ cacheward audit timeline --since 2h               when what happened
	$ cacheward audit tail --where 'event == "refuse"'  as it happens
	$ cacheward audit report --html report.html         all of it on one page

In an incident:

	$ cacheward audit objects --since 03:00             what was stored, and how often it was served
	$ cacheward audit served --url /lp --since 03:00    who was served it
	$ cacheward audit attribution --format csv          who came with which code, and got whose page
	$ cacheward audit verify                            is the log whole?
` + auditFilesHelp + auditFlagsHelp + `
Signed probes, with which the edge watches its pages from outside, are no visitors. They are
in no figure of requests or visitors, and no advice is about them; how many were left out is
said. Verbs that tell of single requests, or of what an object was served for (served,
objects, why, tail), have them, marked or counted apart; --where '!probe' leaves them out
there, too. What was stored or refused counts whoever asked: records of that do not say.

An answer with --format json is one object, whose first member "schema" is the version of
its form: it goes up when a member changes its meaning or goes. Records of tail are lines.

Each verb has more to say: cacheward audit served --help

Exit status: 0 if there was an answer, 1 if nothing matched, 2 if it could not be run.
`
	auditFilesHelp = `
A file may be a log, a folder of logs, a pattern such as '/var/log/caddy/*.log.gz', or -
for standard input; without any it is ./audit.log. Files may be compressed with gzip or
zstd. With a log, the files that it was rolled into beside it are read as well, unless
--no-rolled says otherwise. Lines that are no records are skipped, counted and told.

The logs of several edges are read together, as one: whose record it is is told where there
are several, and --edge leaves out the others. What each edge has by its own clock stays as
it is. Where clocks differ so much that a page was served before it was stored, or purged
before anybody had ordered it, that is told, and by how much they do.
`
	auditFlagsHelp = `
--since and --until take 2026-11-23T03:00:00Z, '2026-11-23 03:00', 03:00 (the last such
moment), 2h, 90m or 3d (so long ago), now, or Unix seconds. --where takes an expression
over the fields of a record, in CEL:

	--where 'status >= 500 && "set-cookie" in reasons'
	--where 'url.contains("/lp") && visitor == "3f2a-9bc0d1e2f3a4"'
`
)

// auditVerb is one question.
type auditVerb struct {
	name, usage, short, long string
	// formats beside table.
	formats []string
	flags   func(*pflag.FlagSet)
	run     func(ctx context.Context, x *auditor, args []string) error
}

func auditVerbs() []auditVerb {
	return []auditVerb{
		auditSummary(), auditRefusals(), auditDivergences(), auditBypasses(), auditWhy(),
		auditServed(), auditAttribution(), auditObjects(), auditTimeline(), auditTail(), auditReport(), auditVerify(),
	}
}

// errNothing: the question was answered, and the answer is that there is nothing.
var errNothing = errors.New("nothing matched")

// WireAudit makes a command of the verb audit, with the questions below it. Exit ends it
// with a code.
func WireAudit(exit func(cmd *cobra.Command, code int) error) func(*cobra.Command) {
	return func(cmd *cobra.Command) {
		var names []string
		for _, v := range auditVerbs() {
			names = append(names, v.name)
			cmd.AddCommand(v.command(exit))
		}
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		usage := func(err error) error {
			fmt.Fprintf(cmd.ErrOrStderr(), "cacheward audit: %s; see cacheward audit --help\n", show.Safe(err.Error()))
			return exit(cmd, 2)
		}
		cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
		cmd.RunE = func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(fmt.Errorf("a verb was expected: %s", strings.Join(names, ", ")))
			}
			return usage(fmt.Errorf("there is no verb %q; %s", args[0], policies.Suggest(args[0], names)))
		}
	}
}

func (v auditVerb) command(exit func(cmd *cobra.Command, code int) error) *cobra.Command {
	cmd := &cobra.Command{Use: v.name + " " + v.usage, Short: v.short, Long: v.long + auditFilesHelp + auditFlagsHelp}
	x := &auditor{verb: v.name, formats: append([]string{"table"}, v.formats...), now: time.Now}
	x.addFlags(cmd.Flags())
	if v.flags != nil {
		v.flags(cmd.Flags())
	}
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	fail := func(err error) error {
		fmt.Fprintf(cmd.ErrOrStderr(), "cacheward audit %s: %s\n", v.name, show.Safe(err.Error()))
		return exit(cmd, 2)
	}
	usage := func(err error) error { return fail(fmt.Errorf("%w; see cacheward audit %s --help", err, v.name)) }
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		x.stdin, x.stdout, x.stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
		if err := x.check(); err != nil {
			return usage(err)
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		// Else a pager that was closed would end the process with a signal.
		closed := make(chan os.Signal, 1)
		signal.Notify(closed, syscall.SIGPIPE)
		defer signal.Stop(closed)
		err := v.run(ctx, x, args)
		if wrong, ok := errors.AsType[usageError](err); ok {
			return usage(wrong)
		}
		switch {
		case err == nil, errors.Is(err, syscall.EPIPE):
			return nil
		case errors.Is(err, errNothing):
			return exit(cmd, 1)
		case ctx.Err() != nil:
			return fail(errors.New("interrupted; there is no answer"))
		}
		return fail(err)
	}
	return cmd
}
