package attacks

import (
	"slices"
	"strings"
	"sync"
	"testing"
)

// tables are all changes that are written down.
func tables() []change {
	return slices.Concat(headerChanges(), pathChanges(), queryChanges, hostChanges, bodyChanges, h2Changes)
}

// attackers is how many cases run at once: some, so that connections to the origins are
// shared among cases, and what gets out of step on one shows on another.
const attackers = 6

// attackAll runs the cases and reports what they find. It returns how many ended with a
// victim being served from the store, and how many the edge itself refused.
func (s *stage) attackAll(t *testing.T, attempts func(yield func(attempt) bool), report func(finding)) (all, hits, refused int) {
	t.Helper()
	queue := make(chan attempt)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range attackers {
		wg.Go(func() {
			for a := range queue {
				out := s.run(a)
				mu.Lock()
				all++
				if out.hit {
					hits++
				}
				if out.refused {
					refused++
				}
				for _, f := range out.findings {
					report(f)
				}
				mu.Unlock()
			}
		})
	}
	for a := range attempts {
		queue <- a
	}
	close(queue)
	wg.Wait()
	return all, hits, refused
}

// none fails the test for whatever is found: it shows the first of each change in full,
// and counts the others.
func none(t *testing.T) func(finding) {
	shown := make(map[string]int)
	t.Cleanup(func() {
		for what, n := range shown {
			if n > 1 {
				t.Logf("%d findings: %s", n, what)
			}
		}
	})
	return func(f finding) {
		kind := string(f.verdict) + " by " + f.by
		if shown[kind]++; shown[kind] > 1 || len(shown) > 20 {
			t.Fail()
			return
		}
		t.Errorf("%s", f)
	}
}

// TestRequests tries every change of the tables: on the routes and personalities that are
// the weakest, and on the others by turns. With -attack.time it tries all on all.
func TestRequests(t *testing.T) {
	s := startEdge(t)
	changes := tables()
	all, hits, refused := s.attackAll(t, func(yield func(attempt) bool) {
		for i, c := range changes {
			for _, a := range attempts(i, c) {
				if !yield(a) {
					return
				}
			}
		}
	}, none(t))
	s.settle(t)
	t.Logf("%d changes, %d cases: in %d the victims were served from the store, in %d the edge itself refused the attacker", len(changes), all, hits, refused)
	if hits*2 < all {
		t.Errorf("only in %d of %d cases was a victim served from the store: this is safety by refusing everything", hits, all)
	}
}

// attempts are the cases of the change that has the index i in its table.
func attempts(i int, c change) (all []attempt) {
	credulous := personalities[len(personalities)-1]
	add := func(route string, p *personality, h2 bool) {
		if strings.HasPrefix(c.class, "22") {
			h2 = true
		}
		a := attempt{route: route, personality: p, h2: h2, changes: []change{c}}
		if strings.HasPrefix(c.class, "8") || c.class == "21" {
			a.lured = &memberships[(i+len(all))%len(memberships)]
		}
		all = append(all, a)
	}
	if *attackTime > 0 {
		for _, route := range routes {
			for _, p := range personalities {
				add(route, p, false)
				add(route, p, true)
			}
		}
		return all
	}
	add("once", credulous, i%4 == 0)
	add("vary", credulous, i%4 == 1)
	add([]string{"ttl", "origin"}[i%2], personalities[i/2%len(personalities)], i%4 == 2)
	add([]string{"strict", "bypass", "nowhere"}[i%3], personalities[i/3%len(personalities)], i%4 == 3)
	return all
}

// settle reports what reached the origins and was of no case.
func (s *stage) settle(t *testing.T) {
	t.Helper()
	for name, o := range s.origins {
		for _, stray := range o.takeStrays() {
			t.Errorf("%s: the %s origin was sent %q", desync, name, shorten(stray))
		}
	}
}
