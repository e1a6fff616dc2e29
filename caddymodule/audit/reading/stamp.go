package reading

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"time"
)

// stampLayouts are the forms of Caddy's time_format that name a moment. Those without a
// zone are taken for UTC, as Caddy writes them unless time_local is set. Fractions of a
// second are read without being named here.
var stampLayouts = []string{
	time.RFC3339,
	"2006-01-02T15:04:05Z0700",   // iso8601
	"2006/01/02 15:04:05",        // wall
	"02/Jan/2006:15:04:05 -0700", // common_log
}

// Numbers from these on are milliseconds and nanoseconds since 1970; below, seconds.
const (
	fromMillis = 1e11 // seconds of the year 5138
	fromNanos  = 1e16
)

// endOfTime is later than every stamp that is read: 10000-01-01.
const endOfTime = 253402300800

// parseStamp reads the log's ts: a number of seconds, milliseconds or nanoseconds since
// 1970, told apart by their size, or one of stampLayouts in a string.
func parseStamp(raw json.RawMessage) (time.Time, bool) {
	if len(raw) == 0 {
		return time.Time{}, false
	}
	if raw[0] != '"' {
		return parseEpoch(raw)
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return time.Time{}, false
	}
	for _, layout := range stampLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, t.Unix() >= 0 && t.Unix() < endOfTime
		}
	}
	return time.Time{}, false
}

// parseMoment reads a time within a record: RFC 3339. Without one, it is zero.
func parseMoment(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, true
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Unix() < 0 || t.Unix() >= endOfTime {
		return time.Time{}, false
	}
	return t.UTC(), true
}

// parseEpoch reads a number of seconds as Caddy writes it, up to ten digits and up to nine
// of a fraction, without floating point: that is exact. Other numbers are read as such.
func parseEpoch(raw []byte) (time.Time, bool) {
	whole, fraction, _ := bytes.Cut(raw, []byte{'.'})
	seconds, ok := digits(whole, 10)
	nanos, ok2 := digits(fraction, 9)
	if !ok || !ok2 || len(whole) == 0 {
		return parseFloat(raw)
	}
	for range 9 - len(fraction) {
		nanos *= 10
	}
	return time.Unix(seconds, nanos).UTC(), true
}

// digits is the value of s, if it has nothing but digits and no more than limit.
func digits(s []byte, limit int) (int64, bool) {
	if len(s) > limit {
		return 0, false
	}
	n := int64(0)
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

func parseFloat(raw []byte) (time.Time, bool) {
	v, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || v < 0 {
		return time.Time{}, false
	}
	if v >= fromNanos {
		if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			return time.Unix(0, n).UTC(), true
		}
		v /= 1e9
	} else if v >= fromMillis {
		v /= 1e3
	}
	if v >= endOfTime {
		return time.Time{}, false
	}
	seconds, fraction := math.Modf(v)
	return time.Unix(int64(seconds), int64(math.Round(fraction*1e9))).UTC(), true
}
