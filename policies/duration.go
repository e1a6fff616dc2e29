package policies

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Duration is a length of time, written 90s, 5m, 1h30m, 1d (24 hours) or 1w.
type Duration time.Duration

var units = []struct {
	suffix string
	size   time.Duration
}{
	{"ms", time.Millisecond},
	{"s", time.Second},
	{"m", time.Minute},
	{"h", time.Hour},
	{"d", 24 * time.Hour},
	{"w", 7 * 24 * time.Hour},
}

// ParseDuration reads a Duration. Unlike time.ParseDuration it knows days and
// weeks, and it refuses signs, fractions and bare numbers: "5" could be seconds or
// minutes, and a cache lifetime is no place to guess.
func ParseDuration(s string) (Duration, error) {
	bad := func(why string) (Duration, error) {
		return 0, fmt.Errorf("%q is not a duration: %s (write 90s, 5m, 1h30m or 1d)", s, why)
	}
	if s == "" {
		return bad("it is empty")
	}
	var total time.Duration
	for rest := s; rest != ""; {
		n := 0
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		if n == 0 {
			return bad("a number was expected at " + strconv.Quote(rest))
		}
		value, err := strconv.ParseInt(rest[:n], 10, 64)
		if err != nil {
			return bad("the number is too large")
		}
		rest = rest[n:]
		u := 0
		for u < len(rest) && (rest[u] < '0' || rest[u] > '9') {
			u++
		}
		size := unit(rest[:u])
		if size == 0 {
			if u == 0 {
				return bad("the unit is missing")
			}
			return bad("unknown unit " + strconv.Quote(rest[:u]))
		}
		rest = rest[u:]
		if value > int64(math.MaxInt64-total)/int64(size) {
			return bad("it is too long")
		}
		total += time.Duration(value) * size
	}
	return Duration(total), nil
}

func unit(s string) time.Duration {
	for _, u := range units {
		if u.suffix == s {
			return u.size
		}
	}
	return 0
}

// String writes the duration in the largest units that are exact.
func (d Duration) String() string {
	if d <= 0 {
		return "0s"
	}
	out := ""
	rest := time.Duration(d)
	for i := len(units) - 1; i >= 0; i-- {
		if units[i].suffix == "w" {
			continue // 14d reads better than 2w
		}
		if n := rest / units[i].size; n > 0 {
			out += strconv.FormatInt(int64(n), 10) + units[i].suffix
			rest -= n * units[i].size
		}
	}
	if out == "" {
		return "0s"
	}
	return out
}

// MarshalText writes the duration as [Duration.String] does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
