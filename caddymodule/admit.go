package caddymodule

import (
	"bytes"
	"errors"
	"math"
	"net/http"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// keepForValidation is for how long a response that has a validator is kept past
// its lifetime. It saves the body, not the question.
const keepForValidation = 24 * time.Hour

// admit makes the fill, which has passed, an object and publishes it.
func (h *Handler) admit(j *job, f *flight, fill *fill) {
	body := fill.opened.stored
	o := h.newObject(j, fill, fill.writer.status, fill.opened.header, fitted(body))
	if h.put(j, f, fill, o, nil, fill.writer.final) {
		h.recordFill(j, fill, audit.Record{Event: audit.EventStore, Object: o.ID, TTL: o.TTL(fill.received), Size: int64(len(body))})
		f.land(o)
	}
}

// fitted is the body in memory that is not much larger than it. That of a body whose
// length was announced is such, and nobody writes to it any more.
func fitted(body []byte) []byte {
	if spare := cap(body) - len(body); spare <= len(body)/5 { // as the allocator rounds up
		return body
	}
	return bytes.Clone(body)
}

// freshen admits the stored response again, as a 304 has updated it (RFC 9111
// §4.3.4). It stays the object that it was, for those who look for it in the log.
func (h *Handler) freshen(j *job, f *flight, fill *fill) {
	head := h.freshened(j, fill)
	o := h.newObject(j, fill, j.stale.Status, head, j.stale.Body)
	o.ID = j.stale.ID
	o.InheritForms(j.stale)
	if h.put(j, f, fill, o, j.stale, head) {
		h.recordFill(j, fill, audit.Record{Event: audit.EventRefresh, Object: o.ID, TTL: o.TTL(fill.received), Size: int64(len(o.Body))})
		f.land(o)
	}
}

// freshened is the head of the stored response with what the 304 changes. What
// controls only this cache is neither among the stored fields nor passed on, but
// counts.
func (h *Handler) freshened(j *job, fill *fill) http.Header {
	stored := j.stale.Header.Header()
	head := httpcache.Freshen(stored, fill.writer.final, j.rule.Vouches)
	if tag := stored.Get("Etag"); tag != "" && tag == httpcache.WeakTag(head.Get("Etag")) {
		head["Etag"] = []string{tag} // what is stored is that without its coding
	}
	if _, dated := fill.writer.final["Date"]; !dated {
		head["Date"] = []string{fill.received.UTC().Format(http.TimeFormat)}
	}
	for name, lines := range httpcache.TargetedFields(fill.writer.final) {
		head[name] = lines
	}
	for name, lines := range j.stale.Control.Header() {
		if head[name] == nil {
			head[name] = lines
		}
	}
	return head
}

// settleHead sees what the answer to a HEAD says of the stored response (RFC 9111
// §4.3.5). It never makes one.
func (h *Handler) settleHead(j *job, f *flight, fill *fill) {
	o := j.stale
	if o == nil || fill.writer.status != o.Status || j.rule.InspectBody && gate.Encoded(fill.writer.final) {
		return // of a coding of its content, which is not stored
	}
	if !j.updates(fill) {
		h.forget(j)
		return
	}
	head := h.freshened(j, fill)
	updated := h.newObject(j, fill, o.Status, head, o.Body)
	updated.ID = o.ID
	updated.InheritForms(o)
	if h.put(j, f, fill, updated, o, head) {
		h.recordFill(j, fill, audit.Record{Event: audit.EventRefresh, Object: o.ID, TTL: updated.TTL(fill.received), Size: int64(len(o.Body))})
	}
}

// put stores the object, in the place of the one that it updates if it does, and says
// whether it did. If not, the flight has landed.
func (h *Handler) put(j *job, f *flight, fill *fill, o, instead *store.Object, head http.Header) bool {
	now := time.Now()
	if h.breaker.tripped(j.rule.Name) {
		h.refused(j, f, fill, nil, []policies.Reason{policies.ReasonTripped})
		return false
	}
	if !o.Fresh(now) && !now.Before(o.KeptUntil()) {
		h.refuseKey(j, f, fill, nil, []policies.Reason{policies.ReasonNotFresh})
		return false
	}
	names, ok := httpcache.VaryNames(head)
	if !ok {
		h.refuseKey(j, f, fill, nil, []policies.Reason{policies.ReasonVaryTooMany})
		return false
	}
	if o.Tags, ok = tags(j, head); !ok {
		h.refuseKey(j, f, fill, nil, []policies.Reason{policies.ReasonTagsTooMany})
		return false
	}
	if httpcache.ErrorStatus(o.Status) {
		o.Selecting = j.selecting()
	}
	o.Pack()
	err := store.Admit(h.shared.store, &h.shared.keyLocks, o, instead, j.varying(names), j.sent)
	reason := policies.ReasonStoreFault
	switch {
	case err == nil:
		h.shared.refusals.Forget(j.lane)
		h.shared.suspensions.Admitted(j.rule.Space)
		h.shared.admissions.Admitted(o.Key, o.ID)
		return true
	case errors.Is(err, store.ErrInvalidated), errors.Is(err, store.ErrReplaced):
		h.refused(j, f, fill, nil, []policies.Reason{policies.ReasonInvalidated})
		return false
	case errors.Is(err, store.ErrSelecting):
		h.refused(j, f, fill, nil, []policies.Reason{policies.ReasonStatus})
		return false
	case errors.Is(err, store.ErrTooManyNames):
		h.refuseKey(j, f, fill, nil, []policies.Reason{policies.ReasonVaryTooMany})
		return false
	case errors.Is(err, store.ErrTooLarge):
		reason = policies.ReasonTooLarge
	}
	h.recordFault(j.rule.Name, reason, err)
	f.land(nil, reason)
	return false
}

// varying leaves those names of a Vary whose headers may vary on this route. The
// others are the same for all requests with one key: keyed, or never sent.
func (j *job) varying(names []string) []string {
	var left []string
	for _, name := range names {
		if j.rule.Varies(name) {
			left = append(left, name)
		}
	}
	return left
}

// newObject is the response as it will be served. Head is all that the origin said
// of it.
func (h *Handler) newObject(j *job, fill *fill, status int, head http.Header, body []byte) *store.Object {
	rule, received := j.rule, fill.received
	header := httpcache.StoredFields(head, rule.Vouches)
	if _, ok := header["Date"]; !ok {
		header["Date"] = []string{received.UTC().Format(http.TimeFormat)}
	}
	for _, name := range rule.VaryOn() {
		httpcache.AddVary(header, name)
	}
	d := gate.ReaderOf(rule).Directives(head, status)
	life := gate.LifetimeOf(rule, status, head, d, received)
	o := &store.Object{
		Key:                  j.key,
		Parts:                j.bytes,
		ID:                   fill.id,
		Route:                rule.Name,
		Status:               status,
		Header:               store.FieldsOf(header),
		Body:                 body,
		Requested:            fill.requested,
		Generation:           fill.generation,
		Received:             received,
		InitialAge:           fill.age,
		Expires:              received.Add(life),
		NeverStale:           d.MustRevalidate || d.ProxyRevalidate,
		NoTransform:          httpcache.NoTransform(head),
		StaleWhileRevalidate: time.Duration(rule.Cache.StaleWhileRevalidate),
		StaleIfError:         time.Duration(rule.Cache.StaleIfError),
	}
	if rule.Cache.Kind != policies.CacheOrigin {
		return o
	}
	o.Expires = o.Expires.Add(-fill.age)
	o.Authorized = gate.MayShareAuthorized(d)
	o.Control = store.FieldsOf(httpcache.TargetedFields(head))
	if d.StaleWhileRevalidate > 0 {
		o.StaleWhileRevalidate = d.StaleWhileRevalidate
	}
	if d.StaleIfError > 0 {
		o.StaleIfError = d.StaleIfError
	}
	if d.HasSMaxAge && !d.Targeted {
		// RFC 9111 §5.2.2.10 has s-maxage forbid stale reuse, but for what the
		// directives of RFC 5861, where they stand beside it, permit in so many words.
		o.StaleWhileRevalidate, o.StaleIfError, o.OnlyWindows = d.StaleWhileRevalidate, d.StaleIfError, true
	}
	if d.NoCache || httpcache.ErrorStatus(status) {
		o.NeverStale = true
	}
	if !rule.Corroborate {
		o.NoCache = d.NoCache || life <= 0
		if validatable(o) {
			o.Keep = min(max(0, life), math.MaxInt64-keepForValidation) + keepForValidation
		}
	}
	return o
}
