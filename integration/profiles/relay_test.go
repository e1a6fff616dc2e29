package profiles

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/integration/edge"
)

// saying answers every request with another page. The path is what an app says to caches,
// as field=value, and is passed on as an origin's word.
func saying(t *testing.T) string {
	t.Helper()
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html")
		for pair := range strings.SplitSeq(r.URL.Path[1:], "/") {
			name, value, _ := strings.Cut(pair, "=")
			h.Add(name, value)
		}
		httpcache.Relay(h)
		_, _ = fmt.Fprint(w, n.Add(1))
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// TestRelayed: what the app forbids to one cache, in a field that another does not read,
// that other one does not store either; what it forbids to none they share.
func TestRelayed(t *testing.T) {
	const minute = "/Cache-Control=public,max-age=60"
	for name, start := range caches {
		t.Run(name, func(t *testing.T) {
			address := start(t, saying(t))
			for _, refusal := range []string{
				"CDN-Cache-Control=no-store", "CDN-Cache-Control=max-age=0", "Surrogate-Control=no-store", "Edge-Control=bypass-cache",
				"Cloudflare-CDN-Cache-Control=private", "Vercel-CDN-Cache-Control=no-store", "Netlify-CDN-Cache-Control=no-store", "X-Accel-Expires=0",
			} {
				for _, path := range []string{minute + "/" + refusal, minute + ",s-maxage=600/" + refusal, "/Expires=Thu,%2031%20Dec%202099%2023:59:59%20GMT/" + refusal} {
					if same(t, address, path) {
						t.Errorf("%s: two visitors got one page", path)
					}
				}
			}
			for _, path := range []string{"/Expires=0", "/Cache-Control=no-cache", "/Cache-Control=no-store,max-age=60/Surrogate-Control=max-age=60"} {
				if same(t, address, path) {
					t.Errorf("%s: two visitors got one page", path)
				}
			}
			for _, path := range []string{minute, minute + "/CDN-Cache-Control=max-age=600", minute + "/Surrogate-Control=max-age=30"} {
				if !same(t, address, path) {
					t.Errorf("%s: two visitors got two pages", path)
				}
			}
			const second = minute + "/CDN-Cache-Control=max-age=1"
			first := get(t, address, second)
			edge.Eventually(t, "another page", func() bool { return get(t, address, second) != first })
		})
	}
}
