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
// visitor who reads it. A download holds three of them at most, which are not counted
// against the budget: as much as a proxied connection holds, by order of magnitude.
const spoolWindow = 64 << 10

// spoolPiece is how much of the body the reader is given at once.
const spoolPiece = 32 << 10

// spool holds the body of a fill while it arrives. One writer, at most one
// reader. A body over the limit is no longer kept: with a reader it streams
// through a window, without one the writer is told to stop.
//
// Until the first bytes are dropped the reader reads the very bytes that will be
// stored, without a copy: they are only added to, and what is dropped first moves to
// other memory. From then on its pieces are copies, for the window is used again.
type spool struct {
	limit  int64
	budget *budget
	// overflowed is called once, with the reason, when the body turns out not to
	// be storable. It must not block.
	overflowed func(policies.Reason)

	mu     sync.Mutex
	moved  sync.Cond
	buf    []byte
	base   int64 // bytes dropped before buf; 0: buf is only added to
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

// announce says how long the body will be, before the first of it. What is too long is
// known not to be storable from then on; the rest gets its memory, in one piece.
func (s *spool) announce(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed, s.over != policies.ReasonNone:
	case n > s.limit:
		s.overflow(policies.ReasonTooLarge)
	case !s.budget.take(n):
		s.overflow(policies.ReasonMemoryFull)
	default:
		s.held = n
		// With the capacity that the memory has: it counts when the body is stored.
		s.buf = append([]byte(nil), make([]byte, n)...)[:0]
	}
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
		size := int64(len(s.buf) + len(p))
		switch more := max(0, size-s.held); {
		case size > s.limit:
			reason = policies.ReasonTooLarge
		case !s.budget.take(more):
			reason = policies.ReasonMemoryFull
		default:
			s.held += more
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

// drop forgets bytes that the reader has had. The first time, what is left moves into
// a window, and the memory for a body that was to be stored goes back as soon as the
// reader has done with it: a long download must not keep others from being filled. The
// lock is held.
func (s *spool) drop(n int64) {
	rest, window := s.buf[n:], s.buf[:0]
	if s.base == 0 {
		window = make([]byte, 0, 3*spoolWindow)
	}
	s.base += n
	s.buf = append(window, rest...)
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
// context ends. flush is called whenever the reader has caught up and there is more to
// come.
func (s *spool) copyTo(ctx context.Context, w io.Writer, flush func()) error {
	defer s.detach()
	if body, whole := s.body(); whole {
		if len(body) == 0 {
			return nil // some responses must have none
		}
		_, err := w.Write(body)
		return err
	}
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.moved.Broadcast()
	})
	defer stop()
	var copied []byte
	for {
		piece, caughtUp, err := s.next(ctx, &copied)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := w.Write(piece); err != nil {
			return err
		}
		if caughtUp {
			flush()
		}
	}
}

// next returns bytes that the reader has not had, waiting for some. They are good until
// it is called again. CaughtUp says that there are no more now, but there will be.
func (s *spool) next(ctx context.Context, copied *[]byte) (piece []byte, caughtUp bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.base > 0 && s.held > 0 { // the reader has done with what was before the window
		s.budget.give(s.held)
		s.held = 0
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		if rest := s.buf[s.pos-s.base:]; len(rest) > 0 {
			piece = rest[:min(len(rest), spoolPiece)]
			if s.base > 0 {
				*copied = append((*copied)[:0], piece...)
				piece = *copied
			}
			s.pos += int64(len(piece))
			s.moved.Broadcast()
			return piece, len(piece) == len(rest) && !s.closed, nil
		}
		if s.closed {
			if s.err != nil {
				return nil, false, s.err
			}
			return nil, false, io.EOF
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
