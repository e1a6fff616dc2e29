package inquiry

import (
	"io"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// CSV writes one line for each request, with a column for each parameter: as the visitor
// had it, as the fill was made with it (fill), and as the visitor who caused the fill
// had it (filler). Where any route declares attribution, it goes on with what the request
// had to do with that.
func (a *AttributionAnswer) CSV(w io.Writer) error {
	out := show.NewCSV(w)
	head := []string{"time", "visitor", "route", "host", "path"}
	head = append(head, prefixed("param ", a.Params)...)
	head = append(head, "outcome", "object", "others_page", "contradicted", "filled_by", "filled_by_probe")
	head = append(head, prefixed("filler ", a.filler)...)
	head = append(head, prefixed("fill ", a.fill)...)
	if a.Landings != nil {
		head = append(head, "kind", "landing", "referer", "paid", "model", "carried", "left_out", "beacon_lost", "dropped",
			"delivered", "as", "withheld", "landed", "landed_by", "delivered_referer")
		head = append(head, prefixed("delivered ", a.deliveredParams)...)
	}
	if err := out.Row(head...); err != nil {
		return err
	}
	for v := range a.Visits.All() {
		row := []string{stamp(v.Time), v.Visitor, v.Route, v.Host, v.Path}
		row = append(row, v.Codes.columns(a.Params)...)
		row = append(row, v.Outcome, v.Object, yes(v.Other), yes(v.Contradicted), v.FilledBy, yes(v.FilledByProbe))
		row = append(row, v.FillerCodes.columns(a.filler)...)
		row = append(row, v.FillCodes.columns(a.fill)...)
		if a.Landings != nil {
			row = append(row, v.Attribution.columns(a.deliveredParams)...)
		}
		if err := out.Row(row...); err != nil {
			return err
		}
	}
	return out.Flush()
}

// columns are the last ones of a line.
func (a *VisitAttribution) columns(params []string) []string {
	kind := a.kind()
	if a == nil {
		a = &VisitAttribution{}
	}
	landed := ""
	if a.Landed != nil {
		landed = stamp(*a.Landed)
	}
	row := []string{
		kind, a.Landing, a.Referer, yes(a.Paid), a.Model, a.Carried, a.LeftOut, yes(a.BeaconLost), a.Dropped,
		a.Delivered, a.As, a.Withheld, landed, a.LandedBy, a.DeliveredReferer,
	}
	return append(row, a.DeliveredCodes.columns(params)...)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
