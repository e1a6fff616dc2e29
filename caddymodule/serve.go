package caddymodule

import (
	"net/http"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// serve gives the visitor an admitted object.
func (x *exchange) serve(o *store.Object, outcome Outcome) error {
	if !x.to(served) {
		return x.fault(errPhase)
	}
	x.event, x.outcome, x.object, x.reasons = audit.EventServe, outcome, o, nil
	now := time.Now()
	h := x.w.Header()
	personal := httpcache.HasPerVisitor(h) // set by a handler above; the object has none
	copyFields(h, o.Header)
	ttl := o.TTL(now)
	h["Age"] = []string{strconv.FormatInt(int64(o.Age(now)/time.Second), 10)}
	if d := x.rule.Downstream; d != nil && outcome != OutcomeStale && !personal && !remade(x.w) {
		httpcache.Permit(h, permission(d, ttl, o.Age(now)))
	} else {
		httpcache.Forbid(h)
	}
	status := httpcache.Status{Hit: true, TTL: ttl, HasTTL: true}
	if outcome == OutcomeCollapsed {
		status = httpcache.Status{Fwd: "uri-miss", Collapsed: true, TTL: ttl, HasTTL: true}
	}
	status.Append(h)
	x.status = o.Status
	if o.Status == http.StatusOK && conditional(x.r.Header) && httpcache.NotModified(x.r.Method, x.r.Header, o.Header.Header()) {
		x.status = http.StatusNotModified
		x.w.WriteHeader(x.status)
		return nil
	}
	h["Content-Length"] = []string{strconv.Itoa(len(o.Body))}
	x.w.WriteHeader(x.status)
	if x.r.Method == http.MethodHead {
		return nil
	}
	n, err := x.w.Write(o.Body)
	x.size = int64(n)
	_ = err // the visitor left; there is nobody to tell
	return nil
}

// remade says whether a handler above holds the answer back to make another one of
// it, as templates and intercept do: perhaps one for this visitor alone.
func remade(w http.ResponseWriter) bool {
	for {
		if rec, ok := w.(caddyhttp.ResponseRecorder); ok && rec.Buffer() != nil {
			return true
		}
		outer, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = outer.Unwrap()
	}
}

// permission is what is left of the route's and the object's lifetimes. Caches
// further on subtract the Age that the response carries, so it is added here.
func permission(d *policies.Downstream, ttl, age time.Duration) httpcache.Permission {
	left := min(time.Duration(d.TTL), ttl)
	if left < time.Second {
		return httpcache.Permission{}
	}
	p := httpcache.Permission{CDN: left + age}
	if d.Browser > 0 {
		p.Browser = min(time.Duration(d.Browser), ttl) + age
	}
	return p
}

// copyFields adds an object's fields to those that handlers above have set. The
// lines are copied: handlers above may change theirs, the object's are everybody's.
func copyFields(outer http.Header, stored store.Fields) {
	lines := make([]string, len(stored))
	for i, f := range stored {
		first := i == 0 || stored[i-1].Name != f.Name
		have := outer[f.Name]
		if first && f.Name == "Server" {
			have = nil // the origin's replaces Caddy's, as with reverse_proxy
		}
		if len(have) > 0 {
			outer[f.Name] = append(have[:len(have):len(have)], f.Value)
			continue
		}
		lines[i] = f.Value
		outer[f.Name] = lines[i : i+1 : i+1]
	}
}

// conditional says whether the request asks for something only if it changed.
func conditional(h http.Header) bool {
	return h["If-None-Match"] != nil || h["If-Modified-Since"] != nil
}

// corroborate gives the visitor the answer to their own request, while the
// canonical one goes out beside it.
func (x *exchange) corroborate(f *flight) error {
	x.to(filling)
	h, j := x.h, x.job()
	if !x.comparable() {
		if !h.workers.run(func() { h.judgeCorroborated(j, f, nil) }) {
			h.shared.flights.leave(f)
			return x.own(OutcomePass, policies.ReasonFillAborted)
		}
		x.ownPhase(OutcomeFill, nil)
		return x.answer(0, nil)
	}
	answers := make(chan ownAnswer, 1)
	kept := h.shared.budget.claim(h.limits.compareKeep)
	defer kept.done()
	if !h.workers.run(func() {
		defer kept.done()
		h.judgeCorroborated(j, f, answers)
	}) {
		kept.done()
		h.shared.flights.leave(f)
		return x.own(OutcomePass, policies.ReasonFillAborted)
	}
	x.ownPhase(OutcomeFill, nil)
	return x.answer(kept.bytes, func(a ownAnswer) { answers <- a })
}

// comparable says whether the visitor's own answer will be one that a fill can be
// compared with: not a HEAD's, a range's, or one that is conditional.
func (x *exchange) comparable() bool {
	if x.r.Method != http.MethodGet {
		return false
	}
	for _, name := range [...]string{"Range", "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range"} {
		if _, ok := x.r.Header[name]; ok {
			return false
		}
	}
	return true
}

// once sends the canonical request first. If its head passes the gate, the fill
// streams to the visitor who caused it; if not, their own request goes out.
func (x *exchange) once(f *flight) error {
	x.to(filling)
	h, j := x.h, x.job()
	fill := h.startFill(j, x.r.Method == http.MethodGet, f.overflowed)
	gated := make(chan []policies.Reason, 1)
	if !h.workers.run(func() { h.judgeOnce(j, f, fill, gated) }) {
		fill.stop()
		h.shared.flights.leave(f)
		return x.own(OutcomePass, policies.ReasonFillAborted)
	}
	select {
	case reasons, judged := <-gated:
		if !judged { // a panic
			fill.stop()
			return x.own(OutcomeFault, policies.ReasonInternalFault)
		}
		if reasons != nil {
			return x.own(OutcomeFill, reasons...)
		}
	case <-x.r.Context().Done():
		fill.leave()
		return x.own(OutcomeFill, policies.ReasonFillAborted)
	}
	x.to(served)
	x.event, x.outcome, x.fill = audit.EventServe, OutcomeFill, fill.id
	return x.stream(fill)
}

// stream gives the visitor the fill that they caused, as it arrives.
func (x *exchange) stream(fill *fill) error {
	head := fill.head()
	h := x.w.Header()
	stored := httpcache.StoredFields(head.Header)
	copyFields(h, store.FieldsOf(stored))
	httpcache.Forbid(h)
	status := x.cacheStatus()
	status.FwdStatus = head.Status
	status.Append(h)
	x.status = head.Status
	if head.Status == http.StatusOK && httpcache.NotModified(x.r.Method, x.r.Header, stored) {
		fill.leave()
		x.status = http.StatusNotModified
		x.w.WriteHeader(x.status)
		return nil
	}
	if length, ok := head.Header["Content-Length"]; ok {
		h["Content-Length"] = append([]string(nil), length...)
	}
	x.w.WriteHeader(x.status)
	if x.r.Method == http.MethodHead {
		return nil
	}
	err := fill.spool.copyTo(x.r.Context(), &countingWriter{x}, func() {
		_ = http.NewResponseController(x.w).Flush() // where it cannot be flushed it goes out later
	})
	fill.leave()
	if err != nil {
		// The origin broke off, or the visitor did. In either case they must not
		// take what they have for the whole.
		panic(http.ErrAbortHandler)
	}
	return nil
}

type countingWriter struct{ x *exchange }

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.x.w.Write(p)
	c.x.size += int64(n)
	return n, err
}

// refresh replaces a stale object in the background, once a key at a time. Nothing
// of the visitor who triggered it goes along.
func (h *Handler) refresh(j *job) {
	f, leader := h.shared.flights.join(j.key)
	if !leader {
		return
	}
	j.parts.Impersonal()
	ok := h.workers.run(func() {
		h.recordRefresh(j)
		if j.rule.Corroborate {
			h.judgeCorroborated(j, f, nil)
			return
		}
		h.judgeOnce(j, f, h.startFill(j, false, f.overflowed), nil)
	})
	if !ok {
		h.shared.flights.leave(f)
	}
}
