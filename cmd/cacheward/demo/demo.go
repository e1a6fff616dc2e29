// Package demo is the founding incident on one machine, in real HTTP over
// loopback: a sample app that stores a visitor's referrer when its landing page
// is shown, a CDN that caches the page for five minutes without looking at the
// query, and visitors with referrers of their own. It runs the same visits
// through five set-ups and asks the app's own database who was attributed to
// whom. It can also run the incident in all the variants that are faithful to it,
// each through that CDN and through Cacheward ([Options.Variants]).
//
// It imports no Caddy: the command passes it a function that starts Cacheward.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// The exit codes of Run.
const (
	exitFine     = 0 // Cacheward attributed nobody wrongly
	exitFindings = 1 // Cacheward attributed somebody wrongly
	exitFailed   = 2 // the demo could not run
)

// defaultVisitors is how many visitors walk through each scenario.
const defaultVisitors = 2000

// Edge is what an edge is started with.
type Edge struct {
	// Listen is its address, "127.0.0.1:port": a port that was free a moment ago.
	Listen string
	// Upstream is the address of the app, "127.0.0.1:port".
	Upstream string
	// Policy is what stands inside a Caddyfile's cacheward block.
	Policy string
	// AuditLog is the file that the audit records are written to, one JSON object
	// a line; its directory exists. Empty: the records are not wanted.
	AuditLog string
}

// EdgeFunc starts Cacheward for every host, in plain HTTP, before an app. The edge
// must pass the Host header on.
//
// It returns when the edge accepts connections, with the address at which it
// does, and with a function that stops it and waits until it has stopped and its
// audit records are written; whatever else it kept on disk is then gone. ctx bounds
// the start only. At most one edge is running at a time. A taken port is an error that
// wraps syscall.EADDRINUSE, or reads like it; the demo then tries another.
type EdgeFunc func(ctx context.Context, e Edge) (addr string, stop func() error, err error)

// Options are what Run needs. Edge, Stdout and Stderr must be given.
type Options struct {
	// Visitors in each scenario. Default: 2,000. With Variants: those who come to
	// each host in each way, 2 to 50. Default: 6.
	Visitors int
	// Seed of the visitors. The same seed makes the same visitors.
	Seed uint64
	// Format of the results: text or json. Default: text.
	Format string
	// Variants runs the variants of the incident instead of the scenarios.
	Variants bool
	// Serve leaves the app and the edge running, to play with, instead of
	// running the scenarios.
	Serve bool
	// Listen is the address of the edge. Default: a free port; with Serve
	// 127.0.0.1:9080, or a free port if that is taken.
	Listen string
	// AppListen is the address of the app. Default: a free port; with Serve
	// 127.0.0.1:9200, or a free port if that is taken. With Serve the second
	// and third version of the app listen one and two ports above.
	AppListen string
	// Edge starts Cacheward.
	Edge EdgeFunc
	// Stdout takes the results, Stderr the progress and the errors.
	Stdout, Stderr io.Writer
	// Terminal says that Stderr is a terminal, on which a line can be rewritten.
	Terminal bool
	// Color says that Stdout understands ANSI colours and wants them.
	Color bool

	// moment stands for defaultMoment.
	moment time.Duration
}

// Run runs the demo and returns the exit code: 0 if Cacheward attributed nobody
// wrongly, 1 if it did or, with Variants, if its audit log does not say why it
// shared nothing, 2 if the demo could not run (the reason is on Stderr).
// Once ctx is done it stops what it started; that is an error for the scenarios,
// and the ordinary end of Serve.
func Run(ctx context.Context, o Options) int {
	if o.Visitors == 0 {
		o.Visitors = defaultVisitors
		if o.Variants {
			o.Visitors = defaultGroup
		}
	}
	if o.moment == 0 {
		o.moment = defaultMoment
	}
	if o.Format == "" {
		o.Format = "text"
	}
	code, err := run(ctx, o)
	if err != nil {
		fmt.Fprintf(o.Stderr, "cacheward demo: %v\n", err)
		return exitFailed
	}
	return code
}

func run(ctx context.Context, o Options) (int, error) {
	if err := o.validate(); err != nil {
		return exitFailed, err
	}
	if o.Serve {
		return exitFine, serve(ctx, o)
	}
	if o.Variants {
		return showVariants(ctx, o, allVariants())
	}
	results, err := runScenarios(ctx, o)
	if err != nil {
		return exitFailed, err
	}
	if o.Format == "json" {
		err = writeJSON(o.Stdout, results)
	} else {
		err = writeText(o.Stdout, results, o.Color)
	}
	if err != nil {
		return exitFailed, fmt.Errorf("writing the results: %w", err)
	}
	for _, r := range results {
		if r.cacheward && r.Misattributed > 0 {
			return exitFindings, nil
		}
	}
	return exitFine, nil
}

func (o Options) validate() error {
	if o.Visitors < 1 {
		return fmt.Errorf("visitors: %d is too few, 1 or more were expected", o.Visitors)
	}
	if o.Variants && (o.Visitors < minGroup || o.Visitors > maxGroup) {
		return fmt.Errorf("visitors: %d to each host in each way, %d to %d were expected", o.Visitors, minGroup, maxGroup)
	}
	if o.Format != "text" && o.Format != "json" {
		return fmt.Errorf("format: %q is unknown, text or json was expected", o.Format)
	}
	if o.Edge == nil {
		return errors.New("no function was given that starts the edge")
	}
	for name, address := range map[string]string{"listen": o.Listen, "app": o.AppListen} {
		if address == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(address); err != nil {
			return fmt.Errorf("%s: %q is not an address, host:port was expected", name, address)
		}
	}
	return nil
}
