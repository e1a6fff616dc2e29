// Package load sends HTTP/1.1 requests to one server and measures the answers: at a
// constant rate that does not wait for them ([Steady]), as fast as a number of
// connections go ([Closed]), or from many clients in one moment ([Herd]). It is for what
// wrk cannot do, and spends little CPU time on a request, because it shares a machine with
// the server that it measures.
package load

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Options say what Steady and Closed send. Functions in it are called by several
// goroutines at once.
type Options struct {
	// Addr is the server's host and port. Connections to it are not encrypted.
	Addr string
	// Conns is how many connections are kept, each with one request at a time. They are
	// opened before the first request is due.
	Conns int
	// Request returns the i-th request, counted from 0. It is called once for each i.
	Request func(i int) Target
	// Check, if set, judges the answer to the i-th request; what it says against it is
	// counted as an error of the kind Refuted. With Check set the bodies are held in
	// memory whole, without it they are discarded as they come. The response and what it
	// refers to is valid until Check returns.
	Check func(i int, r *Response) error
	// Timeout is how long one exchange may take, connecting included; 30 seconds if zero.
	Timeout time.Duration

	// Rate is how many requests a second Steady sends.
	Rate float64
	// Duration is how long Steady or Closed sends. What is under way then is waited for.
	Duration time.Duration
	// Requests is how many requests Closed sends, if that is sooner than Duration or if
	// Duration is zero.
	Requests int
}

// Result is what became of the requests.
type Result struct {
	// Sent is how many requests were begun, those included that failed to connect.
	Sent int
	// Unsent is how many requests Steady had not begun one second after Duration, because
	// every connection was still waiting for an answer.
	Unsent int
	// Answered is how many complete responses came, whatever their status and whether or
	// not Check held. Sent is Answered plus the errors of all kinds but Refuted, plus what
	// was under way when the context ended.
	Answered int
	// Retried is how many GET and HEAD requests were sent again, on a new connection,
	// because the server had closed the kept one without a byte in answer. That is no error:
	// every client does it (RFC 9112 section 9.3.1). Their latency has both attempts in it.
	Retried int
	// Bytes is the size of all the bodies, after chunks were joined.
	Bytes int64
	// Statuses counts the complete responses by status.
	Statuses map[int]int
	// Errors counts what failed, by kind.
	Errors map[Kind]int
	// Examples has the first error of each kind.
	Examples map[Kind]error
	// Elapsed is the time from the first request's due time to the last answer.
	Elapsed time.Duration
	// Latency is the time until the response was complete, of the complete ones. Steady
	// counts it from when the request was due, not from when it was sent: a server that
	// stalls is charged for those that it kept from being sent. Closed counts it from the
	// sending.
	Latency Histogram
	// Service is the time from the sending until the response was complete. For Steady that
	// is Latency without the wait for a free connection, which a slow server causes, and
	// without Lag; for Closed it is Latency.
	Service Histogram
	// Lag is what the load generator itself was late by, of Steady alone: from when the
	// request was due and a connection free to when it was sent. It is part of Latency. On
	// a virtual machine a wake-up alone costs some 30 µs.
	Lag Histogram
}

// Failed is the number of errors of all kinds, Unsent included.
func (r *Result) Failed() int {
	n := r.Unsent
	for _, count := range r.Errors {
		n += count
	}
	return n
}

// Rate is the number of complete responses a second.
func (r *Result) Rate() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Answered) / r.Elapsed.Seconds()
}

// String says in one line what became of the requests.
func (r *Result) String() string {
	if r == nil {
		return "no result"
	}
	l := &r.Latency
	return fmt.Sprintf("%d sent, %d answered in %v (%.1f/s), %d bytes, statuses %v, %d unsent, %d retried, errors %v; latency p50 %v p90 %v p99 %v p99.9 %v max %v; lag p99 %v",
		r.Sent, r.Answered, r.Elapsed, r.Rate(), r.Bytes, r.Statuses, r.Unsent, r.Retried, r.Errors,
		l.Quantile(0.5), l.Quantile(0.9), l.Quantile(0.99), l.Quantile(0.999), l.Max(), r.Lag.Quantile(0.99))
}

// Steady sends Rate requests a second for Duration, evenly, whether or not earlier ones
// have been answered, each on the first connection that is free. It returns an error if the
// options are unfit, the server cannot be reached at the start or the context ends, then
// with what was measured until then. Requests that fail are in the result.
func Steady(ctx context.Context, o Options) (*Result, error) {
	interval := time.Duration(float64(time.Second) / o.Rate)
	if !(o.Rate > 0) || interval < shortest || o.Duration < interval || o.Requests != 0 {
		return nil, fmt.Errorf("load: rate %v, duration %v, %d requests: Steady needs a rate of at most %d and a duration",
			o.Rate, o.Duration, o.Requests, time.Second/shortest)
	}
	workers, err := o.workers(ctx)
	if err != nil {
		return nil, err
	}
	pace, err := newPace(ctx, interval, int(o.Duration/interval))
	if err != nil {
		closeAll(workers)
		return nil, fmt.Errorf("load: %w", err)
	}
	var all sync.WaitGroup
	for _, w := range workers {
		all.Go(func() { w.steady(ctx, pace, pace.due(pace.n).Add(drain)) })
	}
	err = pace.run()
	all.Wait()
	return o.sum(workers, pace.due(0)), cmp.Or(ctx.Err(), err)
}

// Closed sends a request on each connection as soon as the answer to the one before is
// complete, until Duration is over or Requests have been sent. It returns an error if the
// options are unfit, the server cannot be reached at the start or the context ends, then
// with what was measured until then. Requests that fail are in the result.
func Closed(ctx context.Context, o Options) (*Result, error) {
	if o.Rate != 0 || o.Duration <= 0 && o.Requests <= 0 {
		return nil, fmt.Errorf("load: rate %v, duration %v, %d requests: Closed needs a duration or a number of requests, and no rate",
			o.Rate, o.Duration, o.Requests)
	}
	workers, err := o.workers(ctx)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	var next atomic.Int64
	var all sync.WaitGroup
	for _, w := range workers {
		all.Go(func() {
			for ctx.Err() == nil && (o.Duration <= 0 || time.Since(start) < o.Duration) {
				i := int(next.Add(1)) - 1
				if o.Requests > 0 && i >= o.Requests {
					return
				}
				w.closed(ctx, i)
			}
		})
	}
	all.Wait()
	return o.sum(workers, start), ctx.Err()
}
