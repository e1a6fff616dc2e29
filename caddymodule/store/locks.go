package store

import "sync"

// KeyLocks are locks for keys. Keys share them, so their number is fixed; a key is
// a digest, so they are shared evenly. The zero value is ready for use, by many
// goroutines at once. It must not be copied.
type KeyLocks [256]sync.Mutex

func (l *KeyLocks) of(key Key) *sync.Mutex { return &l[key[0]] }
