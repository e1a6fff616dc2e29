package caddymodule

import (
	"context"
	"errors"
	"sync"
	"time"
)

// workers are the goroutines that outlive requests. They have an owner, which can
// end them: no fill runs longer than the config that began it, save by a bound,
// and save one that a visitor is being given, which is theirs from then on.
type workers struct {
	ctx    context.Context // of everything they do
	cancel context.CancelFunc
	// panicked is told of a panic, which ends the worker and not the process.
	panicked func(v any)

	mu     sync.RWMutex
	closed bool
	wg     sync.WaitGroup
}

func newWorkers(panicked func(v any)) *workers {
	w := &workers{panicked: panicked}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// run runs fn in a goroutine. It is false when the workers are being stopped.
func (w *workers) run(fn func()) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return false
	}
	w.wg.Go(func() {
		defer func() {
			if v := recover(); v != nil {
				w.panicked(v)
			}
		}()
		fn()
	})
	return true
}

// here is run in the caller's goroutine.
func (w *workers) here(fn func()) bool {
	if !w.count() {
		return false
	}
	defer w.uncount()
	defer func() {
		if v := recover(); v != nil {
			w.panicked(v)
		}
	}()
	fn()
	return true
}

// count counts one more worker, which the caller runs, until uncount. It is false when
// the workers are being stopped.
func (w *workers) count() bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return false
	}
	w.wg.Add(1)
	return true
}

// uncount is for a worker that has ended, or is no longer the config's to wait for.
func (w *workers) uncount() { w.wg.Done() }

// stop ends the context and waits until all have ended, or for the limit.
func (w *workers) stop(limit time.Duration) error {
	w.cancel()
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		w.wg.Wait()
		close(ended)
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ended:
		return nil
	case <-timer.C:
		return errors.New("cacheward: a fill did not end in time; it will at its time limit")
	}
}
