package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// The charts have these sizes in units of their own, and as many pixels where there is
// room for them.
const (
	chartWidth  = 960
	chartLeft   = 58
	chartRight  = 14
	chartTop    = 12
	plotHeight  = 210
	shareHeight = 90
	axisHeight  = 26
	markRow     = 15 // height of a line of marks
	markRows    = 5
	maxMarks    = 24
)

// chart is a picture of counts over time, with marks for what happened.
type chart struct {
	Width, Height       int
	Left, Right, Bottom int // of the plot
	Top                 int
	Columns             []column
	Grid                []gridLine
	Ticks               []tick
	Marks               []mark
	Line                string // path of the share, in its own chart
	Dots                []dot
	Describe            string
}

// column is a bucket of time.
type column struct {
	Title string
	Bars  []bar
}

type bar struct {
	Series        string
	X, Y, W, High string
}

type gridLine struct {
	Y     string
	Label string
}

type tick struct {
	X     string
	Label string
}

// mark is something that happened.
type mark struct {
	X, TextY    string
	Label, Text string
	Kind        string
	Anchor      string
}

type dot struct{ X, Y, Title string }

// axis places moments on a chart.
type axis struct {
	start   time.Time
	bucket  time.Duration
	buckets int
}

func (a axis) step() float64 { return float64(chartWidth-chartLeft-chartRight) / float64(a.buckets) }

func (a axis) x(bucket float64) float64 { return chartLeft + bucket*a.step() }

func (a axis) begins(bucket int) time.Time { return a.start.Add(a.bucket * time.Duration(bucket)) }

func px(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

// newChart draws the series on top of one another, the first at the bottom.
func newChart(a axis, groups []group, list []happening, loc *time.Location) *chart {
	marks, rows := newMarks(a, list, loc)
	top := chartTop + rows*markRow
	c := &chart{
		Width: chartWidth, Height: top + plotHeight + axisHeight, Left: chartLeft, Right: chartWidth - chartRight,
		Top: top, Bottom: top + plotHeight, Marks: marks, Ticks: a.ticks(loc),
	}
	highest := int64(0)
	totals := make([]int64, a.buckets)
	for i := range a.buckets {
		for _, g := range groups {
			totals[i] += g.at(i)
		}
		highest = max(highest, totals[i])
	}
	scale := niceScale(highest)
	for i := int64(0); i <= scale.steps; i++ {
		y := float64(c.Bottom) - float64(plotHeight)*float64(i)/float64(scale.steps)
		c.Grid = append(c.Grid, gridLine{px(y), compact(scale.step * i)})
	}
	for i := range a.buckets {
		if totals[i] == 0 {
			continue
		}
		col, y := column{}, float64(c.Bottom)
		var parts []string
		for _, g := range groups {
			n := g.at(i)
			if n == 0 {
				continue
			}
			high := plotHeight * float64(n) / float64(scale.step*scale.steps)
			y -= high
			col.Bars = append(col.Bars, bar{g.ID, px(a.x(float64(i)) + a.step()*0.07), px(y), px(a.step() * 0.86), px(max(high, 0.5))})
			parts = append(parts, show.Count(n)+" "+g.Words)
		}
		col.Title = fmt.Sprintf("%s: %s", show.Time(a.begins(i), loc), strings.Join(parts, ", "))
		c.Columns = append(c.Columns, col)
	}
	if highest > 0 {
		peak := slices.Index(totals, highest)
		c.Describe = fmt.Sprintf("Columns of %s each. The highest has %s, at %s.", show.Duration(a.bucket), requests(highest), show.Time(a.begins(peak), loc))
	}
	return c
}

// newShareChart draws the share of what was served in all requests; where there were
// none, there is no line.
func newShareChart(a axis, served, all []int64, loc *time.Location) *chart {
	c := &chart{
		Width: chartWidth, Height: chartTop + shareHeight + axisHeight, Left: chartLeft, Right: chartWidth - chartRight,
		Top: chartTop, Bottom: chartTop + shareHeight, Ticks: a.ticks(loc),
	}
	for _, percent := range []int{0, 50, 100} {
		c.Grid = append(c.Grid, gridLine{px(float64(c.Bottom) - shareHeight*float64(percent)/100), strconv.Itoa(percent) + " %"})
	}
	var path strings.Builder
	pen := "M"
	lowest, highest := math.Inf(1), math.Inf(-1)
	for i := range a.buckets {
		if at(all, i) <= 0 {
			pen = "M"
			continue
		}
		share := float64(at(served, i)) / float64(at(all, i))
		lowest, highest = min(lowest, share), max(highest, share)
		x, y := px(a.x(float64(i)+0.5)), px(float64(c.Bottom)-shareHeight*share)
		path.WriteString(pen + x + " " + y)
		pen = "L"
		c.Dots = append(c.Dots, dot{x, y, show.Time(a.begins(i), loc) + ": " + show.Percent(at(served, i), at(all, i)) + " of " + requests(at(all, i))})
	}
	c.Line = path.String()
	if lowest <= highest {
		c.Describe = fmt.Sprintf("Between %s and %s in columns of %s.", show.PercentOf(lowest), show.PercentOf(highest), show.Duration(a.bucket))
	}
	return c
}

func at(counts []int64, i int) int64 {
	if i < 0 || i >= len(counts) {
		return 0
	}
	return counts[i]
}

// scale is that of an axis: so many steps of a round number.
type scale struct{ step, steps int64 }

func niceScale(highest int64) scale {
	const least, most = 3, 5
	for power := int64(1); power < math.MaxInt64/100; power *= 10 {
		for _, digit := range []int64{1, 2, 5} {
			step := digit * power
			if steps := (highest + step - 1) / step; steps <= most {
				return scale{step, max(least, steps)}
			}
		}
	}
	return scale{max(1, highest/most+1), most}
}

// compact is a number for an axis: 1,500 or 12k.
func compact(n int64) string {
	for _, unit := range []struct {
		n    int64
		name string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e4, "k"}} {
		if n < unit.n {
			continue
		}
		if unit.name == "k" {
			return strconv.FormatFloat(float64(n)/1e3, 'g', 6, 64) + "k"
		}
		return strconv.FormatFloat(float64(n)/float64(unit.n), 'g', 6, 64) + unit.name
	}
	return show.Count(n)
}

// tickLengths are between two ticks, in seconds.
var tickLengths = []int64{
	1, 5, 10, 30, 60, 300, 600, 900, 1800, 3600, 2 * 3600, 3 * 3600, 6 * 3600, 12 * 3600,
	86400, 2 * 86400, 7 * 86400, 28 * 86400, 91 * 86400, 364 * 86400,
}

const maxTicks = 9

// ticks are at round times of day in the zone, at most [maxTicks] of them.
func (a axis) ticks(loc *time.Location) []tick {
	if a.buckets == 0 {
		return nil
	}
	if loc == nil {
		loc = time.UTC
	}
	seconds := int64(a.bucket.Seconds())
	every := tickLengths[len(tickLengths)-1]
	for _, length := range tickLengths {
		if length*maxTicks >= seconds*int64(a.buckets) {
			every = length
			break
		}
	}
	layout := "15:04"
	switch {
	case every < 60:
		layout = "15:04:05"
	case every >= 86400:
		layout = "2006-01-02"
	}
	_, offset := a.start.In(loc).Zone()
	start := a.start.Unix()
	round := min(every, 86400)
	first := start + (round-(start+int64(offset))%round)%round
	var ticks []tick
	for t := first; t < start+seconds*int64(a.buckets); t += every {
		x := a.x(float64(t-start) / float64(seconds))
		label := time.Unix(t, 0).In(loc).Format(layout)
		if label == "00:00" {
			label = time.Unix(t, 0).In(loc).Format("01-02")
		}
		ticks = append(ticks, tick{px(x), label})
	}
	return ticks
}
