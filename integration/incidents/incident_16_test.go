package incidents

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// An attacker's request made the app fail where the cache did not, and the cache kept
// the error in the place of the page.
func TestCachedErrors(t *testing.T) {
	reproduce(t, incident{
		number: 16, who: "CPDoS and Next.js", when: "2019 to 2026",
		harm:  "files were an error or nothing for everybody",
		names: []property{proof, silence, completeKey},
		forms: []form{{
			name:    "errors kept",
			cache:   nginx(`proxy_cache_valid any 5m;`),
			policy:  errorsPolicy,
			scene:   func() scene { return deniable(new(fragile)) },
			stopped: []string{"fragment", "method-override"},
			shows:   []property{silence, completeKey},
			checks: []check{
				{"an error that may be kept is not caused by who is not in the key", completeKey, explicitErrors},
				{"nothing broken replaces a page", proof, brokenAnswers},
			},
		}},
	})
}

const errorsPolicy = `
	route once {
		host once.test
		path *.js
		cache origin
	}
	route corroborated {
		host corroborated.test
		path *.js
		cache 5m
	}
`

// fragile is an app that takes less than a cache in front of it: header fields of 8190
// bytes together, as Apache, and no control bytes, which Go's server sees to. Its
// framework has switches, too.
type fragile struct {
	// broken makes it answer wrongly, if it is not nil.
	broken atomic.Pointer[http.HandlerFunc]
}

const script = "export default 'the same for everybody'\n"

func (f *fragile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	fail := func(status int) {
		if strings.HasPrefix(r.URL.Path, "/explicit") {
			h.Set("Cache-Control", "max-age=60")
		}
		http.Error(w, http.StatusText(status), status)
	}
	if broken := f.broken.Load(); broken != nil {
		(*broken)(w, r)
		return
	}
	size := 0
	for name, values := range r.Header {
		size += len(name) + len(strings.Join(values, ""))
	}
	switch {
	case size > 8190:
		fail(http.StatusBadRequest)
	case r.Header.Get("X-HTTP-Method-Override")+r.Header.Get("X-HTTP-Method")+r.Header.Get("X-Method-Override") != "":
		fail(http.StatusMethodNotAllowed)
	case r.Header.Get("X-Nextjs-Data") != "":
		w.WriteHeader(http.StatusTemporaryRedirect) // where to, a field of the framework's says
	case r.Header.Get("Next-Router-Prefetch") != "":
		w.WriteHeader(http.StatusNoContent)
	default:
		h.Set("Content-Type", "text/javascript")
		h.Set("ETag", `"1"`)
		h.Set("Cache-Control", "max-age=300")
		fmt.Fprint(w, script)
	}
}

// deniable is the app, attacked.
func deniable(f *fragile) scene {
	return scene{app: f, visit: func(t *testing.T, s *stage) {
		filler := strings.Repeat("a", 4000)
		for _, host := range []string{"once.test", "corroborated.test"} {
			for i, fields := range [][]string{
				{"X-Oversized-1: " + filler, "X-Oversized-2: " + filler, "X-Oversized-3: " + filler},
				{"X-HTTP-Method-Override: DELETE"}, {"X-HTTP-Method: DELETE"}, {"X-Method-Override: DELETE"},
				{"X-Nextjs-Data: 1"}, {"Next-Router-Prefetch: 1"},
			} {
				target := fmt.Sprintf("/%d/app.js", i)
				s.askRaw(t, host, target, fields...)
				hurt := 0
				b := s.ask(t, request{host: host, target: target})
				if b.status != http.StatusOK || b.body != script {
					hurt++
				}
				s.count(t, fmt.Sprintf("%s%s after %.30q", host, target, fields), hurt, 1)
				s.shares(t, b.request)
			}
		}
	}}
}

// explicitErrors sees that what an attacker sends that the app is told on a fill, and
// fails on, does not reach others with the lifetime that the error has.
func explicitErrors(t *testing.T, s *stage) {
	long := strings.Repeat("a", 9000)
	for i, field := range []string{"Accept: " + long, "Accept-Language: " + long, "User-Agent: " + long, "Cookie: a=" + long, "X-Other: " + long} {
		target := fmt.Sprintf("/explicit/%d.js", i)
		if m := s.askRaw(t, "once.test", target, field); m.hit() {
			t.Errorf("%s: %v", target, m.header)
		}
		if b := s.ask(t, request{host: "once.test", target: target}); b.body != script {
			t.Errorf("after a long %.10q: %d %v", field, b.status, b.header)
		}
	}
}

// brokenAnswers sees that a page that is stored and stale is there again as soon as the
// app is, whatever the app says meanwhile.
func brokenAnswers(t *testing.T, s *stage) {
	app := s.app.(*fragile)
	for name, broken := range map[string]http.HandlerFunc{
		"error that may be kept": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
			w.WriteHeader(http.StatusServiceUnavailable)
		},
		"nothing": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
			w.WriteHeader(http.StatusNoContent)
		},
		"a part": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
			w.Header().Set("Content-Range", "bytes 0-5/40")
			w.WriteHeader(http.StatusPartialContent)
			fmt.Fprint(w, script[:6])
		},
		"a redirect to nowhere": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
		"an end too soon": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=60")
			w.Header().Set("Content-Length", "40")
			fmt.Fprint(w, script[:6])
			panic(http.ErrAbortHandler)
		},
	} {
		for _, host := range []string{"once.test", "corroborated.test"} {
			t.Run(name+" for "+host, func(t *testing.T) {
				r := request{host: host, target: "/broken/" + strings.ReplaceAll(name, " ", "-") + ".js"}
				s.ask(t, r)
				s.shares(t, r)
				if out, code := s.site.Run(t, "purge", "--all", "--soft", "--reason", "time passes"); code != 0 {
					t.Fatalf("purge --soft: exit code %d\n%s", code, out)
				}
				app.broken.Store(&broken)
				for range 2 {
					_, _ = s.try(t.Context(), r) // an end too soon is an error
				}
				app.broken.Store(nil)
				if a := s.ask(t, r); a.status != http.StatusOK || a.body != script {
					t.Errorf("%d %v %q", a.status, a.header, a.body)
				}
			})
		}
	}
}
