package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// TestBodiesThatAreTooMuch: a body that cannot be stored reaches everybody whole,
// and the reason is remembered.
func TestBodiesThatAreTooMuch(t *testing.T) {
	for _, a := range admissions {
		for _, test := range []struct {
			name, limits, reason string
			length               bool // with Content-Length
		}{
			{"max_object, length known", "max_object 1MiB", "too-large", true},
			{"max_object, chunked", "max_object 1MiB", "too-large", false},
			{"fill_memory", "fill_memory 1MiB", "memory-full", false},
		} {
			t.Run(a.name+", "+test.name, func(t *testing.T) {
				gate := newHold(t)
				page := strings.Repeat("0123456789abcdef", 3<<20/16)
				var asked atomic.Int64
				origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
					asked.Add(1)
					w.Header().Set("Cache-Control", "public, max-age=60")
					w.Header().Set("Content-Type", "text/plain")
					if test.length {
						w.Header().Set("Content-Length", fmt.Sprint(len(page)))
					}
					gate.wait(r.Context())
					_, _ = io.WriteString(w, page)
				})
				e := start(t, a.site, origin, "limits {\n"+test.limits+"\n}")
				var wg sync.WaitGroup
				for i := range 10 {
					wg.Go(func() {
						if got := e.get("/"); got.err != nil || got.body != page {
							t.Errorf("visitor %d: status %d, error %v, %d bytes", i, got.status, got.err, len(got.body))
						}
					})
				}
				s := theShared(t)
				eventually(t, "nine waiters", func() bool { return s.waiting() == 9 })
				gate.release()
				wg.Wait()
				settled(t)
				nothingStored(t)
				memoryGivenBack(t)
				if r := awaitRecord(t, "refuse", nil); r.Reasons[0] != test.reason {
					t.Errorf("refused with %v; %s was expected", r.Reasons, test.reason)
				}
				got := e.ok("/")
				if test.reason == "too-large" && !strings.Contains(got.header.Get("Cache-Status"), "detail=too-large") {
					t.Errorf("the refusal is not remembered: %q", got.header.Get("Cache-Status"))
				}
				if len(got.body) != len(page) {
					t.Errorf("%d bytes of %d", len(got.body), len(page))
				}
			})
		}
	}
}

// TestFillsAreBounded: with as many keys being filled as may be, others go to the
// origin alone.
func TestFillsAreBounded(t *testing.T) {
	for _, a := range admissions {
		t.Run(a.name, func(t *testing.T) {
			gate := newHold(t)
			origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/held" {
					gate.wait(r.Context())
				}
				publicPage(w, r, nil)
			})
			e := start(t, a.site, origin, "limits {\nmax_fills 1\n}")
			held := e.asyncGet("/held")
			s := theShared(t)
			eventually(t, "one fill", func() bool { return s.inFlight() == 1 })
			got := e.ok("/other")
			if status := got.header.Get("Cache-Status"); got.body != pageText || !strings.Contains(status, "detail=fills-full") {
				t.Errorf("%q (%s)", got.body, status)
			}
			waiter := join(t, e, 1, "/held") // to wait for a fill takes no room
			gate.release()
			whole(t, append(waiter, held))
			settled(t)
			e.ok("/other")
			settled(t)
			if !e.ok("/other").hit() {
				t.Error("when there is room again the key is filled")
			}
		})
	}
}

// TestWaitersAreBounded: who finds as many waiting as may goes to the origin alone,
// at once.
func TestWaitersAreBounded(t *testing.T) {
	for _, a := range admissions {
		t.Run(a.name, func(t *testing.T) {
			gate := newHold(t)
			var alone atomic.Int64
			origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Alone") != "" {
					alone.Add(1)
				} else {
					gate.wait(r.Context())
				}
				publicPage(w, r, nil)
			})
			e := start(t, a.site, origin, "limits {\nmax_waiters 2\n}")
			leader := e.asyncGet("/")
			s := theShared(t)
			eventually(t, "one fill", func() bool { return s.inFlight() == 1 })
			waiters := join(t, e, 2, "/")
			for range 3 {
				got := e.ok("/", "X-Alone", "1")
				if status := got.header.Get("Cache-Status"); got.body != pageText || !strings.Contains(status, "detail=waiters-full") {
					t.Errorf("%q (%s)", got.body, status)
				}
			}
			if n := alone.Load(); n != 3 {
				t.Errorf("%d went to the origin alone; 3 were expected", n)
			}
			if n := s.waiting(); n != 2 {
				t.Errorf("%d are waiting; 2 were expected", n)
			}
			gate.release()
			whole(t, append(waiters, leader))
		})
	}
}
