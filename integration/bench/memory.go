package main

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/cacheward/cacheward/integration/bench/load"
)

func memoryScenarios() []scenario {
	return []scenario{
		{"memory", "100,000 objects of 4 KiB", memory},
		{"attack", "distinct keys without end", attack},
	}
}

// measureRSS is what a process has, once the load is over.
func (p *process) measureRSS() (float64, error) {
	u, err := p.use()
	return float64(u.rss), err
}

// memory compares the resident memory with what is stored, in an edge as it is started by
// default and in one with a memory limit.
func memory(b *bench, name string) error {
	const size = 4 << 10
	objects := 100_000
	if b.quick {
		objects = 25_000
	}
	payload := float64(objects * size)
	paths := pagePaths(size, objects)
	policy := "store memory 1GiB\nroute pages {\n\tpath /page/*\n\tcache origin\n}"
	var empty float64
	for _, limited := range []bool{false, true} {
		var env []string
		what := fmt.Sprintf("%s objects of 4 KiB", thousands(float64(objects)))
		if limited {
			limit := empty + 1.15*payload
			env = []string{fmt.Sprintf("GOMEMLIMIT=%.0f", limit)}
			what += fmt.Sprintf(", GOMEMLIMIT %.0f MiB", limit/(1<<20))
		}
		e, err := b.startEdge("cacheward", env, "", b.wards(policy))
		if err != nil {
			return err
		}
		// What an edge has that is in use, and holds nothing worth mentioning.
		if err := b.store(e.addresses[0], paths[:200]); err != nil {
			return err
		}
		if !limited {
			if empty, err = e.measureRSS(); err != nil {
				return err
			}
		}
		before, err := e.use()
		if err != nil {
			return err
		}
		if err := b.store(e.addresses[0], paths); err != nil {
			return err
		}
		after, err := e.use()
		if err != nil {
			return err
		}
		// The runtime gives back what it does not need within some seconds.
		select {
		case <-b.ctx.Done():
			return b.ctx.Err()
		case <-time.After(5 * time.Second):
		}
		if rested, err := e.use(); err == nil {
			after.rss = min(after.rss, rested.rss)
		}
		whole := float64(after.rss)
		b.report(result{
			Name: name, What: what, Against: "payload", Unit: "× RSS",
			Value: one((whole - empty) / payload), Bar: 1.15,
			Detail: fmt.Sprintf("%.0f MiB for %.0f MiB, beside the %.0f MiB of an edge that is in use and holds 200; %.1f s CPU to fill and read", whole/(1<<20), payload/(1<<20), empty/(1<<20), (after.cpu - before.cpu).Seconds()),
		})
		e.stop()
	}
	return nil
}

func one(f float64) spread { return spread{f, f, f} }

// attack asks for distinct keys without end while visitors ask for the pages of a hot set.
func attack(b *bench, name string) error {
	const hot, size, bound = 1000, 4 << 10, 64 << 20
	requests := 400_000
	if b.quick {
		requests = 60_000
	}
	e, err := b.startEdge("cacheward", nil, "", b.wards(fmt.Sprintf("store memory %d\nroute pages {\n\tpath /page/*\n\tcache origin\n}", bound)))
	if err != nil {
		return err
	}
	paths := pagePaths(size, hot)
	for range 3 { // asked for often, as hot pages are
		if err := b.store(e.addresses[0], paths); err != nil {
			return err
		}
	}
	rss, err := e.measureRSS()
	if err != nil {
		return err
	}
	asked, err := b.origin.count()
	if err != nil {
		return err
	}
	var worst atomic.Uint64
	sample := func() {
		if now, err := e.measureRSS(); err == nil && now > math.Float64frombits(worst.Load()) {
			worst.Store(math.Float64bits(now))
		}
	}
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Millisecond):
				sample()
			}
		}
	}()
	base := pagePath(size, kindShared, 0) + "attack-"
	r, err := load.Closed(b.ctx, load.Options{
		Addr: e.addresses[0], Conns: 16, Requests: requests,
		Request: func(i int) load.Target {
			if i%4 == 0 {
				return load.Target{URI: paths[i/4%hot]}
			}
			return load.Target{URI: fmt.Sprintf("%s%d", base, i)}
		},
	})
	close(stop)
	<-stopped
	if err != nil {
		return err
	}
	if r.Failed() > 0 || r.Statuses[200] != requests {
		return fmt.Errorf("statuses %v, errors %v", r.Statuses, r.Examples)
	}
	now, err := b.origin.count()
	if err != nil {
		return err
	}
	visits := requests / 4
	again := float64(now-asked) - float64(requests-visits)
	sample()
	b.report(result{
		Name: name, What: fmt.Sprintf("%s distinct keys, and a hot set of 1,000 in a store of 64 MiB", thousands(float64(requests-visits))),
		Against: "all visits to the hot set", Unit: "of them from the origin", Value: one(again / float64(visits)), Bar: 0.01,
		Detail: fmt.Sprintf("RSS %.0f MiB before, %.0f MiB at most", rss/(1<<20), math.Float64frombits(worst.Load())/(1<<20)),
	})
	return nil
}
