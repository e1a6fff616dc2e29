package policies

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0s":              0,
		"1ms":             time.Millisecond,
		"1500ms":          1500 * time.Millisecond,
		"90s":             90 * time.Second,
		"5m":              5 * time.Minute,
		"1h30m":           90 * time.Minute,
		"1d":              24 * time.Hour,
		"1w2d3h":          9*24*time.Hour + 3*time.Hour,
		"007s":            7 * time.Second,
		"30m1h":           90 * time.Minute,
		"106751d":         106751 * 24 * time.Hour,
		"9223372036854ms": 9223372036854 * time.Millisecond,
	} {
		got, err := ParseDuration(text)
		if err != nil || time.Duration(got) != want {
			t.Errorf("%q: got %v, %v, want %v", text, time.Duration(got), err, want)
		}
	}
}

func TestParseDurationMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "it is empty",
		"5":                     "the unit is missing",
		"1h30":                  "the unit is missing",
		"m":                     `a number was expected at "m"`,
		"-5m":                   `a number was expected at "-5m"`,
		"+5m":                   `a number was expected at "+5m"`,
		" 5m":                   `a number was expected at " 5m"`,
		"5m ":                   `unknown unit "m "`,
		"5 m":                   `unknown unit " m"`,
		"1.5h":                  `unknown unit "."`,
		"5M":                    `unknown unit "M"`,
		"5min":                  `unknown unit "min"`,
		"5ns":                   `unknown unit "ns"`,
		"5mo":                   `unknown unit "mo"`,
		"1y":                    `unknown unit "y"`,
		"5m\x00":                `unknown unit "m\x00"`,
		"５m":                    `a number was expected at "５m"`,
		"106752d":               "it is too long",
		"106751d24h":            "it is too long",
		"9223372036855ms":       "it is too long",
		"9223372036854775807w":  "it is too long",
		"9223372036854775808s":  "the number is too large",
		"99999999999999999999s": "the number is too large",
	} {
		got, err := ParseDuration(text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "write 90s, 5m, 1h30m or 1d") || got != 0 {
			t.Errorf("%q: got %v, %v, want %q", text, got, err, want)
		}
	}
}

func TestDurationString(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s":                    0,
		"1ms":                   time.Millisecond,
		"1s500ms":               1500 * time.Millisecond,
		"1m30s":                 90 * time.Second,
		"1h30m":                 90 * time.Minute,
		"14d":                   14 * 24 * time.Hour,
		"1d1h1m1s1ms":           25*time.Hour + time.Minute + time.Second + time.Millisecond,
		"106751d23h47m16s854ms": math.MaxInt64,
	} {
		if got := Duration(d).String(); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
	for _, d := range []Duration{-1, math.MinInt64, 999} {
		if got := d.String(); got != "0s" {
			t.Errorf("%d: got %q", int64(d), got)
		}
	}
}

// TestDurationRoundTrip holds that what is written is read back, to the millisecond.
func TestDurationRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Duration(time.Duration(rapid.Int64Range(0, math.MaxInt64/int64(time.Millisecond)).Draw(t, "ms")) * time.Millisecond)
		text, err := d.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseDuration(string(text)); err != nil || got != d {
			t.Fatalf("%q: got %v, %v", text, got, err)
		}
	})
}

func FuzzParseDuration(f *testing.F) {
	for _, text := range []string{"", "5m", "1h30m", "-1s", "1.5h", "9223372036854775807w", "1w1d1h1m1s1ms"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDuration(text)
		if err != nil {
			return
		}
		if d < 0 {
			t.Fatalf("%q is %d", text, d)
		}
		if again, err := ParseDuration(d.String()); err != nil || again != d {
			t.Errorf("%q is %v, which is %v, %v", text, d, again, err)
		}
	})
}
