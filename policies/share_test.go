package policies

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseShare(t *testing.T) {
	for text, want := range map[string]Share{
		"1%": 0.01, "0.5%": 0.005, "100%": 1, "0.0001%": 0.000001, "99.9999%": 0.999999, "001.50%": 0.015, "33.3%": 0.333,
	} {
		if got, err := ParseShare(text); err != nil || got != want {
			t.Errorf("%q: got %v, %v", text, float64(got), err)
		}
	}
	for text, want := range map[string]string{
		"": "a number of percent", "1": "a number of percent", "%": "a number of percent", ".5%": "a number of percent", "1.%": "a number of percent",
		"1 %": "a number of percent", "-1%": "a number of percent", "+1%": "a number of percent", "1e1%": "a number of percent", "1,5%": "a number of percent",
		"0.00001%": "a number of percent", "1000%": "a number of percent", "NaN%": "a number of percent", "1%%": "a number of percent", "١%": "a number of percent",
		"0%": "nothing at all", "0.0000%": "nothing at all", "100.0001%": "more than the whole", "999%": "more than the whole",
	} {
		if got, err := ParseShare(text); err == nil || got != 0 || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, %v, want %q", text, float64(got), err, want)
		}
	}
}

// TestShareSpelling: every share that can be spelled is read as it was written.
func TestShareSpelling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Share(float64(rapid.IntRange(1, shareUnit).Draw(t, "units")) / shareUnit)
		got, err := ParseShare(want.String())
		if err != nil || got != want {
			t.Fatalf("%s: got %v, %v, want %v", want, float64(got), err, float64(want))
		}
	})
	for share, want := range map[Share]string{0: "0%", 0.01: "1%", 0.005: "0.5%", 1: "100%", 0.1: "10%", 0.000001: "0.0001%"} {
		if got := share.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// TestShareBuilt: a share made in Go that could not be spelled is a mistake.
func TestShareBuilt(t *testing.T) {
	for _, share := range []Share{-0.01, 1.01, 1e-7, 1.0 / 3, Share(math.NaN()), Share(math.Inf(1)), Share(math.Inf(-1)), math.MaxFloat64} {
		p := &Policy{Routes: []Route{{Name: "a", Match: Match{Paths: []string{"/*"}}, Cache: Cache{Kind: CacheOrigin}, Recheck: share}}}
		if err := p.Validate(); err == nil || !strings.Contains(err.Error(), "routes.a.recheck: the share is not from 0.0001% to 100%") {
			t.Errorf("%v: got %v", float64(share), err)
		}
	}
}

func FuzzParseShare(f *testing.F) {
	for _, seed := range []string{"1%", "0.0001%", "100%", "100.0001%", "-1%", "0x1p-2%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		share, err := ParseShare(text)
		if err != nil {
			if share != 0 {
				t.Fatalf("%q: %v and %v", text, float64(share), err)
			}
			return
		}
		if again, err := ParseShare(share.String()); !(share > 0 && share <= 1) || err != nil || again != share {
			t.Fatalf("%q is %v, written %s and read %v, %v", text, float64(share), share, float64(again), err)
		}
	})
}
