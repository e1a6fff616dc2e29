package caddymodule

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/caddyserver/caddy/v2"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/fleet"
)

func init() {
	caddy.RegisterModule(adminAPI{})
}

// adminAPI serves what Cacheward has to say, and does what it is told, on Caddy's admin
// endpoint and nowhere else:
//
//	POST /cacheward/purge         control.Purge → control.Purged
//	POST /cacheward/trip          control.Trip → control.Switched
//	POST /cacheward/reset         control.Reset → control.Switched
//	GET  /cacheward/status        → control.Status
//	GET  /cacheward/objects       ?route= &prefix= &key= &limit= → control.ObjectList
//	GET  /cacheward/objects/{id}  ?body=1 → control.Object
//	POST /cacheward/explain       explain.Question → explain.Answer
//	POST /cacheward/fleet/ask     for other edges: see [Peers]
//	POST /cacheward/fleet/wake
//
// Questions and answers are JSON. What is asked wrongly is answered with 400 (404 where
// there is no such route or object, 413 and 415 for the request itself) and {"error": …},
// or by the mux with 405, and nothing was done. A purge, trip or reset of which only a part worked
// is answered with 200: its problems say what did not, and the answer what did.
//
// Who asked is in the audit record: the name that they gave and the address that they
// came from. The endpoint's access control is Caddy's. POST demands Content-Type:
// application/json, which no page of another site can send without being asked about it
// first (CORS).
type adminAPI struct {
	// running are the handlers; the others do what is asked. Tests have their own.
	running func() ([]*Handler, error)
	purge   func([]*Handler, control.Purge) (control.Purged, error)
	trip    func([]*Handler, control.Trip) (control.Switched, error)
	reset   func([]*Handler, control.Reset) (control.Switched, error)
	status  func([]*Handler) control.Status
	objects func([]*Handler, control.Objects) (control.ObjectList, error)
	object  func(handlers []*Handler, id string, body bool) (control.Object, bool, error)
}

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.cacheward", New: func() caddy.Module { return newAdminAPI() }}
}

func newAdminAPI() *adminAPI {
	return &adminAPI{running: running, purge: purge, trip: trip, reset: reset, status: status, objects: objects, object: object}
}

// Routes implements caddy.AdminRouter.
func (a *adminAPI) Routes() []caddy.AdminRoute {
	var routes []caddy.AdminRoute
	for _, route := range []struct {
		pattern string
		handler caddy.AdminHandlerFunc
	}{
		{"POST /cacheward/purge", a.servePurge},
		{"POST /cacheward/trip", a.serveTrip},
		{"POST /cacheward/reset", a.serveReset},
		{"GET /cacheward/status", a.serveStatus},
		{"GET /cacheward/objects", a.serveObjects},
		{"GET /cacheward/objects/{id}", a.serveObject},
		{"POST /cacheward/explain", a.serveExplain},
		{"POST " + fleet.PathAsk, a.serveFleet},
		{"POST " + fleet.PathWake, a.serveFleet},
	} {
		routes = append(routes, caddy.AdminRoute{Pattern: route.pattern, Handler: route.handler})
	}
	return routes
}

// running are the handlers of the config that is in force. There need not be any. The
// endpoint is there before the apps of its own config are, so it is not asked when the
// endpoint is made but when somebody asks.
func running() ([]*Handler, error) {
	app, err := caddy.ActiveContext().AppIfConfigured("cacheward")
	if errors.Is(err, caddy.ErrNotConfigured) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the cacheward app: %w", err)
	}
	return app.(*App).handlers.list(), nil
}

// called is the handler as people know it.
func (h *Handler) called() string {
	switch {
	case h.ID != "":
		return "handler " + h.ID
	case h.Instance < 0:
		return "handler " + strconv.Itoa(-h.Instance) + " of the named routes"
	case h.Instance > 0:
		return "handler " + strconv.Itoa(h.Instance) + " of the Caddyfile"
	}
	return "handler"
}

// Interface guards
var _ caddy.AdminRouter = (*adminAPI)(nil)
