package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/store"
)

// interrupted is a store in which something else happens while it is purged.
type interrupted struct {
	store.Store
	meanwhile func()
}

func (s interrupted) Purge(what store.Selection, soft bool) (store.Purged, error) {
	s.meanwhile()
	return s.Store.Purge(what, soft)
}

// TestResetEndsOnlyWhatItFound: a trip that comes while another one is being reset stays
// in force, as nothing was dropped of what it is about.
func TestResetEndsOnlyWhatItFound(t *testing.T) {
	withRoutes(t, "  - {name: a, match: {paths: [/a]}, cache: 5m}\n  - {name: b, match: {paths: [/b]}, cache: 5m}\n", func(t *testing.T, c *ruled) {
		c.origin = say(200, "<p>the page</p>")
		c.get("/b")
		if a := c.get("/b"); !a.hit() {
			t.Fatal(a.header)
		}
		handlers := []*Handler{c.Handler}
		if _, err := trip(handlers, control.Trip{Route: "a", Why: "a test"}); err != nil {
			t.Fatal(err)
		}
		memory := c.shared.store
		c.shared.store = interrupted{memory, func() {
			if _, err := trip(handlers, control.Trip{Route: "b", Why: "a name on the page"}); err != nil {
				t.Error(err)
			}
		}}
		done, err := reset(handlers, control.Reset{All: true, Why: "mended"})
		c.shared.store = memory
		if err != nil || len(done.Tripped) != 1 || done.Tripped[0].Route != "b" {
			t.Errorf("%+v %v", done, err)
		}
		if a := c.get("/b"); a.hit() {
			t.Error("what was tripped a moment ago is served from the store")
		}
	})
}

// TestTripsOfSeveralProcesses: those that use one storage do not save each other's trips
// away, and each ends its own there.
func TestTripsOfSeveralProcesses(t *testing.T) {
	dir := t.TempDir()
	start := func() *breaker { return newBreaker(&certmagic.FileStorage{Path: dir}, zap.NewNop()) }
	save := func(b *breaker) {
		t.Helper()
		if err := b.save(); err != nil {
			t.Fatal(err)
		}
	}
	saved := func() (routes string) {
		for _, trip := range start().list() {
			routes += trip.Route + " "
		}
		return routes
	}
	one, two := start(), start()
	one.trip(control.Tripped{Route: "a", Why: "a test"})
	save(one)
	two.trip(control.Tripped{Route: "b", Why: "a test"})
	save(two)
	if got := saved(); got != "a b " {
		t.Errorf("after a restart %q is tripped", got)
	}
	one.reset(func(control.Tripped) bool { return true })
	save(one)
	if got := saved(); got != "b " {
		t.Errorf("after a reset and a restart %q is tripped", got)
	}
	// What could not be saved at first is, with the next that can.
	two.use(&brokenStorage{store: errors.New("the disk is full")})
	two.reset(func(control.Tripped) bool { return true })
	if two.save() == nil {
		t.Error("it was saved")
	}
	two.use(&certmagic.FileStorage{Path: dir})
	two.trip(control.Tripped{Route: "c", Why: "a test"})
	save(two)
	if got := saved(); got != "c " {
		t.Errorf("after a reset that was saved late %q is tripped", got)
	}
}

// TestTripMovesToAnotherStorage: a trip survives a reload that changes where Caddy keeps
// things, and the restart after it.
func TestTripMovesToAnotherStorage(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "the page") })
	site := fmt.Sprintf(twoRoutes, origin)
	e := startEdge(t, site)
	if _, err := trip(theHandlers(t), control.Trip{Route: "page", Why: "a test", By: "ops"}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	e.globals = "storage file_system " + dir
	if err := e.load(site); err != nil {
		t.Fatal(err)
	}
	if b := newBreaker(&certmagic.FileStorage{Path: dir}, zap.NewNop()); !b.tripped("page") {
		t.Error("after a restart the route would not be tripped")
	}
}

// TestReloadThatFailsLate: where a configuration does not start, after all, the one that
// goes on serving is again the one that records what the store drops, saves its trips in
// its own storage, and bounds what it stores.
func TestReloadThatFailsLate(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "the page") })
	site := fmt.Sprintf("cacheward {\n store memory 1MiB\n route page {\n path /*\n cache 5m\n }\n }\n reverse_proxy %s", origin)
	startEdge(t, site)
	h := theHandlers(t)[0]
	storage := *h.breaker.storage.Load()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	other := strings.Replace(site, "store memory 1MiB", "store memory 2MiB\n limits {\n max_fills 3\n fill_memory 5MiB\n }", 1)
	config, err := siteConfig("storage file_system "+t.TempDir(), other)
	if err != nil {
		t.Fatal(err)
	}
	config = []byte(strings.Replace(string(config), "127.0.0.1:0", taken.Addr().String(), 1))
	bounds := func() [3]int64 {
		return [3]int64{h.shared.store.Stats().Limit, h.shared.flights.max.Load(), h.shared.budget.limit.Load()}
	}
	bound := bounds()
	for range 12 { // Caddy starts its apps in any order
		if err := caddy.Load(config, true); err == nil {
			t.Fatal("it started")
		}
		if *h.breaker.storage.Load() != storage {
			t.Fatal("trips are saved where the configuration has them that did not start")
		}
		if got := bounds(); got != bound {
			t.Fatalf("the store, fills and their memory are bounded by %v, as the configuration has it that did not start; not by %v", got, bound)
		}
	}
	before := h.audit.Stats().Written
	for i := range 40 {
		o := &store.Object{
			Key: store.Key{byte(i)}, ID: store.NewID(), Route: "page", Body: make([]byte, 64<<10),
			Requested: time.Now(), Received: time.Now(), Expires: time.Now().Add(time.Hour),
		}
		if err := h.shared.store.Put(o); err != nil {
			t.Fatal(err)
		}
	}
	h.flushAudit()
	if h.audit.Stats().Written == before {
		t.Error("what was evicted is recorded by nobody that runs")
	}
}

// TestValidatingSavesNothing: who only looks whether a configuration is right, perhaps as
// another user than the proxy, leaves nothing in Caddy's storage.
func TestValidatingSavesNothing(t *testing.T) {
	dir := t.TempDir()
	data, err := siteConfig("storage file_system "+dir, fmt.Sprintf(twoRoutes, "127.0.0.1:9"))
	if err != nil {
		t.Fatal(err)
	}
	// A rotation that no configuration in force has, so that its key is not held already.
	data = []byte(strings.ReplaceAll(string(data), `"handler":"cacheward"`, `"handler":"cacheward","audit":{"visitor":{"rotate":"37h"}}`))
	var config caddy.Config
	if err := json.Unmarshal(data, &config); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&config); err != nil {
		t.Fatal(err)
	}
	if found, err := os.ReadDir(filepath.Join(dir, "cacheward")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, %v are in the storage", found, err)
	}
}

// TestMarksAreBounded: a record that waits holds little of a visitor's cookies, however
// much they send.
func TestMarksAreBounded(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Cookie", strings.Repeat("id="+strings.Repeat("x", 1000)+"; ", 100))
	if n := len(marks(r, []string{"id"})); n == 0 || n > maxMarks {
		t.Errorf("%d bytes of cookies are kept", n)
	}
	r.Header.Set("Cookie", "other=1; id=2")
	if got := marks(r, []string{"id"}); got != "id\x002\x00" {
		t.Errorf("got %q", got)
	}
}

// TestFaultOfATripNamesItsRoute: as every record does, so that it is found by it.
func TestFaultOfATripNamesItsRoute(t *testing.T) {
	withRoute(t, "cache: 5m", func(t *testing.T, c *ruled) {
		c.breaker.use(&brokenStorage{store: errors.New("the disk is full")})
		if _, err := trip([]*Handler{c.Handler}, control.Trip{Route: "page", Why: "a test"}); err != nil {
			t.Fatal(err)
		}
		if got := c.logged("fault", "route"); len(got) != 1 || got[0] != "page" {
			t.Errorf("the fault's route is %q", got)
		}
	})
}
