package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cacheward/cacheward/integration/bench/load"
	"github.com/cacheward/cacheward/integration/bench/plot"
)

// growth is how CPU a request grows with one thing, all else being equal.
type growth struct {
	title  string
	x      plot.Axis
	values []int
	// policy is of the edge; several values may share one.
	policy func(value int) string
	paths  func(value int) []string
	fields func(value int) []string
	query  func(value int) string
}

const flatPolicy = "store memory 2GiB\nroute pages {\n\tpath /page/*\n\tcache origin\n\theader others vary\n\tparam strip utm_* x*\n\tcookie strip @analytics c*\n}"

func growths() []growth {
	onePath := func(int) []string { return pagePaths(1<<10, 1) }
	steps := []int{0, 1, 2, 5, 10, 20, 40}
	return []growth{
		{title: "routes", x: plot.Axis{Label: "routes of the policy", Log: true}, values: []int{10, 100, 1000, 10_000}, policy: routesPolicy, paths: onePath},
		{title: "objects", x: plot.Axis{Label: "objects stored, each asked for as often as the others", Log: true}, values: []int{10, 100, 1000, 10_000, 100_000},
			paths: func(n int) []string { return pagePaths(1<<10, n) }},
		{title: "variants", x: plot.Axis{Label: "variants of the page, by Accept-Language", Log: true}, values: []int{1, 4, 16, 64}, paths: onePath},
		{title: "parameters", x: plot.Axis{Label: "stripped parameters of the URL"}, values: steps, paths: onePath, query: func(n int) string {
			var words []string
			for i := range n {
				words = append(words, fmt.Sprintf("x%d=value%d", i, i))
			}
			return "?" + strings.Join(words, "&")
		}},
		{title: "cookies", x: plot.Axis{Label: "stripped cookies of the request"}, values: steps, paths: onePath, fields: func(n int) []string {
			var words []string
			for i := range n {
				words = append(words, fmt.Sprintf("c%d=value%d", i, i))
			}
			if words == nil {
				return nil
			}
			return []string{"Cookie: " + strings.Join(words, "; ")}
		}},
		{title: "body", x: plot.Axis{Label: "size of the body", Log: true, Bytes: true}, values: []int{1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20},
			paths: func(size int) []string { return pagePaths(size, 1) }},
	}
}

// plot measures how the cost of a hit grows and draws it.
func (b *bench) plot(dir string) error {
	sheet := plot.Grid{
		Title:    "How the cost of a hit grows",
		Subtitle: fmt.Sprintf("CPU a request, of the edge's process. %s, %s. Medians of %d rounds of %g s, with their spread.", today(), describe(), b.rounds, b.spell.Seconds()),
	}
	for _, g := range growths() {
		line, err := b.grow(g)
		if err != nil {
			return fmt.Errorf("%s: %w", g.title, err)
		}
		sheet.Charts = append(sheet.Charts, line)
	}
	svg, err := sheet.SVG()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file := filepath.Join(dir, "growth.svg")
	fmt.Fprintf(b.out, "written to %s\n", file)
	return os.WriteFile(file, svg, 0o644)
}

// grow measures one chart, beside the same from Caddy's respond, which knows nothing of
// the thing but the body's size.
func (b *bench) grow(g growth) (plot.Line, error) {
	ours := plot.Series{Name: "hit"}
	floor := plot.Series{Name: "respond", Muted: true}
	kept := len(b.running)
	defer func() {
		for _, p := range b.running[kept:] {
			p.stop()
		}
		b.running = b.running[:kept]
	}()
	for _, value := range g.values {
		policy := flatPolicy
		if g.policy != nil {
			policy = g.policy(value)
		}
		size := 1 << 10
		if g.title == "body" {
			size = value
		}
		e, err := b.startEdge("cacheward", nil, "", b.wards(policy))
		if err != nil {
			return plot.Line{}, err
		}
		plain, err := b.startEdge("respond", nil, "", responds(page(size)))
		if err != nil {
			return plot.Line{}, err
		}
		t := traffic{paths: g.paths(value)}
		if g.query != nil {
			t.query = g.query(value)
		}
		if g.fields != nil {
			t.headers = g.fields(value)
		}
		if g.title == "variants" {
			if err := b.storeVariants(e.addresses[0], value); err != nil {
				return plot.Line{}, err
			}
			t.paths = []string{pagePath(1<<10, kindVaries, 0)}
			t.headers = []string{"Accept-Language: l0"}
		} else if err := b.store(e.addresses[0], t.paths); err != nil {
			return plot.Line{}, err
		}
		samples, err := b.compare(
			lane{name: "hit", proc: e.process, traffic: t.to(e.addresses[0])},
			lane{name: "respond", proc: plain.process, traffic: t.to(plain.addresses[0])})
		if err != nil {
			return plot.Line{}, err
		}
		ours.Points = append(ours.Points, pointOf(value, samples[0]))
		floor.Points = append(floor.Points, pointOf(value, samples[1]))
		fmt.Fprintf(b.out, "%-12s %8d  %6.1f µs, respond %6.1f µs\n", g.title, value, medianOf(samples[0], cpuOf), medianOf(samples[1], cpuOf))
		e.stop()
		plain.stop()
	}
	return plot.Line{Title: g.title, X: g.x, Y: plot.Axis{Label: "CPU a request", Unit: "µs"}, Series: []plot.Series{ours, floor}}, nil
}

func pointOf(x int, samples []sample) plot.Point {
	var all []float64
	for _, s := range samples {
		all = append(all, s.cpu)
	}
	s := spreadOf(all)
	return plot.Point{X: float64(x), Y: s.Median, Min: s.Min, Max: s.Max}
}

// storeVariants stores so many variants of one page.
func (b *bench) storeVariants(address string, n int) error {
	r, err := load.Closed(b.ctx, load.Options{
		Addr: address, Conns: 1, Requests: 3 * n,
		Request: func(i int) load.Target {
			return load.Target{URI: pagePath(1<<10, kindVaries, 0), Fields: []load.Field{{Name: "Accept-Language", Value: fmt.Sprintf("l%d", i%n)}}}
		},
	})
	if err == nil && r.Failed() > 0 {
		err = fmt.Errorf("errors %v", r.Examples)
	}
	return err
}
