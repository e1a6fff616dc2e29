package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/caddymodule/store/storetest"
	"github.com/cacheward/cacheward/policies"
)

// benchPage is the nth page of a large site, small enough for a million of them.
func benchPage(n int) *store.Object {
	o := storetest.Page(policies.Parts{
		Space: "0123456789abcdef", Server: "srv0",
		EscapedPath: fmt.Sprintf("/articles/%d/%d", n%100, n),
		Params:      []string{"ref=a"},
	}, 16)
	if n%100 == 0 {
		o.Route = "other"
	}
	return o
}

// BenchmarkPurge drops the hundredth part of a store, and puts it back for the next.
func BenchmarkPurge(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		m := newMemory(b, 8<<30)
		var others []*store.Object
		for i := range n {
			o := benchPage(i)
			if o.Expires = o.Expires.Add(time.Hour); o.Route == "other" {
				others = append(others, o)
			}
			if err := m.Put(o); err != nil {
				b.Fatal(err)
			}
		}
		key := others[0].Key
		for _, s := range []store.Selection{{Route: "other"}, {Prefix: "example.com/articles/0"}, {Key: key[:store.MinKey]}} {
			b.Run(fmt.Sprintf("%.9s/%d", s, n), func(b *testing.B) {
				for b.Loop() {
					if p, err := m.Purge(s, false); err != nil || p.Looked != n || p.Removed == 0 || p.Left != 0 {
						b.Fatalf("%+v, %v", p, err)
					}
					b.StopTimer()
					for i, o := range others {
						again := *o
						again.Requested = time.Now()
						others[i] = &again
						if err := m.Put(&again); err != nil {
							b.Fatal(err)
						}
					}
					b.StartTimer()
				}
			})
		}
		_ = m.Close()
	}
}

// BenchmarkPutPurged puts what was requested after, and before, a number of purges that
// are remembered and do not select it.
func BenchmarkPutPurged(b *testing.B) {
	for _, purged := range []int{0, store.MaxPurges} {
		for _, when := range []string{"after", "before"} {
			b.Run(fmt.Sprintf("%s/%d", when, purged), func(b *testing.B) {
				m := newMemory(b, 64<<20)
				defer func() { _ = m.Close() }()
				objects := make([]*store.Object, 1000)
				for i := range objects {
					objects[i] = benchPage(i)
					objects[i].Expires = time.Now().Add(time.Hour)
				}
				for i := range purged {
					if _, err := m.Purge(store.Selection{Prefix: fmt.Sprintf("example.com/other/%d", i)}, false); err != nil {
						b.Fatal(err)
					}
				}
				if when == "after" {
					for _, o := range objects {
						o.Requested = time.Now()
					}
				}
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if err := m.Put(objects[i%len(objects)]); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
