package policies

import (
	"fmt"
	"strings"
	"testing"
)

// TestInspected is what the options come to, their defaults among them.
func TestInspected(t *testing.T) {
	id := DetectorIDs()[0]
	for _, tt := range []struct {
		rest      string
		inspect   bool
		recheck   float64
		harmless  int
		tolerates bool
	}{
		{"cache: never", true, 0, 0, false},
		{"cache: 5m", true, 0, 0, false},
		{"cache: origin", true, 0, 0, false},
		{"cache: 5m, inspect: on", true, 0, 0, false},
		{"cache: 5m, inspect: {rule: on, reason: why}", true, 0, 0, false},
		{"cache: 5m, inspect: {rule: off, reason: why}", false, 0, 0, false},
		{"cache: origin, recheck: 0.5%", true, 0.005, 0, false},
		{"cache: 5m, ignore: [{header: X-A, reason: why}, {html: time, reason: why}]", true, 0, 2, false},
		{"cache: origin, recheck: 100%, inspect: {rule: off, reason: why}, ignore: [{header: X-A, reason: why}]", false, 1, 1, false},
		{"cache: origin, tolerate: [{detector: " + id + ", reason: why}]", true, 0, 0, true},
	} {
		r := ruleOf(t, tt.rest)
		if r.InspectBody != tt.inspect || r.Recheck != tt.recheck || len(r.Harmless) != tt.harmless || r.Tolerates(id) != tt.tolerates {
			t.Errorf("%s: got %v, %v, %v, %v", tt.rest, r.InspectBody, r.Recheck, r.Harmless, r.Tolerates(id))
		}
		if r.Tolerates(DetectorIDs()[1]) || r.Tolerates("") || r.Tolerates(id+"x") {
			t.Errorf("%s: it tolerates what it does not name", tt.rest)
		}
	}
	if rest := compiled(t, "default: origin").rest; !rest.InspectBody || rest.Recheck != 0 || rest.Harmless != nil || rest.Tolerates(id) {
		t.Error("the default trusts")
	}
}

// TestTolerateSuggests: every detector can be tolerated, and a slip of the hand is
// told from what there is.
func TestTolerateSuggests(t *testing.T) {
	tolerating := func(id string) error {
		return (&Policy{Routes: []Route{{
			Name: "a", Match: Match{Paths: []string{"/*"}}, Cache: Cache{Kind: CacheOrigin}, Tolerate: []Tolerance{{Detector: id, Reason: "why"}},
		}}}).Validate()
	}
	for _, id := range DetectorIDs() {
		if err := tolerating(id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		want := fmt.Sprintf("routes.a.tolerate.0.detector: %q is no detector; did you mean %q?", id+"x", id)
		if err := tolerating(id + "x"); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestIgnoreIsBounded: a route that differs everywhere is none to share.
func TestIgnoreIsBounded(t *testing.T) {
	for n, ok := range map[int]bool{maxIgnored: true, maxIgnored + 1: false} {
		var ignored []Harmless
		for i := range n {
			ignored = append(ignored, Harmless{Header: fmt.Sprint("X-A", i), Reason: "why"})
		}
		p := &Policy{Routes: []Route{{Name: "a", Match: Match{Paths: []string{"/*"}}, Cache: Cache{Kind: CacheTTL, TTL: 1e9}, Ignore: ignored}}}
		err := p.Validate()
		if ok && err != nil || !ok && (err == nil || !strings.Contains(err.Error(), "routes.a.ignore: 33 places are more than a route can ignore")) {
			t.Errorf("%d: got %v", n, err)
		}
	}
}
