package inquiry

import (
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
	"github.com/cacheward/cacheward/policies"
)

const (
	// chartCells is how wide the charts in tables are.
	chartCells = 20
	// totalsCells is what stands before the charts of the totals.
	totalsCells = 50
	// textKeys and textNotable are how many keys and events of a kind the text tells;
	// the JSON has more.
	textKeys    = 8
	textNotable = 3
)

// Text writes the answer for people: what is alarming first, then the figures.
func (a *SummaryAnswer) Text(w io.Writer, o TextOptions) error {
	p := &page{w: w, o: o}
	p.title("Summary", show.Span(a.From, a.To, o.Location), counted(int(a.Records), "record", "records"))
	if a.Records == 0 {
		p.say(show.Plain, "", "There is nothing to sum up.")
		return p.err
	}
	a.alarms(p)
	a.totals(p)
	a.edges(p)
	a.routes(p)
	a.reasons(p)
	a.divergences(p)
	a.wouldBe(p)
	a.keys(p)
	a.footnotes(p)
	return p.err
}

func (a *SummaryAnswer) totals(p *page) {
	r := &a.Total
	if r.Requests == 0 {
		p.heading("No requests")
		return
	}
	p.heading("Overall")
	t := &show.Table{Indent: 2, Columns: []show.Column{{}, {Align: show.Right}, {Align: show.Right}, {}}}
	about := r.Estimated
	step := 1
	if p.o.Width > 0 {
		step = steps(len(r.RequestsOver), p.o.Width-totalsCells)
	}
	requests, served := squeeze(r.RequestsOver, step), squeeze(r.ServedOver, step)
	t.Row(show.Text("requests"), show.Text(show.Estimate(r.Requests, about)), show.Text(""),
		show.Colored(show.Info, show.Sparkline(floats(requests))))
	t.Row(show.Text("answered from the cache"), show.Text(show.Estimate(r.Served, about)),
		show.Colored(shareColor(r.HitShare), show.Percent(r.Served, r.Requests)),
		show.Colored(show.Good, show.SparklineTo(shares(served, requests), 1)))
	t.Row(show.Text("requests that the app got"), show.Text(show.Count(r.Origin)))
	t.Row(show.Text("not made anew by the app"), show.Text(bytesOf(r.Saved, about)))
	p.table(t)
	if len(requests) > 1 {
		length := time.Duration(step) * time.Duration(a.Bucket) * time.Second
		p.say(show.Dim, "  ", fmt.Sprintf("Each column is %s, from %s on; the highest is %s.", show.Duration(length),
			show.Time(a.Start, p.o.Location), counted(int(slices.Max(requests)), "request", "requests")))
	}
}

func bytesOf(n int64, about bool) string {
	if about {
		return "~" + show.Bytes(n)
	}
	return show.Bytes(n)
}

func shareColor(share float64) show.Color {
	switch {
	case share >= 0.8:
		return show.Good
	case share >= 0.3:
		return show.Warn
	}
	return show.Plain
}

// shares of served requests in all, not known where there were none.
func shares(served, requests []int64) []float64 {
	out := make([]float64, len(requests))
	for i, n := range requests {
		out[i] = math.NaN()
		if n > 0 {
			out[i] = float64(served[i]) / float64(n)
		}
	}
	return out
}

func (a *SummaryAnswer) edges(p *page) {
	if len(a.Edges) == 0 {
		return
	}
	p.heading("Edges")
	t := &show.Table{Indent: 2, Columns: []show.Column{
		{Title: "Edge", Flexible: true}, {Title: "Requests", Align: show.Right}, {Title: "From cache", Align: show.Right}, {},
		{Title: "App got", Align: show.Right},
	}}
	for i := range a.Edges[:p.limited(len(a.Edges))] {
		e := &a.Edges[i]
		bar := show.Cell{}
		if e.Requests > 0 && p.wide() {
			bar = show.Colored(shareColor(e.HitShare), show.Bar(e.HitShare, 10))
		}
		t.Row(show.Colored(show.Info, e.Edge), show.Text(show.Estimate(e.Requests, e.Estimated)),
			show.Colored(shareColor(e.HitShare), show.Percent(e.Served, e.Requests)), bar, show.Text(show.Count(e.Origin)))
	}
	p.table(t)
	p.more(len(a.Edges)-p.limited(len(a.Edges)), "more edge", "more edges")
}

func (a *SummaryAnswer) routes(p *page) {
	if len(a.Routes) == 0 {
		return
	}
	p.heading("Routes")
	t := &show.Table{Indent: 2, Columns: []show.Column{
		{Title: "Route", Flexible: true}, {Title: "Requests", Align: show.Right}, {Title: "From cache", Align: show.Right}, {},
		{Title: "App got", Align: show.Right}, {Title: "Saved", Align: show.Right}, {Title: "Not stored", Align: show.Right},
	}}
	if p.wide() {
		t.Columns = append(t.Columns, show.Column{Title: "Over time"})
	}
	for i := range a.Routes[:p.limited(len(a.Routes))] {
		r := &a.Routes[i]
		shareCell, bar := show.Colored(shareColor(r.HitShare), show.Percent(r.Served, r.Requests)),
			show.Colored(shareColor(r.HitShare), show.Bar(r.HitShare, 10))
		if r.WouldBe != nil && r.WouldBe.Requests == r.Requests {
			shareCell, bar = show.Colored(show.Dim, "–"), show.Colored(show.Dim, "observes")
		}
		if r.Requests == 0 || !p.wide() {
			bar = show.Cell{}
		}
		refused := int64(0)
		for _, c := range r.Refused {
			refused += c.N
		}
		refusedColor := show.Plain
		if r.Withdrawn > 0 {
			refusedColor = show.Bad
		}
		t.Row(show.Colored(show.Info, orDash(r.Route)), show.Text(show.Estimate(r.Requests, r.Estimated)), shareCell, bar,
			show.Text(show.Count(r.Origin)), show.Text(bytesOf(r.Saved, r.Estimated)), show.Colored(refusedColor, show.Count(refused)),
			show.Colored(show.Info, show.Sparkline(floats(squeeze(r.RequestsOver, steps(len(r.RequestsOver), chartCells))))))
	}
	p.table(t)
	p.more(len(a.Routes)-p.limited(len(a.Routes)), "more route", "more routes")
	a.outcomes(p)
}

// outcomes of requests, in the order in which they are told, and in words.
var outcomes = []struct{ name, title string }{
	{"hit", "Hit"}, {"stale", "Stale"}, {"revalidated", "Revalidated"}, {"collapsed", "Waited"}, {"fill", "Fill"},
	{"pass", "Passed"}, {"bypass", "Bypass"}, {"observe", "Observed"}, {"deny", "Denied"}, {"fault", "Fault"},
}

func (a *SummaryAnswer) outcomes(p *page) {
	t := &show.Table{Indent: 2, Columns: []show.Column{{Title: "Route", Flexible: true}}}
	var names []string
	for _, o := range outcomes {
		if countOf(a.Total.Outcomes, o.name) > 0 {
			t.Columns = append(t.Columns, show.Column{Title: o.title, Align: show.Right})
			names = append(names, o.name)
		}
	}
	for i := range a.Routes[:p.limited(len(a.Routes))] {
		r := &a.Routes[i]
		row := []show.Cell{show.Colored(show.Info, orDash(r.Route))}
		for _, name := range names {
			n := countOf(r.Outcomes, name)
			switch estimated := r.Estimated && name != "pass" && name != "bypass" && name != "deny"; {
			case n == 0:
				row = append(row, show.Colored(show.Dim, "·"))
			default:
				row = append(row, show.Colored(outcomeColor(name), show.Estimate(n, estimated)))
			}
		}
		t.Row(row...)
	}
	p.heading("How requests ended")
	p.table(t)
}

func countOf(counts []Count, name string) int64 {
	for _, c := range counts {
		if c.Name == name {
			return c.N
		}
	}
	return 0
}

// outcomeColor is the colour of an outcome or event: how good it is.
func outcomeColor(name string) show.Color {
	switch name {
	case "hit", "stale", "revalidated", "collapsed", "store", "refresh", "clear":
		return show.Good
	case "fill", "observe", "pass", "bypass", "expire", "evict":
		return show.Plain
	case "deny", "refuse", "purge", "reset":
		return show.Warn
	}
	return show.Bad
}

func (a *SummaryAnswer) reasons(p *page) {
	a.reasonTable(p, "Why requests went to the app, or were refused", "Requests", func(r *RouteSummary) []Count { return r.Passed })
	a.reasonTable(p, "Why answers of the app were not stored", "Answers", func(r *RouteSummary) []Count { return r.Refused })
}

// reasonTable lists the reasons of all routes, the most frequent first.
func (a *SummaryAnswer) reasonTable(p *page, heading, title string, of func(*RouteSummary) []Count) {
	type line struct {
		route string
		Count
	}
	var lines []line
	for i := range a.Routes {
		for _, c := range of(&a.Routes[i]) {
			lines = append(lines, line{a.Routes[i].Route, c})
		}
	}
	if len(lines) == 0 {
		return
	}
	slices.SortStableFunc(lines, func(a, b line) int { return int(min(1, max(-1, b.N-a.N))) })
	p.heading(heading)
	t := &show.Table{Indent: 2, Columns: []show.Column{
		{Title: title, Align: show.Right}, {Title: "Route"}, {Title: "Reason"}, {Title: "What it is", Flexible: true},
	}}
	for _, l := range lines[:p.limited(len(lines))] {
		t.Row(show.Text(show.Count(l.N)), show.Colored(show.Info, orDash(l.route)), show.Colored(show.Warn, l.Name),
			show.Text(reasonInfo(l.Name).Sentence))
	}
	p.table(t)
	p.more(len(lines)-p.limited(len(lines)), "more line", "more lines")
}

func (a *SummaryAnswer) divergences(p *page) {
	t := &show.Table{Indent: 2, Columns: []show.Column{
		{Title: "Times", Align: show.Right}, {Title: "Route"}, {Title: "Kind"}, {Title: "What it is", Flexible: true},
	}}
	for i := range a.Routes {
		for _, c := range a.Routes[i].Divergences {
			info := policies.Class(c.Name).Info()
			t.Row(show.Text(show.Count(c.N)), show.Colored(show.Info, orDash(a.Routes[i].Route)),
				show.Colored(show.Warn, orDash(c.Name)), show.Text(info.Sentence))
		}
	}
	if t.Len() == 0 {
		return
	}
	p.heading("Where two answers differed, so that neither was shared")
	p.table(t)
}

func (a *SummaryAnswer) wouldBe(p *page) {
	t := &show.Table{Indent: 2, Columns: []show.Column{
		{Title: "Route"}, {Title: "Requests", Align: show.Right}, {Title: "From cache", Align: show.Right}, {},
		{Title: "Passed on", Align: show.Right}, {Title: "Denied", Align: show.Right}, {Title: "What would speak against it", Flexible: true},
	}}
	for i := range a.Routes {
		r := &a.Routes[i]
		would := r.WouldBe
		if would == nil {
			continue
		}
		against := "nothing"
		for j, c := range would.Reasons {
			if against += ", "; j == 0 {
				against = ""
			}
			against += c.Name + " " + show.Count(c.N)
		}
		bar := show.Cell{}
		if p.wide() {
			bar = show.Colored(shareColor(would.HitShare), show.Bar(would.HitShare, 10))
		}
		passed := countOf(would.Outcomes, "pass") + countOf(would.Outcomes, "bypass")
		t.Row(show.Colored(show.Info, orDash(r.Route)), show.Text(show.Count(would.Requests)),
			show.Colored(shareColor(would.HitShare), show.PercentOf(would.HitShare)),
			bar, show.Text(show.Count(passed)), show.Text(show.Count(countOf(would.Outcomes, "deny"))), show.Text(against))
	}
	if t.Len() == 0 {
		return
	}
	p.heading("What would have been, on routes that only observe")
	p.table(t)
}

func (a *SummaryAnswer) keys(p *page) {
	if len(a.Keys) == 0 {
		return
	}
	p.heading("Most asked for")
	t := &show.Table{Indent: 2, Columns: []show.Column{
		{Title: "Requests", Align: show.Right}, {Title: "From cache", Align: show.Right}, {Title: "Route"}, {Title: "Key"},
		{Title: "For example", Flexible: true},
	}}
	for i := range a.Keys[:min(len(a.Keys), textKeys)] {
		k := &a.Keys[i]
		t.Row(show.Text(show.Estimate(k.Requests, a.Total.Estimated || a.KeysEstimated)), show.Text(show.Percent(k.Served, k.Requests)),
			show.Colored(show.Info, orDash(k.Route)), show.Colored(show.Dim, k.Key), show.Text(k.URL))
	}
	p.table(t)
	if a.KeysEstimated {
		p.say(show.Dim, "  ", fmt.Sprintf("There are more than %s keys, so these counts are estimates: each may be too low by up to %s.",
			show.Count(MaxDistinct), show.Count(a.KeysLow)))
	}
}

func (a *SummaryAnswer) footnotes(p *page) {
	if a.Total.Requests == 0 {
		p.probesLeftOut(a.Total.Probes, a.Total.Estimated)
		return
	}
	p.line("")
	p.say(show.Dim, "", "App got: requests that went to the app untouched, and those that fetched a page for the cache; two that were "+
		"compared with each other count as one. From cache: the answer had been stored for an earlier request. Waited: for the "+
		"answer to another's request. Passed: to the app, for the page could not be shared then. Bypass: to the app, by the policy.")
	if a.Total.Estimated {
		p.say(show.Dim, "", "~: an estimate, for only a share of the requests that were answered from the cache is on record.")
	}
	p.probesLeftOut(a.Total.Probes, a.Total.Estimated)
}
