package store

import (
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/cacheward/cacheward/policies"
)

const (
	// DefaultRefusals is how many refused keys are remembered unless the
	// configuration says otherwise.
	DefaultRefusals = 65_536

	// MaxRefusal is the longest that one refusal is remembered.
	MaxRefusal = 5 * time.Minute

	// A key's growth is forgotten when it has not been refused again for this
	// many times its last length.
	growthLapse = 4
)

// Refusals remembers the keys whose responses turned out not to be shareable, so
// that nobody queues for a verdict that is known (hit-for-pass). It is bounded by
// a number of keys; which of them it drops makes no difference to safety, for a
// forgotten refusal only means that the next response is judged again. It is safe
// for concurrent use.
type Refusals struct {
	cache *otter.Cache[Key, refusal]
}

type refusal struct {
	reason policies.Reason
	until  time.Time     // end of this refusal
	lapses time.Time     // end of the memory of its length
	length time.Duration // as it was asked for or has grown
}

// NewRefusals returns an empty memory of at most limit keys. It runs one
// goroutine until Close.
func NewRefusals(limit int) (*Refusals, error) {
	if limit <= 0 {
		return nil, fmt.Errorf("limit of remembered refusals is %d; a positive number was expected", limit)
	}
	cache, err := otter.New(&otter.Options[Key, refusal]{
		MaximumSize: limit,
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[Key, refusal]) time.Duration {
			return time.Until(e.Value.lapses)
		}),
		// Eviction in the goroutine that writes, so that the bound is exact.
		Executor: func(run func()) { run() },
	})
	if err != nil {
		return nil, fmt.Errorf("memory of %d refusals: %w", limit, err)
	}
	return &Refusals{cache: cache}, nil
}

// Remember keeps in mind for d that responses for key are not shareable, and
// why. With grow, each refusal that follows upon the end of the last one is
// remembered twice as long as that one was. No refusal is remembered for longer
// than [MaxRefusal], and a key that was not refused again for four times its last
// length starts at d again: nobody can pin a key for good.
//
// A refusal that comes while the last one still holds belongs to the same round
// (its fill was already under way), so it does not double anything; it may only
// move the end further away.
func (r *Refusals) Remember(key Key, reason policies.Reason, d time.Duration, grow bool) {
	if d <= 0 {
		return
	}
	now := time.Now()
	r.cache.Compute(key, func(last refusal, found bool) (refusal, otter.ComputeOp) {
		next := refusal{reason: reason, length: d}
		if found && grow && now.Before(last.lapses) {
			length := last.length
			if !now.Before(last.until) {
				length *= 2
			}
			next.length = max(d, length)
		}
		next.length = min(next.length, MaxRefusal)
		next.until = now.Add(next.length)
		if found && last.until.After(next.until) {
			next.until = last.until
		}
		next.lapses = now.Add(growthLapse * next.length)
		if next.lapses.Before(next.until) {
			next.lapses = next.until
		}
		return next, otter.WriteOp
	})
}

// Lookup returns why responses for key are known not to be shareable at this
// moment, and whether they are. It allocates nothing.
func (r *Refusals) Lookup(key Key) (policies.Reason, bool) {
	found, ok := r.cache.GetIfPresent(key)
	if !ok || !time.Now().Before(found.until) {
		return policies.ReasonNone, false
	}
	return found.reason, true
}

// Left is Lookup that says for how long the refusal is remembered still; 0: it is not.
func (r *Refusals) Left(key Key) (policies.Reason, time.Duration) {
	found, ok := r.cache.GetIfPresent(key)
	if !ok {
		return policies.ReasonNone, 0
	}
	return found.reason, max(0, time.Until(found.until))
}

// Forget drops what is remembered of key, growth included, as a purge or an
// admission does.
func (r *Refusals) Forget(key Key) { r.cache.Invalidate(key) }

// Clear drops everything that is remembered, as a purge of more than one key does.
// What is remembered at the same time may stay.
func (r *Refusals) Clear() { r.cache.InvalidateAll() }

// Len is the number of keys held, those included whose refusal is over and whose
// growth is not.
func (r *Refusals) Len() int { return r.cache.EstimatedSize() }

// Close stops the goroutine. The memory stays usable; it only no longer sweeps
// what has lapsed until it is written to.
func (r *Refusals) Close() { r.cache.StopAllGoroutines() }
