package caddymodule

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cacheward/cacheward/caddymodule/store"
)

func init() { caddy.RegisterModule(WatchedStore{}) }

// WatchedStore is the memory store, and a list of everything that was put there and
// asked for.
type WatchedStore struct{ Memory }

// CaddyModule returns the Caddy module information.
func (WatchedStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "cacheward.stores.watched",
		New: func() caddy.Module { return new(WatchedStore) },
	}
}

func (w *WatchedStore) StoreKey() string { return "watched:" + w.Name }

func (w *WatchedStore) OpenStore() (store.Store, error) {
	memory, err := store.NewMemory(w.Size)
	if err != nil {
		return nil, err
	}
	s := &watchedStore{Memory: memory, put: make(map[string]*store.Object), got: make(map[store.Key]bool)}
	lastWatched.Store(s)
	return s, nil
}

func (w *WatchedStore) TuneStore(s store.Store) error {
	return w.Memory.TuneStore(s.(*watchedStore).Memory)
}

func (w *WatchedStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return w.Memory.UnmarshalCaddyfile(d)
}

// lastWatched is the store that was opened last.
var lastWatched atomic.Pointer[watchedStore]

type watchedStore struct {
	*store.Memory
	mu  sync.Mutex
	put map[string]*store.Object // by ID
	got map[store.Key]bool       // keys that were looked up

	// missed, where given, is called when a look-up has found nothing.
	missed func()
}

func (w *watchedStore) Get(key store.Key, parts []byte) (*store.Object, error) {
	w.mu.Lock()
	w.got[key] = true
	w.mu.Unlock()
	o, err := w.Memory.Get(key, parts)
	if o == nil && w.missed != nil {
		w.missed()
	}
	return o, err
}

// reopen puts a new memory into a store that a test has closed, so that it can be
// closed again.
func (w *watchedStore) reopen(t testing.TB) {
	t.Helper()
	memory, err := store.NewMemory(64 << 20)
	if err != nil {
		t.Fatal(err)
	}
	w.Memory = memory
}

// keys returns the keys that were looked up.
func (w *watchedStore) keys() []store.Key {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Keys(w.got))
}

func (w *watchedStore) Put(o *store.Object) error {
	w.mu.Lock()
	w.put[o.ID] = o
	w.mu.Unlock()
	return w.Memory.Put(o)
}

// objects returns everything that was ever put there.
func (w *watchedStore) objects() []*store.Object {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Values(w.put))
}

// bodies returns the bodies of the objects with these IDs.
func (w *watchedStore) bodies(ids map[string]bool) map[string]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	bodies := make(map[string]bool)
	for id, o := range w.put {
		if ids[id] {
			bodies[string(o.Body)] = true
		}
	}
	return bodies
}

// theShared is what the handlers of the running config share.
func theShared(t testing.TB) *shared {
	t.Helper()
	var found *shared
	pool.Range(func(_, value any) bool {
		found = value.(*shared)
		return false
	})
	if found == nil {
		t.Fatal("no store is open")
	}
	return found
}

// waiting is how many requests wait for the verdict on another's fill.
func (s *shared) waiting() int {
	s.flights.mu.Lock()
	defer s.flights.mu.Unlock()
	n := 0
	for _, f := range s.flights.byKey {
		n += int(f.waiters.Load())
	}
	return n
}

// inFlight is how many keys are being judged.
func (s *shared) inFlight() int {
	s.flights.mu.Lock()
	defer s.flights.mu.Unlock()
	return len(s.flights.byKey) + s.flights.lone
}

// settled waits until no key is being judged: what was refused is then remembered
// and what was admitted stored.
func settled(t testing.TB) {
	t.Helper()
	s := theShared(t)
	eventually(t, "all fills to be judged", func() bool { return s.inFlight() == 0 })
}

// nothingStored fails the test if there is an object in the store.
func nothingStored(t testing.TB) {
	t.Helper()
	if n := theShared(t).store.Stats().Objects; n != 0 {
		t.Errorf("%d objects are stored; none was expected", n)
	}
}

// memoryGivenBack waits for all memory that fills have taken to be given back.
func memoryGivenBack(t testing.TB) {
	t.Helper()
	s := theShared(t)
	eventually(t, "the fills' memory to be given back", func() bool { return s.budget.used.Load() == 0 })
}

// Routes of one page each, in the two admissions, for startEdge.
const (
	corroboratedPage = `cacheward {
		%s
		route page {
			path /*
			cache 5m
			param strip ref source
		}
	}
	reverse_proxy %s`
	oncePage = `cacheward {
		%s
		route page {
			path /*
			cache origin
			param strip ref source
		}
	}
	reverse_proxy %s`
)

// admissions names the two, for tests that must hold in both.
var admissions = []struct{ name, site string }{
	{"corroborated", corroboratedPage},
	{"once", oncePage},
}

// start starts an edge with one of the two sites above. Extra lines go into the
// cacheward block.
func start(t testing.TB, site, origin string, extra ...string) *edge {
	t.Helper()
	return startEdge(t, fmt.Sprintf(site, strings.Join(extra, "\n"), origin))
}

// async runs a request in a goroutine of its own.
func async(ask func() answer) <-chan answer {
	ch := make(chan answer, 1)
	go func() { ch <- ask() }()
	return ch
}

// asyncGet is get in a goroutine of its own.
func (e *edge) asyncGet(target string, headers ...string) <-chan answer {
	return async(func() answer { return e.get(target, headers...) })
}

// rawOrigin serves requests one after the other on each connection, with full
// control over the bytes of the answer. The connection closes after each.
func rawOrigin(t testing.TB, reply func(r *http.Request, c net.Conn)) string {
	t.Helper()
	return newRawOrigin(t, func(c net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		reply(r, c)
	})
}

// hold is a gate that the test opens. Whoever waits there gives up with the test.
type hold struct {
	t    testing.TB
	open chan struct{}
	once sync.Once
}

func newHold(t testing.TB) *hold {
	return &hold{t: t, open: make(chan struct{})}
}

func (h *hold) release() { h.once.Do(func() { close(h.open) }) }

// wait waits for the gate, or for the end of the request or of the test.
func (h *hold) wait(ctx context.Context) {
	select {
	case <-h.open:
	case <-ctx.Done():
	case <-h.t.Context().Done():
	}
}

// slowDial is a dialer whose connections take in little before they are read.
func slowDial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, network, addr)
	if err == nil {
		err = c.(*net.TCPConn).SetReadBuffer(64 << 10)
	}
	return c, err
}
