package fleet

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
)

// operator changes pages and purges them, trips routes and resets them, by whichever edge.
type operator struct {
	nodes   []*node
	origin  *origin
	journal *journal
	checker *checker
	random  *rand.Rand
	figures *figures
	client  []*http.Client // for looking at the edges, one each

	// tripped are the routes that may be, and since when; of those that are known the
	// journal knows as well.
	tripped map[string]time.Time
	known   map[string]bool
	// troubled says whether a fault is going on, or was a moment ago.
	troubled func() bool
	// absent says whether the edge cannot answer now.
	absent func(*node) bool
}

func newOperator(nodes []*node, c *checker, seed uint64) *operator {
	o := &operator{
		nodes: nodes, origin: c.origin, journal: c.journal, checker: c, figures: newFigures(),
		random: rand.New(rand.NewPCG(seed, 1<<32)), tripped: make(map[string]time.Time), known: make(map[string]bool),
		troubled: func() bool { return false }, absent: func(*node) bool { return false },
	}
	for range nodes {
		o.client = append(o.client, newClient())
	}
	return o
}

// by is an edge that can be asked now.
func (o *operator) by() *node {
	for {
		if n := o.nodes[o.random.IntN(len(o.nodes))]; !o.absent(n) {
			return n
		}
	}
}

// step does one thing, after a moment in which something can be stored again.
func (o *operator) step() {
	time.Sleep(time.Duration(o.random.Int64N(int64(o.journal.lease/50) + 1)))
	switch dice := o.random.IntN(100); {
	case dice < 84:
		o.purge(o.by(), o.selection())
	default:
		o.switchRoute(o.by(), []string{news, shop}[dice%2])
	}
}

// selection is what is purged: the pages that it means, and the question.
type selection struct {
	way   string
	pages []string
	purge control.Purge
}

func (o *operator) selection() selection {
	route, group := []string{news, shop}[o.random.IntN(2)], o.random.IntN(groups)
	switch dice := o.random.IntN(100); {
	case dice < 50:
		return byURL(pagePath(route, group, o.random.IntN(perGroup)))
	case dice < 70:
		return selection{"tag", groupPages(route, group), control.Purge{Tag: route + "-" + strconv.Itoa(group)}}
	case dice < 92:
		return selection{"prefix", groupPages(route, group), control.Purge{Prefix: fmt.Sprintf("%s/p/%s/%d/", host, route, group)}}
	case dice < 98:
		return selection{"route", routePages(route), control.Purge{Route: route}}
	}
	return selection{"all", append(append(routePages(news), routePages(shop)...), routePages(calm)...), control.Purge{All: true}}
}

func byURL(path string) selection {
	return selection{"url", []string{path}, control.Purge{URL: "http://" + host + path}}
}

// purge changes pages and has what is stored of them purged. It returns when the edges
// serve the new ones, and whether it was acknowledged.
func (o *operator) purge(by *node, s selection) bool {
	versions := o.origin.change(s.pages...)
	shown := s.pages[0]
	ordered := time.Now()
	seen := func() (time.Time, bool) { return time.Time{}, false }
	if !slow(shown) { // that would measure the origin
		seen = o.look(shown, versions[shown])
	}
	var done control.Purged
	err := by.order("purge", s.purge, &done)
	at := time.Now()
	acked := acknowledged(err, done.Fleet, done.Problems)
	if acked {
		o.journal.purged(versions, at, fmt.Sprintf("a purge by %s, acknowledged by edge %d", s.way, by.number+1))
	}
	last, complete := seen()
	troubled := o.troubled()
	o.figures.purged(s.way, acked, troubled, at.Sub(ordered), last.Sub(at), last.Sub(ordered), complete)
	if !acked && !troubled {
		o.checker.fault("%s: purge by %s without any fault: %v, fleet %+v, problems %q", by.name(), s.way, err, done.Fleet, done.Problems)
	}
	return acked
}

// look watches what the edges serve of a page. The function that it returns waits until all
// of them serve the version, and says when the last of them first did; incomplete: one did
// not in a time in which each had to, which is for the checker to judge.
func (o *operator) look(path string, version int64) (wait func() (last time.Time, complete bool)) {
	var mu sync.Mutex
	var last time.Time
	complete := true
	var looking sync.WaitGroup
	end := time.Now().Add(4 * o.journal.lease)
	for i, n := range o.nodes {
		if o.absent(n) {
			continue
		}
		looking.Go(func() {
			for first := true; ; first = false {
				a := answer{path: path}
				get(o.client[i], n, &a)
				page, ok := o.checker.take(&a)
				if ok && page.version >= version {
					// An edge that has it from the beginning says nothing of purges, but
					// does serve it from then on.
					mu.Lock()
					if a.received.After(last) {
						last = a.received
					}
					mu.Unlock()
					return
				}
				if !first && time.Now().After(end) {
					mu.Lock()
					complete = false
					mu.Unlock()
					return
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	return func() (time.Time, bool) {
		looking.Wait()
		return last, complete
	}
}

// switchRoute trips a route, or resets it where it is tripped: now and then at once, but
// mostly when it has been in force everywhere for a while.
func (o *operator) switchRoute(by *node, route string) {
	switch since, tripped := o.tripped[route]; {
	case !tripped && o.random.IntN(3) == 0:
		o.trip(by, route)
	case tripped && (time.Since(since) > o.journal.lease*3/2 || o.random.IntN(8) == 0):
		o.reset(by, route)
	}
}

func (o *operator) trip(by *node, route string) bool {
	o.tripped[route] = time.Now()
	var done control.Switched
	err := by.order("trip", control.Trip{Route: route, Why: "to see", By: "the test"}, &done)
	acked := acknowledged(err, done.Fleet, done.Problems)
	if o.known[route] = o.known[route] || acked; acked {
		o.journal.tripped(route, time.Now())
	}
	o.figures.did("trip", acked)
	if !acked && !o.troubled() {
		o.checker.fault("%s: trip without any fault: %v, fleet %+v, problems %q", by.name(), err, done.Fleet, done.Problems)
	}
	return acked
}

func (o *operator) reset(by *node, route string) bool {
	o.journal.reset(route, time.Now())
	var done control.Switched
	err := by.order("reset", control.Reset{Route: route, Why: "seen", By: "the test"}, &done)
	// It may be that nobody was ever told of the trip.
	acked := acknowledged(err, done.Fleet, done.Problems) ||
		!o.known[route] && err != nil && strings.Contains(err.Error(), "is not tripped")
	if acked {
		delete(o.tripped, route)
		delete(o.known, route)
	}
	o.figures.did("reset", acked)
	if !acked && !o.troubled() {
		o.checker.fault("%s: reset without any fault: %v, fleet %+v, problems %q", by.name(), err, done.Fleet, done.Problems)
	}
	return acked
}

// fault is a finding that is no answer's.
func (c *checker) fault(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count++; len(c.found) < maxFindings {
		c.found = append(c.found, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
	}
}
