package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/integration/bench/load"
)

// The herd: so many clients at once, at an origin that takes so long.
const (
	herdClients = 500
	herdDelay   = 200 * time.Millisecond
)

func herdScenarios() []scenario {
	return []scenario{
		{"herd", "500 clients at a cold key, origin 200 ms", herd},
		{"herd-visitor", "500 clients at a per-visitor page, origin 200 ms", herdVisitor},
		{"latency", "p99 at 5,000 requests/s", steady},
	}
}

// crowd sends the herd once and returns the 99th percentile of their waiting.
func (b *bench) crowd(address, path string) (p99 time.Duration, answers []load.Answer, err error) {
	answers, err = load.Herd(b.ctx, address, herdClients, func(int) load.Target { return load.Target{URI: path} })
	if err != nil {
		return 0, nil, err
	}
	var waits []time.Duration
	for _, a := range answers {
		if a.Err != nil || a.Status != 200 {
			return 0, nil, fmt.Errorf("a client of the herd got %d, %v", a.Status, a.Err)
		}
		waits = append(waits, a.Latency)
	}
	slices.Sort(waits)
	return waits[len(waits)*99/100], answers, nil
}

func herd(b *bench, name string) error {
	ours, err := b.startEdge("cacheward", nil, "", b.wards("store memory 64MiB\nroute once {\n\tpath /page/*/shared/**\n\tcache origin\n}\nroute both {\n\tpath /page/*/quiet/**\n\tcache 5m\n}"))
	if err != nil {
		return err
	}
	for _, c := range []struct{ kind, what string }{
		{kindShared, "500 clients at a cold key, origin 200 ms, admission once"},
		{kindQuiet, "500 clients at a cold key, origin 200 ms, corroborated"},
	} {
		var asked, over []float64
		for i := range b.rounds + 1 {
			before, err := b.origin.count()
			if err != nil {
				return err
			}
			p99, _, err := b.crowd(ours.addresses[0], fmt.Sprintf("%s%d", pagePath(1<<10, c.kind, herdDelay), i))
			if err != nil {
				return err
			}
			after, err := b.origin.count()
			if err != nil {
				return err
			}
			if i == 0 {
				continue // the first herd warms the edge
			}
			asked = append(asked, float64(after-before))
			over = append(over, float64(p99-herdDelay)/float64(time.Millisecond))
		}
		b.report(result{Name: name, What: c.what, Against: "the origin", Unit: "origin requests", Value: spreadOf(asked), Bar: 2})
		b.report(result{Name: name, What: c.what, Against: "the origin's 200 ms", Unit: "ms more at p99", Value: spreadOf(over), Bar: 50})
	}
	return nil
}

// herdVisitor is a page that is made for each visitor. Where it was asked for before, that is
// remembered. Where it was not, all wait for the verdict on the first of them, which takes as
// long as the origin, and then ask for themselves: twice its time is the least there can be,
// for nobody knows before that the page is not to be shared.
func herdVisitor(b *bench, name string) error {
	ours, plain, err := b.pair("store memory 64MiB\nroute pages {\n\tpath /page/*\n\tcache 5m\n}")
	if err != nil {
		return err
	}
	for _, c := range []struct {
		what       string
		remembered bool
		bar        float64
	}{
		{"500 clients at a per-visitor page, origin 200 ms", true, 1.2},
		{"500 clients at a per-visitor page that nobody has asked for before, origin 200 ms", false, 0},
	} {
		var all, millis []float64
		for i := range b.rounds + 1 {
			path := fmt.Sprintf("%s%v%d", pagePath(1<<10, kindVisitor, herdDelay), c.remembered, i)
			if c.remembered {
				if _, err := cacheStatus(ours.addresses[0], path, nil); err != nil {
					return err
				}
				if err := b.refused(ours.addresses[0], path); err != nil {
					return err
				}
			}
			p99, answers, err := b.crowd(ours.addresses[0], path)
			if err != nil {
				return err
			}
			pages := make(map[[32]byte]bool)
			for _, a := range answers {
				pages[a.Digest] = true
			}
			if len(pages) != len(answers) {
				return fmt.Errorf("%d visitors were given %d pages", len(answers), len(pages))
			}
			without, _, err := b.crowd(plain.addresses[0], path)
			if err != nil {
				return err
			}
			if i == 0 {
				continue
			}
			all = append(all, float64(p99)/float64(without))
			millis = append(millis, float64(p99)/float64(time.Millisecond))
		}
		b.report(result{
			Name: name, What: c.what, Against: "Caddy's reverse_proxy", Unit: "× p99",
			Value: spreadOf(all), Bar: c.bar, Detail: fmt.Sprintf("%.0f ms; 500 visitors, 500 pages", spreadOf(millis).Median),
		})
	}
	return nil
}

// refused waits until a refusal is remembered.
func (b *bench) refused(address, path string) error {
	return eventually(func() (bool, error) {
		said, err := cacheStatus(address, path, nil)
		return strings.Contains(said, "divergent") || strings.Contains(said, "route-diverging"), err
	})
}

// steady compares latencies at a rate that both can bear.
func steady(b *bench, name string) error {
	const rate = 5000
	e, err := b.startEdge("cacheward", nil, "", b.wards(shopPolicy))
	if err != nil {
		return err
	}
	floor, err := b.startEdge("respond", nil, "", responds(page(1<<10)))
	if err != nil {
		return err
	}
	path := pagePath(1<<10, kindShared, 0)
	if err := b.store(e.addresses[0], []string{path}); err != nil {
		return err
	}
	fields := append(load.Browser(), load.Field{Name: "Cookie", Value: analyticsCookies})
	var p99, service [2][]float64
	for round := range b.rounds + 1 {
		for i, address := range []string{e.addresses[0], floor.addresses[0]} {
			r, err := load.Steady(b.ctx, load.Options{
				Addr: address, Conns: 32, Rate: rate, Duration: b.spell,
				Request: func(int) load.Target { return load.Target{URI: path, Fields: fields} },
			})
			if err != nil {
				return err
			}
			if r.Failed() > 0 {
				return fmt.Errorf("at %d requests/s %d failed: %v", rate, r.Failed(), r.Examples)
			}
			if round > 0 {
				p99[i] = append(p99[i], float64(r.Latency.Quantile(0.99))/float64(time.Microsecond))
				service[i] = append(service[i], float64(r.Service.Quantile(0.99))/float64(time.Microsecond))
			}
		}
	}
	var all []float64
	for i := range p99[0] {
		all = append(all, p99[0][i]/p99[1][i])
	}
	b.report(result{
		Name: name, What: "hits at a steady 5,000 requests/s", Against: "Caddy's respond", Unit: "× p99", Value: spreadOf(all), Bar: 1.5,
		Detail: fmt.Sprintf("%s µs against %s µs from when a request was due; from its sending %s µs against %s µs",
			number(spreadOf(p99[0]).Median), number(spreadOf(p99[1]).Median), number(spreadOf(service[0]).Median), number(spreadOf(service[1]).Median)),
	})
	return nil
}
