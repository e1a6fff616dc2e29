package audit

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxShards = 8
	// A shard has room for at least so many records; what is smaller is not divided.
	minShardRoom = 64
	// The share of the room that serve records do not get.
	reservedShare = 8

	// A buffer is given back that is larger than this, and than four times what was
	// needed so many times before.
	smallest = 64
	lately   = 1000
)

// queue holds records until they are written. It is made of shards, one of which a
// record is put into at random, so that requests seldom wait for each other. The writer
// takes from all shards at once: so records are taken in the order of their times.
type queue struct {
	room   int
	shards []shard
	number atomic.Uint64 // of the last record

	// wake has something in it when the writer should look. It is not told of every
	// record: only if it sleeps, or if a shard is half full.
	wake     chan struct{}
	sleeping atomic.Bool

	// For those who wait for room.
	mu      sync.Mutex
	freed   sync.Cond
	waiters atomic.Int32
}

// queued is a record that waits.
type queued struct {
	record Record
	plain  func(param string) bool
	at     time.Time
	number uint64
}

// before is the order in which records are written. Clocks are not always fine enough
// to tell what came first.
func (e *queued) before(f *queued) bool {
	if c := e.at.Compare(f.at); c != 0 {
		return c < 0
	}
	return e.number < f.number
}

type shard struct {
	mu      sync.Mutex
	waiting []queued // in the order of their times
	closed  bool
	room    int

	// taken is what waiting was. It belongs to the writer, who counts in writing what
	// is left of it: that still takes room.
	taken   []queued
	writing atomic.Int64
	// How large a buffer may be that is kept, and what will say so next: the largest
	// that was called for, and over how many times. The writer's as well.
	keep, peak, drains int

	_ [64]byte // shards are used by different processors
}

// state is what became of a record that was pushed.
type state uint8

const (
	statePushed state = iota
	stateFull
	stateClosed // the queue takes no more
)

func newQueue(room int) *queue {
	q := &queue{room: room, wake: make(chan struct{}, 1)}
	q.freed.L = &q.mu
	q.shards = make([]shard, min(maxShards, max(1, room/minShardRoom)))
	for i := range q.shards {
		n := len(q.shards)
		q.shards[i].room = (room + i) / n // sums up to room
		q.shards[i].keep = max(smallest, 4*room)
	}
	return q
}

// push copies the record into a shard with room for it. Its time is taken there.
func (q *queue) push(r *Record, plain func(string) bool) state {
	first := 0
	if len(q.shards) > 1 {
		first = int(rand.Uint32N(uint32(len(q.shards))))
	}
	for i := range q.shards {
		s := &q.shards[(first+i)%len(q.shards)]
		state, half := s.push(r, plain, &q.number)
		if state == stateFull {
			continue
		}
		if half {
			q.signal()
		} else {
			q.rouse()
		}
		return state
	}
	return stateFull
}

// push also says whether the shard has just become half full.
func (s *shard) push(r *Record, plain func(string) bool, number *atomic.Uint64) (_ state, half bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return stateClosed, false
	}
	room := s.room
	if r.Event == EventServe {
		room -= room / reservedShare
	}
	if len(s.waiting)+int(s.writing.Load()) >= room {
		return stateFull, false
	}
	// The time as it will be written. What else a Time holds is read a moment apart from
	// that, and may put two records the other way round.
	at := time.Now().Round(0)
	n := len(s.waiting)
	s.waiting = slices.Grow(s.waiting, 1)[:n+1]
	e := &s.waiting[n] // in place: a record is large
	e.record, e.plain, e.at, e.number = *r, plain, at, number.Add(1)
	return statePushed, n+1 == (s.room+1)/2
}

// pushWaiting is push that waits until there is room, or the queue is closed.
func (q *queue) pushWaiting(r *Record, plain func(string) bool) state {
	q.mu.Lock()
	defer q.mu.Unlock()
	// Whoever frees room looks at waiters afterwards: either they see this one, or
	// this one sees the room.
	q.waiters.Add(1)
	defer q.waiters.Add(-1)
	for {
		if state := q.push(r, plain); state != stateFull {
			return state
		}
		q.freed.Wait()
	}
}

// rouse wakes the writer if it sleeps.
func (q *queue) rouse() {
	if q.sleeping.Load() && q.sleeping.CompareAndSwap(true, false) {
		q.signal()
	}
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default: // it has been told
	}
}

// sleep says that the writer is to be woken for the next record. It is false if there is
// one already.
func (q *queue) sleep() bool {
	q.sleeping.Store(true)
	for i := range q.shards {
		s := &q.shards[i]
		s.mu.Lock()
		waiting := len(s.waiting)
		s.mu.Unlock()
		if waiting > 0 {
			q.sleeping.Store(false)
			return false
		}
	}
	return true
}

// take moves all that waits to the writer, and closes the queue if it is told so. What
// is pushed afterwards has a time no earlier than the one that is returned.
func (q *queue) take(closing bool) time.Time {
	for i := range q.shards {
		q.shards[i].mu.Lock()
	}
	now := time.Now()
	for i := range q.shards {
		s := &q.shards[i]
		s.closed = s.closed || closing
		s.waiting, s.taken = s.taken[:0], s.waiting
		s.writing.Store(int64(len(s.taken)))
	}
	for i := range q.shards {
		q.shards[i].mu.Unlock()
	}
	return now
}

// drain calls write for all that was taken, in the order of their times, and frees
// their room. It returns how many there were.
func (q *queue) drain(write func(*queued)) (n int) {
	var next [maxShards]int
	for {
		from := -1
		var earliest *queued
		for i := range q.shards {
			if taken := q.shards[i].taken; next[i] < len(taken) {
				if e := &taken[next[i]]; earliest == nil || e.before(earliest) {
					from, earliest = i, e
				}
			}
		}
		if earliest == nil {
			break
		}
		write(earliest)
		*earliest = queued{} // what it refers to is not kept alive
		next[from]++
		n++
		q.shards[from].writing.Add(-1)
		if q.waiters.Load() > 0 {
			q.free(q.freed.Signal)
		}
	}
	for i := range q.shards {
		q.shards[i].shrink()
	}
	// All of them, as the one that a signal woke may not have been able to use the room.
	if q.waiters.Load() > 0 {
		q.free(q.freed.Broadcast)
	}
	return n
}

// free wakes those who wait, none of whom is between looking and waiting.
func (q *queue) free(wake func()) {
	q.mu.Lock()
	wake()
	q.mu.Unlock()
}

// shrink gives a buffer back that is far larger than was needed lately.
func (s *shard) shrink() {
	needed := 4 * len(s.taken)
	s.peak = max(s.peak, needed)
	if s.drains++; s.drains == lately {
		s.keep, s.peak, s.drains = max(s.peak, smallest), 0, 0
	}
	s.keep = max(s.keep, needed)
	if cap(s.taken) > s.keep {
		s.taken = nil
	}
}

// held is how many records take room.
func (q *queue) held() (n int) {
	for i := range q.shards {
		s := &q.shards[i]
		s.mu.Lock()
		n += len(s.waiting) + int(s.writing.Load())
		s.mu.Unlock()
	}
	return n
}
