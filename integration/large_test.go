package integration

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

const (
	// largeEnv is how many MiB a large body has, where 256 are not enough.
	largeEnv = "CACHEWARD_LARGE_MIB"
	// maxGrowth is how much more memory the process may have had at any time of a
	// download than before it.
	maxGrowth = 64 << 20
)

// largePolicy has a route for each way that a body goes.
const largePolicy = `
		identity {
			cookie session
		}
		limits {
			max_object 4MiB
			fill_memory 16MiB
		}
		route never {
			path /never/*
			cache never
		}
		route origin {
			path /origin/*
			cache origin
		}
		route hold {
			path /hold/*
			cache 5m
		}`

// TestLargeBodies: a body of any size goes through with flat memory, whichever way it goes.
func TestLargeBodies(t *testing.T) {
	size := largeSize(t)
	origin := httptest.NewServer(http.HandlerFunc(largeOrigin))
	t.Cleanup(origin.Close)
	site := edge.StartSite(t, binary, edge.SiteConfig{Origin: origin.Listener.Addr().String(), Policy: largePolicy})
	for _, test := range []struct {
		name, path, cookie string
		// before are requests that make the one under test go that way.
		before int
		status string // what Cache-Status says
	}{
		{"bypass", "/origin/permitted", "session=0af7651916cd43dd", 0, "fwd=bypass"},
		{"never", "/never/permitted", "", 0, "fwd=bypass"},
		{"no route", "/permitted", "", 0, "fwd=bypass"},
		{"remembered refusal", "/origin/refused", "", 1, "fwd=miss"},
		{"fill that is announced to be too large", "/origin/permitted/announced", "", 0, "fwd=uri-miss"},
		{"fill that outgrows", "/origin/permitted/chunked", "", 0, "fwd=uri-miss"},
		{"corroborated", "/hold/permitted", "", 0, "fwd=uri-miss"},
	} {
		t.Run(test.name, func(t *testing.T) {
			// What the way needs once is no part of what the size needs.
			download(t, site, test.path+"/first", test.cookie, 8<<20)
			for range test.before {
				askLarge(t, site, test.path, test.cookie, size).Body.Close()
			}
			before := resident(t, site, "VmRSS")
			resetPeak(t, site)
			status := download(t, site, test.path, test.cookie, size)
			if !strings.Contains(status, test.status) {
				t.Errorf("Cache-Status: %s; %s was expected", status, test.status)
			}
			if growth := resident(t, site, "VmHWM") - before; growth > maxGrowth {
				t.Errorf("%d MiB went through with %d MiB more memory", size>>20, growth>>20)
			}
		})
	}
}

// TestSlowDownloads: visitors who take a part of a large body and then no more, each of a
// page of their own, hold no more than the bound on fills and a window each.
func TestSlowDownloads(t *testing.T) {
	t.Setenv("GOGC", "50") // what is held counts, not what has yet to be collected
	const visitors = 48
	origin := httptest.NewServer(http.HandlerFunc(largeOrigin))
	t.Cleanup(origin.Close)
	site := edge.StartSite(t, binary, edge.SiteConfig{Origin: origin.Listener.Addr().String(), Policy: largePolicy})
	download(t, site, "/origin/permitted/chunked/first", "", 8<<20)
	before := resident(t, site, "VmRSS")
	resetPeak(t, site)
	for i := range visitors {
		res := askLarge(t, site, fmt.Sprintf("/origin/permitted/chunked/%d", i), "", 64<<20)
		if _, err := io.CopyN(io.Discard, res.Body, 6<<20); err != nil {
			t.Fatal(err)
		}
	}
	if growth := resident(t, site, "VmHWM") - before; growth > maxGrowth {
		t.Errorf("%d slow downloads take %d MiB more memory", visitors, growth>>20)
	}
	// The bound is no outage: another visitor's page is filled and stored.
	download(t, site, "/origin/permitted/small", "", 1<<10)
	edge.Eventually(t, "a hit", func() bool {
		return strings.Contains(download(t, site, "/origin/permitted/small", "", 1<<10), "hit")
	})
}

// largeOrigin sends as many bytes as the last segment of the path says, with their length or, on a path with
// chunked in it, without.
func largeOrigin(w http.ResponseWriter, r *http.Request) {
	size, err := strconv.ParseInt(path.Base(r.URL.Path), 10, 64)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Cache-Control", "public, max-age=300")
	if strings.Contains(r.URL.Path, "/refused") {
		h.Set("Cache-Control", "private")
	}
	if !strings.Contains(r.URL.Path, "/chunked") {
		h.Set("Content-Length", strconv.FormatInt(size, 10))
	}
	for left := size; left > 0; left -= int64(len(largeBlock)) {
		if _, err := w.Write(largeBlock[:min(left, int64(len(largeBlock)))]); err != nil {
			return
		}
	}
}

// largeBlock is what large bodies are made of, over and over.
var largeBlock = func() []byte {
	b := make([]byte, 1<<20)
	for i := range b {
		b[i] = byte(i * 2654435761 >> 13)
	}
	return b
}()

// askLarge asks for a body of so many bytes. The response is open until the test ends.
func askLarge(t *testing.T, site *edge.Site, at, cookie string, size int64) *http.Response {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://%s%s/%d", site.Address, at, size), nil)
	if err != nil {
		t.Fatal(err)
	}
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

// download takes all of it, looks at every byte, and returns the Cache-Status.
func download(t *testing.T, site *edge.Site, at, cookie string, size int64) string {
	t.Helper()
	res := askLarge(t, site, at, cookie, size)
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", at, res.Status)
	}
	block := make([]byte, len(largeBlock))
	for left := size; left > 0; {
		n := min(left, int64(len(block)))
		if _, err := io.ReadFull(res.Body, block[:n]); err != nil {
			t.Fatalf("%s: %d bytes before the end: %v", at, left, err)
		}
		if !bytes.Equal(block[:n], largeBlock[:n]) {
			t.Fatalf("%s: not what the origin sent, at most %d bytes before the end", at, left)
		}
		left -= n
	}
	if n, err := res.Body.Read(block); n != 0 || err != io.EOF {
		t.Fatalf("%s: %d bytes behind the end: %v", at, n, err)
	}
	return res.Header.Get("Cache-Status")
}

func largeSize(t *testing.T) int64 {
	t.Helper()
	mib := os.Getenv(largeEnv)
	if mib == "" {
		return 256 << 20
	}
	n, err := strconv.ParseInt(mib, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", largeEnv, err)
	}
	return n << 20
}

// resident is what the site's process has in memory (VmRSS), or had at most (VmHWM), in
// bytes.
func resident(t *testing.T, site *edge.Site, field string) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", site.Process().Pid))
	if err != nil {
		t.Skipf("a process's memory is read from /proc, which is not there: %v", err)
	}
	for line := range strings.Lines(string(status)) {
		if name, value, _ := strings.Cut(line, ":"); name == field {
			kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatalf("no %s in the status of a process", field)
	return 0
}

// resetPeak has VmHWM count from now on.
func resetPeak(t *testing.T, site *edge.Site) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", site.Process().Pid), []byte("5"), 0); err != nil {
		t.Skipf("the peak of a process's memory cannot be reset: %v", err)
	}
}
