package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// freshFor is a page with a stale window, for the tests in a bubble.
const freshFor = `
version: 1
routes:
  - name: page
    match: {paths: ["/*"]}
    cache: {ttl: 60s, stale_while_revalidate: 30s, stale_if_error: 1h}
    params: {strip: [ref]}
    headers: {forward: [{name: Traceparent, reason: traces end at the app}]}
`

// TestStaleWhileRevalidate: past its lifetime the object is served once more, and
// replaced by the answer to requests that have nothing of a visitor.
func TestStaleWhileRevalidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, freshFor, Limits{})
		defer b.close()
		version := 1
		var mu sync.Mutex
		var requests []*http.Request
		origin := func(w http.ResponseWriter, r *http.Request) error {
			mu.Lock()
			requests = append(requests, r)
			mu.Unlock()
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, "version %d", version)
			return nil
		}
		ask := func(target, want, status string) {
			t.Helper()
			rec := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
			r.Header.Set("Traceparent", "the visitor's trace")
			r.Header.Set("User-Agent", "visitor")
			r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), rec, nil)
			err := b.ServeHTTP(rec, r, caddyhttp.HandlerFunc(origin))
			synctest.Wait()
			if err != nil || rec.Body.String() != want || !strings.HasPrefix(rec.Header().Get("Cache-Status"), status) {
				t.Errorf("%s: %q, %s, %v", target, rec.Body, rec.Header().Get("Cache-Status"), err)
			}
			onlyForbidden(t, rec.Header())
		}
		ask("/", "version 1", "Cacheward; fwd=uri-miss")
		version = 2
		time.Sleep(59 * time.Second)
		ask("/", "version 1", "Cacheward; hit; ttl=1")
		time.Sleep(time.Second)
		requests = nil
		ask("/?ref=secret", "version 1", "Cacheward; hit; ttl=0")
		for _, r := range requests {
			if !canonical(r) || r.URL.RawQuery != "" || r.RemoteAddr != fillAddress || r.Header.Get("Traceparent") != "" {
				t.Errorf("the refresh sent %s from %s: %v", r.URL, r.RemoteAddr, r.Header)
			}
		}
		if len(requests) != 2 {
			t.Errorf("%d requests for a refresh that two answers must agree on", len(requests))
		}
		ask("/", "version 2", "Cacheward; hit; ttl=60")
		if n := b.events("refresh"); n != 1 {
			t.Errorf("%d records of refreshes", n)
		}
		time.Sleep(60*time.Second + 30*time.Second)
		version = 3
		ask("/", "version 3", "Cacheward; fwd=stale") // the window is over
	})
}

// TestStaleIfError: the object stands in for an origin that fails, in its answer
// or altogether, and for nothing else.
func TestStaleIfError(t *testing.T) {
	for _, admission := range []string{"corroborated", "{rule: once, reason: test}"} {
		for name, failing := range map[string]func(w http.ResponseWriter) error{
			"500":  func(w http.ResponseWriter) error { w.WriteHeader(500); return nil },
			"503":  func(w http.ResponseWriter) error { w.WriteHeader(503); _, _ = io.WriteString(w, "sorry"); return nil },
			"dead": func(http.ResponseWriter) error { return deadOrigin() },
		} {
			t.Run(name+" "+admission, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBubble(t, freshFor+"    admission: "+admission+"\n", Limits{})
					defer b.close()
					up := true
					ask := func() (body, status string, err error) {
						rec, err := b.get(t.Context(), "/", func(w http.ResponseWriter, _ *http.Request) error {
							if !up {
								return failing(w)
							}
							w.Header().Set("Content-Type", "text/html")
							_, _ = io.WriteString(w, "the page")
							return nil
						})
						synctest.Wait()
						onlyForbidden(t, rec.Header())
						return rec.Body.String(), rec.Header().Get("Cache-Status"), err
					}
					_, _, _ = ask()
					up = false
					time.Sleep(91 * time.Second) // beyond stale_while_revalidate
					for range 2 {
						if body, status, err := ask(); err != nil || body != "the page" || !strings.HasPrefix(status, "Cacheward; hit; ttl=-") {
							t.Errorf("%q, %s, %v", body, status, err)
						}
					}
					time.Sleep(time.Hour)
					if body, status, err := ask(); body == "the page" || strings.Contains(status, "hit") {
						t.Errorf("beyond stale_if_error: %q, %s, %v", body, status, err)
					}
				})
			})
		}
	}
}

// TestRefusalIsRemembered: for a while nobody causes a fill; then one does again,
// and what can be shared now is.
func TestRefusalIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, freshFor, Limits{})
		defer b.close()
		private := true
		var fills atomic.Int64
		ask := func() string {
			t.Helper()
			rec, err := b.get(t.Context(), "/", func(w http.ResponseWriter, r *http.Request) error {
				if canonical(r) {
					fills.Add(1)
				}
				if private {
					w.Header().Set("Cache-Control", "private")
				}
				w.Header().Set("Content-Type", "text/html")
				_, _ = io.WriteString(w, "the page")
				return nil
			})
			synctest.Wait()
			if err != nil || rec.Body.String() != "the page" {
				t.Errorf("%q, %v", rec.Body, err)
			}
			return rec.Header().Get("Cache-Status")
		}
		ask()
		private = false
		for range 3 {
			if status := ask(); !strings.Contains(status, "detail=private") || fills.Load() != 1 {
				t.Errorf("%s, %d fills", status, fills.Load())
			}
		}
		time.Sleep(gateRefusal + time.Second)
		ask()
		if status := ask(); !strings.HasPrefix(status, "Cacheward; hit") || fills.Load() != 2 {
			t.Errorf("%s, %d fills", status, fills.Load())
		}
	})
}

var errRefused = errors.New("connection refused")

// deadOrigin is what reverse_proxy returns when it cannot reach its upstream.
func deadOrigin() error { return caddyhttp.Error(http.StatusBadGateway, errRefused) }

// events is how many audit records of an event there are.
func (b *bubble) events(event string) int {
	n := 0
	b.flushAudit()
	for _, entry := range b.logs.All() {
		if entry.ContextMap()["event"] == event {
			n++
		}
	}
	return n
}
