package caddymodule

import (
	"io"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/policies"
)

// observer lets an answer pass as it is and notes what the gate would say of its
// head.
type observer struct {
	*caddyhttp.ResponseWriterWrapper
	x      *exchange
	status int
}

func (o *observer) WriteHeader(status int) {
	o.note(status)
	o.ResponseWriter.WriteHeader(status)
}

func (o *observer) note(status int) {
	if o.status != 0 || status < 200 {
		return
	}
	o.status = status
	x := o.x
	x.changed(status, o.Header())
	if x.verdict.Action != policies.ActCache {
		return
	}
	j := job{rule: x.rule, path: x.req.Path}
	head := gate.Head{Status: status, Header: o.Header()}
	x.reasons = gate.Check(head, x.h.gateRules(&j, time.Now(), false))
}

func (o *observer) Write(p []byte) (int, error) {
	o.note(http.StatusOK)
	return o.ResponseWriter.Write(p)
}

func (o *observer) ReadFrom(r io.Reader) (int64, error) {
	o.note(http.StatusOK)
	return o.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError commits the head, so it is noted first.
func (o *observer) FlushError() error {
	o.note(http.StatusOK)
	return http.NewResponseController(o.ResponseWriter).Flush()
}
