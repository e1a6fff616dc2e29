package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"

	"github.com/cacheward/cacheward/integration/bench/load"
)

// shopPolicy is the policy that hits are measured with: what a shop's would be.
const shopPolicy = `
store memory 1GiB
identity {
	cookie session remember_*
}
route pages {
	path /page/*
	cache origin
	param key page
	param strip ref source @analytics
	param others bypass
	cookie strip @analytics
	cookie others bypass
}
`

// auditOptions sends the audit log to a file.
const auditOptions = `	log audit {
		output file %s {
			roll_size 4GiB
		}
		format json
		include http.handlers.cacheward.audit
	}`

const analyticsCookies = "_ga=GA1.1.1234567890.1234567890; _gid=GA1.2.123.456; _fbp=fb.1.1700000000000.1234567890"

// browserFields are what a browser sends with a visit to a page, its cookies of analytics
// included, as wrk wants them.
func browserFields() []string {
	fields := []string{"Cookie: " + analyticsCookies}
	for _, f := range load.Browser() {
		fields = append(fields, f.Name+": "+f.Value)
	}
	return fields
}

// manyObjects is how many there are in the scenario with many.
const manyObjects = 10_000

func pagePaths(size, n int) []string {
	base := pagePath(size, kindShared, 0)
	paths := make([]string, n)
	for i := range paths {
		paths[i] = fmt.Sprintf("%s%d", base, i)
	}
	return paths
}

// zipf is a sequence of n visits to the paths, some of them far more often than others.
func zipf(paths []string, n int) []string {
	z := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 8, uint64(len(paths)-1))
	visits := make([]string, n)
	for i := range visits {
		visits[i] = paths[z.Uint64()]
	}
	return visits
}

// store asks for each of the paths until all are stored.
func (b *bench) store(address string, paths []string) error {
	return eventually(func() (bool, error) {
		before, err := b.origin.count()
		if err != nil {
			return false, err
		}
		r, err := load.Closed(b.ctx, load.Options{
			Addr: address, Conns: 8, Requests: len(paths),
			Request: func(i int) load.Target { return load.Target{URI: paths[i]} },
		})
		if err != nil {
			return false, err
		}
		if r.Failed() > 0 || r.Statuses[200] != len(paths) {
			return false, fmt.Errorf("storing %d pages: statuses %v, errors %v", len(paths), r.Statuses, r.Examples)
		}
		after, err := b.origin.count()
		return after == before, err
	})
}

// to is the traffic at an address.
func (t traffic) to(address string) traffic {
	t.address = address
	return t
}

// hits are a scenario: pages from the store, against Caddy's respond of the same bytes and,
// where asked, against the peers.
type hits struct {
	name, what string
	size       int
	paths      []string // what is stored
	visits     []string // what is asked for; nil: the same
	fields     []string
	query      string
	peers      bool
	slowPeers  bool // peers where there is time
}

func (h hits) run(b *bench, name string) error {
	const bar = 1.10
	e, err := b.startEdge("cacheward", nil, "", b.wards(shopPolicy))
	if err != nil {
		return err
	}
	if err := b.store(e.addresses[0], h.paths); err != nil {
		return err
	}
	head, err := headOf(e.addresses[0], h.paths[0])
	if err != nil {
		return err
	}
	same, err := b.startEdge("respond", nil, "", head+responds(page(h.size)))
	if err != nil {
		return err
	}
	bare, err := b.startEdge("respond, body alone", nil, "", responds(page(h.size)))
	if err != nil {
		return err
	}
	t := traffic{paths: h.visits, headers: h.fields, query: h.query}
	if t.paths == nil {
		t.paths = h.paths
	}
	subject := lane{name: "cacheward", proc: e.process, traffic: t.to(e.addresses[0])}
	references := []lane{
		{name: "Caddy's respond, the same bytes", proc: same.process, traffic: t.to(same.addresses[0]), bar: bar},
		{name: "Caddy's respond, the body alone", proc: bare.process, traffic: t.to(bare.addresses[0])},
	}
	if h.peers || h.slowPeers && !b.quick {
		peers, err := b.startPeers()
		if err != nil {
			return err
		}
		for _, p := range peers {
			if err := b.store(p.traffic.address, h.paths); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			p.traffic = t.to(p.traffic.address)
			if strings.HasPrefix(p.name, "Varnish ") {
				p.bar = 1
			}
			references = append(references, p)
		}
	}
	return b.row(name, h.what, subject, references...)
}

// headOf is a header directive that sets what the answer to a request has, so that the same
// bytes come from respond. What Caddy sets by itself is left out.
func headOf(address, path string) (site, error) {
	res, err := http.Get("http://" + address + path)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return "", err
	}
	var text strings.Builder
	text.WriteString("\theader {\n")
	for name, lines := range res.Header {
		switch name {
		case "Content-Length", "Date", "Server":
		default:
			fmt.Fprintf(&text, "\t\t%s `%s`\n", name, lines[0])
		}
	}
	text.WriteString("\t}\n")
	return site(text.String()), nil
}

func hitScenarios() []scenario {
	one := func(size int) []string { return []string{pagePath(size, kindShared, 0)} }
	var all []scenario
	for _, h := range []hits{
		{name: "hit-1k", what: "hit, 1 KiB", size: 1 << 10, paths: one(1 << 10), peers: true},
		{name: "hit-64k", what: "hit, 64 KiB", size: 64 << 10, paths: one(64 << 10), slowPeers: true},
		{
			name: "hit-zipf", what: "hit, 10,000 objects of 1 KiB, zipf", size: 1 << 10, slowPeers: true,
			paths: pagePaths(1<<10, manyObjects), visits: zipf(pagePaths(1<<10, manyObjects), 1<<16),
		},
		{name: "hit-browser", what: "hit, 1 KiB, a browser's fields", size: 1 << 10, paths: one(1 << 10), fields: browserFields(), slowPeers: true},
		{
			name: "hit-params", what: "hit, 1 KiB, a browser's fields, utm_* and ref of each visitor's own", size: 1 << 10, paths: one(1 << 10),
			fields: browserFields(), query: "?utm_source=mail&utm_medium=letter&utm_campaign=c%d&ref=A17",
		},
	} {
		all = append(all, scenario{h.name, h.what, h.run})
	}
	return append(all,
		scenario{"hit-audit", "hit, 1 KiB, every serve audited to a file", auditedHits},
		scenario{"routes", "hit, 10,000 routes against 10", manyRoutes},
	)
}

func auditedHits(b *bench, name string) error {
	t := traffic{paths: []string{pagePath(1<<10, kindShared, 0)}, headers: browserFields()}
	e, err := b.startEdge("cacheward", nil, fmt.Sprintf(auditOptions, b.dir+"/audit.log"), b.wards(shopPolicy+"audit {\n\tserves all\n}"))
	if err != nil {
		return err
	}
	if err := b.store(e.addresses[0], t.paths); err != nil {
		return err
	}
	head, err := headOf(e.addresses[0], t.paths[0])
	if err != nil {
		return err
	}
	responding := head + responds(page(1<<10))
	floor, err := b.startEdge("respond", nil, "", responding)
	if err != nil {
		return err
	}
	logging, err := b.startEdge("respond with a log", nil, "", responding+site("\n\tlog {\n\t\toutput file "+b.dir+"/access.log {\n\t\t\troll_size 4GiB\n\t\t}\n\t}"))
	if err != nil {
		return err
	}
	return b.row(name, "hit, 1 KiB, every serve audited to a file",
		lane{name: "cacheward", proc: e.process, traffic: t.to(e.addresses[0])},
		lane{name: "Caddy's respond, the same bytes", proc: floor.process, traffic: t.to(floor.addresses[0]), bar: 1.25},
		lane{name: "respond with Caddy's access log", proc: logging.process, traffic: t.to(logging.addresses[0])})
}

// routesPolicy has n routes of all sorts, of which the last is the page's.
func routesPolicy(n int) string {
	var b strings.Builder
	b.WriteString("store memory 1GiB\n")
	for i := range n - 1 {
		switch i % 4 {
		case 0:
			fmt.Fprintf(&b, "route r%d {\n\tpath /section/%d\n\tcache 5m\n\tparam key page\n\tparam strip @analytics\n}\n", i, i)
		case 1:
			fmt.Fprintf(&b, "route r%d {\n\tpath /section/%d/*\n\tcache origin\n}\n", i, i)
		case 2:
			fmt.Fprintf(&b, "route r%d {\n\thost shop%d.example\n\tpath /a /b/* *.css\n\tcache 1m\n}\n", i, i)
		default:
			fmt.Fprintf(&b, "route r%d {\n\tpath /section/%d/**/end\n\tcache never\n}\n", i, i)
		}
	}
	b.WriteString("route pages {\n\thost 127.0.0.1\n\tpath /page/*\n\tcache origin\n\tparam strip @analytics\n\tcookie strip @analytics\n}\n")
	return b.String()
}

func manyRoutes(b *bench, name string) error {
	t := traffic{paths: []string{pagePath(1<<10, kindShared, 0)}, headers: browserFields()}
	var lanes []lane
	for _, n := range []int{10_000, 10} {
		routes := fmt.Sprintf("%s routes", thousands(float64(n)))
		e, err := b.startEdge(routes, nil, "", b.wards(routesPolicy(n)))
		if err != nil {
			return err
		}
		if err := b.store(e.addresses[0], t.paths); err != nil {
			return err
		}
		lanes = append(lanes, lane{name: routes, proc: e.process, traffic: t.to(e.addresses[0])})
	}
	lanes[1].bar = 1.10
	return b.row(name, "hit, 10,000 routes", lanes[0], lanes[1])
}
