package redis

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/cacheward/cacheward/caddymodule/store"
)

const (
	// writers is how many goroutines write. One key is always the same one's, so that its
	// writes keep their order.
	writers = 4
	// queued is how many objects may wait for each of them.
	queued = 512
	// writeTime is how many timeouts one object's pieces together may take: nobody waits
	// for them.
	writeTime = 8
)

// writing writes objects to Redis, after they were put.
type writing struct {
	store    *Store
	queues   [writers]chan write
	inFlight atomic.Int64
	ctx      context.Context // ends when the store is closed
	end      context.CancelFunc
	ended    chan struct{}
}

// write is one thing to do: an object to be written, or a key to be deleted.
type write struct {
	key    store.Key
	object *store.Object // nil: delete
	size   int64
	// then, if given, is called instead, when what was to be done with the key before is.
	then func()
}

func startWriting(s *Store) *writing {
	w := &writing{store: s, ended: make(chan struct{}, writers)}
	w.ctx, w.end = context.WithCancel(context.Background())
	for i := range w.queues {
		w.queues[i] = make(chan write, queued)
		go w.run(w.queues[i])
	}
	return w
}

// add has the write done soon, or drops and counts it if too much waits already.
func (w *writing) add(what write) (added bool) {
	if o := what.object; o != nil {
		what.size = o.Size()
	}
	if w.inFlight.Add(what.size) <= w.store.options.InFlight {
		select {
		case w.queues[what.key[0]%writers] <- what:
			return true
		default:
		}
	}
	w.inFlight.Add(-what.size)
	if what.then == nil {
		w.store.counts.dropped.Add(1)
	}
	return false
}

func (w *writing) run(queue chan write) {
	defer func() { w.ended <- struct{}{} }()
	for {
		select {
		case <-w.ctx.Done():
			return
		case what := <-queue:
			if what.then != nil {
				what.then()
			} else if err := w.do(what); err != nil {
				w.store.counts.dropped.Add(1)
			}
			w.inFlight.Add(-what.size)
		}
	}
}

func (w *writing) close() {
	w.end()
	for range writers {
		<-w.ended
	}
}

// do writes the body's pieces first and the head last, so that whoever finds the head
// finds the body as well; whether they belong together is in the head.
func (w *writing) do(what write) error {
	s, o := w.store, what.object
	client, err := s.objects.get()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(w.ctx, writeTime*s.options.Timeout)
	defer cancel()
	at := s.options.namesOf(what.key)
	if o == nil {
		return client.Do(ctx, client.B().Unlink().Key(at.head(), at.piece(0)).Build()).Error()
	}
	pieces, err := split(o.Body, s.options.Piece, s.options.Compress)
	if err != nil {
		return err
	}
	now := time.Now()
	earliest, _, clock := s.edge.Clock(now)
	stay := min(o.UsableUntil().Sub(now), MaxStay).Truncate(time.Millisecond)
	// Readers refuse what was purged since, so this only spares the work.
	if !clock || stay <= 0 || !s.edge.Trusted(now) || !s.edge.Known(o) {
		return errRefused
	}
	head := o.AppendWire(nil, now, earliest)
	if len(head) > maxHead {
		return fmt.Errorf("object without its body has %d bytes", len(head))
	}
	commands := make(rueidis.Commands, 0, len(pieces)+1)
	size := len(head)
	for i, piece := range pieces {
		size += len(piece)
		commands = append(commands, client.B().Set().Key(at.piece(i)).Value(rueidis.BinaryString(piece)).Px(stay).Build())
	}
	commands = append(commands, client.B().Set().Key(at.head()).Value(rueidis.BinaryString(head)).Px(stay).Build())
	for _, result := range client.DoMulti(ctx, commands...) {
		if err := result.Error(); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
	}
	s.counts.writes.Add(1)
	s.counts.bytes.Add(uint64(size))
	return nil
}
