package cdn

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

// counter is an origin whose every answer is another one.
func counter(t *testing.T) string {
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", r.URL.Query().Get("control"))
		fmt.Fprint(w, n.Add(1))
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// same says whether two visitors got the same answer.
func same(t *testing.T, address, query string) bool {
	t.Helper()
	var bodies [2]string
	for i := range bodies {
		res, err := http.Get("http://" + address + "/" + query)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		bodies[i] = string(body)
	}
	return bodies[0] == bodies[1]
}

func TestNginx(t *testing.T) {
	c := NginxConfig{Origin: counter(t)}
	n := StartNginx(t, c)
	if !same(t, n.Address, "?control=max-age=60&a") || same(t, n.Address, "?control=private,no-store&a") {
		t.Error("nginx does not obey")
	}
	c.Rules = "proxy_ignore_headers Cache-Control Expires Set-Cookie; proxy_cache_valid any 5m;"
	n.Reload(t, c)
	edge.Eventually(t, "the new rules", func() bool { return same(t, n.Address, "?control=private,no-store&b") })
}

func TestVarnish(t *testing.T) {
	v := StartVarnish(t, counter(t), "")
	if !same(t, v.Address, "?control=max-age=60&a") || same(t, v.Address, "?control=private,no-store&a") {
		t.Error("Varnish does not obey")
	}
	v.Reload(t, "sub vcl_backend_response { set beresp.ttl = 5m; return (deliver); }")
	if !same(t, v.Address, "?control=private,no-store&b") {
		t.Error("the new rules are not in force")
	}
}

func TestTrafficServer(t *testing.T) {
	origin := counter(t)
	obeys := StartTrafficServer(t, origin, nil, nil)
	edge.Eventually(t, "its cache", func() bool { return same(t, obeys.Address, "?control=max-age=60&a") })
	if same(t, obeys.Address, "?control=private,no-store&a") {
		t.Error("Traffic Server does not obey")
	}
	not := StartTrafficServer(t, origin, []string{"proxy.config.http.cache.ignore_server_no_cache INT 1"}, []string{"url_regex=.* ttl-in-cache=5m"})
	edge.Eventually(t, "its cache", func() bool { return same(t, not.Address, "?control=private,no-store&b") })
}
