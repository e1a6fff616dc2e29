package main

import (
	"fmt"
	"net"
	"os/exec"
)

// sharedScenarios are those of an edge whose store it shares with others, on Redis.
func sharedScenarios() []scenario {
	return []scenario{
		{"shared-memory", "hit, 1 KiB, in the memory of one of several edges", sharedMemory},
		{"shared-redis", "hit, 4 KiB, in Redis", sharedRedis},
	}
}

// startRedis runs a server that keeps nothing on disk, on the load's core. Where there is none
// the scenario says so and has no result.
func (b *bench) startRedis() (address string, err error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return "", nil
	}
	if address, err = freeAddress(); err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	p, err := b.spawn("redis", loadCore, b.dir, nil, program, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
	if err != nil {
		return "", err
	}
	return address, p.listens(address)
}

// sharedPolicy has the pages in a memory of that size, and in Redis behind it.
func sharedPolicy(redis, memory string) string {
	return fmt.Sprintf("store redis %s {\n\tmemory %s\n\tedge bench\n}\nroute pages {\n\tpath /page/*\n\tcache origin\n}", redis, memory)
}

const alonePolicy = "store memory 1GiB\nroute pages {\n\tpath /page/*\n\tcache origin\n}"

// sharedMemory is what belonging to a fleet costs a hit that does not need it.
func sharedMemory(b *bench, name string) error {
	redis, err := b.startRedis()
	if err != nil || redis == "" {
		return err
	}
	t := traffic{paths: []string{pagePath(1<<10, kindShared, 0)}}
	ours, err := b.startEdge("cacheward", nil, "", b.wards(sharedPolicy(redis, "1GiB")))
	if err != nil {
		return err
	}
	alone, err := b.startEdge("memory", nil, "", b.wards(alonePolicy))
	if err != nil {
		return err
	}
	for _, e := range []*server{ours, alone} {
		if err := b.store(e.addresses[0], t.paths); err != nil {
			return err
		}
	}
	return b.row(name, "hit, 1 KiB, in the memory of one of several edges",
		lane{name: "cacheward", proc: ours.process, traffic: t.to(ours.addresses[0])},
		lane{name: "the memory store", proc: alone.process, traffic: t.to(alone.addresses[0]), bar: 1.05})
}

// sharedRedis asks for more than the edge's memory holds, in turn, so that nearly all of it
// comes from Redis.
func sharedRedis(b *bench, name string) error {
	redis, err := b.startRedis()
	if err != nil || redis == "" {
		return err
	}
	paths := pagePaths(4<<10, manyObjects)
	ours, err := b.startEdge("cacheward", nil, "", b.wards(sharedPolicy(redis, "1MiB")))
	if err != nil {
		return err
	}
	alone, err := b.startEdge("memory", nil, "", b.wards(alonePolicy))
	if err != nil {
		return err
	}
	plain, err := b.startEdge("reverse_proxy", nil, "", b.proxies())
	if err != nil {
		return err
	}
	for _, e := range []*server{ours, alone} {
		if err := b.store(e.addresses[0], paths); err != nil {
			return err
		}
	}
	t := traffic{paths: paths}
	return b.row(name, "hit, 4 KiB, in Redis",
		lane{name: "cacheward", proc: ours.process, traffic: t.to(ours.addresses[0])},
		lane{name: "the memory store", proc: alone.process, traffic: t.to(alone.addresses[0])},
		lane{name: "Caddy's reverse_proxy", proc: plain.process, traffic: t.to(plain.addresses[0]), origin: 1})
}
