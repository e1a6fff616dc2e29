package store

import "time"

// MaxPurges is how many purges are told apart. Of what is beyond, only the time is
// remembered, and holds for every object.
const MaxPurges = 1024

// purges remembers what was purged, and when, so that a fill that began before cannot
// commit after. It is part of [invalidations] and under its lock.
type purges struct {
	list []purge // the oldest first
	// floor holds for every object: what was requested no later is refused.
	floor time.Time
	limit int
}

type purge struct {
	matcher
	what   string
	soft   bool
	moment time.Time
}

// remember notes a purge. Moments never go back from one to the next.
func (p *purges) remember(m matcher, soft bool, now time.Time) {
	if m.All && !soft {
		// It says of every object what all before it say of some.
		p.floor, p.list = now, nil
		return
	}
	what := m.String()
	kept := p.list[:0]
	for i := range p.list {
		old := &p.list[i]
		again := old.soft == soft && old.what == what // the new one says more
		if !again && now.Sub(old.moment) <= InvalidationMemory {
			kept = append(kept, *old)
		}
	}
	if len(kept) >= p.limit {
		p.floor = kept[0].moment
		kept = kept[:copy(kept, kept[1:])]
	}
	clear(p.list[len(kept):])
	p.list = append(kept, purge{m, what, soft, now})
}

// refuse reports whether o was requested no later than a purge that selects it: a hard
// one, or, with soft, any.
func (p *purges) refuse(o *Object, soft bool) bool {
	if !p.floor.IsZero() && !o.Requested.After(p.floor) {
		return true
	}
	what := subject{Object: o}
	for i := len(p.list) - 1; i >= 0; i-- {
		purge := &p.list[i]
		if o.Requested.After(purge.moment) {
			return false // and so after all that are older
		}
		if (soft || !purge.soft) && purge.selects(&what) {
			return true
		}
	}
	return false
}
