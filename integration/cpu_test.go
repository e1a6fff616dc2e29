package integration

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

// cpuCaddyfile has the same page behind no cacheward at all and behind routes that
// fill with every request, because each asks for a page of its own.
const cpuCaddyfile = `{
	admin off
	log {
		level ERROR
	}
}
http://:%s {
	bind 127.0.0.1
	handle /plain/* {
		reverse_proxy %[2]s
	}
	handle {
		cacheward {
			store memory 64MiB
			route trusted {
				path /trusted/*
				cache origin
				inspect off "what inspecting costs is the difference to this"
			}
			route inspected {
				path /inspected/*
				cache origin
			}
			route corroborated {
				path /corroborated/*
				cache 5m
			}
		}
		reverse_proxy %[2]s
	}
}
`

// BenchmarkInspection measures what the edge's process spends on one request for 64 KiB
// of HTML: proxied, filled without looking into the body, filled, and corroborated
// (which is two requests to the origin). The figure is cpu-µs/op, of that process alone;
// ns/op has the client and the origin in it.
func BenchmarkInspection(b *testing.B) {
	page := ordinaryPage(64 << 10)
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "public, max-age=300")
		_, _ = io.WriteString(w, page)
	}))
	b.Cleanup(origin.Close)
	dir := b.TempDir()
	addresses := edge.FreeAddresses(b, 1)
	_, port, _ := strings.Cut(addresses[0], ":")
	config := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(config, fmt.Appendf(nil, cpuCaddyfile, port, origin.Listener.Addr()), 0o600); err != nil {
		b.Fatal(err)
	}
	process := edge.Start(b, binary, dir, addresses, "run", "--config", config, "--adapter", "caddyfile")
	var n atomic.Int64
	for _, kind := range []string{"plain", "trusted", "inspected", "corroborated"} {
		b.Run(kind, func(b *testing.B) {
			before := cpuTime(b, process.Pid)
			for b.Loop() {
				res, err := http.Get(fmt.Sprintf("http://%s/%s/%d", addresses[0], kind, n.Add(1)))
				if err != nil {
					b.Fatal(err)
				}
				if got, err := io.Copy(io.Discard, res.Body); err != nil || got != int64(len(page)) {
					b.Fatal(got, err)
				}
				res.Body.Close()
			}
			b.ReportMetric(1e6*(cpuTime(b, process.Pid)-before)/float64(b.N), "cpu-µs/op")
		})
	}
}

// ordinaryPage is a page of about n bytes, as shops have them.
func ordinaryPage(n int) string {
	var b strings.Builder
	b.WriteString(`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title><link rel="stylesheet" href="/static/site.4f3c2a1b.css"></head><body>`)
	for i := 0; b.Len() < n-100; i++ {
		fmt.Fprintf(&b, `<article class="card" id="item-%d"><a href="/items/%d?from=list"><img src="/img/%x.jpg" alt="A thing"></a><h2>Thing number %d</h2><p>It is a good thing, and costs %d.%02d.</p></article>`+"\n", i, i, i*2654435761, i, i%97, i%100)
	}
	b.WriteString(`</body></html>`)
	return b.String()
}

// cpuTime is what a process has spent so far, in seconds.
func cpuTime(b *testing.B, pid int) float64 {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Skipf("what a process spends is read from /proc, which is not there: %v", err)
	}
	_, fields, _ := strings.Cut(string(stat), ") ")
	words := strings.Fields(fields)
	const perSecond = 100 // USER_HZ, the same on all of Linux that Go runs on
	ticks := 0
	for _, word := range words[11:13] { // utime, stime
		n, err := strconv.Atoi(word)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return float64(ticks) / perSecond
}
