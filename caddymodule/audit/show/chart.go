package show

import (
	"math"
	"strings"
)

var levels = []rune("▁▂▃▄▅▆▇█")

// Sparkline is a chart of one line, one character a value, the largest of them as high
// as the line. Zero is a dot, a value that is not known (NaN) a blank; a value below
// zero counts as zero.
func Sparkline(values []float64) string {
	top := 0.0
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			top = max(top, v)
		}
	}
	return SparklineTo(values, top)
}

// SparklineTo is [Sparkline] with the value that is as high as the line: of shares, 1.
// What is above is as high.
func SparklineTo(values []float64, top float64) string {
	var b strings.Builder
	for _, v := range values {
		switch {
		case math.IsNaN(v):
			b.WriteByte(' ')
		case v <= 0:
			b.WriteRune('·')
		default:
			level := len(levels) - 1
			if top > 0 && v < top {
				level = int(v / top * float64(len(levels)))
			}
			b.WriteRune(levels[min(level, len(levels)-1)])
		}
	}
	return b.String()
}

// Bar is a share, 0 to 1, as a bar in cells cells. Something is never an empty bar, and
// less than all never a full one.
func Bar(share float64, cells int) string {
	if cells <= 0 {
		return ""
	}
	full := 0
	switch {
	case math.IsNaN(share) || share <= 0:
	case share >= 1:
		full = cells
	default:
		full = int(math.Round(share * float64(cells)))
		full = max(min(full, cells-1), min(1, cells-1))
	}
	return strings.Repeat("█", full) + strings.Repeat("░", cells-full)
}
