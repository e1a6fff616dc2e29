package inquiry

import (
	"io"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// Text writes the answer for people: the sums, and the first of the requests.
func (a *AttributionAnswer) Text(w io.Writer, o TextOptions) error {
	p := &page{w: w, o: o}
	p.alarm("THE LIST IS NOT COMPLETE", a.Incomplete)
	if a.Visits.Len() == 0 && a.Landings == nil {
		p.line("No request with a code")
		p.leftOut(a.Probes)
		p.notes(a.Notes)
		return p.err
	}
	if a.Landings != nil {
		p.landings(a)
	}
	if a.requests.Len() > 0 {
		p.requests(a)
	}
	p.leftOut(a.Probes)
	p.notes(a.Notes)
	if a.Landings != nil {
		p.landingTables(a)
	}
	if a.requests.Len() > 0 {
		p.requestTable(a)
	}
	return p.err
}

// requests says what there is on routes that declare no attribution.
func (p *page) requests(a *AttributionAnswer) {
	p.phrases(show.Colored(show.Strong, counted(a.Requests, "request", "requests")+" with a code"),
		show.Text(counted(a.Visitors, "visitor", "visitors")), show.Text(counted(a.Codes, "different code", "different codes")),
		show.Text(show.Span(a.requests.At(0).Time, a.requests.At(a.requests.Len()-1).Time, p.o.Location)))
	p.said(show.Plain, "%s served from a stored object, %s answered by the origin for that visitor alone",
		show.Count(int64(a.FromObject)), show.Count(int64(a.Requests-a.FromObject)))
	if a.Uncoded > 0 {
		p.said(show.Plain, "%s without a code, served a page that a request with a code had made", counted(a.Uncoded, "request", "requests"))
	}
	if a.Contradicted > 0 {
		p.contradicted(a.Contradicted)
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
}

// requestTable lists them.
func (p *page) requestTable(a *AttributionAnswer) {
	p.line("")
	times := p.clock(a.requests.At(0).Time)
	table := show.Table{Columns: []show.Column{
		{Title: times.title()}, {Title: "visitor"}, {Title: "codes", Flexible: true}, {Title: "outcome"},
		{Title: ""}, {Title: "page made on a request with", Flexible: true}, {Title: "page", Flexible: true},
	}}
	if p.narrow() {
		table.Columns = table.Columns[:6]
		table.Columns[5].Title = "page made with"
	}
	for i := range p.limited(a.requests.Len()) {
		v := a.requests.At(i)
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
	p.moreInCSV(a.requests.Len())
}

// moreInCSV says how many rows of a list are not shown.
func (p *page) moreInCSV(all int) {
	if more := all - p.limited(all); more > 0 {
		p.dim("%s; --format csv lists all", counted(more, "more", "more"))
	}
}

// narrow says whether the terminal has no room for the page of each visit.
func (p *page) narrow() bool { return p.o.Width > 0 && p.o.Width < pageWidth }

// leftOut says how many requests of probes are not listed.
func (p *page) leftOut(probes int) {
	if probes > 0 {
		p.said(show.Dim, "%s of probes left out: these are no visitors", counted(probes, "request", "requests"))
	}
}

// pageWidth is how wide a terminal has room for the page of each visit.
const pageWidth = 100
