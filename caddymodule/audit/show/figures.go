package show

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// Count is a number with separators: 1,234,567.
func Count(n int64) string { return humanize.Comma(n) }

// Estimate is [Count] with a ~ before it if the number is none that was counted.
func Estimate(n int64, estimated bool) string {
	if estimated {
		return "~" + Count(n)
	}
	return Count(n)
}

// Bytes is a size in units of 1024: 41 GiB.
func Bytes(n int64) string {
	if n < 0 {
		return "-" + Bytes(-max(n, -math.MaxInt64))
	}
	return humanize.IBytes(uint64(n))
}

// Percent is the share of part in whole: 41.2 %. It does not round up to all nor down
// to none: > 99.9 %, < 0.1 %. Of nothing, it is a dash.
func Percent(part, whole int64) string {
	if whole <= 0 {
		return "–"
	}
	return PercentOf(float64(part) / float64(whole))
}

// PercentOf is [Percent] of a share, 0 to 1; a dash if it is not known (NaN).
func PercentOf(share float64) string {
	percent := share * 100
	switch {
	case math.IsNaN(share):
		return "–"
	case share > 0 && percent < 0.1:
		return "< 0.1 %"
	case share < 1 && percent > 99.9:
		return "> 99.9 %"
	}
	return fmt.Sprintf("%.1f %%", percent)
}

// Duration is a length of time in its two largest units: 12 ms, 41 s, 2 h 10 min, 3 d.
func Duration(d time.Duration) string {
	if d < 0 {
		return "-" + Duration(-max(d, -math.MaxInt64))
	}
	switch {
	case d == 0:
		return "0 s"
	case d < time.Millisecond:
		return "< 1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second && d%time.Second != 0:
		return fmt.Sprintf("%.1f s", d.Truncate(100*time.Millisecond).Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return units(d, time.Minute, "min", time.Second, "s")
	case d < 24*time.Hour:
		return units(d, time.Hour, "h", time.Minute, "min")
	}
	return units(d, 24*time.Hour, "d", time.Hour, "h")
}

func units(d, large time.Duration, largeName string, small time.Duration, smallName string) string {
	text := fmt.Sprintf("%d %s", d/large, largeName)
	if rest := d % large / small; rest > 0 {
		text += fmt.Sprintf(" %d %s", rest, smallName)
	}
	return text
}

// Seconds is [Duration] of a number of seconds, as records have them.
func Seconds(s float64) string {
	switch {
	case math.IsNaN(s):
		return "–"
	case math.Abs(s) >= math.MaxInt64/float64(time.Second):
		return Duration(time.Duration(math.Copysign(math.MaxInt64-1024, s)))
	}
	return Duration(time.Duration(s * float64(time.Second)))
}

const (
	dateTime = "2006-01-02 15:04:05"
	clock    = "15:04:05"
)

// Time is a moment to the second: 2026-11-23 03:12:07. Zero is a dash. A nil loc is UTC.
func Time(t time.Time, loc *time.Location) string {
	if t.IsZero() {
		return "–"
	}
	return t.In(zone(loc)).Format(dateTime)
}

// Clock is the time of day, to the second.
func Clock(t time.Time, loc *time.Location) string {
	if t.IsZero() {
		return "–"
	}
	return t.In(zone(loc)).Format(clock)
}

// Day is the date: 2026-11-23.
func Day(t time.Time, loc *time.Location) string {
	if t.IsZero() {
		return "–"
	}
	return t.In(zone(loc)).Format(time.DateOnly)
}

// Span is a stretch of time: both ends, the day of the second only if it is another,
// the zone, and how long it is.
func Span(from, to time.Time, loc *time.Location) string {
	if from.IsZero() || to.IsZero() {
		return "–"
	}
	from, to = from.In(zone(loc)), to.In(zone(loc))
	end := to.Format(dateTime)
	if from.Format(time.DateOnly) == to.Format(time.DateOnly) {
		end = to.Format(clock)
	}
	zoneName := to.Format("MST")
	if strings.HasPrefix(zoneName, "+") || strings.HasPrefix(zoneName, "-") {
		zoneName = "UTC" + zoneName
	}
	return fmt.Sprintf("%s – %s %s (%s)", from.Format(dateTime), end, zoneName, Duration(to.Sub(from).Round(time.Second)))
}

func zone(loc *time.Location) *time.Location {
	if loc == nil {
		return time.UTC
	}
	return loc
}
