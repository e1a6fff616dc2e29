package beacon

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// Whatever is put, answered and closed, in whatever order: the app gets all of it, once, in
// order.
func TestQueueByModel(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	var round atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		bubbleOf(t, rt, fmt.Sprint(path, round.Add(1)))
	})
}

// bubbleOf does what rt draws, with a clock of its own.
func bubbleOf(t *testing.T, rt *rapid.T, path string) {
	// Drawn before: what rapid does to end a failing test must not happen in a bubble.
	type step struct {
		what  string
		n     int
		pause time.Duration
	}
	batch := rapid.IntRange(1, 9).Draw(rt, "batch")
	every := rapid.SampledFrom([]time.Duration{10 * time.Millisecond, time.Second, 5 * time.Second}).Draw(rt, "every")
	how := rapid.SampledFrom([]string{syncInterval, syncNever}).Draw(rt, "sync")
	steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) step {
		return step{
			what:  rapid.SampledFrom([]string{"put", "put", "put", "answer", "restart"}).Draw(rt, "what"),
			n:     rapid.IntRange(0, 20).Draw(rt, "n"),
			pause: time.Duration(rapid.Int64Range(0, int64(3*time.Second)).Draw(rt, "pause")),
		}
	}), 1, 12).Draw(rt, "steps")
	answers := []int{204, 503, 429, unreachable, 302}

	var failure string
	synctest.Test(t, func(t *testing.T) {
		a := new(app)
		o := Options{URL: "http://app.example/", Client: &http.Client{Transport: a}, Batch: batch, Every: every, Sync: how}
		q := open(t, path, o)
		last := 0
		for _, s := range steps {
			switch s.what {
			case "put":
				put(t, q, last+1, last+s.n)
				last += s.n
			case "answer":
				a.set(status(answers[s.n%len(answers)]))
			case "restart":
				shut(t, q)
				q = open(t, path, o)
			}
			time.Sleep(s.pause)
		}
		a.set(nil)
		time.Sleep(2*time.Minute + time.Duration(last+1)*every)
		if got := a.accepted(t); !slices.Equal(got, numbers(1, last)) {
			failure = fmt.Sprintf("the app has %v of %d", got, last)
		}
		if s := q.Stats(); s.Waiting != 0 || s.Lost != 0 {
			failure = fmt.Sprintf("%+v", s)
		}
		shut(t, q)
	})
	if failure != "" {
		rt.Fatal(failure)
	}
}
