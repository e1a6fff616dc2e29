package store

import (
	"fmt"
	"sync"
	"time"
)

const (
	// DefaultDivergences is how many divergences in a row suspend a route unless
	// the configuration says otherwise.
	DefaultDivergences = 8

	// DefaultSuspension is for how long, unless the configuration says otherwise.
	DefaultSuspension = time.Minute

	// A policy can have many routes, and every reload may bring new digests, so
	// their number has a bound of its own.
	maxSuspensions = 65_536
)

// Suspensions keeps routes whose responses keep diverging from being tried again
// and again: each try costs the origin a second request. Routes are told apart by
// digest, so that an edited route starts with a clean sheet. It is safe for
// concurrent use.
type Suspensions struct {
	after  int
	length time.Duration
	limit  int

	mu     sync.Mutex
	routes map[string]divergences
}

// divergences of a route since its last admission. While the route is suspended,
// until is set and count is not used.
type divergences struct {
	count int
	until time.Time
}

// NewSuspensions returns a memory that suspends a route for length once it has
// diverged after times in a row.
func NewSuspensions(after int, length time.Duration) (*Suspensions, error) {
	if after <= 0 {
		return nil, fmt.Errorf("divergences before a suspension are %d; a positive number was expected", after)
	}
	if length <= 0 {
		return nil, fmt.Errorf("length of a suspension is %s; a positive duration was expected", length)
	}
	return &Suspensions{
		after:  after,
		length: length,
		limit:  maxSuspensions,
		routes: make(map[string]divergences),
	}, nil
}

// Diverged counts a divergence of the route and reports whether it is the one
// that suspends it. What comes in from fills that were under way when the route
// was suspended is not counted.
func (s *Suspensions) Diverged(route string) (suspendedNow bool) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	d, known := s.current(route, now)
	if !d.until.IsZero() {
		return false
	}
	if !known && len(s.routes) >= s.limit {
		s.makeRoom(now)
	}
	d.count++
	if d.count >= s.after {
		d = divergences{until: now.Add(s.length)}
	}
	s.routes[route] = d
	return !d.until.IsZero()
}

// Suspected counts a divergence of the route that a visitor may have made. It counts
// as any other, but never is the one that suspends the route.
func (s *Suspensions) Suspected(route string) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	d, known := s.current(route, now)
	if !d.until.IsZero() || d.count+1 >= s.after {
		return
	}
	if !known && len(s.routes) >= s.limit {
		s.makeRoom(now)
	}
	d.count++
	s.routes[route] = d
}

// Last reports whether one more divergence would suspend the route.
func (s *Suspensions) Last(route string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, _ := s.current(route, time.Now())
	return d.until.IsZero() && d.count+1 >= s.after
}

// Admitted notes that a response of the route was admitted, so that divergences
// are counted from none again. A suspension runs its time all the same: a fill
// that was under way does not end it.
func (s *Suspensions) Admitted(route string) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, known := s.current(route, now); known && d.until.IsZero() {
		delete(s.routes, route)
	}
}

// Suspended reports whether the route is not to be tried at this moment.
func (s *Suspensions) Suspended(route string) bool {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	d, _ := s.current(route, now)
	return !d.until.IsZero()
}

// Clear ends all suspensions, and forgets all divergences.
func (s *Suspensions) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.routes)
}

// current is what is known of the route. A suspension that is over is forgotten.
func (s *Suspensions) current(route string, now time.Time) (d divergences, known bool) {
	d, known = s.routes[route]
	if d.over(now) {
		delete(s.routes, route)
		return divergences{}, false
	}
	return d, known
}

// makeRoom drops suspensions that are over, or else any one route. A forgotten
// route is tried again; nothing is shared that would not have been.
func (s *Suspensions) makeRoom(now time.Time) {
	for route, d := range s.routes {
		if d.over(now) {
			delete(s.routes, route)
		}
	}
	if len(s.routes) < s.limit {
		return
	}
	for route := range s.routes {
		delete(s.routes, route)
		return
	}
}

func (d divergences) over(now time.Time) bool { return !d.until.IsZero() && !now.Before(d.until) }
