package caddymodule

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// publicPage writes a page that both admissions may share, with a hold in its middle.
func publicPage(w http.ResponseWriter, r *http.Request, middle *hold) {
	w.Header().Set("Cache-Control", "public, max-age=60")
	w.Header().Set("Content-Type", "text/html")
	_, _ = io.WriteString(w, pageText[:20])
	if middle != nil {
		_ = http.NewResponseController(w).Flush()
		middle.wait(r.Context())
	}
	_, _ = io.WriteString(w, pageText[20:])
}

// join sends n requests that wait for the verdict on another's fill.
func join(t testing.TB, e *edge, n int, target string) []<-chan answer {
	t.Helper()
	var waiters []<-chan answer
	for range n {
		waiters = append(waiters, e.asyncGet(target))
	}
	s := theShared(t)
	eventually(t, fmt.Sprintf("%d waiters", n), func() bool { return s.waiting() == n })
	return waiters
}

// whole checks that each has the page.
func whole(t testing.TB, waiters []<-chan answer) {
	t.Helper()
	for i, w := range waiters {
		if a := await(t, "a waiter's answer", w); a.err != nil || a.status != http.StatusOK || a.body != pageText {
			t.Errorf("waiter %d: status %d, error %v, body %q", i, a.status, a.err, a.body)
		}
	}
}

// TestLeaderLeaves: the visitor whose request is being judged goes away. What they
// began is finished for those who wait.
func TestLeaderLeaves(t *testing.T) {
	for _, test := range []struct {
		name, site string
		inBody     bool
		asked      int64 // canonical requests
	}{
		{"corroborated, before the head", corroboratedPage, false, 2},
		{"corroborated, in the body", corroboratedPage, true, 2},
		{"once, before the head", oncePage, false, 1},
		{"once, in the body", oncePage, true, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			gate := newHold(t)
			var canonicals atomic.Int64
			arrived, gone := make(chan struct{}), make(chan struct{})
			origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
				if canonical(r) {
					canonicals.Add(1)
				} else {
					close(arrived)
					defer close(gone)
				}
				if test.inBody {
					publicPage(w, r, gate)
					return
				}
				gate.wait(r.Context())
				publicPage(w, r, nil)
			})
			e := start(t, test.site, origin)
			ctx, leave := context.WithCancel(t.Context())
			r, err := e.request(http.MethodGet, "/")
			if err != nil {
				t.Fatal(err)
			}
			left := make(chan struct{})
			began := make(chan struct{})
			go func() {
				defer close(left)
				if res, err := e.client.Do(r.WithContext(ctx)); err == nil {
					close(began) // the head is there
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
				}
			}()
			if test.inBody {
				await(t, "the leader's head", began)
			}
			if test.site == corroboratedPage {
				await(t, "the leader's request at the origin", arrived)
			}
			waiters := join(t, e, 5, "/")
			leave()
			await(t, "the leader to be gone", left)
			if test.site == corroboratedPage {
				await(t, "the origin to learn of it", gone)
			}
			gate.release()
			whole(t, waiters)
			settled(t)
			if !e.ok("/").hit() {
				t.Error("the page is not stored")
			}
			if n := canonicals.Load(); n != test.asked {
				t.Errorf("%d canonical requests; %d were expected", n, test.asked)
			}
			memoryGivenBack(t)
		})
	}
}

// TestLeaderReadsNothing: a visitor who reads nothing of a large page holds up
// nobody but themselves.
func TestLeaderReadsNothing(t *testing.T) {
	page := strings.Repeat("0123456789abcdef", 7<<20/16)
	for _, a := range admissions {
		t.Run(a.name, func(t *testing.T) {
			origin := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Cache-Control", "public, max-age=60")
				w.Header().Set("Content-Type", "text/plain")
				_, _ = io.WriteString(w, page)
			})
			e := start(t, a.site, origin, "limits {\nwait 10m\nfill_timeout 4m\n}")
			c, err := slowDial(t.Context(), "tcp", e.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
			s := theShared(t)
			eventually(t, "the leader's fill", func() bool { return s.inFlight() == 1 || s.store.Stats().Objects == 1 })
			var wg sync.WaitGroup
			for range 5 {
				wg.Go(func() {
					got := e.get("/")
					if got.err != nil || got.body != page || !got.shared() {
						t.Errorf("status %d (%s), error %v, %d bytes", got.status, got.header.Get("Cache-Status"), got.err, len(got.body))
					}
				})
			}
			wg.Wait()
			// And the slow one gets theirs, once they read.
			res, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if body, err := io.ReadAll(res.Body); err != nil || string(body) != page {
				t.Errorf("the leader got %d bytes of %d, error %v", len(body), len(page), err)
			}
			_ = c.Close()
			memoryGivenBack(t)
		})
	}
}

// What a truncating origin does to its answers.
var truncations = []struct {
	name       string
	head, half string
	rest       string // of an answer that is whole
}{
	{"short Content-Length", fmt.Sprintf("Content-Length: %d\r\n", len(pageText)), pageText[:20], pageText[20:]},
	{"broken chunked", "Transfer-Encoding: chunked\r\n", chunk(pageText[:20]), chunk(pageText[20:]) + "0\r\n\r\n"},
	{"cut in a chunk", "Transfer-Encoding: chunked\r\n", chunk(pageText)[:20], chunk(pageText)[20:] + "0\r\n\r\n"},
}

func chunk(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }

// TestTruncatedAnswers: what is not whole is never stored, and nobody takes it for
// the whole.
func TestTruncatedAnswers(t *testing.T) {
	for _, test := range []struct {
		name, site      string
		cutFill, cutOwn bool
		leaderWhole     bool
		stored          bool
	}{
		{"corroborated, fill", corroboratedPage, true, false, true, false},
		// Without the visitor's own answer two fills are compared, both whole.
		{"corroborated, own", corroboratedPage, false, true, false, true},
		{"corroborated, both", corroboratedPage, true, true, false, false},
		{"once, fill", oncePage, true, false, false, false},
		{"once, both", oncePage, true, true, false, false},
	} {
		for _, cut := range truncations {
			t.Run(test.name+", "+cut.name, func(t *testing.T) {
				gate := newHold(t)
				var asked atomic.Int64
				origin := rawOrigin(t, func(r *http.Request, c net.Conn) {
					first := asked.Add(1) <= 2 // waiters, who come after, get whole answers
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nCache-Control: public, max-age=60\r\n"+
						"Content-Type: text/html\r\n"+cut.head+"\r\n"+cut.half)
					gate.wait(r.Context())
					if canonical(r) && !test.cutFill || !canonical(r) && !(test.cutOwn && first) {
						_, _ = io.WriteString(c, cut.rest)
					}
				})
				e := start(t, test.site, origin)
				leader := e.asyncGet("/")
				s := theShared(t)
				eventually(t, "the leader's fill", func() bool { return s.inFlight() == 1 })
				if test.site == corroboratedPage {
					eventually(t, "fill and own answer", func() bool { return asked.Load() == 2 })
				}
				waiters := join(t, e, 4, "/")
				gate.release()
				a := await(t, "the leader's answer", leader)
				if test.leaderWhole != (a.err == nil && a.body == pageText) || a.err == nil && a.body != pageText {
					t.Errorf("leader: status %d, error %v, body %q", a.status, a.err, a.body)
				}
				for i, w := range waiters {
					a := await(t, "a waiter's answer", w)
					if cutOwn := test.cutOwn && test.site == oncePage; a.err == nil && a.body != pageText || a.err != nil && !cutOwn {
						t.Errorf("waiter %d: status %d, error %v, body %q", i, a.status, a.err, a.body)
					}
				}
				settled(t)
				if n := s.store.Stats().Objects; n == 1 != test.stored {
					t.Errorf("%d objects are stored", n)
				}
				if test.stored {
					if a := e.ok("/"); !a.hit() || a.body != pageText {
						t.Errorf("stored: %q (%s)", a.body, a.header.Get("Cache-Status"))
					}
				} else if r := awaitRecord(t, "refuse", nil); r.Reasons[0] != "truncated" {
					t.Errorf("refused with %v", r.Reasons)
				}
				memoryGivenBack(t)
			})
		}
	}
}

// TestDeadOrigin: the error is the chain's, and nothing of it is stored.
func TestDeadOrigin(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	for _, a := range admissions {
		t.Run(a.name, func(t *testing.T) {
			e := start(t, a.site, addr)
			for range 3 {
				got := e.get("/")
				if got.err != nil || got.status != http.StatusBadGateway {
					t.Errorf("status %d, error %v; 502 was expected", got.status, got.err)
				}
				if cc := got.header.Get("Cache-Control"); cc != "private, no-store" {
					t.Errorf("Cache-Control %q", cc)
				}
			}
			if r := awaitRecord(t, "refuse", nil); r.Reasons[0] != "origin-error" {
				t.Errorf("refused with %v", r.Reasons)
			}
			settled(t)
			nothingStored(t)
		})
	}
}

// TestMissBeforeAdmission: a request that found nothing just before a fill was
// admitted does not start another one when it comes to it after.
func TestMissBeforeAdmission(t *testing.T) {
	var asked atomic.Int64
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		publicPage(w, r, nil)
	})
	for _, a := range admissions {
		t.Run(a.name, func(t *testing.T) {
			asked.Store(0)
			e := start(t, a.site, origin, "store watched")
			late := newHold(t)
			missed := make(chan struct{})
			watched := lastWatched.Load()
			var first atomic.Bool
			watched.missed = func() {
				if first.CompareAndSwap(false, true) {
					close(missed)
					late.wait(t.Context())
				}
			}
			latecomer := e.asyncGet("/")
			await(t, "the latecomer's miss", missed)
			e.ok("/")
			settled(t)
			before := asked.Load()
			late.release()
			if got := await(t, "the latecomer's answer", latecomer); got.body != pageText || !got.shared() {
				t.Errorf("%q (%s)", got.body, got.header.Get("Cache-Status"))
			}
			settled(t)
			if n := asked.Load(); n != before {
				t.Errorf("the origin was asked %d times more", n-before)
			}
		})
	}
}
