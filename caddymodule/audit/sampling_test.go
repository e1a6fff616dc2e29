package audit

import (
	"encoding/json"
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func TestParseSampling(t *testing.T) {
	for _, c := range []struct {
		in, out string
		percent float64
	}{
		{"all", "all", 100},
		{"none", "none", 0},
		{"100%", "all", 100},
		{"0%", "none", 0},
		{"5%", "5%", 5},
		{"0.25%", "0.25%", 0.25},
		{"0.5%", "0.5%", 0.5},
		{"99.99%", "99.99%", 99.99},
		{"007%", "7%", 7},
	} {
		t.Run(c.in, func(t *testing.T) {
			s, err := ParseSampling(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if s.String() != c.out || s.percent() != c.percent {
				t.Errorf("got %s, %v%%; want %s, %v%%", s, s.percent(), c.out, c.percent)
			}
		})
	}
	for _, in := range []string{"", "All", "5", "%", "-5%", "+5%", "100.01%", "101%", "0.125%", ".5%", "5.%", "5 %", "5%%", "1e1%", "99999999999999999999%", "0.0_1%"} {
		t.Run("not "+in, func(t *testing.T) {
			if s, err := ParseSampling(in); err == nil {
				t.Errorf("it was read as %s", s)
			}
		})
	}
}

func TestSamplingRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Sampling{leftOut: rapid.Uint16Range(0, sampleWhole).Draw(t, "leftOut")}
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back Sampling
		if err := json.Unmarshal(text, &back); err != nil || back != s {
			t.Fatalf("%s came back as %s, %v", text, back, err)
		}
	})
}

func TestSamplingTakesItsShare(t *testing.T) {
	const draws = 200_000
	for _, leftOut := range []uint16{0, 5000, 9900, sampleWhole} {
		t.Run(fmt.Sprint(leftOut), func(t *testing.T) {
			s, taken := Sampling{leftOut: leftOut}, 0
			for range draws {
				if s.take() {
					taken++
				}
			}
			want := draws * int(sampleWhole-leftOut) / sampleWhole
			// Ten standard deviations of the widest distribution: chance never gets there.
			tolerance := 2300
			if leftOut == 0 || leftOut == sampleWhole {
				tolerance = 0
			}
			if taken < want-tolerance || taken > want+tolerance {
				t.Errorf("%d of %d were taken, want %d", taken, draws, want)
			}
		})
	}
}

// TestOtherRecordsTellOfSampling: where no serve is written, none can say so.
func TestOtherRecordsTellOfSampling(t *testing.T) {
	none := Options{Serves: Sampling{leftOut: sampleWhole}}
	for _, e := range []Event{EventStore, EventBypass} {
		if got := observed(none, -1, full(e))[0].ContextMap()["serves_pct"]; got != 0.0 {
			t.Errorf("%s: serves_pct is %v, want 0", e, got)
		}
		if got, there := observed(Options{}, -1, full(e))[0].ContextMap()["serves_pct"]; there {
			t.Errorf("%s: serves_pct is %v although all are written", e, got)
		}
	}
}

func TestOnlyServesAreSampled(t *testing.T) {
	none := Options{Serves: Sampling{leftOut: sampleWhole}}
	for _, e := range AllEvents() {
		want := 1
		if e == EventServe {
			want = 0
		}
		if got := len(observed(none, -1, full(e))); got != want {
			t.Errorf("%s: %d records were written, want %d", e, got, want)
		}
	}
}
