package caddymodule

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/cacheward/cacheward/caddymodule/attribution/beacon"
)

// TestQueueThatCannotBeOpened: the edge starts, landings are counted as lost, and once the
// file can be opened they are queued.
func TestQueueThatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "beacons", "a.db")
	if err := os.WriteFile(filepath.Dir(path), nil, 0o600); err != nil { // where the folder should be
		t.Fatal(err)
	}
	b := &beacons{path: path, route: "landing"}
	options := beacon.Options{URL: "http://127.0.0.1:1/", Logger: zap.NewNop(), Sync: "never"}
	if err := b.use(options); err != nil {
		t.Fatalf("it keeps the edge from starting: %v", err)
	}
	landing := beacon.Landing{ID: newTestID(), At: time.Now(), Route: "landing"}
	if err := b.put(t.Context(), landing); err == nil || b.stats().Lost != 1 {
		t.Errorf("%v, %+v", err, b.stats())
	}
	if err := os.Remove(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	b.tried = b.tried.Add(-keyRetry)
	b.mu.Unlock()
	eventually(t, "a queue", func() bool { return b.put(t.Context(), landing) == nil })
	if err := b.Destruct(); err != nil {
		t.Error(err)
	}
}

// TestQueueBeforeItIsInForce: who comes first is not lost.
func TestQueueBeforeItIsInForce(t *testing.T) {
	b := &beacons{path: filepath.Join(t.TempDir(), "beacons", "a.db"), route: "landing"}
	b.suggest(beacon.Options{URL: "http://127.0.0.1:1/", Logger: zap.NewNop(), Sync: "never"})
	if err := b.put(t.Context(), beacon.Landing{ID: newTestID(), At: time.Now(), Route: "landing"}); err != nil {
		t.Error(err)
	}
	if err := b.Destruct(); err != nil {
		t.Error(err)
	}
}

func newTestID() string { return "AAAAAAAAAAAAAAAAAAAAAA" }
