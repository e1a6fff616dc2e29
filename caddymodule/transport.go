package caddymodule

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/origin"
	"github.com/cacheward/cacheward/policies"
)

func init() {
	caddy.RegisterModule(new(Transport))
}

// transportName is the protocol that reverse_proxy knows the transport by.
const transportName = "cacheward"

// Transport is reverse_proxy's own HTTP transport, with the same configuration, on
// connections that are guarded: what an origin sends unasked is no visitor's answer. It
// takes that one's place beneath a cacheward handler, whose own eyes it is.
type Transport struct {
	reverseproxy.HTTPTransport
	// ended: the configuration is no more. Requests that are still under way are the last.
	ended atomic.Bool
}

// CaddyModule returns the Caddy module information.
func (*Transport) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.reverse_proxy.transport." + transportName,
		New: func() caddy.Module { return new(Transport) },
	}
}

// Provision implements caddy.Provisioner.
func (t *Transport) Provision(ctx caddy.Context) error {
	if err := t.HTTPTransport.Provision(ctx); err != nil {
		return err
	}
	if slices.Contains(t.Versions, "h2c") {
		return nil // a stream for each request, on a connection that nothing tells from HTTP/1.1
	}
	dial := t.Transport.DialContext
	t.Transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return origin.NewGuard(conn), nil
	}
	return nil
}

// Cleanup implements caddy.CleanerUpper.
func (t *Transport) Cleanup() error {
	t.ended.Store(true)
	return t.HTTPTransport.Cleanup()
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	res, err := t.HTTPTransport.RoundTrip(req.WithContext(origin.Guarded(ctx)))
	if t.ended.Load() {
		t.Transport.CloseIdleConnections() // and those that will be idle
	}
	// Variables can only be read here: a connection that is being made for nobody any more may
	// have this request's.
	if end, ok := caddyhttp.GetVar(ctx, nestedVar).(*atomic.Bool); ok && err == nil {
		end.Store(origin.EndsUnseen(res))
	}
	return res, err
}

// expect makes room for what the transport has to say of the response, before the request is
// sent on.
func expect(ctx context.Context) { caddyhttp.SetVar(ctx, nestedVar, new(atomic.Bool)) }

// unseen is what the head of a response does not show any more: the fields that it named as
// those of the connection, which reverse_proxy has removed, and how its body ends. ctx is the
// request's, once the handlers below have written the head.
func unseen(ctx context.Context) (u gate.Unseen) {
	if end, ok := caddyhttp.GetVar(ctx, nestedVar).(*atomic.Bool); ok {
		u.End = end.Load()
	}
	repl, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return u
	}
	// These are of the head as the origin sent it.
	const field = "http.reverse_proxy.header."
	options, _ := repl.GetString(field + "Connection")
	for option := range strings.SplitSeq(options, ",") {
		option = strings.TrimSpace(option)
		if policies.HopByHop(option) {
			continue
		}
		if _, sent := repl.Get(field + http.CanonicalHeaderKey(option)); sent {
			u.Fields = append(u.Fields, option)
		}
	}
	return u
}

// guardProxies has every reverse_proxy that is yet to be provisioned, in the servers and
// routes in which this module is, use Transport where it would have used Caddy's own for
// HTTP. Those that handlers are loaded from are changed, and not what the configuration is
// read back from.
func guardProxies(lineage []caddy.Module) {
	for _, m := range lineage {
		switch m := m.(type) {
		case *caddyhttp.App:
			for _, server := range m.Servers {
				guardRoutes(server.Routes)
				for _, route := range server.NamedRoutes {
					guardHandlers(route.HandlersRaw)
				}
			}
		case *caddyhttp.Subroute:
			guardRoutes(m.Routes)
		}
	}
}

func guardRoutes(routes caddyhttp.RouteList) {
	for _, route := range routes {
		guardHandlers(route.HandlersRaw)
	}
}

func guardHandlers(raw []json.RawMessage) {
	for i, text := range raw {
		if !bytes.Contains(text, []byte("reverse_proxy")) {
			continue
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		var handler any
		// What cannot be read is Caddy's to refuse.
		if decoder.Decode(&handler) != nil || !guardProxy(handler) {
			continue
		}
		if guarded, err := json.Marshal(handler); err == nil {
			raw[i] = guarded
		}
	}
}

// guardProxy changes every reverse_proxy within, and says whether there was one.
func guardProxy(config any) (changed bool) {
	switch config := config.(type) {
	case []any:
		for _, part := range config {
			changed = guardProxy(part) || changed
		}
	case map[string]any:
		for _, part := range config {
			changed = guardProxy(part) || changed
		}
		if config["handler"] != "reverse_proxy" {
			break
		}
		switch transport := config["transport"].(type) {
		case nil:
			config["transport"] = map[string]any{"protocol": transportName}
			changed = true
		case map[string]any:
			if transport["protocol"] == "http" {
				transport["protocol"] = transportName
				changed = true
			}
		}
	}
	return changed
}

var (
	_ caddy.Provisioner                      = (*Transport)(nil)
	_ caddy.CleanerUpper                     = (*Transport)(nil)
	_ http.RoundTripper                      = (*Transport)(nil)
	_ reverseproxy.TLSTransport              = (*Transport)(nil)
	_ reverseproxy.H2CTransport              = (*Transport)(nil)
	_ reverseproxy.ProxyProtocolTransport    = (*Transport)(nil)
	_ reverseproxy.RequestHeaderOpsTransport = (*Transport)(nil)
)
