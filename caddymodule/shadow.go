package caddymodule

import (
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// maxForeseen is how many keys of routes that only observe are kept in mind.
const maxForeseen = 65_536

// shadow is what would be stored and what would be refused, if the routes that only
// observe enforced their rules. It holds a digest of an answer under each key and no
// byte of any; nothing is served from it, and it changes no response. It is fed by the
// answers that visitors got to their own requests, and safe for concurrent use. Dropping
// a key, which the bound may do, makes one more fill of what would have been a hit.
//
// What it says is a forecast, for this it cannot know:
//
//   - What the origin would have answered to the canonical request, without the inputs of
//     the visitor that are not in the key. On a route that corroborates, two visitors'
//     answers that are the same stand for a visitor's and a fill's; on one that admits
//     once, a visitor's stands for the fill. So an answer that the origin made of stripped
//     inputs counts as divergent here, and as no more than that there.
//   - Whether two visitors were two: the same one's second answer counts as much.
//   - By what a response varies: the values of all headers with the verb vary are part of
//     its keys, so there are more of them, and fewer hits, than there would be. Requests
//     with Authorization have keys of their own.
//   - What is served past its lifetime, what a validation renews (each counts as a fill),
//     what requests that come together would share, what rechecks would find, what a
//     visitor's POST, a tag or a purge would drop, and what the store had no room for.
//
// What the shadow takes for admitted is a hit until its lifetime ends, whatever the origin
// says meanwhile, as it would be.
type shadow struct {
	keys *otter.Cache[store.Key, foreseen]
}

// foreseen is what is known of a key: of an answer, until expires, or of a refusal, until
// refused, one of which is the zero time.
type foreseen struct {
	sum store.Key // what answers are compared by
	// admitted: it would be stored. If not, one more answer has to be the same.
	admitted bool
	made     time.Time // by the origin; what its age counts from
	expires  time.Time

	refused time.Time
	reason  policies.Reason
}

// hits says whether it would be served at this moment.
func (f *foreseen) hits(now time.Time) bool { return f.admitted && now.Before(f.expires) }

// newShadow returns an empty shadow of at most limit keys. It runs one goroutine until
// close.
func newShadow(limit int) (*shadow, error) {
	keys, err := otter.New(&otter.Options[store.Key, foreseen]{
		MaximumSize: limit,
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[store.Key, foreseen]) time.Duration {
			if e.Value.reason != policies.ReasonNone {
				return time.Until(e.Value.refused)
			}
			return time.Until(e.Value.expires)
		}),
		// Eviction in the goroutine that writes, so that the bound is exact.
		Executor: func(run func()) { run() },
	})
	if err != nil {
		return nil, fmt.Errorf("memory of %d observed keys: %w", limit, err)
	}
	return &shadow{keys: keys}, nil
}

// at returns what is known of a key.
func (s *shadow) at(key store.Key) foreseen {
	f, _ := s.keys.GetIfPresent(key)
	return f
}

// take sees an answer that may be shared, and says what the request for it would have
// been: a fill, a hit, or a pass for the reason. Alone says that one answer is enough.
func (s *shadow) take(key store.Key, answer foreseen, alone bool, now time.Time) (outcome Outcome, why policies.Reason) {
	s.keys.Compute(key, func(last foreseen, _ bool) (foreseen, otter.ComputeOp) {
		switch {
		case now.Before(last.refused):
			outcome, why = OutcomePass, last.reason
			return last, otter.CancelOp
		case last.hits(now): // admitted while this request was under way
			outcome = OutcomeHit
			return last, otter.CancelOp
		case !now.Before(last.expires):
			outcome = OutcomeFill
			answer.admitted = alone
			return answer, otter.WriteOp
		case last.sum != answer.sum:
			outcome, why = OutcomePass, policies.ReasonDivergent
			return refusedFor(why, now), otter.WriteOp
		}
		outcome = OutcomeHit
		last.admitted = true
		return last, otter.WriteOp
	})
	return outcome, why
}

// refuse sees an answer that may not be shared. What a visitor had a say in does no harm
// to what would be stored.
func (s *shadow) refuse(key store.Key, why policies.Reason, now time.Time) {
	s.keys.Compute(key, func(last foreseen, _ bool) (foreseen, otter.ComputeOp) {
		if last.hits(now) || now.Before(last.refused) {
			return last, otter.CancelOp
		}
		return refusedFor(why, now), otter.WriteOp
	})
}

// refusedFor is a refusal that is remembered for as long as one that a visitor may have
// caused.
func refusedFor(why policies.Reason, now time.Time) foreseen {
	return foreseen{refused: now.Add(visitorRefusal), reason: why}
}

// len is the number of keys held.
func (s *shadow) len() int { return s.keys.EstimatedSize() }

// close stops the goroutine. The shadow stays usable.
func (s *shadow) close() { s.keys.StopAllGoroutines() }
