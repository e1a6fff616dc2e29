package caddymodule

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestStaleWindows: RFC 5861 §3, §4, from the origin and from the policy, and what
// forbids them (RFC 9111 §4.2.4, §5.2.2.2, §5.2.2.8, §5.2.2.10).
func TestStaleWindows(t *testing.T) {
	const plain = "cache: origin"
	const both = "cache: {ttl: origin, stale_while_revalidate: 30s, stale_if_error: 1h}"
	for _, test := range []struct {
		name, route, control string
		revalidating, failed time.Duration // for how long after 60 s; nought: not at all
	}{
		{"nothing said", plain, "max-age=60", 0, 0},
		{"policy", both, "max-age=60", 30, 3600},
		{"origin", plain, "max-age=60, stale-while-revalidate=20, stale-if-error=100", 20, 100},
		{"origin's while revalidating only", plain, "max-age=60, stale-while-revalidate=20", 20, 0},
		{"origin's on error only", plain, "max-age=60, stale-if-error=100", 0, 100},
		{"the origin's before the policy's", both, "max-age=60, stale-while-revalidate=10, stale-if-error=20", 10, 20},
		{"must-revalidate", both, "max-age=60, must-revalidate", 0, 0},
		{"proxy-revalidate", both, "max-age=60, proxy-revalidate", 0, 0},
		{"s-maxage", both, "s-maxage=60", 0, 0},
		{"must-revalidate beside windows", plain, "max-age=60, must-revalidate, stale-while-revalidate=20, stale-if-error=100", 0, 0},
		{"proxy-revalidate beside windows", plain, "max-age=60, proxy-revalidate, stale-while-revalidate=20, stale-if-error=100", 0, 0},
		{"malformed windows", plain, "max-age=60, stale-while-revalidate=x, stale-if-error=x", 0, 0},
	} {
		for _, failure := range []string{"dead", "503"} {
			t.Run(test.name+" "+failure, func(t *testing.T) {
				withRoute(t, test.route, func(t *testing.T, c *ruled) {
					up := say(200, "the page", "Etag", `"v1"`, "Cache-Control", test.control)
					failing := say(503, "sorry", "Retry-After", "5")
					if failure == "dead" {
						failing = dead
					}
					for i, late := range []time.Duration{0, test.revalidating - 1, test.revalidating, test.failed - 1, test.failed} {
						if late < 0 {
							continue
						}
						target := fmt.Sprintf("/%d", i)
						c.origin = up
						c.get(target)
						time.Sleep((60 + late) * time.Second)
						c.origin = failing
						first, second := c.get(target), c.get(target)
						if late < max(test.revalidating, test.failed) {
							first.check(t, "first", 200, "the page")
							second.check(t, "second", 200, "the page")
							if !first.hit() || first.header.Get("Age") == "0" {
								t.Errorf("%d s late: %v", late, first.header)
							}
						} else if first.body == "the page" || second.body == "the page" || first.hit() || second.hit() {
							t.Errorf("%d s late: %q and %q, %s", late, first.body, second.body, second.header["Cache-Status"])
						}
					}
				})
			})
		}
	}
}

// TestRefreshOnceForACrowd: RFC 5861 §3. All are given the stale response at once,
// and the origin is asked by one.
func TestRefreshOnceForACrowd(t *testing.T) {
	withRoute(t, "cache: {ttl: origin, stale_while_revalidate: 30s}", func(t *testing.T, c *ruled) {
		c.origin = oldPage("version 1")
		c.get("/")
		c.asked()
		time.Sleep(61 * time.Second)
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			time.Sleep(10 * time.Second)
			return oldPage("version 2")(w, r)
		}
		began := time.Now()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { c.send("GET", "/").check(t, "stale", 200, "version 1", "hit", "ttl=-1") })
		}
		wg.Wait()
		if took := time.Since(began); took != 0 {
			t.Errorf("they waited %s", took)
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		c.reached(t, "a crowd", 1)
		c.get("/").check(t, "refreshed", 200, "version 2", "hit", "ttl=49") // the ten seconds count as age
	})
}

// TestRefreshThatIsRefused: RFC 5861 §3. When the origin takes the permission back,
// the stale response is not served any more.
func TestRefreshThatIsRefused(t *testing.T) {
	withRoute(t, "cache: {ttl: origin, stale_while_revalidate: 1h}", func(t *testing.T, c *ruled) {
		c.origin = oldPage("the page")
		c.get("/", "Accept-Language", "en")
		time.Sleep(61 * time.Second)
		c.origin = say(200, "personal", "Cache-Control", "private")
		c.get("/", "Accept-Language", "en").check(t, "stale", 200, "the page", "hit")
		c.get("/", "Accept-Language", "en").check(t, "after it", 200, "personal", "detail=private")
		if n := c.objects(); n != 0 {
			t.Errorf("%d objects are stored", n)
		}
	})
}

// TestDeadOriginOnAColdKey: RFC 9111 §4.2.4. Where nothing is stored the error is the
// visitor's, and everybody's who waited.
func TestDeadOriginOnAColdKey(t *testing.T) {
	withRoute(t, "cache: {ttl: origin, stale_if_error: 1h}", func(t *testing.T, c *ruled) {
		c.origin = func(w http.ResponseWriter, r *http.Request) error {
			time.Sleep(time.Second)
			return deadOrigin()
		}
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if a := c.send("GET", "/"); a.err == nil || a.body != "" || a.header.Get("Cache-Control") != "private, no-store" {
					t.Errorf("%q, %v, %v", a.body, a.header, a.err)
				}
			})
		}
		wg.Wait()
	})
}

// TestStaleAge: RFC 9111 §4.2.3, §5.1. Age counts what the origin said and the time
// since, on a stale response as well.
func TestStaleAge(t *testing.T) {
	withRoute(t, "cache: {ttl: origin, stale_if_error: 1h}", func(t *testing.T, c *ruled) {
		c.origin = say(200, "the page", "Cache-Control", "max-age=60", "Age", "40")
		a := c.get("/")
		if a.check(t, "fill", 200, "the page", "fwd=uri-miss", "stored"); a.header.Get("Age") != "40" {
			t.Errorf("Age %q on the fill", a.header["Age"])
		}
		time.Sleep(10 * time.Second)
		a = c.get("/")
		if a.check(t, "hit", 200, "the page", "hit", "ttl=10"); a.header.Get("Age") != "50" {
			t.Errorf("Age %q on the hit", a.header["Age"])
		}
		time.Sleep(10 * time.Second)
		c.origin = dead
		a = c.get("/")
		if a.check(t, "stale", 200, "the page"); a.header.Get("Age") != "60" || len(a.header["Age"]) != 1 {
			t.Errorf("Age %q when stale", a.header["Age"])
		}
	})
}
