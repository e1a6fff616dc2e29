package fleet

import (
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/store/redis/redistest"
	"github.com/cacheward/cacheward/integration/edge"
)

// TestFleet: whatever happens to links, edges and Redis, what was purged, changed or tripped
// is served by no edge longer than a lease after that was acknowledged.
func TestFleet(t *testing.T) {
	t.Logf("-fleet.seed %d", *fleetSeed)
	redis := redistest.Start(t)
	o := newOrigin(t)
	lease := *fleetLease
	o.slowest.Store(int64(lease * 3 / 2))
	s := setup{redis: redis.Addr, lease: lease, store: "\t\t\tcompress"}
	nodes := startNodes(t, 3, s, o.address())
	c := &checker{journal: newJournal(lease), origin: o, postsTravel: true}
	op := newOperator(nodes, c, *fleetSeed)
	x := newTrouble(t, s, redis, op)
	stop := crowd(nodes, 4, c, *fleetSeed)

	start := time.Now()
	for time.Since(start) < *fleetDuration*2/5 {
		op.step()
	}
	hand, happened := op.random.Perm(len(troubles)), 0
	for time.Since(start) < *fleetDuration || happened < len(troubles) {
		x.due(false)
		if n := x.sound(); n != nil && op.random.IntN(4) == 0 {
			kind := troubles[hand[happened%len(hand)]]
			kind.begin(x, n)
			op.figures.did(kind.name, true)
			happened++
		}
		op.step()
	}
	x.due(true)
	x.returning.Wait()

	// Everything comes back by itself.
	edge.Eventually(t, "the end of all trips", func() bool {
		ended := true
		for _, n := range nodes {
			s, err := n.status()
			for _, tripped := range s.Tripped {
				ended = false
				op.reset(n, tripped.Route)
			}
			ended = ended && err == nil
		}
		return ended
	})
	stop()
	for _, n := range nodes {
		for _, route := range []string{news, shop, calm} {
			edge.Eventually(t, n.name()+" serves "+route+" from memory", func() bool {
				a := answer{path: pagePath(route, 0, 0)}
				get(op.client[n.number], n, &a)
				_, ok := c.take(&a)
				return ok && a.hit()
			})
		}
	}
	c.report(t)

	var shared control.SharedStatus
	for _, n := range nodes {
		f, err := n.fleet()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: trusted %t, applied %d of %d, %d lapses, %d ms partitioned, shared %+v; %d hits", n.name(),
			f.Trusted, f.Applied, f.Generation, f.Lapses, f.Partitioned, *f.Shared, c.hitsOf[n.number].Load())
		if !f.Trusted || f.Applied != f.Generation || f.Unsent > 0 || len(f.Members) != len(nodes) {
			t.Errorf("%s: %+v", n.name(), f)
		}
		shared.Hits += f.Shared.Hits
		shared.Refused += f.Shared.Refused
		if f.Shared.Foreign > 0 {
			t.Errorf("%s: %+v", n.name(), *f.Shared)
		}
	}
	quiet := op.figures.quietly()
	t.Logf("lease %s, %s: %d answers, %d hits (%d of them first fetched from Redis by their edge, since its last start), %d confirmed with 304, %d broken off by a kill or reload; the origin was asked %d times\n  %s",
		lease, *fleetDuration, c.answers.Load(), c.hits.Load(), shared.Hits, c.notModified.Load(), c.broken.Load(), o.requests.Load(), op.figures)
	if quiet < 10 || shared.Hits == 0 || c.hits.Load() < c.answers.Load()/10 {
		t.Errorf("%d purges, %d hits of %d answers, %d from Redis: this says nothing", quiet, c.hits.Load(), c.answers.Load(), shared.Hits)
	}
}
