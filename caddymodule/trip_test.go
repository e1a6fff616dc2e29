package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/policies"
)

// two pages on two routes, each answered alike for everybody.
const twoRoutes = `cacheward {
		route page {
			path /page
			cache 5m {
				stale_while_revalidate 1h
				stale_if_error 1h
			}
			downstream 60s
		}
		route other {
			path /other
			cache 5m
		}
	}
	reverse_proxy %s`

func theHandlers(t testing.TB) []*Handler {
	t.Helper()
	handlers, err := running()
	if err != nil {
		t.Fatal(err)
	}
	return handlers
}

// stored asks for the pages until they come from the store.
func stored(e *edge, paths ...string) {
	e.t.Helper()
	for _, path := range paths {
		eventually(e.t, path+" to be stored", func() bool { return e.ok(path).hit() })
	}
}

func reasonIs(t testing.TB, a answer, reason policies.Reason) {
	t.Helper()
	if status := a.header.Get("Cache-Status"); a.hit() || !strings.HasSuffix(status, "detail="+reason.String()) {
		t.Errorf("Cache-Status is %q, want the detail %s", status, reason)
	}
	if got := a.header.Get("Cache-Control"); got != "private, no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
}

func TestTripAndReset(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "the page "+r.URL.Path) })
	e := startEdge(t, fmt.Sprintf(twoRoutes, origin))
	stored(e, "/page", "/other")

	if _, err := trip(theHandlers(t), control.Trip{Route: "pag", Why: "a test"}); err == nil || !strings.Contains(err.Error(), "page") {
		t.Errorf("a route that is not there was tripped: %v", err)
	}
	done, err := trip(theHandlers(t), control.Trip{Route: "page", Why: "a name on the page", By: "ops"})
	if err != nil || !done.Saved || !done.Settled || len(done.Tripped) != 1 {
		t.Fatal(done, err)
	}
	reasonIs(t, e.ok("/page"), policies.ReasonTripped)
	if a := e.ok("/other"); !a.hit() {
		t.Errorf("the other route was tripped, too: %v", a.header)
	}
	if again, err := trip(theHandlers(t), control.Trip{Route: "page", Why: "twice", By: "ops"}); err != nil || !strings.Contains(again.Done, "already") || again.Tripped[0].Why != "a name on the page" {
		t.Error(again, err)
	}
	awaitRecord(t, "trip", func(l logLine) bool { return l.Route == "page" })
	if n := len(records("trip")); n != 1 {
		t.Errorf("%d records of one trip", n)
	}

	// A reload does not end it.
	if err := e.load(fmt.Sprintf(twoRoutes, origin)); err != nil {
		t.Fatal(err)
	}
	reasonIs(t, e.ok("/page"), policies.ReasonTripped)

	// What was stored before is not there after a reset.
	settled(t)
	done, err = reset(theHandlers(t), control.Reset{Route: "page", Why: "mended", By: "ops"})
	if err != nil || done.Removed != 1 || len(done.Tripped) != 0 {
		t.Fatal(done, err)
	}
	if a := e.ok("/page"); a.hit() {
		t.Error("what was tripped for came back")
	}
	stored(e, "/page")
	if _, err := reset(theHandlers(t), control.Reset{Route: "page"}); err == nil {
		t.Error("what is not tripped was reset")
	}

	// After a false alarm it may.
	if _, err := trip(theHandlers(t), control.Trip{Why: "everything", By: "ops"}); err != nil {
		t.Fatal(err)
	}
	reasonIs(t, e.ok("/page"), policies.ReasonTripped)
	reasonIs(t, e.ok("/other"), policies.ReasonTripped)
	if _, err := reset(theHandlers(t), control.Reset{Keep: true, Why: "false alarm", By: "ops"}); err != nil {
		t.Fatal(err)
	}
	if a := e.ok("/page"); !a.hit() {
		t.Errorf("what was to be kept is not there: %v", a.header)
	}
}

func TestTripSurvivesTheProcess(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "the page") })
	e := startEdge(t, fmt.Sprintf(twoRoutes, origin))
	if _, err := trip(theHandlers(t), control.Trip{Route: "page", Why: "a test", By: "ops"}); err != nil {
		t.Fatal(err)
	}
	// A config without a handler has none of it in memory.
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := e.load(fmt.Sprintf(twoRoutes, origin)); err != nil {
		t.Fatal(err)
	}
	reasonIs(t, e.ok("/page"), policies.ReasonTripped)
	if s := status(theHandlers(t)); len(s.Tripped) != 1 || s.Tripped[0].Why != "a test" || s.Tripped[0].By != "ops" {
		t.Errorf("status has %+v", s.Tripped)
	}
	if _, err := reset(theHandlers(t), control.Reset{All: true, Why: "done", By: "ops"}); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := e.load(fmt.Sprintf(twoRoutes, origin)); err != nil {
		t.Fatal(err)
	}
	stored(e, "/page")
}

// brokenStorage fails as it is told to.
type brokenStorage struct {
	certmagic.Storage
	load, store error
	data        []byte
}

func (s *brokenStorage) Load(context.Context, string) ([]byte, error) { return s.data, s.load }
func (s *brokenStorage) Store(_ context.Context, _ string, data []byte) error {
	if s.store == nil {
		s.data = data
	}
	return s.store
}

func TestSavedTrips(t *testing.T) {
	for _, tt := range []struct {
		name       string
		storage    brokenStorage
		everything bool
		routes     int
	}{
		{"none", brokenStorage{load: fs.ErrNotExist}, false, 0},
		{"one", brokenStorage{data: []byte(`{"schema":1,"tripped":[{"route":"page","why":"x","since":"2026-11-22T01:02:03Z"}]}`)}, false, 1},
		{"all", brokenStorage{data: []byte(`{"schema":1,"tripped":[{"why":"x","since":"2026-11-22T01:02:03Z"},{"route":"a","why":"x","since":"2026-11-22T01:02:03Z"}]}`)}, true, 1},
		{"unreadable", brokenStorage{load: errors.New("no such disk")}, true, 0},
		{"torn", brokenStorage{data: []byte(`{"schema":1,"tripped":[{"rou`)}, true, 0},
		{"empty", brokenStorage{data: []byte{}}, true, 0},
		{"of a later version", brokenStorage{data: []byte(`{"schema":2}`)}, true, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBreaker(&tt.storage, zap.NewNop())
			list := b.list()
			everything := len(list) > 0 && list[0].Route == ""
			if everything != tt.everything || b.tripped("no such route") != tt.everything {
				t.Errorf("everything is tripped: %v, want %v (%+v)", everything, tt.everything, list)
			}
			if n := len(list); everything && n != tt.routes+1 || !everything && n != tt.routes {
				t.Errorf("tripped is %+v", list)
			}
		})
	}
}

func TestTripThatCannotBeSaved(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "the page") })
	e := startEdge(t, fmt.Sprintf(twoRoutes, origin))
	stored(e, "/page")
	h := theHandlers(t)
	h[0].breaker.use(&brokenStorage{store: errors.New("the disk is full")})
	done, err := trip(h, control.Trip{Route: "page", Why: "a test", By: "ops"})
	if err != nil || done.Saved || len(done.Problems) != 1 || !strings.Contains(done.Problems[0], "the disk is full") {
		t.Fatal(done, err)
	}
	reasonIs(t, e.ok("/page"), policies.ReasonTripped)
	// Once there is room, doing it again saves it.
	h[0].breaker.use(&certmagic.FileStorage{Path: t.TempDir()})
	if done, err := trip(h, control.Trip{Route: "page", Why: "a test", By: "ops"}); err != nil || !done.Saved {
		t.Error(done, err)
	}
}

// TestNoHitAfterTheAcknowledgement has many visitors ask all the time while routes are
// tripped and reset: once a trip has returned, no answer begins to be served from the
// store until a reset begins.
func TestNoHitAfterTheAcknowledgement(t *testing.T) {
	h := benched(t, "none")
	next := benchPage([]byte("the page"))
	var acknowledged atomic.Bool
	var wrong, hits atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				w := &watchedHead{header: make(http.Header), acknowledged: &acknowledged, wrong: &wrong, hits: &hits}
				_ = h.ServeHTTP(w, browserRequest(t, "/page?ref=mail", w), next)
			}
		})
	}
	for range 40 {
		before := hits.Load()
		eventually(t, "hits", func() bool { return hits.Load() > before })
		h.breaker.trip(control.Tripped{Route: "page"})
		if !processSections.settle(patience) {
			t.Fatal("it never settled")
		}
		acknowledged.Store(true)
		for range 10 {
			runtime.Gosched()
		}
		acknowledged.Store(false)
		h.breaker.reset(func(control.Tripped) bool { return true })
	}
	close(stop)
	wg.Wait()
	if n := wrong.Load(); n > 0 {
		t.Errorf("%d hits were served after a trip was acknowledged", n)
	}
}

// watchedHead looks, when a head is written, whether it is that of a hit and whether
// hits are not to be any more.
type watchedHead struct {
	header       http.Header
	acknowledged *atomic.Bool
	wrong, hits  *atomic.Int64
}

func (w *watchedHead) Header() http.Header         { return w.header }
func (w *watchedHead) Write(p []byte) (int, error) { return len(p), nil }
func (w *watchedHead) WriteHeader(int) {
	if !strings.HasPrefix(w.header.Get("Cache-Status"), "Cacheward; hit") {
		return
	}
	w.hits.Add(1)
	if w.acknowledged.Load() {
		w.wrong.Add(1)
	}
}

// TestTripWhileFilling: what was begun before a trip is not stored, and those who wait
// for it get their own answers.
func TestTripWhileFilling(t *testing.T) {
	for _, route := range []string{"cache: 5m", "cache: origin"} {
		t.Run(route, func(t *testing.T) {
			withRoute(t, route, func(t *testing.T, c *ruled) {
				release := make(chan struct{})
				c.origin = func(w http.ResponseWriter, r *http.Request) error {
					if canonical(r) {
						<-release
					}
					return say(200, "<p>the page</p>", "Cache-Control", "max-age=300")(w, r)
				}
				done := make(chan reply, 5)
				for range cap(done) {
					go func() { done <- c.send(http.MethodGet, "/") }()
				}
				synctest.Wait()
				c.breaker.trip(control.Tripped{Route: "page", Why: "a test"})
				close(release)
				for range cap(done) {
					if a := <-done; a.hit() || a.shared() {
						t.Errorf("an answer came from the store: %v", a.header)
					}
				}
				synctest.Wait()
				if c.objects() != 0 {
					t.Error("what was begun before the trip was stored after it")
				}
			})
		})
	}
}

// TestTripWithholdsWhatIsHeld: a stale object that a request holds, for the case that
// the origin fails, is not served once the route is tripped, or the object purged.
func TestTripWithholdsWhatIsHeld(t *testing.T) {
	for name, revoke := range map[string]func(*ruled){
		"trip":  func(c *ruled) { c.breaker.trip(control.Tripped{Route: "page", Why: "a test"}) },
		"purge": func(c *ruled) { c.purgeAll() },
	} {
		t.Run(name, func(t *testing.T) {
			withRoute(t, "cache: {ttl: 1m, stale_if_error: 1h}", func(t *testing.T, c *ruled) {
				c.origin = say(200, "<p>the page</p>")
				c.get("/")
				if a := c.get("/"); !a.hit() {
					t.Fatal(a.header)
				}
				time.Sleep(2 * time.Minute)
				c.origin = say(503, "down")
				if a := c.get("/"); a.body != "<p>the page</p>" {
					t.Fatalf("nothing stands in for the failing origin: %v %q", a.header, a.body)
				}
				c.origin = func(w http.ResponseWriter, r *http.Request) error {
					revoke(c)
					return say(503, "down")(w, r)
				}
				if a := c.get("/"); a.status != 503 || a.body != "down" {
					t.Errorf("got %d %q", a.status, a.body)
				}
			})
		})
	}
}

func TestSettleHasALimit(t *testing.T) {
	var s sections
	slot := s.assign()
	slot.inside.Add(1)
	if s.settle(time.Millisecond) {
		t.Error("it settled with somebody inside")
	}
	slot.inside.Add(-1)
	if !s.settle(patience) {
		t.Error("it did not settle with nobody inside")
	}
}

// TestExchangesLeave: whatever becomes of a request, it is not counted any more when
// it is over.
func TestExchangesLeave(t *testing.T) {
	defer func() {
		if !processSections.settle(patience) {
			t.Error("some request is still counted")
		}
	}()
	inBubble(t, Limits{}, func(t *testing.T, b *bubble) {
		ctx := context.Background()
		for _, target := range []string{"/page/a", "/page/a", "/pub/a", "/pub/a", "/nothing"} {
			_, _ = b.get(ctx, target, shareable(0, 0))
			synctest.Wait()
		}
		_, _ = b.get(ctx, "/page/b", func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) })
		_, _ = b.get(ctx, "/pub/b", func(http.ResponseWriter, *http.Request) error { panic("a bug") })
		synctest.Wait()
	})
}

// TestTripsAreOneFile: what is saved is one small file in Caddy's storage.
func TestTripsAreOneFile(t *testing.T) {
	dir := t.TempDir()
	b := newBreaker(&certmagic.FileStorage{Path: dir}, zap.NewNop())
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			b.trip(control.Tripped{Route: fmt.Sprintf("r%d", i), Why: "a test"})
			if err := b.save(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(newBreaker(&certmagic.FileStorage{Path: dir}, zap.NewNop()).list()); n != 20 {
		t.Errorf("%d of 20 trips were saved", n)
	}
	if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(tripsKey))); err != nil {
		t.Error(err)
	}
}
