package reading

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // on machines without
)

func TestParseTime(t *testing.T) {
	berlin := time.FixedZone("CET", 3600)
	now := time.Date(2026, 11, 23, 3, 30, 15, 0, berlin)
	for _, tt := range []struct{ in, want string }{
		{"now", "2026-11-23T03:30:15+01:00"},
		{"2026-11-23T03:00:00Z", "2026-11-23T04:00:00+01:00"},
		{"2026-11-23T03:00:00.250-05:00", "2026-11-23T09:00:00.25+01:00"},
		{"2026-11-23 03:00:00Z", "2026-11-23T04:00:00+01:00"},
		{"2026-11-23 03:00", "2026-11-23T03:00:00+01:00"},
		{"2026-11-23T03:00:07", "2026-11-23T03:00:07+01:00"},
		{" 2026-11-23 ", "2026-11-23T00:00:00+01:00"},
		{"03:00", "2026-11-23T03:00:00+01:00"},
		{"03:30:15", "2026-11-23T03:30:15+01:00"},
		{"03:31", "2026-11-22T03:31:00+01:00"},
		{"23:59", "2026-11-22T23:59:00+01:00"},
		{"2h", "2026-11-23T01:30:15+01:00"},
		{"90m", "2026-11-23T02:00:15+01:00"},
		{"1h30m", "2026-11-23T02:00:15+01:00"},
		{"3d", "2026-11-20T03:30:15+01:00"},
		{"1w1d2h", "2026-11-15T01:30:15+01:00"},
		{"1764000000", "2025-11-24T17:00:00+01:00"},
		{"1764000000.5", "2025-11-24T17:00:00.5+01:00"},
	} {
		got, err := ParseTime(tt.in, now, berlin)
		if err != nil || got.Format(time.RFC3339Nano) != tt.want {
			t.Errorf("%q: %s, %v; want %s", tt.in, got.Format(time.RFC3339Nano), err, tt.want)
		}
	}
	for _, in := range []string{
		"", "yesterday", "-2h", "+2h", "0", "2026", "20261123", "25:00", "3", "3x", "d", "1d2", "1d-2h", "2d1w",
		"99999999999999h", "65535w", "2026-13-01", "1764000000000", "NaN", "1764000000e9",
	} {
		if got, err := ParseTime(in, now, berlin); err == nil {
			t.Errorf("%q was read as %s", in, got)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: more than one line: %v", in, err)
		}
	}
}

// TestParseTimeOfDayThatIsLeftOut: on the day when clocks go forward, 02:30 does not come.
func TestParseTimeOfDayThatIsLeftOut(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 29, 3, 10, 0, 0, paris)
	got, err := ParseTime("02:30", now, paris)
	if err != nil || got.After(now) || now.Sub(got) > 25*time.Hour {
		t.Errorf("%s, %v", got, err)
	}
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"now", "2h", "3d12h", "03:00", "2026-11-23 03:00", "2026-11-23T03:00:00Z", "1764000000.5", "9w"} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 23, 3, 30, 15, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseTime(s, now, time.UTC)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Errorf("not one plain line: %q", err)
			}
			return
		}
		if got.Location() != time.UTC {
			t.Errorf("%q: in %s", s, got.Location())
		}
		again, err := ParseTime(got.Format(time.RFC3339Nano), now, time.UTC)
		if got.Year() < 10000 && (err != nil || !again.Equal(got)) {
			t.Errorf("%q is %s, which is %s, %v", s, got, again, err)
		}
	})
}

func TestStamps(t *testing.T) {
	const want = "2025-11-24T16:00:00.25Z"
	for _, raw := range []string{
		"1764000000.25", "1764000000.250000000", "1764000000250", "1764000000250.0", "1764000000250000000", "1.76400000025e9", "1.76400000025E+09",
		`"2025-11-24T16:00:00.25Z"`, `"2025-11-24T17:00:00.250+01:00"`, `"2025-11-24T17:00:00.250+0100"`,
		`"2025/11/24 16:00:00.250"`, `"24/Nov/2025:17:00:00.25 +0100"`, `"2025-11-24T16:00:00.25\u005a"`,
	} {
		got, ok := parseStamp([]byte(raw))
		if !ok || got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %s, %v", raw, got, ok)
		}
	}
	if got, ok := parseStamp([]byte("1764000000.1234567")); !ok || got.UnixNano() != 1764000000123456700 {
		t.Errorf("%d, %v", got.UnixNano(), ok)
	}
	for _, raw := range []string{
		"", "null", "true", "-1", "1e400", "1e25", `""`, `"1764000000"`, `"16:00"`, "[]", "{}", "9223372036854775808000",
		`"1969-12-31T23:59:59Z"`, "9007199254740993000000",
	} {
		if got, ok := parseStamp([]byte(raw)); ok {
			t.Errorf("%q was read as %s", raw, got)
		}
	}
}
