package caddymodule

import (
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/policies"
)

// TestMoreThanWasAnnounced: nobody reads a fill whose body is to be short while it comes. One
// that turns out longer ends there instead of waiting for its reader.
func TestMoreThanWasAnnounced(t *testing.T) {
	for _, announced := range []string{"0", "10", "65536"} {
		t.Run(announced, func(t *testing.T) {
			h := benchedUnder(t, "none", &policies.Policy{Routes: []policies.Route{{
				Name: "page", Match: policies.Match{Paths: []string{"/page"}}, Cache: policies.Cache{Kind: policies.CacheOrigin},
				Cookies: &policies.Inputs{Strip: []string{"@analytics"}},
			}}})
			fills := 0
			h.limits.maxObject = 96 << 10
			next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
				if r.RemoteAddr == fillAddress {
					fills++
				}
				w.Header().Set("Cache-Control", "public, max-age=60")
				w.Header().Set("Content-Length", announced)
				for range 64 {
					if _, err := w.Write(make([]byte, 16<<10)); err != nil {
						return err
					}
				}
				return nil
			})
			w := &discard{make(http.Header)}
			r := browserRequest(t, "/page", w)
			returned := make(chan struct{})
			go func() {
				defer close(returned)
				defer func() {
					if v := recover(); v != nil && v != any(http.ErrAbortHandler) { // which breaks it off
						t.Error(v)
					}
				}()
				_ = h.ServeHTTP(w, r, next)
			}()
			eventually(t, "an end", func() bool {
				select {
				case <-returned:
					return true
				default:
					return false
				}
			})
			if fills != 1 {
				t.Errorf("%d fills", fills)
			}
			if n := h.shared.store.Stats().Objects; n != 0 {
				t.Errorf("%d objects are stored", n)
			}
			eventually(t, "the memory given back", func() bool { return h.shared.budget.used.Load() == 0 })
		})
	}
}
