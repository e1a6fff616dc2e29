package fleet

import (
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/store/redis/redistest"
	"github.com/cacheward/cacheward/integration/edge"
)

// TestPartition: an edge that does not hear from the others serves nothing that is stored,
// or goes on with it, as it was told to; says so; and comes back by itself.
func TestPartition(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{control.OnPartitionBypass, control.OnPartitionServe} {
		for name, fault := range map[string]redistest.Mode{"cut": redistest.Cut, "black hole": redistest.BlackHole} {
			t.Run(mode+", "+name, func(t *testing.T) {
				t.Parallel()
				partition(t, mode, fault)
			})
		}
	}
}

func partition(t *testing.T, mode string, fault redistest.Mode) {
	redis := redistest.Start(t)
	o := newOrigin(t)
	lease := time.Second
	nodes := startNodes(t, 2, setup{redis: redis.Addr, lease: lease, partition: mode}, o.address())
	alone, other := nodes[0], nodes[1]
	c := &checker{journal: newJournal(lease), origin: o}
	const there, here = 0, 1 // what the other edge purges meanwhile, and this one
	pages := groupPages(news, 0)
	for _, path := range pages[:3] {
		admit(t, c, alone, path)
		ask(t, c, other, path)
	}

	began := time.Now()
	alone.link.Set(fault)
	var f control.FleetStatus
	edge.Eventually(t, "the end of trust", func() bool {
		var err error
		f, err = alone.fleet()
		return err == nil && !f.Trusted && f.Lapses > 0
	})
	t.Logf("trust ended %s after the link, lease %s; the problem is %q", time.Since(began).Round(time.Millisecond), lease, f.Problem)
	if f.OnPartition != mode || f.Problem == "" {
		t.Errorf("the status is %+v", f)
	}
	text, code := alone.site.Run(t, "status")
	if code != 1 || !strings.Contains(text, "THIS EDGE DOES NOT HEAR FROM THE OTHERS") || !strings.Contains(text, "on_partition "+mode) {
		t.Errorf("status: exit %d\n%s", code, text)
	}
	if f, err := other.fleet(); err != nil || !f.Trusted {
		t.Errorf("the other edge: %+v, %v", f, err)
	}

	// The other edge purges a page, which is then known to no edge but the one that cannot
	// hear of it.
	changed := o.change(pages[there])
	var done control.Purged
	if err := other.order("purge", byURL(pages[there]).purge, &done); !acknowledged(err, done.Fleet, done.Problems) {
		t.Fatalf("%v, %+v, fleet %+v", err, done, done.Fleet)
	}
	if mode == control.OnPartitionBypass {
		c.journal.purged(changed, time.Now(), "a purge elsewhere")
	}
	for _, path := range pages[:3] {
		a := ask(t, c, alone, path)
		switch says := strings.Join(a.header["Cache-Status"], ","); {
		case mode == control.OnPartitionServe && !a.hit():
			t.Errorf("%s: Cache-Status %q", path, says)
		case mode == control.OnPartitionBypass && (a.hit() || !strings.Contains(says, "detail=lease-lapsed") ||
			a.header.Get("Cache-Control") != "private, no-store"):
			t.Errorf("%s: Cache-Status %q, Cache-Control %q", path, says, a.header.Get("Cache-Control"))
		}
	}

	// What this edge purges itself is in force here at once, and on the others when they
	// hear of it.
	changed = o.change(pages[here])
	done = control.Purged{}
	if err := alone.order("purge", byURL(pages[here]).purge, &done); err != nil || acknowledged(err, done.Fleet, done.Problems) {
		t.Errorf("a purge that nobody else heard of: %v, %+v, fleet %+v", err, done, done.Fleet)
	}
	c.journal.add(pages[here], floor{changed[pages[here]], alone.number, time.Now(), "its own purge"})
	ask(t, c, alone, pages[here])
	if a := ask(t, c, other, pages[here]); !a.hit() {
		t.Errorf("the other edge, which cannot know of it: %q", a.header["Cache-Status"])
	}

	began = time.Now()
	alone.link.Set(redistest.Pass)
	edge.Eventually(t, "the return of trust", func() bool {
		f, err := alone.fleet()
		return err == nil && f.Trusted
	})
	back := time.Since(began)
	// From now on nobody has either page, and everything is as before.
	edge.Eventually(t, "both purges are everywhere", func() bool {
		for _, n := range nodes {
			for _, path := range []string{pages[there], pages[here]} {
				a := ask(t, c, n, path)
				if page, err := parseContent(a.body); err != nil || page.version < o.version(path) {
					return false
				}
			}
		}
		return true
	})
	for _, n := range nodes {
		for _, path := range pages[:3] {
			edge.Eventually(t, n.name()+" serves "+path+" from memory", func() bool {
				a := ask(t, c, n, path)
				return a.hit()
			})
		}
		if f, err := n.fleet(); err != nil || f.Unsent > 0 || f.Applied != f.Generation {
			t.Errorf("%s: %+v, %v", n.name(), f, err)
		}
	}
	if text, code := alone.site.Run(t, "status"); code != 0 {
		t.Errorf("status: exit %d\n%s", code, text)
	}
	t.Logf("it came back %s after the link", back.Round(time.Millisecond))
}
