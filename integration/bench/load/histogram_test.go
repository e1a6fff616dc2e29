package load

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A quantile is that of the sorted samples, or up to a hundredth more.
func TestQuantiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samples := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.Uint64().Draw(t, "bits") >> rapid.IntRange(1, 63).Draw(t, "shift"))
		}), 1, 200).Draw(t, "samples")
		var parts [3]Histogram
		for i, d := range samples {
			parts[i%3].Add(d)
		}
		var h Histogram
		for i := range parts {
			h.Merge(&parts[i])
		}
		slices.Sort(samples)
		for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.999, 1} {
			exact := samples[max(0, int(math.Ceil(q*float64(len(samples))))-1)]
			if got := h.Quantile(q); got < exact || float64(got-exact) > float64(exact)/100 {
				t.Errorf("quantile %v is %d, of the samples %d", q, got, exact)
			}
		}
		if h.Max() != slices.Max(samples) || h.Count() != len(samples) {
			t.Errorf("max %d of %d", h.Max(), h.Count())
		}
	})
}

func TestBucketsAdjoin(t *testing.T) {
	last := bucket(math.MaxInt64)
	if longest(last) != math.MaxInt64 {
		t.Errorf("the last bucket ends at %d", longest(last))
	}
	for b := range last {
		if end := longest(b); bucket(end) != b || bucket(end+1) != b+1 {
			t.Fatalf("bucket %d ends at %d, which is in %d, and the next is in %d", b, end, bucket(end), bucket(end+1))
		}
	}
}

func TestHistogram(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Max() != 0 || h.Mean() != 0 || h.Count() != 0 {
		t.Error("an empty histogram has values")
	}
	for _, d := range []time.Duration{-time.Second, time.Microsecond, 2 * time.Second} {
		h.Add(d)
	}
	if got := h.Quantile(0); got != 0 {
		t.Errorf("the shortest is %v", got)
	}
	if want := (2*time.Second + time.Microsecond) / 3; h.Mean() != want {
		t.Errorf("mean %v, want %v", h.Mean(), want)
	}
}
