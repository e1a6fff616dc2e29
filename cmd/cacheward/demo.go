package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/cacheward/cacheward/caddymodule/command"
	"github.com/cacheward/cacheward/cmd/cacheward/demo"
)

func registerDemo() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "demo",
		Usage: "[--visitors <n>] [--seed <n>] [--format text|json] [--variants] [--serve [--listen <addr>] [--app <addr>]]",
		Short: "Replays the incident that Cacheward exists to prevent",
		Long: `
Replays, on this machine and over real HTTP, what happened to a reward site in
2017: its registration page recorded each visitor's referrer when it was shown,
and a CDN cached it for five minutes. The same visits go through no cache, through
that CDN, through Cacheward with the same mistaken rule, through Cacheward with a
right policy for a page that its own script fills, and through Cacheward with an
app that reads who sent a visitor from the address, as ever: the page is shared, and
the edge carries the attribution to the registration. Each time the app's own
database is asked who was attributed to whom.

With --variants, the incident in all the ways in which it can have happened: how the
page carried the record's token, how the referrer came to the app, and what the app
said about caching.

	$ cacheward demo
	$ cacheward demo --visitors 10000 --format json
	$ cacheward demo --variants
	$ cacheward demo --serve

Exit status: 0 if Cacheward attributed every visitor rightly, 1 if it did not or did
not record why it shared nothing, 2 if the demo could not run.
`,
		CobraFunc: wireDemo,
	})
}

func wireDemo(cmd *cobra.Command) {
	var o demo.Options
	flags := cmd.Flags()
	flags.IntVar(&o.Visitors, "visitors", 2000, "how many visitors come; with --variants, to each host in each way, 6 if not given")
	flags.Uint64Var(&o.Seed, "seed", 1, "another seed makes other visitors")
	flags.StringVar(&o.Format, "format", "text", "text or json")
	flags.BoolVar(&o.Variants, "variants", false, "run the incident in all its variants")
	flags.BoolVar(&o.Serve, "serve", false, "leave the app and the edge running, to play with")
	flags.StringVar(&o.Listen, "listen", "", "with --serve: address of the edge (default 127.0.0.1:9080, or a free port)")
	flags.StringVar(&o.AppListen, "app", "", "with --serve: address of the app (default 127.0.0.1:9200, or a free port)")
	cmd.SilenceErrors = true
	cmd.SilenceUsage = true
	usage := func(err error) error {
		fmt.Fprintf(cmd.ErrOrStderr(), "cacheward demo: %v; see cacheward demo --help\n", err)
		return command.Exit(cmd, 2)
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > 0:
			return usage(fmt.Errorf("unexpected argument %q", args[0]))
		case o.Visitors < 1:
			return usage(fmt.Errorf("--visitors %d; a positive number was expected", o.Visitors))
		case o.Format != "text" && o.Format != "json":
			return usage(fmt.Errorf("--format %q; text or json was expected", o.Format))
		case o.Variants && o.Serve:
			return usage(errors.New("--variants and --serve exclude each other"))
		case !o.Serve && (o.Listen != "" || o.AppListen != ""):
			return usage(errors.New("--listen and --app need --serve"))
		}
		if o.Variants && !flags.Changed("visitors") {
			o.Visitors = 0 // its own default
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		o.Stdout, o.Stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
		o.Terminal = isatty.IsTerminal(os.Stderr.Fd())
		o.Color = isatty.IsTerminal(os.Stdout.Fd()) && os.Getenv("NO_COLOR") == ""
		o.Edge = startEdge
		return command.Exit(cmd, demo.Run(ctx, o))
	}
}

// edgeConfig is the whole configuration of the demo's edge. What it writes to
// its log is of no interest here, but for errors and, if wanted, the audit records.
// What it keeps on disk, the keys of attributions' cookies among it, is the demo's own.
const edgeConfig = `{
	admin off
	persist_config off
	storage file_system %s
	auto_https off
	grace_period 1s
	log {
		level ERROR
	}
	log audit {
		output %s
		format json
		include http.handlers.cacheward.audit
	}
}
http://:%s {
	bind %s
	cacheward {
%s
	}
	reverse_proxy %s
}
`

// startEdge runs Caddy in this process.
func startEdge(_ context.Context, e demo.Edge) (string, func() error, error) {
	host, port, err := net.SplitHostPort(e.Listen)
	if err != nil {
		return "", nil, err
	}
	records := "discard"
	if e.AuditLog != "" {
		records = "file `" + e.AuditLog + "` {\n\t\t\troll_disabled\n\t\t}"
	}
	storage, err := os.MkdirTemp("", "cacheward-demo-edge-")
	if err != nil {
		return "", nil, fmt.Errorf("making a temporary directory: %w", err)
	}
	remove := func() error { return os.RemoveAll(storage) }
	text := fmt.Sprintf(edgeConfig, "`"+storage+"`", records, port, host, indent(e.Policy), e.Upstream)
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "demo"})
	if err == nil {
		err = caddy.Load(config, true)
	}
	if err != nil {
		return "", nil, errors.Join(err, remove())
	}
	return e.Listen, func() error { return errors.Join(caddy.Stop(), remove()) }, nil
}

func indent(policy string) string {
	return "\t\t" + strings.ReplaceAll(strings.TrimSpace(policy), "\n", "\n\t\t")
}
