package command

import (
	"github.com/cacheward/cacheward/caddymodule/audit/show"
	"github.com/cacheward/cacheward/caddymodule/control"
)

// landings writes what waits to be reported to the app.
func (p *page) landings(list []control.LandingStatus) {
	type row = control.LandingStatus
	writeTable(p, []column[row]{
		words("landings of route", func(l row) show.Cell { return show.Colored(show.Strong, l.Route) }).flexible(),
		figures("waiting", func(l row) show.Cell { return figure(uint64(l.Waiting), show.Plain) }),
		words("oldest", func(l row) show.Cell {
			if l.Oldest.IsZero() {
				return show.Text("–")
			}
			return show.Text(p.ago(l.Oldest))
		}),
		figures("taken by the app", func(l row) show.Cell { return figure(l.Sent, show.Plain) }),
		figures("failed reports", func(l row) show.Cell { return figure(l.Failures, show.Warn) }),
		figures("lost", func(l row) show.Cell { return figure(l.Lost, show.Alarm) }),
	}, list)
}
