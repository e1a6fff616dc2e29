// Package store keeps admitted responses and what the cache knows about the
// keys it has none for: which were refused a moment ago ([Refusals]) and which
// routes keep diverging ([Suspensions]).
//
// It judges nothing. What is put here has been admitted; what is got from here
// is what was put under exactly the same key, or nothing. Every failure reads as
// "not there", so that damage leads to the origin and never to another visitor's
// response.
package store

import (
	"errors"
)

// Key is the BLAKE3 digest of the encoded key parts.
type Key [32]byte

var (
	// ErrClosed is what every method returns once the store is closed. The
	// handler meets it while a reload is under way, and goes to the origin.
	ErrClosed = errors.New("store is closed")

	// ErrTooLarge is why an object was not stored: it alone is larger than the
	// whole store may be, or than a store can count.
	ErrTooLarge = errors.New("object is larger than the store may be")

	// ErrInvalidated is why an object was not stored: one of its tags was
	// invalidated, or it was purged, after the origin had been asked for it.
	ErrInvalidated = errors.New("object was invalidated while it was fetched")
)

// Store keeps objects. Implementations are safe for concurrent use. An error
// means that the store cannot be trusted for this call; the caller goes to the
// origin.
type Store interface {
	// Get returns the object put under key and parts. It returns nil and no
	// error when there is none, when the one there has other parts (two keys
	// with one digest), and when it can no longer be used at all, fresh or
	// stale. The object is shared: the caller must not change it.
	Get(key Key, parts []byte) (*Object, error)

	// Put stores o in place of whatever has its key. The store may drop it at
	// any time, even at once, to keep its bound; an object that can no longer be
	// used only removes what it would have replaced. An object that is refused
	// (ErrTooLarge, ErrInvalidated) leaves what was there in its place. After Put,
	// neither o nor anything that it refers to may change.
	Put(o *Object) error

	// Attach gives the object, which was got from the store, a form: a copy that has it as
	// well takes its place. It reports whether it did. It does nothing if the object was
	// replaced, dropped or revoked meanwhile, or would not fit any more. The form lasts as long
	// as the object, counts in its size and is reached through [Object.Form] only.
	Attach(o *Object, f Form) (bool, error)

	// Delete removes the object with the key, whatever its parts. It is no error
	// if there is none.
	Delete(key Key) error

	// Invalidate removes every object that has the tag and returns how many it
	// removed, indexes of variants included. When it returns they are gone, and
	// Put refuses with ErrInvalidated each object with the tag whose Requested is
	// not after the moment of invalidation: a fill that began before it cannot
	// commit after it. That is remembered for [InvalidationMemory] at least.
	Invalidate(tag Tag) (int, error)

	// Purge removes every object that is selected, indexes of variants included. When it
	// returns they are gone, and Put refuses with ErrInvalidated each object that is
	// selected and whose Requested is not after the moment of the purge, which is within
	// the call. That is remembered for [InvalidationMemory] at least; of more than
	// [MaxPurges] purges, the oldest are then remembered as if they had selected
	// everything.
	//
	// With soft, objects are made stale instead: each is replaced by a copy that expires
	// at the moment of the purge and is Aged, so that only its stale windows and its
	// validators are left of it, and removed if neither is. Indexes are left as they are. What was
	// requested before is refused all the same.
	//
	// Get works while objects are looked through. An error means that nothing was done:
	// the selection is wrong ([Selection.Check]), or the store is closed.
	Purge(s Selection, soft bool) (Purged, error)

	// Revoked reports whether o was requested no later than an invalidation of one of
	// its tags, or than a purge that selects it, as far as that is remembered. It is for
	// those who hold an object from before. By soft purges only what is fresh is revoked,
	// and so what they have made stale is not. A closed store revokes everything.
	Revoked(o *Object) bool

	// Each calls yield for each object that can still be used, in no order, until yield
	// returns false. Objects that come, go or are replaced meanwhile may be missed. It
	// holds no lock: yield may call the store.
	Each(yield func(*Object) bool) error

	// Watch has dropped called for each object that the store itself drops: to make
	// room, or because its time is over, which it may notice late. It is not called for
	// what is deleted, invalidated, purged or replaced, nor for indexes of variants. It
	// runs under locks of the store: it must not block, and must not call the store. Nil
	// turns it off. It can be set at any time; what is under way may still be told to
	// the one before.
	Watch(dropped func(*Object, DropCause))

	// Stats describes the store at this moment; it is zero once closed.
	Stats() Stats

	// Close gives up everything stored. Objects that were got remain usable.
	Close() error
}

// Stats describes a store at one moment.
type Stats struct {
	// Objects held. Objects whose time is over are counted until they are
	// swept, at most a few seconds.
	Objects int
	// Bytes that they occupy, as [Object.Size] counts.
	Bytes int64
	// Limit of Bytes.
	Limit int64
	// Evictions is how many objects were dropped to make room, ever.
	Evictions uint64
	// Expirations is how many objects were dropped because no stale window was
	// left, ever.
	Expirations uint64
	// Forms is how many coded forms the objects have, and FormBytes what the bodies of those
	// take; they are part of Bytes.
	Forms     int
	FormBytes int64
}

// Purged says what a purge did.
type Purged struct {
	// Looked is how many objects were looked at.
	Looked int
	// Removed is how many of them were removed or, by a soft purge, made stale. What
	// was stale already is not counted.
	Removed int
	// Left is how many were found, when all were looked through again, that the purge
	// should have removed or made stale. It is 0 unless the store failed.
	Left int
}

// DropCause is why a store dropped an object.
type DropCause uint8

const (
	// DropEvicted is what is dropped to make room.
	DropEvicted DropCause = iota + 1
	// DropExpired is what can no longer be used, fresh or stale.
	DropExpired
)

func (d DropCause) String() string {
	switch d {
	case DropEvicted:
		return "evicted"
	case DropExpired:
		return "expired"
	}
	return "unknown"
}
