package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// profile measures where a binary that was built without a profile spends its time under
// each kind of load, and merges that into one, which go build takes up by itself when it
// lies beside main.
func (b *bench) profile(to string) error {
	const spell = 12 * time.Second
	b.binary = filepath.Join(b.dir, "unguided")
	if _, err := command(b.ctx, "taskset", "-c", bothCores, "go", "build", "-pgo=off", "-o", b.binary, "./cmd/cacheward"); err != nil {
		return err
	}
	e, err := b.startEdge("cacheward", nil, fmt.Sprintf(auditOptions, filepath.Join(b.dir, "audit.log")),
		b.wards(passPolicy), "\tencode\n"+b.wards(shopPolicy), b.wards(shopPolicy+"audit {\n\tserves all\n}"), responds(page(1<<10)), b.proxies())
	if err != nil {
		return err
	}
	fields := browserFields()
	query := "?utm_source=mail&utm_medium=letter&utm_campaign=c%d&ref=A17"
	shop := traffic{paths: zipf(pagePaths(1<<10, manyObjects), 1<<16), headers: fields, query: query}
	session := append(fields[1:len(fields):len(fields)], "Cookie: session=0af7651916cd43dd8448eb211c80319c")
	var profiles []string
	for i, t := range []traffic{
		shop.to(e.addresses[1]),
		{address: e.addresses[0], paths: pagePaths(1<<10, 100), headers: fields},
		shop.to(e.addresses[2]),
		{address: e.addresses[0], paths: pagePaths(1<<10, 1), headers: session},
		{address: e.addresses[0], paths: []string{pagePath(1<<10, kindPrivate, 0)}, headers: fields},
		{address: e.addresses[0], paths: []string{pagePath(16<<10, kindShared, 0)}, headers: fields, distinct: true},
		{address: e.addresses[3], paths: []string{"/"}, headers: fields},
	} {
		fmt.Fprintf(b.out, "profiling load %d of 7\n", i+1)
		if _, err := b.wrk(t, 3*time.Second); err != nil { // until all is stored
			return err
		}
		loaded := make(chan error, 1)
		go func() {
			_, err := b.wrk(t, spell+time.Second)
			loaded <- err
		}()
		file := filepath.Join(b.dir, fmt.Sprintf("%d.pprof", i))
		if err := e.cpuProfile(file, spell); err != nil {
			return err
		}
		if err := <-loaded; err != nil {
			return err
		}
		profiles = append(profiles, file)
	}
	merged, err := command(b.ctx, append([]string{"go", "tool", "pprof", "-proto", b.binary}, profiles...)...)
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "written to %s: %d KiB\n", to, len(merged)>>10)
	return os.WriteFile(to, merged, 0o644)
}

// cpuProfile saves a profile of the edge's next while.
func (e *server) cpuProfile(to string, d time.Duration) error {
	client := e.adminClient()
	defer client.CloseIdleConnections()
	res, err := client.Get(fmt.Sprintf("http://admin/debug/pprof/profile?seconds=%d", int(d.Seconds())))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("profile: %s %s", res.Status, text)
	}
	return os.WriteFile(to, text, 0o600)
}
