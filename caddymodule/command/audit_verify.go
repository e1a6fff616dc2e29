package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

func auditVerify() auditVerb {
	gap := time.Hour
	var flags *pflag.FlagSet
	return auditVerb{
		name:  "verify",
		usage: "[--gap <time>] [<files...>]",
		short: "Is the log whole? Counts records, and finds what is damaged, lost or missing",
		long: `
Reads everything and says how many records there are, which lines are damaged, how many
records the log itself says were lost, and at what times there are no records at all. A
gap is an answer by itself only if --gap was given: nobody may have come.

	$ cacheward audit verify
	$ cacheward audit verify --gap 10m /var/log/caddy --verbose

Exit status: 0 if nothing is damaged or lost, 1 if something is, 2 if it could not be run.
`,
		formats: []string{"json"},
		flags: func(f *pflag.FlagSet) {
			flags = f
			f.DurationVar(&gap, "gap", time.Hour, "tell of times without records that are longer than this; if given, they count as missing")
		},
		run: func(ctx context.Context, x *auditor, files []string) error {
			if gap < time.Minute {
				return usageError{fmt.Errorf("--gap %s; a minute or more was expected", gap)}
			}
			if x.where != "" || len(x.routes) > 0 {
				return usageError{errors.New("verify reads everything: --where and --route are not for it")}
			}
			q := newInventory()
			stats, err := ask(ctx, x, files, reading.ScanOptions{Filter: x.filter}, q)
			if err != nil {
				return err
			}
			v := q.verified(x, stats, gap)
			v.Whole = v.Damaged == 0 && v.Lost == 0 && v.Records > 0 && (len(v.Gaps) == 0 || !flags.Changed("gap"))
			err = x.tell(answer{json: v, table: func(w io.Writer) error { return v.text(w, x) }}, stats)
			if err == nil && !v.Whole {
				err = errNothing
			}
			return err
		},
	}
}

// inventory counts what is in a log. It is a question.
type inventory struct {
	events  map[audit.Event]int64
	minutes map[minute]struct{} // with a record
	lost    int64
	sampled float64 // the smallest serves_pct but 0; zero: all are written
	// unserved: for a while at least, none are written.
	unserved bool
}

// minute is one of an edge's, by its clock.
type minute struct {
	edge string
	at   int64 // since 1970
}

func newInventory() *inventory {
	return &inventory{events: make(map[audit.Event]int64), minutes: make(map[minute]struct{})}
}

func (q *inventory) Fork() *inventory { return newInventory() }

func (q *inventory) Add(e *reading.Entry) {
	q.events[e.Event]++
	if e.Event == audit.EventDrop {
		q.lost += max(1, e.Records)
	}
	q.sample(e.ServesPct)
	q.unserved = q.unserved || e.Unserved
	q.minutes[minute{e.Edge, e.Time.Unix() / 60}] = struct{}{}
}

func (q *inventory) sample(percent float64) {
	if percent > 0 && percent < 100 && (q.sampled == 0 || percent < q.sampled) {
		q.sampled = percent
	}
}

func (q *inventory) Merge(other *inventory) {
	for event, n := range other.events {
		q.events[event] += n
	}
	maps.Copy(q.minutes, other.minutes)
	q.lost += other.lost
	q.sample(other.sampled)
	q.unserved = q.unserved || other.unserved
}

// verified is what is known of a log.
type verified struct {
	Schema int `json:"schema"`
	// Whole: nothing is damaged or lost, as far as that can be told.
	Whole   bool             `json:"whole"`
	Files   int              `json:"files"`
	Bytes   int64            `json:"bytes"` // uncompressed
	Lines   int64            `json:"lines"`
	Records int64            `json:"records"`
	First   *time.Time       `json:"first,omitempty"`
	Last    *time.Time       `json:"last,omitempty"`
	Events  map[string]int64 `json:"events"`
	// Damaged is how many places could not be read, Skipped how many lines were no
	// records, by kind, Places where: the first 20 of each kind.
	Damaged int64            `json:"damaged"`
	Skipped map[string]int64 `json:"skipped"`
	Places  []foundAt        `json:"places"`
	// Lost is how many records the log says were lost.
	Lost int64 `json:"lost"`
	// ServesPct is the share of the serves that is written, if not all are.
	ServesPct float64 `json:"serves_pct,omitempty"`
	// Unserved: for a while at least, no serves are written.
	Unserved bool `json:"serves_not_written,omitempty"`
	// Edges are those that the records are of, where there are several.
	Edges []string `json:"edges,omitempty"`
	Gaps  []gap    `json:"gaps"`
}

type foundAt struct {
	File   string `json:"file"`
	Line   int64  `json:"line"`
	Offset int64  `json:"offset"`
	Kind   string `json:"kind"`
}

// gap is a time without records, to the minute; where there are several edges, without
// records of one of them.
type gap struct {
	Edge    string    `json:"edge,omitempty"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Seconds float64   `json:"length_s"`
}

func (q *inventory) verified(x *auditor, stats *reading.Stats, longest time.Duration) *verified {
	v := &verified{
		Schema: 1, Files: stats.Files, Bytes: stats.Bytes, Lines: stats.Lines, Records: stats.Records,
		Events: make(map[string]int64), Damaged: stats.Damaged(), Skipped: make(map[string]int64), Places: []foundAt{},
		Lost: q.lost, ServesPct: q.sampled, Unserved: q.unserved, Gaps: []gap{},
	}
	if !stats.First.IsZero() {
		first, last := stats.First.In(x.location).Round(time.Millisecond), stats.Last.In(x.location).Round(time.Millisecond)
		v.First, v.Last = &first, &last
	}
	for event, n := range q.events {
		v.Events[string(event)] = n
	}
	for _, k := range reading.AllKinds() {
		if n := stats.Skipped(k); n > 0 {
			v.Skipped[k.String()] = n
		}
		for _, p := range stats.Positions(k) {
			v.Places = append(v.Places, foundAt{p.File, p.Line, p.Offset, k.String()})
		}
	}
	if edges := stats.Edges(); len(edges) > 1 {
		v.Edges = edges
	}
	minutes := slices.SortedFunc(maps.Keys(q.minutes), func(a, b minute) int { return cmp.Or(cmp.Compare(a.edge, b.edge), cmp.Compare(a.at, b.at)) })
	for i := 1; i < len(minutes); i++ {
		from, to := time.Unix(minutes[i-1].at*60+60, 0).In(x.location), time.Unix(minutes[i].at*60, 0).In(x.location)
		if length := to.Sub(from); length >= longest && minutes[i-1].edge == minutes[i].edge {
			g := gap{From: from, To: to, Seconds: length.Seconds()}
			if len(v.Edges) > 0 {
				g.Edge = minutes[i].edge
			}
			v.Gaps = append(v.Gaps, g)
		}
	}
	slices.SortStableFunc(v.Gaps, func(a, b gap) int { return a.From.Compare(b.From) })
	return v
}

func (v *verified) text(w io.Writer, x *auditor) error {
	style := x.style()
	verdict := style.Paint(show.Good, "The log is whole, as far as it can tell.")
	switch {
	case v.Records == 0:
		verdict = style.Paint(show.Bad, "There is not one record in it.")
	case !v.Whole:
		verdict = style.Paint(show.Alarm, " The log is not whole. ")
	}
	if _, err := fmt.Fprintln(w, verdict); err != nil {
		return err
	}
	facts := show.Table{Columns: []show.Column{{}, {}}}
	fact := func(name, value string, color show.Color) {
		facts.Row(show.Colored(show.Dim, name), show.Colored(color, value))
	}
	fact("read", fmt.Sprintf("%s lines, %s, files: %d", show.Count(v.Lines), show.Bytes(v.Bytes), v.Files), show.Plain)
	fact("records", show.Count(v.Records), show.Strong)
	if v.First != nil {
		fact("from, to", show.Span(*v.First, *v.Last, x.location), show.Plain)
	}
	if len(v.Edges) > 0 {
		fact("edges", strings.Join(v.Edges, ", "), show.Plain)
	}
	if v.Unserved {
		fact("serves", "none of them are written: who was served what is not on record", show.Warn)
	}
	if v.ServesPct > 0 {
		fact("serves", "only "+strconv.FormatFloat(v.ServesPct, 'f', -1, 64)+" % of them are written", show.Warn)
	}
	fact("lost", show.Count(v.Lost)+" records, by what the log says itself", alarming(v.Lost))
	fact("damaged", placesOf(v.Damaged), alarming(v.Damaged))
	for _, kind := range slices.Sorted(maps.Keys(v.Skipped)) {
		fact("", show.Count(v.Skipped[kind])+" "+kind, show.Plain)
	}
	if err := facts.Write(w, style, x.width()); err != nil {
		return err
	}
	if len(v.Events) > 0 {
		events := show.Table{Columns: []show.Column{{Title: "event"}, {Title: "records", Align: show.Right}}}
		for _, event := range slices.SortedFunc(maps.Keys(v.Events), func(a, b string) int {
			return cmp.Or(cmp.Compare(v.Events[b], v.Events[a]), cmp.Compare(a, b))
		}) {
			events.Row(show.Text(event), show.Text(show.Count(v.Events[event])))
		}
		fmt.Fprintln(w)
		if err := events.Write(w, style, x.width()); err != nil {
			return err
		}
	}
	return v.gapsText(w, x)
}

func alarming(n int64) show.Color {
	if n > 0 {
		return show.Bad
	}
	return show.Plain
}

func (v *verified) gapsText(w io.Writer, x *auditor) error {
	if len(v.Gaps) == 0 {
		return nil
	}
	gaps := show.Table{Columns: []show.Column{{Title: "no records from"}, {Title: "to"}, {Title: "for", Align: show.Right}}}
	shown := v.Gaps
	if x.limit > 0 && len(shown) > x.limit {
		shown = shown[:x.limit]
	}
	if len(v.Edges) > 0 {
		gaps.Columns = append(gaps.Columns, show.Column{Title: "edge"})
	}
	for _, g := range shown {
		cells := []show.Cell{show.Text(show.Time(g.From, x.location)), show.Text(show.Time(g.To, x.location)), show.Text(show.Duration(g.To.Sub(g.From)))}
		if len(v.Edges) > 0 {
			cells = append(cells, show.Text(orNone(g.Edge)))
		}
		gaps.Row(cells...)
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	if err := gaps.Write(w, x.style(), x.width()); err != nil {
		return err
	}
	if more := len(v.Gaps) - len(shown); more > 0 {
		_, err := fmt.Fprintf(w, "%d more; --limit 0 shows all\n", more)
		return err
	}
	return nil
}
