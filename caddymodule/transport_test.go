package caddymodule

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// unendedOrigin answers with a page that ends where its connection does: cut off, the first
// time.
func unendedOrigin(t *testing.T) (address string, count func() int) {
	t.Helper()
	asked := make(chan struct{}, 100)
	address = rawOrigin(t, func(_ *http.Request, c net.Conn) {
		page := "<h1>The page</h1>"
		if asked <- struct{}{}; len(asked) == 1 {
			page = "<h1>The"
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"+page)
	})
	return address, func() int { return len(asked) }
}

// TestTransportTakesItsPlace: wherever the proxy stands beneath the handler, what the
// connection tells is known.
func TestTransportTakesItsPlace(t *testing.T) {
	const policy = `cacheward {
		route page {
			path /*
			cache origin
		}
	}`
	for _, test := range []struct{ name, site string }{
		{"beside", "route {\n" + policy + "\nreverse_proxy %[1]s\n}"},
		{"in order", policy + "\nreverse_proxy %[1]s"},
		{"in a handle", policy + "\nhandle /other* {\nrespond other\n}\nhandle {\nreverse_proxy %[1]s\n}"},
		{"together in a handle", "handle {\n" + policy + "\nhandle_path /app/* {\nreverse_proxy %[1]s\n}\nreverse_proxy %[1]s\n}"},
		{"with a transport", policy + "\nreverse_proxy %[1]s {\ntransport http {\nread_timeout 20s\nversions 1.1\n}\n}"},
		{"by name", policy + "\nreverse_proxy %[1]s {\ntransport cacheward {\nkeepalive off\n}\n}"},
		{"behind another", policy + "\nreverse_proxy %[1]s {\n@never status 999\nhandle_response @never {\nrespond never\n}\n}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			address, count := unendedOrigin(t)
			e := startEdge(t, fmt.Sprintf(test.site, address))
			e.get("/a")
			for range 3 {
				if a := e.get("/a"); a.body != "<h1>The page</h1>" {
					t.Errorf("%+v", a)
				}
			}
			if n := count(); n < 4 {
				t.Errorf("the origin was asked %d times: it is kept", n)
			}
			eventually(t, "the reason in a record", func() bool { // which is written beside the answer
				return slices.ContainsFunc(caddyLog.lines("http.handlers.cacheward.audit"), func(l logLine) bool { return slices.Contains(l.Reasons, "ends-unseen") })
			})
		})
	}
}

// TestNamedRoutesAreGuarded: also a proxy that is invoked.
func TestNamedRoutesAreGuarded(t *testing.T) {
	t.Parallel()
	named := &caddyhttp.Route{HandlersRaw: []json.RawMessage{json.RawMessage(`{"handler":"reverse_proxy"}`)}}
	guardProxies([]caddy.Module{&caddyhttp.App{Servers: map[string]*caddyhttp.Server{"a": {NamedRoutes: map[string]*caddyhttp.Route{"app": named}}}}, new(Handler)})
	if got := string(named.HandlersRaw[0]); !strings.Contains(got, transportName) {
		t.Error(got)
	}
}

// TestGuardProxy: only Caddy's own transport for HTTP is replaced, and what is configured
// of it stays.
func TestGuardProxy(t *testing.T) {
	for in, want := range map[string]string{
		`{"handler":"reverse_proxy","upstreams":[{"dial":"a:1"}]}`:                                                          `{"handler":"reverse_proxy","transport":{"protocol":"cacheward"},"upstreams":[{"dial":"a:1"}]}`,
		`{"handler":"reverse_proxy","transport":{"protocol":"http","tls":{},"max_response_header_size":12345678901234567}}`: `{"handler":"reverse_proxy","transport":{"max_response_header_size":12345678901234567,"protocol":"cacheward","tls":{}}}`,
		`{"handler":"reverse_proxy","transport":{"protocol":"fastcgi","root":"/srv"}}`:                                      `{"handler":"reverse_proxy","transport":{"protocol":"fastcgi","root":"/srv"}}`,
		`{"handler":"subroute","routes":[{"handle":[{"handler":"reverse_proxy"}]}]}`:                                        `{"handler":"subroute","routes":[{"handle":[{"handler":"reverse_proxy","transport":{"protocol":"cacheward"}}]}]}`,
		`{"handler":"static_response","body":"reverse_proxy"}`:                                                              `{"handler":"static_response","body":"reverse_proxy"}`,
		`{"handler":"reverse_proxy"`: `{"handler":"reverse_proxy"`,
		`null`:                       `null`,
	} {
		raw := []json.RawMessage{json.RawMessage(in)}
		guardHandlers(raw)
		if string(raw[0]) != want {
			t.Errorf("%s\nis %s\nnot %s", in, raw[0], want)
		}
		again := string(raw[0])
		if guardHandlers(raw); string(raw[0]) != again {
			t.Errorf("a second time: %s", raw[0])
		}
	}
}
