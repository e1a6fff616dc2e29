// Package fleet has several edges behave as one: what one of them purges, invalidates or
// trips, all do, and an edge that cannot know what the others did says so, so that it
// serves nothing that is stored.
//
// Everything that is done to all is an [Event] in one log, which a [Link] keeps. Events are
// numbered from 1 on; the number is the event's generation. Every edge applies them in
// their order, and none is left out. What is stored carries the generation that its edge
// had applied before the origin was asked for it; a later event that selects it makes it
// unservable, wherever it is found. No edge compares its clock with another's.
//
// An [Edge] trusts what is stored for the length of a lease, counted from the moment at
// which it asked the log whether there was anything new, if it has applied all that it was
// told. So an event is in force everywhere no later than a lease after it is in the log:
// each edge has applied it by then, or trusts nothing.
package fleet

import (
	"context"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/store"
)

// Kind is what an event does.
type Kind string

const (
	// KindPurge drops what the selection means, or makes it stale.
	KindPurge Kind = "purge"
	// KindInvalidate drops what has the selection's tag, as the answer to an unsafe request
	// does (RFC 9111 §4.4).
	KindInvalidate Kind = "invalidate"
	// KindTrip stops caching on a route, or everywhere.
	KindTrip Kind = "trip"
	// KindReset ends a trip.
	KindReset Kind = "reset"
)

// Event is something that is done to all edges. It is data, and immutable.
type Event struct {
	// Generation is its number in the log, which gives it.
	Generation uint64
	// Edge is the name of the edge that published it.
	Edge string
	Kind Kind

	// Selection is what is purged or invalidated; Soft that it is made stale.
	Selection store.Selection
	Soft      bool
	// Afresh: what is remembered beside objects (refusals, suspended routes) goes as well.
	Afresh bool

	// Trip is what is tripped. Of a reset it is the trip that is ended, which its Route and
	// its Since name: of that route no other, for a reset may be late. Without Since it is
	// whatever trip the route has.
	Trip control.Tripped
}

// Ends reports whether the event is the end of the trip.
func (e Event) Ends(t control.Tripped) bool {
	return e.Kind == KindReset && t.Route == e.Trip.Route && (e.Trip.Since.IsZero() || t.Since.Equal(e.Trip.Since))
}

// Heard is what the log says to an edge that asks.
type Heard struct {
	// Generation is that of the last event in the log; 0: there is none.
	Generation uint64
	// Events are those after the one that the edge had applied, in their order, without
	// gaps: perhaps not all up to Generation, for then there are more to be asked for.
	Events []Event
	// Lost: the log cannot tell all that happened since: the edge is new, it was away for
	// too long, or the log has lost something itself. What the edge has stored is to be
	// dropped; Floor, Purges and Trips say what holds now, and Events is empty.
	Lost bool
	// Settling: the log has begun anew a moment ago, less than a lease, and may have
	// forgotten what was tripped. The edges that know are to tell it first, so nothing is
	// trusted yet.
	Settling bool
	// Floor is a generation: of objects that carry an earlier one it is not known what has
	// selected them, so they may not be served.
	Floor uint64
	// Purges are the events of [KindPurge] after Floor, in their order.
	Purges []Event
	// Trips are in force, each with the generation of its event. Resets are the last event of
	// [KindReset] of each route whose trip was ended lately.
	Trips  []control.Tripped
	Resets []Event
	// Members are the edges that have asked lately, the one that asks among them.
	Members []Member
	// Now is the time by the log's clock.
	Now time.Time
}

// Member is an edge as the log sees it.
type Member struct {
	Edge    string
	Applied uint64
	// Silent is for how long it has not asked.
	Silent time.Duration
}

// Link leads to the log. It is safe for concurrent use. Its calls end when their context
// does.
//
// A log that has forgotten events, as one that was restarted may have, must not give their
// generations to others: an edge would take those for what it has applied. It goes on
// after them, far enough that no edge can have come there.
type Link interface {
	// Ask tells the log that the edge is there, has applied everything up to a generation
	// and, with joins, knows nothing of what was before. It says what is new.
	Ask(ctx context.Context, edge string, applied uint64, joins bool) (Heard, error)
	// Publish appends an event and returns its generation. After an error it may or may not
	// be in the log; to publish it again does no harm.
	Publish(ctx context.Context, e Event) (generation uint64, err error)
}

// Delivery says how far an event has come.
type Delivery struct {
	Generation uint64 `json:"generation"`
	// Edges is how many there are, this one included; Confirmed how many of them have
	// applied it.
	Edges     int `json:"edges"`
	Confirmed int `json:"confirmed"`
	// Missing are the names of the others. Those of them that are Silent have not asked
	// for as long as the lease, and so trust nothing that is stored.
	Missing []string `json:"missing,omitempty"`
	Silent  []string `json:"silent,omitempty"`
	// Took is how long it took until that was known, in milliseconds.
	Took float64 `json:"took_ms"`
}

// Status describes an edge in its fleet at one moment.
type Status struct {
	Edge string
	// Trusted: it has heard from the log within its lease.
	Trusted bool
	// Heard is for how long it has not; negative: never yet.
	Heard   time.Duration
	Lease   time.Duration
	Applied uint64
	// Generation is the last that the log told of.
	Generation uint64
	// Unsent is how many events of this edge could not be published yet.
	Unsent  int
	Members []Member
	// Problem is why the log could not be asked the last time.
	Problem string
	// Lapses is how often the lease has lapsed since the start, and Partitioned for how long
	// altogether.
	Lapses      uint64
	Partitioned time.Duration
}

// Leads says whether it is this edge that does what one edge is to do for all: of those that
// were heard within the lease, the one whose name is first. Edges that do not hear of each
// other all do it.
func (s Status) Leads() bool {
	if !s.Trusted {
		return true
	}
	for _, m := range s.Members {
		if m.Silent < s.Lease && m.Edge < s.Edge {
			return false
		}
	}
	return true
}

// Turn says who is to ask the origin for a key.
type Turn struct {
	// Mine: this edge is, and not another that does so at the moment. Done is to be called
	// once with what became of it, and does not wait.
	Mine bool
	Done func(Verdict)
	// Verdict, where it has a Reason, is what another edge found out a moment ago.
	Verdict Verdict
}

// Verdict is what became of a key.
type Verdict struct {
	// Reason is the code of why it is not shareable for now; "": nothing is known of that.
	Reason string
	// For is for how long that is remembered.
	For time.Duration
	// Stored are the keys of the objects that were stored, if any.
	Stored []store.Key
}
