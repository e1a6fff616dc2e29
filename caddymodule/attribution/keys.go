package attribution

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
)

// keysKey is where the keys are in Caddy's storage.
const keysKey = "cacheward/attribution/keys.json"

const (
	storageTime  = 20 * time.Second // for reading or making keys; a dead process' lock is 10 s old
	rereadEvery  = 10 * time.Minute
	rereadAtMost = 10 * time.Second // because of an unknown key
	rereadWait   = 2 * time.Second  // is how long a visitor waits for that
)

// Keys are what cookies are signed and sealed with. Several processes share them by Caddy's
// storage, which they read every ten minutes. A key signs for 30 days; then it verifies
// what it has made, for as long as that may count. Keys is safe for concurrent use.
type Keys struct {
	storage certmagic.Storage
	keep    time.Duration
	ring    atomic.Pointer[ring]
	failed  atomic.Pointer[error]

	ctx   context.Context
	stop  context.CancelFunc
	ended chan struct{}
	busy  chan struct{} // has room for the one who is at the storage

	mu     sync.Mutex
	reread chan struct{} // closed when the reading that goes on is over
	readAt time.Time     // when the last one began
}

// OpenKeys reads the keys, or makes the first one, under the storage's lock, if there is
// none. keep is for how long a key verifies after the next one has begun to sign: the
// longest window in use, 400 days at most. It takes 20 seconds at most, whatever the storage
// does. What cannot be read is an error that says where it is and what to do; no key is made
// then, for everything that visitors carry would count as forged. That a key cannot be
// rotated is none: see Err. Who opens closes.
func OpenKeys(ctx context.Context, storage certmagic.Storage, keep time.Duration) (*Keys, error) {
	k := &Keys{storage: storage, keep: keep, ended: make(chan struct{}), busy: make(chan struct{}, 1)}
	k.ctx, k.stop = context.WithCancel(context.WithoutCancel(ctx))
	if err := k.visit(ctx, true); k.ring.Load() == nil {
		k.stop()
		return nil, err
	}
	go k.follow()
	return k, nil
}

// Close ends reading and rotating. It does not wait for a storage that hangs. What is read
// stays: requests that go on can still seal and open.
func (k *Keys) Close() {
	k.stop()
	<-k.ended
}

// Err is what went wrong when the storage was last read or written, or nil. Keys that were
// read before stay in use.
func (k *Keys) Err() error {
	if err := k.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// follow keeps up with what other processes store, and rotates.
func (k *Keys) follow() {
	defer close(k.ended)
	tick := time.NewTicker(rereadEvery)
	defer tick.Stop()
	for {
		select {
		case <-k.ctx.Done():
			return
		case <-tick.C:
			k.visit(k.ctx, false) // Err says what came of it
		}
	}
}

// find returns the key, or nil where nobody knows it or nothing that it has made counts.
func (k *Keys) find(id [idBytes]byte, now time.Time) *key {
	r := k.ring.Load()
	i := r.byID(id)
	if i < 0 {
		k.awaitReread()
		r = k.ring.Load()
		i = r.byID(id)
	}
	if i < 0 || !r.verifies(i, now) {
		return nil
	}
	return r.keys[i]
}

// awaitReread has the storage read again, if it was not lately, and waits for it, but not
// long: unknown keys are mostly made up.
func (k *Keys) awaitReread() {
	k.mu.Lock()
	over := k.reread
	if over == nil && time.Since(k.readAt) >= rereadAtMost && k.ctx.Err() == nil {
		over = make(chan struct{})
		k.reread, k.readAt = over, time.Now()
		go func() {
			k.visit(k.ctx, false)
			k.mu.Lock()
			k.reread = nil
			k.mu.Unlock()
			close(over)
		}()
	}
	k.mu.Unlock()
	if over == nil {
		return
	}
	enough := time.NewTimer(rereadWait)
	defer enough.Stop()
	select {
	case <-over:
	case <-enough.C:
	}
}

// visit reads the keys and rotates them when it is time. Only with first may it make the
// first one: later, a file that is gone is a disk that is gone.
//
// Storages may hang and not know contexts. So one goroutine at a time is at the storage, and
// nobody waits for it longer than storageTime.
func (k *Keys) visit(ctx context.Context, first bool) error {
	ctx, cancel := context.WithTimeout(ctx, storageTime)
	defer cancel()
	done := make(chan error, 1)
	select {
	case k.busy <- struct{}{}:
		go func() {
			defer func() { <-k.busy }()
			done <- k.sync(ctx, first)
		}()
	case <-ctx.Done():
		done <- ctx.Err()
	}
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("the storage has not answered: %w", err)
	}
	if err != nil {
		err = fmt.Errorf("the keys of attribution, %s: %w; %s", k.place(), err, nextStep(err))
	}
	k.failed.Store(&err)
	return err
}

// sync is at the storage.
func (k *Keys) sync(ctx context.Context, first bool) error {
	r, err := k.load(ctx)
	switch {
	case errors.Is(err, fs.ErrNotExist) && first:
	case err != nil:
		return err
	default:
		if err := k.adopt(ctx, r); err != nil || !r.due(time.Now()) {
			return err
		}
	}
	if err := k.storage.Lock(ctx, keysKey); err != nil {
		return fmt.Errorf("locking: %w", err)
	}
	defer k.storage.Unlock(context.WithoutCancel(ctx), keysKey)
	return k.renew(ctx, first)
}

// renew makes a key, unless somebody has while the lock was waited for.
func (k *Keys) renew(ctx context.Context, first bool) error {
	var saved savedKeys
	r, err := k.load(ctx)
	switch {
	case errors.Is(err, fs.ErrNotExist) && first:
		saved = firstKey(time.Now())
	case err != nil:
		return err
	case r.due(time.Now()):
		saved = r.saved.rotated(time.Now())
	default:
		return k.adopt(ctx, r)
	}
	data, err := json.Marshal(saved)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := k.storage.Store(ctx, keysKey, data); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	// What is stored counts, should a lock have been lost and somebody else have written.
	if r, err = k.load(ctx); err != nil {
		return err
	}
	return k.adopt(ctx, r)
}

func (k *Keys) load(ctx context.Context) (*ring, error) {
	text, err := k.storage.Load(ctx, keysKey)
	if err != nil {
		return nil, err
	}
	if r := k.ring.Load(); r != nil && bytes.Equal(r.text, text) {
		return r, nil
	}
	r, err := parseKeys(text, k.keep)
	if err != nil {
		return nil, &corrupt{err}
	}
	return r, nil
}

// adopt has the keys used from now on. What arrives after everybody has stopped waiting is
// older than what a later visit has read.
func (k *Keys) adopt(ctx context.Context, r *ring) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	k.ring.Store(r)
	return nil
}

// corrupt is an error about what is stored.
type corrupt struct{ error }

func (c *corrupt) Unwrap() error { return c.error }

// place is where the keys are, for people.
func (k *Keys) place() string {
	if files, ok := k.storage.(*certmagic.FileStorage); ok {
		return files.Filename(keysKey)
	}
	return keysKey + " in Caddy's storage"
}

func nextStep(err error) string {
	if _, ok := errors.AsType[*corrupt](err); ok {
		return "put back a copy of it, or delete it: new keys are made then, and what visitors carry is lost"
	}
	return "see that the storage can be read and written, and reload"
}
