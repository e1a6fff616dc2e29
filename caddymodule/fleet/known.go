package fleet

import (
	"slices"
	"sync"

	"github.com/cacheward/cacheward/caddymodule/store"
)

// knownTags is how many tags are told apart at least. Twice as many may be.
const knownTags = 32_768

// known is what an edge knows of the events that make objects unservable. It is safe for
// concurrent use.
type known struct {
	mu sync.RWMutex
	// heard: the log has told once what holds.
	heard bool
	// last is the last event that is in it.
	last uint64
	// floor: of objects with an earlier generation it is not known what has selected them.
	floor uint64
	// routes has the last purge of each.
	routes map[string]uint64
	// young and old have the last event for each tag. When the young one is full, it takes
	// the place of the old one, of which floor then holds the last purge.
	young, old tagged
	// list has the purges that have to be held against the object, in their order.
	list []knownPurge
}

type tagged struct {
	last map[store.Tag]uint64
	// purge is the last event among them that is a purge.
	purge uint64
}

type knownPurge struct {
	selection  store.Compiled
	what       string
	generation uint64
}

// begin replaces everything by what the log says to an edge that has lost.
func (k *known) begin(h Heard) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.floor = h.Floor
	k.routes, k.list = make(map[string]uint64), nil
	k.young, k.old = tagged{last: make(map[store.Tag]uint64)}, tagged{}
	for _, e := range h.Purges {
		k.add(e)
	}
	k.heard, k.last = true, h.Generation
}

// note adds an event.
func (k *known) note(e Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.add(e)
	k.last = e.Generation
}

// add is called with mu held.
func (k *known) add(e Event) {
	s := e.Selection
	compiled, err := s.Compile()
	switch {
	case e.Kind == KindTrip || e.Kind == KindReset:
	case e.Kind != KindPurge && e.Kind != KindInvalidate, s.All, err != nil:
		// What cannot be read, as a newer edge may have written it, may mean everything.
		k.floor = max(k.floor, e.Generation)
		clear(k.routes)
		k.list, k.young, k.old = nil, tagged{last: make(map[store.Tag]uint64)}, tagged{}
	case s.Tag != nil:
		k.addTag(*s.Tag, e)
	case s.Route != "":
		k.routes[s.Route] = e.Generation
		if len(k.routes) > store.MaxPurges {
			k.forgetRoute()
		}
	default:
		what := s.String()
		k.list = slices.DeleteFunc(k.list, func(p knownPurge) bool { return p.what == what }) // the new one says more
		if len(k.list) >= store.MaxPurges {
			k.floor = max(k.floor, k.list[0].generation)
			k.list = slices.Delete(k.list, 0, 1)
		}
		k.list = append(k.list, knownPurge{compiled, what, e.Generation})
	}
}

func (k *known) addTag(tag store.Tag, e Event) {
	if len(k.young.last) >= knownTags {
		// Of invalidations nothing is left then: a tier outside the process keeps a
		// generation for each tag itself.
		k.floor = max(k.floor, k.old.purge)
		k.old, k.young = k.young, tagged{last: make(map[store.Tag]uint64)}
	}
	k.young.last[tag] = e.Generation
	if e.Kind == KindPurge {
		k.young.purge = e.Generation
	}
}

func (k *known) forgetRoute() {
	var oldest string
	for route, generation := range k.routes {
		if oldest == "" || generation < k.routes[oldest] {
			oldest = route
		}
	}
	k.floor = max(k.floor, k.routes[oldest])
	delete(k.routes, oldest)
}

// servable reports whether no event after the object's generation selects it.
func (k *known) servable(o *store.Object) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	// An object from beyond what was applied carries a number that means nothing yet: the
	// log may have given it to another event, before it lost its memory.
	if !k.heard || o.Generation == 0 || o.Generation < k.floor || o.Generation > k.last {
		return false
	}
	if k.routes[o.Route] > o.Generation {
		return false
	}
	for _, tag := range o.Tags {
		if k.young.last[tag] > o.Generation || k.old.last[tag] > o.Generation {
			return false
		}
	}
	subject := store.SubjectOf(o)
	for i := len(k.list) - 1; i >= 0 && k.list[i].generation > o.Generation; i-- {
		if k.list[i].selection.Selects(&subject) {
			return false
		}
	}
	return true
}
