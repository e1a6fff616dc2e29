package fleet

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/integration/edge"
)

// fakes are edges that share one mind, with a fault that is planted in one of them.
type fakes struct {
	t      testing.TB
	origin *origin
	plant  string
	lease  time.Duration
	edges  []*fake

	mu         sync.Mutex
	generation uint64
}

type fake struct {
	fleet  *fakes
	number int

	// Of fleet.mu.
	pages   map[string]response
	tripped map[string]bool
}

type response struct {
	status int
	header http.Header
	body   []byte
}

// newFakes starts them, each with an admin endpoint.
func newFakes(t testing.TB, o *origin, plant string, lease time.Duration) []*node {
	t.Helper()
	f := &fakes{t: t, origin: o, plant: plant, lease: lease}
	var nodes []*node
	for i := range 3 {
		e := &fake{fleet: f, number: i, pages: make(map[string]response), tripped: make(map[string]bool)}
		site, admin := httptest.NewServer(e), httptest.NewServer(http.HandlerFunc(e.serveAdmin))
		t.Cleanup(site.Close)
		t.Cleanup(admin.Close)
		f.edges = append(f.edges, e)
		nodes = append(nodes, &node{
			number: i, address: site.Listener.Addr().String(), admin: admin.Listener.Addr().String(),
			client: &http.Client{Timeout: edge.Patience, Transport: &http.Transport{DisableKeepAlives: true}},
		})
	}
	return nodes
}

// has says whether this edge has the fault.
func (e *fake) has(plant string) bool { return e.fleet.plant == plant && e.number == 1 }

func (e *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, f := r.URL.Path, e.fleet
	if e.has("an error") && strings.HasSuffix(path, "/3") {
		http.Error(w, "no", http.StatusBadGateway)
		return
	}
	key := path
	if e.has("another page") && strings.HasSuffix(path, "/5") {
		key = strings.TrimSuffix(path, "5") + "4"
	}
	route, _ := partsOf(path)
	shared := r.Method == http.MethodGet && (route != "" || e.has("a visitor's page"))
	f.mu.Lock()
	page, stored := e.pages[key]
	tripped := e.tripped[route]
	generation := f.generation
	f.mu.Unlock()
	if shared && stored && !tripped {
		e.give(w, r, page)
		return
	}
	page, err := e.ask(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case r.Method == http.MethodPost:
		f.drop(func(p string) bool { return p == path })
	case shared && page.status == http.StatusOK && !tripped && (generation == f.generation || e.has("overtaken")):
		e.pages[key] = page
	}
	if !shared {
		w.Header().Set("Cache-Control", "private, no-store")
	}
	w.Header().Set("Cache-Status", "Fake; fwd=miss")
	e.send(w, page)
}

// give gives what is stored.
func (e *fake) give(w http.ResponseWriter, r *http.Request, page response) {
	w.Header().Set("Cache-Status", "Fake; hit")
	etag := page.header.Get("ETag")
	switch held := r.Header.Get("If-None-Match"); {
	case held != "" && (held == etag || e.has("confirms anything")):
		w.Header().Set("ETag", held)
		w.WriteHeader(http.StatusNotModified)
		return
	case e.has("half of it"):
		page.body = page.body[:len(page.body)/2]
	}
	e.send(w, page)
}

func (e *fake) send(w http.ResponseWriter, page response) {
	for name, lines := range page.header {
		if name == "Etag" || name == "Content-Type" {
			w.Header()[name] = lines
		}
	}
	w.WriteHeader(page.status)
	_, _ = w.Write(page.body)
}

func (e *fake) ask(r *http.Request) (response, error) {
	req := r.Clone(r.Context())
	req.RequestURI, req.URL.Scheme, req.URL.Host = "", "http", e.fleet.origin.address()
	req.Header.Del("If-None-Match")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return response{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return response{res.StatusCode, res.Header, body}, err
}

// drop has all edges drop what is selected, those with a fault not as they should. The
// caller holds f.mu.
func (f *fakes) drop(selects func(path string) bool) {
	f.generation++
	for _, e := range f.edges {
		drop := func() {
			maps.DeleteFunc(e.pages, func(path string, _ response) bool { return selects(path) })
		}
		switch {
		case e.has("deaf"):
		case e.has("late"):
			time.AfterFunc(3*f.lease, func() {
				f.mu.Lock()
				defer f.mu.Unlock()
				drop()
			})
		default:
			drop()
		}
	}
}

func (e *fake) serveAdmin(w http.ResponseWriter, r *http.Request) {
	f := e.fleet
	f.mu.Lock()
	defer f.mu.Unlock()
	var fault error
	if f.plant == "no generation" {
		fault = fmt.Errorf("not written")
	}
	switch r.URL.Path {
	case "/cacheward/purge":
		var q control.Purge
		fault = firstError(control.Decode(r.Body, &q), fault)
		f.drop(func(path string) bool { return selects(q, path) })
		reply(w, control.Purged{Fleet: f.delivery(fault)})
	case "/cacheward/trip":
		var q control.Trip
		fault = firstError(control.Decode(r.Body, &q), fault)
		for _, e := range f.edges {
			e.tripped[q.Route] = !e.has("trips nothing")
		}
		reply(w, control.Switched{Fleet: f.delivery(fault)})
	case "/cacheward/reset":
		var q control.Reset
		fault = firstError(control.Decode(r.Body, &q), fault)
		f.drop(func(path string) bool { return strings.HasPrefix(path, "/p/"+q.Route+"/") })
		for _, e := range f.edges {
			e.tripped[q.Route] = false
		}
		reply(w, control.Switched{Fleet: f.delivery(fault)})
	}
}

func (f *fakes) delivery(fault error) *control.FleetDelivery {
	if fault != nil {
		return &control.FleetDelivery{Problem: fault.Error()}
	}
	return &control.FleetDelivery{Generation: f.generation + 1, Edges: 3, Confirmed: 3}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func reply(w http.ResponseWriter, answer any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

func selects(q control.Purge, path string) bool {
	route, group := partsOf(path)
	return q.All || q.Route != "" && q.Route == route || q.Tag != "" && q.Tag == route+"-"+group ||
		q.URL == "http://"+host+path || q.Prefix != "" && strings.HasPrefix(host+path, q.Prefix)
}

// TestPlanted: what can be wrong with a fleet is found, and nothing is with one that has no
// fault.
func TestPlanted(t *testing.T) {
	t.Parallel()
	for plant, want := range map[string]string{
		"":                  "",
		"deaf":              "STALE",
		"late":              "STALE",
		"overtaken":         "STALE",
		"confirms anything": "STALE",
		"trips nothing":     "TRIPPED",
		"another page":      "ANOTHER PAGE",
		"a visitor's page":  "LEAK",
		"half of it":        "are not the body",
		"an error":          "status 502",
		"no generation":     "without any fault",
	} {
		t.Run(plant, func(t *testing.T) {
			t.Parallel()
			const lease = 100 * time.Millisecond
			o := newOrigin(t)
			o.slowest.Store(int64(2 * lease))
			c := &checker{journal: newJournal(lease), origin: o, postsTravel: true}
			nodes := newFakes(t, o, plant, lease)
			stop := crowd(nodes, 3, c, *fleetSeed)
			op := newOperator(nodes, c, *fleetSeed)
			find := func() bool {
				found, _ := c.findings()
				return want != "" && strings.Contains(strings.Join(found, "\n"), want)
			}
			// Without a fault, it goes on until there was enough to find one in.
			enough := func() bool {
				return want == "" && op.figures.quietly() >= 50 && c.hits.Load() >= 100 && c.notModified.Load() > 0
			}
			for end := time.Now().Add(edge.Patience); !find() && !enough() && time.Now().Before(end); {
				op.step()
			}
			stop()
			found, n := c.findings()
			quiet := op.figures.quietly()
			if want == "" {
				c.report(t)
				if !enough() {
					t.Errorf("%d purges, %d hits, %d confirmed: this says nothing", quiet, c.hits.Load(), c.notModified.Load())
				}
				t.Logf("%d answers, %d hits\n%s", c.answers.Load(), c.hits.Load(), op.figures)
			} else if !find() {
				t.Errorf("%d findings, but not %q:\n%s", n, want, strings.Join(found[:min(len(found), shownFindings)], "\n"))
			}
		})
	}
}
