package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cacheward/cacheward/integration/bench/load"
)

func lifeScenarios() []scenario {
	return []scenario{
		{"start", "start with 10,000 routes", start},
		{"reload", "reload with 10,000 routes and 100,000 objects", reload},
	}
}

// bothCores are for what has to be done before, or beside, the requests.
const bothCores = serverCore + "," + loadCore

// start compares how long it takes until the edge listens.
func start(b *bench, name string) error {
	file, err := b.policyFile(10_000, 0)
	if err != nil {
		return err
	}
	times := make(map[string][]float64)
	configs := []struct {
		name string
		site site
	}{
		{"alone", b.proxies()},
		{"file", b.wards("store memory 1GiB\npolicy " + file)},
		{"inline", b.wards(routesPolicy(10_000))},
	}
	for range b.rounds {
		for _, c := range configs {
			began := time.Now()
			e, err := b.startEdgeOn(bothCores, c.name, nil, "", c.site)
			if err != nil {
				return err
			}
			times[c.name] = append(times[c.name], time.Since(began).Seconds())
			e.stop()
		}
	}
	for _, c := range []struct{ name, what string }{{"file", "start with 10,000 routes in a policy file"}, {"inline", "start with 10,000 routes in the Caddyfile"}} {
		var all []float64
		for i := range times[c.name] {
			all = append(all, times[c.name][i]-times["alone"][i])
		}
		b.report(result{
			Name: name, What: c.what, Against: "Caddy alone", Unit: "s more", Value: spreadOf(all), Bar: 1,
			Detail: fmt.Sprintf("listens after %.2f s, Caddy alone after %.2f s", spreadOf(times[c.name]).Median, spreadOf(times["alone"]).Median),
		})
	}
	return nil
}

// policyFile writes the routes of routesPolicy as YAML, and one that changes.
func (b *bench) policyFile(n, changed int) (string, error) {
	var text strings.Builder
	text.WriteString("version: 1\ndefault: never\nroutes:\n")
	for i := range n - 1 {
		switch i % 4 {
		case 0:
			fmt.Fprintf(&text, "  - name: r%d\n    match: {paths: [/section/%d]}\n    cache: 5m\n    params: {key: [page], strip: [\"@analytics\"]}\n", i, i)
		case 1:
			fmt.Fprintf(&text, "  - name: r%d\n    match: {paths: [/section/%d/*]}\n    cache: origin\n", i, i)
		case 2:
			fmt.Fprintf(&text, "  - name: r%d\n    match: {hosts: [shop%d.example], paths: [/a, /b/*, \"*.css\"]}\n    cache: 1m\n", i, i)
		default:
			fmt.Fprintf(&text, "  - name: r%d\n    match: {paths: [/section/%d/**/end]}\n    cache: never\n", i, i)
		}
	}
	text.WriteString("  - name: pages\n    match: {hosts: [127.0.0.1], paths: [/page/*]}\n    cache: origin\n    params: {strip: [\"@analytics\"]}\n    cookies: {strip: [\"@analytics\"]}\n")
	fmt.Fprintf(&text, "  - name: changed\n    match: {paths: [/changed]}\n    cache: %dm\n", changed+1)
	file := filepath.Join(b.dir, fmt.Sprintf("policy%d.yaml", changed))
	return file, os.WriteFile(file, []byte(text.String()), 0o600)
}

// adminClient talks to an edge's admin endpoint.
func (e *server) adminClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", e.admin)
	}}}
}

// load gives a running edge a Caddyfile.
func (e *server) load(config string) error {
	text, err := os.ReadFile(config)
	if err != nil {
		return err
	}
	client := e.adminClient()
	defer client.CloseIdleConnections()
	res, err := client.Post("http://admin/load", "text/caddyfile", bytes.NewReader(text))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if said, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("reload: %s %s %w", res.Status, said, err)
	}
	return nil
}

// reload changes the configuration of an edge that is being visited.
func reload(b *bench, name string) error {
	objects := 100_000
	if b.quick {
		objects = 20_000
	}
	// What of it is Caddy's own: it closes the connections that are idle, for one.
	alone := func(i int) (site, error) {
		return site(fmt.Sprintf("\trespond /changed %d\n", i)) + responds(page(1<<10)), nil
	}
	if err := b.reloads(name, "reload of Caddy alone", objects, alone, false); err != nil {
		return err
	}
	for _, kind := range []string{"in a policy file", "in the Caddyfile"} {
		// Another route's lifetime: what is stored of the others stays.
		config := func(i int) (site, error) {
			if kind == "in the Caddyfile" {
				return b.wards(routesPolicy(10_000) + fmt.Sprintf("route changed {\n\tpath /changed\n\tcache %dm\n}\n", i+1)), nil
			}
			file, err := b.policyFile(10_000, i)
			return b.wards("store memory 1GiB\npolicy " + file), err
		}
		what := fmt.Sprintf("reload with 10,000 routes %s and %s objects", kind, thousands(float64(objects)))
		if err := b.reloads(name, what, objects, config, true); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) reloads(name, what string, objects int, config func(int) (site, error), barred bool) error {
	const rate = 1000
	first, err := config(0)
	if err != nil {
		return err
	}
	e, err := b.startEdgeOn(bothCores, "cacheward", nil, "", first)
	if err != nil {
		return err
	}
	defer e.stop()
	paths := pagePaths(1<<10, objects)
	if err := b.store(e.addresses[0], paths); err != nil {
		return err
	}
	visit := func(d time.Duration) (*load.Result, error) {
		r, err := load.Steady(b.ctx, load.Options{
			Addr: e.addresses[0], Conns: 32, Rate: rate, Duration: d,
			Request: func(i int) load.Target { return load.Target{URI: paths[i*7919%len(paths)]} },
		})
		if err == nil && (r.Failed() > 0 || r.Statuses[http.StatusOK] != r.Answered) {
			err = fmt.Errorf("during a reload: statuses %v, errors %v", r.Statuses, r.Examples)
		}
		return r, err
	}
	asked, err := b.origin.count()
	if err != nil {
		return err
	}
	var took, slower, worst []float64
	retried := 0
	for i := range b.rounds + 1 {
		next, err := config(i + 1)
		if err != nil {
			return err
		}
		file, err := e.write("", next)
		if err != nil {
			return err
		}
		quiet, err := visit(b.spell)
		if err != nil {
			return err
		}
		reloaded := make(chan error, 1)
		var duration time.Duration
		go func() {
			time.Sleep(b.spell / 4) // the load is under way
			began := time.Now()
			err := e.load(file)
			duration = time.Since(began)
			reloaded <- err
		}()
		busy, err := visit(b.spell)
		if rerr := <-reloaded; rerr != nil {
			return rerr
		}
		if err != nil {
			return err
		}
		if i == 0 {
			continue
		}
		retried += busy.Retried
		took = append(took, float64(duration)/float64(time.Millisecond))
		slower = append(slower, float64(busy.Latency.Quantile(0.99))/float64(quiet.Latency.Quantile(0.99)))
		worst = append(worst, float64(busy.Latency.Quantile(0.99))/float64(time.Millisecond))
	}
	now, err := b.origin.count()
	if err != nil {
		return err
	}
	bars := [2]float64{500, 3}
	if !barred {
		bars = [2]float64{}
	}
	b.report(result{Name: name, What: what, Against: "", Unit: "ms", Value: spreadOf(took), Bar: bars[0], Detail: fmt.Sprintf("no request failed, %d were sent again on another connection; %d of the visits went to the origin", retried, now-asked)})
	b.report(result{Name: name, What: what, Against: "the same without a reload", Unit: "× p99", Value: spreadOf(slower), Bar: bars[1], Detail: fmt.Sprintf("%.1f ms", spreadOf(worst).Median)})
	return nil
}
