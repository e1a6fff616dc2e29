// Package audit writes one record for every decision: what was stored, refused,
// served or sent to the origin, for which request, and why. The records answer
// the questions asked after an incident; SCHEMA.md describes them field by field,
// record.schema.json in a form that programs can check.
//
// Records hold personal data only as far as they must. No cookie, no header
// value, no body and no client address is ever written. Who asked is written as a
// pseudonym that changes with its key ([Keys]); the values of query parameters are,
// unless the policy calls them plain, replaced by keyed digests that can be compared
// but not read.
//
// Writing does not keep a request waiting: a [Log] queues records and writes them
// in a goroutine of its own.
package audit

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Schema is the version of the records' format. It changes when a field changes
// its meaning or goes, not when one is added.
const Schema = 1

// Message is the log message of every record.
const Message = "cacheward"

// DefaultRoom is how many records a queue holds.
const DefaultRoom = 8192

// Options for a [Log]. The zero value is valid.
type Options struct {
	// Edge is the name of the edge that the records are of, one of several that work
	// together. It is in every record. Default: none, and no record has it.
	Edge string

	// Serves is how many of the serve records are written, save those with an Attribution,
	// which all are. Default: all.
	Serves Sampling

	// Keys make the pseudonyms of visitors and the digests of values. Logs that are
	// to be compared must share them. Default: random ones that are kept nowhere; a
	// known default would let anybody test guesses.
	Keys *Keys

	// Room is how many records may wait to be written. The last eighth of it is not
	// for serve records, so that however many there are, a trip or a withdrawn page is
	// not lost for them. Each takes about 600 bytes, and what it refers to. Default:
	// [DefaultRoom].
	Room int
	// Full says what Write does when there is no room. Default: [FullDrop].
	Full Full

	// Synchronous has Write write the record before it returns. There is no queue then
	// and no goroutine.
	Synchronous bool
}

// Log writes records. It is safe for concurrent use.
type Log struct {
	logger *zap.Logger
	core   zapcore.Core
	edge   string
	serves Sampling
	keys   *Keys
	full   Full

	queue   *queue // nil: records are written at once
	flushes chan chan struct{}
	stop    chan struct{}
	ended   chan struct{} // closed when the goroutine is gone
	closing sync.Once

	written, dropped, failed atomic.Uint64
}

// New returns a log that writes to l. It must be closed, unless l is nil, which
// writes nothing, or the options call for no goroutine.
func New(l *zap.Logger, o Options) *Log {
	log := &Log{logger: l, edge: visible(o.Edge), serves: o.Serves, keys: o.Keys, full: o.Full, ended: make(chan struct{})}
	if l == nil {
		log.logger = zap.NewNop()
	}
	log.core = log.logger.Core()
	if o.Keys == nil {
		log.keys = NewKeys(nil, 0, nil)
	}
	if l == nil || o.Synchronous {
		close(log.ended)
		return log
	}
	if o.Room <= 0 {
		o.Room = DefaultRoom
	}
	log.queue = newQueue(o.Room)
	log.flushes, log.stop = make(chan chan struct{}), make(chan struct{})
	go log.run()
	return log
}

// Write has the record written: at level Error for faults, trips, leaks and withdrawn pages,
// Warn for divergences and lost records, Info for all else. The time of its log entry
// is that of the call. It costs nothing when the level is disabled or the record is a
// serve that is not sampled. Otherwise it copies the record into the queue; what does
// not fit is dropped and counted, or, with [FullWait], waits for room.
//
// The values of query parameters for whose name, as it stands in the query, plain
// returns true are written in clear. A nil plain stands for none. The caller may use r
// again at once. But plain is called later, from another goroutine, so it must stay good
// and be safe for concurrent use; and what r refers to (Reasons, Difference, Evidence,
// Attribution, Findings, Err) must not change any more. A method value as plain is
// allocated anew for every call; it is better bound once.
func (l *Log) Write(r *Record, plain func(param string) bool) {
	if l.Takes(r.Event, r.Attribution != nil) {
		l.WriteTaken(r, plain)
	}
}

// Takes says, before a record is made, whether it is to be written: one of the event, with
// an Attribution or without. Where records are sampled the answer is a matter of chance,
// so it is to be asked once for each; a record that is taken goes to [Log.WriteTaken].
func (l *Log) Takes(event Event, attributed bool) bool {
	return (!sampled(event, attributed) || l.serves.take()) && l.core.Enabled(event.level())
}

// WriteTaken is Write for a record of which Takes has said that it is to be written.
func (l *Log) WriteTaken(r *Record, plain func(param string) bool) {
	l.write(r, plain, l.full == FullWait)
}

// Offer is Write, but it never waits for room. It is for callers that hold a lock.
func (l *Log) Offer(r *Record, plain func(param string) bool) {
	if l.Takes(r.Event, r.Attribution != nil) {
		l.write(r, plain, false)
	}
}

func (l *Log) write(r *Record, plain func(param string) bool, wait bool) {
	if l.queue == nil {
		l.emit(r, plain, time.Now())
		return
	}
	state := l.queue.push(r, plain)
	if state == stateFull && wait {
		state = l.queue.pushWaiting(r, plain)
	}
	switch state {
	case stateFull:
		l.dropped.Add(1)
		l.queue.rouse() // to say so in the log
	case stateClosed:
		l.emit(r, plain, time.Now())
	}
}

// emit hands the record to zap. A record that cannot be written does not take the
// process with it: a panic on the way is a fault, and said to be one.
func (l *Log) emit(r *Record, plain func(string) bool, at time.Time) {
	if problem := l.encode(r, plain, at); problem != nil {
		l.failed.Add(1)
		fault := Record{
			Event: EventFault, Route: r.Route, Scheme: r.Scheme, Host: r.Host, Path: r.Path, Query: r.Query,
			Err: fmt.Errorf("a record of the event %s could not be written: %v", r.Event, problem),
		}
		_ = l.encode(&fault, nil, at) // if this panics as well, it is the log that is broken
		return
	}
	l.written.Add(1)
}

// encode returns what it panicked with.
func (l *Log) encode(r *Record, plain func(string) bool, at time.Time) (problem any) {
	defer func() { problem = recover() }()
	if entry := l.logger.Check(r.Event.level(), Message); entry != nil {
		entry.Time = at
		// A copy, as a core may keep fields for longer than it says: one visitor's
		// record must never be found in another's line.
		entry.Write(zap.Inline(&line{log: l, record: *r, plain: plain, at: at}))
	}
	return nil
}

// Flush returns when every record whose Write returned before Flush was called has been
// handed to zap, and lost ones are reported; or with the context's error.
func (l *Log) Flush(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case l.flushes <- done:
	case <-l.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close writes what is queued and ends the goroutine. What is written to the log later,
// by requests that are still in flight when a configuration is unloaded, is written at
// once. Close may be called more than once; each call returns when all is done.
func (l *Log) Close() {
	if l.queue != nil {
		l.closing.Do(func() { close(l.stop) })
	}
	<-l.ended
}

// Stats are figures of a log.
type Stats struct {
	// Queued records wait to be written, of at most Room. A log without a queue
	// has no room.
	Queued, Room int
	// Written records were handed to zap. Dropped ones were lost because there was no
	// room. The log's own reports of lost records are in neither.
	Written, Dropped uint64
	// Failed records could not be written, by a fault of ours.
	Failed uint64
}

// Stats returns the figures since New.
func (l *Log) Stats() Stats {
	s := Stats{Written: l.written.Load(), Dropped: l.dropped.Load(), Failed: l.failed.Load()}
	if l.queue != nil {
		s.Queued, s.Room = l.queue.held(), l.queue.room
	}
	return s
}

// URL is how the record's URL stands in this log, for others who show URLs.
func (l *Log) URL(r *Record, plain func(param string) bool) string {
	key := l.keys.at(time.Now())
	digests := key.digests.Get().(*digests)
	defer key.digests.Put(digests)
	redact := redactor{values: digests.values, plain: plain, carried: r.Attribution != nil}
	return redact.url(r)
}

// Visitor is the pseudonym that a visitor has in this log now.
func (l *Log) Visitor(address, marks string) string { return l.keys.Visitor(address, marks) }
