package fleet

import (
	"sync"
	"time"
)

// all is every edge, where one is meant otherwise.
const all = -1

// journal knows what was acknowledged, and so from when on what may not be served.
type journal struct {
	lease time.Duration

	mu     sync.Mutex
	floors map[string][]floor // by page
	trips  map[string][]span  // by route
}

// floor is a version below which none may be served by an edge, or all.
type floor struct {
	version int64
	node    int
	from    time.Time // of requests that are sent later
	why     string
}

// maxFloors is how many are kept of a page.
const maxFloors = 256

// span is the time of a trip: until is zero while it lasts.
type span struct{ from, until time.Time }

func newJournal(lease time.Duration) *journal {
	return &journal{lease: lease, floors: make(map[string][]floor), trips: make(map[string][]span)}
}

// purged notes that what is older than these versions was purged: acknowledged at that
// moment.
func (j *journal) purged(versions map[string]int64, at time.Time, why string) {
	for path, version := range versions {
		j.add(path, floor{version, all, at.Add(j.lease), why})
	}
}

// changed notes that a visitor was told by an edge, at that moment, that a page has another
// version. The edge itself knows that at once; the others with a lease, if it was in a
// position to tell them.
func (j *journal) changed(path string, version int64, node int, at time.Time, told bool) {
	j.add(path, floor{version, node, at, "a POST there"})
	if told {
		j.add(path, floor{version, all, at.Add(j.lease), "a POST"})
	}
}

func (j *journal) add(path string, f floor) {
	j.mu.Lock()
	defer j.mu.Unlock()
	// Those that say nothing any more are left out.
	kept := j.floors[path][:0]
	for _, have := range j.floors[path] {
		if have.node != f.node || have.version > f.version || have.from.Before(f.from) {
			kept = append(kept, have)
		}
	}
	if len(kept) > maxFloors {
		kept = kept[len(kept)/2:] // of interest to who asked long ago
	}
	j.floors[path] = append(kept, f)
}

// forgotten notes that an edge was killed: what only it knew, nobody does now.
func (j *journal) forgotten(node int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for path, floors := range j.floors {
		kept := floors[:0]
		for _, f := range floors {
			if f.node != node {
				kept = append(kept, f)
			}
		}
		j.floors[path] = kept
	}
}

// required is the oldest version that the edge may answer a request with, that was sent
// then.
func (j *journal) required(path string, node int, sent time.Time) (f floor) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, have := range j.floors[path] {
		if (have.node == all || have.node == node) && have.from.Before(sent) && have.version > f.version {
			f = have
		}
	}
	return f
}

// tripped notes that the route was: acknowledged at that moment.
func (j *journal) tripped(route string, at time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if n := len(j.trips[route]); n > 0 && j.trips[route][n-1].until.IsZero() {
		return // it was already
	}
	j.trips[route] = append(j.trips[route], span{from: at.Add(j.lease)})
}

// reset notes that somebody is about to end the trip.
func (j *journal) reset(route string, at time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if n := len(j.trips[route]); n > 0 && j.trips[route][n-1].until.IsZero() {
		j.trips[route][n-1].until = at
	}
}

// isTripped says whether the route was, in the whole time from when a request was sent
// until its answer was there, and since when.
func (j *journal) isTripped(route string, sent, received time.Time) (since time.Time, yes bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.trips[route] {
		if s.from.Before(sent) && (s.until.IsZero() || received.Before(s.until)) {
			return s.from, true
		}
	}
	return time.Time{}, false
}
