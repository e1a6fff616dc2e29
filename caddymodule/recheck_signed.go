package caddymodule

import (
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// signedRefusal is for how long a key is refused of which nobody but those who are signed
// in can tell whether its page is new or each one's own.
const signedRefusal = time.Minute

// recheckedSigned is rechecked on a route that shares what was said to one who is signed
// in: nobody can ask for that. So the origin is asked what it says to the visitor whose hit
// it was, with the Authorization that they have just sent; the answer is compared and
// given to nobody. Where it is not what is stored, nobody is asked at the same time: what
// they are told differs from it only if the page is not the same for all.
func (h *Handler) recheckedSigned(j *job, signed []policies.Field, f *flight, o *store.Object) string {
	theirs := j.signed(signed)
	mine := h.startFill(theirs, f.overflowed)
	defer mine.stop()
	if h.freshReasons(theirs, mine) != nil || mine.writer.status != o.Status {
		return recheckFailed // it is not for others, so it says nothing of what is
	}
	d := h.compare(j, storedAnswer(o), mine.comparedWith(theirs), nil)
	if d == nil {
		return recheckSame
	}
	open := h.startFill(j, f.overflowed)
	defer open.stop()
	reasons, length := h.freshReasons(j, open), signedRefusal
	if reasons == nil && open.writer.status == o.Status {
		if d = h.compare(j, mine.comparedWith(theirs), open.comparedWith(j), nil); d == nil {
			// It is new for both; or what is stored was said to a third, so it goes.
			h.forgetElsewhere(j, h.forget(j))
			return recheckChanged
		}
		h.withdraw(j, open, d, divergence(d))
		length = store.MaxRefusal // their fills would be admitted one by one
	} else {
		h.forgetElsewhere(j, h.forget(j))
		h.recordFill(j, mine, audit.Record{Event: audit.EventDiverge, Reasons: divergence(d), Difference: difference{d}})
	}
	h.meter(j.rule).divergence(d.Class)
	for _, lane := range [...]store.Key{j.at, signedLane(j.at)} {
		h.shared.refusals.Remember(lane, policies.ReasonDivergent, length, false)
	}
	return recheckWithdrawn
}

// signed is the job of nobody, sent with these fields.
func (j *job) signed(fields []policies.Field) *job {
	c := *j
	c.parts = j.parts.Clone()
	c.parts.Forward(fields)
	c.nobody = len(fields) == 0
	return &c
}

// forwards are the forwarded fields with the name.
func (j *job) forwards(name string) (fields []policies.Field) {
	for _, f := range j.parts.Forwarded() {
		if f.Name == name {
			fields = append(fields, f)
		}
	}
	return fields
}

// signedLane is where requests with Authorization wait for each other, and refusals of
// them are remembered, apart from the others of the key.
func signedLane(at store.Key) store.Key {
	at[0] ^= 0xff
	return at
}
