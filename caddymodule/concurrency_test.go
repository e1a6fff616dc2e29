package caddymodule

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// crowd is an origin for many visitors who want one page at the same time. It
// holds the requests of the first round (what a cold key costs) and those of the
// second (who goes on alone after a refusal) back until the test lets them go.
type crowd struct {
	first, second *hold
	cold          int64 // requests of the first round
	page          func(w http.ResponseWriter, r *http.Request, id string)

	arrived, canonical atomic.Int64
	mu                 sync.Mutex
	answers            map[string]crowdAnswer // by the id of the answer
}

// crowdAnswer is what the origin was asked, and what it answered.
type crowdAnswer struct {
	query url.Values
	body  string
}

func newCrowd(t testing.TB, cold int64, page func(w http.ResponseWriter, r *http.Request, id string)) *crowd {
	return &crowd{first: newHold(t), second: newHold(t), cold: cold, page: page, answers: make(map[string]crowdAnswer)}
}

func (c *crowd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := c.arrived.Add(1)
	if canonical(r) {
		c.canonical.Add(1)
	}
	if n <= c.cold {
		c.first.wait(r.Context())
	} else {
		c.second.wait(r.Context())
	}
	id := fmt.Sprintf("%08x", n*0x9e3779b1&0xffffffff)
	page := httptest.NewRecorder()
	c.page(page, r, id)
	c.mu.Lock()
	c.answers[id] = crowdAnswer{r.URL.Query(), page.Body.String()}
	c.mu.Unlock()
	maps.Copy(w.Header(), page.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("X-Request-Id", id) // tells requests apart, and is neither compared nor stored
	_, _ = page.Body.WriteTo(w)
}

// gather sends n visitors, each with a ref and source of their own, and waits until
// all but those that the origin holds are waiting for the verdict.
func (c *crowd) gather(t testing.TB, e *edge, n int) []answer {
	t.Helper()
	answers := make([]answer, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			answers[i] = e.get(fmt.Sprintf("/register/lp?ref=r%d&source=s%d", i, i))
		})
	}
	shared := theShared(t)
	eventually(t, fmt.Sprintf("%d requests at the origin and %d waiting", c.cold, n-1), func() bool {
		return c.arrived.Load() == c.cold && shared.waiting() == n-1
	})
	c.first.release()
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	// For a page that is shared nobody comes a second time. For others, all who
	// waited come at once: none of them waits behind another, although not one of
	// them has been answered yet.
	eventually(t, "the crowd to be served or to be at the origin", func() bool {
		select {
		case <-done:
			return true
		default:
			return c.arrived.Load() == int64(n)+1
		}
	})
	c.second.release()
	await(t, "all visitors to be answered", done)
	return answers
}

// ownAnswers checks that every visitor has the answer to their own request.
func (c *crowd) ownAnswers(t *testing.T, answers []answer) {
	t.Helper()
	seen := make(map[string]bool)
	for i, a := range answers {
		id := a.header.Get("X-Request-Id")
		if a.err != nil || a.status != http.StatusOK || id == "" {
			t.Fatalf("visitor %d: status %d, error %v, id %q", i, a.status, a.err, id)
		}
		made := c.answers[id]
		if made.query.Get("ref") != fmt.Sprintf("r%d", i) || made.query.Get("source") != fmt.Sprintf("s%d", i) {
			t.Errorf("visitor %d got the answer to %v", i, made.query)
		}
		if seen[id] {
			t.Errorf("visitor %d got an answer that another one got, too", i)
		}
		seen[id] = true
		if a.body != made.body {
			t.Errorf("visitor %d got the body %q; the origin had sent %q", i, a.body, made.body)
		}
		for _, line := range a.header["Set-Cookie"] {
			if !strings.HasPrefix(line, "sid="+id) {
				t.Errorf("visitor %d (answer %s) got the cookie %q", i, id, line)
			}
		}
		if cc := a.header.Get("Cache-Control"); cc != "private, no-store" {
			t.Errorf("visitor %d: Cache-Control %q", i, cc)
		}
	}
}

const pageText = "<!doctype html><title>Register</title><h1>Welcome</h1>"

// TestCrowdOnColdKeySharesOnePage: however many come for a page that can be
// shared, the origin is asked twice at most.
func TestCrowdOnColdKeySharesOnePage(t *testing.T) {
	for _, test := range []struct {
		name, site string
		cold       int64
	}{
		{"corroborated", corroboratedPage, 2},
		{"once", oncePage, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCrowd(t, test.cold, func(w http.ResponseWriter, _ *http.Request, _ string) {
				w.Header().Set("Cache-Control", "public, max-age=60")
				_, _ = io.WriteString(w, pageText)
			})
			e := start(t, test.site, newOrigin(t, c.ServeHTTP))
			answers := c.gather(t, e, 500)
			for i, a := range answers {
				if a.err != nil || a.status != http.StatusOK || a.body != pageText {
					t.Fatalf("visitor %d: status %d, error %v, body %q", i, a.status, a.err, a.body)
				}
			}
			if n := c.arrived.Load(); n != test.cold {
				t.Errorf("the origin was asked %d times; %d were expected", n, test.cold)
			}
			if n := c.canonical.Load(); n != 1 {
				t.Errorf("%d of them were canonical; 1 was expected", n)
			}
			settled(t)
			if !e.ok("/register/lp?ref=later").hit() {
				t.Error("the page is not in the store")
			}
		})
	}
}

// TestCrowdUngated: with an origin that answers at once, whoever comes between the
// admission and the end of a fill must not start another one.
func TestCrowdUngated(t *testing.T) {
	for _, a := range admissions {
		t.Run(a.name, func(t *testing.T) {
			var asked atomic.Int64
			origin := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				w.Header().Set("Cache-Control", "public, max-age=60")
				_, _ = io.WriteString(w, pageText)
			})
			e := start(t, a.site, origin)
			const pages, visitors = 40, 20
			for page := range pages {
				asked.Store(0)
				var wg sync.WaitGroup
				for range visitors {
					wg.Go(func() {
						if got := e.get(fmt.Sprintf("/page/%d", page)); got.body != pageText {
							t.Errorf("status %d, error %v, body %q", got.status, got.err, got.body)
						}
					})
				}
				wg.Wait()
				settled(t)
				if n := asked.Load(); n > 2 {
					t.Errorf("page %d: the origin was asked %d times; 2 is the most", page, n)
				}
			}
		})
	}
}

// TestCrowdOnPagesOfOneVisitor: a page that is made for one visitor reaches that
// visitor only, and nobody waits behind another for theirs.
func TestCrowdOnPagesOfOneVisitor(t *testing.T) {
	token := func(w http.ResponseWriter, _ *http.Request, id string) {
		_, _ = fmt.Fprintf(w, `<form><input name="csrf" value="%s"></form>`, id)
	}
	plain := func(name, value string) func(http.ResponseWriter, *http.Request, string) {
		return func(w http.ResponseWriter, _ *http.Request, id string) {
			w.Header().Set(name, strings.ReplaceAll(value, "{id}", id))
			_, _ = io.WriteString(w, pageText)
		}
	}
	public := func(page func(http.ResponseWriter, *http.Request, string)) func(http.ResponseWriter, *http.Request, string) {
		return func(w http.ResponseWriter, r *http.Request, id string) {
			w.Header().Set("Cache-Control", "public, max-age=60")
			page(w, r, id)
		}
	}
	for _, test := range []struct {
		name, site string
		cold       int64
		visitors   int
		page       func(w http.ResponseWriter, r *http.Request, id string)
		event      string
		reason     string
	}{
		{"corroborated, token in the body", corroboratedPage, 2, 500, token, "diverge", "divergent"},
		{"corroborated, public and token in the body", corroboratedPage, 2, 30, public(token), "diverge", "divergent"},
		{"corroborated, Set-Cookie", corroboratedPage, 2, 30, plain("Set-Cookie", "sid={id}; Path=/"), "refuse", "set-cookie"},
		{"corroborated, public and Set-Cookie", corroboratedPage, 2, 500, public(plain("Set-Cookie", "sid={id}")), "refuse", "set-cookie"},
		{"corroborated, private", corroboratedPage, 2, 30, plain("Cache-Control", "private"), "refuse", "private"},
		{"corroborated, no-store", corroboratedPage, 2, 30, plain("Cache-Control", "no-store"), "refuse", "no-store"},
		{"corroborated, ref in the body", corroboratedPage, 2, 30, func(w http.ResponseWriter, r *http.Request, _ string) {
			_, _ = fmt.Fprintf(w, `<input name="ref" value="%s">`, r.URL.Query().Get("ref"))
		}, "diverge", "divergent"},
		{"corroborated, source in a header", corroboratedPage, 2, 30, func(w http.ResponseWriter, r *http.Request, _ string) {
			w.Header().Set("X-Source", r.URL.Query().Get("source"))
			_, _ = io.WriteString(w, pageText)
		}, "diverge", "divergent"},
		{"once, Set-Cookie", oncePage, 1, 30, public(plain("Set-Cookie", "sid={id}")), "refuse", "set-cookie"},
		{"once, private", oncePage, 1, 500, plain("Cache-Control", "private, max-age=60"), "refuse", "private"},
		{"once, no-store", oncePage, 1, 30, plain("Cache-Control", "no-store"), "refuse", "no-store"},
		{"once, no-cache", oncePage, 1, 30, plain("Cache-Control", "no-cache"), "refuse", "no-cache"},
		{"once, Vary: *", oncePage, 1, 30, public(plain("Vary", "*")), "refuse", "vary-star"},
		{"once, Vary: Cookie", oncePage, 1, 30, public(plain("Vary", "Cookie")), "refuse", "vary-credentials"},
		{"once, silence", oncePage, 1, 30, token, "refuse", "not-explicit"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCrowd(t, test.cold, test.page)
			e := start(t, test.site, newOrigin(t, c.ServeHTTP))
			answers := c.gather(t, e, test.visitors)
			c.ownAnswers(t, answers)
			if n := c.canonical.Load(); n != 1 {
				t.Errorf("%d canonical requests; the refusal is remembered, so 1 was expected", n)
			}
			if n, want := c.arrived.Load(), int64(test.visitors)+1; n != want {
				t.Errorf("the origin was asked %d times; %d were expected", n, want)
			}
			r := awaitRecord(t, test.event, nil)
			if len(r.Reasons) == 0 || r.Reasons[0] != test.reason {
				t.Errorf("the record has the reasons %v; %s was expected", r.Reasons, test.reason)
			}
			settled(t)
			nothingStored(t)
			memoryGivenBack(t)
		})
	}
}
