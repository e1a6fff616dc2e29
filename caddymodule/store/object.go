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

	// Control holds the fields of the response that spoke to this cache alone (RFC
	// 9213). They are not served.
	Control Fields

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
	// Keep is for how long from Received on the object is kept although it may no longer
	// be served as it is: it has validators, and a 304 makes it good again (RFC 9111
	// §4.3). Zero: it is not kept for that.
	Keep time.Duration

	// NoCache: every reuse needs a successful validation first, whatever Expires
	// says (RFC 9111 §5.2.2.4).
	NoCache bool
	// NeverStale: a directive forbids every reuse of the stale object, the windows
	// above included (RFC 9111 §4.2.4).
	NeverStale bool
	// OnlyWindows: stale reuse is allowed within the windows above, and not because a
	// request accepts it (RFC 9111 §5.2.2.10).
	OnlyWindows bool
	// Aged: a soft purge has ended its freshness before what the origin said of it does,
	// so that this must not be told to caches further on.
	Aged bool
	// NoTransform: no intermediary may change the content (RFC 9111 §5.2.2.6).
	NoTransform bool
	// Authorized: the origin allowed the response for requests that have an
	// Authorization field (RFC 9111 §3.5).
	Authorized bool

	// Selecting holds the request fields that Vary named, sorted by name, as they
	// were when this response was chosen (RFC 9111 §4.1). Nil: no Vary. [Admit]
	// sets it.
	Selecting []Selecting
	// Tags are what the object can be invalidated by. See [Store.Invalidate].
	Tags []Tag
	// Variants is set where the object is the index of a key's variants, and no
	// response: it has no status and is never fresh. [Select] follows it.
	Variants *Variants

	// Generation is what the edge had applied of the events of its fleet before the origin
	// was asked; see package fleet. 0: the edge is alone.
	Generation uint64

	// forms are what [Store.Attach] has given it.
	forms *forms
}

// Pack moves the key, the ID and the fields into one piece of memory, which takes less
// room than several and less of the collector's time. The object must not be shared yet.
// Who keeps one of them for longer than the object, keeps a copy.
func (o *Object) Pack() {
	block := o.Parts + o.ID + string(o.Header) + string(o.Control)
	take := func(n int) (s string) {
		s, block = block[:n], block[n:]
		return s
	}
	o.Parts, o.ID = take(len(o.Parts)), take(len(o.ID))
	o.Header, o.Control = Fields(take(len(o.Header))), Fields(take(len(o.Control)))
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
// origin. At Expires itself it no longer may (RFC 9111 §4.2); with NoCache it
// never may (§5.2.2.4).
func (o *Object) Fresh(now time.Time) bool { return !o.NoCache && now.Before(o.Expires) }

// MayServeStale reports whether the object, now that it is stale, may still be
// served while it is revalidated (RFC 5861 §3), and when the origin fails (§4).
// Neither holds before Expires, for then it is not stale, and neither ever does
// with NoCache or NeverStale (RFC 9111 §4.2.4).
func (o *Object) MayServeStale(now time.Time) (revalidating, onError bool) {
	if o.NoCache || o.NeverStale || now.Before(o.Expires) {
		return false, false
	}
	return now.Before(o.Expires.Add(o.StaleWhileRevalidate)), now.Before(o.Expires.Add(o.StaleIfError))
}

// UsableUntil is the end of freshness, of the longest stale window that counts,
// or of Keep, whichever is last. From then on the object is good for
// nothing, and stores drop it.
func (o *Object) UsableUntil() time.Time {
	end := o.Expires
	if !o.NoCache && !o.NeverStale {
		end = end.Add(max(0, o.StaleWhileRevalidate, o.StaleIfError))
	}
	if kept := o.KeptUntil(); kept.After(end) {
		return kept
	}
	return end
}

// KeptUntil is the end of Keep. Zero: it is not kept.
func (o *Object) KeptUntil() time.Time {
	if o.Keep == 0 {
		return time.Time{}
	}
	return o.Received.Add(o.Keep)
}

// What an object occupies beside its bytes, measured on 64-bit Go 1.26 and
// rounded up: the test of the memory bound holds these against the real heap.
const (
	objectOverhead    = 496 // the struct, the rounding up of short text, the store's node and its hash table slot
	selectingOverhead = 56  // two strings and a bool in the list, and their rounding up
	tagOverhead       = 64  // the tag in the list and its slot in the index of tags
	variantsOverhead  = 64  // the struct of an index
	nameOverhead      = 24  // a string in the list, and its rounding up
)

// Size estimates the memory that the object occupies in bytes: the body with
// its spare capacity, the key, the ID, the fields as they are encoded, the tags, the
// keys of an index, and the overhead of each, of the struct and of the store's
// own tables.
func (o *Object) Size() int64 {
	text := len(o.Parts) + len(o.ID) + len(o.Header) + len(o.Control)
	if text > 512 {
		text += text / 5 // the allocator's rounding up, which grows with what is packed
	}
	size := objectOverhead + o.forms.size() + int64(text) + int64(len(o.Route)) + int64(cap(o.Body)) +
		tagOverhead*int64(cap(o.Tags))
	for _, f := range o.Selecting {
		size += selectingOverhead + int64(len(f.Name)+len(f.Value))
	}
	if v := o.Variants; v != nil {
		size += variantsOverhead + int64(len(Key{}))*int64(cap(v.Keys))
		for _, name := range v.Names {
			size += nameOverhead + int64(len(name))
		}
	}
	return size
}
