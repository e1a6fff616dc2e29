package caddymodule

import (
	"bytes"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/policies"
)

// TestSpoolLends: what the reader is given stays what it was until it asks for more, however
// far the writer goes meanwhile, and what is stored is what was written, in one piece of
// memory where its length was announced.
func TestSpoolLends(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		total := rapid.IntRange(1, 6*spoolWindow).Draw(r, "total")
		limit := rapid.Int64Range(1, 6*spoolWindow).Draw(r, "limit")
		announced := rapid.SampledFrom([]int{-1, total, total / 2, 2 * total}).Draw(r, "announced")
		piece := rapid.IntRange(1<<10, 40<<10).Draw(r, "piece")
		whole := make([]byte, total)
		for i := range whole {
			whole[i] = byte(i * 2654435761 >> 11)
		}
		var failure string
		synctest.Test(t, func(t *testing.T) {
			s, b, reasons := newTestSpool(limit, 1<<30)
			s.attach()
			if announced >= 0 {
				s.announce(int64(announced))
			}
			go func() {
				for rest := whole; len(rest) > 0; {
					n := min(piece, len(rest))
					_, _ = s.Write(rest[:n])
					rest = rest[n:]
				}
				s.end(nil)
			}()
			var got []byte
			slow := writerFunc(func(p []byte) (int, error) {
				synctest.Wait() // the writer goes as far as it can
				got = append(got, p...)
				return len(p), nil
			})
			if err := s.copyTo(t.Context(), slow, noFlush); err != nil || !bytes.Equal(got, whole) {
				failure = "the reader did not get what was written"
			}
			body, storable := s.body()
			if fits := int64(max(total, announced)) <= limit; storable != fits || fits != (len(*reasons) == 0) {
				failure = "storable is not what the limit says"
			}
			if storable && (!bytes.Equal(body, whole) || announced == total && cap(body)-total > total/5+16) {
				failure = "the body is not what was written, in memory of about its length"
			}
			s.release()
			if b.used.Load() != 0 {
				failure = "bytes were not given back"
			}
		})
		if failure != "" {
			r.Fatal(failure)
		}
	})
}

// TestSpoolAnnounced: what cannot be stored is known from its length, before any of it.
func TestSpoolAnnounced(t *testing.T) {
	for _, test := range []struct {
		name          string
		limit, memory int64
		announced     int64
		reason        policies.Reason
	}{
		{"fits", 10, 10, 10, policies.ReasonNone},
		{"too large", 10, 100, 11, policies.ReasonTooLarge},
		{"no memory", 100, 10, 11, policies.ReasonMemoryFull},
		{"empty", 10, 10, 0, policies.ReasonNone},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, b, reasons := newTestSpool(test.limit, test.memory)
			s.announce(test.announced)
			if s.reason() != test.reason || (len(*reasons) == 0) != (test.reason == policies.ReasonNone) {
				t.Errorf("reason %v, overflowed with %v; %v was expected", s.reason(), *reasons, test.reason)
			}
			s.end(nil)
			s.release()
			if used := b.used.Load(); used != 0 {
				t.Errorf("%d bytes were not given back", used)
			}
		})
	}
}
