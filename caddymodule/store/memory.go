package store

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// Memory is the default [Store]: one process's memory, bounded in bytes. When it
// is full, what is asked for often and lately stays (W-TinyLFU), so that a
// crawler that visits everything once does not empty it.
//
// The bound is kept by the goroutine that puts, before Put returns. Bytes can
// exceed the limit only by the objects that are being put at that very moment.
type Memory struct {
	// table is nil once closed. Those who still use the old pointer then write
	// to a table that nobody else will read.
	table atomic.Pointer[table]

	limit       atomic.Int64
	bytes       atomic.Int64
	forms       tally
	evictions   atomic.Uint64
	expirations atomic.Uint64
	watcher     atomic.Pointer[func(*Object, DropCause)]
}

// table is everything that is given up at once when the store closes.
type table struct {
	cache       *otter.Cache[halfKey, *Object]
	tags        tagIndex
	invalidated *invalidations
}

// halfKey is what the table finds an object by, to save memory: half a digest is
// distinct enough, and the whole is in the object, where Get compares it.
type halfKey [16]byte

func halfOf(key Key) halfKey { return halfKey(key[:16]) }

// NewMemory returns an empty store of at most limit bytes, counted as
// [Object.Size] does. It runs one goroutine until Close. Beside that it remembers
// invalidations, in at most 7 MiB, and purges, in a few hundred KiB as a rule and 16 MiB
// at most.
func NewMemory(limit int64) (*Memory, error) {
	if err := checkLimit(limit); err != nil {
		return nil, err
	}
	m := &Memory{}
	m.limit.Store(limit)
	t := &table{invalidated: newInvalidations(MaxInvalidations, MaxPurges)}
	cache, err := otter.New(&otter.Options[halfKey, *Object]{
		MaximumWeight: uint64(limit),
		// Put refuses what does not fit.
		Weigher: func(_ halfKey, o *Object) uint32 { return uint32(o.Size()) },
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[halfKey, *Object]) time.Duration {
			return time.Until(e.Value.UsableUntil())
		}),
		OnAtomicDeletion: func(e otter.DeletionEvent[halfKey, *Object]) { m.deleted(t, e) },
	})
	if err != nil {
		return nil, fmt.Errorf("memory store of %d bytes: %w", limit, err)
	}
	t.cache = cache
	m.table.Store(t)
	return m, nil
}

func checkLimit(limit int64) error {
	if limit <= 0 {
		return fmt.Errorf("memory limit is %d bytes; a positive number was expected", limit)
	}
	return nil
}

// deleted runs under a lock of the table, once for every object that was set, so
// it only counts, takes the object's tags out of the index, and tells who watches.
func (m *Memory) deleted(t *table, e otter.DeletionEvent[halfKey, *Object]) {
	t.tags.remove(e.Value)
	m.bytes.Add(-e.Value.Size())
	m.forms.add(e.Value, -1)
	switch e.Cause {
	case otter.CauseOverflow:
		m.evictions.Add(1)
		m.tell(e.Value, DropEvicted)
	case otter.CauseExpiration:
		m.expirations.Add(1)
		m.tell(e.Value, DropExpired)
	}
}

func (m *Memory) tell(o *Object, why DropCause) {
	if watcher := m.watcher.Load(); watcher != nil && o.Variants == nil {
		(*watcher)(o, why)
	}
}

// Get implements [Store]. It allocates nothing on a hit.
func (m *Memory) Get(key Key, parts []byte) (*Object, error) {
	t := m.table.Load()
	if t == nil {
		return nil, ErrClosed
	}
	o, ok := t.cache.GetIfPresent(halfOf(key))
	if !ok || o.Key != key || o.Parts != string(parts) {
		return nil, nil
	}
	// The table expires entries too, by a clock of its own that it read at some
	// other moment. The promise is ours, so it is checked here.
	if !time.Now().Before(o.UsableUntil()) {
		return nil, nil
	}
	return o, nil
}

// Put implements [Store].
func (m *Memory) Put(o *Object) error {
	t := m.table.Load()
	if t == nil {
		return ErrClosed
	}
	size, limit := o.Size(), m.limit.Load()
	if size > min(limit, math.MaxUint32) {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, min(limit, math.MaxUint32))
	}
	if !time.Now().Before(o.UsableUntil()) {
		t.cache.Invalidate(halfOf(o.Key))
		return nil
	}
	if !m.set(t, o, size) {
		return ErrInvalidated
	}
	if m.bytes.Load() > limit {
		// The table evicts in a goroutine of its own, which may come too late.
		// Doing it here, or waiting for it, is what bounds the excess.
		t.cache.CleanUp()
	}
	return nil
}

// set puts o into the table and its index, unless it was invalidated. Under the
// lock no invalidation begins; each that is remembered later finds o in the index
// and in the table.
func (m *Memory) set(t *table, o *Object, size int64) bool {
	t.invalidated.mu.RLock()
	defer t.invalidated.mu.RUnlock()
	if t.invalidated.refuse(o, true) {
		return false
	}
	m.bytes.Add(size)
	m.forms.add(o, 1)
	t.tags.add(o)
	t.cache.Set(halfOf(o.Key), o)
	return true
}

// Invalidate implements [Store].
func (m *Memory) Invalidate(tag Tag) (int, error) {
	t := m.table.Load()
	if t == nil {
		return 0, ErrClosed
	}
	t.invalidated.remember(tag)
	removed := 0
	for _, o := range t.tags.objects(tag) {
		t.cache.ComputeIfPresent(halfOf(o.Key), func(there *Object) (*Object, otter.ComputeOp) {
			if there != o {
				return there, otter.CancelOp // replaced, or evicted, by now
			}
			removed++
			return nil, otter.InvalidateOp
		})
	}
	return removed, nil
}

// Delete implements [Store].
func (m *Memory) Delete(key Key) error {
	t := m.table.Load()
	if t == nil {
		return ErrClosed
	}
	t.cache.Invalidate(halfOf(key))
	return nil
}

// SetLimit changes the limit while the store is in use, as a reload does. What
// no longer fits is evicted before it returns.
func (m *Memory) SetLimit(limit int64) error {
	if err := checkLimit(limit); err != nil {
		return err
	}
	t := m.table.Load()
	if t == nil {
		return ErrClosed
	}
	m.limit.Store(limit)
	t.cache.SetMaximum(uint64(limit))
	return nil
}

// Stats implements [Store].
func (m *Memory) Stats() Stats {
	t := m.table.Load()
	if t == nil {
		return Stats{}
	}
	return Stats{
		Objects:     t.cache.EstimatedSize(),
		Bytes:       m.bytes.Load(),
		Limit:       m.limit.Load(),
		Evictions:   m.evictions.Load(),
		Expirations: m.expirations.Load(),
		Forms:       int(m.forms.forms.Load()),
		FormBytes:   m.forms.bytes.Load(),
	}
}

// Close implements [Store]. The memory is free as soon as the last request that
// was looking something up has done so.
func (m *Memory) Close() error {
	t := m.table.Swap(nil)
	if t == nil {
		return ErrClosed
	}
	t.cache.StopAllGoroutines()
	return nil
}

var _ Store = (*Memory)(nil)
