package fleet

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/store/redis/redistest"
	"github.com/cacheward/cacheward/integration/edge"
)

// ask asks for a page of the site once, and fails the test if anything is wrong with it.
func ask(t *testing.T, c *checker, n *node, path string) answer {
	t.Helper()
	client := newClient()
	defer client.CloseIdleConnections()
	a := answer{path: path}
	get(client, n, &a)
	c.take(&a)
	c.report(t)
	return a
}

// admit asks an edge for a page until it serves it from memory, and waits until what it
// wanted to write to Redis is written.
func admit(t *testing.T, c *checker, n *node, path string) {
	t.Helper()
	before := sharedOf(t, n)
	edge.Eventually(t, n.name()+" serves "+path+" from memory", func() bool {
		a := ask(t, c, n, path)
		return a.hit()
	})
	edge.Eventually(t, path+" is in Redis", func() bool {
		s := sharedOf(t, n)
		return s.Writes > before.Writes || s.Hits > before.Hits
	})
}

func sharedOf(t *testing.T, n *node) control.SharedStatus {
	t.Helper()
	f, err := n.fleet()
	if err != nil {
		t.Fatal(err)
	}
	if f.Shared == nil {
		t.Fatalf("%s: no shared tier: %+v", n.name(), f)
	}
	return *f.Shared
}

// TestHerd: three edges that are asked for the same cold page at once ask the origin as
// often as one would.
func TestHerd(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	o := newOrigin(t)
	nodes := startNodes(t, 3, setup{redis: redis.Addr, lease: 3 * time.Second}, o.address())
	c := &checker{journal: newJournal(3 * time.Second), origin: o}
	for _, route := range []string{news, shop} {
		for n := range 3 {
			herd(t, c, nodes, pagePath(route, 3, n))
		}
	}
}

// herd asks all edges for a page at once.
func herd(t *testing.T, c *checker, nodes []*node, path string) {
	t.Helper()
	const delay, each = 200 * time.Millisecond, 30
	start := make(chan struct{})
	var visitors sync.WaitGroup
	for _, n := range nodes {
		for range each {
			client := newClient()
			// A connection that is there already: the herd comes at once.
			warm := answer{path: "/v/private/0", who: "warm"}
			get(client, n, &warm)
			c.take(&warm)
			visitors.Go(func() {
				defer client.CloseIdleConnections()
				<-start
				a := answer{path: path}
				get(client, n, &a)
				c.take(&a)
			})
		}
	}
	c.origin.delay.Store(int64(delay))
	began := time.Now()
	close(start)
	visitors.Wait()
	took := time.Since(began)
	c.origin.delay.Store(0)
	c.report(t)
	asked := c.origin.askedFor(path)
	t.Logf("%s: %d visitors of each of %d edges, an origin that takes %s: it was asked %d times; the last was answered after %s",
		path, each, len(nodes), delay, asked, took.Round(time.Millisecond))
	if asked > 3 || asked < 1 {
		t.Errorf("%s: the origin was asked %d times", path, asked)
	}
}

// TestShared: what one edge has admitted, the others have without asking the origin, and
// have not any more once it is purged on any of them.
func TestShared(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]string{"plain": "", "compressed": "\t\t\tcompress"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := redistest.Start(t)
			o := newOrigin(t)
			lease := 3 * time.Second
			nodes := startNodes(t, 3, setup{redis: redis.Addr, lease: lease, store: store}, o.address())
			c := &checker{journal: newJournal(lease), origin: o}
			pages := append(groupPages(news, 0), groupPages(shop, 0)...)
			largest := 0
			for _, path := range pages {
				largest = max(largest, size(path))
				admit(t, c, nodes[0], path)
				asked := o.askedFor(path)
				for _, n := range nodes {
					if a := ask(t, c, n, path); !a.hit() {
						t.Errorf("%s, %s of %d bytes: Cache-Status %q", n.name(), path, size(path), a.header["Cache-Status"])
					}
				}
				if now := o.askedFor(path); now != asked {
					t.Errorf("%s: the origin was asked %d times for the first edge, and %d more times", path, asked, now-asked)
				}
			}
			if largest < 32<<10 {
				t.Errorf("the largest page has %d bytes: no body has several pieces", largest)
			}
			// Whoever purges it, nobody has it.
			op := newOperator(nodes, c, *fleetSeed)
			for i, path := range pages {
				if !op.purge(nodes[i%len(nodes)], byURL(path)) {
					t.Errorf("%s was not purged", path)
				}
			}
			c.report(t)
			for _, n := range nodes {
				// One that is being written anew while it is read counts as damaged.
				if s := sharedOf(t, n); s.Foreign+s.Errors > 0 {
					t.Errorf("%s: %+v", n.name(), s)
				}
			}
			t.Logf("largest page %d bytes; %s", largest, spread(op.figures.quiet.whole))
		})
	}
}

// TestApart: edges that share a Redis and are no fleet, or serve different sites, never give
// the other's pages, and what one purges the other keeps.
func TestApart(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		second func(*setup)
		host   string // that the second is asked for
	}{
		{"two namespaces", func(s *setup) { s.namespace = "another" }, host},
		{"two sites", func(*setup) {}, "another.example"},
		{"two policies", func(s *setup) { s.policy = fmt.Sprintf(routes, "param key page") }, host},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			redis := redistest.Start(t)
			lease := 3 * time.Second
			var nodes [2]*node
			var origins [2]*origin
			var checkers [2]*checker
			for i := range nodes {
				origins[i] = newOrigin(t)
				checkers[i] = &checker{journal: newJournal(lease), origin: origins[i]}
				s := setup{redis: redis.Addr, lease: lease}
				if i == 1 {
					tt.second(&s)
				}
				nodes[i] = startNode(t, i, s, origins[i].address())
			}
			nodes[1].host = tt.host
			// The second origin's pages are in later versions: what is of the first is too
			// old there, and what is of the second is of the future for the first.
			var pages []string
			for n := range perGroup - 1 {
				pages = append(pages, pagePath(news, 0, n))
			}
			for range 7 {
				checkers[1].journal.purged(origins[1].change(pages...), time.Now().Add(-2*lease), "its beginning")
			}
			for i, path := range pages {
				first := i % 2 // who has it first
				admit(t, checkers[first], nodes[first], path)
				admit(t, checkers[1-first], nodes[1-first], path)
				for k := range nodes {
					if origins[k].askedFor(path) == 0 {
						t.Errorf("%s: %s has not asked its origin", path, nodes[k].name())
					}
					if a := ask(t, checkers[k], nodes[k], path); !a.hit() {
						t.Errorf("%s: %s does not keep it: %q", path, nodes[k].name(), a.header["Cache-Status"])
					}
				}
			}
			if tt.name != "two namespaces" {
				return // one fleet: a purge of everything is one for both
			}
			var done control.Purged
			if err := nodes[0].order("purge", control.Purge{All: true}, &done); !acknowledged(err, done.Fleet, done.Problems) || done.Fleet.Edges != 1 {
				t.Fatalf("%v %+v", err, done)
			}
			var switched control.Switched
			if err := nodes[0].order("trip", control.Trip{Why: "to see"}, &switched); !acknowledged(err, switched.Fleet, switched.Problems) {
				t.Fatalf("%v %+v", err, switched)
			}
			for _, path := range pages {
				asked := origins[1].askedFor(path)
				if a := ask(t, checkers[1], nodes[1], path); !a.hit() || origins[1].askedFor(path) != asked {
					t.Errorf("%s: what the other namespace purges and trips is gone here: %q", path, a.header["Cache-Status"])
				}
			}
		})
	}
}
