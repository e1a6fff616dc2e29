package inquiry

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// placesShown is how many places of a group the text tells.
const placesShown = 3

// Text writes the answer for people: a table of the groups, then what to know of each.
func (a *ReasonsAnswer) Text(w io.Writer, o TextOptions) error {
	p := &page{w: w, o: o}
	what, nothing, nouns := a.words()
	p.title(what, show.Span(a.From, a.To, o.Location), counted(int(a.Total), nouns[0], nouns[1]))
	if len(a.Groups) == 0 {
		p.say(show.Plain, "", nothing)
		a.silent(p)
		p.probesLeftOut(a.Probes, false)
		return p.err
	}
	shown := p.limited(len(a.Groups))
	a.overview(p, shown)
	p.more(len(a.Groups)-shown, "more line", "more lines")
	for i := range a.Groups[:shown] {
		a.Groups[i].text(p)
	}
	a.silent(p)
	p.probesLeftOut(a.Probes, false)
	if a.PlacesEstimated {
		p.line("")
		p.say(show.Dim, "", fmt.Sprintf("There are more than %s different places: their counts are estimates, each may be too low by up to %s.",
			show.Count(MaxDistinct), show.Count(a.PlacesLow)))
	}
	return p.err
}

func (a *ReasonsAnswer) words() (title, nothing string, nouns [2]string) {
	switch a.Question {
	case "refusals":
		return "Answers that were not stored", "No answer of the app was refused.", [2]string{"answer", "answers"}
	case "bypasses":
		return "Requests that the cache did not answer", "Nothing kept a request from the cache.", [2]string{"request", "requests"}
	}
	return "Answers that differed", "No two answers of the app differed.", [2]string{"divergence", "divergences"}
}

func (a *ReasonsAnswer) overview(p *page, shown int) {
	p.line("")
	code := "Reason"
	if a.Question == "divergences" {
		code = "Kind"
	}
	t := &show.Table{Indent: 2, Columns: []show.Column{
		{Title: "Times", Align: show.Right}, {Title: "Share", Align: show.Right}, {Title: "Route", Flexible: true},
		{Title: code, Flexible: true}, {Title: "Last"},
	}}
	if p.wide() {
		t.Columns = slices.Insert(t.Columns, 2, show.Column{})
		t.Columns = slices.Insert(t.Columns, 5, show.Column{Title: "First"})
	}
	for i := range a.Groups[:shown] {
		g := &a.Groups[i]
		row := []show.Cell{
			show.Text(show.Count(g.Count)), show.Text(show.Percent(g.Count, a.Total)), show.Colored(show.Info, orDash(g.Route)),
			show.Colored(g.color(), orDash(g.Code)), show.Colored(show.Dim, show.Time(g.Last, p.o.Location)),
		}
		if p.wide() {
			row = slices.Insert(row, 2, show.Colored(show.Warn, show.Bar(share(g.Count, a.Total), 10)))
			row = slices.Insert(row, 5, show.Colored(show.Dim, show.Time(g.First, p.o.Location)))
		}
		t.Row(row...)
	}
	p.table(t)
}

func (g *ReasonGroup) color() show.Color {
	switch {
	case g.Withdrawn > 0:
		return show.Bad
	case g.Observed:
		return show.Dim
	}
	return show.Warn
}

func (g *ReasonGroup) text(p *page) {
	p.line("")
	p.line("%s %s %s", p.o.Style.Paint(show.Info, orDash(g.Route)), p.o.Style.Paint(g.color(), orDash(g.Code)),
		p.o.Style.Paint(show.Dim, "× "+show.Count(g.Count)))
	if g.Observed {
		p.labelled("would be", show.Plain, "The route only observes: these requests were answered by the app in any case.")
	}
	if g.Withdrawn > 0 {
		p.labelled("withdrawn", show.Bad, counted(int(g.Withdrawn), "page was", "pages were")+
			" shared until the difference was found. cacheward audit served says who was served.")
	}
	if g.Sentence != "" {
		p.labelled("what", show.Plain, g.Sentence)
	}
	changes := g.where(p)
	if g.Example != "" {
		p.labelled("example", show.Plain, g.Example)
	}
	if len(g.Also) > 0 {
		also := make([]string, len(g.Also))
		for i, c := range g.Also {
			also[i] = c.Name + " " + show.Count(c.N)
		}
		p.labelled("and also", show.Plain, strings.Join(also, ", "))
	}
	for i, change := range changes {
		label := "to change"
		if i > 0 {
			label = ""
		}
		p.labelled(label, show.Strong, change)
	}
	if len(changes) == 0 && g.General != "" {
		p.labelled("to change", show.Strong, g.General)
	}
}

// where tells the places, and returns what could be changed for them.
func (g *ReasonGroup) where(p *page) (changes []string) {
	told, seen := 0, make(map[string]bool)
	for i := range g.Places {
		place := &g.Places[i]
		if told == placesShown {
			break
		}
		if place.Change != "" && !seen[place.Change] {
			changes, seen[place.Change] = append(changes, place.Change), true
		}
		text := place.String()
		if text == "" {
			continue
		}
		label := "where"
		if told++; told > 1 {
			label = ""
		}
		if len(g.Places) > 1 {
			text += " × " + show.Count(place.Count)
		}
		p.labelled(label, show.Plain, text)
	}
	if more := len(g.Places) - told; told > 0 && more > 0 {
		p.labelled("", show.Dim, "and "+counted(more, "more place", "more places"))
	}
	return changes
}

func (a *ReasonsAnswer) silent(p *page) {
	if a.Silent > 0 {
		p.line("")
		p.say(show.Dim, "", fmt.Sprintf("%s went to the app and nothing spoke against sharing: they made it fetch a page for the cache, "+
			"or their route only observes.", counted(int(a.Silent), "more request", "more requests")))
	}
}

// CSV writes one line for each place of each group, and one for a group without any.
func (a *ReasonsAnswer) CSV(w io.Writer) error {
	c := show.NewCSV(w)
	err := c.Row("route", "code", "observed", "group_count", "first", "last", "count", "detail", "part", "field", "near", "shape", "input",
		"detector", "class", "example", "change")
	for i := range a.Groups {
		g := &a.Groups[i]
		places := g.Places
		if len(places) == 0 {
			places = []PlaceCount{{Count: g.Count, Example: g.Example}}
		}
		for j := range places {
			x := &places[j]
			if err != nil {
				return err
			}
			err = c.Row(g.Route, g.Code, strconv.FormatBool(g.Observed), strconv.FormatInt(g.Count, 10), csvTime(g.First), csvTime(g.Last),
				strconv.FormatInt(x.Count, 10), x.Detail, x.Part, x.Field, x.Near, x.Shape, x.Input, x.Detector, x.Class, x.Example, x.Change)
		}
	}
	if err != nil {
		return err
	}
	return c.Flush()
}

func csvTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return stamp(t)
}
