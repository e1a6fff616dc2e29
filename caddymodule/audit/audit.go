// Package audit writes one record for every decision: what was stored, refused,
// served or sent to the origin, for which request, and why. The records answer
// the questions asked after an incident; SCHEMA.md describes them field by field.
//
// Records hold personal data only as far as they must. No cookie, no header
// value, no body and no client address is ever written; the values of query
// parameters are, unless the policy calls them plain, replaced by keyed digests
// ([HashValue]) that can be compared but not read.
package audit

import (
	"crypto/rand"
	"errors"
	"net/url"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/zeebo/blake3"

	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// Schema is the version of the records' format. It changes when a field changes
// its meaning or goes, not when one is added.
const Schema = 1

// Message is the log message of every record.
const Message = "cacheward"

// Event is what a record tells of. The set is closed.
type Event string

// The events.
const (
	EventStore    Event = "store"    // a response was admitted and stored
	EventRefuse   Event = "refuse"   // a response was refused: Reasons say why
	EventServe    Event = "serve"    // a stored object was served; Options.Serves may leave some out
	EventBypass   Event = "bypass"   // the request went to the origin untouched: Reasons say why
	EventDeny     Event = "deny"     // the request was refused with 400: Reasons say why
	EventRefresh  Event = "refresh"  // a stored object was found to hold still, or is being replaced in the background
	EventDiverge  Event = "diverge"  // two answers of the origin differed: Difference says where
	EventWithdraw Event = "withdraw" // a page that had been stored is not shareable any more: Reasons say why
	EventFault    Event = "fault"    // a failure of our own; the request went to the origin
)

// AllEvents lists every event.
func AllEvents() []Event {
	return []Event{
		EventStore, EventRefuse, EventServe, EventBypass, EventDeny, EventRefresh, EventDiverge, EventWithdraw, EventFault,
	}
}

// level of the event in the log. What is not an event is a fault.
func (e Event) level() zapcore.Level {
	switch e {
	case EventStore, EventRefuse, EventServe, EventBypass, EventDeny, EventRefresh:
		return zapcore.InfoLevel
	case EventDiverge:
		return zapcore.WarnLevel
	case EventWithdraw:
		return zapcore.ErrorLevel
	default:
		return zapcore.ErrorLevel
	}
}

// Record is one decision. The log adds the time. What has its zero value is left
// out, save where SCHEMA.md says otherwise.
type Record struct {
	Event Event
	// Route, Outcome and Mode are the names of the route, of the request's end
	// state and of the route's mode.
	Route, Outcome, Mode string
	// Reasons, most telling first.
	Reasons []policies.Reason

	// Object is the ID of the stored object that was stored, served or refreshed.
	Object string
	// Key of the request.
	Key store.Key

	// Method, Scheme, Host, Path and Query as they were received: Path and Query
	// raw, Query without the question mark. Write redacts them.
	Method, Scheme, Host, Path, Query string
	// Status that was sent to the visitor, or that the origin answered with.
	Status int

	// TTL and Age of Object at the time; TTL is negative when it was stale.
	TTL, Age time.Duration
	// Size of Object's body in bytes.
	Size int64
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
}

// Options for a [Log]. The zero value is valid.
type Options struct {
	// Serves is how many of the serve records are written. Default: all.
	Serves Sampling

	// Secret keys the digests of values. Logs that are to be compared must have
	// the same. Default: a random one, so that digests can be compared only
	// within this log; a known default would let anybody test guesses.
	Secret [32]byte
}

// Log writes records. It is safe for concurrent use.
type Log struct {
	logger  *zap.Logger
	serves  Sampling
	hashers sync.Pool // of *blake3.Hasher keyed with the secret
}

// New returns a log that writes to l. A nil l writes nothing.
func New(l *zap.Logger, o Options) *Log {
	if l == nil {
		l = zap.NewNop()
	}
	if o.Secret == [32]byte{} {
		_, _ = rand.Read(o.Secret[:]) // never fails: crypto/rand.Read
	}
	keyed := newHasher(o.Secret)
	log := &Log{logger: l, serves: o.Serves}
	log.hashers.New = func() any { return keyed.Clone() }
	return log
}

// Write writes the record: at level Error for faults and withdrawn pages, Warn for divergences, Info
// for all else. It costs nothing when the level is disabled or the record is a
// serve that is not sampled.
//
// The values of query parameters for whose name, as it stands in the query, plain
// returns true are written in clear. A nil plain stands for none. Both r and plain
// are used until Write returns and not afterwards.
func (l *Log) Write(r *Record, plain func(param string) bool) {
	if r.Event == EventServe && !l.serves.take() {
		return
	}
	entry := l.logger.Check(r.Event.level(), Message)
	if entry == nil {
		return
	}
	entry.Write(zap.Inline(&line{log: l, record: r, plain: plain}))
}

// line is a record on its way into the log. It writes its fields straight to the
// encoder: a slice of zap fields would be the largest allocation of a hit.
type line struct {
	log    *Log
	record *Record
	plain  func(param string) bool
}

// MarshalLogObject implements zapcore.ObjectMarshaler.
func (l *line) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	r := l.record
	hasher := l.log.hashers.Get().(*blake3.Hasher)
	defer l.log.hashers.Put(hasher)
	redact := redactor{hasher: hasher, plain: l.plain}

	enc.AddInt("schema", Schema)
	enc.AddString("event", string(r.Event))
	addString(enc, "route", r.Route)
	addString(enc, "outcome", r.Outcome)
	addString(enc, "mode", r.Mode)
	var errs error
	if len(r.Reasons) > 0 {
		errs = enc.AddArray("reasons", reasons(r.Reasons))
	}
	addObject(enc, r)
	addRequest(enc, r, &redact)
	addDuration(enc, "origin_ms", r.OriginTime)
	addDuration(enc, "duration_ms", r.Duration)
	if r.Difference != nil {
		errs = errors.Join(errs, enc.AddObject("divergence", r.Difference))
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
	if r.Event == EventServe && l.log.serves != (Sampling{}) {
		enc.AddFloat64("serves_pct", l.log.serves.percent())
	}
	return errs
}

// addObject writes what is known of the stored object. Zero is a telling TTL and
// age, so those are there whenever there is an object.
func addObject(enc zapcore.ObjectEncoder, r *Record) {
	if r.Key != (store.Key{}) {
		enc.AddString("key", hexDigits(r.Key[:keyBytes]))
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
}

// addRequest writes who was asked for what. Strings, not bytes, although those
// would save a copy: Caddy's log filters work on strings only.
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

func addString(enc zapcore.ObjectEncoder, name, value string) {
	if value != "" {
		enc.AddString(name, value)
	}
}

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
