package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// TestErrorPages: whatever error route or nobody answers, the answer is nobody
// else's.
func TestErrorPages(t *testing.T) {
	for _, c := range []struct {
		name, behind string
		status       int
		body         string
	}{
		{"error", "error 503", 503, ""},
		{"error page", "error 503\nhandle_errors {\nrespond \"sorry\" 503\n}", 503, "sorry"},
		{"error page from an origin", "error 404\nhandle_errors {\nreverse_proxy %s\n}", 200, "the page"},
		{"dead origin", "reverse_proxy 127.0.0.1:1", 502, ""},
		{"nothing matches", "", 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			origin := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				_, _ = io.WriteString(w, "the page")
			})
			behind := c.behind
			if strings.Contains(behind, "%s") {
				behind = fmt.Sprintf(behind, origin)
			}
			for _, cache := range []string{"never", "origin", "5m"} {
				e := startEdge(t, "cacheward {\nroute page {\npath /*\ncache "+cache+"\n}\n}\n"+behind)
				for range 2 {
					a := e.get("/")
					if a.err != nil || a.status != c.status || a.body != c.body {
						t.Fatalf("cache %s: %d %q %v", cache, a.status, a.body, a.err)
					}
					onlyForbidden(t, a.header)
					settled(t)
				}
				nothingStored(t)
				if c.name == "dead origin" && cache != "never" {
					awaitRecord(t, "refuse", func(r logLine) bool { return r.Reasons[0] == "origin-error" })
				}
			}
		})
	}
}

// onlyForbidden checks that the fields that govern caching say private, no-store
// and nothing besides.
func onlyForbidden(t *testing.T, h http.Header) {
	t.Helper()
	if got := h.Values("Cache-Control"); len(got) != 1 || got[0] != "private, no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
	for _, name := range permissions {
		if got := h.Values(name); name == "CDN-Cache-Control" {
			// Nothing else takes back what a CDN was told in it before (RFC 9111 §3.2).
			if len(got) != 1 || got[0] != "no-store" {
				t.Errorf("%s is %q", name, got)
			}
		} else if name != "Cache-Control" && len(got) > 0 {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestNestedHandlersStepAside: of two handlers one behind the other the outer one
// decides, for visitors and fills alike.
func TestNestedHandlersStepAside(t *testing.T) {
	var asked atomic.Int64
	origin := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		page(w, "the page")
	})
	const block = "cacheward {\nid %s\nroute %[1]s {\npath /*\ncache 5m\n}\n}\n"
	e := startEdge(t, fmt.Sprintf(block, "outer")+fmt.Sprintf(block, "inner")+"reverse_proxy "+origin)
	e.stored("/")
	if a := e.ok("/"); !a.hit() || len(a.header["Cache-Status"]) != 1 {
		t.Errorf("Cache-Status: %q", a.header["Cache-Status"])
	}
	if asked.Load() != 2 {
		t.Errorf("the origin was asked %d times", asked.Load())
	}
	for _, r := range records("") {
		if r.Route != "outer" {
			t.Errorf("the inner handler recorded %+v", r)
		}
	}
}

// TestAuthenticationComesFirst: a hit does not skip it.
func TestAuthenticationComesFirst(t *testing.T) {
	const hash = "$2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG" // hiccup
	e := start(t, "@guarded header X-Guarded yes\nbasic_auth @guarded {\nanna "+hash+"\n}\n"+corroboratedPage,
		newOrigin(t, func(w http.ResponseWriter, _ *http.Request) { page(w, "the page") }))
	e.stored("/")
	a := e.get("/", "X-Guarded", "yes")
	if a.status != http.StatusUnauthorized || strings.Contains(a.body, "page") || a.hit() {
		t.Errorf("%d %q %s", a.status, a.body, a.header.Get("Cache-Status"))
	}
}

// TestTemplatesAndInterceptOutside: what they make of a page for one visitor is
// made anew for the next.
func TestTemplatesAndInterceptOutside(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/missing" {
			w.Header().Set("Cache-Control", "max-age=60")
			w.WriteHeader(http.StatusNotFound)
			return
		}
		page(w, `hello {{.Req.Header.Get "X-Name"}}`)
	})
	e := startEdge(t, `templates
	intercept {
		@missing status 404
		handle_response @missing {
			header -Content-Length
			respond "not here, {http.request.header.X-Name}" 404
		}
	}
	cacheward {
		route page {
			path /*
			cache 5m {
				status 404 1m
			}
		}
	}
	reverse_proxy `+origin)
	for i, target := range []string{"/", "/missing"} {
		for round, name := range []string{"anna", "berta", "clara"} {
			want := map[string]string{"/": "hello " + name, "/missing": "not here, " + name}[target]
			a := e.get(target, "X-Name", name)
			if a.err != nil || a.body != want {
				t.Errorf("%s got %q, %v", name, a.body, a.err)
			}
			if round == 0 {
				e.awaitObject(i + 1)
			} else if len(records("serve")) == 0 {
				t.Error("no hit was recorded")
			}
		}
	}
}
