package integration

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

// pagesPolicy shares what the origin says may be shared.
const pagesPolicy = `
	route landing {
		path /lp /lp/*
		cache origin
		param key ref
	}
	route other {
		path /other
		cache origin
	}
	audit {
		full wait
	}
`

// generations is an origin whose pages are the same for everybody, until there is a new
// generation of them.
type generations struct {
	now    atomic.Int64
	server *httptest.Server
	// held keeps back what is asked for, once it is made.
	held atomic.Pointer[hold]
}

// hold keeps answers back until release is closed; of each it tells made.
type hold struct{ made, release chan struct{} }

func newGenerations(t *testing.T) *generations {
	g := new(generations)
	g.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		generation := g.now.Load()
		if h := g.held.Load(); h != nil {
			h.made <- struct{}{}
			select {
			case <-h.release:
			case <-r.Context().Done():
			}
		}
		w.Header().Set("Cache-Control", "public, max-age=3600")
		w.Header().Set("Content-Type", "text/html")
		if strings.HasPrefix(r.URL.Path, "/lp") {
			w.Header().Set("Cache-Tag", "pages")
		}
		fmt.Fprint(w, generation)
	}))
	t.Cleanup(g.server.Close)
	return g
}

func (g *generations) address() string { return g.server.Listener.Addr().String() }

// untilHit asks for a page until it comes from the store.
func (p *proxy) untilHit(t *testing.T, path string) {
	t.Helper()
	p.until(t, path, "; hit")
}

func (p *proxy) until(t *testing.T, path, status string) {
	t.Helper()
	last := ""
	defer func() {
		if t.Failed() {
			t.Logf("%s: Cache-Status %q at last", path, last)
		}
	}()
	edge.Eventually(t, path+" with "+status, func() bool {
		last = visit(t, p.url(path), p.site).cacheward()
		return strings.Contains(last, status)
	})
}
