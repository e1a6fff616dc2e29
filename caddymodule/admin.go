package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2"

	"github.com/cacheward/cacheward/caddymodule/explain"
)

func init() {
	caddy.RegisterModule(adminAPI{})
}

// maxQuestion bounds what is asked of the admin endpoint: a response, in JSON, with
// room for the largest object there is by default.
const maxQuestion = 32 << 20

// adminAPI serves what Cacheward has to say on Caddy's admin endpoint:
//
//	POST /cacheward/explain
//
// takes an explain.Question and answers with an explain.Answer, a report for each
// handler of the running config. It looks at nothing but the policies: no request is
// sent, and neither store nor memory of refusals is asked.
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "admin.api.cacheward", New: func() caddy.Module { return new(adminAPI) }}
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

// Routes implements caddy.AdminRouter.
func (a *adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{{Pattern: "/cacheward/explain", Handler: caddy.AdminHandlerFunc(a.explain)}}
}

func (a *adminAPI) explain(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return caddy.APIError{HTTPStatus: http.StatusMethodNotAllowed, Err: fmt.Errorf("method %s; POST was expected", r.Method)}
	}
	var question explain.Question
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxQuestion))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&question); err != nil {
		status := http.StatusBadRequest
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			status = http.StatusRequestEntityTooLarge
		}
		return caddy.APIError{HTTPStatus: status, Err: fmt.Errorf("reading the question: %w", err)}
	}
	if _, err := decoder.Token(); err != io.EOF {
		return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: errors.New("reading the question: something follows it")}
	}
	answer := explain.Answer{Schema: explain.Schema, Reports: []*explain.Report{}}
	handlers, err := running()
	if err != nil {
		return caddy.APIError{HTTPStatus: http.StatusInternalServerError, Err: err}
	}
	for _, h := range handlers {
		report, err := h.explain(question)
		if err != nil {
			return caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: err}
		}
		answer.Reports = append(answer.Reports, report)
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(answer)
}

// explain answers by this handler's policy. Keys are those of the handler's own store,
// once it has had a request.
func (h *Handler) explain(q explain.Question) (*explain.Report, error) {
	q.Requests = slices.Clone(q.Requests)
	p := h.placed.Load()
	for i := range q.Requests {
		q.Requests[i].MaxObject = h.limits.maxObject
		if p != nil {
			q.Requests[i].Server = p.text
		}
	}
	return explain.Ask(h.called(), h.written, h.policy, q)
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
