package reading

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// momentLayouts name a moment whole. Where they have no zone, it is the caller's.
var momentLayouts = []string{
	time.RFC3339,
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02T15:04:05", "2006-01-02 15:04:05",
	"2006-01-02T15:04", "2006-01-02 15:04",
	"2006-01-02",
}

// farthestAgo is the longest time ago that is accepted.
const farthestAgo = 100 * 365 * 24 * time.Hour

// ParseTime reads a moment as people write it: RFC 3339, "2026-11-23 03:00" (with or
// without seconds; a date alone is its midnight), "03:00" (the last such moment, now
// included), "2h", "90m", "1h30m", "3d" or "2w" (so long ago; a day has 24 hours),
// "now", or seconds since 1970. What names no zone is in loc. The result is in loc.
func ParseTime(s string, now time.Time, loc *time.Location) (time.Time, error) {
	s = strings.TrimSpace(s)
	if s == "now" {
		return now.In(loc), nil
	}
	for _, layout := range momentLayouts {
		if t, err := time.ParseInLocation(layout, s, loc); err == nil {
			return t.In(loc), nil
		}
	}
	if t, ok := parseClock(s, now.In(loc)); ok {
		return t, nil
	}
	if ago, ok := parseAgo(s); ok {
		return now.Add(-ago).In(loc), nil
	}
	// Fewer digits are more likely a year or a date that was meant.
	if whole, _, _ := strings.Cut(s, "."); len(whole) == 9 || len(whole) == 10 {
		if t, ok := parseEpoch([]byte(s)); ok {
			return t.In(loc), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time; a time like 2026-11-23T03:00:00Z, \"2026-11-23 03:00\", 03:00, 2h, 3d, now "+
		"or seconds since 1970 was expected", s)
}

// parseClock reads a time of day: the last one that is not after now.
func parseClock(s string, now time.Time) (time.Time, bool) {
	for _, layout := range []string{"15:04", "15:04:05"} {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		for days := range 3 { // the day before, as a day may have no such moment
			at := time.Date(now.Year(), now.Month(), now.Day()-days, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), now.Location())
			if !at.After(now) {
				return at, true
			}
		}
	}
	return time.Time{}, false
}

// parseAgo reads a length of time: Go's, and days and weeks before it.
func parseAgo(s string) (time.Duration, bool) {
	total := time.Duration(0)
	rest := s
	for _, unit := range []struct {
		name   string
		length time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}} {
		number, after, found := strings.Cut(rest, unit.name)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil || time.Duration(n) > farthestAgo/unit.length {
			return 0, false
		}
		total += time.Duration(n) * unit.length
		rest = after
	}
	if rest != "" {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 || rest[0] == '+' || rest[0] == '-' || rest == "0" {
			return 0, false
		}
		total += d
	}
	return total, s != "" && total >= 0 && total <= farthestAgo
}
