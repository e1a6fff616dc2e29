package caddymodule

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestWorkersStopWaitsForThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkers(nil)
		ended := false
		if !w.run(func() {
			<-w.ctx.Done()
			time.Sleep(3 * time.Second) // the bubble's
			ended = true
		}) {
			t.Fatal("run refused before the stop")
		}
		if err := w.stop(5 * time.Second); err != nil {
			t.Errorf("stop: %v", err)
		}
		if !ended {
			t.Error("stop returned before its worker had ended")
		}
	})
}

func TestWorkersStopIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkers(nil)
		w.run(func() { time.Sleep(time.Minute) })
		began := time.Now()
		if err := w.stop(5 * time.Second); err == nil {
			t.Error("a worker that did not end in time must be told of")
		}
		if waited := time.Since(began); waited != 5*time.Second {
			t.Errorf("stop waited %s; 5s were expected", waited)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
	})
}

func TestWorkersStoppedTakeNoWork(t *testing.T) {
	w := newWorkers(nil)
	for range 2 { // Cleanup may run twice
		if err := w.stop(time.Minute); err != nil {
			t.Fatalf("stop: %v", err)
		}
	}
	if w.run(func() { t.Error("ran after the stop") }) {
		t.Error("run accepted work after the stop")
	}
}

// TestWorkersStopUnderRace: what was accepted has ended when stop returns, and
// nothing is accepted afterwards.
func TestWorkersStopUnderRace(t *testing.T) {
	for range 50 {
		w := newWorkers(nil)
		var accepted, ended atomic.Int64
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for w.run(func() { ended.Add(1) }) {
					accepted.Add(1)
				}
			})
		}
		if err := w.stop(patience); err != nil {
			t.Fatalf("stop: %v", err)
		}
		atStop := ended.Load()
		wg.Wait()
		if ended.Load() != atStop || accepted.Load() != atStop {
			t.Fatalf("%d were accepted, %d had ended at the stop, %d in the end", accepted.Load(), atStop, ended.Load())
		}
	}
}
