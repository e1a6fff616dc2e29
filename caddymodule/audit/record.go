package audit

import (
	"encoding/hex"
	"errors"
	"net/url"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// Record is one decision. The log adds the time. What has its zero value is left
// out, save where SCHEMA.md says otherwise.
type Record struct {
	Event Event
	// Route, Outcome and Mode are the names of the route, of the request's end
	// state and of the route's mode. Would is the outcome that the request would
	// have had, where the route only observes.
	Route, Outcome, Mode, Would string
	// Reasons, most telling first.
	Reasons []policies.Reason

	// Object is the ID of the stored object that was stored, served, refreshed or
	// dropped.
	Object string
	// Key of the request.
	Key store.Key

	// Address and Marks are who asked: the client's IP address and the cookies
	// that were chosen to tell visitors apart, encoded as the caller likes. They
	// are never written; a pseudonym made of them is (see [Keys]).
	Address, Marks string
	// Method, Scheme, Host, Path and Query as they were received: Path and Query
	// raw, Query without the question mark. The log redacts them.
	Method, Scheme, Host, Path, Query string
	// Status that was sent to the visitor, or that the origin answered with.
	Status int

	// TTL and Age of Object at the time; TTL is negative when it was stale.
	TTL, Age time.Duration
	// Size of Object's body in bytes.
	Size int64
	// Coding is the content coding in which it was served; empty: as it is.
	Coding string
	// OriginTime is the time until the head of the origin's answer came,
	// Duration that of the whole request.
	OriginTime, Duration time.Duration

	// Difference says where two answers differed, without their values.
	Difference zapcore.ObjectMarshaler
	// Findings are what was found in the response that speaks of one visitor, without
	// the values.
	Findings zapcore.ArrayMarshaler
	// Detail is a short remark such as the name of the field that was at fault.
	Detail string
	// Err is what failed.
	Err error

	// Probe: who asked was a signed probe, no visitor.
	Probe bool
	// From and Until are when a leak began, as far as is known: the last probe that found
	// none, and the first that did. Evidence is what it found.
	From, Until time.Time
	Evidence    zapcore.ObjectMarshaler
	// Attribution is what the request had to do with who sent its visitor: an
	// [*Attribution]. A record that has it is written whatever Options.Serves leaves out.
	Attribution zapcore.ObjectMarshaler
	// By, Why and Scope say who did something, for what reason and to what extent
	// ("route landing"). They are an operator's words and not redacted.
	By, Why, Scope string
	// Soft: the objects were made stale, not dropped.
	Soft bool
	// Removed is how many objects were dropped or made stale.
	Removed int
	// Records is how many records were lost.
	Records int64
}

// sampled says whether Options.Serves may leave a record out.
func sampled(event Event, attributed bool) bool { return event == EventServe && !attributed }

// line is a record on its way into the log. It writes its fields straight to the
// encoder: a slice of zap fields would be the largest allocation of a record.
type line struct {
	log    *Log
	record Record
	plain  func(param string) bool
	at     time.Time
}

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (l *line) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	r := &l.record
	key := l.log.keys.at(l.at)
	digests := key.digests.Get().(*digests)
	defer key.digests.Put(digests)
	redact := redactor{values: digests.values, plain: l.plain, carried: r.Attribution != nil}

	enc.AddInt("schema", Schema)
	addString(enc, "edge", l.log.edge)
	enc.AddString("event", string(r.Event))
	addString(enc, "route", r.Route)
	addString(enc, "outcome", r.Outcome)
	addString(enc, "would", r.Would)
	addString(enc, "mode", r.Mode)
	var errs error
	if len(r.Reasons) > 0 {
		errs = enc.AddArray("reasons", reasons(r.Reasons))
	}
	addObject(enc, r)
	addRequest(enc, r, &redact)
	if r.Address != "" || r.Marks != "" {
		enc.AddString("visitor", digests.visitor(key.id, r.Address, r.Marks))
	}
	addDuration(enc, "origin_ms", r.OriginTime)
	addDuration(enc, "duration_ms", r.Duration)
	if r.Difference != nil {
		errs = errors.Join(errs, enc.AddObject("divergence", r.Difference))
	}
	if r.Evidence != nil {
		errs = errors.Join(errs, enc.AddObject("evidence", r.Evidence))
	}
	if r.Attribution != nil {
		errs = errors.Join(errs, enc.AddObject("attribution", r.Attribution))
	}
	if r.Findings != nil {
		errs = errors.Join(errs, enc.AddArray("findings", r.Findings))
	}
	if r.Detail != "" {
		enc.AddString("detail", redact.text(r.Detail, r.Query))
	}
	if r.Err != nil {
		enc.AddString("error", redact.text(withoutURL(r.Err), r.Query))
	}
	if r.Probe {
		enc.AddBool("probe", true)
	}
	addOperation(enc, r)
	// On more than the records that are left out: there may be none of those to say so. But
	// not on one that stands for no other.
	if l.log.serves != (Sampling{}) && (sampled(r.Event, r.Attribution != nil) || r.Event == EventStore || r.Event == EventBypass) {
		enc.AddFloat64("serves_pct", l.log.serves.percent())
	}
	return errs
}

// addObject writes what is known of the stored object. Zero is a telling TTL and
// age, so those are there whenever there is an object.
func addObject(enc zapcore.ObjectEncoder, r *Record) {
	if r.Key != (store.Key{}) {
		enc.AddString("key", hex.EncodeToString(r.Key[:keyBytes]))
	}
	if r.Event == EventWithdraw {
		addString(enc, "object", r.Object) // it may be long gone
		return
	}
	if r.Object != "" {
		enc.AddString("object", r.Object)
		enc.AddFloat64("ttl_s", r.TTL.Seconds())
		enc.AddFloat64("age_s", r.Age.Seconds())
	}
	if r.Object != "" || r.Size > 0 {
		enc.AddInt64("size_bytes", r.Size)
	}
	addString(enc, "coding", r.Coding)
}

// addRequest writes what was asked for. Strings, not bytes, although those would
// save a copy: Caddy's log filters work on strings only.
func addRequest(enc zapcore.ObjectEncoder, r *Record, redact *redactor) {
	addString(enc, "method", escaped(r.Method, maxMethod))
	addString(enc, "host", escaped(r.Host, maxHost))
	if r.Path != "" || r.Query != "" {
		enc.AddString("url", redact.url(r))
	}
	if r.Status != 0 {
		enc.AddInt("status", r.Status)
	}
}

// addOperation writes what was done to the cache, by whom and why. That nothing was
// removed is worth saying where something could have been.
func addOperation(enc zapcore.ObjectEncoder, r *Record) {
	addString(enc, "by", visible(r.By))
	addString(enc, "why", visible(r.Why))
	addString(enc, "scope", visible(r.Scope))
	if r.Soft {
		enc.AddBool("soft", true)
	}
	if r.Removed != 0 || r.Event == EventPurge || r.Event == EventReset {
		enc.AddInt("removed", r.Removed)
	}
	addTime(enc, "from", r.From)
	addTime(enc, "until", r.Until)
	if r.Records != 0 || r.Event == EventDrop {
		enc.AddInt64("records", r.Records)
	}
}

func addString(enc zapcore.ObjectEncoder, name, value string) {
	if value != "" {
		enc.AddString(name, value)
	}
}

// addTime writes a time for who reads it at night: to the millisecond, in UTC.
func addTime(enc zapcore.ObjectEncoder, name string, at time.Time) {
	if !at.IsZero() {
		enc.AddString(name, at.UTC().Format(timeFormat))
	}
}

const timeFormat = "2006-01-02T15:04:05.000Z"

func addDuration(enc zapcore.ObjectEncoder, name string, d time.Duration) {
	if d > 0 {
		enc.AddFloat64(name, float64(d.Microseconds())/1000)
	}
}

// reasons writes the codes of reasons.
type reasons []policies.Reason

// MarshalLogArray implements zapcore.ArrayMarshaler.
func (rs reasons) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	for _, r := range rs {
		enc.AppendString(r.String())
	}
	return nil
}

// withoutURL is the error's text. Errors of HTTP clients quote the whole URL, the
// query with it; their causes do not.
func withoutURL(err error) string {
	for {
		client, ok := errors.AsType[*url.Error](err)
		if !ok {
			return err.Error()
		}
		if client.Err == nil {
			return client.Op
		}
		err = client.Err
	}
}
