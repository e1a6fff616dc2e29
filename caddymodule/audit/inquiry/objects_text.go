package inquiry

import (
	"fmt"
	"io"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// How wide a terminal has room for all columns of objects, and for one line an object.
const (
	objectsWidth = 160
	objectWidth  = 120
)

// Text writes the answer for people.
func (a *ObjectsAnswer) Text(w io.Writer, o TextOptions) error {
	p := &page{w: w, o: o}
	p.alarm("THE LIST IS NOT COMPLETE", a.Incomplete)
	phrases := []show.Cell{
		show.Colored(show.Strong, counted(len(a.Objects), "object", "objects")),
		show.Text("served " + counted(a.Serves, "time", "times") + ofThem(a.Probes)),
	}
	narrow := o.Width > 0 && o.Width < objectsWidth
	day := a.day(o)
	if narrow && day != "" {
		phrases = append(phrases, show.Text("fetched on "+day))
	}
	p.phrases(phrases...)
	p.notes(a.Notes)
	if len(a.Objects) == 0 {
		return p.err
	}
	p.line("")
	shown := a.Objects
	if o.Limit > 0 && len(shown) > o.Limit {
		shown = shown[:o.Limit]
	}
	if narrow {
		p.narrowObjects(shown, day != "")
	} else {
		p.objects(shown)
	}
	if more := len(a.Objects) - len(shown); more > 0 {
		p.dim("%s; --limit 0 shows all", counted(more, "more object", "more objects"))
	}
	if id, ok := shellWord(shown[0].Object); ok && shown[0].Serves > 0 {
		p.next([]string{"cacheward audit served --object " + id})
	}
	return p.err
}

// day is the one on which all were fetched; empty if there are several.
func (a *ObjectsAnswer) day(o TextOptions) string {
	day := ""
	for i := range a.Objects {
		if t := a.Objects[i].Fetched; t != nil {
			other := show.Day(*t, o.Location)
			if day != "" && other != day {
				return ""
			}
			day = other
		}
	}
	return day
}

func (p *page) objects(objects []ObjectUsed) {
	table := show.Table{Columns: []show.Column{
		{Title: "serves", Align: show.Right}, {Title: "visitors", Align: show.Right}, {Title: "object"}, {Title: "route", Flexible: true},
		{Title: "fetched"}, {Title: "last served"}, {Title: "size", Align: show.Right}, {Title: "then"},
		{Title: "page", Flexible: true, Shorten: show.TruncateURL},
	}}
	for i := range objects {
		object := &objects[i]
		table.Row(show.Text(show.Count(int64(object.Serves))), show.Text(show.Count(int64(object.Visitors))), show.Colored(show.Info, object.Object),
			show.Text(orDash(object.Route)), show.Text(when(object.Fetched, p.o)), show.Text(lastServed(object, p.o)), show.Text(show.Bytes(object.Size)),
			p.ended(object), show.Colored(show.Dim, object.URL))
	}
	p.table(&table)
}

// narrowObjects leaves out what tells least, and gives the page a line of its own where
// there is no room beside. Of objects of several days, it tells the day and not the time.
func (p *page) narrowObjects(objects []ObjectUsed, oneDay bool) {
	beside := p.o.Width >= objectWidth
	table := show.Table{Columns: []show.Column{
		{Title: "serves", Align: show.Right}, {Title: "visitors", Align: show.Right}, {Title: "object", Flexible: true, Shorten: show.TruncateURL},
		{Title: "fetched"}, {Title: "then", Flexible: true},
	}}
	if beside {
		table.Columns[2].Flexible = false
		table.Columns = append(table.Columns, show.Column{Title: "page", Flexible: true, Shorten: show.TruncateURL})
	}
	for i := range objects {
		object := &objects[i]
		fetched := "–"
		if t := object.Fetched; t != nil && oneDay {
			fetched = show.Clock(*t, p.o.Location)
		} else if t != nil {
			fetched = show.Day(*t, p.o.Location)
		}
		cells := []show.Cell{
			show.Text(show.Count(int64(object.Serves))), show.Text(show.Count(int64(object.Visitors))), show.Colored(show.Info, object.Object),
			show.Text(fetched), p.ended(object),
		}
		url := show.Colored(show.Dim, object.URL)
		if beside {
			table.Row(append(cells, url)...)
			continue
		}
		table.Row(cells...)
		if url.Text != "" {
			url.Text = show.TruncateURL(show.Safe(url.Text), objectID)
			table.Row(show.Cell{}, show.Cell{}, url)
		}
	}
	p.table(&table)
}

// objectID is how wide the ID of an object is.
const objectID = len("01a20658-9b80-7000-8000-000000000001")

// ended is what became of an object, and when, if there is room for it.
func (p *page) ended(object *ObjectUsed) show.Cell {
	then := object.State
	if object.Ended != nil && (p.o.Width <= 0 || p.o.Width >= pageWidth) {
		then += " " + show.Clock(*object.Ended, p.o.Location)
	}
	if object.Leaked {
		return show.Colored(show.Bad, then+", leaked")
	}
	return show.Colored(turnColor(object.State), then)
}

// ofThem says how many serves were to probes.
func ofThem(probes int) string {
	if probes == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s to probes, which are no visitors)", show.Count(int64(probes)))
}

func when(t *time.Time, o TextOptions) string {
	if t == nil {
		return "–"
	}
	return show.Time(*t, o.Location)
}

// lastServed is the time of day, if it was on the day of the fetch.
func lastServed(object *ObjectUsed, o TextOptions) string {
	if object.Last == nil || object.Fetched == nil || object.Last.Sub(*object.Fetched) >= 24*time.Hour {
		return when(object.Last, o)
	}
	return show.Clock(*object.Last, o.Location)
}
