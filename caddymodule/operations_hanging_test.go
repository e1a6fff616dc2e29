package caddymodule

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/control"
)

// TestUnloadDoesNotWaitForTheLog: a configuration can be replaced although its log hangs.
func TestUnloadDoesNotWaitForTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core := hangingCore{zapcore.InfoLevel, make(chan struct{})}
		defer close(core.release)
		h := &Handler{audit: audit.New(zap.New(core), audit.Options{})}
		h.audit.Offer(&audit.Record{Event: audit.EventBypass}, nil)
		stopped := make(chan error, 1)
		go func() { stopped <- (&App{handlers: &handlers{all: []*Handler{h, {}}}}).Stop() }()
		select {
		case err := <-stopped:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Hour):
			t.Error("it is still running")
		}
	})
}

// hangingStorage never answers until it is released, whatever its context says.
type hangingStorage struct {
	brokenStorage
	release chan struct{}
}

func (s *hangingStorage) Store(context.Context, string, []byte) error {
	<-s.release
	return nil
}

// TestTripDoesNotWaitForTheStorage: who stops caching is answered, and told, although
// Caddy's storage hangs.
func TestTripDoesNotWaitForTheStorage(t *testing.T) {
	withRoute(t, "cache: 5m", func(t *testing.T, c *ruled) {
		storage := &hangingStorage{release: make(chan struct{})}
		defer close(storage.release)
		c.breaker.use(storage)
		answered := make(chan control.Switched, 1)
		go func() {
			done, err := trip([]*Handler{c.Handler}, control.Trip{Route: "page", Why: "a test"})
			if err != nil {
				t.Error(err)
			}
			answered <- done
		}()
		select {
		case done := <-answered:
			if done.Saved || len(done.Problems) != 1 {
				t.Errorf("%+v", done)
			}
		case <-time.After(time.Hour):
			t.Error("nobody was answered")
		}
	})
}

// hangingCore is a log that takes nothing until it is released.
type hangingCore struct {
	zapcore.LevelEnabler
	release chan struct{}
}

func (c hangingCore) With([]zapcore.Field) zapcore.Core { return c }
func (c hangingCore) Sync() error                       { return nil }
func (c hangingCore) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return checked.AddCore(e, c)
}
func (c hangingCore) Write(zapcore.Entry, []zapcore.Field) error {
	<-c.release
	return nil
}

// TestTripDoesNotWaitForTheLog: who stops caching is answered although the log hangs and
// requests wait for it.
func TestTripDoesNotWaitForTheLog(t *testing.T) {
	withRoute(t, "cache: 5m", func(t *testing.T, c *ruled) {
		core := hangingCore{zapcore.InfoLevel, make(chan struct{})}
		c.audit = audit.New(zap.New(core), audit.Options{Room: 1, Full: audit.FullWait})
		defer close(core.release)
		c.audit.Offer(&audit.Record{Event: audit.EventBypass}, nil)
		c.breaker.use(&brokenStorage{store: errors.New("the disk is full")})
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			if _, err := trip([]*Handler{c.Handler}, control.Trip{Route: "page", Why: "a test"}); err != nil {
				t.Error(err)
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		select {
		case <-answered:
		case <-ctx.Done():
			t.Error("nobody was answered")
		}
	})
}
