package fleet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/store"
)

// place is where a peer can be reached, also while there is none.
type place struct {
	*httptest.Server
	peers atomic.Pointer[Peers]
}

func newPlace(t *testing.T) *place {
	p := new(place)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if peers := p.peers.Load(); peers != nil {
			peers.ServeHTTP(w, r)
			return
		}
		http.Error(w, "nobody is here", http.StatusBadGateway)
	}))
	t.Cleanup(p.Close)
	return p
}

// peered is an edge among peers, and what it was told.
type peered struct {
	*Peers
	*member
	at *place
}

func (p *peered) stop() {
	p.at.peers.Store(nil)
	p.Peers.Close()
}

func joinPeers(t *testing.T, name string, at *place, others ...*place) *peered {
	t.Helper()
	var urls []string
	for _, o := range others {
		urls = append(urls, o.URL)
	}
	p := &peered{member: &member{}, at: at}
	var err error
	if p.Peers, err = NewPeers(p.member.options(name), urls, nil); err != nil {
		t.Fatal(err)
	}
	at.peers.Store(p.Peers)
	t.Cleanup(p.stop)
	return p
}

// until waits for something that has to come.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatal("it does not come: ", what)
		case <-tick.C:
		}
	}
}

func allTrusted(peers ...*peered) func() bool {
	return func() bool {
		return !slices.ContainsFunc(peers, func(p *peered) bool { return !p.Peers.Trusted(time.Now()) })
	}
}

// threePeers are a fleet that trusts itself.
func threePeers(t *testing.T) (places []*place, peers []*peered) {
	for range 3 {
		places = append(places, newPlace(t))
	}
	for i, at := range places {
		others := slices.Delete(slices.Clone(places), i, i+1)
		peers = append(peers, joinPeers(t, fmt.Sprintf("edge%d", i), at, others...))
	}
	until(t, "trust", allTrusted(peers...))
	return places, peers
}

func (p *peered) has(e Event, from string) bool {
	return slices.ContainsFunc(p.events(), func(have Event) bool {
		return have.Edge == from && have.Kind == e.Kind && have.Selection.Route == e.Selection.Route && have.Trip.Route == e.Trip.Route
	})
}

// publish publishes until all have confirmed it: one that is slow need not.
func (p *peered) publish(t *testing.T, e Event) Delivery {
	t.Helper()
	var d Delivery
	until(t, "confirmation", func() bool {
		var err error
		d, err = p.Peers.Publish(t.Context(), e, true)
		if err != nil && !errors.Is(err, ErrUnconfirmed) {
			t.Fatal(err)
		}
		return err == nil
	})
	return d
}

func TestPeersHearOfEachOther(t *testing.T) {
	_, peers := threePeers(t)
	for i, p := range peers {
		e := purgeRoute(fmt.Sprintf("r%d", i))
		if d := p.publish(t, e); d.Edges != 3 || d.Confirmed != 3 || d.Missing != nil {
			t.Errorf("delivery: %+v", d)
		}
		for _, other := range peers {
			if !other.has(e, p.o.Name) {
				t.Errorf("%s has not applied what %s published and all have confirmed", other.o.Name, p.o.Name)
			}
		}
	}
	if s := peers[0].Peers.Status(); s.Edge != "edge0" || len(s.Members) != 3 || s.Heard < 0 {
		t.Errorf("status: %+v", s)
	}
	if peers[0].Peers.Generation() != 0 {
		t.Error("what is stored among peers has a generation")
	}
}

func TestPeerThatIsAway(t *testing.T) {
	places, peers := threePeers(t)
	losses := len(peers[0].losses())
	away := peers[2]
	places[2].peers.Store(nil) // it can ask, and cannot be asked
	until(t, "the end of trust", func() bool {
		return peers[0].Peers.Status().Lapses > 0 && peers[1].Peers.Status().Lapses > 0
	})
	if s := peers[0].Peers.Status(); s.Trusted || !strings.Contains(s.Problem, places[2].URL) || s.Lapses == 0 {
		t.Errorf("status: %+v", s)
	}
	if _, err := away.Peers.Publish(t.Context(), purgeRoute("x"), true); !errors.Is(err, ErrUnconfirmed) {
		t.Errorf("published: %v", err)
	}
	places[2].peers.Store(away.Peers)
	until(t, "trust", allTrusted(peers...))
	for _, p := range peers {
		if !p.has(purgeRoute("x"), "edge2") {
			t.Errorf("%s is trusted and has not applied what was published meanwhile", p.o.Name)
		}
	}
	if n := len(peers[0].losses()); n != losses {
		t.Errorf("what was stored was dropped although nothing is lost")
	}
	peers[0].member.mu.Lock()
	defer peers[0].member.mu.Unlock()
	if c := peers[0].changed; len(c) < 3 || !c[0] || c[1] || !c[2] {
		t.Errorf("told of %v", c)
	}
}

// TestPeerThatRestarts: its log is empty then, and nothing was lost by it; what it
// publishes after that is heard, and it learns from the others what is tripped.
func TestPeerThatRestarts(t *testing.T) {
	places, peers := threePeers(t)
	for range 5 {
		peers[2].publish(t, purgeRoute("before"))
	}
	peers[2].publish(t, tripped("own"))
	peers[2].publish(t, tripped("over"))
	peers[0].publish(t, tripped("other"))
	peers[1].publish(t, resetOf("over"))
	losses := []int{len(peers[0].losses()), len(peers[1].losses())}

	peers[2].stop()
	peers[2] = joinPeers(t, "edge2", places[2], places[0], places[1])
	until(t, "the others begin again with it", func() bool {
		return len(peers[0].losses()) > losses[0] && len(peers[1].losses()) > losses[1]
	})
	until(t, "trust", allTrusted(peers...))
	for i := range 7 { // more than are numbered before
		e := purgeRoute(fmt.Sprintf("after%d", i))
		peers[2].publish(t, e)
		for _, p := range peers {
			if !p.has(e, "edge2") {
				t.Errorf("%s has not applied %+v", p.o.Name, e)
			}
		}
	}
	for i, n := range losses {
		if len(peers[i].losses()) != n+1 {
			t.Errorf("edge%d keeps what a peer that restarted may have purged", i)
		}
	}
	last := peers[2].losses()
	var routes []string
	for _, trip := range last[len(last)-1].Trips {
		routes = append(routes, trip.Route)
	}
	slices.Sort(routes)
	if !slices.Equal(routes, []string{"other", "own"}) {
		t.Errorf("it was told that %v are tripped", routes)
	}
}

// TestPeerThatJoins is told of all trips, whomever it meets last.
func TestPeerThatJoins(t *testing.T) {
	knows, fresh := newPlace(t), newPlace(t)
	joinPeers(t, "a", knows).publish(t, tripped("r"))
	joiner := joinPeers(t, "c", newPlace(t), knows, fresh)
	until(t, "the first contact with itself and a", func() bool { return len(joiner.losses()) == 2 })
	joinPeers(t, "b", fresh)
	until(t, "the first contact with b", func() bool { return len(joiner.losses()) == 3 })
	if trips := joiner.losses()[2].Trips; len(trips) != 1 || trips[0].Route != "r" {
		t.Errorf("it was told that %+v are tripped", trips)
	}
}

// TestPeerFarBehind: what it missed is not kept any more, so it drops everything.
func TestPeerFarBehind(t *testing.T) {
	places, peers := threePeers(t)
	losses := len(peers[0].losses())
	places[2].peers.Store(nil)
	for range keptForPeers + 1 {
		if _, err := peers[2].log.Publish(t.Context(), purgeRoute("x")); err != nil {
			t.Fatal(err)
		}
	}
	places[2].peers.Store(peers[2].Peers)
	until(t, "the loss", func() bool { return len(peers[0].losses()) > losses })
	until(t, "trust", allTrusted(peers...))
}

func TestPeersThatAreWronglyListed(t *testing.T) {
	here, there := newPlace(t), newPlace(t)
	self := joinPeers(t, "a", here, here)
	until(t, "the problem", func() bool {
		return strings.Contains(self.Peers.Status().Problem, "another edge than")
	})
	namesake := joinPeers(t, "a", there, here)
	until(t, "the problem", func() bool {
		return strings.Contains(namesake.Peers.Status().Problem, "another edge than")
	})
	other := joinPeers(t, "b", newPlace(t), here, there)
	until(t, "the problem", func() bool {
		return strings.Contains(other.Peers.Status().Problem, "one name")
	})
	if now := time.Now(); self.Peers.Trusted(now) || namesake.Peers.Trusted(now) || other.Peers.Trusted(now) {
		t.Error("trusted")
	}
	if _, err := NewPeers(self.member.options("c"), []string{here.URL, here.URL}, nil); err == nil {
		t.Error("a peer that is listed twice is taken")
	}
	if _, err := NewPeers(self.member.options(""), []string{here.URL}, nil); err == nil {
		t.Error("an edge without a name is taken")
	}
}

func TestPeersRefuseWhatTheyCannotRead(t *testing.T) {
	p := joinPeers(t, "a", newPlace(t))
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", PathAsk, "", 405},
		{"POST", PathAsk, "", 400},
		{"POST", PathAsk, "[]", 400},
		{"POST", PathAsk, `{"version":1,"edge":"` + strings.Repeat("x", maxQuestion) + `"}`, 400},
		{"POST", PathAsk, `{"version":2,"edge":"b"}`, 409},
		{"POST", PathAsk, `{"version":1}`, 409},
		{"POST", PathAsk, `{"version":1,"edge":"a"}`, 409},
		{"POST", PathAsk, `{"version":1,"edge":"b"}`, 200},
		{"POST", PathWake, `{}`, 204},
		{"POST", "/", `{}`, 404},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, p.at.URL+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		w.Body.Close()
		if w.StatusCode != c.status {
			t.Errorf("%s %s %.60s: %d; %d was expected", c.method, c.path, c.body, w.StatusCode, c.status)
		}
	}
	if !p.Peers.Trusted(time.Now()) && len(p.others) == 0 {
		until(t, "trust of an edge without peers", allTrusted(p))
	}
	if _, err := p.Peers.Publish(t.Context(), Event{Kind: KindPurge, Selection: store.Selection{}}, true); err == nil {
		t.Error("a wrong event is published")
	}
}
