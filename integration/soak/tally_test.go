package soak

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
)

// tally counts what was done, and notes what went wrong.
type tally struct {
	kinds map[kind]*counts // made once, with all of them
	// died are failures while the origin was dead, broken bodies that the origin broke
	// off.
	died, broken, landed, bytes atomic.Int64

	mu     sync.Mutex
	faults []string // the first ones
	failed int
	orders map[string]int
	again  map[string]int // requests that were sent again around a reload, by what was wrong
}

// counts are of one kind of request.
type counts struct {
	asked, hits, unchanged, parts, left atomic.Int64
}

func newTally() *tally {
	all := &tally{kinds: make(map[kind]*counts), orders: make(map[string]int), again: make(map[string]int)}
	for _, k := range kinds {
		all.kinds[k.kind] = new(counts)
	}
	return all
}

func (t *tally) of(k kind) *counts { return t.kinds[k] }

func (c *counts) count(r reply) {
	if r.hit() {
		c.hits.Add(1)
	}
	switch r.status {
	case http.StatusNotModified:
		c.unchanged.Add(1)
	case http.StatusPartialContent:
		c.parts.Add(1)
	}
}

// keptFaults is how many faults are shown.
const keptFaults = 20

func (t *tally) fault(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed++; len(t.faults) < keptFaults {
		t.faults = append(t.faults, fmt.Sprintf(format, args...))
	}
}

// done counts something that an operator did.
func (t *tally) done(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.orders[what]++
}

// sentAgain counts a request that was, because of the error.
func (t *tally) sentAgain(protocol string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for cause := errors.Unwrap(err); cause != nil; cause = errors.Unwrap(err) {
		err = cause
	}
	t.again[protocol+" "+err.Error()]++
}

// asked is how many requests there were.
func (t *tally) asked() (n int64) {
	for _, c := range t.kinds {
		n += c.asked.Load()
	}
	return n
}

func (t *tally) hits() (n int64) {
	for _, c := range t.kinds {
		n += c.hits.Load()
	}
	return n
}
