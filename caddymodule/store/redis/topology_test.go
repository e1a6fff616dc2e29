package redis

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/fleet"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/caddymodule/store/redis/redistest"
)

// TestReplica: neither a replica nor a master without the replicas that it needs grants a
// lease.
func TestReplica(t *testing.T) {
	master := redistest.Start(t, "repl-diskless-sync-delay 0")
	host, port, _ := net.SplitHostPort(master.Addr)
	replica := redistest.Start(t, "replicaof "+host+" "+port)
	a := briefEdge(t, master.Addr, "a")
	b := open1(t, brief(replica.Addr, "b"))
	await(t, "refused", func() bool {
		return strings.Contains(b.Fleet().Problem, "READONLY") || strings.Contains(b.Fleet().Problem, "read only")
	})
	c := client(t, replica.Addr)
	await(t, "in sync", func() bool { return mustInt(t, do(t, c, "EXISTS", a.options.controlKey("gen"))) == 1 })

	m := client(t, master.Addr)
	do(t, m, "CONFIG", "SET", "min-replicas-max-lag", "1")
	do(t, m, "CONFIG", "SET", "min-replicas-to-write", "1")
	await(t, "still trusted with a replica", func() bool { return a.edge.Trusted(time.Now()) })
	replica.Stop()
	await(t, "refused", func() bool { return strings.Contains(a.Fleet().Problem, "NOREPLICAS") })
	awaitTrust(t, a, false)
	if b.edge.Trusted(time.Now()) {
		t.Error("a replica granted a lease")
	}
}

// TestFailover: Sentinels name another master; it is found, and everything is purged, for
// it may lack what came last.
func TestFailover(t *testing.T) {
	master := redistest.Start(t, "repl-diskless-sync-delay 0")
	host, port, _ := net.SplitHostPort(master.Addr)
	replica := redistest.Start(t, "replicaof "+host+" "+port)
	sentinel := redistest.StartSentinel(t, "mymaster", master)
	o := brief(sentinel.Addr, "a")
	o.Sentinel = "mymaster"
	a := open1(t, o)
	awaitReady(t, a)
	share(t, a, object(a, "page", 100))
	last := a.Generation()
	c := client(t, replica.Addr)
	await(t, "in sync", func() bool { return mustInt(t, do(t, c, "EXISTS", a.options.namesOf(keyOf("page")).head())) == 1 })
	s := client(t, sentinel.Addr)
	await(t, "known to the Sentinel", func() bool {
		replicas, err := s.Do(context.Background(), s.B().Arbitrary("SENTINEL", "REPLICAS", "mymaster").Build()).ToArray()
		return err == nil && len(replicas) == 1
	})
	master.Stop()
	await(t, "purged", func() bool { return a.Generation() > last })
	awaitReady(t, a)
	if inMemory(t, a, "page") || fetchAgain(t, a, "page") != nil {
		t.Error("an object is left of what the other master knew")
	}
	shareAgain(t, a, object(a, "page", 100))
}

// TestCluster: objects are spread, the log is in one place, and all works as elsewhere.
func TestCluster(t *testing.T) {
	server := redistest.Start(t, "cluster-enabled yes", "cluster-config-file "+filepath.Join(t.TempDir(), "nodes.conf"))
	c := client(t, server.Addr)
	do(t, c, "CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	await(t, "a cluster", func() bool {
		info := do(t, c, "CLUSTER", "INFO")
		text, err := info.ToString()
		return err == nil && strings.Contains(text, "cluster_state:ok")
	})
	a, b := edge(t, server.Addr, "a"), edge(t, server.Addr, "b")
	for _, size := range []int{10, 5 * MinPiece} {
		share(t, a, object(a, "page", size))
		if o := fetch(t, b, "page"); o == nil || len(o.Body) != size {
			t.Fatalf("%d bytes: fetched %v; %+v", size, o, b.Remote())
		}
	}
	tag := store.TagOf(store.TagURI, "page")
	if d := publish(t, a, fleet.Event{Kind: fleet.KindInvalidate, Selection: store.Selection{Tag: &tag}}); d.Confirmed != 2 {
		t.Errorf("delivery: %+v", d)
	}
	if inMemory(t, b, "page") || fetch(t, b, "page") != nil {
		t.Error("it was not invalidated")
	}
}
