package store_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/caddymodule/store/storetest"
)

func newMemory(tb testing.TB, limit int64) *store.Memory {
	tb.Helper()
	m, err := store.NewMemory(limit)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func TestMemory(t *testing.T) {
	storetest.Run(t, func(limit int64) store.Store { return newMemory(t, limit) })
}

func TestMemoryRefusesALimitThatIsNone(t *testing.T) {
	for _, limit := range []int64{0, -1} {
		if _, err := store.NewMemory(limit); err == nil || !strings.Contains(err.Error(), "positive") {
			t.Errorf("NewMemory(%d) = %v, want what was expected", limit, err)
		}
		m := newMemory(t, 1<<20)
		if err := m.SetLimit(limit); err == nil {
			t.Errorf("SetLimit(%d) was accepted", limit)
		}
		if got := m.Stats().Limit; got != 1<<20 {
			t.Errorf("after a refused SetLimit the limit is %d", got)
		}
		_ = m.Close()
		if err := m.SetLimit(1 << 20); err != store.ErrClosed {
			t.Errorf("SetLimit of a closed store = %v, want ErrClosed", err)
		}
	}
}

// TestMemoryExpires follows one object through its whole life.
func TestMemoryExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(t, 1<<20)
		defer func() { _ = m.Close() }()
		o := storetest.Object("a", 100)
		o.StaleWhileRevalidate, o.StaleIfError = 30*time.Second, time.Hour
		if err := m.Put(o); err != nil {
			t.Fatal(err)
		}
		end := time.Minute + time.Hour // freshness, then the longer window
		time.Sleep(end - time.Nanosecond)
		if found, _ := m.Get(o.Key, []byte(o.Parts)); found != o {
			t.Fatal("the object is gone before its end")
		}
		time.Sleep(time.Nanosecond)
		if found, _ := m.Get(o.Key, []byte(o.Parts)); found != nil {
			t.Fatal("the object is there at its end")
		}
		// Nobody asks for it any more, and still its memory is freed.
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if st := m.Stats(); st.Objects != 0 || st.Bytes != 0 || st.Expirations != 1 || st.Evictions != 0 {
			t.Errorf("Stats = %+v, want nothing held and one expiration", st)
		}
	})
}

func TestMemorySetLimit(t *testing.T) {
	m := newMemory(t, 1<<20)
	defer func() { _ = m.Close() }()
	for i := range 200 {
		if err := m.Put(storetest.Object(fmt.Sprint(i), 4096)); err != nil {
			t.Fatal(err)
		}
	}
	const less = 256 << 10
	if err := m.SetLimit(less); err != nil {
		t.Fatal(err)
	}
	if st := m.Stats(); st.Bytes > less || st.Limit != less || st.Objects == 0 {
		t.Errorf("after SetLimit(%d): %+v", less, st)
	}
	if err := m.SetLimit(2 << 20); err != nil {
		t.Fatal(err)
	}
	if err := m.Put(storetest.Object("large", 1<<20)); err != nil {
		t.Errorf("what fits under the raised limit was refused: %v", err)
	}
}

// TestMemoryWithstandsAScan: what many visitors ask for is found again although a
// crawler asks for three times what fits in between. Where the least recently used
// goes first, none of it would be.
func TestMemoryWithstandsAScan(t *testing.T) {
	m := newMemory(t, 1<<20)
	defer func() { _ = m.Close() }()
	popular := make([]*store.Object, 20)
	for i := range popular {
		popular[i] = storetest.Object(fmt.Sprint("popular ", i), 4096)
	}
	hits, visits, scanned := 0, 0, 0
	for range 20 {
		for range 50 {
			for _, o := range popular {
				found, err := m.Get(o.Key, []byte(o.Parts))
				if err != nil {
					t.Fatal(err)
				}
				if visits++; found != nil {
					hits++
				} else if err := m.Put(o); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 3 * 200 {
			scanned++
			if err := m.Put(storetest.Object(fmt.Sprint("scanned ", scanned), 4096)); err != nil {
				t.Fatal(err)
			}
		}
	}
	misses := visits - hits
	if st := m.Stats(); st.Evictions < 10_000 {
		t.Fatalf("the scan evicted only %d objects", st.Evictions)
	}
	t.Logf("%d misses in %d visits", misses, visits)
	if most := len(popular) * 20 * 3 / 4; misses > most {
		t.Errorf("%d of %d visits were misses, more than %d", misses, visits, most)
	}
}

func TestMemoryGetAllocatesNothing(t *testing.T) {
	m := newMemory(t, 1<<20)
	defer func() { _ = m.Close() }()
	o := storetest.Object("a", 4096)
	if err := m.Put(o); err != nil {
		t.Fatal(err)
	}
	parts := []byte(o.Parts)
	if n := testing.AllocsPerRun(10_000, func() {
		if found, err := m.Get(o.Key, parts); found == nil || err != nil {
			t.Fatal("not there")
		}
	}); n != 0 {
		t.Errorf("a hit allocates %v times", n)
	}
}

// fill fills a store with n objects of 4 KiB, as they are admitted, and returns how much of
// that is payload: bodies, keys, fields.
func fill(tb testing.TB, m *store.Memory, n int) (payload int) {
	tb.Helper()
	for i := range n {
		o := storetest.Object(fmt.Sprint("v1 GET https hapitas.example /register/lp ?ref=", i), 4096)
		payload += len(o.Body) + len(o.Parts)
		for name, value := range o.Header.All() {
			payload += len(name) + len(value)
		}
		o.Pack()
		if err := m.Put(o); err != nil {
			tb.Fatal(err)
		}
	}
	if st := m.Stats(); st.Objects != n {
		tb.Fatalf("%d objects are held, want %d", st.Objects, n)
	}
	return payload
}

// overhead compares the heap that 4 KiB objects take with their payload and with what the
// store believes it holds.
func overhead(tb testing.TB) (heapPerPayload, heapPerBytes float64) {
	tb.Helper()
	m := newMemory(tb, 1<<30)
	defer func() { _ = m.Close() }()
	before := heap()
	payload := fill(tb, m, 10_000)
	used := float64(heap() - before)
	return used / float64(payload), used / float64(m.Stats().Bytes)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var ms runtime.MemStats
	runtime.ReadMemStats(&ms)
	return int64(ms.HeapAlloc)
}

// TestMemoryOverhead holds the store to what it promises: little more memory than
// the payload, and a limit that is one, within a tenth.
func TestMemoryOverhead(t *testing.T) {
	perPayload, perBytes := overhead(t)
	t.Logf("heap per payload %.3f, heap per byte counted %.3f", perPayload, perBytes)
	if perPayload > 1.15 {
		t.Errorf("4 KiB objects take %.3f times their payload, more than 1.15", perPayload)
	}
	if perBytes > 1 || perBytes < 0.9 {
		t.Errorf("the heap has %.3f times the bytes counted; it should be 0.9 to 1", perBytes)
	}
}

func BenchmarkMemoryOverhead(b *testing.B) {
	var perPayload float64
	for b.Loop() {
		perPayload, _ = overhead(b)
	}
	b.ReportMetric(perPayload, "heap/payload")
}

func BenchmarkMemoryGet(b *testing.B) {
	m := newMemory(b, 1<<30)
	defer func() { _ = m.Close() }()
	const objects = 4096
	keys, parts := make([]store.Key, objects), make([][]byte, objects)
	for i := range objects {
		o := storetest.Object(fmt.Sprint("object ", i), 4096)
		keys[i], parts[i] = o.Key, []byte(o.Parts)
		if err := m.Put(o); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("serial", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if o, _ := m.Get(keys[i%objects], parts[i%objects]); o == nil {
				b.Fatal("not there")
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		var starts atomic.Int64
		b.RunParallel(func(pb *testing.PB) {
			for i := int(starts.Add(977)); pb.Next(); i++ {
				if o, _ := m.Get(keys[i%objects], parts[i%objects]); o == nil {
					b.Error("not there")
					return
				}
			}
		})
	})
}

func BenchmarkMemoryPut(b *testing.B) {
	m := newMemory(b, 64<<20)
	defer func() { _ = m.Close() }()
	objects := make([]*store.Object, 50_000)
	for i := range objects {
		objects[i] = storetest.Object(fmt.Sprint("object ", i), 64)
		objects[i].Body = make([]byte, 0, 4096)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := m.Put(objects[i%len(objects)]); err != nil {
			b.Fatal(err)
		}
	}
}
