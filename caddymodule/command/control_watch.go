package command

import (
	"fmt"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
	"github.com/cacheward/cacheward/caddymodule/control"
)

// leaks writes a block for each watched URL at which visitors are given what belongs to
// others.
func (p *page) leaks(watched []control.WatchStatus) {
	for _, w := range watched {
		if w.State != control.WatchLeaking {
			continue
		}
		lines := []string{"A CACHE LEAKS: " + w.URL, "since " + p.ago(w.FirstLeak)}
		if !w.LastClean.IsZero() {
			lines[1] += "; the probe at " + show.Time(w.LastClean, p.loc) + " found none"
		}
		if w.Evidence != "" {
			lines = append(lines, "seen: "+w.Evidence)
		}
		if w.ClearAfter > 0 {
			lines = append(lines, fmt.Sprintf("it is over after %s without a leak while caching goes on; so far %d",
				plural(w.ClearAfter, "probe", "probes in a row"), w.Clean))
		}
		p.alarm(lines...)
		p.next("the evidence", "cacheward", "audit", "tail", "--where", `event == "leak"`)
		p.next("purge the cache in front, and look at what it has been told to keep")
		p.WriteByte('\n')
	}
}

// leaking says whether one of them is.
func leaking(watched []control.WatchStatus) bool {
	for _, w := range watched {
		if w.State == control.WatchLeaking {
			return true
		}
	}
	return false
}

// watched writes what is probed from outside.
func (p *page) watched(list []control.WatchStatus) {
	type row = control.WatchStatus
	writeTable(p, []column[row]{
		words("watched from outside", func(w row) show.Cell { return show.Colored(show.Strong, w.URL) }).flexible(),
		words("state", func(w row) show.Cell {
			switch w.State {
			case control.WatchLeaking:
				return show.Colored(show.Alarm, "LEAKING")
			case control.WatchClean:
				return show.Colored(show.Good, w.State)
			}
			return show.Colored(show.Warn, w.State)
		}),
		figures("probes", func(w row) show.Cell { return figure(w.Probes, show.Plain) }),
		figures("every", func(w row) show.Cell { return show.Text(fmt.Sprintf("%g s", w.Interval)) }),
		words("last clean", func(w row) show.Cell {
			if w.LastClean.IsZero() {
				return show.Colored(show.Dim, "never")
			}
			return show.Text(p.since(w.LastClean) + " ago")
		}).unlessNarrow(),
		words("on a leak", func(w row) show.Cell { return show.Text(w.OnLeak) }).unlessNarrow(),
		words("problem", func(w row) show.Cell { return show.Colored(show.Warn, w.Problem) }).flexible().unlessEmpty(),
	}, list)
}
