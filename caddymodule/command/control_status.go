package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"

	"github.com/spf13/cobra"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
	"github.com/cacheward/cacheward/caddymodule/control"
)

// What cacheward status --help says.
const (
	StatusUsage = "[--limit <routes> | --all-edges] " + adminFlagsUsage
	StatusShort = "Shows the state of a running proxy"
	StatusLong  = `
Shows the state of the running proxy: trips in force before all else, then its handlers,
with the digest of the policy and the figures of each route since the process began, the
stores against their bounds, the queue of the audit log, and what probes from outside have
found at the watched URLs. Where several edges work together, it shows them as the edge that
is asked knows them: who is there, how far each has come, and for how long it was silent.

	$ cacheward status
	$ cacheward status --all-edges        the edges alone
	$ cacheward status --address unix//run/caddy-admin.sock
	$ cacheward status --format json | jq '.handlers[].routes[] | select(.tripped)'

"From cache" is the share of requests that were served from an object; "refused" counts
the origin's answers that were not stored, by their first reason.
` + adminFlagsLong + `
Exit status: 0 if caching goes on and there is no problem; 1 if anything is tripped, or
there are problems, or a watched URL leaks, or the edge does not hear from the others (with
--all-edges, also if another one is silent); 2 if the proxy could not be asked.
`
)

// WireStatus makes a command of the verb status. Exit ends it with a code.
func WireStatus(exit func(cmd *cobra.Command, code int) error) func(*cobra.Command) {
	return func(cmd *cobra.Command) {
		limit := cmd.Flags().Int("limit", 40, "routes that are shown of a handler, the busiest first; 0: all")
		allEdges := cmd.Flags().Bool("all-edges", false, "only the edges that work together, as this one knows them")
		wireControl(cmd, "status", exit, func(ctx context.Context, c *controller, args []string) error {
			if err := noArguments(args); err != nil {
				return err
			}
			if *limit < 0 {
				return usageError{errors.New("--limit is below 0")}
			}
			var answer control.Status
			if err := c.ask(ctx, http.MethodGet, "/cacheward/status", nil, &answer); err != nil {
				return err
			}
			if *allEdges {
				return c.allEdges(answer)
			}
			if err := c.tell(answer, func(v view) string { return statusText(v, answer, *limit) }); err != nil {
				return err
			}
			if len(answer.Tripped) > 0 || len(answer.Problems) > 0 || leaking(answer.Watched) || cutOff(answer.Fleets) {
				return errPart
			}
			return nil
		})
	}
}

// allEdges shows the edges alone.
func (c *controller) allEdges(s control.Status) error {
	if len(s.Fleets) == 0 {
		return errors.New("this edge is alone: none of its stores is shared with others")
	}
	answer := fleetAnswer{Schema: s.Schema, Fleets: s.Fleets}
	if err := c.tell(answer, func(v view) string { return fleetsText(v, s.Fleets) }); err != nil {
		return err
	}
	if cutOff(s.Fleets) || anySilent(s.Fleets) {
		return errPart
	}
	return nil
}

func statusText(v view, s control.Status, limit int) string {
	p := page{view: v}
	if len(s.Tripped) > 0 {
		p.trips(s.Tripped)
		p.WriteByte('\n')
	}
	p.leaks(s.Watched)
	p.partitions(s.Fleets)
	p.headline(show.Strong, "Cacheward "+s.Version)
	if len(s.Tripped) == 0 {
		p.fact("caching", "goes on: nothing is tripped", show.Good)
	}
	running := "since " + p.ago(s.Started)
	if !s.Loaded.IsZero() {
		running += ", this configuration since " + p.ago(s.Loaded)
	}
	p.fact("running", running, show.Plain)
	p.notes(nil, s.Problems)
	for _, h := range s.Handlers {
		p.handler(h, limit)
	}
	if len(s.Stores) > 0 {
		p.WriteByte('\n')
		p.stores(s.Stores)
	}
	for i := range s.Fleets {
		p.WriteByte('\n')
		p.fleet(&s.Fleets[i])
	}
	if len(s.Watched) > 0 {
		p.WriteByte('\n')
		p.watched(s.Watched)
	}
	if len(s.Landings) > 0 {
		p.WriteByte('\n')
		p.landings(s.Landings)
	}
	return p.String()
}

func (p *page) handler(h control.HandlerStatus, limit int) {
	p.WriteByte('\n')
	p.headline(show.Strong, capital(h.Handler))
	policy := "digest " + h.Policy
	if h.PolicyFile != "" {
		policy = h.PolicyFile + ", " + policy
	}
	p.fact("policy", policy+", mode "+h.Mode+", store "+h.Store, show.Plain)
	p.audit(h.Audit)
	p.WriteByte('\n')
	shown := slices.SortedStableFunc(slices.Values(h.Routes), func(a, b control.RouteStatus) int {
		return cmp.Or(cmp.Compare(urgency(a), urgency(b)), cmp.Compare(b.Requests, a.Requests))
	})
	left := []control.RouteStatus(nil)
	if limit > 0 && len(shown) > limit {
		shown, left = shown[:limit], shown[limit:]
	}
	p.routes(shown)
	if len(left) > 0 {
		var requests uint64
		for _, r := range left {
			requests += r.Requests
		}
		p.fact("", fmt.Sprintf("and %s with %s; --limit 0 shows all",
			plural(len(left), "more route", "more routes"), plural(int(requests), "request", "requests")), show.Dim)
	}
}

// urgency is lowest for what has to be seen first.
func urgency(r control.RouteStatus) int {
	switch {
	case r.Tripped:
		return 0
	case r.Withdrawn > 0 || r.Suspended:
		return 1
	}
	return 2
}

func (p *page) audit(a control.AuditStatus) {
	text := fmt.Sprintf("serves %s; %s written, %s of %s queued", a.Serves, show.Count(int64(a.Written)), show.Count(int64(a.Queued)), show.Count(int64(a.Room)))
	color := show.Plain
	if a.Full == "wait" {
		text += ", requests wait for room"
	} else if a.Room > 0 && a.Queued*10 > a.Room*9 {
		color = show.Warn
	}
	p.fact("audit", text, color)
	if a.Dropped > 0 {
		p.alarm(fmt.Sprintf("%s LOST: the queue was full; the audit log is not complete", plural(int(a.Dropped), "AUDIT RECORD WAS", "AUDIT RECORDS WERE")))
	}
}

const barWidth = 8

func (p *page) routes(routes []control.RouteStatus) {
	type row = control.RouteStatus
	writeTable(p, []column[row]{
		words("route", func(r row) show.Cell { return show.Colored(show.Strong, r.Route) }).flexible(),
		words("cache", func(r row) show.Cell { return show.Text(r.Cache) }),
		figures("requests", func(r row) show.Cell { return figure(r.Requests, show.Plain) }),
		figures("from cache", func(r row) show.Cell { return show.Text(show.PercentOf(fromCache(r))) }),
		words("", func(r row) show.Cell {
			if share := fromCache(r); !math.IsNaN(share) {
				return show.Colored(show.Info, show.Bar(share, barWidth))
			}
			return show.Text("")
		}).unlessNarrow(),
		figures("fills", func(r row) show.Cell { return figure(r.Fills, show.Plain) }).unlessNarrow(),
		figures("refused", func(r row) show.Cell { n, _ := refusedMost(r.Refusals); return figure(n, show.Plain) }),
		words("most often", func(r row) show.Cell { _, reason := refusedMost(r.Refusals); return show.Text(reason) }).flexible().unlessEmpty().unlessNarrow(),
		figures("diverged", func(r row) show.Cell { return figure(r.Diverged, show.Warn) }).unlessEmpty(),
		figures("withdrawn", func(r row) show.Cell { return figure(r.Withdrawn, show.Bad) }).unlessEmpty(),
		words("", standing).unlessEmpty(),
	}, routes)
}

// fromCache is the share of requests that were served from an object. Where nothing was
// asked for, or nothing can be served, there is none.
func fromCache(r control.RouteStatus) float64 {
	if r.Requests == 0 || r.Mode == "observe" || r.Cache == "never" {
		return math.NaN()
	}
	var hits uint64
	for _, outcome := range []string{"hit", "stale", "revalidated", "collapsed"} {
		hits += r.Outcomes[outcome]
	}
	return float64(hits) / float64(r.Requests)
}

// figure is a number that is dim when there is nothing to tell.
func figure[N int | int64 | uint64](n N, color show.Color) show.Cell {
	if n == 0 {
		color = show.Dim
	}
	return show.Colored(color, show.Count(int64(n)))
}

// standing is what is out of the ordinary.
func standing(r control.RouteStatus) show.Cell {
	switch {
	case r.Tripped:
		return show.Colored(show.Alarm, "TRIPPED")
	case r.Suspended:
		return show.Colored(show.Warn, "suspended")
	case r.Mode == "observe":
		return show.Colored(show.Info, "observed")
	}
	return show.Text("")
}

// refusedMost is how many were refused, and the reason of most of them.
func refusedMost(byReason map[string]uint64) (sum uint64, most string) {
	for _, reason := range slices.Sorted(maps.Keys(byReason)) {
		n := byReason[reason]
		if sum += n; n > byReason[most] {
			most = reason
		}
	}
	return sum, most
}

func (p *page) stores(stores []control.StoreStatus) {
	type row = control.StoreStatus
	writeTable(p, []column[row]{
		words("store", func(s row) show.Cell { return show.Colored(show.Strong, s.Store) }).flexible(),
		figures("objects", func(s row) show.Cell { return figure(s.Objects, show.Plain) }),
		figures("bytes", func(s row) show.Cell { return show.Text(show.Bytes(s.Bytes)) }),
		words("of", func(s row) show.Cell {
			if s.Limit <= 0 {
				return show.Text("no limit")
			}
			return show.Text(show.Bytes(s.Limit))
		}),
		words("", fullness).unlessNarrow(),
		figures("evicted", func(s row) show.Cell { return figure(s.Evictions, show.Plain) }),
		figures("expired", func(s row) show.Cell { return figure(s.Expirations, show.Plain) }),
		figures("refusals known", func(s row) show.Cell { return figure(s.Refusals, show.Plain) }),
		figures("fills", func(s row) show.Cell { return figure(s.Fills, show.Plain) }),
		figures("held by them", func(s row) show.Cell { return show.Text(show.Bytes(s.FillBytes) + " of " + show.Bytes(s.FillLimit)) }).unlessNarrow(),
	}, stores)
}

// nearlyFull is the share of a store's limit from which on its bar is a warning.
const nearlyFull = 0.9

func fullness(s control.StoreStatus) show.Cell {
	if s.Limit <= 0 {
		return show.Text("")
	}
	share, color := float64(s.Bytes)/float64(s.Limit), show.Info
	if share > nearlyFull {
		color = show.Warn
	}
	return show.Colored(color, show.Bar(share, barWidth))
}
