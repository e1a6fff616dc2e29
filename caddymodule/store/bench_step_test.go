package store

import (
	"fmt"
	"testing"
	"time"
)

// benchStored is a store with n objects under a key of the usual length, or with n variants.
func benchStored(b *testing.B, objects, variants int) (*Memory, Key, []byte) {
	b.Helper()
	m, err := NewMemory(256 << 20)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = m.Close() })
	var primary Key
	var parts []byte
	for i := range objects {
		parts = fmt.Appendf(nil, "%0100d", i)
		primary = Key([]byte(fmt.Sprintf("%032d", i)))
		if err := m.Put(benchObject(primary, parts)); err != nil {
			b.Fatal(err)
		}
	}
	var locks KeyLocks
	for i := range variants {
		if err := Admit(m, &locks, benchObject(primary, parts), nil, []string{"Accept-Language"}, sentLanguage(i)); err != nil {
			b.Fatal(err)
		}
	}
	return m, primary, parts
}

func benchObject(key Key, parts []byte) *Object {
	now := time.Now()
	return &Object{
		Key: key, Parts: string(parts), ID: NewID(), Route: "page", Status: 200, Body: make([]byte, 1<<10),
		Requested: now, Received: now, Expires: now.Add(time.Hour),
	}
}

func sentLanguage(i int) Sent {
	value := fmt.Sprintf("x-%d", i)
	return func(string) (string, bool) { return value, true }
}

func BenchmarkStepGet(b *testing.B) {
	m, key, parts := benchStored(b, 10_000, 0)
	b.ReportAllocs()
	for b.Loop() {
		if o, err := m.Get(key, parts); o == nil || err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStepSelect(b *testing.B) {
	for _, variants := range []int{0, 1, 64} {
		b.Run(fmt.Sprintf("variants=%d", variants), func(b *testing.B) {
			m, key, parts := benchStored(b, 10, variants)
			sent := sentLanguage(0)
			b.ReportAllocs()
			for b.Loop() {
				if o, _, err := Select(m, key, parts, sent); o == nil || err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
