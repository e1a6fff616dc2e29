package reading

import (
	"cmp"
	"hash/fnv"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
)

// Skew is by how much the clock of one edge is at least off, as far as the records tell:
// there are some of which the order is known, and they have the times of the other one.
type Skew struct {
	Edge string
	// Ahead: its clock is ahead of those of Others; else it is behind them.
	Ahead  bool
	By     time.Duration
	Others []string
}

const (
	// leastSkew is what clocks that are kept by NTP may differ by, and more.
	leastSkew = time.Second
	// switchSlack is by how much the record of a purge, trip or reset may be later than
	// that of another edge that was told of it: it is written when all have confirmed, or
	// were waited for, which takes no longer than the longest lease and a little more.
	switchSlack = 70 * time.Second
	// maxTraced bounds how many objects, and how many switches, are compared, maxEdges how
	// many edges are told apart.
	maxTraced = 20_000
	maxEdges  = 64
)

// clocks compares the times that several edges give to what has an order: an object is
// stored by the edge that fetched it before any other can have it; a purge, trip or reset
// is applied elsewhere after it was ordered. Records without an edge are not looked at.
type clocks struct {
	edges   map[string]int // numbered in the order in which they came
	names   []string
	objects map[string]*trace
	// Of so many objects only one in 2^thin is held: those whose ID has a hash for it.
	thin     uint
	switches map[switched]map[int][]int64 // by edge, in Unix nanoseconds
	held     int                          // of all switches
}

// trace is what is known of one object.
type trace struct {
	maker  int   // edge that stored it; -1: not known
	stored int64 // Unix nanoseconds
	// first is when each edge first spoke of it.
	first []sight
}

type sight struct {
	edge int
	at   int64
}

// switched is what was done by one edge and told to all.
type switched struct {
	event  audit.Event
	origin string
	scope  string
}

// add takes note of a record. Its strings are copied where they are kept.
func (c *clocks) add(e *Entry) {
	if e.Edge == "" || e.Time.IsZero() {
		return
	}
	edge := c.edge(e.Edge)
	if edge < 0 {
		return
	}
	switch e.Event {
	case audit.EventPurge, audit.EventTrip, audit.EventReset:
		c.switching(e, edge)
		return
	}
	if e.Object == "" || !c.holds(e.Object) {
		return
	}
	t := c.objects[e.Object]
	if t == nil {
		t = &trace{maker: -1}
		if c.objects == nil {
			c.objects = make(map[string]*trace)
		}
		c.objects[strings.Clone(e.Object)] = t
		c.thinOut()
	}
	at := e.Time.UnixNano()
	if e.Event == audit.EventStore {
		t.made(edge, at)
		return
	}
	t.saw(sight{edge, at})
}

func (t *trace) made(edge int, at int64) {
	if t.maker < 0 || at < t.stored {
		t.maker, t.stored = edge, at
	}
}

func (t *trace) saw(s sight) {
	for i := range t.first {
		if t.first[i].edge == s.edge {
			t.first[i].at = min(t.first[i].at, s.at)
			return
		}
	}
	t.first = append(t.first, s)
}

// edge is the number of an edge, or -1 if there are too many.
func (c *clocks) edge(name string) int {
	n, known := c.edges[name]
	switch {
	case known:
		return n
	case len(c.names) >= maxEdges:
		return -1
	case c.edges == nil:
		c.edges = make(map[string]int)
	}
	name, n = strings.Clone(name), len(c.names)
	c.names, c.edges[name] = append(c.names, name), n
	return n
}

// switching takes note of a purge, trip or reset.
func (c *clocks) switching(e *Entry, edge int) {
	if c.held >= maxTraced {
		return
	}
	c.switchedAt(switched{audit.Event(strings.Clone(string(e.Event))), strings.Clone(OrderedBy(e)), strings.Clone(e.Scope)}, edge, e.Time.UnixNano())
}

// OrderedBy is the edge on which the purge, trip or reset was ordered that the record tells
// of: the record's own, or the one that has told it.
func OrderedBy(e *Entry) string {
	told := e.Detail
	if e.Event == audit.EventPurge {
		told = e.By
	}
	if origin, ok := strings.CutPrefix(told, "edge "); ok && e.Edge != "" {
		return origin
	}
	return e.Edge
}

func (c *clocks) switchedAt(s switched, edge int, at ...int64) {
	if c.switches == nil {
		c.switches = make(map[switched]map[int][]int64)
	}
	if c.switches[s] == nil {
		c.switches[s] = make(map[int][]int64)
	}
	c.switches[s][edge] = append(c.switches[s][edge], at...)
	c.held += len(at)
}

// holds says whether the object is one of those that are compared: the same ones whenever,
// and by whomever, they are read.
func (c *clocks) holds(object string) bool {
	if c.thin == 0 {
		return true
	}
	hash := fnv.New64a()
	_, _ = io.WriteString(hash, object) // it takes everything
	return hash.Sum64()>>(64-c.thin) == 0
}

// thinOut keeps within bounds what is held.
func (c *clocks) thinOut() {
	for len(c.objects) > maxTraced {
		c.thin++
		maps.DeleteFunc(c.objects, func(object string, _ *trace) bool { return !c.holds(object) })
	}
}

// merge adds what another worker has read.
func (c *clocks) merge(o *clocks) {
	number := make([]int, len(o.names))
	for i, name := range o.names {
		number[i] = c.edge(name)
	}
	if o.thin > c.thin {
		c.thin = o.thin
		maps.DeleteFunc(c.objects, func(object string, _ *trace) bool { return !c.holds(object) })
	}
	for object, theirs := range o.objects {
		if !c.holds(object) {
			continue
		}
		ours := c.objects[object]
		if ours == nil {
			ours = &trace{maker: -1}
			if c.objects == nil {
				c.objects = make(map[string]*trace)
			}
			c.objects[object] = ours
		}
		if theirs.maker >= 0 && number[theirs.maker] >= 0 {
			ours.made(number[theirs.maker], theirs.stored)
		}
		for _, s := range theirs.first {
			if number[s.edge] >= 0 {
				ours.saw(sight{number[s.edge], s.at})
			}
		}
	}
	c.thinOut()
	for s, times := range o.switches {
		for edge, at := range times {
			if number[edge] >= 0 {
				c.switchedAt(s, number[edge], at...)
			}
		}
	}
}

// behind says for pairs of edges by how many nanoseconds the first one's clock is at least
// behind the second one's.
func (c *clocks) behind() map[[2]int]int64 {
	worst := make(map[[2]int]int64)
	compare := func(before, after sight) {
		if by := before.at - after.at; before.edge != after.edge && by >= int64(leastSkew) {
			pair := [2]int{after.edge, before.edge}
			worst[pair] = max(worst[pair], by)
		}
	}
	for _, t := range c.objects {
		if t.maker < 0 {
			continue
		}
		for _, s := range t.first {
			compare(sight{t.maker, t.stored}, s)
		}
	}
	for s, times := range c.switches {
		origin, known := c.edges[s.origin]
		ordered := times[origin]
		if !known || len(ordered) == 0 {
			continue
		}
		slices.Sort(ordered)
		for edge, at := range times {
			if edge == origin || len(at) != len(ordered) {
				continue // which is which is not known
			}
			slices.Sort(at)
			for i := range at {
				compare(sight{origin, ordered[i] - int64(switchSlack)}, sight{edge, at[i]})
			}
		}
	}
	return worst
}

// Edges are the names of those that the records are of, sorted; whatever the filter.
func (s *Stats) Edges() []string {
	return slices.Sorted(slices.Values(s.clocks.names))
}

// Skews says which edges' clocks are off, those that are off against most others first. Of
// two, nobody knows which one is right: the one that is behind is named.
func (s *Stats) Skews() []Skew {
	pairs := s.clocks.behind()
	var skews []Skew
	for len(pairs) > 0 {
		var worst Skew
		for edge := range s.clocks.names {
			for _, ahead := range []bool{false, true} {
				if k := s.clocks.skew(edge, ahead, pairs); k.worse(&worst) {
					worst = k
				}
			}
		}
		skews = append(skews, worst)
		maps.DeleteFunc(pairs, func(pair [2]int, _ int64) bool {
			return s.clocks.names[pair[btoi(worst.Ahead)]] == worst.Edge
		})
	}
	return skews
}

// skew is what the pairs say of one edge's clock, in one direction.
func (c *clocks) skew(edge int, ahead bool, pairs map[[2]int]int64) Skew {
	k := Skew{Edge: c.names[edge], Ahead: ahead, By: math.MaxInt64}
	for pair, by := range pairs {
		if own := btoi(ahead); pair[own] == edge {
			k.Others = append(k.Others, c.names[pair[1-own]])
			k.By = min(k.By, time.Duration(by))
		}
	}
	slices.Sort(k.Others)
	return k
}

// worse says whether more speaks against this clock.
func (k *Skew) worse(o *Skew) bool {
	return cmp.Or(cmp.Compare(len(k.Others), len(o.Others)), cmp.Compare(k.By, o.By),
		btoi(o.Ahead)-btoi(k.Ahead), strings.Compare(o.Edge, k.Edge)) > 0 && len(k.Others) > 0
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
