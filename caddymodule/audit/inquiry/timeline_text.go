package inquiry

import (
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// Text writes the answer for people: a chart with one line for each kind of decision, in
// several parts where the terminal is too narrow.
func (a *TimelineAnswer) Text(w io.Writer, o TextOptions) error {
	p := &page{w: w, o: o}
	if a.Buckets == 0 {
		p.title("Timeline")
		p.say(show.Plain, "", "There is nothing to show.")
		p.probesLeftOut(a.Probes, a.Estimated)
		return p.err
	}
	length := time.Duration(a.Bucket) * time.Second
	p.title("Timeline", show.Span(a.begins(0), a.begins(a.Buckets), o.Location), "each column is "+show.Duration(length))
	if a.Longer {
		p.say(show.Warn, "", "The time is too long for columns of the length that was asked for.")
	}
	columns := a.columns(o.Width)
	for from := 0; from < a.Buckets; from += columns {
		a.part(p, from, min(a.Buckets, from+columns))
	}
	p.line("")
	p.say(show.Dim, "", "Each line has a scale of its own: its highest column is the peak. · is none.")
	if a.Estimated {
		p.say(show.Dim, "", "~: an estimate, for only a share of the requests that were answered from the cache is on record.")
	}
	if a.Unserved {
		p.say(show.Warn, "", "Not complete: no serve records were written (serves none), so what came from the cache is not shown.")
	}
	if a.Untimed > 0 {
		p.say(show.Dim, "", counted(int(a.Untimed), "record has", "records have")+" no time and are not shown.")
	}
	p.probesLeftOut(a.Probes, a.Estimated)
	return p.err
}

// columns is how many buckets fit beside the words and figures.
func (a *TimelineAnswer) columns(width int) int {
	if width <= 0 {
		return max(a.Buckets, 1)
	}
	words, figures := 0, 0
	for i := range a.Rows {
		words = max(words, show.Width(a.Rows[i].Words))
		figures = max(figures, show.Width(show.Estimate(a.Rows[i].Total, a.Estimated)), len("Total"))
	}
	return max(10, width-2-words-2*(figures+2)-2)
}

func (a *TimelineAnswer) part(p *page, from, to int) {
	t := &show.Table{Indent: 2, Columns: []show.Column{
		{}, {Title: "Total", Align: show.Right}, {Title: "Peak", Align: show.Right}, {Title: a.axis(from, to, zoneOf(p.o.Location))},
	}}
	kind := ""
	for i := range a.Rows {
		r := &a.Rows[i]
		if from > 0 || to < a.Buckets {
			if slices.Max(r.Counts[from:to]) == 0 {
				continue // other parts have it
			}
		}
		if kind != "" && kind != r.Kind {
			t.Row()
		}
		kind = r.Kind
		color := outcomeColor(r.Name)
		estimated := a.Estimated && r.Kind == "outcome" && slices.Contains([]string{"hit", "stale", "revalidated", "collapsed", "fill"}, r.Name)
		if r.Kind == "edge" {
			color, estimated = show.Info, a.Estimated
		}
		values := floats(r.Counts[from:to])
		top := float64(r.peak())
		t.Row(show.Text(r.Words), show.Text(show.Estimate(r.Total, estimated)), show.Text(show.Estimate(r.peak(), estimated)),
			show.Colored(color, show.SparklineTo(values, top)))
	}
	p.line("")
	p.table(t)
}

func zoneOf(loc *time.Location) *time.Location {
	if loc == nil {
		return time.UTC
	}
	return loc
}

// CSV writes one line for each bucket, with a column for each kind of decision.
func (a *TimelineAnswer) CSV(w io.Writer) error {
	c := show.NewCSV(w)
	head := []string{"time"}
	for i := range a.Rows {
		name := a.Rows[i].Name
		if kind := a.Rows[i].Kind; kind != "outcome" {
			name = kind + "_" + name
		}
		head = append(head, name)
	}
	if err := c.Row(head...); err != nil {
		return err
	}
	for bucket := range a.Buckets {
		line := []string{stamp(a.begins(bucket))}
		for i := range a.Rows {
			line = append(line, strconv.FormatInt(a.Rows[i].Counts[bucket], 10))
		}
		if err := c.Row(line...); err != nil {
			return err
		}
	}
	return c.Flush()
}
