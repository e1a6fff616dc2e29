package plot

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// scale is an axis with its values laid out.
type scale struct {
	axis       Axis
	from, to   float64 // values
	start, end float64 // where they are drawn
	ticks      []float64
	perTick    float64 // of a linear axis
}

// scaleOf lays the values out on about n ticks. A rounded one is extended to the ticks
// around them.
func scaleOf(axis Axis, values []float64, n int, rounded bool) scale {
	s := scale{axis: axis, from: values[0], to: values[0]}
	n = max(n, 2)
	for _, v := range values {
		s.from, s.to = math.Min(s.from, v), math.Max(s.to, v)
	}
	if axis.Log {
		s.logTicks(n, rounded)
	} else {
		s.linearTicks(n, rounded)
	}
	return s
}

func (s *scale) linearTicks(n int, rounded bool) {
	s.from, s.to = math.Min(s.from, 0), math.Max(s.to, 0)
	if s.to-s.from < least {
		s.to = 1
	}
	s.perTick = niceStep((s.to-s.from)/float64(n), s.axis.Bytes)
	first, last := math.Ceil(s.from/s.perTick), math.Floor(s.to/s.perTick)
	if rounded {
		first, last = math.Floor(s.from/s.perTick), math.Ceil(s.to/s.perTick)
		s.from, s.to = first*s.perTick, last*s.perTick
	}
	for i := first; i <= last; i++ {
		s.ticks = append(s.ticks, i*s.perTick)
	}
}

// niceStep is the next of 1, 2 or 5 times a power of ten, or the next power of two.
func niceStep(step float64, bytes bool) float64 {
	if bytes {
		return math.Exp2(math.Ceil(math.Log2(step)))
	}
	power := math.Pow(10, math.Floor(math.Log10(step)))
	for _, factor := range []float64{1, 2, 5} {
		if step <= factor*power*1.000001 {
			return factor * power
		}
	}
	return 10 * power
}

// logTicks puts ticks at powers of ten, or of two for bytes, as many apart as makes no
// more than about n, or at 1, 2 and 5 times such where there would be too few.
func (s *scale) logTicks(n int, rounded bool) {
	base, factors := 10.0, []float64{1}
	if s.axis.Bytes {
		base = 2
	}
	if s.from == s.to && !rounded {
		s.from, s.to = s.from/base, s.to*base
	}
	position := func(v float64) float64 { return math.Log(v) / math.Log(base) }
	// Values at a tick are at it, although logarithms are not exact.
	first, last := math.Floor(position(s.from)+1e-9), math.Ceil(position(s.to)-1e-9)
	if base == 10 && last-first <= 2 {
		factors = []float64{1, 2, 5}
	}
	every := math.Max(1, math.Ceil((last-first)/float64(n)))
	var ticks []float64
	for i := first; i <= last+every; i += every {
		for _, factor := range factors {
			ticks = append(ticks, factor*math.Pow(base, i))
		}
	}
	const little = 1e-9
	if rounded {
		for len(ticks) > 1 && ticks[1] <= s.from*(1+little) {
			ticks = ticks[1:]
		}
		for len(ticks) > 2 && ticks[len(ticks)-2] >= s.to*(1-little) {
			ticks = ticks[:len(ticks)-1]
		}
		s.ticks, s.from, s.to = ticks, ticks[0], ticks[len(ticks)-1]
		return
	}
	for _, tick := range ticks {
		if tick >= s.from*(1-little) && tick <= s.to*(1+little) {
			s.ticks = append(s.ticks, tick)
		}
	}
}

// at is where a value is drawn.
func (s *scale) at(v float64) float64 {
	share := (v - s.from) / (s.to - s.from)
	if s.axis.Log {
		share = math.Log(v/s.from) / math.Log(s.to/s.from)
	}
	return s.start + share*(s.end-s.start)
}

// tick is what is written at a tick.
func (s *scale) tick(v float64) string {
	if s.axis.Bytes {
		return byteSize(v)
	}
	if s.axis.Log {
		return number(v, -1)
	}
	return number(v, max(0, -int(math.Floor(math.Log10(s.perTick)+1e-9))))
}

// title is the axis's label with its unit.
func (a *Axis) title() string {
	if a.Unit == "" || a.Bytes {
		return a.Label
	}
	return a.Label + " (" + a.Unit + ")"
}

// value writes a value of the axis to three digits, for the description.
func (a *Axis) value(v float64) string {
	if a.Bytes {
		return byteSize(v)
	}
	if v != 0 && math.Abs(v) < 1000 {
		digits := 2 - int(math.Floor(math.Log10(math.Abs(v))))
		v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'f', digits, 64), 64)
	} else {
		v = math.Round(v)
	}
	return number(v, -1)
}

// number writes a number with that many decimals, or as many as it has if that is -1.
func number(v float64, decimals int) string {
	if size := math.Abs(v); size >= 1e12 || size != 0 && size < 1e-6 {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	decimals = min(decimals, 6)
	for _, unit := range []struct {
		of   float64
		name string
	}{{1e9, "G"}, {1e6, "M"}} {
		if math.Abs(v) >= unit.of {
			return strconv.FormatFloat(v/unit.of, 'g', 4, 64) + unit.name
		}
	}
	whole, fraction, point := strings.Cut(strconv.FormatFloat(v, 'f', decimals, 64), ".")
	if digits := strings.TrimPrefix(whole, "-"); len(digits) > 3 {
		whole = strings.TrimSuffix(whole, digits) + digits[:len(digits)-3] + "," + digits[len(digits)-3:]
	}
	if point {
		return whole + "." + fraction
	}
	return whole
}

func byteSize(v float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	i := 0
	for ; i < len(units)-1 && math.Abs(v) >= 1024; i++ {
		v /= 1024
	}
	return fmt.Sprintf("%s %s", strconv.FormatFloat(v, 'g', 4, 64), units[i])
}
