//go:build !linux

package load

import (
	"context"
	"time"
)

// ticker ticks as precisely as the Go runtime does.
type ticker struct {
	*time.Ticker
	ctx context.Context
}

// newTicker returns a ticker whose first tick comes after the interval. It fails when the
// context ends.
func newTicker(ctx context.Context, interval time.Duration) (*ticker, error) {
	return &ticker{time.NewTicker(interval), ctx}, nil
}

// wait waits for the next tick, or for none if one has passed since the last.
func (t *ticker) wait() error {
	select {
	case <-t.C:
		return nil
	case <-t.ctx.Done():
		return t.ctx.Err()
	}
}

func (t *ticker) stop() { t.Stop() }
