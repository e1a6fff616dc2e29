package caddymodule

import (
	"net/http"
	"slices"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/explain"
)

// maxQuestion bounds a question for an explanation: a response, in JSON, with room for
// the largest object there is by default.
const maxQuestion = 32 << 20

// serveExplain looks at nothing but the policies: no request is sent, and neither store
// nor memory of refusals is asked.
func (a *adminAPI) serveExplain(w http.ResponseWriter, r *http.Request) error {
	var question explain.Question
	if err := readQuestion(w, r, &question, maxQuestion); err != nil {
		return err
	}
	handlers, err := a.running()
	if err != nil {
		return apiError(err)
	}
	answer := explain.Answer{Schema: explain.Schema, Reports: []*explain.Report{}}
	for _, h := range handlers {
		report, err := h.explain(question)
		if err != nil {
			return apiError(control.Mistake(err.Error()))
		}
		answer.Reports = append(answer.Reports, report)
	}
	return writeAnswer(w, answer, nil)
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
