package inquiry

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

// Every length of buckets is a multiple of the one before it, or counts could not be
// added up to those of longer ones.
func TestLengthsNest(t *testing.T) {
	for level := range 30 {
		a, b := roundLength(level), roundLength(level+1)
		if b < a || b%a != 0 {
			t.Errorf("%d is no multiple of %d", b, a)
		}
	}
}

// Nothing is lost and each count is in its bucket; buckets are as short as they can be.
func TestSeries(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newRoundSeries(1)
		spread := rapid.SampledFrom([]int64{1, 59, 60, 61, 3600, 1_000_000, 1 << 32}).Draw(t, "spread")
		times := rapid.SliceOfN(rapid.Int64Range(-spread, spread), 1, 40).Draw(t, "times")
		for _, at := range times {
			s.at(time.Unix(at, 0))[0]++
		}
		start, length, buckets := s.span()
		counts := s.figures(0)
		if len(counts) != buckets || buckets > roundBuckets {
			t.Fatalf("%d counts, %d buckets", len(counts), buckets)
		}
		want := make([]int64, buckets)
		low, high := times[0], times[0]
		for _, at := range times {
			want[(at-start.Unix())/int64(length/time.Second)]++
			low, high = min(low, at), max(high, at)
		}
		for i := range want {
			if counts[i] != want[i] {
				t.Fatalf("%v, want %v", counts, want)
			}
		}
		if s.level > 0 {
			if shorter := roundLength(s.level - 1); floorDiv(high, shorter)-floorDiv(low, shorter) < roundBuckets {
				t.Fatalf("buckets of %s where %d s would do", length, shorter)
			}
		}
	})
}

func TestTimelineBuckets(t *testing.T) {
	if _, err := NewTimeline(1500 * time.Millisecond); err == nil {
		t.Error("1.5 s is taken")
	}
	if _, err := NewTimeline(-time.Second); err == nil {
		t.Error("-1 s is taken")
	}
	q := newTimeline(t, time.Minute)
	for _, minute := range []int{0, 0, 3} {
		q.Add(&reading.Entry{Event: audit.EventDeny, Outcome: "deny", Time: sampleStart.Add(time.Duration(minute) * time.Minute)})
	}
	q.Add(&reading.Entry{Event: audit.EventDrop, Records: 7, Time: sampleStart})
	q.Add(&reading.Entry{Event: audit.EventServe, Outcome: "hit", ServesPct: 50, Time: sampleStart})
	q.Add(&reading.Entry{Event: audit.EventServe, Outcome: "hit"})
	q.Add(&reading.Entry{Event: "novel", Time: sampleStart})
	a := q.Answer()
	if a.Buckets != 4 || a.Bucket != 60 || a.Longer || !a.Estimated || a.Untimed != 1 || !a.Start.Equal(sampleStart) || len(a.Rows) != 3 {
		t.Fatalf("%+v", a)
	}
	for i, want := range []int64{2, 3, 7} {
		if a.Rows[i].Total != want {
			t.Errorf("%s: %d, want %d", a.Rows[i].Name, a.Rows[i].Total, want)
		}
	}
	q = newTimeline(t, time.Second)
	for _, hour := range []int{0, 2} {
		q.Add(&reading.Entry{Event: audit.EventDeny, Time: sampleStart.Add(time.Duration(hour) * time.Hour)})
	}
	if a = q.Answer(); a.Buckets > MaxBuckets || !a.Longer || a.Rows[0].Name != "other" {
		t.Errorf("%d buckets of %v s, longer %v", a.Buckets, a.Bucket, a.Longer)
	}
}

// Every outcome and every event that has a colour of its own in a timeline is one there is.
func TestTimelineKnowsAllEvents(t *testing.T) {
	for _, event := range audit.AllEvents() {
		if timelineRow(&reading.Entry{Event: event, Outcome: "hit"}) < 0 {
			t.Errorf("%s is not in the timeline", event)
		}
	}
}
