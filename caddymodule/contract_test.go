package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// permissions are the fields by which an origin permits caches to store.
var permissions = []string{
	"Cache-Control", "Expires", "Pragma", "CDN-Cache-Control", "Surrogate-Control", "Cloudflare-CDN-Cache-Control",
	"Vercel-CDN-Cache-Control", "Netlify-CDN-Cache-Control", "Edge-Control", "X-Accel-Expires",
	"X-LiteSpeed-Cache-Control", "Akamai-Cache-Control", "No-Vary-Search", "Netlify-Vary",
}

// permissive answers with a page and every permission that there is.
func permissive(w http.ResponseWriter, status int, body string) {
	permit(w.Header())
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Etag", `"v1"`)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func permit(h http.Header) {
	for _, name := range permissions {
		h.Set(name, "max-age=3600")
	}
	h.Set("Cache-Control", "public, s-maxage=3600")
	h.Set("Expires", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
	h.Set("Pragma", "cache")
	h.Set("X-Accel-Expires", "3600")
	h.Set("No-Vary-Search", "params")
	h.Set("Netlify-Vary", "query=none")
}

// contractSite has a route for every outcome. %s is the origin.
const contractSite = `cacheward {
		limits {
			max_fills 1
		}
		route downstream {
			path /downstream/*
			cache 5m
			downstream 1m {
				browser 10s
			}
		}
		route revalidated {
			path /revalidated/*
			cache 5m
			downstream 10m
		}
		route once {
			path /once/*
			cache origin
		}
		route watched {
			path /observed/*
			cache 5m
			mode observe
		}
		route denied {
			path /denied/*
			cache 5m
			param deny attack
		}
		route never {
			path /never/*
			cache never
		}
		route page {
			path /page/*
			cache 5m
		}
	}
	reverse_proxy %s`

// TestContract: whatever the origin permits, what leaves is private, no-store. An
// admitted object of a route with downstream is the one exception.
func TestContract(t *testing.T) {
	var down atomic.Bool
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case down.Load():
			panic(http.ErrAbortHandler)
		case strings.HasSuffix(r.URL.Path, "/cookie"):
			w.Header().Set("Set-Cookie", "session=1")
			permissive(w, 200, "the page")
		case strings.HasSuffix(r.URL.Path, "/early"):
			permit(w.Header())
			w.WriteHeader(http.StatusEarlyHints)
			permissive(w, 200, "the page")
		case strings.HasSuffix(r.URL.Path, "/500"):
			permissive(w, 500, "sorry")
		case strings.HasSuffix(r.URL.Path, "/404"):
			permissive(w, 404, "not here")
		default:
			permissive(w, 200, "the page")
		}
	})
	e := startEdge(t, fmt.Sprintf(contractSite, origin))
	type step struct {
		name, method, target string
		headers              []string
		status               int
		outcome              string
		permits              bool
	}
	for _, s := range []step{
		{"fill", "GET", "/page/1", nil, 200, "fill", false},
		{"hit", "GET", "/page/1", nil, 200, "hit", false},
		{"hit by HEAD", "HEAD", "/page/1", nil, 200, "hit", false},
		{"hit, not modified", "GET", "/page/1", []string{"If-None-Match", `"v1"`}, 304, "hit", false},
		{"hit, range", "GET", "/page/1", []string{"Range", "bytes=0-1"}, 206, "hit", false},
		{"fill once", "GET", "/once/1", nil, 200, "fill", false},
		{"hit once", "GET", "/once/1", nil, 200, "hit", false},
		{"fill once by HEAD", "HEAD", "/once/2", nil, 200, "fill", false},
		{"fill once, not modified", "GET", "/once/3", []string{"If-None-Match", `"v1"`}, 304, "fill", false},
		{"fill downstream", "GET", "/downstream/1", nil, 200, "fill", false},
		{"hit downstream", "GET", "/downstream/1", nil, 200, "hit", true},
		{"hit downstream by HEAD", "HEAD", "/downstream/1", nil, 200, "hit", true},
		{"hit downstream, not modified", "GET", "/downstream/1", []string{"If-None-Match", `"v1"`}, 304, "hit", true},
		{"fill revalidated", "GET", "/revalidated/1", nil, 200, "fill", false},
		{"bypass downstream", "GET", "/downstream/1", []string{"Cookie", "session=1"}, 200, "bypass", false},
		{"bypass by method", "POST", "/downstream/9", nil, 200, "bypass", false},
		{"bypass of a query", "GET", "/downstream/1?q=1", nil, 200, "bypass", false},
		{"refused", "GET", "/downstream/cookie", nil, 200, "fill", false},
		{"remembered", "GET", "/downstream/cookie", nil, 200, "pass", false},
		{"refused once", "GET", "/once/cookie", nil, 200, "fill", false},
		{"refused for a 1xx", "GET", "/downstream/early", nil, 200, "fill", false},
		{"refused status", "GET", "/downstream/404", nil, 404, "fill", false},
		{"error of the origin", "GET", "/downstream/500", nil, 500, "fill", false},
		{"error once", "GET", "/once/500", nil, 500, "fill", false},
		{"never", "GET", "/never/1", nil, 200, "bypass", false},
		{"no route", "GET", "/elsewhere", nil, 200, "bypass", false},
		{"ambiguous", "GET", "/downstream/a//b", nil, 200, "bypass", false},
		{"denied", "GET", "/denied/1?attack=1", nil, 400, "deny", false},
		{"broken origin", "GET", "/downstream/2", nil, 502, "fill", false},
		{"broken origin once", "GET", "/once/4", nil, 502, "fill", false},
		{"hit before a broken origin", "GET", "/downstream/1", nil, 200, "hit", true},
	} {
		t.Run(s.name, func(t *testing.T) {
			down.Store(strings.Contains(s.name, "broken"))
			before := len(records(""))
			a := e.do(s.method, s.target, s.headers...)
			if a.err != nil || a.status != s.status {
				t.Fatalf("%d, %v", a.status, a.err)
			}
			eventually(t, "the request's record", func() bool {
				for _, r := range records("")[before:] {
					if r.Outcome == s.outcome {
						return true
					}
				}
				return false
			})
			settled(t)
			if s.permits {
				onlyPermitted(t, a.header, time.Minute, 10*time.Second)
			} else {
				onlyForbidden(t, a.header)
			}
			if len(a.header.Values("Cache-Status")) != 1 {
				t.Errorf("Cache-Status: %q", a.header.Values("Cache-Status"))
			}
		})
	}
	t.Run("browser revalidates", func(t *testing.T) {
		a := e.ok("/revalidated/1")
		if got := a.header.Get("Cache-Control"); got != "public, max-age=0, must-revalidate" {
			t.Errorf("Cache-Control: %s", got)
		}
		// No longer than what is left of the object's own five minutes.
		atMost(t, "CDN-Cache-Control", a.header.Get("CDN-Cache-Control"), "max-age=", 5*time.Minute)
	})
}

// onlyPermitted checks a permission: these two fields, and none of the origin's.
func onlyPermitted(t *testing.T, h http.Header, cdn, browser time.Duration) {
	t.Helper()
	for _, name := range permissions {
		switch lines := h.Values(name); {
		case name == "Cache-Control":
			atMost(t, name, strings.Join(lines, ", "), "public, max-age=", browser)
		case name == "CDN-Cache-Control":
			atMost(t, name, strings.Join(lines, ", "), "max-age=", cdn)
		case len(lines) > 0:
			t.Errorf("%s: %q", name, lines)
		}
	}
}

// atMost checks that a field is a lifetime no longer than the given one, past the
// age that a cache downstream subtracts, which is a second or two here.
func atMost(t *testing.T, name, field, before string, limit time.Duration) {
	t.Helper()
	text, ok := strings.CutPrefix(field, before)
	seconds, err := strconv.Atoi(text)
	if !ok || err != nil || seconds <= 0 || time.Duration(seconds)*time.Second > limit+patience {
		t.Errorf("%s: %q, want %s… of at most %s", name, field, before, limit)
	}
}

// TestObserveLeavesEverything: not a field is changed on a route that observes.
func TestObserveLeavesEverything(t *testing.T) {
	e := startEdge(t, fmt.Sprintf(contractSite, newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "session=1")
		permissive(w, 200, "the page")
	})))
	a := e.ok("/observed/1")
	want := make(http.Header)
	permit(want)
	for name := range want {
		if name != "Expires" && a.header.Get(name) != want.Get(name) {
			t.Errorf("%s is %q, was %q", name, a.header.Values(name), want.Values(name))
		}
	}
	if a.header.Get("Set-Cookie") == "" || a.header.Get("Expires") == "" || a.header.Get("Cache-Status") != "" {
		t.Errorf("head: %v", a.header)
	}
}

// TestOuterHandlersDoNotPermit: fields that handlers above have set before the
// answer neither widen what leaves nor travel with a permission that would have
// them stored.
func TestOuterHandlersDoNotPermit(t *testing.T) {
	for _, c := range []struct {
		name, outer string
		permits     bool
	}{
		{"caching", "header {\nCache-Control \"public, max-age=31536000\"\nExpires \"Fri, 01 Jan 2100 00:00:00 GMT\"\n" +
			"Surrogate-Control max-age=999\nCloudflare-CDN-Cache-Control max-age=999\nPragma public\n}", true},
		{"cookie", "header Set-Cookie \"visitor={http.request.uuid}\"", false},
		{"cookie added", "header +Set-Cookie \"visitor={http.request.uuid}\"", false},
		{"old cookie", "header Set-Cookie2 \"visitor={http.request.uuid}\"", false},
		{"site data", "header Clear-Site-Data \"*\"", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := startEdge(t, c.outer+"\n"+fmt.Sprintf(contractSite, newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
				permissive(w, 200, "the page")
			})))
			for _, target := range []string{"/downstream/1", "/page/1"} {
				onlyForbidden(t, e.ok(target).header)
				settled(t)
				for _, headers := range [][]string{nil, {"If-None-Match", `"v1"`}} {
					a := e.get(target, headers...)
					if !a.hit() {
						t.Fatalf("%s: %s", target, a.header.Get("Cache-Status"))
					}
					if c.permits && target == "/downstream/1" {
						onlyPermitted(t, a.header, time.Minute, 10*time.Second)
					} else {
						onlyForbidden(t, a.header)
					}
				}
			}
		})
	}
}

// TestKeyedHeadersAreVariedOn: what the object was chosen by is in Vary, so that
// caches downstream choose by it as well.
func TestKeyedHeadersAreVariedOn(t *testing.T) {
	e := startEdge(t, `cacheward {
		route page {
			path /*
			cache 5m
			header key Accept-Language ja en
			downstream 1m
		}
	}
	reverse_proxy `+newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Vary", "Accept-Encoding")
		_, _ = io.WriteString(w, "language "+r.Header.Get("Accept-Language"))
	}))
	for i, language := range []string{"ja", "en"} {
		e.ok("/", "Accept-Language", language)
		e.awaitObject(i + 1)
		a := e.ok("/", "Accept-Language", language)
		if !a.hit() || !strings.Contains(strings.Join(a.header.Values("Vary"), ","), "Accept-Language") {
			t.Errorf("%s, Vary %q", a.header.Get("Cache-Status"), a.header.Values("Vary"))
		}
	}
}

// TestContractOverTime: a permission never outlasts the object, and what is stale
// leaves without any.
func TestContractOverTime(t *testing.T) {
	const policy = `
version: 1
routes:
  - name: page
    match: {paths: ["/*"]}
    cache: {ttl: 60s, stale_while_revalidate: 1h}
    downstream: {ttl: 45s, browser: 30s}
`
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, policy, Limits{})
		defer b.close()
		up := true
		ask := func() http.Header {
			rec, err := b.get(t.Context(), "/", func(w http.ResponseWriter, _ *http.Request) error {
				if !up {
					return deadOrigin()
				}
				permissive(w, 200, "the page")
				return nil
			})
			synctest.Wait()
			if err != nil {
				t.Error(err)
			}
			return rec.Header()
		}
		ask()
		up = false
		for _, c := range []struct {
			after        time.Duration
			browser, cdn string
		}{
			// Each lifetime is counted from when the object was made.
			{0, "public, max-age=30", "max-age=45"},
			{10 * time.Second, "public, max-age=40", "max-age=55"},
			{10 * time.Second, "public, max-age=50", "max-age=60"},
			{39 * time.Second, "public, max-age=60", "max-age=60"},
			{500 * time.Millisecond, "private, no-store", "no-store"}, // half a second is no time
			{500 * time.Millisecond, "private, no-store", "no-store"}, // stale
			{time.Minute, "private, no-store", "no-store"},
		} {
			time.Sleep(c.after)
			h := ask()
			if h.Get("Cache-Control") != c.browser || h.Get("Cdn-Cache-Control") != c.cdn || !strings.HasPrefix(h.Get("Cache-Status"), "Cacheward; hit") {
				t.Errorf("after %s more: %q, %q, %s", c.after, h.Get("Cache-Control"), h.Get("Cdn-Cache-Control"), h.Get("Cache-Status"))
			}
		}
	})
}

// TestErrorsCarryNoPermission: an error that goes up to error routes leaves with
// nothing that handlers below had set before they failed.
func TestErrorsCarryNoPermission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, cache := range []string{"never", "origin", "60s"} {
			b := newBubble(t, "version: 1\nroutes:\n  - name: page\n    match: {paths: [\"/*\"]}\n    cache: "+cache+"\n", Limits{})
			rec, err := b.get(t.Context(), "/", func(w http.ResponseWriter, _ *http.Request) error {
				permit(w.Header())
				return deadOrigin()
			})
			synctest.Wait()
			if he, ok := err.(caddyhttp.HandlerError); !ok || he.StatusCode != http.StatusBadGateway {
				t.Errorf("cache %s: the error is %v", cache, err)
			}
			onlyForbidden(t, rec.Header())
			b.close()
		}
	})
}
