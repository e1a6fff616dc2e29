package command

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
	"github.com/cacheward/cacheward/caddymodule/control"
)

// What cacheward trip --help says.
const (
	TripUsage = "[--route <name>] --reason <text> [--by <name>] " + adminFlagsUsage
	TripShort = "Stops all caching of a running proxy, or of one route, at once"
	TripLong  = `
Stops caching in the running proxy, at once and until someone resets it: nothing is stored,
nothing is served from the store, and caches further on are told to keep nothing (private,
no-store). When the command returns, no response from the store is on its way any more. A
trip survives reloads and restarts.

	$ cacheward trip --reason 'customers see other customers'
	$ cacheward trip --route landing --reason 'wrong prices'

Nothing is dropped: what was stored is there for inspection (cacheward objects), and a
reset drops it. Copies that a CDN or a browser has been given are not reached: purge the
CDN as well.
` + fleetLong + adminFlagsLong + `
Exit status: 0 if caching is stopped for good; 1 if only in part (such as: not saved, so
that a restart would end it), or if that is not known, or if an edge has not confirmed it
that is not silent; 2 if nothing was done.
`
)

// What cacheward reset --help says.
const (
	ResetUsage = "[--route <name> | --all] [--keep] --reason <text> [--by <name>] " + adminFlagsUsage
	ResetShort = "Ends a trip: caching goes on"
	ResetLong  = `
Ends a trip of the running proxy. What was stored before it is dropped first, so that what
caching was stopped for does not come back. With --keep it is served again: after a false
alarm.

	$ cacheward reset --reason 'fixed in release 41'                   the trip of everything
	$ cacheward reset --route landing --reason 'prices are right'      that of one route
	$ cacheward reset --all --keep --reason 'false alarm'              every trip
` + fleetLong + adminFlagsLong + `
Exit status: 0 if it is done; 1 if only in part, or if that is not known, or if an edge has
not confirmed it that is not silent; 2 if nothing was done.
`
)

// WireTrip makes a command of the verb trip. Exit ends it with a code.
func WireTrip(exit func(cmd *cobra.Command, code int) error) func(*cobra.Command) {
	return func(cmd *cobra.Command) {
		var q control.Trip
		flags := cmd.Flags()
		flags.StringVar(&q.Route, "route", "", "this route only")
		flags.StringVar(&q.Why, "reason", "", "why, for those who find caching stopped, and for the audit log")
		flags.StringVar(&q.By, "by", "", "who (default you@this-host)")
		wireControl(cmd, "trip", exit, func(ctx context.Context, c *controller, args []string) error {
			if err := noArguments(args); err != nil {
				return err
			}
			q.By = cmp.Or(q.By, whoami())
			if err := cmp.Or(reasonGiven(q.Why), q.Check()); err != nil {
				return usageError{err}
			}
			return c.switched(ctx, "/cacheward/trip", q, func(v view, r control.Switched) string { return trippedText(v, q, r) })
		})
	}
}

// WireReset makes a command of the verb reset. Exit ends it with a code.
func WireReset(exit func(cmd *cobra.Command, code int) error) func(*cobra.Command) {
	return func(cmd *cobra.Command) {
		var q control.Reset
		flags := cmd.Flags()
		flags.StringVar(&q.Route, "route", "", "end the trip of this route")
		flags.BoolVar(&q.All, "all", false, "end every trip")
		flags.BoolVar(&q.Keep, "keep", false, "serve again what was stored before the trip")
		flags.StringVar(&q.Why, "reason", "", "why, for the audit log")
		flags.StringVar(&q.By, "by", "", "who, for the audit log (default you@this-host)")
		wireControl(cmd, "reset", exit, func(ctx context.Context, c *controller, args []string) error {
			if err := noArguments(args); err != nil {
				return err
			}
			q.By = cmp.Or(q.By, whoami())
			if err := cmp.Or(reasonGiven(q.Why), q.Check()); err != nil {
				return usageError{err}
			}
			return c.switched(ctx, "/cacheward/reset", q, func(v view, r control.Switched) string { return resetText(v, q, r) })
		})
	}
}

// switched asks for a trip or a reset.
func (c *controller) switched(ctx context.Context, path string, question any, text func(view, control.Switched) string) error {
	var answer control.Switched
	if err := c.ask(ctx, http.MethodPost, path, question, &answer); err != nil {
		return err
	}
	if err := c.tell(answer, func(v view) string { return text(v, answer) }); err != nil {
		return err
	}
	if !done(answer) {
		return errPart
	}
	return nil
}

// done says whether a trip or reset did all that was asked for.
func done(r control.Switched) bool {
	return r.Saved && r.Settled && len(r.Problems) == 0 && delivered(r.Fleet)
}

func trippedText(v view, q control.Trip, r control.Switched) string {
	p := page{view: v}
	p.trips(r.Tripped)
	p.WriteByte('\n')
	if done(r) {
		p.headline(show.Strong, capital(r.Done))
	} else {
		p.headline(show.Bad, capital(r.Done)+", but not all of it worked")
	}
	if r.Settled {
		p.fact("in force", "after "+show.Duration(time.Duration(r.Took*float64(time.Millisecond)))+": nothing from the store is on its way to anybody any more", show.Good)
	} else {
		p.fact("in force", "but a request that had begun before may still be given a stored response", show.Bad)
	}
	p.delivery(r.Fleet)
	p.saved(r.Saved)
	p.notes(r.Notes, r.Problems)
	p.next("purge the CDN as well: it and browsers keep the copies that they have been given")
	p.next("what was served, and to whom", append([]string{"cacheward", "audit", "objects"}, routeFlag(q.Route)...)...)
	return p.String()
}

func resetText(v view, q control.Reset, r control.Switched) string {
	p := page{view: v}
	if len(r.Tripped) > 0 {
		p.trips(r.Tripped)
		p.WriteByte('\n')
	}
	switch {
	case done(r) && len(r.Tripped) == 0:
		p.headline(show.Strong, capital(r.Done)+": caching goes on")
	case done(r):
		p.headline(show.Strong, capital(r.Done)+": caching goes on, save what is stopped still")
	default:
		p.headline(show.Bad, capital(r.Done)+", but not all of it worked")
	}
	if q.Keep {
		p.fact("kept", "what was stored before the trip may be served again", show.Plain)
	} else {
		p.fact("dropped", plural(r.Removed, "response", "responses")+" stored before", show.Plain)
	}
	p.delivery(r.Fleet)
	p.saved(r.Saved)
	p.notes(r.Notes, r.Problems)
	p.next("see that it stays right", "cacheward", "status")
	return p.String()
}

func (p *page) saved(saved bool) {
	if saved {
		p.fact("saved", "it is still so after a reload or a restart", show.Good)
	} else {
		p.fact("saved", "no: a restart would undo it", show.Bad)
	}
}

func capital(s string) string {
	for i, r := range s {
		return strings.ToUpper(string(r)) + s[i+len(string(r)):]
	}
	return s
}

// reasonGiven says so in the words of the command line.
func reasonGiven(why string) error {
	if strings.TrimSpace(why) == "" {
		return errors.New("--reason is missing: it is for those who find this later")
	}
	return nil
}
