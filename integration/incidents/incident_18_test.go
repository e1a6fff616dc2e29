package incidents

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// The apps said in Vary what their answers depended on, and the caches did not heed it.
func TestVaryUnheeded(t *testing.T) {
	reproduce(t, incident{
		number: 18, who: "Django, Hono and Souin", when: "2026",
		harm:  "got what was made for another request",
		names: []property{isolation, silence, completeKey},
		forms: []form{{
			name:    "Vary left out of the key",
			cache:   nginx(`proxy_ignore_headers Vary; proxy_cache_valid 200 5m;`),
			policy:  varyPolicy,
			scene:   variants,
			stopped: []string{"authorization", "vary-credentials", "vary-star", "vary-undeclared"},
			shows:   []property{isolation, silence, completeKey},
			checks: []check{
				{"however a name is written, it counts", completeKey, varySpellings},
				{"another Vary opens no old entry", completeKey, changedVary},
			},
		}},
	})
}

// varyPolicy takes the origin's word on one host, with all headers that no list knows,
// as the caches did. On the other the operator has given a lifetime.
const varyPolicy = `
	route origin {
		host origin.test
		path /*
		cache origin {
			status 200 5m
		}
		header others vary
		cookie others strip
	}
	route given {
		host given.test
		path /*
		cache 5m
		param key field vary control
		cookie others strip
	}
`

// varier is an app that shows what it was told in the field that the query names, and
// says so in Vary as the query wants it. On /changed both are another field's with each
// release.
type varier struct{ release atomic.Int32 }

func (v *varier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, query := w.Header(), r.URL.Query()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h["Vary"], h["Cache-Control"] = query["vary"], query["control"]
	field := query.Get("field")
	if r.URL.Path == "/changed" {
		field = []string{"Accept-Language", "Service"}[v.release.Load()]
		h.Set("Vary", field)
		h.Set("Cache-Control", "max-age=60")
	}
	fmt.Fprintf(w, "<!doctype html><title>Page</title><p>for %s", r.Header.Get(field))
}

// variants is the app, with visitors who send different things.
func variants() scene {
	return scene{app: new(varier), visit: func(t *testing.T, s *stage) {
		for _, tt := range []struct{ query, field string }{
			{"vary=Authorization", "Authorization"},
			{"vary=*&control=max-age=60", "Cookie"},
			{"vary=Service", "Service"},
			{"vary=Service&control=max-age=60", "Service"},
			{"vary=Cookie&control=public,max-age=60", "Cookie"},
		} {
			for _, host := range []string{"origin.test", "given.test"} {
				target := fmt.Sprintf("/page?field=%s&%s", tt.field, tt.query)
				s.ask(t, request{host: host, target: target, header: http.Header{tt.field: {"name=anna"}}})
				hurt := 0
				for _, other := range []http.Header{{tt.field: {"name=berta"}}, nil} {
					if b := s.ask(t, request{host: host, target: target, header: other}); strings.Contains(b.body, "anna") {
						hurt++
					}
				}
				s.count(t, host+target, hurt, 2)
			}
		}
		s.shares(t, request{host: "origin.test", target: "/page?field=Service&vary=Service&control=max-age=60", header: http.Header{"Service": {"one"}}})
	}}
}

// varySpellings sees that each gets the page of their own service, and that what depends
// on all or on who asks is kept for nobody.
func varySpellings(t *testing.T, s *stage) {
	for _, tt := range []struct {
		vary []string
		kept bool
	}{
		{[]string{"Service"}, true}, {[]string{"sERVICE"}, true}, {[]string{"Accept-Language , Service"}, true},
		{[]string{"Accept-Language", "Service"}, true}, {[]string{"", ",,Service,"}, true},
		{[]string{"*"}, false}, {[]string{"Service, *"}, false}, {[]string{"Service", "*"}, false}, {[]string{"*, Service"}, false},
		{[]string{"Service, Cookie"}, false}, {[]string{"Service", "authorization"}, false}, {[]string{"Service;q=1"}, false},
	} {
		query := "vary=" + strings.Join(tt.vary, "&vary=")
		target := "/spelled?field=Service&control=max-age=60&" + strings.NewReplacer(" ", "%20", ";", "%3B").Replace(query)
		kept := false
		for range 3 {
			for _, service := range []string{"one", "two"} {
				a := s.ask(t, request{host: "origin.test", target: target, header: http.Header{"Service": {service}}})
				if !strings.HasSuffix(a.body, "for "+service) {
					t.Errorf("Vary: %q, Service: %s: %v %s", tt.vary, service, a.header, a.body)
				}
				kept = kept || a.hit()
			}
		}
		if kept != tt.kept {
			t.Errorf("Vary: %q: served from the store: %t; want %t", tt.vary, kept, tt.kept)
		}
	}
}

// changedVary sees that what was stored when the page depended on the language is for
// nobody any more when it depends on the service.
func changedVary(t *testing.T, s *stage) {
	ask := func(service, language, directive string) answer {
		return s.ask(t, request{host: "origin.test", target: "/changed", header: http.Header{
			"Service": {service}, "Accept-Language": {language}, "Cache-Control": {directive},
		}})
	}
	for range 2 {
		if a := ask("one", "de", ""); !strings.HasSuffix(a.body, "for de") {
			t.Fatalf("%v %s", a.header, a.body)
		}
	}
	s.app.(*varier).release.Store(1)
	ask("one", "fr", "no-cache")
	for range 2 {
		for _, service := range []string{"two", "one"} {
			if a := ask(service, "de", ""); !strings.HasSuffix(a.body, "for "+service) {
				t.Errorf("Service: %s: %v %s", service, a.header, a.body)
			}
		}
	}
}
