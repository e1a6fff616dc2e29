package caddymodule

import (
	"context"
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
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	zapobserver "go.uber.org/zap/zaptest/observer"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// bubble is a handler without Caddy around it, for tests in a synctest bubble,
// where time is the bubble's.
type bubble struct {
	*Handler
	t    *testing.T
	logs *zapobserver.ObservedLogs
}

// newBubble makes a handler of a policy in YAML. It is to be called, and closed,
// within the bubble.
func newBubble(t *testing.T, policy string, l Limits) *bubble {
	t.Helper()
	parsed, err := policies.ParseYAML("policy.yaml", []byte(policy))
	if err != nil {
		t.Fatal(err)
	}
	core, logs := zapobserver.New(zapcore.InfoLevel)
	h := &Handler{Limits: &l, workers: newWorkers(), placed: new(atomic.Pointer[place]), logger: zap.New(core)}
	h.others = &handlers{named: make(map[string]int), instances: make(map[int]struct{})}
	h.metrics = processMetrics
	h.audit = audit.New(h.logger.Named("audit"), audit.Options{})
	if err := h.provisionLimits(); err != nil {
		t.Fatal(err)
	}
	if h.policy, err = policies.Compile(parsed, "bubble"); err != nil {
		t.Fatal(err)
	}
	if h.shared, err = newShared(&Memory{Size: 64 << 20}); err != nil {
		t.Fatal(err)
	}
	h.shared.flights.max.Store(int64(l.MaxFills))
	h.shared.budget.limit.Store(l.FillMemory)
	return &bubble{Handler: h, t: t, logs: logs}
}

func (b *bubble) close() {
	if err := b.Cleanup(); err != nil {
		b.t.Error(err)
	}
	if err := b.shared.Destruct(); err != nil {
		b.t.Error(err)
	}
}

// get sends a request through the handler. A panic is returned as an error.
func (b *bubble) get(ctx context.Context, target string, next caddyhttp.HandlerFunc) (rec *httptest.ResponseRecorder, err error) {
	rec = httptest.NewRecorder()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	r.Header.Set("User-Agent", "visitor")
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), rec, nil)
	return rec, b.ServeHTTP(rec, r, next)
}

// reasons returns the first reasons of the audit records of an event.
func (b *bubble) reasons(event string) []string {
	var out []string
	for _, entry := range b.logs.All() {
		fields := entry.ContextMap()
		if reasons, ok := fields["reasons"].([]any); ok && fields["event"] == event {
			out = append(out, fmt.Sprint(reasons[0]))
		}
	}
	return out
}

const bubblePolicy = `
routes:
  - name: page
    match: {paths: [/page/*]}
    cache: {ttl: 5m, stale_while_revalidate: 1m, stale_if_error: 1h}
  - name: pub
    match: {paths: [/pub/*]}
    cache: origin
`

// inBubble runs f with a handler in a synctest bubble.
func inBubble(t *testing.T, l Limits, f func(t *testing.T, b *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, bubblePolicy, l)
		defer b.close()
		f(t, b)
	})
}

// shareable answers with the page, after the delays where they are given.
func shareable(own, fill time.Duration) caddyhttp.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		delay := own
		if canonical(r) {
			delay = fill
		}
		if err := pause(r.Context(), delay); err != nil {
			return err
		}
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Header().Set("Content-Type", "text/html")
		_, err := io.WriteString(w, pageText)
		return err
	}
}

// pause sleeps in the bubble's time, and gives up when the request ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestHangingOrigin: how long anybody waits for a fill that does not come.
func TestHangingOrigin(t *testing.T) {
	for _, test := range []struct {
		name, target          string
		leader                time.Duration // until the leader has their answer
		waitFrom, waiter      time.Duration // when a waiter comes, and for how long they wait
		leaderSays, waiterSay string
	}{
		{"corroborated, wait", "/page/a", 0, time.Second, 10 * time.Second, "", "wait-timeout"},
		{"corroborated, fill timeout", "/page/a", 0, 55 * time.Second, 5 * time.Second, "", "fill-aborted"},
		{"once, wait", "/pub/a", time.Minute, time.Second, 10 * time.Second, "fill-aborted", "wait-timeout"},
		{"once, fill timeout", "/pub/a", time.Minute, 55 * time.Second, 5 * time.Second, "fill-aborted", "fill-aborted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, Limits{}, func(t *testing.T, b *bubble) {
				next := shareable(0, time.Hour) // the fill hangs, own answers do not
				var wg sync.WaitGroup
				ask := func(after, takes time.Duration, says string) {
					time.Sleep(after)
					began := time.Now()
					rec, err := b.get(t.Context(), test.target, next)
					if err != nil || rec.Body.String() != pageText {
						t.Errorf("error %v, body %q", err, rec.Body)
					}
					if took := time.Since(began); took != takes {
						t.Errorf("an answer took %s; %s was expected", took, takes)
					}
					if got := rec.Header().Get("Cache-Status"); says != "" && !strings.Contains(got, "detail="+says) {
						t.Errorf("Cache-Status %q; %s was expected", got, says)
					}
				}
				wg.Go(func() { ask(0, test.leader, test.leaderSays) })
				wg.Go(func() { ask(test.waitFrom, test.waiter, test.waiterSay) })
				wg.Wait()
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if n := b.shared.inFlight(); n != 0 {
					t.Errorf("%d keys are still being judged", n)
				}
				if reasons := b.reasons("refuse"); len(reasons) != 1 || reasons[0] != "fill-aborted" {
					t.Errorf("refused with %v", reasons)
				}
				if used := b.shared.budget.used.Load(); used != 0 {
					t.Errorf("%d bytes were not given back", used)
				}
			})
		})
	}
}

// trickle answers in ten pieces, one every ten seconds.
func trickle(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "public, max-age=300")
	for i := range 10 {
		if _, err := fmt.Fprintf(w, "piece %d\n", i); err != nil {
			return err
		}
		if err := pause(r.Context(), 10*time.Second); err != nil {
			return err
		}
	}
	return nil
}

// TestFillOutlivesItsLimitForItsVisitor: the visitor who is being given a fill gets
// all of it, whatever ends for everybody else meanwhile.
func TestFillOutlivesItsLimitForItsVisitor(t *testing.T) {
	for _, test := range []struct {
		name string
		ends func(t *testing.T, b *bubble)
	}{
		{"time limit", func(*testing.T, *bubble) {}},
		{"unloading", func(t *testing.T, b *bubble) {
			time.Sleep(25 * time.Second)
			began := time.Now()
			if err := b.Cleanup(); err != nil {
				t.Errorf("cleanup: %v", err)
			}
			if took := time.Since(began); took != 0 {
				t.Errorf("cleanup waited %s for a visitor's download", took)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, Limits{}, func(t *testing.T, b *bubble) {
				var wg sync.WaitGroup
				wg.Go(func() {
					rec, err := b.get(t.Context(), "/pub/a", trickle)
					if err != nil || strings.Count(rec.Body.String(), "piece") != 10 {
						t.Errorf("error %v, body %q", err, rec.Body)
					}
				})
				time.Sleep(5 * time.Second)
				test.ends(t, b)
				wg.Wait()
				synctest.Wait()
				if n := b.shared.store.Stats().Objects; n != 0 {
					t.Errorf("%d objects are stored", n)
				}
				if n, used := b.shared.inFlight(), b.shared.budget.used.Load(); n != 0 || used != 0 {
					t.Errorf("%d keys are being judged, %d bytes were not given back", n, used)
				}
			})
		})
	}
}

// TestFillEndsWithItsVisitor: past its limit a fill is there for its visitor only,
// so it ends when they leave.
func TestFillEndsWithItsVisitor(t *testing.T) {
	inBubble(t, Limits{}, func(t *testing.T, b *bubble) {
		ctx, leave := context.WithCancel(t.Context())
		ended := false
		go func() {
			_, _ = b.get(ctx, "/pub/a", func(w http.ResponseWriter, r *http.Request) error {
				w.Header().Set("Cache-Control", "public, max-age=300")
				_, _ = io.WriteString(w, "beginning")
				err := pause(r.Context(), time.Hour)
				ended = true
				return err
			})
		}()
		time.Sleep(2 * time.Minute)
		if synctest.Wait(); ended {
			t.Fatal("the fill ended while its visitor was there")
		}
		leave()
		if synctest.Wait(); !ended {
			t.Error("the fill goes on for nobody")
		}
	})
}

// TestDeadOriginAndStaleObject: whoever asks while the origin is down is given the old object,
// with nothing of the error in it.
func TestDeadOriginAndStaleObject(t *testing.T) {
	down := func(w http.ResponseWriter, r *http.Request) error {
		if err := pause(r.Context(), time.Second); err != nil {
			return err
		}
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Set-Cookie", "error=1")
		w.Header().Set("X-Error", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, err := io.WriteString(w, "down")
		return err
	}
	unreachable := func(_ http.ResponseWriter, r *http.Request) error {
		if err := pause(r.Context(), time.Second); err != nil {
			return err
		}
		return caddyhttp.Error(http.StatusBadGateway, io.ErrUnexpectedEOF)
	}
	for _, test := range []struct {
		name string
		next caddyhttp.HandlerFunc
	}{{"503", down}, {"unreachable", unreachable}} {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, Limits{}, func(t *testing.T, b *bubble) {
				if _, err := b.get(t.Context(), "/page/a", shareable(0, 0)); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				time.Sleep(10 * time.Minute) // past its lifetime and stale_while_revalidate
				var wg sync.WaitGroup
				for i := range 4 {
					// The leader, two who wait for the verdict, and one who finds it
					// remembered.
					delays := []time.Duration{0, time.Millisecond, time.Millisecond, 1500 * time.Millisecond}
					wg.Go(func() {
						time.Sleep(delays[i])
						rec, err := b.get(t.Context(), "/page/a", test.next)
						h := rec.Header()
						if err != nil || rec.Code != http.StatusOK || rec.Body.String() != pageText {
							t.Errorf("visitor %d: status %d, error %v, body %q", i, rec.Code, err, rec.Body)
						}
						if types := h["Content-Type"]; len(types) != 1 || types[0] != "text/html" {
							t.Errorf("visitor %d: Content-Type %q", i, types)
						}
						for _, name := range []string{"X-Error", "Set-Cookie", "Content-Encoding"} {
							if v, ok := h[name]; ok {
								t.Errorf("visitor %d got the error's %s: %q", i, name, v)
							}
						}
						if cc := h["Cache-Control"]; len(cc) != 1 || cc[0] != "private, no-store" {
							t.Errorf("visitor %d: Cache-Control %q", i, cc)
						}
					})
				}
				wg.Wait()
				time.Sleep(2 * time.Hour) // past stale_if_error
				rec, err := b.get(t.Context(), "/page/a", test.next)
				if err == nil && rec.Code < 500 {
					t.Errorf("status %d long after; the error was expected", rec.Code)
				}
			})
		})
	}
}

// TestStaleObjectEndsMeanwhile: an error that was held back for the sake of an
// object is not swallowed when the object's time is over before the answer comes.
func TestStaleObjectEndsMeanwhile(t *testing.T) {
	inBubble(t, Limits{}, func(t *testing.T, b *bubble) {
		if _, err := b.get(t.Context(), "/page/a", shareable(0, 0)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		time.Sleep(time.Hour + 5*time.Minute - time.Second)
		rec, err := b.get(t.Context(), "/page/a", func(w http.ResponseWriter, r *http.Request) error {
			if err := pause(r.Context(), 2*time.Second); err != nil {
				return err
			}
			w.WriteHeader(http.StatusServiceUnavailable)
			return nil
		})
		if err != nil || rec.Code == http.StatusOK && rec.Body.String() != pageText {
			t.Errorf("status %d, error %v, body %q; the page or the error was expected", rec.Code, err, rec.Body)
		}
	})
}

// TestRefreshFailsQuietly: while the origin is down, stale hits do not send it one
// request after the other.
func TestRefreshFailsQuietly(t *testing.T) {
	inBubble(t, Limits{}, func(t *testing.T, b *bubble) {
		if _, err := b.get(t.Context(), "/page/a", shareable(0, 0)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		time.Sleep(5*time.Minute + time.Second)
		asked := 0
		down := func(http.ResponseWriter, *http.Request) error {
			asked++
			return caddyhttp.Error(http.StatusBadGateway, io.ErrUnexpectedEOF)
		}
		for range 20 {
			rec, err := b.get(t.Context(), "/page/a", down)
			if err != nil || rec.Body.String() != pageText {
				t.Fatalf("error %v, body %q", err, rec.Body)
			}
			synctest.Wait()
		}
		if asked != 1 {
			t.Errorf("the origin was asked %d times within a moment; 1 was expected", asked)
		}
		time.Sleep(originRefusal)
		if _, err := b.get(t.Context(), "/page/a", shareable(0, 0)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		rec, err := b.get(t.Context(), "/page/a", down)
		if err != nil || !strings.Contains(rec.Header().Get("Cache-Status"), "ttl=300") {
			t.Errorf("the refresh did not come back: %q, error %v", rec.Header().Get("Cache-Status"), err)
		}
	})
}

// TestRefusalsExpire: a key that was refused is asked for by each visitor alone, and
// tried again when the memory of it is over.
func TestRefusalsExpire(t *testing.T) {
	inBubble(t, Limits{}, func(t *testing.T, b *bubble) {
		fills := 0
		private := func(w http.ResponseWriter, r *http.Request) error {
			if canonical(r) {
				fills++
			}
			w.Header().Set("Cache-Control", "private")
			_, err := io.WriteString(w, pageText)
			return err
		}
		get := func() {
			t.Helper()
			if rec, err := b.get(t.Context(), "/page/a", private); err != nil || rec.Body.String() != pageText {
				t.Fatalf("error %v, body %q", err, rec.Body)
			}
			synctest.Wait()
		}
		get()
		for round := range 3 {
			length := gateRefusal << round // the gate's refusals double
			for range 5 {
				get()
				time.Sleep(length / 10)
			}
			if fills != round+1 {
				t.Fatalf("round %d: %d fills; %d were expected", round, fills, round+1)
			}
			time.Sleep(length / 2)
			get()
		}
		if fills != 4 {
			t.Errorf("%d fills; 4 were expected", fills)
		}
		if rec, err := b.get(t.Context(), "/page/a", private); err != nil || !strings.Contains(rec.Header().Get("Cache-Status"), "detail=private") {
			t.Errorf("error %v, Cache-Status %q", err, rec.Header().Get("Cache-Status"))
		}
	})
}

// TestDivergingRouteIsSuspended: after a number of divergences in a row a route is
// left alone, told of once, and tried again later.
func TestDivergingRouteIsSuspended(t *testing.T) {
	inBubble(t, Limits{}, func(t *testing.T, b *bubble) {
		var fills, answers atomic.Int64
		personal := func(w http.ResponseWriter, r *http.Request) error {
			if canonical(r) {
				fills.Add(1)
			}
			_, err := fmt.Fprintf(w, "<input name=token value=%d>", answers.Add(1))
			return err
		}
		// Each page is another key, so no memory of a refusal stands before it.
		visit := func(from, to int) {
			for i := from; i < to; i++ {
				rec, err := b.get(t.Context(), fmt.Sprintf("/page/%d", i), personal)
				if err != nil || rec.Code != http.StatusOK {
					t.Fatalf("status %d, error %v", rec.Code, err)
				}
				synctest.Wait()
			}
		}
		told := func() int { return b.logs.FilterMessageSnippet("keeps diverging").Len() }
		visit(0, store.DefaultDivergences-1)
		if told() != 0 || fills.Load() != store.DefaultDivergences-1 {
			t.Fatalf("told %d times after %d fills", told(), fills.Load())
		}
		visit(100, 130)
		if told() != 1 || fills.Load() != store.DefaultDivergences {
			t.Errorf("told %d times after %d fills; once after %d was expected", told(), fills.Load(), store.DefaultDivergences)
		}
		time.Sleep(store.DefaultSuspension)
		visit(200, 200+store.DefaultDivergences-1)
		if fills.Load() != 2*store.DefaultDivergences-1 {
			t.Errorf("%d fills; it was to be tried again", fills.Load())
		}
		rec, err := b.get(t.Context(), "/page/shareable", shareable(0, 0))
		if err != nil || rec.Body.String() != pageText {
			t.Fatal(err)
		}
		synctest.Wait()
		visit(300, 300+store.DefaultDivergences-1)
		if told() != 1 {
			t.Errorf("told %d times; an admission lets the count begin again", told())
		}
	})
}
