package caddymodule

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/cacheward/cacheward/caddymodule/control"
)

// breaker holds the trips in force: routes of which nothing is stored or served from
// the store until someone resets them, or everything. It outlives configurations, and
// by Caddy's storage the process.
type breaker struct {
	// state is nil while nothing is tripped, which is all that a hit has to see.
	state atomic.Pointer[tripState]

	mu sync.Mutex // of those who change it; never held while something is saved
	// ended are the routes whose trips were ended and may be in what is saved still.
	ended map[string]time.Time
	// lastReset is when a trip was last ended.
	lastReset time.Time

	saving  sync.Mutex // one after the other, so that what is saved last is the last state
	storage atomic.Pointer[certmagic.Storage]
}

// tripState is immutable.
type tripState struct {
	everything *control.Tripped
	routes     map[string]control.Tripped
}

// breakers holds the one breaker, for as long as a configuration has a handler.
var breakers = caddy.NewUsagePool()

const breakerKey = "breaker"

// tripsKey is where the trips are in Caddy's storage.
const tripsKey = "cacheward/trips.json"

// storageTime bounds what reading and writing the trips may take.
const storageTime = 10 * time.Second

// byItself is who trips without being told to.
const byItself = "cacheward"

// savedTrips is what is stored.
type savedTrips struct {
	Schema  int               `json:"schema"`
	Tripped []control.Tripped `json:"tripped"`
}

// newBreaker reads what was tripped when the last process ended. Where that cannot be
// known, everything is: caching what someone has stopped would be worse than not
// caching.
func newBreaker(storage certmagic.Storage, logger *zap.Logger) *breaker {
	b := new(breaker)
	b.use(storage)
	saved, err := loadTrips(storage)
	if err != nil {
		logger.Error("the saved trips cannot be read, so everything is tripped; `cacheward reset` ends that", zap.Error(err))
		saved = []control.Tripped{{Since: time.Now(), Why: "the saved trips cannot be read: " + err.Error(), By: byItself}}
	}
	b.state.Store(newTripState(saved))
	for _, t := range saved {
		logger.Error("caching is tripped", zap.String("scope", tripScope(t.Route)),
			zap.Time("since", t.Since), zap.String("why", t.Why), zap.String("by", t.By))
	}
	return b
}

func loadTrips(storage certmagic.Storage) ([]control.Tripped, error) {
	ctx, cancel := context.WithTimeout(context.Background(), storageTime)
	defer cancel()
	data, err := storage.Load(ctx, tripsKey)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var saved savedTrips
	if err := json.Unmarshal(data, &saved); err != nil {
		return nil, err
	}
	if saved.Schema != control.Schema {
		return nil, fmt.Errorf("they have schema %d; %d was expected", saved.Schema, control.Schema)
	}
	return saved.Tripped, nil
}

// Destruct implements caddy.Destructor.
func (*breaker) Destruct() error { return nil }

// use has the trips saved in another storage from now on: that of the configuration
// that has come into force.
func (b *breaker) use(storage certmagic.Storage) { b.storage.Store(&storage) }

// tripped reports whether the route is. It costs next to nothing.
func (b *breaker) tripped(route string) bool {
	s := b.state.Load()
	if s == nil {
		return false
	}
	_, tripped := s.routes[route]
	return tripped || s.everything != nil
}

// list returns the trips in force, that of everything first, then by route.
func (b *breaker) list() []control.Tripped {
	s := b.state.Load()
	list := []control.Tripped{}
	if s == nil {
		return list
	}
	if s.everything != nil {
		list = append(list, *s.everything)
	}
	for _, t := range s.routes {
		list = append(list, t)
	}
	slices.SortFunc(list, func(x, y control.Tripped) int { return cmp.Compare(x.Route, y.Route) })
	return list
}

// trip puts the trip in force, at once. Of one that is in force already the reason
// and the moment stay; added is false then. To survive a restart it must be saved.
func (b *breaker) trip(t control.Tripped) (added bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.list()
	if i := slices.IndexFunc(list, func(have control.Tripped) bool { return have.Route == t.Route }); i >= 0 {
		if t.Generation > list[i].Generation {
			// All edges apply it, so that all have the same one, which a reset then names.
			list[i] = t
			b.state.Store(newTripState(list))
		}
		return false
	}
	b.state.Store(newTripState(append(list, t)))
	delete(b.ended, t.Route)
	return true
}

// reset ends the trips that match, and returns them. What ended must be saved, or it is
// back after a restart.
func (b *breaker) reset(match func(control.Tripped) bool) (ended []control.Tripped) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var left []control.Tripped
	for _, t := range b.list() {
		if !match(t) {
			left = append(left, t)
			continue
		}
		ended = append(ended, t)
		if b.ended == nil {
			b.ended = make(map[string]time.Time)
		}
		b.ended[t.Route] = time.Now()
		b.lastReset = b.ended[t.Route]
	}
	b.state.Store(newTripState(left))
	return ended
}

// resetSince says whether any trip was ended after that moment.
func (b *breaker) resetSince(moment time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lastReset.After(moment)
}

// save writes the trips in force to Caddy's storage. Those of other processes that use
// the same storage stay in it until they end there: each reads them all when it starts,
// and too much tripped is better than too little. Only of two that save at the very same
// moment, what one of them writes may be lost.
//
// It does not wait longer than storageTime, also where the storage knows no limits: who
// trips waits for the answer. What hangs then goes on hanging, and is saved if it ends.
func (b *breaker) save() error {
	saved := make(chan error, 1)
	go func() { saved <- b.write() }()
	timer := time.NewTimer(storageTime)
	defer timer.Stop()
	select {
	case err := <-saved:
		return err
	case <-timer.C:
		return fmt.Errorf("saving the trips: the storage has not answered for %s", storageTime)
	}
}

func (b *breaker) write() error {
	b.saving.Lock()
	defer b.saving.Unlock()
	b.mu.Lock()
	list, ended := b.list(), maps.Clone(b.ended)
	b.mu.Unlock()
	storage := *b.storage.Load()
	others, err := loadTrips(storage)
	if err != nil {
		others = nil // whether it can be written is what counts
	}
	for _, t := range others {
		_, over := ended[t.Route]
		if !over && !slices.ContainsFunc(list, func(have control.Tripped) bool { return have.Route == t.Route }) {
			list = append(list, t)
		}
	}
	data, err := json.Marshal(savedTrips{control.Schema, list})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), storageTime)
	defer cancel()
	if err := storage.Store(ctx, tripsKey, data); err != nil {
		return fmt.Errorf("saving the trips: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.DeleteFunc(b.ended, func(route string, at time.Time) bool { return at.Equal(ended[route]) })
	return nil
}

func newTripState(list []control.Tripped) *tripState {
	if len(list) == 0 {
		return nil
	}
	s := &tripState{routes: make(map[string]control.Tripped)}
	for _, t := range list {
		if t.Route == "" {
			s.everything = &t
		} else {
			s.routes[t.Route] = t
		}
	}
	return s
}

func tripScope(route string) string {
	if route == "" {
		return "everything"
	}
	return "route " + route
}
