package inquiry

import (
	"io"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// Text writes the answer for people: the sums, and the first of the requests.
func (a *AttributionAnswer) Text(w io.Writer, o TextOptions) error {
	p := &page{w: w, o: o}
	p.alarm("THE LIST IS NOT COMPLETE", a.Incomplete)
	if len(a.Visits) == 0 {
		p.line("No request with a code")
		p.notes(a.Notes)
		return p.err
	}
	p.line("%s with a code, %s, %s, %s", p.strong(counted(a.Requests, "request", "requests")),
		counted(a.Visitors, "visitor", "visitors"), counted(a.Codes, "different code", "different codes"), show.Span(*a.First, *a.Last, o.Location))
	p.line("%s served from a stored object, %s answered by the origin for that visitor alone",
		show.Count(int64(a.FromObject)), show.Count(int64(a.Requests-a.FromObject)))
	if a.Uncoded > 0 {
		p.line("%s without a code, served a page that a request with a code had made", counted(a.Uncoded, "request", "requests"))
	}
	if a.Contradicted > 0 {
		p.line("%s", o.Style.Paint(show.Alarm, counted(a.Contradicted, "request was", "requests were")+" served an object that is stored under another code"))
		p.wrapped("That must never happen: please report it.", 0)
	}
	switch {
	case a.Others > 0:
		p.line("%s", o.Style.Paint(show.Bad, counted(a.Others, "request was", "requests were")+" given a page that a request with another code had made"))
		p.wrapped("If that page shows the code, or its making recorded it, these visits are attributed wrongly. They are marked below, and have others_page yes in the CSV.", 0)
	case a.FromObject > a.Unknown:
		p.line("%s", o.Style.Paint(show.Good, "None was given a page that a request with another code is known to have made"))
	}
	if a.Unknown > 0 {
		p.line("%s", o.Style.Paint(show.Warn, "Whose request made the page is not known of "+counted(a.Unknown, "request", "requests")+": other logs may tell"))
	}
	p.notes(a.Notes)
	p.line("")
	table := show.Table{Columns: []show.Column{
		{Title: "time"}, {Title: "visitor"}, {Title: "codes", Flexible: true}, {Title: "outcome"},
		{Title: ""}, {Title: "page made on a request with", Flexible: true}, {Title: "page", Flexible: true},
	}}
	shown := a.Visits
	if o.Limit > 0 && len(shown) > o.Limit {
		shown = shown[:o.Limit]
	}
	for i := range shown {
		v := &shown[i]
		mark, color := "", show.Plain
		if v.Other || v.Contradicted {
			mark, color = "✗", show.Bad
		}
		made := ""
		if v.Object != "" && v.Outcome != outcomeFill {
			made = orDash(v.FillerCodes.String())
		}
		table.Row(show.Text(show.Time(v.Time, o.Location)), show.Text(orDash(v.Visitor)), show.Text(orDash(v.Codes.String())), show.Text(v.Outcome),
			show.Colored(color, mark), show.Colored(color, made), show.Colored(show.Dim, v.Host+v.Path))
	}
	p.table(&table)
	if more := len(a.Visits) - len(shown); more > 0 {
		p.dim("%s; --format csv lists all", counted(more, "more", "more"))
	}
	return p.err
}

// CSV writes one line for each request, with a column for each parameter: as the visitor
// had it, as the fill was made with it (fill), and as the visitor who caused the fill
// had it (filler).
func (a *AttributionAnswer) CSV(w io.Writer) error {
	fill, filler := a.fillParams()
	out := show.NewCSV(w)
	head := []string{"time", "visitor", "route", "host", "path"}
	head = append(head, prefixed("param ", a.Params)...)
	head = append(head, "outcome", "object", "others_page", "contradicted", "filled_by")
	head = append(head, prefixed("filler ", filler)...)
	if err := out.Row(append(head, prefixed("fill ", fill)...)...); err != nil {
		return err
	}
	for i := range a.Visits {
		v := &a.Visits[i]
		row := []string{stamp(v.Time), v.Visitor, v.Route, v.Host, v.Path}
		row = append(row, v.Codes.columns(a.Params)...)
		row = append(row, v.Outcome, v.Object, yes(v.Other), yes(v.Contradicted), v.FilledBy)
		row = append(row, v.FillerCodes.columns(filler)...)
		if err := out.Row(append(row, v.FillCodes.columns(fill)...)...); err != nil {
			return err
		}
	}
	return out.Flush()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
