// Package plot draws line charts as SVG that needs nothing else: no script, no font, no
// style sheet. They are readable in a light and in a dark page, say in words what they show
// for those who do not see them, and are the same bytes for the same data.
package plot

import (
	"fmt"
	"math"
	"slices"
)

// Line is a chart of one or more series over a common horizontal axis.
type Line struct {
	Title    string   // what is shown; it is wrapped, as is the subtitle
	Subtitle string   // how it was measured
	X, Y     Axis     // Y.Label and the unit stand above the axis
	Series   []Series // at most eight; colours go by the order
	Bars     []Bar
}

// Axis is one axis of a chart. A linear one begins at zero, or below if values are
// negative; a logarithmic one spans the values, all of which must be above zero.
type Axis struct {
	Label string // what the values are
	Unit  string // of the values: "µs", "requests/s"; none if empty
	Log   bool   // logarithmic
	Bytes bool   // the values are bytes: ticks are at powers of two, as in 64 KiB; no Unit
}

// Series is one line, labelled with its name where it ends.
type Series struct {
	Name   string  // wrapped at a third of the chart's width, so better short
	Points []Point // by rising X; a line joins them
	Muted  bool    // grey and dashed: what the others are compared with
}

// Point is a measured value. If Min or Max is not zero, whiskers from Min to Max show the
// spread; Y must lie between them.
type Point struct {
	X, Y     float64
	Min, Max float64
}

// Bar is a value of Y that is to be kept to, drawn as a labelled line across the chart.
type Bar struct {
	Y     float64
	Label string
}

// Grid is several charts of one size on one sheet, row by row.
type Grid struct {
	Title    string
	Subtitle string
	Columns  int // 2 if zero
	Charts   []Line
}

// The sizes, in the units of the document, which are pixels where it is not scaled.
const (
	lineWidth, lineHeight = 720, 420
	cellWidth, cellHeight = 460, 280 // the height without the titles
	margin                = 20       // around a sheet
	gap                   = 28       // between charts
)

// SVG returns the chart as an SVG document 720 wide. It returns an error if there is
// nothing to draw or a value cannot be drawn: not finite, or not above zero on a
// logarithmic axis.
func (l Line) SVG() ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	var d drawing
	d.line(l, margin, margin, lineWidth-2*margin, lineHeight-2*margin, l.headHeight(lineWidth-2*margin))
	return d.document(lineWidth, lineHeight, l.Title, l.words()), nil
}

// SVG returns the sheet as an SVG document, 988 wide with two columns. It returns an error
// if it has no charts or one of them cannot be drawn.
func (g Grid) SVG() ([]byte, error) {
	if len(g.Charts) == 0 {
		return nil, fmt.Errorf("plot: %q has no charts", g.Title)
	}
	columns := g.Columns
	if columns <= 0 {
		columns = 2
	}
	words := g.Subtitle
	for _, l := range g.Charts {
		if err := l.check(); err != nil {
			return nil, err
		}
		words += "\n" + l.Title + ". " + l.words()
	}
	var d drawing
	width := float64(2*margin + columns*cellWidth + (columns-1)*gap)
	y := d.head(g.Title, g.Subtitle, margin, margin, width-2*margin, sheetHead) - gap/2
	for row := range slices.Chunk(g.Charts, columns) {
		y += gap
		// The areas of the charts in a row begin at one height, whatever their titles need.
		head := 0.0
		for _, l := range row {
			head = max(head, l.headHeight(cellWidth))
		}
		for i, l := range row {
			d.line(l, margin+float64(i)*(cellWidth+gap), y, cellWidth, head+cellHeight, head)
		}
		y += head + cellHeight
	}
	return d.document(width, y+margin, g.Title, words), nil
}

// check says why the chart cannot be drawn.
func (l *Line) check() error {
	if len(l.Series) == 0 || len(l.Series) > colours {
		return fmt.Errorf("plot: %q has %d series, not 1 to %d", l.Title, len(l.Series), colours)
	}
	for _, s := range l.Series {
		if len(s.Points) == 0 {
			return fmt.Errorf("plot: %q: %q has no points", l.Title, s.Name)
		}
		for i, p := range s.Points {
			fits := l.X.has(p.X) && l.Y.has(p.Y)
			if p.spread() {
				fits = fits && l.Y.has(p.Min) && l.Y.has(p.Max) && p.Min <= p.Y && p.Y <= p.Max
			}
			if !fits || i > 0 && p.X <= s.Points[i-1].X {
				return fmt.Errorf("plot: %q: %q: point %d cannot be drawn: %v", l.Title, s.Name, i, p)
			}
		}
	}
	for _, b := range l.Bars {
		if !l.Y.has(b.Y) {
			return fmt.Errorf("plot: %q: bar %q cannot be drawn at %v", l.Title, b.Label, b.Y)
		}
	}
	return nil
}

func (p Point) spread() bool { return p.Min != 0 || p.Max != 0 }

// Beyond these, and nearer to zero, arithmetic on an axis would not be exact.
const largest, least = 1e100, 1e-100

// has says whether the value has a place on the axis.
func (a *Axis) has(v float64) bool {
	return math.Abs(v) <= largest && (!a.Log || v >= least) // NaN is not
}
