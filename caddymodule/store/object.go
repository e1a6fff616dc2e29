package store

import (
	"time"

	"github.com/google/uuid"
)

// Object is an admitted response. It is immutable once [Store.Put] has it, and
// may be read by many goroutines at once.
type Object struct {
	Key Key
	// Parts is the whole encoded key. It is compared on every look-up, so that
	// two keys with one digest are a miss and never somebody else's page.
	Parts string
	// ID names this object, and no other, in audit records. See [NewID].
	ID string
	// Route is the name of the route that admitted the object.
	Route string

	Status int
	// Header holds the fields that are stored with the response (RFC 9111 §3.1).
	Header Fields
	Body   []byte

	// Requested and Received are when the origin was asked and when the head of
	// its answer came (RFC 9111 §4.2.3).
	Requested, Received time.Time
	// InitialAge is how old the response was when it was received: RFC 9111's
	// corrected_initial_age.
	InitialAge time.Duration

	// Expires is the end of freshness (RFC 9111 §4.2).
	Expires time.Time
	// StaleWhileRevalidate and StaleIfError are for how long after Expires the
	// object may be served stale (RFC 5861 §3 and §4). Zero: not at all.
	StaleWhileRevalidate, StaleIfError time.Duration
}

// NewID returns a new object ID: a UUID of version 7 (RFC 9562 §5.7), so that
// IDs sort by the time at which they were made.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// Age is the response's current age at now (RFC 9111 §4.2.3). A clock that went
// back never makes it younger than it was when it came.
func (o *Object) Age(now time.Time) time.Duration {
	return o.InitialAge + max(0, now.Sub(o.Received))
}

// TTL is what is left of the object's freshness at now. Negative: it has been
// stale for that long (RFC 9211 §2.4).
func (o *Object) TTL(now time.Time) time.Duration { return o.Expires.Sub(now) }

// Fresh reports whether the object may be served at now without asking the
// origin. At Expires itself it no longer may (RFC 9111 §4.2).
func (o *Object) Fresh(now time.Time) bool { return now.Before(o.Expires) }

// UsableUntil is the end of the longest stale window. From then on the object is
// good for nothing, and stores drop it.
func (o *Object) UsableUntil() time.Time {
	return o.Expires.Add(max(0, o.StaleWhileRevalidate, o.StaleIfError))
}

// What an object occupies beside its bytes, measured on 64-bit Go 1.26 and
// rounded up: the test of the memory bound holds these against the real heap.
const (
	objectOverhead = 480 // the struct, the store's node and its hash table slot
	fieldOverhead  = 48  // two strings in the list, and their rounding up
)

// Size estimates the memory that the object occupies in bytes: the body with
// its spare capacity, the key, the names and values of the fields, and the
// overhead of each, of the struct and of the store's own tables.
func (o *Object) Size() int64 {
	size := objectOverhead +
		int64(len(o.Parts)) + int64(len(o.ID)) + int64(len(o.Route)) + int64(cap(o.Body))
	for _, f := range o.Header {
		size += fieldOverhead + int64(len(f.Name)+len(f.Value))
	}
	return size
}
