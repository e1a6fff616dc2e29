package store

import (
	"strings"
	"sync"
	"time"
)

// maxAdmissions is how many keys [Admissions] remembers.
const maxAdmissions = 65_536

// Admissions remembers which keys had an object, and since when, also when that
// object is long gone. A page that was shareable and is so no more is another matter
// than one that never was. It is bounded by a number of keys; a forgotten one only
// means that nobody is told. It is safe for concurrent use.
type Admissions struct {
	limit int

	mu   sync.Mutex
	keys map[Key]admission
}

type admission struct {
	first  time.Time
	object string
}

// NewAdmissions returns an empty memory.
func NewAdmissions() *Admissions {
	return &Admissions{limit: maxAdmissions, keys: make(map[Key]admission)}
}

// Admitted notes that the object with that ID was admitted for key.
func (a *Admissions) Admitted(key Key, object string) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	known, ok := a.keys[key]
	if !ok {
		known.first = now
		a.makeRoom()
	}
	known.object = strings.Clone(object) // without the object that it may be part of
	a.keys[key] = known
}

// Known reports whether an object was admitted for key and not withdrawn.
func (a *Admissions) Known(key Key) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.keys[key]
	return ok
}

// Forget forgets the key. It returns the ID of the object that was admitted last, and
// when the first was; known says whether there was one.
func (a *Admissions) Forget(key Key) (object string, first time.Time, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	last, known := a.keys[key]
	delete(a.keys, key)
	return last.object, last.first, known
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
