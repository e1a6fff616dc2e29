package integration

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

const leakPolicy = `
	route trips {
		path /trips
		cache 5m
		recheck 100%
	}
	route warns {
		path /warns
		cache 5m
		recheck 100%
		on_leak warn
	}
	route shuffles {
		path /shuffles
		cache 5m
		recheck 100%
	}
	audit {
		full wait
	}
`

// TestOnLeak: a page that was shared and then is made for each visitor trips its route,
// or only goes, as the policy says; a page in another order does not.
func TestOnLeak(t *testing.T) {
	var personal atomic.Bool
	var n atomic.Int64
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		mark, list := "", []string{"apples", "pears", "plums", "quinces"}
		if i := n.Add(1); personal.Load() {
			if r.URL.Path == "/shuffles" {
				list = append(list[i%4:], list[:i%4]...)
			} else {
				mark = fmt.Sprintf(`<input type="hidden" name="lead" value="%024x">`, 0x5bd1e995*uint64(i)*0x9e3779b97f4a7c15)
			}
		}
		fmt.Fprintf(w, "<!doctype html><title>Shop</title><form>%s</form><ul><li>%s</ul>", mark, strings.Join(list, "<li>"))
	}))
	t.Cleanup(origin.Close)
	p := startProxy(t, proxySetup{
		origin: origin.Listener.Addr().String(), policy: leakPolicy,
		// Caddy's events app tells the log of each event. What else can listen is no
		// standard module.
		logs: "\tlog events {\n\t\toutput file events.log\n\t\tformat json\n\t\tlevel DEBUG\n\t\tinclude events\n\t}",
	})
	events := filepath.Join(p.dir, "events.log")
	paths := []string{"/trips", "/warns", "/shuffles"}
	for _, path := range paths {
		p.untilHit(t, path)
	}
	personal.Store(true)
	for _, path := range paths {
		edge.Eventually(t, path+" no more from the store", func() bool {
			return !strings.Contains(visit(t, p.url(path), p.site).cacheward(), "; hit")
		})
	}
	edge.Eventually(t, "the trip", func() bool {
		status, _ := p.status(t)
		return len(status.Tripped) > 0
	})
	for _, path := range paths[1:] {
		p.waitForOperation(t, "the withdrawal of "+path, func(o operation) bool {
			return o.Event == "withdraw" && o.Route == path[1:]
		})
	}
	trip := p.waitForOperation(t, "the trip", func(o operation) bool { return o.Event == "trip" })
	if trip.Route != "trips" || trip.By != "cacheward" || !strings.Contains(trip.Why, "near input lead") {
		t.Errorf("the record of the trip is %+v", trip)
	}
	withdrawn := p.waitForOperation(t, "the withdrawal", func(o operation) bool { return o.Event == "withdraw" && o.Route == "trips" })
	if withdrawn.Object == "" || !strings.Contains(trip.Why, withdrawn.Object) {
		t.Errorf("the trip's reason %q does not name object %q", trip.Why, withdrawn.Object)
	}
	status, code := p.status(t)
	if code != 1 || len(status.Tripped) != 1 || status.Tripped[0].Route != "trips" || status.Tripped[0].By != "cacheward" {
		t.Errorf("status: exit %d, tripped %+v; only that route was expected", code, status.Tripped)
	}
	edge.Eventually(t, "Caddy's events of it", func() bool {
		text, _ := os.ReadFile(events)
		return strings.Contains(string(text), `"cacheward_trip"`) && strings.Contains(string(text), `"cacheward_withdraw"`)
	})
	// The page is as before, for everybody: only a person ends the trip.
	personal.Store(false)
	if a := visit(t, p.url("/trips"), p.site); !strings.Contains(a.cacheward(), "fwd=") {
		t.Errorf("Cache-Status %q while the route is tripped", a.cacheward())
	}
	p.must(t, "reset", "--route", "trips", "--reason", "mended")
	p.untilHit(t, "/trips")
}
