package report

import (
	"html/template"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/inquiry"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// page is what the layout shows. Its methods write figures and texts: whatever comes
// from a log goes through Safe, so that nothing invisible or turning around is in it.
type page struct {
	Title  string
	Policy string
	Style  template.CSS
	Script template.JS

	Window, Asked, Made string
	Files               []string
	MoreFiles           int

	Summary *inquiry.SummaryAnswer
	Alarms  []happening // the grave ones, the gravest first
	Others  []happening
	// MoreAlarms and MoreOthers say how many of which event are left out.
	MoreAlarms, MoreOthers []string

	Missing  []string // why figures are too low
	Chart    *chart
	Share    *chart
	Groups   []group
	Buckets  []bucketRow
	Routes   list[routeRow]
	Outcomes outcomeTable
	Over     overTable
	WouldBe  list[wouldRow]
	Refusals reasonTable
	Bypasses reasonTable
	Differ   reasonTable
	Objects  list[objectRow]
	Serves   int
	Probes   int // of the serves
	NoObject string
	Notes    []string
	Reading  *readingFigures
	Sampled  string

	loc *time.Location
}

// list is a list of which only the first rows are shown.
type list[T any] struct {
	Rows []T
	More int
}

// Len is how many there are.
func (l list[T]) Len() int { return len(l.Rows) + l.More }

// Rest is how many are not shown, in words; empty: none.
func (l list[T]) Rest() string {
	if l.More == 0 {
		return ""
	}
	return show.Count(int64(l.More))
}

func limited[T any](rows []T, limit int) list[T] {
	if limit <= 0 || limit > MaxRows {
		limit = MaxRows
	}
	shown := min(limit, len(rows))
	return list[T]{rows[:shown], len(rows) - shown}
}

// maxText is how many bytes of a text from a log are shown.
const maxText = 400

// Safe is the text with nothing in it that a browser would hide or obey, cut off where it
// is very long.
func (p *page) Safe(s string) string {
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return show.Safe(s)
}

// OrDash is a safe text, or a dash for none.
func (p *page) OrDash(s string) string {
	if s == "" {
		return "–"
	}
	return p.Safe(s)
}

// Route is the name of a route; requests that no route matched have none.
func (p *page) Route(s string) string {
	if s == "" {
		return "(no route)"
	}
	return p.Safe(s)
}

// Count is a number with separators.
func (p *page) Count(n int64) string { return show.Count(n) }

// Number is Count of an int.
func (p *page) Number(n int) string { return show.Count(int64(n)) }

// About is a number that may be an estimate.
func (p *page) About(n int64, estimated bool) string { return show.Estimate(n, estimated) }

// Bytes is a size.
func (p *page) Bytes(n int64, estimated bool) string {
	if estimated {
		return "~" + show.Bytes(n)
	}
	return show.Bytes(n)
}

// Percent is the share of part in whole.
func (p *page) Percent(part, whole int64) string { return show.Percent(part, whole) }

// PercentOf is a share, 0 to 1.
func (p *page) PercentOf(share float64) string { return show.PercentOf(share) }

// Time is a moment to the second.
func (p *page) Time(t time.Time) string { return show.Time(t, p.loc) }

// Millis is a moment for sorting.
func (p *page) Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Words are a sentence, cut where it has code between backticks.
func (p *page) Words(s string) []fragment { return words(p.Safe(s)) }

// words are those of a sentence in which nothing is of a log but what was checked.
func words(s string) []fragment {
	var fragments []fragment
	for i, text := range strings.Split(s, "`") {
		if text != "" {
			fragments = append(fragments, fragment{text, i%2 == 1})
		}
	}
	return fragments
}

type fragment struct {
	Text string
	Code bool
}

// servedCommand says who was served an object. Empty if its ID is none that could stand
// in a command.
func servedCommand(object string) string {
	if !plainID.MatchString(object) {
		return ""
	}
	return "cacheward audit served --object " + object
}

// servedURLCommand says who was served a page, by its host and path. Empty if it could be
// anything else in a command.
func servedURLCommand(url string) string {
	if url = pastableURL(url); url == "" {
		return ""
	}
	return "cacheward audit served --url " + url
}

// pastableURL is a URL without its query. Empty if it could be anything else in a command.
func pastableURL(url string) string {
	url, _, _ = strings.Cut(url, "?")
	if !plainURL.MatchString(url) {
		return ""
	}
	return url
}

var plainURL = regexp.MustCompile(`^https?://[A-Za-z0-9.:-]{1,255}/[A-Za-z0-9._/%+-]{0,300}$`)

var plainID = regexp.MustCompile(`^[0-9a-f][0-9a-f-]{7,63}$`)

// maxFiles is how many names of files are told.
const maxFiles = 8

func newPage(a *Answer, o PageOptions) *page {
	if o.Location == nil {
		o.Location = time.UTC
	}
	p := &page{
		Title: o.Title, Policy: contentPolicy(), Style: template.CSS(style), Script: template.JS(script), //nolint:gosec // our own
		Asked: o.Asked, Files: o.Files, Summary: a.summary, loc: o.Location,
		Serves: a.objects.Serves, Probes: a.objects.Probes, NoObject: a.noObjects, Notes: a.objects.Notes, Reading: newReading(o.Stats),
	}
	if p.Title == "" {
		p.Title = "Cacheward audit report"
	}
	if len(p.Files) > maxFiles {
		p.Files, p.MoreFiles = p.Files[:maxFiles], len(p.Files)-maxFiles
	}
	if !o.Made.IsZero() {
		p.Made = show.Time(o.Made, o.Location)
	}
	p.Window = show.Span(a.summary.From, a.summary.To, o.Location)
	p.asked(o)
	p.happened(a, o.Limit)
	p.missing(a)
	p.overTime(a)
	p.tables(a, o.Limit)
	return p
}

// asked says which window was asked for, if one was.
func (p *page) asked(o PageOptions) {
	var parts []string
	if !o.Since.IsZero() {
		parts = append(parts, "from "+show.Time(o.Since, p.loc))
	}
	if !o.Until.IsZero() {
		parts = append(parts, "until "+show.Time(o.Until, p.loc))
	}
	if o.Asked != "" {
		parts = append(parts, o.Asked)
	}
	p.Asked = strings.Join(parts, ", ")
}

// happened sorts what is notable by how grave it is.
func (p *page) happened(a *Answer, limit int) {
	all := happenings(a.summary.Notable, p.loc)
	told := make(map[string]int64)
	var grave, others []happening
	for _, h := range all {
		if slices.Contains(graveEvents, audit.Event(h.Event)) {
			grave = append(grave, h)
		} else {
			others = append(others, h)
		}
	}
	slices.SortStableFunc(grave, func(x, y happening) int { return gravity(x) - gravity(y) })
	p.Alarms, p.Others = limited(grave, limit).Rows, limited(others, limit).Rows
	for _, h := range append(slices.Clone(p.Alarms), p.Others...) {
		told[h.Event]++
	}
	for _, c := range a.summary.Events {
		if more := c.N - told[c.Name]; more > 0 {
			text := show.Count(more) + " more of the event " + c.Name
			if slices.Contains(graveEvents, audit.Event(c.Name)) {
				p.MoreAlarms = append(p.MoreAlarms, text)
			} else {
				p.MoreOthers = append(p.MoreOthers, text)
			}
		}
	}
}

// missing says why the figures are too low, or estimates.
func (p *page) missing(a *Answer) {
	p.Missing = a.objects.Incomplete
	if a.noObjects != "" && a.summary.Lost > 0 {
		p.Missing = append(p.Missing, counted(a.summary.Lost, "record was", "records were")+" lost, because the queue of the log was full")
	}
	if a.sampled > 0 {
		p.Sampled = show.PercentOf(a.sampled / 100)
	}
}

func (p *page) overTime(a *Answer) {
	t := a.timeline
	p.Groups = groupsOf(t)
	if t.Buckets == 0 || len(p.Groups) == 0 {
		return
	}
	ax := axis{t.Start, time.Duration(t.Bucket * float64(time.Second)), t.Buckets}
	p.Chart = newChart(ax, p.Groups, append(slices.Clone(p.Alarms), p.Others...), p.loc)
	all, served := make([]int64, t.Buckets), make([]int64, t.Buckets)
	for i := range t.Buckets {
		row := bucketRow{Begins: ax.begins(i)}
		for _, g := range p.Groups {
			n := g.at(i)
			all[i] += n
			if g.ID == "cache" {
				served[i] = n
			}
			row.Counts = append(row.Counts, n)
		}
		row.All, row.Served = all[i], served[i]
		p.Buckets = append(p.Buckets, row)
	}
	p.Share = newShareChart(ax, served, all, p.loc)
}

// bucketRow is a column of the chart, in figures.
type bucketRow struct {
	Begins      time.Time
	Counts      []int64
	All, Served int64
}

// happenedList and reasonSection are what parts of the layout are given.
type happenedList struct {
	P    *page
	List []happening
}

// Happened is for a list of what happened.
func (p *page) Happened(list []happening) happenedList { return happenedList{p, list} }

type reasonSection struct {
	P                    *page
	ID, Caption, Nothing string
	Table                reasonTable
}

// ReasonSection is for a table of reasons.
func (p *page) ReasonSection(id, caption, nothing string, table reasonTable) reasonSection {
	return reasonSection{p, id, caption, nothing, table}
}
