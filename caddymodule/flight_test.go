package caddymodule

import (
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

func newTestFlights(limit int64) *flights {
	t := newFlights()
	t.max.Store(limit)
	return t
}

func TestFlightHasOneLeader(t *testing.T) {
	table := newTestFlights(10)
	key := store.Key{1}
	lead, leader := table.join(key)
	if lead == nil || !leader {
		t.Fatalf("the first to join leads; got %v, %v", lead, leader)
	}
	if f, leader := table.join(key); f != lead || leader {
		t.Fatalf("the second to join waits for the first; got %p of %p, %v", f, lead, leader)
	}
	table.leave(lead)
	if f, leader := table.join(key); f == lead || !leader {
		t.Error("after the flight is left, the next to join leads a new one")
	}
}

// A flight that was left late, after another one took its place, must not take
// the other from the table.
func TestFlightLeftTwiceLeavesTheNextAlone(t *testing.T) {
	table := newTestFlights(10)
	first, _ := table.join(store.Key{1})
	table.leave(first)
	second, _ := table.join(store.Key{1})
	table.leave(first)
	if f, leader := table.join(store.Key{1}); f != second || leader {
		t.Error("the second flight is gone")
	}
}

func TestFlightFirstVerdictStands(t *testing.T) {
	table := newTestFlights(10)
	object := new(store.Object)
	f, _ := table.join(store.Key{1})
	f.land(object)
	f.land(nil, policies.ReasonDivergent)
	table.leave(f)
	<-f.done
	if f.object != object || f.reasons != nil {
		t.Errorf("verdict %v, %v; the first one was expected", f.object, f.reasons)
	}
}

func TestFlightThatNobodyLandedIsAborted(t *testing.T) {
	table := newTestFlights(10)
	f, _ := table.join(store.Key{1})
	table.leave(f)
	<-f.done
	if f.object != nil || len(f.reasons) != 1 || f.reasons[0] != policies.ReasonFillAborted {
		t.Errorf("verdict %v, %v; fill-aborted was expected", f.object, f.reasons)
	}
}

func TestFlightsAreBounded(t *testing.T) {
	table := newTestFlights(2)
	a, _ := table.join(store.Key{1})
	table.join(store.Key{2})
	if f, leader := table.join(store.Key{3}); f != nil || leader {
		t.Fatal("a third flight found room in a table for two")
	}
	if f, leader := table.join(store.Key{1}); f != a || leader {
		t.Error("a full table must still let others wait")
	}
	table.leave(a)
	if f, leader := table.join(store.Key{3}); f == nil || !leader {
		t.Error("a flight that ended must make room")
	}
}

// TestFlightsAsModel compares the table with a map, in one goroutine.
func TestFlightsAsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 4).Draw(t, "limit")
		table := newTestFlights(int64(limit))
		model := map[store.Key]*flight{}
		var left []*flight
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			key := store.Key{rapid.ByteRange(0, 5).Draw(t, "key")}
			if rapid.Bool().Draw(t, "join") {
				f, leader := table.join(key)
				switch known := model[key]; {
				case known != nil:
					if f != known || leader {
						t.Fatal("joined another flight than the key's")
					}
				case len(model) >= limit:
					if f != nil || leader {
						t.Fatal("joined beyond the limit")
					}
				default:
					if f == nil || !leader {
						t.Fatal("a new flight has no leader")
					}
					model[key] = f
				}
				continue
			}
			if f := model[key]; f != nil {
				table.leave(f)
				left = append(left, f)
				delete(model, key)
			} else if len(left) > 0 {
				table.leave(left[len(left)-1]) // a second time
			}
		}
		if len(table.byKey) != len(model) {
			t.Fatalf("%d flights are in the table; %d were expected", len(table.byKey), len(model))
		}
	})
}

// TestFlightsUnderRace: at any moment at most one leads a key, and whoever waits
// gets the verdict of the one they wait for.
func TestFlightsUnderRace(t *testing.T) {
	const keys, goroutines, rounds = 3, 16, 300
	table := newTestFlights(keys)
	var leading [keys]atomic.Int64
	verdicts := make(map[*flight]*store.Object)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range rounds {
				k := (g + i) % keys
				f, leader := table.join(store.Key{byte(k)})
				if !leader {
					f.waiters.Add(1)
					<-f.done
					f.waiters.Add(-1)
					mu.Lock()
					want := verdicts[f]
					mu.Unlock()
					if f.object != want || want == nil {
						t.Errorf("a waiter got the object %p; %p was expected", f.object, want)
					}
					continue
				}
				if leading[k].Add(1) != 1 {
					t.Errorf("two lead key %d", k)
				}
				object := new(store.Object)
				mu.Lock()
				verdicts[f] = object
				mu.Unlock()
				f.land(object)
				leading[k].Add(-1)
				table.leave(f)
			}
		})
	}
	wg.Wait()
	if len(table.byKey) != 0 {
		t.Errorf("%d flights are left over", len(table.byKey))
	}
}
