package caddymodule

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

func newTestShadow(t testing.TB, limit int) *shadow {
	t.Helper()
	s, err := newShadow(limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// takes has the shadow see an answer with the first byte of its sum, that lives for a
// minute.
func (s *shadow) takes(key, sum byte, alone bool) string {
	now := time.Now()
	outcome, why := s.take(store.Key{key}, foreseen{sum: store.Key{sum}, made: now, expires: now.Add(time.Minute)}, alone, now)
	if why != policies.ReasonNone {
		return string(outcome) + " " + why.String()
	}
	return string(outcome)
}

// TestShadowTakes: what becomes of answers that come one after the other.
func TestShadowTakes(t *testing.T) {
	type step struct {
		after time.Duration
		sum   byte // 0: an answer that is refused for its cookie
		want  string
	}
	const soon = time.Second
	for _, tt := range []struct {
		name  string
		alone bool
		steps []step
	}{
		{"two that agree", false, []step{{0, 1, "fill"}, {soon, 1, "hit"}, {soon, 1, "hit"}}},
		{"two that differ", false, []step{{0, 1, "fill"}, {soon, 2, "pass divergent"}, {soon, 1, "pass divergent"}, {soon, 1, "pass divergent"}}},
		{"differing, and agreeing later", false, []step{{0, 1, "fill"}, {soon, 2, "pass divergent"}, {visitorRefusal, 2, "fill"}, {0, 2, "hit"}}},
		{"admitted is served, whatever comes", false, []step{{0, 1, "fill"}, {0, 1, "hit"}, {soon, 2, "hit"}, {soon, 0, ""}, {soon, 1, "hit"}}},
		{"from the first one on", true, []step{{0, 1, "fill"}, {soon, 2, "hit"}, {58 * time.Second, 3, "hit"}, {soon, 3, "fill"}}},
		{"the lifetime is the first one's", false, []step{{0, 1, "fill"}, {30 * time.Second, 1, "hit"}, {30 * time.Second, 1, "fill"}, {0, 1, "hit"}}},
		{"too far apart", false, []step{{0, 1, "fill"}, {time.Minute, 2, "fill"}, {0, 2, "hit"}}},
		{"refused", false, []step{{0, 0, ""}, {soon, 1, "pass set-cookie"}, {visitorRefusal, 1, "fill"}}},
		{"refused on the way", false, []step{{0, 1, "fill"}, {soon, 0, ""}, {soon, 1, "pass set-cookie"}}},
		{"refused again moves nothing", false, []step{{0, 0, ""}, {visitorRefusal - soon, 0, ""}, {soon, 1, "fill"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newTestShadow(t, 10)
				for i, step := range tt.steps {
					time.Sleep(step.after)
					if step.sum == 0 {
						s.refuse(store.Key{1}, policies.ReasonSetCookie, time.Now())
						continue
					}
					if got := s.takes(1, step.sum, tt.alone); got != step.want {
						t.Errorf("step %d is %q, want %q", i, got, step.want)
					}
				}
			})
		})
	}
}

// TestShadowKeysAreApart: what is seen under one key says nothing about another.
func TestShadowKeysAreApart(t *testing.T) {
	s := newTestShadow(t, 10)
	s.takes(1, 1, true)
	s.refuse(store.Key{2}, policies.ReasonSetCookie, time.Now())
	if got := s.takes(3, 1, true); got != "fill" {
		t.Errorf("another key is a %s", got)
	}
	if f := s.at(store.Key{4}); f != (foreseen{}) || f.hits(time.Now()) {
		t.Errorf("of a key that was never seen it is known %+v", f)
	}
}

// TestShadowIsBounded: however many keys there are, and whatever is known of them.
func TestShadowIsBounded(t *testing.T) {
	const limit = 100
	s := newTestShadow(t, limit)
	for i := range uint64(50 * limit) {
		var key store.Key
		binary.LittleEndian.PutUint64(key[:], i)
		now := time.Now()
		if i%3 == 0 {
			s.refuse(key, policies.ReasonSetCookie, now)
		} else {
			s.take(key, foreseen{expires: now.Add(time.Hour)}, i%2 == 0, now)
		}
		if n := s.len(); n > limit {
			t.Fatalf("after %d keys %d are held; the bound is %d", i+1, n, limit)
		}
	}
	if s.len() == 0 {
		t.Error("nothing is held")
	}
	if _, err := newShadow(-1); err == nil {
		t.Error("a bound below zero is accepted")
	}
}

// TestShadowConcurrently: of answers that agree and come at once, one is the fill.
func TestShadowConcurrently(t *testing.T) {
	const visitors, keys = 8, 50
	for _, alone := range []bool{true, false} {
		s := newTestShadow(t, 1000)
		var mu sync.Mutex
		seen := make(map[string]int)
		var wg sync.WaitGroup
		for range visitors {
			wg.Go(func() {
				for key := range byte(keys) {
					got := s.takes(key, 1, alone)
					known := s.at(store.Key{key})
					mu.Lock()
					seen[got]++
					mu.Unlock()
					if got == "hit" && !known.hits(time.Now()) {
						t.Errorf("a hit on what is not admitted: %+v", known)
					}
				}
			})
		}
		wg.Wait()
		if got, want := fmt.Sprint(seen), fmt.Sprint(map[string]int{"fill": keys, "hit": (visitors - 1) * keys}); got != want {
			t.Errorf("alone %v: %s, want %s", alone, got, want)
		}
	}
}
