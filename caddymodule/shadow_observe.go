package caddymodule

import (
	"encoding/binary"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// foresee says what would have become of the request before its answer is known, where
// that does not depend on it.
func (o *observer) foresee() {
	x := o.x
	switch x.verdict.Action {
	case policies.ActDeny:
		o.would(OutcomeDeny)
		return
	case policies.ActBypass:
		o.would(OutcomeBypass)
		return
	}
	x.digestKey()
	o.key = x.shadowKey()
	o.comparable = gate.Comparable(x.r.Method, x.r.Header)
	known, demands := x.h.shared.shadow.at(o.key), x.readDemands()
	hit := known.hits(x.started)
	switch {
	case hit && meets(&known, &demands, x.started):
		o.would(OutcomeHit)
	case demands.OnlyIfCached:
		o.would(OutcomeDeny)
		o.foretold = []policies.Reason{policies.ReasonOnlyIfCached}
	case hit:
		o.unlearnt = true // the visitor wants another one
	case x.started.Before(known.refused):
		o.would(OutcomePass)
		o.foretold = []policies.Reason{known.reason, policies.ReasonRememberedRefusal}
	}
}

// meets says whether the request takes what would be stored (RFC 9111 §5.2.1).
func meets(f *foreseen, d *httpcache.RequestDirectives, now time.Time) bool {
	return !d.NoCache && (!d.HasMaxAge || now.Sub(f.made) <= d.MaxAge) && (!d.HasMinFresh || f.expires.Sub(now) >= d.MinFresh)
}

// shadowKey is the key, and the values of what the response may vary on.
func (x *exchange) shadowKey() store.Key {
	authorized := x.rule.ShareAuthorized && x.r.Header["Authorization"] != nil
	if len(x.parts.Varying) == 0 && !authorized {
		return x.key
	}
	b := x.key[:]
	if authorized {
		b = append(b, 1)
	}
	for _, f := range x.parts.Varying {
		for _, s := range [...]string{f.Name, httpcache.NormalizeSelecting(f.Name, f.Value)} {
			b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
		}
	}
	return policies.Digest(b)
}

// undecided says whether the answer decides what would have become of the request.
func (o *observer) undecided() bool { return o.x.would == "" }

func (o *observer) would(outcome Outcome) { o.x.would = string(outcome) }

// conclude is for when the answer is complete and has been looked at.
func (o *observer) conclude(body gate.Body) {
	x := o.x
	if !o.undecided() {
		if x.would == string(OutcomeDeny) && o.foretold != nil {
			x.reasons = nil // there would have been no answer
		}
		for _, reason := range o.foretold {
			o.add(reason)
		}
		return
	}
	for _, reason := range o.trailerReasons() {
		o.add(reason)
	}
	switch {
	case o.broken():
		return // see end
	case !o.comparable, o.unlearnt, gate.RequestError(o.status) && (x.rule.Corroborate || len(x.reasons) > 0):
		// It says nothing about what others would get.
		o.would(OutcomeFill)
		if len(x.reasons) > 0 {
			o.would(OutcomePass)
		}
	case len(x.reasons) > 0:
		o.refuse(x.reasons[0])
	default:
		o.admit(body)
	}
}

// broken says whether the answer is not whole, or there was none.
func (o *observer) broken() bool {
	if o.status == 0 || o.writeErr != nil || o.x.r.Context().Err() != nil {
		return true
	}
	return o.x.r.Method != http.MethodHead && wholeBody(o.header, o.status, o.written) != nil
}

// refuse is for an answer that would not be stored.
func (o *observer) refuse(why policies.Reason) {
	o.would(OutcomePass)
	o.add(why)
	o.x.h.shared.shadow.refuse(o.key, why, time.Now())
}

// admit is for an answer that nothing speaks against.
func (o *observer) admit(body gate.Body) {
	x, now := o.x, time.Now()
	j := &job{rule: x.rule, parts: &x.parts, path: x.req.Path, key: x.key}
	f := &fill{requested: x.started, received: o.received, age: httpcache.InitialAge(o.header, x.started, o.received)}
	f.writer.final = o.header
	object := x.h.newObject(j, f, o.status, o.header, nil)
	if why := o.unstorable(j, object, body, now); why != policies.ReasonNone {
		o.refuse(why)
		return
	}
	if !object.Fresh(now) || object.NoCache {
		o.would(OutcomeFill) // stored, and the origin asked each time if it still holds
		return
	}
	answer := foreseen{
		sum:     answerSum(o.status, o.originFields(), body, x.h.harmless[x.rule]),
		made:    object.Received.Add(-object.InitialAge),
		expires: object.Expires,
	}
	outcome, why := x.h.shared.shadow.take(o.key, answer, !x.rule.Corroborate, now)
	o.would(outcome)
	if why != policies.ReasonNone {
		o.add(why)
	}
}

// unstorable says what speaks against an object that has passed the gate, if anything
// does.
func (o *observer) unstorable(j *job, object *store.Object, body gate.Body, now time.Time) policies.Reason {
	if !body.Readable {
		return o.unreadable()
	}
	if !object.Fresh(now) && !now.Before(object.KeptUntil()) {
		return policies.ReasonNotFresh
	}
	if _, ok := httpcache.VaryNames(o.header); !ok {
		return policies.ReasonVaryTooMany
	}
	if _, ok := tags(j, o.header); !ok {
		return policies.ReasonTagsTooMany
	}
	return policies.ReasonNone
}

// originFields are the fields that would be stored, without those that handlers above
// have set: a fill has none of these.
func (o *observer) originFields() http.Header {
	fields := httpcache.StoredFields(o.header, o.x.rule.Vouches)
	for name, lines := range o.outer {
		if slices.Equal(fields[name], lines) {
			delete(fields, name)
		}
	}
	return fields
}

// trailerReasons are what trailers say that nobody has announced: one that is announced
// is a reason already.
func (o *observer) trailerReasons() []policies.Reason {
	var trailer http.Header
	for name, lines := range o.Header() {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			if trailer == nil {
				trailer = make(http.Header)
			}
			trailer[http.CanonicalHeaderKey(trimTrailerPrefix(name))] = lines
		}
	}
	if trailer == nil {
		return nil
	}
	return gate.CheckTrailer(trailer, o.rules())
}
