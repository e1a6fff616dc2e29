package store

import (
	"time"

	"github.com/maypok86/otter/v2"
)

// Purge implements [Store]. It goes through the table twice. No lock is held for
// longer than one object takes, so hits go on.
func (m *Memory) Purge(s Selection, soft bool) (Purged, error) {
	selection, err := s.compile()
	if err != nil {
		return Purged{}, err
	}
	t := m.table.Load()
	if t == nil {
		return Purged{}, ErrClosed
	}
	moment := t.invalidated.purge(selection, soft)
	// From here on nothing that is meant comes into the table any more, and what is
	// meant and in it has been there since before.
	meant := func(o *Object) bool {
		return !o.Requested.After(moment) && selection.selects(&subject{Object: o}) && !(soft && o.Variants != nil)
	}
	var p Purged
	for o := range t.cache.Values() {
		p.Looked++
		if !meant(o) {
			continue
		}
		if soft {
			p.Removed += m.age(t, o, moment)
		} else {
			p.Removed += t.remove(o.Key, meant)
		}
	}
	for o := range t.cache.Values() {
		if meant(o) && !(soft && stale(o)) {
			p.Left++
		}
	}
	return p, nil
}

// remove removes the object at the key if it is meant, whether it is the one that was
// seen there or, by now, another. It returns how many it removed.
func (t *table) remove(key Key, meant func(*Object) bool) (removed int) {
	t.cache.ComputeIfPresent(halfOf(key), func(there *Object) (*Object, otter.ComputeOp) {
		if !meant(there) {
			return there, otter.CancelOp
		}
		removed = 1
		return nil, otter.InvalidateOp
	})
	return removed
}

// stale reports whether the time of o's freshness is over. See [Object.Fresh].
func stale(o *Object) bool { return !time.Now().Before(o.Expires) }

// age replaces o, if it is still there, by a copy that is stale since the moment, or
// removes it if a stale one is of no use. It returns how many it replaced or removed.
func (m *Memory) age(t *table, o *Object, moment time.Time) (aged int) {
	if stale(o) {
		return 0
	}
	aging := *o
	aging.Expires, aging.Aged = moment, true
	// As for what is put: who invalidates later finds the copy in the index and in the
	// table, and what was invalidated before gets no copy.
	t.invalidated.mu.RLock()
	defer t.invalidated.mu.RUnlock()
	useful := time.Now().Before(aging.UsableUntil()) && !t.invalidated.refuse(&aging, false)
	if useful {
		m.bytes.Add(aging.Size())
		m.forms.add(&aging, 1)
		t.tags.add(&aging)
	}
	t.cache.ComputeIfPresent(halfOf(o.Key), func(there *Object) (*Object, otter.ComputeOp) {
		switch {
		case there != o:
			return there, otter.CancelOp // replaced, and by nothing that is meant
		case useful:
			aged = 1
			return &aging, otter.WriteOp
		default:
			aged = 1
			return nil, otter.InvalidateOp
		}
	})
	if useful && aged == 0 {
		m.bytes.Add(-aging.Size())
		m.forms.add(&aging, -1)
		t.tags.remove(&aging)
	}
	return aged
}

// Revoked implements [Store].
func (m *Memory) Revoked(o *Object) bool {
	t := m.table.Load()
	if t == nil {
		return true
	}
	t.invalidated.mu.RLock()
	defer t.invalidated.mu.RUnlock()
	// A soft purge asks no more of what is stale.
	return t.invalidated.refuse(o, !stale(o))
}

// Each implements [Store].
func (m *Memory) Each(yield func(*Object) bool) error {
	t := m.table.Load()
	if t == nil {
		return ErrClosed
	}
	for o := range t.cache.Values() {
		if time.Now().Before(o.UsableUntil()) && !yield(o) {
			break
		}
	}
	return nil
}

// Watch implements [Store].
func (m *Memory) Watch(dropped func(*Object, DropCause)) {
	if dropped == nil {
		m.watcher.Store(nil)
		return
	}
	m.watcher.Store(&dropped)
}
