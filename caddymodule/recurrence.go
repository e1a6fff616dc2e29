package caddymodule

import (
	"sync"

	"github.com/zeebo/blake3"

	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/store"
)

const (
	maxRecurring = 4096 // keys of which bodies are remembered
	maxBodies    = 8    // bodies of a key
)

// recurrences remembers the bodies of pages that diverged, by their sums. A page of
// which the same few come back is a test of variants; one that is never the same
// again holds something made for each request. It is asked on divergences only.
type recurrences struct {
	mu   sync.Mutex
	seen map[store.Key][]recurring
}

// recurring is a body that was seen.
type recurring struct {
	sum [32]byte
	of  int // which of the two compared answers it was
}

func newRecurrences() *recurrences { return &recurrences{seen: make(map[store.Key][]recurring)} }

// note remembers the bodies of two answers that differ, and reports whether one of
// them was seen in an earlier divergence as the other one. A page made for each
// visitor recurs on either side, but never crosses over.
func (r *recurrences) note(key store.Key, bodies []gate.Body) bool {
	sums := make([][32]byte, len(bodies))
	for i, b := range bodies {
		if !b.Readable {
			return false
		}
		if sums[i] = b.Sum; b.Whole {
			sums[i] = blake3.Sum256(b.Kept)
		}
	}
	if len(sums) == 2 && sums[0] == sums[1] {
		return false // what differs is in the head
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	seen, known := r.seen[key]
	if !known && len(r.seen) >= maxRecurring {
		for other := range r.seen {
			delete(r.seen, other)
			break
		}
	}
	crossed := false
	for i, sum := range sums {
		had := false
		for _, s := range seen {
			crossed = crossed || s.sum == sum && s.of != i
			had = had || s.sum == sum && s.of == i
		}
		if !had {
			seen = append(seen, recurring{sum, i})
		}
	}
	r.seen[key] = seen[max(0, len(seen)-maxBodies):]
	return crossed
}
