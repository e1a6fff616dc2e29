package profiles

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/integration/cdn"
	"github.com/cacheward/cacheward/policies"
)

// age is how old a page is when it comes: its Age is that of one that has been stored.
const age = 100 * time.Second

// origin answers every request with another page, in the dialect of the profile: the path
// says what caches may do with it.
func origin(t *testing.T, p *policies.Profile) string {
	t.Helper()
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html")
		switch r.URL.Path {
		case "/refused":
			httpcache.ForbidAs(h, p)
		case "/refused-everywhere":
			httpcache.ForbidEverywhere(h)
		case "/shared":
			httpcache.PermitAs(h, httpcache.Permission{CDN: time.Minute}, p)
		case "/shared-and-aged":
			h.Set("Age", fmt.Sprint(int(age.Seconds())))
			httpcache.PermitAs(h, httpcache.Permission{CDN: time.Minute + age, Age: age}, p)
		case "/shared-for-a-second":
			h.Set("Age", fmt.Sprint(int(age.Seconds())))
			httpcache.PermitAs(h, httpcache.Permission{CDN: time.Second + age, Age: age}, p)
		}
		_, _ = fmt.Fprint(w, n.Add(1))
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func get(t *testing.T, address, path string) string {
	t.Helper()
	res, err := http.Get("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// same says whether two visitors got one page.
func same(t *testing.T, address, path string) bool {
	t.Helper()
	first := get(t, address, path)
	return get(t, address, path) == first
}

// caches are real ones that have a profile, and obey.
var caches = map[string]func(t *testing.T, origin string) (address string){
	"nginx": func(t *testing.T, origin string) string {
		return cdn.StartNginx(t, cdn.NginxConfig{Origin: origin}).Address
	},
	"varnish": func(t *testing.T, origin string) string {
		v := cdn.StartVarnish(t, origin, "")
		v.Set(t, "default_grace", "10") // as it is where nobody sets it
		return v.Address
	},
}

// TestRefused: what is refused nobody stores, also where another CDN was expected.
func TestRefused(t *testing.T) {
	for name, start := range caches {
		for _, p := range policies.Profiles() {
			t.Run(name+" spoken to as "+p.Name, func(t *testing.T) {
				address := start(t, origin(t, p))
				for _, path := range []string{"/refused", "/refused-everywhere"} {
					if same(t, address, path) {
						t.Errorf("%s: two visitors got one page", path)
					}
				}
			})
		}
	}
}

// TestShared: what is shared in a cache's own dialect it shares, and asks again when the
// time is over, however old the page was when it came.
func TestShared(t *testing.T) {
	for name, start := range caches {
		t.Run(name, func(t *testing.T) {
			p, err := policies.FindProfile(name)
			if err != nil {
				t.Fatal(err)
			}
			address := start(t, origin(t, p))
			for _, path := range []string{"/shared", "/shared-and-aged"} {
				if !same(t, address, path) {
					t.Errorf("%s: two visitors got two pages", path)
				}
			}
			first := get(t, address, "/shared-for-a-second")
			time.Sleep(2500 * time.Millisecond) // caches count whole seconds
			if get(t, address, "/shared-for-a-second") == first {
				t.Error("the second is over, and the page is the same")
			}
		})
	}
}
