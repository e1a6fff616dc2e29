package load

import (
	"context"
	"time"
)

const (
	// shortest is the shortest interval between two requests of Steady.
	shortest = time.Microsecond
	// finest is the shortest between two ticks; at higher rates several requests are due
	// at one.
	finest = 50 * time.Microsecond
	// ahead is how many due requests wait for a connection before the pace itself waits.
	// What waits is no less due for it.
	ahead = 1024
)

// pace says when requests are due: request i a number of intervals after the start.
type pace struct {
	ready    chan int // the requests that are due
	n        int      // requests in all
	interval time.Duration
	start    time.Time
	ticker   *ticker
	ctx      context.Context
}

// newPace starts the time for n requests. It runs until run has returned.
func newPace(ctx context.Context, interval time.Duration, n int) (*pace, error) {
	p := &pace{ready: make(chan int, ahead), n: n, interval: interval, start: time.Now(), ctx: ctx}
	var err error
	p.ticker, err = newTicker(ctx, max(interval, finest))
	return p, err
}

// due is when the i-th request is to be sent. The first tick of the ticker is one interval
// after the start.
func (p *pace) due(i int) time.Time {
	return p.start.Add(time.Duration(i+1) * p.interval)
}

// run makes requests ready as they become due, until all are or the context ends.
func (p *pace) run() error {
	defer close(p.ready)
	defer p.ticker.stop()
	for i := 0; i < p.n; {
		if err := p.ticker.wait(); err != nil {
			return err
		}
		for due := min(p.n, int(time.Since(p.start)/p.interval)); i < due; i++ {
			select {
			case p.ready <- i:
			case <-p.ctx.Done():
				return p.ctx.Err()
			}
		}
	}
	return nil
}
