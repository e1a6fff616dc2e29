package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/audit"
)

func TestScale(t *testing.T) {
	for highest, want := range map[int64]scale{
		0: {1, 3}, 1: {1, 3}, 4: {1, 4}, 6: {2, 3}, 23: {5, 5}, 99: {20, 5}, 1204: {500, 3}, 2930: {1000, 3},
	} {
		if got := niceScale(highest); got != want {
			t.Errorf("%d: %v, want %v", highest, got, want)
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		highest := rapid.Int64Range(0, math.MaxInt64/4).Draw(r, "highest")
		s := niceScale(highest)
		if s.step < 1 || s.steps < 1 || s.steps > 6 || s.step*s.steps < highest {
			r.Fatalf("%d: %v", highest, s)
		}
	})
}

func TestCompact(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 1500: "1,500", 20_000: "20k", 12_500: "12.5k", 3_000_000: "3M", 2_500_000_000: "2.5G"} {
		if got := compact(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

// TestTicks: marks of time are at round times in the zone that was asked for.
func TestTicks(t *testing.T) {
	start := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		bucket  time.Duration
		buckets int
		zone    *time.Location
		want    string
	}{
		{30 * time.Minute, 48, time.UTC, "11-22 03:00 06:00 09:00 12:00 15:00 18:00 21:00"},
		{30 * time.Minute, 48, time.FixedZone("IST", 19800), "06:00 09:00 12:00 15:00 18:00 21:00 11-23 03:00"},
		{time.Minute, 60, time.UTC, "11-22 00:10 00:20 00:30 00:40 00:50"},
		{time.Second, 20, nil, "00:00:00 00:00:05 00:00:10 00:00:15"},
		{24 * time.Hour, 14, time.UTC, "2026-11-22 2026-11-24 2026-11-26 2026-11-28 2026-11-30 2026-12-02 2026-12-04"},
		{time.Hour, 0, time.UTC, ""},
	} {
		var labels []string
		for _, tick := range (axis{start, test.bucket, test.buckets}).ticks(test.zone) {
			labels = append(labels, tick.Label)
			if x, err := strconv.ParseFloat(tick.X, 64); err != nil || x < chartLeft || x > chartWidth-chartRight {
				t.Errorf("a tick at %q", tick.X)
			}
		}
		if got := strings.Join(labels, " "); got != test.want {
			t.Errorf("%s × %d: %q, want %q", test.bucket, test.buckets, got, test.want)
		}
	}
}

// TestMarks: marks stand where they belong, their labels not on one another, and there
// are not too many of them.
func TestMarks(t *testing.T) {
	start := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	a := axis{start, time.Hour, 24}
	rapid.Check(t, func(r *rapid.T) {
		var list []happening
		for range rapid.IntRange(0, 60).Draw(r, "n") {
			event := rapid.SampledFrom(append(marked, audit.EventFault)).Draw(r, "event")
			minute := rapid.IntRange(-100, 24*60+100).Draw(r, "minute")
			list = append(list, happening{Time: start.Add(time.Duration(minute) * time.Minute), Event: string(event), Word: "a word"})
		}
		marks, rows := newMarks(a, list, time.UTC)
		if len(marks) > maxMarks || rows > markRows {
			r.Fatalf("%d marks in %d rows", len(marks), rows)
		}
		ends := make(map[string]float64)
		for _, m := range marks {
			x, err := strconv.ParseFloat(m.X, 64)
			if err != nil || x < chartLeft || x > chartWidth-chartRight+0.1 || m.Kind == string(audit.EventFault) {
				r.Fatalf("a mark of %s at %s", m.Kind, m.X)
			}
			if m.Label == "" {
				continue
			}
			if from := x; m.Anchor == "start" {
				if from < ends[m.TextY] {
					r.Fatalf("labels on one another in line %s at %v", m.TextY, x)
				}
				ends[m.TextY] = from + 40
			}
		}
	})
	near := []happening{
		{Time: start.Add(time.Hour), Event: "purge", Word: "purged"}, {Time: start.Add(time.Hour + time.Second), Event: "purge", Word: "purged"},
		{Time: start.Add(time.Hour + time.Second), Event: "trip", Word: "stopped"},
	}
	marks, rows := newMarks(a, near, time.UTC)
	if len(marks) != 2 || rows != 2 || !strings.Contains(marks[0].Text, "1 more") {
		t.Errorf("%d rows, marks %+v", rows, marks)
	}
}

// TestShare: there is no line where there were no requests.
func TestShare(t *testing.T) {
	a := axis{time.Unix(0, 0), time.Minute, 5}
	c := newShareChart(a, []int64{1, 1, 0, 0, 2}, []int64{2, 2, 0, 4, 2}, time.UTC)
	if moves, lines := strings.Count(c.Line, "M"), strings.Count(c.Line, "L"); moves != 2 || lines != 2 || len(c.Dots) != 4 {
		t.Errorf("%s", c.Line)
	}
	if want := "Between 0.0 % and 100.0 % in columns of 1 min."; c.Describe != want {
		t.Errorf("%q, want %q", c.Describe, want)
	}
}

// TestStack: the columns are as high as their counts, on top of one another.
func TestStack(t *testing.T) {
	a := axis{time.Unix(0, 0), time.Minute, 2}
	c := newChart(a, []group{{"cache", "from the cache", []int64{30, 0}}, {"pass", "to the app", []int64{20, 0}}}, nil, time.UTC)
	if len(c.Columns) != 1 || len(c.Columns[0].Bars) != 2 {
		t.Fatalf("%+v", c.Columns)
	}
	lower, upper := c.Columns[0].Bars[0], c.Columns[0].Bars[1]
	// The axis goes up to 50.
	for name, got := range map[string]string{
		fmt.Sprint(c.Bottom - plotHeight*3/5): lower.Y, fmt.Sprint(plotHeight * 3 / 5): lower.High,
		fmt.Sprint(c.Bottom - plotHeight): upper.Y, fmt.Sprint(plotHeight * 2 / 5): upper.High,
	} {
		if got != name {
			t.Errorf("%s, want %s", got, name)
		}
	}
	if want := "1970-01-01 00:00:00: 30 from the cache, 20 to the app"; c.Columns[0].Title != want {
		t.Errorf("%q, want %q", c.Columns[0].Title, want)
	}
}
