package caddymodule

import (
	"math/rand/v2"

	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// The results of a recheck. The words are a metric's label.
const (
	recheckSame      = "same"      // the origin still answers what is stored
	recheckChanged   = "changed"   // the content is new, and the same for everybody
	recheckWithdrawn = "withdrawn" // the page is not shareable any more
	recheckFailed    = "failed"    // the origin did not answer, or with an error
)

// sampled says whether the hit is one after which the origin is asked.
func (x *exchange) sampled() bool {
	return x.rule.Recheck > 0 && rand.Float64() < x.rule.Recheck
}

// recheck holds a stored object against the origin, in the background and once a key
// at a time. Nobody waits for it, and nothing of the visitor goes along, but for their
// Authorization on routes that share what is said to those who are signed in.
func (h *Handler) recheck(j *job, o *store.Object) {
	j.standby = o
	signed := j.forwards("Authorization")
	j = j.forNobody()
	lane := j.lane
	lane[1] ^= 0xff // fills of the key are another matter
	f, leader := h.shared.flights.join(lane)
	if !leader {
		return
	}
	run := func() {
		defer h.shared.flights.leave(f)
		if o.Authorized && j.rule.ShareAuthorized {
			h.meter(j.rule).recheck(h.recheckedSigned(j, signed, f, o))
			return
		}
		h.meter(j.rule).recheck(h.rechecked(j, f, o))
	}
	if !h.workers.run(run) {
		h.shared.flights.leave(f)
	}
}

// rechecked asks the origin once, and, where the answer is not what is stored, once
// more: two fresh answers that agree are new content, two that differ are a page made
// for each request.
func (h *Handler) rechecked(j *job, f *flight, o *store.Object) string {
	first := h.startFill(j, f.overflowed)
	defer first.stop()
	if reasons := h.freshReasons(j, first); reasons != nil {
		return h.contradicted(j, first, reasons)
	}
	if h.compare(j, storedAnswer(o), first.comparedWith(j), nil) == nil {
		return recheckSame
	}
	second := h.startFill(j, f.overflowed)
	defer second.stop()
	if reasons := h.freshReasons(j, second); reasons != nil {
		return h.contradicted(j, second, reasons)
	}
	d := h.compare(j, first.answer(j), second.answer(j), nil)
	if d == nil {
		return recheckChanged
	}
	h.recurs(j, d, first.opened.Body, second.opened.Body)
	h.meter(j.rule).divergence(d.Class)
	h.withdraw(j, second, d, divergence(d))
	h.diverged(j, d)
	return recheckWithdrawn
}

// freshReasons waits for a fill and says what speaks against sharing it.
func (h *Handler) freshReasons(j *job, fill *fill) []policies.Reason {
	<-fill.begun
	if reasons := h.checkHead(j, fill); reasons != nil {
		return reasons
	}
	<-fill.ended
	return h.checkBody(j, fill)
}

// contradicted is for a fresh response that must not be shared, where one like it is
// stored. What only tells of the moment, or of our own bounds, says nothing.
func (h *Handler) contradicted(j *job, fill *fill, reasons []policies.Reason) string {
	switch first := reasons[0]; {
	case gate.RequestError(fill.writer.status), first.Info().Class == policies.InCache,
		first == policies.ReasonTruncated, first == policies.ReasonTooLarge:
		return recheckFailed
	}
	h.withdraw(j, fill, nil, reasons)
	return recheckWithdrawn
}

// storedAnswer is an object as it is compared. Vary was extended when it was stored.
func storedAnswer(o *store.Object) gate.Answer {
	header := o.Header.Header()
	delete(header, "Vary")
	return gate.Answer{
		Status: o.Status, Header: header,
		Body: gate.Body{Size: int64(len(o.Body)), Kept: o.Body, Whole: true, Readable: true},
	}
}

// comparedWith is the fill as it would have been stored.
func (f *fill) comparedWith(j *job) gate.Answer {
	header := httpcache.StoredFields(f.opened.header, j.rule.Vouches)
	delete(header, "Vary")
	body := f.opened.stored
	return gate.Answer{
		Status: f.writer.status, Header: header,
		Body: gate.Body{Size: int64(len(body)), Kept: body, Whole: true, Readable: true},
	}
}
