package store

import (
	"sync"
	"time"
)

const (
	// InvalidationMemory is for how long an invalidation is remembered at least.
	// No fill may take as long.
	InvalidationMemory = 5 * time.Minute

	// MaxInvalidations is how many invalidated tags are told apart. Of what is
	// beyond, only the time is remembered, and holds for every tag.
	MaxInvalidations = 65_536
)

// invalidations remembers which tags were invalidated and what was purged, so that a
// fill that began before cannot commit after. Of tags it is kept in two generations: when the young one is
// full or old enough, it takes the place of the old one. It is safe for concurrent
// use.
type invalidations struct {
	// mu is held for reading from the check of an object until it is in the
	// table, and so whoever has remembered an invalidation finds in the table
	// everything that was checked before.
	mu         sync.RWMutex
	young, old generation
	// floor holds for every tag. What was requested no later is refused if it has
	// any: what exactly was invalidated until then is no longer known.
	floor time.Time
	limit int // of both generations together

	purges purges
}

func newInvalidations(limit, purged int) *invalidations {
	return &invalidations{
		limit:  limit,
		young:  generation{moments: make(map[Tag]time.Time)},
		purges: purges{limit: purged},
	}
}

type generation struct {
	moments     map[Tag]time.Time
	first, last time.Time
}

// remember notes that the tag is invalidated now.
func (v *invalidations) remember(tag Tag) {
	v.mu.Lock()
	defer v.mu.Unlock()
	// Read under the lock, so that moments never go back from one to the next.
	now := time.Now()
	if len(v.young.moments) >= v.limit/2 || now.Sub(v.young.first) >= InvalidationMemory {
		v.turn(now)
	}
	v.young.moments[tag] = now
	v.young.last = now
}

// purge notes that what is selected is purged now, and returns that moment.
func (v *invalidations) purge(m matcher, soft bool) time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	v.purges.remember(m, soft, now)
	return now
}

// turn begins a generation. What is given up too early with the old one lives on
// in the floor.
func (v *invalidations) turn(now time.Time) {
	if len(v.old.moments) > 0 && now.Sub(v.old.last) < InvalidationMemory {
		v.floor = v.old.last
	}
	v.old = v.young
	v.young = generation{moments: make(map[Tag]time.Time), first: now}
}

// refuse reports whether o was requested no later than one of its tags was
// invalidated, or than a purge that selects it: a hard one, or, with soft, any. The
// caller holds mu.
func (v *invalidations) refuse(o *Object, soft bool) bool {
	if len(o.Tags) > 0 && !v.floor.IsZero() && !o.Requested.After(v.floor) {
		return true
	}
	for _, tag := range o.Tags {
		for _, g := range [...]*generation{&v.young, &v.old} {
			if moment, ok := g.moments[tag]; ok && !o.Requested.After(moment) {
				return true
			}
		}
	}
	return v.purges.refuse(o, soft)
}
