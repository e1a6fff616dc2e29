package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cacheward/cacheward/policies"
)

// TestLeakTripsTheRoute: a page that was shared begins to hold the state of one visitor.
// By default the whole route stops; with on_leak warn only the page goes; and what is
// no state of a visitor's, or is gone when the origin is asked again, stops nothing.
func TestLeakTripsTheRoute(t *testing.T) {
	var n atomic.Int64
	counter := func(limit int64) func(http.ResponseWriter, *http.Request) error {
		return rendered(func(w io.Writer, _ *http.Request) {
			fmt.Fprintf(w, `<p>the page</p><input name="lead" value="%d">`, min(n.Add(1), limit))
		})
	}
	shuffled := rendered(func(w io.Writer, _ *http.Request) {
		items := []string{"<li>one thing</li>", "<li>another thing</li>", "<li>a third thing</li>"}
		k := n.Add(1) % 3
		fmt.Fprint(w, "<ul>", items[k], items[(k+1)%3], items[(k+2)%3], "</ul>")
	})
	marked := rendered(func(w io.Writer, _ *http.Request) {
		fmt.Fprint(w, `<form><input type="hidden" name="authenticity_token" value="q1W2e3R4t5Y6u7I8o9P0a1S2d3F4"></form>`)
	})
	for _, tt := range []struct {
		name, route string
		then        func(http.ResponseWriter, *http.Request) error
		withdrawn   bool
		trips       bool
	}{
		{"a number for each", "cache: 5m\nrecheck: 100%", counter(1 << 40), true, true},
		{"a number for each, warned of", "cache: 5m\nrecheck: 100%\non_leak: warn", counter(1 << 40), true, false},
		{"a number for each, where the origin governs", "cache: origin\nrecheck: 100%", counter(1 << 40), true, true},
		{"a mark of a visitor", "cache: origin\nrecheck: 100%", marked, true, true},
		{"another order", "cache: 5m\nrecheck: 100%", shuffled, true, false},
		{"a page that was changed while it was looked at", "cache: 5m\nrecheck: 100%", counter(2), true, false},
		{"a refusal of the app's", "cache: 5m\nrecheck: 100%", say(200, "<p>the page</p>", "Cache-Control", "private"), true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withRoute(t, tt.route, func(t *testing.T, c *ruled) {
				n.Store(0)
				c.origin = say(200, "<p>the page</p>", "Cache-Control", "max-age=300")
				c.get("/")
				if a := c.get("/"); !a.hit() {
					t.Fatal(a.header)
				}
				c.get("/other")
				c.origin = func(w http.ResponseWriter, r *http.Request) error {
					w.Header().Set("Cache-Control", "max-age=300")
					return tt.then(w, r)
				}
				if a := c.get("/"); !a.hit() {
					t.Fatal(a.header)
				}
				time.Sleep(time.Second) // a trip waits, in the bubble's time, for those who had looked before
				synctest.Wait()
				if got := c.withdrawals() > 0; got != tt.withdrawn {
					t.Errorf("withdrawn: %v", got)
				}
				trips := c.logged("trip", "why")
				if c.breaker.tripped("page") != tt.trips || len(trips) > 0 != tt.trips {
					t.Fatalf("tripped: %v, records of it: %q", c.breaker.tripped("page"), trips)
				}
				if !tt.trips {
					return
				}
				if !strings.Contains(trips[0], "holds a visitor's state") || !strings.Contains(trips[0], "object ") {
					t.Errorf("the trip says why: %q", trips[0])
				}
				if list := c.breaker.list(); list[0].By != byItself {
					t.Errorf("it was tripped by %q", list[0].By)
				}
				// What else is stored of the route is not served either.
				reasonIs(t, c.get("/other").answer, policies.ReasonTripped)
				time.Sleep(time.Hour)
				reasonIs(t, c.get("/").answer, policies.ReasonTripped)
			})
		})
	}
}
