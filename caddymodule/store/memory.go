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
	// cache is nil once closed. Those who still use the old pointer then write
	// to a table that nobody else will read.
	cache atomic.Pointer[otter.Cache[Key, *Object]]

	limit       atomic.Int64
	bytes       atomic.Int64
	evictions   atomic.Uint64
	expirations atomic.Uint64
}

// NewMemory returns an empty store of at most limit bytes, counted as
// [Object.Size] does. It runs one goroutine until Close.
func NewMemory(limit int64) (*Memory, error) {
	if err := checkLimit(limit); err != nil {
		return nil, err
	}
	m := &Memory{}
	m.limit.Store(limit)
	cache, err := otter.New(&otter.Options[Key, *Object]{
		MaximumWeight: uint64(limit),
		// Put refuses what does not fit.
		Weigher: func(_ Key, o *Object) uint32 { return uint32(o.Size()) },
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[Key, *Object]) time.Duration {
			return time.Until(e.Value.UsableUntil())
		}),
		OnAtomicDeletion: m.deleted,
	})
	if err != nil {
		return nil, fmt.Errorf("memory store of %d bytes: %w", limit, err)
	}
	m.cache.Store(cache)
	return m, nil
}

func checkLimit(limit int64) error {
	if limit <= 0 {
		return fmt.Errorf("memory limit is %d bytes; a positive number was expected", limit)
	}
	return nil
}

// deleted runs under a lock of the table, so it only counts.
func (m *Memory) deleted(e otter.DeletionEvent[Key, *Object]) {
	m.bytes.Add(-e.Value.Size())
	switch e.Cause {
	case otter.CauseOverflow:
		m.evictions.Add(1)
	case otter.CauseExpiration:
		m.expirations.Add(1)
	}
}

// Get implements [Store]. It allocates nothing on a hit.
func (m *Memory) Get(key Key, parts []byte) (*Object, error) {
	cache := m.cache.Load()
	if cache == nil {
		return nil, ErrClosed
	}
	o, ok := cache.GetIfPresent(key)
	if !ok || o.Parts != string(parts) {
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
	cache := m.cache.Load()
	if cache == nil {
		return ErrClosed
	}
	size, limit := o.Size(), m.limit.Load()
	if size > min(limit, math.MaxUint32) {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, min(limit, math.MaxUint32))
	}
	if !time.Now().Before(o.UsableUntil()) {
		cache.Invalidate(o.Key)
		return nil
	}
	m.bytes.Add(size)
	cache.Set(o.Key, o)
	if m.bytes.Load() > limit {
		// The table evicts in a goroutine of its own, which may come too late.
		// Doing it here, or waiting for it, is what bounds the excess.
		cache.CleanUp()
	}
	return nil
}

// Delete implements [Store].
func (m *Memory) Delete(key Key) error {
	cache := m.cache.Load()
	if cache == nil {
		return ErrClosed
	}
	cache.Invalidate(key)
	return nil
}

// SetLimit changes the limit while the store is in use, as a reload does. What
// no longer fits is evicted before it returns.
func (m *Memory) SetLimit(limit int64) error {
	if err := checkLimit(limit); err != nil {
		return err
	}
	cache := m.cache.Load()
	if cache == nil {
		return ErrClosed
	}
	m.limit.Store(limit)
	cache.SetMaximum(uint64(limit))
	return nil
}

// Stats implements [Store].
func (m *Memory) Stats() Stats {
	cache := m.cache.Load()
	if cache == nil {
		return Stats{}
	}
	return Stats{
		Objects:     cache.EstimatedSize(),
		Bytes:       m.bytes.Load(),
		Limit:       m.limit.Load(),
		Evictions:   m.evictions.Load(),
		Expirations: m.expirations.Load(),
	}
}

// Close implements [Store]. The memory is free as soon as the last request that
// was looking something up has done so.
func (m *Memory) Close() error {
	cache := m.cache.Swap(nil)
	if cache == nil {
		return ErrClosed
	}
	cache.StopAllGoroutines()
	return nil
}

var _ Store = (*Memory)(nil)
