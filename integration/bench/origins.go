package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/cacheward/cacheward/integration/bench/load"
)

// passPolicy is what requests to the origin are measured with. It looks for a page on
// routes of each sort.
const passPolicy = `
store memory 256MiB
identity {
	cookie session remember_*
}
route corroborated {
	path /page/1024/visitor/*
	cache 5m
}
route trusted {
	path /page/*/shared/0s/trusted/*
	cache origin
	param strip @analytics
	cookie strip @analytics
	inspect off "what inspection costs is the difference to this"
}
route pages {
	path /page/*
	cache origin
	param strip @analytics
	cookie strip @analytics
}
`

func originScenarios() []scenario {
	return []scenario{
		{"pass-bypass", "bypass, 1 KiB: a visitor with a session", bypasses},
		{"pass-refused", "pass, 1 KiB: a refusal that is remembered", refusals},
		{"miss-1k", "miss and store, 1 KiB, admission once", misses(1<<10, "", 1.25)},
		{"miss-64k", "miss and store, 64 KiB, admission once, the body not looked into", misses(64<<10, "trusted/", 1.25)},
		{"miss-64k-gate", "miss and store, 64 KiB of HTML, through the body gate", misses(64<<10, "", 1.40)},
		{"large", "a download of 1 GiB through a bypass", download},
	}
}

// pair starts an edge before the origin, and a plain reverse_proxy to hold it against.
func (b *bench) pair(policy string) (ours, plain *server, err error) {
	if ours, err = b.startEdge("cacheward", nil, "", b.wards(policy)); err != nil {
		return nil, nil, err
	}
	plain, err = b.startEdge("reverse_proxy", nil, "", b.proxies())
	return ours, plain, err
}

// passes compares what goes to the origin each time. status is what Cache-Status has to
// say of it.
func (b *bench) passes(name, what, status string, bar float64, t traffic) error {
	ours, plain, err := b.pair(passPolicy)
	if err != nil {
		return err
	}
	// The second time, what is to be remembered is.
	said := ""
	for i := range 2 {
		path := t.paths[0]
		if t.distinct {
			path += fmt.Sprintf("first%d", i)
		}
		if said, err = cacheStatus(ours.addresses[0], path, t.headers); err != nil {
			return err
		}
	}
	if !strings.Contains(said, status) {
		return fmt.Errorf("Cache-Status is %q, with %q in it was expected", said, status)
	}
	return b.row(name, what,
		lane{name: "cacheward", proc: ours.process, traffic: t.to(ours.addresses[0]), origin: 1},
		lane{name: "Caddy's reverse_proxy", proc: plain.process, traffic: t.to(plain.addresses[0]), origin: 1, bar: bar})
}

// cacheStatus is what an edge says of one request.
func cacheStatus(address, path string, fields []string) (string, error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return "", err
	}
	for _, line := range fields {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.Header.Get("Cache-Status"), err
}

func bypasses(b *bench, name string) error {
	t := traffic{paths: []string{pagePath(1<<10, kindShared, 0)}, headers: append(browserFields()[1:], "Cookie: session=0af7651916cd43dd8448eb211c80319c")}
	return b.passes(name, "bypass, 1 KiB: a visitor with a session", "detail=identity", 1.05, t)
}

func refusals(b *bench, name string) error {
	t := traffic{paths: []string{pagePath(1<<10, kindPrivate, 0)}, headers: browserFields()}
	return b.passes(name, "pass, 1 KiB: a refusal that is remembered", "detail=private", 1.05, t)
}

// misses asks for a page of its own with each request.
func misses(size int, below string, bar float64) func(*bench, string) error {
	return func(b *bench, name string) error {
		what := fmt.Sprintf("miss and store, %d KiB, admission once", size>>10)
		switch {
		case below != "":
			what += ", the body not looked into"
		case size > 1<<10:
			what += ", HTML through the body gate"
		}
		t := traffic{paths: []string{pagePath(size, kindShared, 0) + below}, headers: browserFields(), distinct: true}
		return b.passes(name, what, "stored", bar, t)
	}
}

// download is a large body through a bypass: its CPU a byte, and what the edge holds of it.
func download(b *bench, name string) error {
	size := 1 << 30
	if b.quick {
		size = 256 << 20
	}
	ours, plain, err := b.pair(passPolicy)
	if err != nil {
		return err
	}
	target := load.Target{URI: fmt.Sprintf("/big/%d", size), Fields: []load.Field{{Name: "Cookie", Value: "session=0af7651916cd43dd"}}}
	var cpu [2][]float64
	var grown, rates []float64
	for range b.rounds {
		for i, e := range []*server{ours, plain} {
			before, err := e.use()
			if err != nil {
				return err
			}
			began := time.Now()
			r, err := load.Closed(b.ctx, load.Options{Addr: e.addresses[0], Conns: 1, Requests: 1, Request: func(int) load.Target { return target }})
			if err != nil {
				return err
			}
			if r.Failed() > 0 || r.Bytes != int64(size) {
				return fmt.Errorf("%s gave %d of %d bytes: %v", e.name, r.Bytes, size, r.Examples)
			}
			took := time.Since(began)
			after, err := e.use()
			if err != nil {
				return err
			}
			cpu[i] = append(cpu[i], (after.cpu - before.cpu).Seconds())
			if i == 0 {
				grown = append(grown, float64(after.rss-before.rss)/(1<<20))
				rates = append(rates, float64(size)/took.Seconds()/1e6)
			}
		}
	}
	var all []float64
	for i := range cpu[0] {
		all = append(all, cpu[0][i]/cpu[1][i])
	}
	b.report(result{
		Name: name, What: fmt.Sprintf("a download of %d MiB through a bypass", size>>20), Against: "Caddy's reverse_proxy", Unit: "× CPU",
		Value: spreadOf(all), Bar: 1.05,
		Detail: fmt.Sprintf("%.0f MB/s; RSS grew by %.0f MiB at most", spreadOf(rates).Median, spreadOf(grown).Max),
	})
	return nil
}
