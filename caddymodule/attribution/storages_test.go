package attribution

import (
	"context"
	"io/fs"
	"sync"
	"testing"

	"github.com/caddyserver/certmagic"
)

// memory is a storage that two years of reading take no time with.
type memory struct {
	certmagic.Storage
	lock sync.Mutex // of the storage
	mu   sync.Mutex
	data []byte
}

func (m *memory) Load(context.Context, string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.data == nil {
		return nil, fs.ErrNotExist
	}
	return m.data, nil
}

func (m *memory) Store(_ context.Context, _ string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.data = value
	return nil
}

func (m *memory) Lock(context.Context, string) error { m.lock.Lock(); return nil }

func (m *memory) Unlock(context.Context, string) error { m.lock.Unlock(); return nil }

// observed counts what is asked of a storage, and may answer in other ways.
type observed struct {
	certmagic.Storage
	mu      sync.Mutex
	loads   int
	instead func(ctx context.Context, key string) ([]byte, error) // of Load; nil: the storage
	storing error
	locking func(ctx context.Context) error
}

func (o *observed) Load(ctx context.Context, key string) ([]byte, error) {
	o.mu.Lock()
	o.loads++
	instead := o.instead
	o.mu.Unlock()
	if instead != nil {
		return instead(ctx, key)
	}
	return o.Storage.Load(ctx, key)
}

func (o *observed) Store(ctx context.Context, key string, value []byte) error {
	o.mu.Lock()
	err := o.storing
	o.mu.Unlock()
	if err != nil {
		return err
	}
	return o.Storage.Store(ctx, key, value)
}

func (o *observed) Lock(ctx context.Context, name string) error {
	if o.locking != nil {
		return o.locking(ctx)
	}
	return o.Storage.Lock(ctx, name)
}

func (o *observed) loaded() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.loads
}

func (o *observed) answer(instead func(context.Context, string) ([]byte, error)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.instead = instead
}

func openObserved(t *testing.T, o *observed) *Keys {
	t.Helper()
	keys, err := OpenKeys(t.Context(), o, 90*day)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(keys.Close)
	return keys
}
