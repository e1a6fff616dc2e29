// Command bench measures what Cacheward costs, with the real binary and real HTTP over
// loopback: CPU per request against Caddy's own respond and reverse_proxy in the same
// binary and against the caches in use elsewhere, latency, memory, start and reload.
//
//	go run ./integration/bench            everything, about twenty minutes
//	go run ./integration/bench --quick    everything, more roughly, under three minutes
//	go run ./integration/bench --plots    how the cost grows, as SVG
//	go run ./integration/bench --pgo      a new profile for cmd/cacheward
//
// The server that is measured runs on one core and everything else (the load, the origin)
// on another. Contenders that are compared are all running, and are loaded in turn, A B A
// B; what is reported is the median of the rounds' ratios with their spread. CPU is what
// the kernel has counted for the server's processes, divided by the requests that were
// answered. That a hit was a hit, and a pass a pass, is read off the origin's own count.
//
// It needs Linux, two cores, taskset and wrk. Peers are measured where they are installed:
// nginx, varnishd, traffic_server.
package main
