package integration

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/integration/edge"
)

// purges are the ways to purge a page.
func (p *proxy) purges(path, key string) [][]string {
	return [][]string{
		{"--url", p.url(path)},
		{"--key", key},
		{"--route", "landing"},
		{"--tag", "pages"},
		{"--prefix", p.site + "/lp"},
		{"--prefix", p.site + "/l*"},
		{"--url", p.url(path), "--soft"},
		{"--all"},
	}
}

// TestPurgeUnderLoad: by whatever is purged, whoever asks after it is given nothing that
// the origin made before it.
func TestPurgeUnderLoad(t *testing.T) {
	g := newGenerations(t)
	p := startProxy(t, proxySetup{origin: g.address(), policy: pagesPolicy})
	path := "/lp/a?ref=x"
	l := startLoad(t, 16, false, always(p.url(path)))
	l.more(t, &l.hits, 200)
	p.settled(t)
	key := waitForRecord(t, p.log, "the page's admission", func(r record) bool { return r.Event == "store" }).Key
	p.untilHit(t, "/other")
	type purged struct {
		at         time.Time
		generation int64
		by         string
	}
	var purges []purged
	for _, args := range p.purges(path, key) {
		generation := g.now.Add(1)
		p.must(t, "purge", append(args, "--reason", "under load", "--by", "ops")...)
		purges = append(purges, purged{time.Now(), generation, strings.Join(args, " ")})
		l.more(t, &l.hits, 200)
		if a := visit(t, p.url("/other"), p.site); args[0] != "--all" && (a.body != "0" || !strings.Contains(a.cacheward(), "; hit")) {
			t.Errorf("after purge %q another page is %q, Cache-Status %q", args, a.body, a.cacheward())
		}
	}
	for _, a := range l.end() {
		i := slices.IndexFunc(purges, func(p purged) bool { return a.asked.Before(p.at) })
		if i < 0 {
			i = len(purges)
		}
		if i == 0 {
			continue
		}
		if got, err := strconv.ParseInt(a.body, 10, 64); err != nil || got < purges[i-1].generation {
			t.Fatalf("%s after purge %s: %q is served, which is older than %d", a.asked.Sub(purges[i-1].at), purges[i-1].by, a.body, purges[i-1].generation)
		}
	}
	p.settled(t)
	n := 0
	for _, o := range p.operations(t) {
		if o.Event == "purge" {
			if n++; o.Removed < 1 || o.Why != "under load" || !strings.HasPrefix(o.By, "ops via ") {
				t.Errorf("the record of a purge is %+v", o)
			}
		}
	}
	if n != len(purges) {
		t.Errorf("%d records of %d purges", n, len(purges))
	}
}

// TestPurgeOvertakesFill: what the origin had made before a purge, or before a trip that
// was reset, is not stored after it.
func TestPurgeOvertakesFill(t *testing.T) {
	g := newGenerations(t)
	p := startProxy(t, proxySetup{origin: g.address(), policy: pagesPolicy})
	path := "/lp/a?ref=x"
	p.untilHit(t, path)
	key := waitForRecord(t, p.log, "the page's admission", func(r record) bool { return r.Event == "store" }).Key
	overtake := func(name string, order func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			p.must(t, "purge", "--all")
			h := &hold{make(chan struct{}), make(chan struct{})}
			g.held.Store(h)
			asked := make(chan string)
			go func() {
				client := &http.Client{Timeout: edge.Patience, Transport: &http.Transport{DisableKeepAlives: true}}
				a, err := ask(client, p.url(path))
				if err != nil {
					t.Error(err)
				}
				asked <- a.body
			}()
			<-h.made
			old := g.now.Add(1) - 1
			g.held.Store(nil)
			order(t)
			close(h.release)
			if body := <-asked; body != strconv.FormatInt(old, 10) {
				t.Errorf("who had asked before is given %q, %d was made for them", body, old)
			}
			for range 5 {
				if a := visit(t, p.url(path), p.site); a.body != strconv.FormatInt(old+1, 10) {
					t.Fatalf("%q is served, which is older than %d; Cache-Status %q", a.body, old+1, a.cacheward())
				}
			}
			p.untilHit(t, path)
		})
	}
	for _, args := range p.purges(path, key) {
		overtake("purge "+args[0], func(t *testing.T) { p.must(t, "purge", args...) })
	}
	for _, args := range [][]string{{"--reason", "to see"}, {"--reason", "to see", "--route", "landing"}} {
		overtake("trip "+args[len(args)-2], func(t *testing.T) {
			p.must(t, "trip", args...)
			p.must(t, "reset", args...)
		})
	}
}
