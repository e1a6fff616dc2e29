package caddymodule

import (
	"context"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/fleet"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// allied starts an edge that has met others.
func allied(t *testing.T, m *meeting, site, origin string) *edge {
	t.Helper()
	e := start(t, site, origin, "store ally")
	trusts(t)
	return e
}

// trusts waits until the edge trusts what is stored.
func trusts(t *testing.T) {
	t.Helper()
	eventually(t, "the edge to trust what is stored", func() bool { return theShared(t).trusted(time.Now()) })
}

// publicOrigin is an origin of public pages that counts its requests.
func publicOrigin(t *testing.T) (origin string, requests *atomic.Int64) {
	requests = new(atomic.Int64)
	return newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.Header().Set("Cache-Control", "public, max-age=3600")
		io.WriteString(w, "the page "+r.URL.Path)
	}), requests
}

// TestLeaseLapses: while the edge hears nothing of the others, everybody gets the origin's
// answer to their own request, and nobody further on may keep it.
func TestLeaseLapses(t *testing.T) {
	for _, a := range admissions {
		t.Run(a.name, func(t *testing.T) {
			m := meet(t)
			m.lease = fleet.MinLease
			origin, requests := publicOrigin(t)
			e := allied(t, m, a.site, origin)
			stored(e, "/page")

			m.set(func() { m.away = errAway })
			eventually(t, "the lease to lapse", func() bool { return !theShared(t).trusted(time.Now()) })
			before := requests.Load()
			reasonIs(t, e.ok("/page"), policies.ReasonLeaseLapsed)
			reasonIs(t, e.ok("/page"), policies.ReasonLeaseLapsed)
			reasonIs(t, e.ok("/another"), policies.ReasonLeaseLapsed)
			if n := requests.Load() - before; n != 3 {
				t.Errorf("the origin got %d requests of 3 visitors", n)
			}
			eventually(t, "the lapse to be counted", func() bool { return status(theHandlers(t)).Fleets[0].Lapses == 1 })
			s := status(theHandlers(t)).Fleets
			if len(s) != 1 || s[0].Trusted || s[0].Edge != "here" || !strings.Contains(s[0].Problem, errAway.Error()) {
				t.Errorf("the status is %+v", s)
			}

			m.set(func() { m.away = nil })
			trusts(t)
			if !e.ok("/page").hit() {
				t.Error("what was stored is not served any more")
			}
		})
	}
}

// TestLeaseLapsesWhileWaiting: an object that was admitted while the lease lapsed is served
// to none of those who waited for it.
func TestLeaseLapsesWhileWaiting(t *testing.T) {
	m := meet(t)
	m.lease = fleet.MinLease
	middle := newHold(t)
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Mark") == "" {
			middle.wait(r.Context())
		}
		w.Header().Set("Cache-Control", "public, max-age=3600")
		io.WriteString(w, "the page")
	})
	e := allied(t, m, oncePage, origin)
	first := e.asyncGet("/page")
	eventually(t, "the fill to be under way", func() bool { return theShared(t).inFlight() == 1 })
	second := e.asyncGet("/page")
	eventually(t, "another to wait for it", func() bool { return theShared(t).waiting() == 1 })
	m.set(func() { m.away = errAway })
	eventually(t, "the lease to lapse", func() bool { return !theShared(t).trusted(time.Now()) })
	middle.release()
	<-first
	a := <-second
	if a.shared() || a.header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("the one who waited got %q, %q", a.header.Get("Cache-Status"), a.header.Get("Cache-Control"))
	}
}

// TestFetch: what another edge has stored is a hit, for which the origin is not asked, and
// asked for once, however many come.
func TestFetch(t *testing.T) {
	for _, a := range admissions {
		t.Run(a.name, func(t *testing.T) {
			m := meet(t)
			origin, requests := publicOrigin(t)
			e := allied(t, m, a.site, origin)
			stored(e, "/page")
			forgets(t)
			before, fetches := requests.Load(), m.fetches
			answers := make([]<-chan answer, 20)
			for i := range answers {
				answers[i] = e.asyncGet("/page")
			}
			for _, ch := range answers {
				if a := <-ch; !a.shared() || a.body != "the page /page" {
					t.Errorf("got %q, %q", a.header.Get("Cache-Status"), a.body)
				}
			}
			if n := requests.Load() - before; n != 0 {
				t.Errorf("the origin got %d requests", n)
			}
			if n := m.fetches - fetches; n == 0 || n > 3 {
				t.Errorf("it was fetched %d times", n)
			}
		})
	}
}

// TestFetchThenValidate: what is stale where the edges share it is validated like any other
// stored response.
func TestFetchThenValidate(t *testing.T) {
	m := meet(t)
	var whole, validations atomic.Int64
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=1")
		w.Header().Set("Etag", `"a"`)
		if r.Header.Get("If-None-Match") == `"a"` {
			validations.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		whole.Add(1)
		io.WriteString(w, "the page")
	})
	e := allied(t, m, oncePage, origin)
	stored(e, "/page")
	for n := range int64(2) {
		eventually(t, "the page to be validated", func() bool {
			if a := e.ok("/page"); a.body != "the page" {
				t.Errorf("got %q", a.body)
			}
			return validations.Load() > n
		})
	}
	if n := whole.Load(); n != 1 {
		t.Errorf("the origin has sent the whole page %d times", n)
	}
}

// forgets empties this edge's memory, and nothing else.
func forgets(t *testing.T) {
	t.Helper()
	if _, err := theShared(t).fleet.(*ally).Memory.Purge(store.Selection{All: true}, false); err != nil {
		t.Fatal(err)
	}
}

// TestFetchVariants: of a page with variants each visitor gets theirs.
func TestFetchVariants(t *testing.T) {
	m := meet(t)
	var requests atomic.Int64
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		w.Header().Set("Cache-Control", "public, max-age=3600")
		w.Header().Set("Vary", "Accept-Language")
		io.WriteString(w, "in "+r.Header.Get("Accept-Language"))
	})
	e := allied(t, m, oncePage, origin)
	for _, language := range []string{"ja", "en"} {
		eventually(t, language+" to be stored", func() bool { return e.ok("/page", "Accept-Language", language).hit() })
	}
	forgets(t)
	before := requests.Load()
	for _, language := range []string{"en", "ja"} {
		if a := e.ok("/page", "Accept-Language", language); !a.hit() || a.body != "in "+language {
			t.Errorf("%s: got %q, %q", language, a.header.Get("Cache-Status"), a.body)
		}
	}
	if n := requests.Load() - before; n != 0 {
		t.Errorf("the origin got %d requests", n)
	}
	if a := e.ok("/page", "Accept-Language", "fr"); a.shared() || a.body != "in fr" {
		t.Errorf("fr: got %q, %q", a.header.Get("Cache-Status"), a.body)
	}
}

// TestPurgedElsewhere: an object that was purged by another edge is served nowhere, although
// it is where they share them still.
func TestPurgedElsewhere(t *testing.T) {
	for name, selection := range map[string]store.Selection{
		"all": {All: true}, "route": {Route: "page"}, "url": {URI: "example.com/page"}, "prefix": {Prefix: "example.com/pa*"},
	} {
		t.Run(name, func(t *testing.T) {
			m := meet(t)
			origin, requests := publicOrigin(t)
			e := allied(t, m, oncePage, origin)
			stored(e, "/page")
			tells(t, m, fleet.Event{Kind: fleet.KindPurge, Selection: selection})
			before := requests.Load()
			if a := e.ok("/page"); a.shared() {
				t.Errorf("got %q", a.header.Get("Cache-Status"))
			}
			if n := requests.Load() - before; n != 1 {
				t.Errorf("the origin got %d requests", n)
			}
			if !e.ok("/page").hit() {
				t.Error("what was stored after the purge is not served")
			}
		})
	}
}

// tells has another edge do something, and waits until this one has.
func tells(t *testing.T, m *meeting, e fleet.Event) {
	t.Helper()
	e.Edge = "there"
	generation, err := m.Log.Publish(context.Background(), e)
	if err != nil {
		t.Fatal(err)
	}
	theShared(t).fleet.(*ally).edge.Wake()
	eventually(t, "the event to be applied", func() bool { return theShared(t).generation() >= generation })
}

// TestTurns: while another edge asks the origin this one waits, and takes its verdict.
func TestTurns(t *testing.T) {
	taken := func(t *testing.T, m *meeting, lane store.Key) {
		t.Helper()
		eventually(t, "a look", func() bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.fetches > 2
		})
	}
	t.Run("stored", func(t *testing.T) {
		m := meet(t)
		origin, requests := publicOrigin(t)
		e := allied(t, m, oncePage, origin)
		stored(e, "/page")
		forgets(t)
		var lane store.Key
		var o *store.Object
		m.set(func() {
			for lane, o = range m.objects {
			}
			clear(m.objects)
			m.taken[lane], m.fetches = true, 0
		})
		before := requests.Load()
		ch := e.asyncGet("/page")
		taken(t, m, lane)
		m.set(func() { m.objects[lane] = o })
		if a := <-ch; !a.hit() {
			t.Errorf("got %q", a.header.Get("Cache-Status"))
		}
		if n := requests.Load() - before; n != 0 {
			t.Errorf("the origin got %d requests", n)
		}
	})
	t.Run("refused", func(t *testing.T) {
		m := meet(t)
		var requests atomic.Int64
		origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			w.Header().Set("Cache-Control", "private")
			io.WriteString(w, "a page")
		})
		e := allied(t, m, oncePage, origin)
		e.ok("/page")
		settled(t)
		eventually(t, "the verdict to be told", func() bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			return len(m.verdicts) == 1 && len(m.taken) == 0
		})
		theShared(t).refusals.Clear()
		before := requests.Load()
		a := e.ok("/page")
		if got := a.header.Get("Cache-Status"); !strings.Contains(got, "detail=private") {
			t.Errorf("Cache-Status is %q", got)
		}
		if n := requests.Load() - before; n != 1 {
			t.Errorf("the origin got %d requests of one visitor", n)
		}
	})
	t.Run("nobody to ask", func(t *testing.T) {
		m := meet(t)
		origin, requests := publicOrigin(t)
		e := allied(t, m, oncePage, origin)
		m.set(func() { m.away = errAway })
		if a := e.get("/page"); a.status != http.StatusOK || requests.Load() != 1 {
			t.Errorf("got %d with %d requests", a.status, requests.Load())
		}
	})
}

// TestWithdrawnEverywhere: a page that turns out not to be shareable is dropped by all.
func TestWithdrawnEverywhere(t *testing.T) {
	m := meet(t)
	var private atomic.Bool
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=1")
		w.Header().Set("Etag", `"a"`)
		if private.Load() {
			w.Header().Set("Cache-Control", "private")
			w.Header().Del("Etag")
		}
		io.WriteString(w, "a page")
	})
	e := allied(t, m, oncePage, origin)
	stored(e, "/page")
	private.Store(true)
	eventually(t, "the page to be refused", func() bool { return !e.ok("/page").shared() })
	eventually(t, "the others to be told", func() bool { return len(m.published(fleet.KindPurge)) > 0 })
	if e := m.published(fleet.KindPurge)[0]; len(e.Selection.Key) != len(store.Key{}) {
		t.Errorf("told was %+v", e)
	}
}

// TestNoRedisCode: who builds Caddy with the plugin alone carries no code for Redis.
func TestNoRedisCode(t *testing.T) {
	deps := func(of string) string {
		out, err := exec.Command("go", "list", "-deps", of).CombinedOutput()
		if err != nil {
			t.Fatalf("go list: %v\n%s", err, out)
		}
		return string(out)
	}
	if strings.Contains(deps("."), "redis") {
		t.Error("the plugin depends on Redis")
	}
	if !strings.Contains(deps("../cmd/cacheward"), "github.com/redis/rueidis") {
		t.Error("the binary has no Redis")
	}
}
