package caddymodule

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/cacheward/cacheward/policies"
)

// budget bounds the bytes that all fills together hold before they are judged.
type budget struct {
	limit atomic.Int64
	used  atomic.Int64
}

func (b *budget) take(n int64) bool {
	if b.used.Add(n) > b.limit.Load() {
		b.used.Add(-n)
		return false
	}
	return true
}

func (b *budget) give(n int64) { b.used.Add(-n) }

// claim is memory that two goroutines hold: the one that writes a visitor's own
// answer down and the one that compares it. It goes back when both are done.
type claim struct {
	budget  *budget
	bytes   atomic.Int64 // 0 if there was no room
	holders atomic.Int32
}

func (b *budget) claim(n int64) *claim {
	c := &claim{budget: b}
	c.holders.Store(2)
	c.more(n)
	return c
}

// more takes n more bytes, if there is room for them.
func (c *claim) more(n int64) bool {
	if !c.budget.take(n) {
		return false
	}
	c.bytes.Add(n)
	return true
}

func (c *claim) done() {
	if c.holders.Add(-1) == 0 {
		c.budget.give(c.bytes.Load())
	}
}

// errAbandoned ends a fill whose body nobody wants any more.
var errAbandoned = errors.New("cacheward: the fill was abandoned")

// spoolWindow is how far a fill that is too large to store may run ahead of the
// visitor who reads it.
const spoolWindow = 256 << 10

// spool holds the body of a fill while it arrives. One writer, at most one
// reader. A body over the limit is no longer kept: with a reader it streams
// through a window, without one the writer is told to stop.
type spool struct {
	limit  int64
	budget *budget
	// overflowed is called once, with the reason, when the body turns out not to
	// be storable. It must not block.
	overflowed func(policies.Reason)

	mu     sync.Mutex
	moved  sync.Cond
	buf    []byte
	base   int64 // bytes dropped before buf
	pos    int64 // how far the reader is
	reader bool
	over   policies.Reason // why the body cannot be stored
	closed bool
	err    error // of the fill, nil if it is complete
	held   int64 // bytes taken from the budget

	released bool // nobody but the reader needs the bytes
}

func newSpool(limit int64, b *budget, overflowed func(policies.Reason)) *spool {
	s := &spool{limit: limit, budget: b, overflowed: overflowed}
	s.moved.L = &s.mu
	return s
}

// Write takes the next bytes of the body. It fails only when nobody wants them.
func (s *spool) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, errAbandoned
	}
	if s.over == policies.ReasonNone {
		reason := policies.ReasonNone
		switch {
		case int64(len(s.buf)+len(p)) > s.limit:
			reason = policies.ReasonTooLarge
		case !s.budget.take(int64(len(p))):
			reason = policies.ReasonMemoryFull
		default:
			s.held += int64(len(p))
		}
		if reason != policies.ReasonNone {
			s.overflow(reason)
		}
	}
	if s.over != policies.ReasonNone && !s.makeRoom() {
		return 0, errAbandoned
	}
	s.buf = append(s.buf, p...)
	s.moved.Broadcast()
	return len(p), nil
}

// overflow gives up on storing the body. The lock is held.
func (s *spool) overflow(reason policies.Reason) {
	s.over = reason
	s.overflowed(reason)
}

// makeRoom waits until the reader is less than a window behind, and drops what they
// have had. It is false if nobody reads any more. The lock is held.
func (s *spool) makeRoom() bool {
	for {
		if !s.reader || s.closed {
			return false
		}
		consumed := s.pos - s.base
		if int64(len(s.buf))-consumed > spoolWindow {
			s.moved.Wait()
			continue
		}
		if consumed > spoolWindow {
			s.drop(consumed)
		}
		return true
	}
}

// drop forgets bytes that the reader has had. What is left is a window, so the
// memory for a body that was to be stored goes back at once: a long download must
// not keep others from being filled. The lock is held.
func (s *spool) drop(n int64) {
	rest := s.buf[n:]
	s.base += n
	if cap(s.buf) <= 4*spoolWindow {
		s.buf = s.buf[:copy(s.buf, rest)]
		return
	}
	s.buf = append(make([]byte, 0, 2*spoolWindow), rest...)
	s.budget.give(s.held)
	s.held = 0
}

// forgo says that the body may not be stored any more, for this reason. It is false
// if nobody reads it, so that it need not go on. A body that is complete stays
// what it is.
func (s *spool) forgo(reason policies.Reason) (read bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed && s.over == policies.ReasonNone {
		s.overflow(reason)
	}
	return s.reader
}

// end says that no more bytes will come, and whether that is all of them.
func (s *spool) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed, s.err = true, err
		s.giveBack()
		s.moved.Broadcast()
	}
}

// body returns all bytes of a complete, storable fill.
func (s *spool) body() ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf, s.closed && s.err == nil && s.over == policies.ReasonNone
}

// hold takes n more bytes from the budget, for what is made of the body. They go back
// with the body's own.
func (s *spool) hold(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.budget.take(n) {
		return false
	}
	s.held += n
	return true
}

// reason says why the body cannot be stored, if it was too much.
func (s *spool) reason() policies.Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over
}

// release gives the memory back to the budget, as soon as no writer and no reader
// needs it. The bytes stay valid for those who have them.
func (s *spool) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.released = true
	s.giveBack()
}

func (s *spool) giveBack() {
	if s.released && s.closed && !s.reader {
		s.budget.give(s.held)
		s.held = 0
	}
}

// attach announces the one reader. To be called before the fill begins.
func (s *spool) attach() { s.reader = true }

// copyTo writes the body to w as it arrives, until it is complete, broken, or the
// context ends. flush is called whenever the reader has caught up.
func (s *spool) copyTo(ctx context.Context, w io.Writer, flush func()) error {
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.moved.Broadcast()
	})
	defer stop()
	defer s.detach()
	chunk := make([]byte, 32<<10)
	for {
		n, err := s.next(ctx, chunk)
		if n > 0 {
			if _, err := w.Write(chunk[:n]); err != nil {
				return err
			}
			if n < len(chunk) {
				flush()
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// next copies bytes that the reader has not had, waiting for some.
func (s *spool) next(ctx context.Context, chunk []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if n := copy(chunk, s.buf[s.pos-s.base:]); n > 0 {
			s.pos += int64(n)
			s.moved.Broadcast()
			return n, nil
		}
		if s.closed {
			if s.err != nil {
				return 0, s.err
			}
			return 0, io.EOF
		}
		s.moved.Wait()
	}
}

// detach lets the writer go on without a reader, or give up.
func (s *spool) detach() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reader = false
	s.giveBack()
	s.moved.Broadcast()
}
