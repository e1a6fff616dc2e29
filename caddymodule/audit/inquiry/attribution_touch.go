package inquiry

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

// touch is what a record of a route with attribution says of who sent the visitor: of a
// landing, of a request with which the app was told of one, or of both.
type touch struct {
	landed                      int64 // Unix nanoseconds; 0: not told
	landing, delivered          text
	referer, model, carried, as text
	leftOut, withheld, dropped  text
	isLanding, paid, lost       bool
	named                       bool // the record names the parameters
}

// touch is what a record says.
func (q *Attribution) touch(e *reading.Entry) *touch {
	a := e.Attribution
	t := &touch{
		landing: q.names.keep(a.Landing), delivered: q.names.keep(a.Delivered), referer: q.names.keep(a.Referer), model: q.names.keep(a.Model),
		carried: q.names.keep(a.Carried), as: q.names.keep(a.As), leftOut: q.names.keep(a.LeftOut), dropped: q.names.keep(a.Dropped),
		withheld: q.names.keep(a.Withheld), isLanding: a.IsLanding(), paid: a.Paid, lost: a.BeaconLost, named: len(a.Params) > 0,
	}
	if at, ok := moment(a.Landed); ok && !a.Landed.IsZero() {
		t.landed = at
	}
	return t
}

// carriedCodes are the parameters of a URL that a landing was about, as they stand there: of
// each the first, which is the one that counts, also if it says nothing.
func (q *Attribution) carriedCodes(e *reading.Entry) string {
	var b strings.Builder
	var seen []string
	_, query, _ := strings.Cut(e.URL, "?")
	for pair := range strings.SplitSeq(query, "&") {
		written, value, _ := strings.Cut(pair, "=")
		name := decoded(written)
		if name == "" || slices.Contains(seen, name) {
			continue
		}
		seen = append(seen, name)
		if value == "" || !q.isCode(name, value) || e.Attribution.Params != nil && !slices.Contains(e.Attribution.Params, name) {
			continue
		}
		b.WriteByte("?&"[min(b.Len(), 1)])
		b.WriteString(written + "=" + value)
	}
	return b.String()
}

// addTouch takes note of a landing or of a request with which the app was told of one. A
// landing that is not asked for may be what the app was told of later.
func (q *Attribution) addTouch(e *reading.Entry, wanted bool) {
	if e.Probe {
		q.probes += btoi(wanted)
		return
	}
	before := e.Attribution.Landing != "" && (q.options.Until.IsZero() || e.Time.Before(q.options.Until))
	if !wanted && !before || !q.options.Room.take(1) {
		return
	}
	row := q.row(e, q.carriedCodes(e))
	row.touch = q.touch(e)
	if !wanted {
		q.others.add(row)
		return
	}
	q.coverage.count(e)
	q.rows.add(row)
}

// sourcesOf are the landings that the app was told of with any of the wanted requests, by
// ID. Of several with one ID it is the earliest.
func (q *Attribution) sourcesOf(wanted, others []visit) map[text]*visit {
	found := make(map[text]*visit)
	for i := range wanted {
		if t := wanted[i].touch; t != nil && t.delivered != 0 {
			found[t.delivered] = nil
		}
	}
	for _, rows := range [][]visit{wanted, others} {
		for i := range rows {
			row := rows[i] // of its own: those that are not told of are overwritten
			if row.touch == nil || row.touch.landing == 0 {
				continue
			}
			if was, told := found[row.touch.landing]; told && (was == nil || q.compare(&row, was) < 0) {
				found[row.touch.landing] = &row
			}
		}
	}
	return found
}

// compareTouches puts rows that are alike in all else into an order.
func (q *Attribution) compareTouches(a, b *touch) int {
	if a == nil || b == nil {
		return cmp.Compare(btoi(a != nil), btoi(b != nil))
	}
	for _, pair := range [...][2]text{
		{a.landing, b.landing}, {a.delivered, b.delivered}, {a.referer, b.referer}, {a.model, b.model}, {a.carried, b.carried},
		{a.as, b.as}, {a.leftOut, b.leftOut}, {a.dropped, b.dropped}, {a.withheld, b.withheld},
	} {
		if c := q.names.compare(pair[0], pair[1]); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(a.landed, b.landed), cmp.Compare(btoi(a.isLanding), btoi(b.isLanding)),
		cmp.Compare(btoi(a.paid), btoi(b.paid)), cmp.Compare(btoi(a.lost), btoi(b.lost)),
		cmp.Compare(btoi(a.named), btoi(b.named)))
}
