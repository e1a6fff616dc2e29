package store_test

import (
	"encoding/binary"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// bubble runs f in a synctest bubble with a memory of refusals.
func bubble(t *testing.T, f func(t *testing.T, r *store.Refusals)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r, err := store.NewRefusals(store.DefaultRefusals)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		f(t, r)
	})
}

// remembered sleeps until the refusal of key is over and returns how long it took.
// It gives up after an hour, which no refusal may take.
func remembered(r *store.Refusals, key store.Key) time.Duration {
	start := time.Now()
	for {
		if _, refused := r.Lookup(key); !refused || time.Since(start) > time.Hour {
			return time.Since(start)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func TestRefusalIsRememberedWithItsReason(t *testing.T) {
	bubble(t, func(t *testing.T, r *store.Refusals) {
		key, other := store.Key{1}, store.Key{2}
		if reason, refused := r.Lookup(key); refused || reason != policies.ReasonNone {
			t.Fatalf("Lookup in an empty memory = %s, %t", reason, refused)
		}
		r.Remember(key, policies.ReasonSetCookie, 10*time.Second, false)
		if reason, refused := r.Lookup(key); !refused || reason != policies.ReasonSetCookie {
			t.Errorf("Lookup = %s, %t; want set-cookie", reason, refused)
		}
		if _, refused := r.Lookup(other); refused {
			t.Error("another key is refused as well")
		}
		if got := remembered(r, key); got != 10*time.Second {
			t.Errorf("remembered for %s, want 10s", got)
		}
		r.Remember(key, policies.ReasonPrivate, 10*time.Second, false)
		r.Forget(key)
		if _, refused := r.Lookup(key); refused {
			t.Error("what was forgotten is remembered")
		}
	})
}

func TestRefusalGrows(t *testing.T) {
	bubble(t, func(t *testing.T, r *store.Refusals) {
		key := store.Key{1}
		for i, want := range []time.Duration{
			10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second,
			store.MaxRefusal, store.MaxRefusal, store.MaxRefusal,
		} {
			r.Remember(key, policies.ReasonDivergent, 10*time.Second, true)
			if got := remembered(r, key); got != want {
				t.Fatalf("refusal %d was remembered for %s, want %s", i+1, got, want)
			}
		}
	})
}

func TestRefusalThatDoesNotGrow(t *testing.T) {
	bubble(t, func(t *testing.T, r *store.Refusals) {
		key := store.Key{1}
		for i := range 5 {
			r.Remember(key, policies.ReasonDivergent, 10*time.Second, false)
			if got := remembered(r, key); got != 10*time.Second {
				t.Fatalf("refusal %d was remembered for %s, want 10s", i+1, got)
			}
		}
		// It also takes growth back.
		r.Remember(key, policies.ReasonDivergent, 10*time.Second, true)
		if got := remembered(r, key); got != 20*time.Second {
			t.Fatalf("remembered for %s, want 20s", got)
		}
		r.Remember(key, policies.ReasonDivergent, 10*time.Second, false)
		if got := remembered(r, key); got != 10*time.Second {
			t.Errorf("remembered for %s, want 10s", got)
		}
	})
}

func TestRefusalGrowthLapses(t *testing.T) {
	for _, c := range []struct {
		name  string
		after time.Duration // since the second refusal, which was remembered for 20 s
		want  time.Duration
	}{
		{"just before", 80*time.Second - 1, 40 * time.Second},
		{"at once when it has", 80 * time.Second, 10 * time.Second},
		{"long after", time.Hour, 10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *store.Refusals) {
				key := store.Key{1}
				r.Remember(key, policies.ReasonDivergent, 10*time.Second, true)
				remembered(r, key)
				r.Remember(key, policies.ReasonDivergent, 10*time.Second, true)
				time.Sleep(c.after)
				r.Remember(key, policies.ReasonDivergent, 10*time.Second, true)
				if got := remembered(r, key); got != c.want {
					t.Errorf("remembered for %s, want %s", got, c.want)
				}
			})
		})
	}
}

// TestRefusalsOfOneRound: fills that were under way when a refusal was remembered
// neither double nor shorten it.
func TestRefusalsOfOneRound(t *testing.T) {
	bubble(t, func(t *testing.T, r *store.Refusals) {
		key := store.Key{1}
		for range 20 {
			r.Remember(key, policies.ReasonDivergent, 10*time.Second, true)
		}
		r.Remember(key, policies.ReasonNoStore, time.Second, false)
		if reason, _ := r.Lookup(key); reason != policies.ReasonNoStore {
			t.Errorf("the reason is %s, want the last one, no-store", reason)
		}
		if got := remembered(r, key); got != 10*time.Second {
			t.Errorf("remembered for %s, want 10s", got)
		}
	})
}

func TestRefusalLengths(t *testing.T) {
	for _, c := range []struct {
		name    string
		d, want time.Duration
	}{
		{"none", 0, 0},
		{"negative", -time.Minute, 0},
		{"more than the most", time.Hour, store.MaxRefusal},
		{"more than can be doubled", 1<<63 - 1, store.MaxRefusal},
	} {
		for _, grow := range []bool{false, true} {
			t.Run(c.name, func(t *testing.T) {
				bubble(t, func(t *testing.T, r *store.Refusals) {
					for range 3 {
						r.Remember(store.Key{1}, policies.ReasonStatus, c.d, grow)
						if got := remembered(r, store.Key{1}); got != c.want {
							t.Errorf("remembered for %s, want %s", got, c.want)
						}
					}
				})
			})
		}
	}
}

// TestNothingIsPinned: however a key is refused, five minutes after the last
// refusal it is tried again, and some time later nothing is left of it.
func TestNothingIsPinned(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type step struct {
			wait, d time.Duration
			grow    bool
		}
		steps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
			return step{
				time.Duration(rapid.Int64Range(0, int64(10*time.Minute)).Draw(t, "wait")),
				time.Duration(rapid.Int64Range(0, int64(10*time.Minute)).Draw(t, "d")),
				rapid.Bool().Draw(t, "grow"),
			}
		}), 1, 30).Draw(rt, "steps")
		bubble(t, func(t *testing.T, r *store.Refusals) {
			key := store.Key{1}
			for _, s := range steps {
				time.Sleep(s.wait)
				r.Remember(key, policies.ReasonDivergent, s.d, s.grow)
			}
			time.Sleep(store.MaxRefusal)
			if _, refused := r.Lookup(key); refused {
				t.Errorf("after %+v the key is refused for longer than %s", steps, store.MaxRefusal)
			}
			time.Sleep(4*store.MaxRefusal + 5*time.Second)
			synctest.Wait()
			if n := r.Len(); n != 0 {
				t.Errorf("after %+v %d keys are held for good", steps, n)
			}
		})
	})
}

func TestRefusalsAreBounded(t *testing.T) {
	const limit = 100
	r, err := store.NewRefusals(limit)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := range 10_000 {
		r.Remember(numbered(i), policies.ReasonPrivate, time.Minute, true)
		if n := r.Len(); n > limit {
			t.Fatalf("after %d keys %d are held, more than %d", i+1, n, limit)
		}
	}
	if _, err := store.NewRefusals(0); err == nil {
		t.Error("a limit of none was accepted")
	}
}

func numbered(i int) (key store.Key) {
	binary.BigEndian.PutUint64(key[:], uint64(i))
	return key
}

func TestRefusalsInParallel(t *testing.T) {
	r, err := store.NewRefusals(64)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				key := numbered((i + w) % 100)
				r.Remember(key, policies.ReasonPrivate, time.Minute, true)
				if reason, refused := r.Lookup(key); refused && reason != policies.ReasonPrivate {
					t.Errorf("the reason is %s", reason)
				}
				if i%7 == 0 {
					r.Forget(key)
				}
			}
			r.Close()
		})
	}
	wg.Wait()
}

func TestRefusalsLookupAllocatesNothing(t *testing.T) {
	r, err := store.NewRefusals(10)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	r.Remember(store.Key{1}, policies.ReasonPrivate, time.Minute, true)
	if n := testing.AllocsPerRun(10_000, func() { r.Lookup(store.Key{1}); r.Lookup(store.Key{2}) }); n != 0 {
		t.Errorf("a look-up allocates %v times", n)
	}
}

func BenchmarkRefusalsLookup(b *testing.B) {
	r, err := store.NewRefusals(store.DefaultRefusals)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	for i := range 10_000 {
		r.Remember(numbered(i), policies.ReasonPrivate, time.Minute, true)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.Lookup(numbered(i % 20_000))
	}
}

func TestRefusalsClear(t *testing.T) {
	bubble(t, func(t *testing.T, r *store.Refusals) {
		r.Clear()
		keys := make([]store.Key, 1000)
		for round := range 2 { // growth is forgotten as well
			for i := range keys {
				keys[i] = store.Key{byte(i), byte(i >> 8)}
				r.Remember(keys[i], policies.ReasonSetCookie, 10*time.Second, true)
			}
			if got := remembered(r, keys[0]); got != 10*time.Second {
				t.Errorf("round %d: remembered for %s, want 10s", round, got)
			}
			for _, key := range keys {
				r.Remember(key, policies.ReasonSetCookie, 10*time.Second, true)
			}
			r.Clear()
			for _, key := range keys {
				if _, refused := r.Lookup(key); refused {
					t.Fatalf("round %d: %x is still refused", round, key[:2])
				}
			}
			if n := r.Len(); n != 0 {
				t.Errorf("round %d: %d keys are held", round, n)
			}
		}
	})
}
