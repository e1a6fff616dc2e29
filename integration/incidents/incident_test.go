package incidents

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

// property is one of those that the proxy must keep.
type property string

const (
	isolation      property = "P1" // nothing of one visitor reaches another
	proof          property = "P2" // shareability is decided before anyone but the requester gets a byte
	refusalWins    property = "P3" // private and its like outrank every rule of the operator
	silence        property = "P4" // what is not permitted is not stored
	completeKey    property = "P5" // what can change the answer is in the key, or is not sent
	oneMeaning     property = "P6" // a URL that could be read differently is not stored
	accountability property = "P7" // who got what can be listed afterwards
	containment    property = "P8" // what a bad rule stored can be dropped at once, provably
)

// incident is one of them, to be made to happen again.
type incident struct {
	number int
	who    string // it happened to
	when   string
	// harm is what happened to those who were hurt: "were shown another's page".
	harm string
	// names are the properties that it is about. Each must be shown by a form or a check.
	names []property
	forms []form
}

// form is one of the ways in which an incident can have happened.
type form struct {
	name string
	// cache is what stood in front of the app, as it was configured.
	cache cache
	// policy is the inside of the cacheward block, with the same mistake in it.
	policy string
	// scene makes the app, and the visitors, anew for each time that it is played.
	scene func() scene
	// stopped are the codes of all reasons for which anything was not shared when
	// Cacheward was in the cache's place, save those that only say that there was
	// another reason before.
	stopped []string
	shows   []property
	// checks are made where Cacheward is in the cache's place, after the visits.
	checks []check
}

// scene is an app as it was, with its state, and those who visit it.
type scene struct {
	app http.Handler
	// visit has the visitors come, and counts those who were hurt with stage.count.
	visit func(t *testing.T, s *stage)
}

// check is something beside the visits that must hold with Cacheward.
type check struct {
	name  string
	shows property
	holds func(t *testing.T, s *stage)
}

// position is what stands between the visitors and the app.
type position string

const (
	without position = "without" // the cache alone
	behind  position = "behind"  // the cache, and Cacheward behind it
	instead position = "instead" // Cacheward, in the cache's place
)

// reproduce plays the incident in all its forms and positions, and holds what is seen
// against the table in the README.
func reproduce(t *testing.T, i incident) {
	t.Parallel()
	i.checkNames(t)
	seen := sight{incident: i}
	ran := true
	for _, f := range i.forms {
		for _, p := range []position{without, behind, instead} {
			ran = t.Run(f.name+"/"+string(p), func(t *testing.T) {
				s := f.play(t, p)
				seen.add(s)
			}) && ran
		}
	}
	if ran && len(seen.stages) == 3*len(i.forms) { // none failed or was left out with -run
		seen.checkRow(t)
	}
}

// checkNames sees that there is a test for each property that the incident names.
func (i incident) checkNames(t *testing.T) {
	t.Helper()
	shown := map[property]bool{}
	for _, f := range i.forms {
		for _, p := range f.shows {
			shown[p] = true
		}
		for _, c := range f.checks {
			shown[c.shows] = true
		}
	}
	if got, want := slices.Sorted(maps.Keys(shown)), slices.Sorted(slices.Values(i.names)); !slices.Equal(got, want) {
		t.Errorf("the properties shown are %v; the incident is about %v", got, want)
	}
}

// play plays the form once. What is on the stage ends with the test.
func (f form) play(t *testing.T, p position) *stage {
	t.Helper()
	s := &stage{form: f, position: p, scene: f.scene()}
	server := httptest.NewServer(s.app)
	t.Cleanup(server.Close)
	s.origin = server.Listener.Addr().String()
	s.address = s.origin
	if p != without {
		s.site = edge.StartSite(t, binary, edge.SiteConfig{Origin: s.address, Policy: f.policy})
		s.address = s.site.Address
	}
	if p != instead {
		s.address = f.cache.start(t, s.address)
	}
	s.open(t)
	s.visit(t, s)
	if s.of == 0 {
		t.Error("nothing was counted: this test cannot fail")
	}
	switch p {
	case behind:
		s.checkRefused(t)
		s.checkReasons(t)
	case instead:
		s.awaitReasons(t)
		for _, c := range f.checks {
			t.Run(string(c.shows)+" "+c.name, func(t *testing.T) { c.holds(t, s) })
		}
	}
	return s
}
