package inquiry

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

// Timeline is the question how many decisions of each kind there were in the course of
// time. It needs the entries' time, edge, event, outcome, serves_pct, records and attribution.
type Timeline struct {
	bucket time.Duration
	series series
	edges  byEdge[series] // requests
	// skipped are records without a time that could be placed.
	skipped int64
	probes  int64 // requests of probes, which are left out, in weights
	sampled bool
	// unserved: for a while at least, no serves are written.
	unserved bool
}

// timelineRows are the kinds of decisions, in the order in which they are shown: first how
// requests ended, then what else happened.
var timelineRows = []struct {
	event   audit.Event // empty: any request
	outcome string
	words   string
}{
	{"", "hit", "from the cache"},
	{"", "stale", "from the cache, past its time"},
	{"", "revalidated", "from the cache, asked again"},
	{"", "collapsed", "waited for another's answer"},
	{"", "fill", "fetched for the cache"},
	{"", "pass", "to the app, not shareable now"},
	{"", "bypass", "to the app, by the policy"},
	{"", "observe", "to the app, only observed"},
	{"", "deny", "refused with 400"},
	{"", "fault", "to the app, after a fault"},
	{"", "", "ended otherwise"},
	{audit.EventStore, "", "pages stored"},
	{audit.EventRefresh, "", "pages refreshed"},
	{audit.EventRefuse, "", "pages not stored"},
	{audit.EventDiverge, "", "pages that differed"},
	{audit.EventWithdraw, "", "pages withdrawn"},
	{audit.EventExpire, "", "objects expired"},
	{audit.EventEvict, "", "objects evicted"},
	{audit.EventPurge, "", "purges"},
	{audit.EventLeak, "", "leaks found"},
	{audit.EventTrip, "", "caching stopped"},
	{audit.EventReset, "", "caching resumed"},
	{audit.EventClear, "", "leaks over"},
	{audit.EventDrop, "", "records lost"},
	{audit.EventFault, "", "faults"},
}

// attributionRows are what routes with attribution did, in the rows behind timelineRows.
var attributionRows = []struct {
	name, words string
	of          func(*reading.Attribution) bool
}{
	{"landings", "landings", (*reading.Attribution).IsLanding},
	{"carried", "landings carried", func(a *reading.Attribution) bool { return a.Carried != "" }},
	{"delivered", "conversions the app was told of", (*reading.Attribution).IsDelivered},
	{"dropped", "attribution cookies not believed", func(a *reading.Attribution) bool { return a.Dropped != "" }},
	{"beacons_lost", "beacons lost", func(a *reading.Attribution) bool { return a.BeaconLost }},
}

// allRows is how many rows there are.
var allRows = len(timelineRows) + len(attributionRows)

// MaxBuckets is how many buckets of a given length there are at most. Where the records
// reach over more, the buckets are twice as long, or four times, and so on.
const MaxBuckets = 4096

// NewTimeline returns the question, with buckets of the given length; zero: such that
// there are at most 60, of a round length. It fails if the length is no number of seconds.
func NewTimeline(bucket time.Duration) (*Timeline, error) {
	if bucket < 0 || bucket%time.Second != 0 {
		return nil, fmt.Errorf("buckets of %s; whole seconds were expected, such as 30s, 5m or 1h", bucket)
	}
	return &Timeline{bucket: bucket, series: timelineSeries(bucket, allRows), edges: make(byEdge[series])}, nil
}

func timelineSeries(bucket time.Duration, rows int) series {
	seconds := int64(bucket / time.Second)
	if seconds == 0 {
		return newRoundSeries(rows)
	}
	return newSeries(func(level int) int64 {
		if level >= 62 || seconds > math.MaxInt64>>level {
			return math.MaxInt64
		}
		return seconds << level
	}, MaxBuckets, rows)
}

// edge are the requests of one edge.
func (t *Timeline) edge(name string) *series {
	return t.edges.of(name, func() *series {
		s := timelineSeries(t.bucket, 1)
		return &s
	})
}

// Fork returns the same question with nothing read, for another worker.
func (t *Timeline) Fork() *Timeline {
	fork, _ := NewTimeline(t.bucket) // it was good once
	return fork
}

// Add takes note of a record.
func (t *Timeline) Add(e *reading.Entry) {
	t.unserved = t.unserved || e.Unserved
	row := timelineRow(e)
	if row < 0 {
		return
	}
	weight := weightOf(e)
	if weight != one {
		t.sampled = true
	}
	if e.Probe && timelineRows[row].event == "" {
		t.probes += weight
		return
	}
	figures := t.series.at(e.Time)
	if figures == nil {
		t.skipped++
		return
	}
	if e.Event == audit.EventDrop {
		weight *= max(1, min(e.Records, math.MaxInt32))
	}
	figures[row] += weight
	if e.Edge != "" && timelineRows[row].event == "" {
		t.edge(e.Edge).at(e.Time)[0] += weight
	}
	if e.Attribution == nil {
		return
	}
	for i, r := range attributionRows {
		if r.of(e.Attribution) {
			figures[len(timelineRows)+i] += one // these records stand for no others
		}
	}
}

// timelineRow is where a record counts, or -1.
func timelineRow(e *reading.Entry) int {
	switch e.Event {
	case audit.EventServe, audit.EventBypass, audit.EventDeny:
		for i := range timelineRows {
			if r := &timelineRows[i]; r.event == "" && (r.outcome == e.Outcome || r.outcome == "") {
				return i
			}
		}
	}
	for i := range timelineRows {
		if r := &timelineRows[i]; r.event == e.Event && r.event != "" {
			return i
		}
	}
	return -1
}

// Merge adds what another worker has read.
func (t *Timeline) Merge(other *Timeline) {
	t.series.merge(&other.series)
	for edge, s := range other.edges {
		t.edge(edge).merge(s)
	}
	t.skipped += other.skipped
	t.probes += other.probes
	t.sampled = t.sampled || other.sampled
	t.unserved = t.unserved || other.unserved
}

// TimelineAnswer is the answer to [Timeline].
type TimelineAnswer struct {
	Schema int `json:"schema"`
	// Start is where the first bucket begins, Bucket the length of each in seconds. They
	// are aligned to UTC.
	Start   time.Time `json:"start,omitzero"`
	Bucket  float64   `json:"bucket_s"`
	Buckets int       `json:"buckets"`
	// Longer: buckets of the length that was asked for were too many.
	Longer bool `json:"longer_than_asked,omitempty"`
	// Estimated: the requests that were answered from the cache are estimates.
	Estimated bool `json:"estimated,omitempty"`
	// Unserved: for a while at least, no record was written of those requests.
	Unserved bool `json:"serves_not_written,omitempty"`
	// Untimed is how many records have no time that could be read.
	Untimed int64 `json:"untimed_records,omitempty"`
	// Probes is how many requests were left out, for they were probes and no visitors'.
	Probes int64 `json:"probes_left_out,omitempty"`
	// Rows are those with anything in them: first how requests ended, then events, then what
	// of these requests had to do with who sent the visitor, and, where there are several
	// edges, how many requests each had.
	Rows []TimelineRow `json:"rows"`
}

// TimelineRow is one kind of decision in the course of time.
type TimelineRow struct {
	// Kind is outcome (of a request), event, attribution or edge.
	Kind string `json:"kind"`
	Name string `json:"name"`
	// Words say what it is.
	Words  string  `json:"words"`
	Total  int64   `json:"total"`
	Counts []int64 `json:"counts"`
}

// Answer ends the question.
func (t *Timeline) Answer() *TimelineAnswer {
	start, length, buckets := t.series.span()
	a := &TimelineAnswer{
		Schema: AnswerSchema,
		Bucket: length.Seconds(), Buckets: buckets, Longer: t.bucket > 0 && length > t.bucket,
		Estimated: t.sampled, Unserved: t.unserved, Untimed: t.skipped, Probes: whole(t.probes), Rows: []TimelineRow{},
	}
	if buckets > 0 {
		a.Start = start.UTC()
	}
	for i, r := range timelineRows {
		row := TimelineRow{Kind: "outcome", Name: cmp.Or(r.outcome, "other"), Words: r.words}
		if r.event != "" {
			row.Kind, row.Name = "event", string(r.event)
		}
		a.add(row, t.series.figures(i))
	}
	for i, r := range attributionRows {
		a.add(TimelineRow{Kind: "attribution", Name: r.name, Words: r.words}, t.series.figures(len(timelineRows)+i))
	}
	for _, edge := range t.edges.sorted() {
		s := t.edges[edge]
		s.cover(&t.series)
		a.add(TimelineRow{Kind: "edge", Name: edge, Words: "requests on edge " + edge}, s.figures(0))
	}
	return a
}

// add adds a row, if there is anything in it.
func (a *TimelineAnswer) add(row TimelineRow, counts []int64) {
	total := int64(0)
	for _, n := range counts {
		total += n
	}
	if total == 0 {
		return
	}
	row.Total, row.Counts = whole(total), wholes(counts)
	a.Rows = append(a.Rows, row)
}

// peak is the largest count of a row.
func (r *TimelineRow) peak() int64 { return slices.Max(append([]int64{0}, r.Counts...)) }

// axis is a line of marks under a chart: the time of day where a bucket begins, as often
// as there is room.
func (a *TimelineAnswer) axis(from, to int, loc *time.Location) string {
	layout := "15:04"
	switch length := time.Duration(a.Bucket) * time.Second; {
	case length < time.Minute:
		layout = "15:04:05"
	case length >= 24*time.Hour:
		layout = "01-02"
	case length >= 3*time.Hour:
		layout = "01-02 15:04"
	}
	var b strings.Builder
	for i, cells := from, 0; i < to; i++ {
		if cells > i-from {
			continue // still within a mark
		}
		mark := a.begins(i).In(loc).Format(layout)
		if room := to - i; len(mark) > room && i > from {
			break
		}
		b.WriteString(strings.Repeat(" ", i-from-cells) + mark + "  ")
		cells = i - from + len(mark) + 2
	}
	return strings.TrimRight(b.String(), " ")
}

// begins is where a bucket does.
func (a *TimelineAnswer) begins(bucket int) time.Time {
	return a.Start.Add(time.Duration(a.Bucket) * time.Second * time.Duration(bucket))
}
