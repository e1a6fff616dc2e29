package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit/inquiry"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// routeRow is a route and its chart.
type routeRow struct {
	*inquiry.RouteSummary
	Refusals  int64
	Differed  int64
	Observes  bool
	Bar       string // of 100
	Sparkline *sparkline
}

// wouldRow is a route that only observes.
type wouldRow struct {
	Route string
	*inquiry.WouldBe
	Passed, Denied, Fills int64
	Bar                   string
	Against               list[inquiry.Count]
}

// outcomeTable counts how requests ended, by route.
type outcomeTable struct {
	Names []outcomeName
	Rows  [][]int64 // as the routes are
}

type outcomeName struct{ Title, Words string }

// outcomeNames are the outcomes in the order in which they are told.
var outcomeNames = []struct{ name, title, words string }{
	{"hit", "Hit", "answered from the cache"},
	{"stale", "Stale", "answered from the cache, past its time"},
	{"revalidated", "Revalidated", "answered from the cache, after the app had said that it still holds"},
	{"collapsed", "Waited", "for the answer to another's request"},
	{"fill", "Fill", "fetched for the cache"},
	{"pass", "Passed", "to the app, for the page could not be shared then"},
	{"bypass", "Bypass", "to the app, by the policy"},
	{"observe", "Observed", "to the app, on a route that only observes"},
	{"deny", "Denied", "refused with 400"},
	{"fault", "Fault", "to the app, after a fault of Cacheward's own"},
}

// overTable are the figures of the small charts of routes.
type overTable struct {
	Routes  []string
	Buckets []overRow
	More    int
}

type overRow struct {
	Begins time.Time
	Cells  []overCell
}

type overCell struct{ Requests, Served int64 }

// sparkRoutes is how many routes have a small chart.
const sparkRoutes = 50

// overRoutes is how many routes that table has.
const overRoutes = 12

// reasonTable is why something was not shared.
type reasonTable struct {
	list[reasonRow]
	Total, Silent int64
	Estimated     bool
}

type reasonRow struct {
	*inquiry.ReasonGroup
	Share   string
	Bar     string
	Where   []placeRow
	More    int
	Changes []string
	// Also are other reasons of the same records; nil: there are none.
	Also *list[inquiry.Count]
}

type placeRow struct {
	Text  string
	Count int64
}

// wordsShown is how many reasons are told beside one another.
const wordsShown = 8

// placesShown is how many places of a group are told.
const placesShown = 3

type objectRow struct {
	*inquiry.ObjectUsed
	Next string
}

func (p *page) tables(a *Answer, limit int) {
	s := a.summary
	ax := axis{s.Start, time.Duration(s.Bucket * float64(time.Second)), len(s.Total.RequestsOver)}
	var routes []routeRow
	var would []wouldRow
	for i := range s.Routes {
		r := &s.Routes[i]
		row := routeRow{
			RouteSummary: r, Refusals: sum(r.Refused), Differed: sum(r.Divergences), Bar: px(100 * r.HitShare),
			Observes: r.WouldBe != nil && r.WouldBe.Requests == r.Requests,
		}
		if i < sparkRoutes {
			row.Sparkline = newSparkline(ax, r.ServedOver, r.RequestsOver, p.loc)
		}
		routes = append(routes, row)
		if w := r.WouldBe; w != nil {
			would = append(would, wouldRow{
				Route: r.Route, WouldBe: w, Passed: of(w.Outcomes, "pass") + of(w.Outcomes, "bypass"), Denied: of(w.Outcomes, "deny"),
				Fills: of(w.Outcomes, "fill"), Bar: px(100 * w.HitShare), Against: limited(w.Reasons, wordsShown),
			})
		}
	}
	p.Routes, p.WouldBe = limited(routes, limit), limited(would, limit)
	p.outcomes()
	p.overRoutes(ax)
	slices.SortStableFunc(a.divergences.Groups, func(x, y inquiry.ReasonGroup) int { return cmp.Compare(y.Withdrawn, x.Withdrawn) })
	p.Refusals, p.Bypasses, p.Differ = reasonsOf(a.refusals, limit), reasonsOf(a.bypasses, limit), reasonsOf(a.divergences, limit)
	var objects []objectRow
	for i := range a.objects.Objects {
		o := &a.objects.Objects[i]
		objects = append(objects, objectRow{o, servedCommand(o.Object)})
	}
	slices.SortStableFunc(objects, func(x, y objectRow) int { return cmp.Compare(x.rank(), y.rank()) })
	p.Objects = limited(objects, limit)
}

func (p *page) outcomes() {
	for _, o := range outcomeNames {
		if of(p.Summary.Total.Outcomes, o.name) == 0 {
			continue
		}
		p.Outcomes.Names = append(p.Outcomes.Names, outcomeName{o.title, o.words})
		if p.Outcomes.Rows == nil {
			p.Outcomes.Rows = make([][]int64, len(p.Routes.Rows))
		}
		for i := range p.Routes.Rows {
			p.Outcomes.Rows[i] = append(p.Outcomes.Rows[i], of(p.Routes.Rows[i].Outcomes, o.name))
		}
	}
}

func (p *page) overRoutes(ax axis) {
	routes := limited(p.Routes.Rows, overRoutes)
	p.Over.More = routes.More + p.Routes.More
	for i := range routes.Rows {
		p.Over.Routes = append(p.Over.Routes, routes.Rows[i].Route)
	}
	for b := range ax.buckets {
		row := overRow{Begins: ax.begins(b)}
		for i := range routes.Rows {
			r := &routes.Rows[i]
			row.Cells = append(row.Cells, overCell{at(r.RequestsOver, b), at(r.ServedOver, b)})
		}
		p.Over.Buckets = append(p.Over.Buckets, row)
	}
}

func reasonsOf(a *inquiry.ReasonsAnswer, limit int) reasonTable {
	t := reasonTable{Total: a.Total, Silent: a.Silent, Estimated: a.PlacesEstimated}
	var rows []reasonRow
	for i := range a.Groups {
		rows = append(rows, newReasonRow(&a.Groups[i], a.Total))
	}
	t.list = limited(rows, limit)
	return t
}

func newReasonRow(g *inquiry.ReasonGroup, total int64) reasonRow {
	row := reasonRow{ReasonGroup: g, Share: show.Percent(g.Count, total)}
	if len(g.Also) > 0 {
		also := limited(g.Also, wordsShown)
		row.Also = &also
	}
	if total > 0 {
		row.Bar = px(100 * float64(g.Count) / float64(total))
	}
	seen := make(map[string]bool)
	for i := range g.Places {
		place := &g.Places[i]
		if len(row.Where) == placesShown {
			row.More++
			continue
		}
		if place.Change != "" && !seen[place.Change] {
			row.Changes, seen[place.Change] = append(row.Changes, place.Change), true
		}
		if text := place.String(); text != "" {
			row.Where = append(row.Where, placeRow{text, place.Count})
		}
	}
	if len(row.Changes) == 0 && g.General != "" {
		row.Changes = []string{g.General}
	}
	return row
}

// rank: what was withdrawn is what the report may be read for.
func (o objectRow) rank() int {
	switch {
	case o.State == inquiry.Withdrawn:
		return 0
	case o.Leaked:
		return 1
	}
	return 2
}

// Path is the URL without its scheme, which says little and is long.
func (o objectRow) Path() string {
	_, rest, ok := strings.Cut(o.URL, "://")
	if !ok {
		return o.URL
	}
	return rest
}

// LastMillis is when it was served last, for sorting.
func (o objectRow) LastMillis() int64 {
	if o.Last == nil {
		return 0
	}
	return o.Last.UnixMilli()
}

// FetchedMillis is when it was fetched, for sorting.
func (o objectRow) FetchedMillis() int64 {
	if o.Fetched == nil {
		return 0
	}
	return o.Fetched.UnixMilli()
}

// readingFigures are what was read.
type readingFigures struct {
	*reading.Stats
	Kinds []kindRow
}

type kindRow struct {
	Kind   string
	Count  int64
	Damage bool
	Places []string
	More   int64
}

// placesOfKind is how many positions of a kind of line are told.
const placesOfKind = 5

func newReading(s *reading.Stats) *readingFigures {
	if s == nil {
		return nil
	}
	r := &readingFigures{Stats: s}
	for _, k := range reading.AllKinds() {
		n := s.Skipped(k)
		if n == 0 {
			continue
		}
		row := kindRow{Kind: k.String(), Count: n, Damage: k.Damage()}
		for _, position := range s.Positions(k)[:min(placesOfKind, len(s.Positions(k)))] {
			row.Places = append(row.Places, fmt.Sprintf("%s:%d", position.File, position.Line))
		}
		row.More = n - int64(len(row.Places))
		r.Kinds = append(r.Kinds, row)
	}
	return r
}

func sum(counts []inquiry.Count) int64 {
	n := int64(0)
	for _, c := range counts {
		n += c.N
	}
	return n
}

func of(counts []inquiry.Count, name string) int64 {
	for _, c := range counts {
		if c.Name == name {
			return c.N
		}
	}
	return 0
}
