package inquiry

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// TextOptions say how an answer is laid out for a terminal.
type TextOptions struct {
	Style show.Style
	// Width of the terminal in cells; 0: lines are as long as they are.
	Width int
	// Location of the times.
	Location *time.Location
	// Limit of rows in each list; 0: no limit.
	Limit int
}

// Text writes the answer for people: what is missing first, then each object with those
// who were served it, then what to do next.
func (a *ServedAnswer) Text(w io.Writer, o TextOptions) error {
	p := &page{w: w, o: o}
	p.alarm("THE LIST IS NOT COMPLETE", a.Incomplete)
	if a.First != nil {
		p.phrases(show.Colored(show.Strong, counted(a.Objects.Len(), "object", "objects")+" served"),
			show.Colored(show.Strong, counted(a.Serves, "time", "times")+" to "+counted(a.Visitors, "visitor", "visitors")+andProbes(a.Probes)),
			show.Text(show.Span(*a.First, *a.Last, o.Location)))
	} else {
		p.phrases(show.Colored(show.Strong, counted(a.Objects.Len(), "object", "objects")),
			show.Text("served to nobody as far as these records tell"))
	}
	if a.OwnAnswers > 0 {
		probes := ""
		if a.OwnProbes > 0 {
			probes = " (" + counted(a.OwnProbes, "was a probe's", "were probes'") + ")"
		}
		p.said(show.Plain, "%s for it got the origin's answer to their own request, which nobody shares%s", counted(a.OwnAnswers, "more request", "more requests"), probes)
	}
	p.notes(a.Notes)
	shown := a.Objects.Len()
	if o.Limit > 0 {
		shown = min(shown, o.Limit)
	}
	for i := range shown {
		p.line("")
		object := a.Objects.At(i)
		p.servedObject(&object, a.edges)
	}
	if more := a.Objects.Len() - shown; more > 0 {
		p.line("")
		p.dim("%s; --limit 0 shows all", counted(more, "more object", "more objects"))
	}
	p.next(a.commands())
	return p.err
}

// besideFact is what stands before a fact: its name, the longest of which is "found in it".
// A fact has at least leastFact cells.
const (
	besideFact = 2 + len("found in it") + 2
	leastFact  = 20
)

// servedObject tells of one; with edges, which of several has served it.
func (p *page) servedObject(object *ServedObject, edges bool) {
	p.line("%s %s", p.strong("Object"), p.o.Style.Paint(show.Info, object.Object))
	facts := show.Table{Columns: []show.Column{{}, {Flexible: true}}, Indent: 2}
	fact := func(name, value string, color show.Color) {
		if value == "" {
			return
		}
		// Who did what and why is not cut off at the edge of a narrow terminal.
		lines := []string{value}
		if p.o.Width > 0 {
			lines = show.Lines(value, max(leastFact, p.o.Width-besideFact))
		}
		for _, line := range lines {
			facts.Row(show.Colored(show.Dim, name), show.Colored(color, line))
			name = ""
		}
	}
	if s := object.Stored; s != nil {
		fact("page", s.URL, show.Plain)
	}
	fact("route", object.Route, show.Plain)
	fact("key", object.Key, show.Plain)
	fact("filled", p.filled(object), show.Plain)
	if s := object.Stored; s != nil && s.Reasons != "" {
		fact("admitted", s.Reasons, show.Plain)
	}
	if s := object.Stored; s != nil && s.Findings > 0 {
		fact("found in it", counted(s.Findings, "place", "places")+" that looked like a visitor's own, alike in two answers", show.Warn)
	}
	fact("caused by", p.cause(object.Cause), show.Plain)
	turns := object.Turns
	if len(turns) > maxTurns {
		turns = slices.Concat(turns[:1], turns[len(turns)-maxTurns+1:])
	}
	for i := range turns {
		name := ""
		if i == 0 {
			name = "then"
		}
		fact(name, p.turn(&turns[i]), turnColor(turns[i].What))
	}
	color := show.Plain
	if object.State == Remaining || object.State == Unknown {
		color = show.Warn
	}
	fact("now", stateText(object.State), color)
	if object.First != nil {
		fact("served", fmt.Sprintf("%s to %s, %s", counted(object.Serves, "time", "times"),
			counted(object.Visitors, "visitor", "visitors")+andProbes(object.Probes), show.Span(*object.First, *object.Last, p.o.Location)), show.Strong)
	} else {
		fact("served", "to nobody, as far as these records tell", show.Plain)
	}
	p.table(&facts)
	if object.Served.Len() == 0 {
		return
	}
	p.line("")
	times := p.clock(object.Served.At(0).Time)
	table := show.Table{Indent: 2, Columns: []show.Column{
		{Title: times.title()}, {Title: "visitor"}, {Title: "outcome"}, {Title: "status", Align: show.Right}, {Title: "codes", Flexible: true},
		{Title: "url", Flexible: true, Shorten: show.TruncateURL},
	}}
	if edges {
		table.Columns = slices.Insert(table.Columns, 1, show.Column{Title: "edge"})
	}
	shown := object.Served.Len()
	if p.o.Limit > 0 {
		shown = min(shown, p.o.Limit)
	}
	for i := range shown {
		s := object.Served.At(i)
		visitor := show.Text(orDash(s.Visitor))
		if s.Probe {
			visitor = show.Colored(show.Dim, "probe")
		}
		cells := []show.Cell{
			times.cell(&table, s.Time), visitor, show.Text(s.Outcome),
			show.Text(strconv.Itoa(s.Status)), show.Text(orDash(s.Codes.String())), show.Colored(show.Dim, s.URL),
		}
		if edges {
			cells = slices.Insert(cells, 1, show.Text(orDash(s.Edge)))
		}
		table.Row(cells...)
	}
	p.table(&table)
	if more := object.Served.Len() - shown; more > 0 {
		p.dim("  %s; --limit 0 or --format csv shows all", counted(more, "more", "more"))
	}
}

// andProbes says how often it was a probe, and no visitor.
func andProbes(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s of the times to probes)", show.Count(int64(n)))
}

// maxTurns is how many lines tell what became of an object.
const maxTurns = 6

func (p *page) filled(object *ServedObject) string {
	var parts []string
	if object.Filled != nil {
		parts = append(parts, show.Time(*object.Filled, p.o.Location)+object.Filled.Format(".000"))
	}
	if s := object.Stored; s != nil {
		if object.Filled == nil {
			parts = append(parts, show.Time(s.Time, p.o.Location))
		}
		parts = append(parts, "status "+strconv.Itoa(s.Status), show.Bytes(s.Size))
		if s.OriginMS > 0 {
			parts = append(parts, "the origin took "+show.Seconds(s.OriginMS/1000))
		}
	}
	return strings.Join(parts, ", ")
}

func (p *page) cause(c *Cause) string {
	if c == nil {
		return ""
	}
	text := "visitor " + orDash(c.Visitor)
	if c.Probe {
		text = "a probe"
	}
	if len(c.Codes) > 0 {
		text += ", " + c.Codes.String()
	}
	text += ", " + show.Time(c.Time, p.o.Location)
	switch {
	case c.Probe && c.Own:
		return text + ", which was given its own answer"
	case c.Probe:
		return text + ", which was given this response"
	case c.Own:
		return text + ", who was given their own answer"
	}
	return text + ", who was given this response"
}

func (p *page) turn(t *Turn) string {
	text := show.Time(t.Time, p.o.Location) + " " + t.What
	switch {
	case t.Perhaps && (t.What == Leaked || t.What == Cleared):
		text += ", perhaps not of this page" // that there was one is sure
	case t.Perhaps:
		text = show.Time(t.Time, p.o.Location) + " perhaps " + t.What
	}
	if t.Edge != "" {
		text += " on edge " + t.Edge
	}
	for _, more := range []string{t.Scope, t.Why} {
		if more != "" {
			text += ", " + more
		}
	}
	if t.By != "" {
		text += ", by " + t.By
	}
	if t.Clean != nil {
		text += ", " + LeakWindow(audit.EventLeak, *t.Clean, t.Time, p.o.Location)
	}
	return text
}

func turnColor(what string) show.Color {
	switch what {
	case Withdrawn, Diverged, Refused, Leaked:
		return show.Bad
	case Purged, Dropped, Tripped, Softened:
		return show.Warn
	}
	return show.Plain
}

func stateText(state string) string {
	switch state {
	case Remaining:
		return "still stored, as far as these records tell"
	case Unknown:
		return "not known: these records tell neither of its admission nor of its end"
	case Refused:
		return "never stored"
	case Tripped:
		return "out of reach: caching was stopped"
	case Dropped:
		return "dropped, when the trip was reset"
	case Softened:
		return "stale, until it is replaced"
	case Replaced:
		return "replaced by a newer one"
	}
	return state
}

// commands are what one may want to run next.
func (a *ServedAnswer) commands() []string {
	var probes, purges, trips, keeps []string
	for i := range a.Leaks {
		if page, ok := shellWord(a.Leaks[i].URL); ok && a.Leaks[i].Over == nil {
			probes = appendNew(probes, "cacheward probe "+page)
		}
	}
	for object := range a.Objects.All() {
		if plainKey.MatchString(object.Key) && (object.State == Remaining || object.State == Unknown || object.State == Softened || object.State == Replaced) {
			purges = appendNew(purges, "cacheward purge --key "+object.Key+" --reason '...'")
		}
		if route, ok := shellWord(object.Route); ok {
			trips = appendNew(trips, "cacheward trip --route "+route+" --reason '...'")
		}
	}
	if a.Objects.Len() == 1 && a.Serves > 0 {
		if id, ok := shellWord(a.Objects.At(0).Object); ok {
			keeps = append(keeps, "cacheward audit served --object "+id+" --format csv > served.csv")
		}
	}
	return slices.Concat(probes, trips, purges, keeps)
}

// appendNew keeps a list sorted, and no longer than is of use.
func appendNew(list []string, s string) []string {
	at, known := slices.BinarySearch(list, s)
	if known || at >= maxCommands {
		return list
	}
	list = slices.Insert(list, at, s)
	return list[:min(len(list), maxCommands)]
}

// maxCommands of one kind are shown.
const maxCommands = 5

var (
	plainKey  = regexp.MustCompile(`^[0-9a-f]{16}$`)
	plainWord = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.:/@%+-]*$`)
)

// shellWord is s as a word of a command line. What stands in a log may have been put
// there so that somebody pastes it: what could do more than name something is left out.
func shellWord(s string) (string, bool) {
	switch {
	case plainWord.MatchString(s):
		return s, true
	case s == "" || s[0] == '-' || s != show.Safe(s) || strings.Contains(s, "'"):
		return "", false
	}
	return "'" + s + "'", true
}

// CSV writes one line for each time that an object was served.
func (a *ServedAnswer) CSV(w io.Writer) error {
	names := make(map[string]bool)
	for object := range a.Objects.All() {
		for row := range object.Served.All() {
			for name := range row.Codes {
				names[name] = true
			}
		}
	}
	columns := sortedKeys(names)
	out := show.NewCSV(w)
	head := []string{"time", "visitor", "object", "key", "route"}
	head = append(head, prefixed("param ", columns)...)
	head = append(head, "url", "outcome", "status", "age_s", "filled", "caused_by", "probe")
	if a.edges {
		head = append(head, "edge")
	}
	if err := out.Row(head...); err != nil {
		return err
	}
	for object := range a.Objects.All() {
		filled, caused := "", ""
		if object.Filled != nil {
			filled = stamp(*object.Filled)
		}
		if object.Cause != nil {
			caused = object.Cause.Visitor
		}
		for s := range object.Served.All() {
			row := []string{stamp(s.Time), s.Visitor, object.Object, object.Key, object.Route}
			row = append(row, s.Codes.columns(columns)...)
			row = append(row, s.URL, s.Outcome, strconv.Itoa(s.Status),
				strconv.FormatFloat(s.Age, 'f', -1, 64), filled, caused, yes(s.Probe))
			if a.edges {
				row = append(row, s.Edge)
			}
			if err := out.Row(row...); err != nil {
				return err
			}
		}
	}
	return out.Flush()
}
