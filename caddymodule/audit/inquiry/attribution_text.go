package inquiry

import (
	"io"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// Text writes the answer for people: the sums, and the first of the requests.
func (a *AttributionAnswer) Text(w io.Writer, o TextOptions) error {
	p := &page{w: w, o: o}
	p.alarm("THE LIST IS NOT COMPLETE", a.Incomplete)
	if a.Visits.Len() == 0 {
		p.line("No request with a code")
		p.leftOut(a.Probes)
		p.notes(a.Notes)
		return p.err
	}
	p.phrases(show.Colored(show.Strong, counted(a.Requests, "request", "requests")+" with a code"),
		show.Text(counted(a.Visitors, "visitor", "visitors")), show.Text(counted(a.Codes, "different code", "different codes")),
		show.Text(show.Span(*a.First, *a.Last, o.Location)))
	p.said(show.Plain, "%s served from a stored object, %s answered by the origin for that visitor alone",
		show.Count(int64(a.FromObject)), show.Count(int64(a.Requests-a.FromObject)))
	if a.Uncoded > 0 {
		p.said(show.Plain, "%s without a code, served a page that a request with a code had made", counted(a.Uncoded, "request", "requests"))
	}
	if a.Contradicted > 0 {
		p.said(show.Alarm, "%s served an object that is stored under another code", counted(a.Contradicted, "request was", "requests were"))
		p.wrapped("That must never happen: please report it.", 0)
	}
	switch {
	case a.Others > 0:
		p.said(show.Bad, "%s given a page that a request with another code had made", counted(a.Others, "request was", "requests were"))
		p.wrapped("If that page shows the code, or its making recorded it, these visits are attributed wrongly. They are marked below, and have others_page yes in the CSV.", 0)
	case a.FromObject > a.Unknown:
		p.said(show.Good, "None was given a page that a request with another code is known to have made")
	}
	if a.Unknown > 0 {
		p.said(show.Warn, "Whose request made the page is not known of %s: other logs may tell", counted(a.Unknown, "request", "requests"))
	}
	p.leftOut(a.Probes)
	p.notes(a.Notes)
	p.line("")
	times := p.clock(*a.First)
	table := show.Table{Columns: []show.Column{
		{Title: times.title()}, {Title: "visitor"}, {Title: "codes", Flexible: true}, {Title: "outcome"},
		{Title: ""}, {Title: "page made on a request with", Flexible: true}, {Title: "page", Flexible: true},
	}}
	if narrow := o.Width > 0 && o.Width < pageWidth; narrow {
		table.Columns = table.Columns[:6]
		table.Columns[5].Title = "page made with"
	}
	shown := a.Visits.Len()
	if o.Limit > 0 {
		shown = min(shown, o.Limit)
	}
	for i := range shown {
		v := a.Visits.At(i)
		mark, color := "", show.Plain
		if v.Other || v.Contradicted {
			mark, color = "✗", show.Bad
		}
		made := ""
		if v.Object != "" && v.Outcome != outcomeFill {
			if made = orDash(v.FillerCodes.String()); v.FilledByProbe {
				made += " (a probe)"
			}
		}
		table.Row(times.cell(&table, v.Time), show.Text(orDash(v.Visitor)), show.Text(orDash(v.Codes.String())), show.Text(v.Outcome),
			show.Colored(color, mark), show.Colored(color, made), show.Colored(show.Dim, v.Host+v.Path))
	}
	p.table(&table)
	if more := a.Visits.Len() - shown; more > 0 {
		p.dim("%s; --format csv lists all", counted(more, "more", "more"))
	}
	return p.err
}

// leftOut says how many requests of probes are not listed.
func (p *page) leftOut(probes int) {
	if probes > 0 {
		p.said(show.Dim, "%s of probes left out: these are no visitors", counted(probes, "request", "requests"))
	}
}

// pageWidth is how wide a terminal has room for the page of each visit.
const pageWidth = 100

// CSV writes one line for each request, with a column for each parameter: as the visitor
// had it, as the fill was made with it (fill), and as the visitor who caused the fill
// had it (filler).
func (a *AttributionAnswer) CSV(w io.Writer) error {
	out := show.NewCSV(w)
	head := []string{"time", "visitor", "route", "host", "path"}
	head = append(head, prefixed("param ", a.Params)...)
	head = append(head, "outcome", "object", "others_page", "contradicted", "filled_by", "filled_by_probe")
	head = append(head, prefixed("filler ", a.filler)...)
	if err := out.Row(append(head, prefixed("fill ", a.fill)...)...); err != nil {
		return err
	}
	for v := range a.Visits.All() {
		row := []string{stamp(v.Time), v.Visitor, v.Route, v.Host, v.Path}
		row = append(row, v.Codes.columns(a.Params)...)
		row = append(row, v.Outcome, v.Object, yes(v.Other), yes(v.Contradicted), v.FilledBy, yes(v.FilledByProbe))
		row = append(row, v.FillerCodes.columns(a.filler)...)
		if err := out.Row(append(row, v.FillCodes.columns(a.fill)...)...); err != nil {
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
