package store

import (
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"
)

func numberedKey(n int) (k Key) {
	binary.BigEndian.PutUint64(k[:], uint64(n))
	return k
}

func TestAdmissions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, key, second := NewAdmissions(), numberedKey(1), NewID()
		if a.Known(key) {
			t.Fatal("an empty memory knows a key")
		}
		began := time.Now()
		a.Admitted(key, NewID())
		time.Sleep(time.Hour)
		a.Admitted(key, second)
		if !a.Known(key) || a.Known(numberedKey(2)) {
			t.Fatal("what was admitted is known, and nothing else")
		}
		if object, first, known := a.Forget(key); object != second || !first.Equal(began) || !known {
			t.Errorf("Forget = %s, %s, %t, want the last object and the first time", object, first, known)
		}
		if _, _, known := a.Forget(key); known || a.Known(key) {
			t.Error("a forgotten key is known")
		}
	})
}

func TestAdmissionsAreBounded(t *testing.T) {
	a := NewAdmissions()
	a.limit = 10
	for n := range 1000 {
		a.Admitted(numberedKey(n), NewID())
		if !a.Known(numberedKey(n)) {
			t.Fatal("what was just admitted is not known")
		}
	}
	if len(a.keys) != 10 {
		t.Errorf("%d keys with a limit of 10", len(a.keys))
	}
}
