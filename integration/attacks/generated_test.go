package attacks

import (
	"fmt"
	"testing"
	"time"
)

// generatedCases is how many there are where nobody says how long to go on.
const generatedCases = 2000

// TestGenerated tries what nobody has written down: several changes at once, with names and
// values and places drawn at random.
func TestGenerated(t *testing.T) {
	s := startEdge(t)
	known := tables()
	n, end := generatedCases, time.Time{}
	if *attackTime > 0 {
		n, end = 1<<62, time.Now().Add(*attackTime)
	}
	if *attackCases > 0 {
		n = *attackCases
	}
	t.Logf("seed %d", *attackSeed)
	report := none(t)
	all, hits, refused := s.attackAll(t, func(yield func(attempt) bool) {
		for i := range n {
			seed := *attackSeed + uint64(i)
			a := newGenerator(seed, known).attempt()
			a.seed = seed
			if !end.IsZero() && time.Now().After(end) || !yield(a) {
				return
			}
		}
	}, func(f finding) {
		f = s.smaller(f)
		f.what = fmt.Sprintf("-attack.seed %d -attack.cases 1: %s", f.attempt.seed, f.what)
		report(f)
	})
	s.settle(t)
	t.Logf("%d cases: in %d the victims were served from the store, in %d the edge refused the attacker", all, hits, refused)
	if *attackCases == 0 && hits*3 < all {
		t.Errorf("only in %d of %d cases was a victim served from the store: this is safety by refusing everything", hits, all)
	}
}

// smaller leaves out changes without which the same is found.
func (s *stage) smaller(f finding) finding {
again:
	for i := range f.attempt.changes {
		if len(f.attempt.changes) == 1 {
			return f
		}
		less := f.attempt
		less.changes = append(append([]change(nil), less.changes[:i]...), less.changes[i+1:]...)
		for _, found := range s.run(less).findings {
			if found.verdict == f.verdict {
				f = found
				goto again
			}
		}
	}
	return f
}
