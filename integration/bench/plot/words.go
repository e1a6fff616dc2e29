package plot

import (
	"fmt"
	"strings"
)

// words says what the chart shows: its axes and every value.
func (l *Line) words() string {
	var b strings.Builder
	if l.Subtitle != "" {
		fmt.Fprintf(&b, "%s\n", l.Subtitle)
	}
	fmt.Fprintf(&b, "Vertically: %s. Horizontally: %s.", l.Y.words(), l.X.words())
	for _, s := range l.Series {
		fmt.Fprintf(&b, "\n%s: ", s.Name)
		for i, p := range s.Points {
			if i > 0 {
				b.WriteString("; ")
			}
			fmt.Fprintf(&b, "%s at %s", l.Y.value(p.Y), l.X.value(p.X))
			if p.spread() {
				fmt.Fprintf(&b, " (%s to %s)", l.Y.value(p.Min), l.Y.value(p.Max))
			}
		}
		b.WriteString(".")
	}
	for _, bar := range l.Bars {
		fmt.Fprintf(&b, "\n%s: a line at %s.", bar.Label, l.Y.value(bar.Y))
	}
	return b.String()
}

func (a *Axis) words() string {
	if a.Log {
		return a.title() + ", logarithmic"
	}
	return a.title()
}
