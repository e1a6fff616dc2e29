package fleet

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// origin is the app behind the edges. Its pages have versions; it counts who asks for them.
type origin struct {
	server *httptest.Server
	// delay is how long each answer takes, in nanoseconds. Of the pages that are slow, each
	// third takes up to slowest, and has its version from before.
	delay, slowest atomic.Int64

	versions, asked sync.Map // by path, *atomic.Int64
	requests        atomic.Int64
	made            sync.Map // when the pages of brief were made, by content
}

func newOrigin(t testing.TB) *origin {
	t.Helper()
	o := new(origin)
	o.server = httptest.NewServer(o)
	t.Cleanup(o.server.Close)
	return o
}

func (o *origin) address() string { return o.server.Listener.Addr().String() }

func counter(m *sync.Map, path string) *atomic.Int64 {
	have, _ := m.LoadOrStore(path, new(atomic.Int64))
	return have.(*atomic.Int64)
}

// version is the one that the page is in.
func (o *origin) version(path string) int64 { return counter(&o.versions, path).Load() }

// madeAt is when a page of brief was made, in that version.
func (o *origin) madeAt(path string, version int64) (at time.Time) {
	if made, ok := o.made.Load(content{path, version, everyone}); ok {
		at = made.(time.Time)
	}
	return at
}

// askedFor is how often the page was.
func (o *origin) askedFor(path string) int64 { return counter(&o.asked, path).Load() }

// change gives pages another version, and returns them.
func (o *origin) change(paths ...string) map[string]int64 {
	changed := make(map[string]int64, len(paths))
	for _, path := range paths {
		changed[path] = counter(&o.versions, path).Add(1)
	}
	return changed
}

// ServeHTTP is the app.
func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.requests.Add(1)
	path := r.URL.Path
	kind, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if kind != "p" && kind != "v" {
		http.NotFound(w, r)
		return
	}
	if r.Method == http.MethodPost {
		fmt.Fprint(w, o.change(path)[path])
		return
	}
	asked := counter(&o.asked, path).Add(1)
	c := content{path: path, version: o.version(path), who: everyone}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	switch route, group := partsOf(path); {
	case kind == "v":
		// Who asks without saying who they are is a cache, and the page is nobody's.
		c.who = "nobody-" + strconv.FormatInt(asked, 10)
		if v := r.Header.Get("X-Visitor"); v != "" {
			c.who = v
		}
		if strings.HasPrefix(path, "/v/private/") {
			h.Set("Cache-Control", "private, max-age=3600")
		}
	case route == brief:
		c.version = counter(&o.versions, path).Add(1)
		o.made.Store(c, time.Now())
		h.Set("Cache-Control", "public, max-age="+strconv.Itoa(briefly))
		h["Date"] = nil // an edge whose clock is ahead of the origin's takes the page to be old (RFC 9111 §4.2.3)
	case route == shop:
		h.Set("Surrogate-Key", route+"-"+group)
	default:
		h.Set("Cache-Control", "public, max-age=3600")
		h.Set("Cache-Tag", route+"-"+group)
	}
	o.wait(r)
	h.Set("ETag", c.etag())
	if r.Header.Get("If-None-Match") == c.etag() && kind == "p" {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(c.body())
}

// slow says whether the page may take a while: the last one of each group may, so that a
// purge overtakes it.
func slow(path string) bool { return strings.HasSuffix(path, "/"+strconv.Itoa(perGroup-1)) }

// wait takes the time that the answer takes.
func (o *origin) wait(r *http.Request) {
	d := time.Duration(o.delay.Load())
	if most := o.slowest.Load(); most > 0 && slow(r.URL.Path) && rand.IntN(3) == 0 {
		d += rand.N(time.Duration(most))
	}
	if d == 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	}
}
