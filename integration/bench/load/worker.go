package load

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// drain is how long Steady goes on with requests that are overdue at its end.
	drain = time.Second
	// backoff is how long a connection of Closed waits after it could not be opened, so
	// that a server that is down does not cost a core.
	backoff = 10 * time.Millisecond
)

// worker is one connection and what became of its requests.
type worker struct {
	*client
	o      *Options
	result Result
	last   time.Time // of the last answer
}

// workers opens the connections.
func (o *Options) workers(ctx context.Context) ([]*worker, error) {
	if o.Conns <= 0 || o.Request == nil {
		return nil, fmt.Errorf("load: %d connections, or no requests", o.Conns)
	}
	workers := make([]*worker, 0, o.Conns)
	for range o.Conns {
		w := &worker{client: newClient(o.Addr, o.Timeout, o.Check != nil), o: o}
		if err := w.open(ctx, time.Now().Add(w.timeout)); err != nil {
			closeAll(workers)
			return nil, fmt.Errorf("load: %w", err)
		}
		w.result.Statuses, w.result.Errors = map[int]int{}, map[Kind]int{}
		w.result.Examples = map[Kind]error{}
		workers = append(workers, w)
	}
	return workers, nil
}

func closeAll(workers []*worker) {
	for _, w := range workers {
		w.close()
	}
}

// steady sends what is due, until the pace ends. What it gets to only after the end is not
// sent.
func (w *worker) steady(ctx context.Context, p *pace, end time.Time) {
	free := time.Now()
	for i := range p.ready {
		if ctx.Err() != nil {
			continue // the channel is emptied, so that the pace is not held up
		}
		due := p.due(i)
		t := w.o.Request(i)
		w.prepare(&t)
		now := time.Now()
		if now.After(end) {
			w.result.Unsent++
			continue
		}
		if free.Before(due) {
			free = due
		}
		w.result.Lag.Add(now.Sub(free))
		w.send(ctx, i, t.method(), due, now)
		free = time.Now()
	}
}

func (w *worker) closed(ctx context.Context, i int) {
	t := w.o.Request(i)
	w.prepare(&t)
	now := time.Now()
	if kind := w.send(ctx, i, t.method(), now, now); kind == Connect {
		select {
		case <-time.After(backoff):
		case <-ctx.Done():
		}
	}
}

// send sends the prepared request, which was due then and is sent now, and returns how it
// failed, if it did.
func (w *worker) send(ctx context.Context, i int, method string, due, now time.Time) Kind {
	r := &w.result
	r.Sent++
	err := w.exchange(ctx, method)
	if err == nil {
		w.last = time.Now()
		r.Latency.Add(w.last.Sub(due))
		r.Service.Add(w.last.Sub(now))
		r.Answered++
		r.Bytes += w.reader.size
		r.Statuses[w.reader.response.Status]++
		if w.o.Check == nil {
			return ""
		}
		if err = w.o.Check(i, &w.reader.response); err == nil {
			return ""
		}
		err = &Error{Refuted, err}
	} else if ctx.Err() != nil {
		return ""
	}
	var e *Error
	errors.As(err, &e)
	r.Errors[e.Kind]++
	if r.Examples[e.Kind] == nil {
		r.Examples[e.Kind] = fmt.Errorf("request %d: %w", i, err)
	}
	return e.Kind
}

// sum closes the connections and adds up their results.
func (o *Options) sum(workers []*worker, start time.Time) *Result {
	closeAll(workers)
	sum := Result{Statuses: map[int]int{}, Errors: map[Kind]int{}, Examples: map[Kind]error{}}
	for _, w := range workers {
		r := &w.result
		sum.Sent += r.Sent
		sum.Unsent += r.Unsent
		sum.Answered += r.Answered
		sum.Retried += w.retried
		sum.Bytes += r.Bytes
		for status, n := range r.Statuses {
			sum.Statuses[status] += n
		}
		for kind, n := range r.Errors {
			sum.Errors[kind] += n
			if sum.Examples[kind] == nil {
				sum.Examples[kind] = r.Examples[kind]
			}
		}
		sum.Latency.Merge(&r.Latency)
		sum.Service.Merge(&r.Service)
		sum.Lag.Merge(&r.Lag)
		sum.Elapsed = max(sum.Elapsed, w.last.Sub(start))
	}
	return &sum
}
