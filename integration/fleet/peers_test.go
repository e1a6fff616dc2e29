package fleet

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/integration/edge"
)

// peerNodes are edges that know each other by a list, and have nothing between them.
func peerNodes(t *testing.T, number int, lease time.Duration, origin string) []*node {
	t.Helper()
	addresses := edge.FreeAddresses(t, 2*number)
	var nodes []*node
	for i := range number {
		n := &node{number: i}
		n.client = &http.Client{Timeout: edge.Patience, Transport: &http.Transport{DisableKeepAlives: true}}
		var urls []string
		for j := range number {
			if j != i {
				urls = append(urls, "http://"+addresses[2*j+1])
			}
		}
		n.site = edge.StartSite(t, binary(t), edge.SiteConfig{
			Origin: origin, Addresses: addresses[2*i : 2*i+2],
			Policy: fmt.Sprintf("\t\tstore peers %s {\n\t\t\tmemory 64MiB\n\t\t\tedge %s\n\t\t\tlease %s\n\t\t}\n", strings.Join(urls, " "), n.name(), lease) +
				fmt.Sprintf(routes, ""),
		})
		n.address, n.admin = n.site.Address, n.site.Admin
		n.ready(t)
		nodes = append(nodes, n)
	}
	trustAgain(t, nodes)
	return nodes
}

func trustAgain(t *testing.T, nodes []*node) {
	t.Helper()
	for _, n := range nodes {
		edge.Eventually(t, n.name()+" trusts what is stored", func() bool {
			f, err := n.fleet()
			return err == nil && f.Trusted
		})
	}
}

// stored asks for the page until it is a hit.
func stored(t *testing.T, c *checker, n *node, path string) {
	t.Helper()
	edge.Eventually(t, path+" is stored on "+n.name(), func() bool {
		a := ask(t, c, n, path)
		return a.hit()
	})
}

// TestPeers: edges that have nothing between them tell each other what they purge and trip;
// while one is away the others serve nothing that is stored.
func TestPeers(t *testing.T) {
	t.Parallel()
	o := newOrigin(t)
	lease := time.Second
	nodes := peerNodes(t, 3, lease, o.address())
	c := &checker{journal: newJournal(lease), origin: o}
	page := groupPages(news, 0)[0]
	for _, n := range nodes {
		stored(t, c, n, page)
	}

	changed := o.change(page)
	var purged control.Purged
	if err := nodes[1].order("purge", byURL(page).purge, &purged); err != nil || !purged.Verified || purged.Fleet == nil || purged.Fleet.Confirmed != 3 {
		t.Fatalf("purge: %v, %+v, fleet %+v", err, purged, purged.Fleet)
	}
	t.Logf("purged on 3 edges in %.1f ms", purged.Fleet.Took)
	c.journal.purged(changed, time.Now(), "a purge")
	for _, n := range nodes {
		if a := ask(t, c, n, page); a.hit() {
			t.Errorf("%s: Cache-Status %q right after the purge", n.name(), a.header["Cache-Status"])
		}
		stored(t, c, n, page)
	}

	var tripped control.Switched
	if err := nodes[2].order("trip", control.Trip{Route: "news", Why: "a test"}, &tripped); err != nil || tripped.Fleet == nil || tripped.Fleet.Confirmed != 3 {
		t.Fatalf("trip: %v, %+v, fleet %+v", err, tripped, tripped.Fleet)
	}
	for _, n := range nodes {
		if a := ask(t, c, n, page); a.hit() || !strings.Contains(strings.Join(a.header["Cache-Status"], ","), "detail=tripped") {
			t.Errorf("%s: Cache-Status %q while its route is tripped", n.name(), a.header["Cache-Status"])
		}
	}
	var reset control.Switched
	if err := nodes[0].order("reset", control.Reset{Route: "news", Why: "over"}, &reset); err != nil || reset.Fleet == nil || reset.Fleet.Confirmed != 3 {
		t.Fatalf("reset: %v, %+v, fleet %+v", err, reset, reset.Fleet)
	}
	for _, n := range nodes {
		stored(t, c, n, page)
	}

	nodes[0].site.Kill(t)
	for _, n := range nodes[1:] {
		edge.Eventually(t, n.name()+" no longer trusts what is stored", func() bool {
			f, err := n.fleet()
			return err == nil && !f.Trusted
		})
		if a := ask(t, c, n, page); a.hit() || !strings.Contains(strings.Join(a.header["Cache-Status"], ","), "detail=lease-lapsed") {
			t.Errorf("%s: Cache-Status %q without a peer", n.name(), a.header["Cache-Status"])
		}
	}
	// What is purged now is known to all that may serve anything.
	changed = o.change(page)
	if err := nodes[1].order("purge", byURL(page).purge, &purged); err != nil || purged.Fleet == nil || purged.Fleet.Confirmed != 2 ||
		len(purged.Fleet.Silent) != 1 || len(purged.Fleet.Unconfirmed()) != 0 {
		t.Errorf("purge without a peer: %v, %+v, fleet %+v", err, purged, purged.Fleet)
	}
	c.journal.purged(changed, time.Now(), "a purge without a peer")
	nodes[0].site.Restart(t)
	trustAgain(t, nodes)
	for _, n := range nodes {
		stored(t, c, n, page)
	}
}
