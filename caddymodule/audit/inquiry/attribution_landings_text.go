package inquiry

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// landings says what routes with attribution carried and delivered.
func (p *page) landings(a *AttributionAnswer) {
	l := a.Landings
	if n := a.landings.Len(); n == 0 {
		p.said(show.Strong, "No landing")
	} else {
		p.phrases(show.Colored(show.Strong, counted(n, "landing", "landings")),
			show.Text(counted(l.Visitors, "visitor", "visitors")), show.Text(counted(l.Codes, "different code", "different codes")),
			show.Text(show.Span(a.landings.At(0).Time, a.landings.At(n-1).Time, p.o.Location)))
		p.said(show.Plain, "%s of them (%s) served from a stored object", show.Count(int64(l.FromObject)), show.Percent(int64(l.FromObject), int64(l.Landings)))
		p.said(show.Plain, "%s carried%s", show.Count(int64(l.Carried)), inParentheses(l.CarriedBy))
	}
	if len(l.LeftOut) > 0 {
		p.said(show.Plain, "Left out: %s", inCounts(l.LeftOut))
	}
	if l.BeaconsLost > 0 {
		p.said(show.Bad, "%s lost: the app will not hear of these landings by beacon", counted(l.BeaconsLost, "beacon", "beacons"))
	}
	if l.Delivered > 0 {
		p.said(show.Good, "%s: the app was told of a landing%s", counted(l.Delivered, "conversion", "conversions"), inParentheses(l.DeliveredAs))
	}
	if l.DeliveredUnknown > 0 {
		p.said(show.Warn, "The landing of %s is not on record here: older logs may have it", counted(l.DeliveredUnknown, "conversion", "conversions"))
	}
	if len(l.Withheld) > 0 {
		p.said(show.Warn, "Conversions of which the app was not told: %s", inCounts(l.Withheld))
	}
	if len(l.Dropped) > 0 {
		p.said(show.Warn, "Cookies that were not believed: %s", inCounts(l.Dropped))
	}
	if a.Contradicted > 0 && a.requests.Len() == 0 {
		p.contradicted(a.Contradicted)
	}
}

// contradicted says that what must not be has been.
func (p *page) contradicted(n int) {
	p.said(show.Alarm, "%s served an object that is stored under another code", counted(n, "request was", "requests were"))
	p.wrapped("That must never happen: please report it.", 0)
}

// inCounts is counts in words, the largest first.
func inCounts(counts map[string]int) string {
	words := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
	for i, word := range words {
		words[i] = show.Count(int64(counts[word])) + " " + word
	}
	return strings.Join(words, ", ")
}

func inParentheses(counts map[string]int) string {
	if len(counts) == 0 {
		return ""
	}
	return " (" + inCounts(counts) + ")"
}

// landingTables lists the landings, and the requests with which the app was told of one.
func (p *page) landingTables(a *AttributionAnswer) {
	if a.landings.Len() > 0 {
		p.line("")
		p.landingTable(a.landings)
	}
	if a.deliveries.Len() > 0 {
		p.line("")
		p.deliveryTable(a.deliveries)
	}
}

func (p *page) landingTable(list List[Visit]) {
	times := p.clock(list.At(0).Time)
	table := show.Table{Columns: []show.Column{
		{Title: times.title()}, {Title: "visitor"}, {Title: "landed with", Flexible: true}, {Title: "carried"}, {Title: "outcome"},
		{Title: "landing"}, {Title: "page", Flexible: true},
	}}
	if p.narrow() {
		table.Columns = table.Columns[:5]
	}
	for i := range p.limited(list.Len()) {
		v := list.At(i)
		carried, color := v.Attribution.carriage()
		table.Row(times.cell(&table, v.Time), show.Text(orDash(v.Visitor)), show.Text(orDash(came(v.Codes, v.Attribution.Referer, v.Attribution.Paid))),
			show.Colored(color, carried), show.Text(v.Outcome), show.Colored(show.Dim, orDash(v.Attribution.Landing)), show.Colored(show.Dim, v.Host+v.Path))
	}
	p.table(&table)
	p.moreInCSV(list.Len())
}

// carriage says where the values of a landing went, or why nowhere.
func (a *VisitAttribution) carriage() (string, show.Color) {
	words, color := orWord(a.Carried, "no"), show.Plain
	if a.LeftOut != "" {
		words, color = words+" ("+a.LeftOut+")", show.Dim
	}
	if a.BeaconLost {
		words, color = words+", beacon lost", show.Bad
	}
	return words, color
}

// came is with what a visitor came.
func came(codes Codes, referer string, paid bool) string {
	var parts []string
	if len(codes) > 0 {
		parts = append(parts, codes.String())
	}
	if referer != "" {
		parts = append(parts, "from "+referer)
	}
	if paid {
		parts = append(parts, "paid")
	}
	return strings.Join(parts, ", ")
}

func (p *page) deliveryTable(list List[Visit]) {
	times := p.clock(list.At(0).Time)
	table := show.Table{Columns: []show.Column{
		{Title: times.title()}, {Title: "visitor"}, {Title: "converts, sent by", Flexible: true}, {Title: "landed"}, {Title: "told as"},
		{Title: "landing"}, {Title: "page", Flexible: true},
	}}
	if p.narrow() {
		table.Columns = table.Columns[:5]
	}
	for i := range p.limited(list.Len()) {
		v := list.At(i)
		sent, color, landed := came(v.Attribution.DeliveredCodes, v.Attribution.DeliveredReferer, false), show.Plain, orDash("")
		switch {
		case v.Attribution.Withheld != "":
			sent, color = "not told ("+v.Attribution.Withheld+")", show.Warn
		case v.Attribution.Unknown:
			sent, color = "not on record", show.Warn
		}
		if at := v.Attribution.Landed; at != nil {
			landed = show.Duration(max(0, v.Time.Sub(*at))) + " before"
		}
		table.Row(times.cell(&table, v.Time), show.Text(orDash(v.Visitor)), show.Colored(color, orDash(sent)), show.Text(landed),
			show.Text(orDash(v.Attribution.As)), show.Colored(show.Dim, orDash(v.Attribution.Delivered)), show.Colored(show.Dim, v.Host+v.Path))
	}
	p.table(&table)
	p.moreInCSV(list.Len())
}
