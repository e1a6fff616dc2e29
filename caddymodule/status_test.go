package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/caddymodule/control"
)

func TestStatus(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "the page") })
	e := startEdge(t, fmt.Sprintf(twoRoutes, origin))
	before := routeStatus(t, status(theHandlers(t)), "page")
	stored(e, "/page")
	e.ok("/page", "Authorization", "Basic eDp5")
	e.ok("/nowhere")
	settled(t)
	flushRecords()

	s := status(theHandlers(t))
	if len(s.Problems) > 0 || len(s.Tripped) > 0 || s.Version == "" || s.Loaded.Before(s.Started) {
		t.Errorf("%+v", s)
	}
	page := routeStatus(t, s, "page")
	hits := page.Outcomes["hit"] - before.Outcomes["hit"]
	if page.Cache != "5m" || page.Mode != "enforce" || hits == 0 ||
		page.Outcomes["bypass"]-before.Outcomes["bypass"] != 1 || page.Refusals["authorization"]-before.Refusals["authorization"] != 1 ||
		page.Fills-before.Fills != 1 || page.Requests-before.Requests < 3 {
		t.Errorf("before %+v\nafter %+v", before, page)
	}
	if routeStatus(t, s, "default").Requests == 0 {
		t.Error("the default rule has no requests")
	}
	if len(s.Stores) != 1 || s.Stores[0].Objects != 1 || s.Stores[0].Bytes == 0 || s.Stores[0].Limit != defaultMemory {
		t.Errorf("stores: %+v", s.Stores)
	}
	if a := s.Handlers[0].Audit; a.Serves != "all" || a.Full != "drop" || a.Room == 0 || a.Written == 0 || a.Dropped != 0 {
		t.Errorf("audit: %+v", a)
	}
	if _, err := trip(theHandlers(t), control.Trip{Route: "page", Why: "a test", By: "ops"}); err != nil {
		t.Fatal(err)
	}
	if s = status(theHandlers(t)); len(s.Tripped) != 1 || !routeStatus(t, s, "page").Tripped || routeStatus(t, s, "other").Tripped {
		t.Errorf("%+v", s)
	}
	// The route is gone, the trip is not: that is a problem to be told of.
	if err := e.load(strings.ReplaceAll(fmt.Sprintf(twoRoutes, origin), "route page", "route renamed")); err != nil {
		t.Fatal(err)
	}
	if s = status(theHandlers(t)); len(s.Problems) != 1 || !s.Tripped[0].Unknown {
		t.Errorf("%+v", s)
	}
	if s = status(nil); len(s.Problems) != 1 {
		t.Errorf("without a handler: %+v", s)
	}
}

func routeStatus(t testing.TB, s control.Status, name string) control.RouteStatus {
	t.Helper()
	for _, h := range s.Handlers {
		for _, r := range h.Routes {
			if r.Route == name {
				return r
			}
		}
	}
	t.Fatalf("there is no route %s in %+v", name, s)
	return control.RouteStatus{}
}

func TestObjects(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/tagged/") {
			w.Header().Set("Cache-Control", "max-age=300")
			w.Header().Set("Vary", "Accept-Language")
		}
		io.WriteString(w, "the page "+r.URL.Path)
	})
	e := startEdge(t, fmt.Sprintf(purgedRoutes, origin))
	stored(e, "/lang/x?page=secret", "/a/1", "/a/2", "/b/1", "/tagged/1")
	settled(t)

	for _, tt := range []struct {
		name  string
		q     control.Objects
		total int
		first string // URL of the newest
	}{
		{"all", control.Objects{}, 6, ""},
		{"a route", control.Objects{Route: "a"}, 2, "http://example.com/a/2"},
		{"a prefix", control.Objects{Prefix: "example.com/b"}, 1, "http://example.com/b/1"},
		{"both", control.Objects{Prefix: "example.com/b", Route: "a"}, 0, ""},
		{"the newest", control.Objects{Route: "a", Limit: 1}, 2, "http://example.com/a/2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list, err := objects(theHandlers(t), tt.q)
			if err != nil || list.Total != tt.total {
				t.Fatal(list, err)
			}
			if tt.first != "" && list.Objects[0].URL != tt.first {
				t.Errorf("the first is %s", list.Objects[0].URL)
			}
			for i, o := range list.Objects {
				if i > 0 && o.Fetched.After(list.Objects[i-1].Fetched) {
					t.Error("not the newest first")
				}
				if o.Unreachable || o.Header != nil || o.Body != nil {
					t.Errorf("%+v", o)
				}
				if strings.Contains(o.URL, "secret") {
					t.Errorf("a value is shown: %s", o.URL)
				}
			}
		})
	}
	list, err := objects(theHandlers(t), control.Objects{Route: "a", Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	rec := awaitRecord(t, "store", func(l logLine) bool { return l.Object == list.Objects[0].ID })
	if rec.Key != list.Objects[0].Key || rec.URL != list.Objects[0].URL {
		t.Errorf("the record has key %s and %s, the list %+v", rec.Key, rec.URL, list.Objects[0])
	}
	o, found, err := object(theHandlers(t), rec.Object, true)
	if err != nil || !found || string(o.Body) != "the page /a/2" || o.Header["Content-Length"] == nil && o.Header["Date"] == nil || len(o.Digest) != 64 {
		t.Error(o, found, err)
	}
	if o, _, _ := object(theHandlers(t), rec.Object, false); o.Body != nil {
		t.Error("the body is there unasked")
	}
	if _, found, err := object(theHandlers(t), "01890a5d-ac96-774b-bcce-b302099a8057", false); found || err != nil {
		t.Error(found, err)
	}
	// Under another policy what was stored is there still, and out of reach.
	if err := e.load(strings.ReplaceAll(fmt.Sprintf(purgedRoutes, origin), "cache 5m", "cache 4m")); err != nil {
		t.Fatal(err)
	}
	if list, err = objects(theHandlers(t), control.Objects{Route: "a"}); err != nil || list.Total != 2 || !list.Objects[0].Unreachable {
		t.Error(list, err)
	}
}

// TestDropsAreRecorded: what the store drops of its own accord is in the log.
func TestDropsAreRecorded(t *testing.T) {
	body := strings.Repeat("x", 100<<10)
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=300")
		io.WriteString(w, body)
	})
	e := startEdge(t, fmt.Sprintf("cacheward {\n store memory 1MiB\n route page {\n path /*\n cache origin\n }\n }\n reverse_proxy %s", origin))
	for i := range 40 {
		e.ok(fmt.Sprintf("/%d", i))
	}
	rec := awaitRecord(t, "evict", nil)
	if rec.Object == "" || rec.Key == "" || rec.Route != "page" || rec.SizeBytes != int64(len(body)) {
		t.Errorf("%+v", rec)
	}
	awaitRecord(t, "store", func(l logLine) bool { return l.Object == rec.Object && l.Key == rec.Key })

	e = startEdge(t, fmt.Sprintf("cacheward {\n store memory {\n name short\n }\n route page {\n path /*\n cache 1s\n }\n }\n reverse_proxy %s", origin))
	stored(e, "/page")
	// It is noticed late, when the store looks.
	eventually(t, "the record of what expired", func() bool {
		e.ok("/another")
		return len(records("expire")) > 0
	})
}
