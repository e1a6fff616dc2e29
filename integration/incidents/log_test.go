package incidents

import (
	"encoding/json"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/cacheward/cacheward/integration/edge"
)

func (r record) has(reason string) bool { return slices.Contains(r.Reasons, reason) }

// untilHit asks until the answer comes out of the store.
func (s *stage) untilHit(t *testing.T, r request) (a answer) {
	t.Helper()
	edge.Eventually(t, r.host+r.target+" out of the store", func() bool {
		a = s.ask(t, r)
		return a.hit()
	})
	return a
}

// served is what cacheward audit served says of a page, as far as the tests look at it.
type served struct {
	Serves  int
	Objects []struct {
		Cause  *struct{ URL string } // the request that filled it
		Served []struct{ Time time.Time }
	}
}

// checkServed asks for a page that is shared, and sees that one command lists what is
// stored of it, whose request filled it, and each request that was answered with it, to
// the second.
func (s *stage) checkServed(t *testing.T, r request, times int) {
	t.Helper()
	page := "http://" + r.host + r.target
	s.untilHit(t, r)
	for range times {
		s.ask(t, r)
	}
	var hits []answer
	for _, a := range s.given() {
		if a.host == r.host && a.target == r.target && a.hit() {
			hits = append(hits, a)
		}
	}
	var got served
	edge.Eventually(t, "all that were served in the log", func() bool {
		out, err := exec.Command(binary, "audit", "served", "--url", page, "--format", "json", s.site.Log).Output()
		if err != nil {
			return false // nothing is in the log yet
		}
		got = served{}
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		return got.Serves >= len(hits)
	})
	if len(got.Objects) != 1 || got.Serves != len(hits) || got.Objects[0].Cause == nil {
		t.Fatalf("%+v; want one object, whose request filled it, and %d that were served from it", got, len(hits))
	}
	if got.Objects[0].Cause.URL != page {
		t.Errorf("filled by a request for %s", got.Objects[0].Cause.URL)
	}
	for i, row := range got.Objects[0].Served {
		if row.Time.Before(hits[i].began.Add(-time.Second)) || row.Time.After(hits[i].ended.Add(time.Second)) {
			t.Errorf("answer %d was given between %v and %v; the log says %v", i, hits[i].began, hits[i].ended, row.Time)
		}
	}
}
