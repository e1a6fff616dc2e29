package store

import (
	"sync"
	"time"

	"github.com/google/uuid"
)

// maxAdmissions is how many keys [Admissions] remembers.
const maxAdmissions = 65_536

// Admissions remembers which keys had an object, and since when, also when that
// object is long gone. A page that was shareable and is so no more is another matter
// than one that never was. It is bounded by a number of keys; a forgotten one only
// means that nobody is told. It is safe for concurrent use.
type Admissions struct {
	limit int

	mu sync.Mutex
	// keys has half digests and no pointers: the collector has nothing to look at.
	keys map[halfKey]admission
}

type admission struct {
	first  int64 // nanoseconds of Unix time
	object uuid.UUID
}

// NewAdmissions returns an empty memory.
func NewAdmissions() *Admissions {
	return &Admissions{limit: maxAdmissions, keys: make(map[halfKey]admission)}
}

// Admitted notes that the object with that ID, of [NewID], was admitted for key.
func (a *Admissions) Admitted(key Key, object string) {
	now := time.Now().UnixNano()
	a.mu.Lock()
	defer a.mu.Unlock()
	known, ok := a.keys[halfOf(key)]
	if !ok {
		known.first = now
		a.makeRoom()
	}
	known.object, _ = uuid.Parse(object) // an ID is one
	a.keys[halfOf(key)] = known
}

// Known reports whether an object was admitted for key and not withdrawn.
func (a *Admissions) Known(key Key) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.keys[halfOf(key)]
	return ok
}

// Forget forgets the key. It returns the ID of the object that was admitted last, and
// when the first was; known says whether there was one.
func (a *Admissions) Forget(key Key) (object string, first time.Time, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	last, known := a.keys[halfOf(key)]
	if !known {
		return "", time.Time{}, false
	}
	delete(a.keys, halfOf(key))
	return last.object.String(), time.Unix(0, last.first), true
}

// makeRoom drops any one key if there is no room for another.
func (a *Admissions) makeRoom() {
	if len(a.keys) < a.limit {
		return
	}
	for key := range a.keys {
		delete(a.keys, key)
		return
	}
}
