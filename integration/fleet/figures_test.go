package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// figures are what is counted and measured.
type figures struct {
	mu         sync.Mutex
	done       map[string]int // by operation
	unanswered map[string]int // of these, not acknowledged
	quiet      propagation
	troubled   propagation
	back       map[string][]time.Duration // until an edge came back, by what had happened
}

// propagation is what was measured of purges.
type propagation struct {
	acked   []time.Duration // from the order to the acknowledgement
	after   []time.Duration // from the acknowledgement until the last edge served the new page
	whole   []time.Duration // from the order until then
	unknown int             // of pages that are slow, or not served everywhere in four leases
}

func newFigures() *figures {
	return &figures{done: make(map[string]int), unanswered: make(map[string]int), back: make(map[string][]time.Duration)}
}

func (f *figures) did(what string, acked bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done[what]++
	if !acked {
		f.unanswered[what]++
	}
}

func (f *figures) purged(way string, acked, troubled bool, ack, after, whole time.Duration, complete bool) {
	f.did("purge by "+way, acked)
	f.mu.Lock()
	defer f.mu.Unlock()
	p := &f.quiet
	if troubled {
		p = &f.troubled
	}
	switch {
	case !acked:
	case !complete:
		p.unknown++
	default:
		p.acked, p.after, p.whole = append(p.acked, ack), append(p.after, max(0, after)), append(p.whole, whole)
	}
}

func (f *figures) cameBack(after string, d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.back[after] = append(f.back[after], d)
}

// quietly is how many purges were acknowledged and measured while there was no fault.
func (f *figures) quietly() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.quiet.acked)
}

// spread is a distribution in a line.
func spread(all []time.Duration) string {
	if len(all) == 0 {
		return "none"
	}
	s := slices.Sorted(slices.Values(all))
	at := func(q float64) time.Duration {
		return s[min(len(s)-1, int(q*float64(len(s))))].Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("p50 %s, p90 %s, p99 %s, most %s", at(0.5), at(0.9), at(0.99), at(1))
}

func (p propagation) String() string {
	return fmt.Sprintf("%d purges (%d more not measured)\n    order until acknowledged:            %s\n    acknowledged until served everywhere: %s\n    order until served everywhere:        %s",
		len(p.acked), p.unknown, spread(p.acked), spread(p.after), spread(p.whole))
}

func (f *figures) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b strings.Builder
	b.WriteString("operations (not acknowledged):")
	for _, what := range slices.Sorted(maps.Keys(f.done)) {
		fmt.Fprintf(&b, " %s %d (%d);", what, f.done[what], f.unanswered[what])
	}
	fmt.Fprintf(&b, "\n  without faults: %s\n  with faults: %s\n  until an edge served from memory again, after", f.quiet, f.troubled)
	for _, what := range slices.Sorted(maps.Keys(f.back)) {
		fmt.Fprintf(&b, "\n    %s: %s (%d times)", what, spread(f.back[what]), len(f.back[what]))
	}
	return b.String()
}
