package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/caddymodule/store"
)

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
		if told() != 1 || fills.Load() != store.DefaultDivergences+1 {
			t.Errorf("told %d times after %d fills; once after %d was expected", told(), fills.Load(), store.DefaultDivergences+1)
		}
		time.Sleep(store.DefaultSuspension)
		visit(200, 200+store.DefaultDivergences-1)
		if fills.Load() != 2*store.DefaultDivergences {
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
