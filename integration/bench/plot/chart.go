package plot

import (
	"fmt"
	"math"
)

// chart is a line chart on its place in a drawing.
type chart struct {
	*drawing
	Line
	x, y                     scale
	left, right, top, bottom float64 // of the area
	labels                   []label
}

const (
	axisTitle   = 26 // height of the vertical axis's title, which stands above it
	below       = 44 // height of what is below the area
	labelIndent = 12 // from the area to the series' names
)

// line draws a chart, whose title and subtitle have the height head.
func (d *drawing) line(l Line, x, y, width, height, head float64) {
	c := chart{drawing: d, Line: l, top: y + head + axisTitle, bottom: y + height - below}
	d.head(l.Title, l.Subtitle, x, y, width, chartHead)

	xs, ys := l.values()
	c.y = scaleOf(l.Y, ys, int((c.bottom-c.top)/45), true)
	c.y.start, c.y.end = c.bottom, c.top
	wide := 0.0
	for _, tick := range c.y.ticks {
		wide = max(wide, textWidth(c.y.tick(tick), textSize))
	}
	c.left = x + min(wide+8, width*0.3)
	c.right = x + width - c.nameSeries(width*0.3)
	c.x = scaleOf(l.X, xs, int((c.right-c.left)/65), false)
	c.x.start, c.x.end = c.left, c.right

	c.axes(x)
	for _, muted := range []bool{true, false} { // what it is about is on top
		for i, s := range l.Series {
			if s.Muted == muted {
				c.series(i)
			}
		}
	}
	c.bars()
	c.names()
}

func (l *Line) values() (xs, ys []float64) {
	for _, s := range l.Series {
		for _, p := range s.Points {
			xs, ys = append(xs, p.X), append(ys, p.Y)
			if p.spread() {
				ys = append(ys, p.Min, p.Max)
			}
		}
	}
	for _, b := range l.Bars {
		ys = append(ys, b.Y)
	}
	return xs, ys
}

// axes draws the ticks of both axes, their titles, and the lines of the vertical one.
func (c *chart) axes(x float64) {
	c.text("soft", after, x, c.top-12, c.Line.Y.title())
	for _, tick := range c.y.ticks {
		y := c.y.at(tick)
		c.stroke("grid", c.left, y, c.right, y)
		c.text("soft", before, c.left-8, y+4, c.y.tick(tick))
	}
	c.stroke("axis", c.left, c.bottom, c.right, c.bottom)
	free := math.Inf(-1)
	for _, tick := range c.x.ticks {
		x, s := c.x.at(tick), c.x.tick(tick)
		c.stroke("axis", x, c.bottom, x, c.bottom+4)
		if half := textWidth(s, textSize) / 2; x-half > free {
			c.text("soft", around, x, c.bottom+18, s)
			free = x + half + 6
		}
	}
	c.text("soft", after, c.left, c.bottom+38, c.Line.X.title())
}

// class is the style of a series.
func (c *chart) class(i int) string {
	if c.Series[i].Muted {
		return "muted"
	}
	return fmt.Sprintf("s%d", i)
}

func (c *chart) series(i int) {
	class := c.class(i)
	var places []place
	for _, p := range c.Series[i].Points {
		places = append(places, place{c.x.at(p.X), c.y.at(p.Y)})
	}
	for n, p := range c.Series[i].Points {
		if !p.spread() {
			continue
		}
		x, low, high := places[n].x, c.y.at(p.Min), c.y.at(p.Max)
		c.stroke(class+" spread", x, low, x, high)
		c.stroke(class+" spread", x-4, low, x+4, low)
		c.stroke(class+" spread", x-4, high, x+4, high)
	}
	c.path(class+" line", places)
	for _, p := range places {
		c.dot(class+" dot", p.x, p.y)
	}
}

// nameSeries makes the labels of the series and returns the width that they need beside
// the area.
func (c *chart) nameSeries(width float64) float64 {
	need := 26.0 // half of the last tick's label is beyond the area
	for i, s := range c.Series {
		l := label{lines: wrap(s.Name, textSize*bold, width), series: i}
		if l.lines == nil {
			continue
		}
		for _, line := range l.lines {
			need = max(need, labelIndent+textWidth(line, textSize*bold))
		}
		l.wanted = c.y.at(s.Points[len(s.Points)-1].Y)
		c.labels = append(c.labels, l)
	}
	return need
}

// names writes the series' names beside the area, each where its line ends, and leads a
// line there if there was no room.
func (c *chart) names() {
	spreadLabels(c.labels, c.top-labelLine/2, c.bottom+labelLine/2)
	for _, l := range c.labels {
		points := c.Series[l.series].Points
		end := place{c.x.at(points[len(points)-1].X), l.wanted}
		if end.x < c.right-1 || math.Abs(l.got-l.wanted) > 3 {
			c.stroke(c.class(l.series)+" leader", end.x+5, end.y, c.right+labelIndent-2, l.got)
		}
		y := l.got - l.height()/2 + labelLine - 3.5
		for _, line := range l.lines {
			c.text(c.class(l.series)+" name", after, c.right+labelIndent, y, line)
			y += labelLine
		}
	}
}

// bars draws the lines to be kept to, and their labels where they are farthest from what
// is drawn.
func (c *chart) bars() {
	var taken []span
	for i, b := range c.Bars {
		y := c.y.at(b.Y)
		c.stroke("bar", c.left, y, c.right, y)
		width := textWidth(b.Label, textSize)
		best, anchor, distance := place{}, after, -math.MaxFloat64
		var space span
		for _, candidate := range []struct {
			anchor string
			place
		}{
			{after, place{c.left + 6, y - 6}}, {before, place{c.right - 6, y - 6}},
			{after, place{c.left + 6, y + 15}}, {before, place{c.right - 6, y + 15}},
		} {
			at := span{candidate.x, candidate.x + width, candidate.y - 4}
			if candidate.anchor == before {
				at.from, at.to = at.from-width, at.from
			}
			if at.y < c.top || at.y > c.bottom {
				continue // the area is high enough for one above or one below
			}
			room := c.room(i, at)
			for _, other := range taken {
				if at.from < other.to && at.to > other.from {
					room = min(room, math.Abs(at.y-other.y)-labelLine)
				}
			}
			if room > distance+1 {
				best, anchor, distance, space = candidate.place, candidate.anchor, room, at
			}
		}
		taken = append(taken, space)
		c.text("barname over", anchor, best.x, best.y, b.Label)
	}
}

// span is where the label of a bar is.
type span struct{ from, to, y float64 }

// room is how far a label is from the lines and their spread, and from the other bars.
func (c *chart) room(bar int, at span) float64 {
	from, to, y := at.from, at.to, at.y
	const enough = 24 // more is not better
	room := float64(enough)
	for i, b := range c.Bars {
		if i != bar {
			room = min(room, math.Abs(c.y.at(b.Y)-y))
		}
	}
	for _, s := range c.Series {
		for i, p := range s.Points {
			here := place{c.x.at(p.X), c.y.at(p.Y)}
			if here.x >= from-6 && here.x <= to+6 {
				low, high := here.y, here.y
				if p.spread() {
					low, high = c.y.at(p.Min), c.y.at(p.Max)
				}
				room = min(room, max(0, y-low, high-y)) // heights are counted from the top
			}
			if i == 0 {
				continue
			}
			last := place{c.x.at(s.Points[i-1].X), c.y.at(s.Points[i-1].Y)}
			for x := max(from, last.x); x <= min(to, here.x); x += 4 {
				room = min(room, math.Abs(last.y+(here.y-last.y)*(x-last.x)/(here.x-last.x)-y))
			}
		}
	}
	return room
}
