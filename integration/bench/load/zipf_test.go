package load

import (
	"math"
	"slices"
	"testing"
)

func TestZipf(t *testing.T) {
	const keys, length = 100, 200_000
	for _, s := range []float64{0, 0.8, 1, 1.2} {
		sequence := Zipf(1, s, keys, length)
		if !slices.Equal(sequence, Zipf(1, s, keys, length)) {
			t.Errorf("s %v: not the same again", s)
		}
		if slices.Equal(sequence, Zipf(2, s, keys, length)) {
			t.Errorf("s %v: the seed changes nothing", s)
		}
		var counts [keys]float64
		for _, k := range sequence {
			counts[k]++ // panics beyond the keys
		}
		for _, k := range []int{1, 9, keys - 1} {
			want := math.Pow(float64(k+1), s)
			if got := counts[0] / counts[k]; got < 0.85*want || got > 1.15*want {
				t.Errorf("s %v: key 0 is %v times as frequent as key %d, want %v", s, got, k, want)
			}
		}
	}
	if got := Zipf(1, 1, 1, 3); !slices.Equal(got, []uint32{0, 0, 0}) {
		t.Errorf("one key: %v", got)
	}
}
