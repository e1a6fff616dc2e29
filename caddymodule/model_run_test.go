package caddymodule

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"pgregory.net/rapid"
)

// modelRoutes are the policies that the handler is tried with.
var modelRoutes = []modelRoute{
	{
		name:       "the origin's headers govern",
		yaml:       "cache: origin\n    params: {strip: [utm]}\n",
		variesOn:   []string{"Accept-Language"},
		queryKeyed: true,
	},
	{
		name: "conformance profile",
		yaml: `cache: {ttl: origin, stale_if_error: 1d}
    heuristic: on
    admission: once
    headers: {others: vary}
    cookies: {others: strip}
    params: {strip: [utm], others: key}
    authorization: {rule: rfc9111, reason: the origin knows no users}
    address: {rule: forward, reason: the origin does not look at it}
    targeted: {order: rfc9213}
    error_ttl: 5s
    downstream: origin
`,
		sie: 24 * time.Hour, heuristic: true, variesOn: []string{"Accept-Language", "X-Foo"},
		queryKeyed: true, relay: true, plain9111: true,
	},
	{
		name: "corroborated",
		yaml: `cache: {ttl: 30s, stale_while_revalidate: 20s, stale_if_error: 60s}
    params: {strip: [utm]}
    headers: {key: [Accept-Language]}
    downstream: {ttl: 20s, browser: 5s}
`,
		operator: 30 * time.Second, swr: 20 * time.Second, sie: time.Minute,
		variesOn: []string{"Accept-Language"}, keysOn: []string{"Accept-Language"},
	},
}

// modelKinds are the kinds of answers that must have occurred, or nothing was tested.
var modelKinds = []string{
	"fill", "fresh", "stale while revalidated", "stale on error", "stale on demand", "revalidated", "collapsed",
	"refused", "own", "error", "only if cached", "variant", "several ranges", "200", "206", "301", "304", "404",
}

// TestAgainstReferenceModel: whatever the origin says, visitors ask for and time
// does, no answer is one that the model forbids (RFC 9110, 9111, 9213, 5861).
func TestAgainstReferenceModel(t *testing.T) {
	happened, tried := make(map[string]int), 0
	for _, route := range modelRoutes {
		t.Run(route.name, func(t *testing.T) {
			tried++
			rapid.Check(t, func(r *rapid.T) {
				m := newModel(route)
				steps := rapid.Custom(m.drawPlan).Draw(r, "plan")
				synctest.Test(t, func(t *testing.T) { m.run(t, steps) })
				for _, kind := range m.judgeAll() {
					happened[kind]++
				}
				if m.broken != nil {
					r.Fatalf("%s\n\n%s", strings.Join(m.broken, "\n"), strings.Join(m.trace, "\n"))
				}
			})
		})
	}
	if t.Failed() || tried < len(modelRoutes) {
		return
	}
	t.Log(happened)
	for _, kind := range modelKinds {
		if happened[kind] == 0 {
			t.Errorf("nothing was ever of the kind %q; there were %v", kind, happened)
		}
	}
}

func newModel(route modelRoute) *model {
	return &model{
		route: route, meanings: make(map[string]controls), behaviours: make(map[string]*behaviour),
		contents: make(map[string]int), versions: make(map[string][]*version),
	}
}

// judgeAll judges every answer, and returns the kinds of them.
func (m *model) judgeAll() (happened []string) {
	fills := make(map[*said][]*modelVisit)
	for _, v := range m.visits {
		wrong, kinds := m.judge(v, fills)
		happened = append(happened, kinds...)
		if wrong != nil {
			m.broken = append(m.broken, fmt.Sprintf("the answer to visit %d: %s", v.id, strings.Join(wrong, "; ")))
		}
	}
	for s, visits := range fills {
		if len(visits) > 1 {
			m.broken = append(m.broken, fmt.Sprintf("%s%s, of one visitor's fill, went to visits %d and %d", s.marker, s.mark, visits[0].id, visits[1].id))
		}
	}
	return happened
}

// run carries the plan out.
func (m *model) run(t *testing.T, steps plan) {
	b := newBubble(t, "routes:\n  - name: site\n    match: {paths: [\"/*\"]}\n    on_leak: warn\n    "+m.route.yaml, Limits{})
	defer b.close()
	for i := range steps {
		s := &steps[i]
		time.Sleep(s.wait)
		synctest.Wait() // what ends at this moment has ended
		m.mu.Lock()
		m.step = i
		if s.behave != nil {
			m.behaviours[s.path] = s.behave
			m.note("%s: %s", s.path, s.behave)
		}
		if m.down = ""; s.down {
			m.down = s.path
			m.note("%s is out of order", s.path)
		}
		if s.content {
			m.contents[s.path]++
			m.note("%s has another content", s.path)
		}
		m.mu.Unlock()
		var wg sync.WaitGroup
		for j := range s.requests {
			v := m.visit(&s.requests[j])
			wg.Go(func() {
				time.Sleep(v.after)
				m.ask(b, v)
			})
		}
		wg.Wait()
		synctest.Wait()
	}
}

// visit makes the request, with what it knows of earlier answers.
func (m *model) visit(r *request) *modelVisit {
	v := &modelVisit{id: len(m.visits), step: m.step, method: r.method, target: r.target, header: r.header.Clone(), demands: r.demands, after: r.after}
	if v.method != http.MethodGet && v.method != http.MethodHead {
		v.header.Del("Range")
	} else if r.condition != "" {
		m.condition(v, r.condition)
	}
	m.visits = append(m.visits, v)
	return v
}

func (m *model) condition(v *modelVisit, kind string) {
	path, _, _ := strings.Cut(v.target, "?")
	var known http.Header // the last answer for the path
	for _, last := range slices.Backward(m.visits) {
		if p, _, _ := strings.Cut(last.target, "?"); p == path && last.step < m.step && last.err == nil {
			known = last.answer
			break
		}
	}
	switch etag, modified := known.Get("Etag"), known.Get("Last-Modified"); {
	case kind == "current" && etag != "":
		v.header.Set("If-None-Match", `"x", `+etag)
	case kind == "old":
		v.header.Set("If-None-Match", `"old"`)
	case kind == "any":
		v.header.Set("If-None-Match", "*")
	case kind == "date" && modified != "":
		v.header.Set("If-Modified-Since", modified)
	case kind == "late":
		v.header.Set("If-Modified-Since", time.Now().UTC().Format(http.TimeFormat))
	}
}

// ask sends the request through the handler.
func (m *model) ask(b *bubble, v *modelVisit) {
	rec := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(context.WithValue(b.t.Context(), visitKey{}, v), v.method, v.target, nil)
	maps.Copy(r.Header, v.header)
	r.Header.Set("User-Agent", "visitor")
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), rec, nil)
	m.mu.Lock()
	v.uri = modelURI(r)
	v.start, v.began = time.Now(), m.now()
	m.note("visit %d: %s %s %v", v.id, v.method, v.target, v.header)
	m.mu.Unlock()
	func() {
		defer func() {
			if p := recover(); p != nil {
				v.err = fmt.Errorf("panic: %v", p)
			}
		}()
		v.err = b.ServeHTTP(rec, r, caddyhttp.HandlerFunc(m.origin))
	}()
	m.mu.Lock()
	defer m.mu.Unlock()
	v.end, v.ended = time.Now(), m.now()
	v.status, v.answer, v.body = rec.Code, rec.Result().Header, rec.Body.String()
	m.note("visit %d ends: %d %v %q, error %v", v.id, v.status, v.answer, v.body, v.err)
}
