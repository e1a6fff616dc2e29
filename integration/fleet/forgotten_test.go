package fleet

import (
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/store/redis/redistest"
	"github.com/cacheward/cacheward/integration/edge"
)

// TestForgottenTrip: Redis comes back empty, and first to an edge that has not heard of a
// trip. It serves nothing that is stored until those who know of it had the time to say so.
func TestForgottenTrip(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	o := newOrigin(t)
	lease := time.Second
	nodes := startNodes(t, 3, setup{redis: redis.Addr, lease: lease}, o.address())
	c := &checker{journal: newJournal(lease), origin: o}
	late, page := nodes[2], pagePath(news, 0, 0)

	late.link.Set(redistest.Cut)
	edge.Eventually(t, "the end of trust", func() bool {
		f, err := late.fleet()
		return err == nil && !f.Trusted
	})
	var done control.Switched
	if err := nodes[0].order("trip", control.Trip{Route: news, Why: "a leak"}, &done); !acknowledged(err, done.Fleet, done.Problems) {
		t.Fatalf("%v, %+v", err, done)
	}
	c.journal.tripped(news, time.Now())
	for _, n := range nodes[:2] {
		n.link.Set(redistest.Cut)
	}
	redis.Restart()
	late.link.Set(redistest.Pass)
	edge.Eventually(t, "the late one hears of an empty log", func() bool {
		f, err := late.fleet()
		return err == nil && len(f.Members) == 1 && f.Heard >= 0 && f.Heard < lease.Milliseconds()
	})
	ask(t, c, late, page)
	for _, n := range nodes[:2] {
		n.link.Set(redistest.Pass)
	}
	edge.Eventually(t, "the late one knows of the trip", func() bool {
		if a := ask(t, c, late, page); a.hit() {
			t.Fatalf("served from the store: %q", a.header["Cache-Status"])
		}
		s, err := late.status()
		return err == nil && len(s.Tripped) == 1
	})
	edge.Eventually(t, "trust", func() bool {
		f, err := late.fleet()
		return err == nil && f.Trusted
	})
	if a := ask(t, c, late, page); a.hit() {
		t.Errorf("served from the store: %q", a.header["Cache-Status"])
	}
}
