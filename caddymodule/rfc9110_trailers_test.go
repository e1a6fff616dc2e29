package caddymodule

import (
	"io"
	"net/http"
	"testing"
)

// TestTrailersOfAWholeFill: a visitor whose fill could be their own answer is given
// their own all the same where there are trailers, which a fill does not pass on
// (RFC 9110 §6.5).
func TestTrailersOfAWholeFill(t *testing.T) {
	e := startEdge(t, `cacheward {
		route page {
			path /*
			cache origin
			header others vary
			address forward "a test"
		}
	}
	reverse_proxy `+newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "the page")
		w.Header().Set("X-Sum", "42")
	}))
	r, err := e.request("GET", "/")
	if err != nil {
		t.Fatal(err)
	}
	res, err := e.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "the page" || res.Trailer.Get("X-Sum") != "42" {
		t.Errorf("%q, trailers %v, error %v", body, res.Trailer, err)
	}
}
