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
	"github.com/caddyserver/certmagic"
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
	h := &Handler{Limits: &l, placed: new(atomic.Pointer[place]), logger: zap.New(core)}
	h.workers = newWorkers(h.recordPanic)
	h.others = &handlers{named: make(map[string]int), instances: make(map[int]struct{})}
	h.breaker = new(breaker)
	h.breaker.use(&certmagic.FileStorage{Path: t.TempDir()})
	h.metrics = processMetrics
	h.audit = audit.New(h.logger.Named("audit"), audit.Options{})
	if err := h.provisionLimits(); err != nil {
		t.Fatal(err)
	}
	if h.policy, err = policies.Compile(parsed, "bubble"); err != nil {
		t.Fatal(err)
	}
	h.written = parsed
	if err := h.provisionHarmless(); err != nil {
		t.Fatal(err)
	}
	if h.shared, err = newShared(&Memory{Size: 64 << 20}); err != nil {
		t.Fatal(err)
	}
	h.shared.flights.max.Store(int64(l.MaxFills))
	h.shared.budget.limit.Store(l.FillMemory)
	h.shared.observed.limit.Store(l.FillMemory / observedShare)
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
	b.flushAudit()
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

// TestFillAnsweredTooLate: what a handler writes after the fill was ended is not
// stored, although it says nothing of an error.
func TestFillAnsweredTooLate(t *testing.T) {
	for _, target := range []string{"/page/a", "/pub/a"} {
		t.Run(target, func(t *testing.T) {
			inBubble(t, Limits{}, func(t *testing.T, b *bubble) {
				rec, err := b.get(t.Context(), target, func(w http.ResponseWriter, r *http.Request) error {
					if canonical(r) {
						<-r.Context().Done()
					}
					return shareable(0, 0)(w, r.WithContext(t.Context()))
				})
				if err != nil || rec.Body.String() != pageText {
					t.Errorf("error %v, body %q", err, rec.Body)
				}
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if n := b.shared.store.Stats().Objects; n != 0 {
					t.Errorf("%d objects are stored", n)
				}
				if reasons := b.reasons("refuse"); len(reasons) != 1 || reasons[0] != "fill-aborted" {
					t.Errorf("refused with %v", reasons)
				}
			})
		})
	}
}

// panickyStore is one that fails in the worst way.
type panickyStore struct{ store.Store }

func (panickyStore) Put(*store.Object) error { panic("out of order") }

// TestPanicWhileJudging: a fault of ours is no outage. Nothing is stored, and
// everybody is answered.
func TestPanicWhileJudging(t *testing.T) {
	for _, target := range []string{"/page/a", "/pub/a"} {
		t.Run(target, func(t *testing.T) {
			inBubble(t, Limits{}, func(t *testing.T, b *bubble) {
				b.shared.store = panickyStore{b.shared.store}
				var wg sync.WaitGroup
				for range 3 {
					wg.Go(func() {
						rec, err := b.get(t.Context(), target, shareable(time.Second, time.Second))
						if err != nil || rec.Body.String() != pageText {
							t.Errorf("error %v, body %q", err, rec.Body)
						}
					})
				}
				wg.Wait()
				synctest.Wait()
				if n, used := b.shared.inFlight(), b.shared.budget.used.Load(); n != 0 || used != 0 {
					t.Errorf("%d keys are being judged, %d bytes were not given back", n, used)
				}
				if faults := b.reasons("fault"); len(faults) != 1 || faults[0] != "internal-fault" {
					t.Errorf("faults: %v", faults)
				}
			})
		})
	}
}

// TestPanicBeforeTheVerdict: the visitor who waits for the gate's word on their fill
// learns that there will be none.
func TestPanicBeforeTheVerdict(t *testing.T) {
	inBubble(t, Limits{}, func(t *testing.T, b *bubble) {
		b.shared.flights.max.Store(1)
		f, _ := b.shared.flights.join(store.Key{1})
		spool, _, _ := newTestSpool(1, 1)
		broken := &fill{begun: make(chan struct{}), spool: spool}
		broken.writer.wroteFinal = true
		close(broken.begun)
		gated := make(chan []policies.Reason, 1)
		b.workers.run(func() { b.judgeOnce(&job{}, f, broken, gated) }) // a job without a rule
		if reasons, judged := <-gated; judged {
			t.Errorf("verdict %v", reasons)
		}
		<-f.done
		if f.object != nil || f.reasons[0] != policies.ReasonFillAborted {
			t.Errorf("those who wait got %v, %v", f.object, f.reasons)
		}
	})
}
