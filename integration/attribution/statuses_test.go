package attribution

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

// TestStatuses: a landing is carried and reported if there was a page, or one to go to, or
// one that the browser has already; not if there was an error.
func TestStatuses(t *testing.T) {
	s := newStage(t, "http")
	to := attackedSites[0]
	type landing struct {
		*attacker
		status  int
		path    string
		fields  []field
		carried bool
	}
	var landings []*landing
	for _, w := range s.wires() {
		// What is stored can be answered with 206 and 304.
		edge.Eventually(t, "a page in the store", func() bool { return s.attacker(t, w, to).visit(http.MethodGet, "/lp", "").hit() })
		for _, l := range []landing{
			{status: 200, path: "/lp", carried: true},
			{status: 206, path: "/lp", fields: []field{{"Range", "bytes=0-9"}}, carried: true},
			{status: 304, path: "/lp", fields: []field{{"If-None-Match", pageTag}}, carried: true},
			{status: 416, path: "/lp", fields: []field{{"Range", "bytes=9999-"}}},
			{status: 412, path: "/lp", fields: []field{{"If-Match", `"2"`}}},
			{status: 201, path: "/lp/201-NAME", carried: true},
			{status: 301, path: "/lp/301-NAME", carried: true},
			{status: 302, path: "/lp/302-NAME", carried: true},
			{status: 404, path: "/lp/404-NAME"},
			{status: 410, path: "/lp/410-NAME"},
			{status: 403, path: "/lp/403-NAME"},
			{status: 500, path: "/lp/500-NAME"},
			{status: 503, path: "/lp/503-NAME"},
		} {
			l.attacker = s.attacker(t, w, to)
			landings = append(landings, &l)
		}
	}
	for _, l := range landings {
		got := l.visit(http.MethodGet, strings.ReplaceAll(l.path, "NAME", l.name), "ref="+l.mark, l.fields...)
		if got.status != l.status || (len(got.carries()) == 1) != l.carried || !got.private() {
			t.Errorf("%s, %d: %d %v", l.wire, l.status, got.status, got.header)
		}
		l.signUp()
		want := map[string]string{}
		if l.carried {
			want["ref"] = l.mark
		}
		l.wantMember(http.StatusText(l.status), want)
	}
	told := func(l *landing) []row {
		return find(rowsOf(t, s.file, rowLanding), func(r row) bool { return r.Values["ref"] == l.mark })
	}
	for _, l := range landings {
		if l.carried {
			edge.Eventually(t, "the report of a landing", func() bool { return len(told(l)) > 0 })
		}
	}
	// What came before has been reported by now, as there is one queue.
	last := s.attacker(t, s.wires()[0], to)
	last.honest()
	edge.Eventually(t, "the report of the last landing", func() bool { return len(told(&landing{attacker: last})) > 0 })
	for _, l := range landings {
		if !l.carried && len(told(l)) > 0 {
			t.Errorf("%s, %d: the app is told of it", l.wire, l.status)
		}
	}
}
