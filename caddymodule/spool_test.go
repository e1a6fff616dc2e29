package caddymodule

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/policies"
)

// spoolReasons collects what a spool says of overflowing.
type spoolReasons []policies.Reason

func (r *spoolReasons) add(reason policies.Reason) { *r = append(*r, reason) }

func newTestSpool(limit, memory int64) (*spool, *budget, *spoolReasons) {
	b := new(budget)
	b.limit.Store(memory)
	reasons := new(spoolReasons)
	return newSpool(limit, b, reasons.add), b, reasons
}

func noFlush() {}

// TestSpoolKeepsWhatIsWritten: whatever is written in whatever pieces is the body,
// and the reader's copy, and the budget gets back what it gave.
func TestSpoolKeepsWhatIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 200), 0, 20).Draw(t, "pieces")
		limit := rapid.Int64Range(0, 2000).Draw(t, "limit")
		memory := rapid.Int64Range(0, 2000).Draw(t, "memory")
		whole := bytes.Join(pieces, nil)

		s, b, reasons := newTestSpool(limit, memory)
		s.attach()
		for _, p := range pieces {
			if n, err := s.Write(p); n != len(p) || err != nil {
				t.Fatalf("Write of %d bytes with a reader = %d, %v", len(p), n, err)
			}
		}
		s.end(nil)
		var out bytes.Buffer
		if err := s.copyTo(context.Background(), &out, noFlush); err != nil {
			t.Fatalf("copyTo: %v", err)
		}
		if !bytes.Equal(out.Bytes(), whole) {
			t.Fatalf("the reader got %d bytes; %d were written", out.Len(), len(whole))
		}
		body, storable := s.body()
		fits := int64(len(whole)) <= min(limit, memory)
		if storable != fits {
			t.Fatalf("storable = %v with %d bytes, limit %d, memory %d", storable, len(whole), limit, memory)
		}
		if storable && !bytes.Equal(body, whole) {
			t.Fatal("the body is not what was written")
		}
		if fits != (len(*reasons) == 0) || len(*reasons) > 1 {
			t.Fatalf("overflowed was called with %v", *reasons)
		}
		s.release()
		s.release()
		if used := b.used.Load(); used != 0 {
			t.Fatalf("%d bytes were not given back", used)
		}
	})
}

// TestSpoolStreams: the reader gets bytes as they come, and is flushed to whenever
// it has caught up.
func TestSpoolStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := newTestSpool(100, 100)
		s.attach()
		var out bytes.Buffer
		flushes := 0
		done := make(chan error, 1)
		go func() { done <- s.copyTo(t.Context(), &out, func() { flushes++ }) }()
		for i, piece := range []string{"a", "bc", "def"} {
			if _, err := s.Write([]byte(piece)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if want := "abcdef"[:out.Len()]; out.String() != want || flushes != i+1 || !strings.HasSuffix(want, piece) {
				t.Fatalf("after %q the reader has %q and was flushed %d times", piece, out.String(), flushes)
			}
		}
		s.end(nil)
		if err := <-done; err != nil {
			t.Errorf("copyTo: %v", err)
		}
	})
}

func TestSpoolEnds(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		name     string
		end      error
		storable bool
	}{
		{"whole", nil, true},
		{"broken", broken, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _, _ := newTestSpool(100, 100)
			s.attach()
			_, _ = s.Write([]byte("half"))
			if _, storable := s.body(); storable {
				t.Error("a body that has not ended is not whole")
			}
			s.end(test.end)
			s.end(errors.New("later")) // the first end stands
			var out bytes.Buffer
			if err := s.copyTo(t.Context(), &out, noFlush); err != test.end {
				t.Errorf("copyTo = %v; %v was expected", err, test.end)
			}
			if out.String() != "half" {
				t.Errorf("the reader got %q", out.String())
			}
			if _, storable := s.body(); storable != test.storable {
				t.Errorf("storable = %v", storable)
			}
			if _, err := s.Write([]byte("x")); err == nil {
				t.Error("a write after the end was taken")
			}
		})
	}
}

// TestSpoolWithoutReaderStopsTheWriter: nobody is there for whom a body that
// cannot be stored would go on.
func TestSpoolWithoutReaderStopsTheWriter(t *testing.T) {
	for _, test := range []struct {
		name          string
		limit, memory int64
		reason        policies.Reason
	}{
		{"too large", 10, 100, policies.ReasonTooLarge},
		{"memory full", 100, 10, policies.ReasonMemoryFull},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, b, reasons := newTestSpool(test.limit, test.memory)
			if _, err := s.Write(make([]byte, 10)); err != nil {
				t.Fatalf("ten bytes fit: %v", err)
			}
			for range 2 {
				if _, err := s.Write([]byte("x")); !errors.Is(err, errAbandoned) {
					t.Errorf("Write = %v; it was expected to stop the writer", err)
				}
			}
			if len(*reasons) != 1 || (*reasons)[0] != test.reason || s.reason() != test.reason {
				t.Errorf("overflowed with %v, reason %v; %v was expected once", *reasons, s.reason(), test.reason)
			}
			s.end(errAbandoned)
			s.release()
			if used := b.used.Load(); used != 0 {
				t.Errorf("%d bytes were not given back", used)
			}
		})
	}
}

// TestSpoolBudgetIsShared: what one spool has taken is missing for the other, until
// it is given back.
func TestSpoolBudgetIsShared(t *testing.T) {
	a, b, _ := newTestSpool(100, 100)
	other := newSpool(100, b, func(policies.Reason) {})
	if _, err := a.Write(make([]byte, 80)); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Write(make([]byte, 30)); err == nil {
		t.Fatal("110 bytes fit into a budget of 100")
	}
	a.end(nil)
	a.release()
	third := newSpool(100, b, func(policies.Reason) {})
	if _, err := third.Write(make([]byte, 100)); err != nil {
		t.Errorf("after the release there is room: %v", err)
	}
}

// TestSpoolWindow: a body that is too large runs at most a window ahead of a slow
// reader, who gets all of it.
func TestSpoolWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit, total, piece = 1 << 20, 8 << 20, 64 << 10
		s, b, reasons := newTestSpool(limit, 1<<30)
		s.attach()
		written := 0
		writer := make(chan error, 1)
		go func() {
			for written < total {
				p := bytes.Repeat([]byte{byte(written / piece)}, piece)
				if _, err := s.Write(p); err != nil {
					writer <- err
					return
				}
				written += piece
			}
			s.end(nil)
			writer <- nil
		}()
		// Before anything is read: the limit, and no more.
		synctest.Wait()
		if written != limit {
			t.Fatalf("the writer was held after %d bytes; %d were expected", written, limit)
		}
		var got []byte
		slow := writerFunc(func(p []byte) (int, error) {
			got = append(got, p...)
			synctest.Wait() // the writer goes as far as it can
			if ahead := written - len(got); written > limit && ahead > spoolWindow+piece {
				t.Errorf("past the limit the writer is %d bytes ahead; a window is %d", ahead, spoolWindow)
			}
			if used := b.used.Load(); len(got) > limit && used != 0 {
				t.Errorf("past the limit %d bytes are kept from other fills", used)
			}
			return len(p), nil
		})
		if err := s.copyTo(t.Context(), slow, noFlush); err != nil {
			t.Fatalf("copyTo: %v", err)
		}
		if err := <-writer; err != nil {
			t.Fatalf("writer: %v", err)
		}
		if len(got) != total {
			t.Fatalf("the reader got %d bytes of %d", len(got), total)
		}
		for i, c := range got {
			if c != byte(i/piece) {
				t.Fatalf("byte %d is %d; %d was expected", i, c, byte(i/piece))
			}
		}
		if len(*reasons) != 1 || (*reasons)[0] != policies.ReasonTooLarge {
			t.Errorf("overflowed with %v", *reasons)
		}
		s.release()
		if used := b.used.Load(); used != 0 {
			t.Errorf("%d bytes were not given back", used)
		}
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestSpoolReaderLeaves: a writer that waits for a reader who leaves is let go, and
// so is one whose fill is ended by others.
func TestSpoolReaderLeaves(t *testing.T) {
	for _, test := range []struct {
		name  string
		leave func(s *spool, cancel func())
	}{
		{"context ends", func(_ *spool, cancel func()) { cancel() }},
		{"fill ended", func(s *spool, _ func()) { s.end(errAbandoned) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _, _ := newTestSpool(10, 1<<30)
				s.attach()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				stuck := make(chan struct{})
				reader := make(chan error, 1)
				go func() {
					reader <- s.copyTo(ctx, writerFunc(func(p []byte) (int, error) {
						<-stuck
						return len(p), nil
					}), noFlush)
				}()
				writer := make(chan error, 1)
				go func() {
					for {
						if _, err := s.Write(make([]byte, 32<<10)); err != nil {
							writer <- err
							return
						}
					}
				}()
				synctest.Wait() // the reader is stuck, the writer waits for it
				test.leave(s, cancel)
				close(stuck)
				if err := <-reader; err == nil {
					t.Error("the reader took a part for the whole")
				}
				if err := <-writer; !errors.Is(err, errAbandoned) {
					t.Errorf("the writer got %v", err)
				}
			})
		})
	}
}

// TestSpoolReaderLeavesStorableBody: the body that one visitor no longer wants is
// kept for the others.
func TestSpoolReaderLeavesStorableBody(t *testing.T) {
	s, _, reasons := newTestSpool(100, 100)
	s.attach()
	_, _ = s.Write([]byte("first "))
	gone := errors.New("gone")
	err := s.copyTo(t.Context(), writerFunc(func([]byte) (int, error) { return 0, gone }), noFlush)
	if !errors.Is(err, gone) {
		t.Fatalf("copyTo = %v", err)
	}
	if _, err := s.Write([]byte("second")); err != nil {
		t.Fatalf("Write after the reader left: %v", err)
	}
	s.end(nil)
	if body, storable := s.body(); string(body) != "first second" || !storable || len(*reasons) > 0 {
		t.Errorf("body %q, storable %v, reasons %v", body, storable, *reasons)
	}
}

// TestSpoolForgone: a fill that may not be stored any more goes on for the visitor
// who reads it, and for nobody else.
func TestSpoolForgone(t *testing.T) {
	t.Run("with a reader", func(t *testing.T) {
		s, _, reasons := newTestSpool(100, 100)
		s.attach()
		_, _ = s.Write([]byte("first "))
		if !s.forgo(policies.ReasonFillAborted) {
			t.Fatal("there is a reader")
		}
		if _, err := s.Write([]byte("second")); err != nil {
			t.Fatalf("Write: %v", err)
		}
		s.end(nil)
		var out strings.Builder
		if err := s.copyTo(t.Context(), &out, noFlush); err != nil || out.String() != "first second" {
			t.Errorf("the reader got %q, %v", out.String(), err)
		}
		if _, storable := s.body(); storable {
			t.Error("it is storable all the same")
		}
		if len(*reasons) != 1 || (*reasons)[0] != policies.ReasonFillAborted {
			t.Errorf("overflowed with %v", *reasons)
		}
	})
	t.Run("without", func(t *testing.T) {
		s, _, _ := newTestSpool(100, 100)
		if s.forgo(policies.ReasonFillAborted) {
			t.Error("there is no reader")
		}
		if _, err := s.Write([]byte("x")); !errors.Is(err, errAbandoned) {
			t.Errorf("Write = %v", err)
		}
	})
	t.Run("after the end", func(t *testing.T) {
		s, _, reasons := newTestSpool(100, 100)
		_, _ = s.Write([]byte("whole"))
		s.end(nil)
		s.forgo(policies.ReasonFillAborted)
		if body, storable := s.body(); string(body) != "whole" || !storable || len(*reasons) > 0 {
			t.Errorf("body %q, storable %v, reasons %v", body, storable, *reasons)
		}
	})
}

// TestSpoolUnderRace runs writer, reader and those who end it against each other.
func TestSpoolUnderRace(t *testing.T) {
	for i := range 200 {
		s, b, _ := newTestSpool(1<<10, 1<<20)
		s.attach()
		ctx, cancel := context.WithCancel(t.Context())
		writer := make(chan struct{})
		go func() {
			defer close(writer)
			for range 100 {
				if _, err := s.Write(make([]byte, 4<<10)); err != nil {
					break
				}
			}
			s.end(nil)
		}()
		reader := make(chan struct{})
		go func() {
			defer close(reader)
			_ = s.copyTo(ctx, io.Discard, noFlush)
		}()
		switch i % 3 {
		case 0:
			cancel()
		case 1:
			s.end(errAbandoned)
		case 2:
			s.forgo(policies.ReasonFillAborted)
		}
		await(t, "the writer", writer)
		await(t, "the reader", reader)
		cancel()
		s.release()
		if used := b.used.Load(); used != 0 {
			t.Fatalf("%d bytes were not given back", used)
		}
	}
}

// BenchmarkSpoolOverflow is a download that is too large to store.
func BenchmarkSpoolOverflow(b *testing.B) {
	const total, limit, piece = 64 << 20, 8 << 20, 32 << 10
	p := make([]byte, piece)
	b.SetBytes(total)
	b.ReportAllocs()
	for b.Loop() {
		s, _, _ := newTestSpool(limit, 1<<30)
		s.attach()
		go func() {
			for range total / piece {
				_, _ = s.Write(p)
			}
			s.end(nil)
		}()
		_ = s.copyTo(context.Background(), io.Discard, noFlush)
	}
}
