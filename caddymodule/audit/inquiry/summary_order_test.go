package inquiry

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

// forked is a question that workers can share.
type forked[Q any] interface {
	question
	Fork() Q
	Merge(Q)
}

// anyEntries are records of every event, few enough values that they fall together.
func anyEntries(t *rapid.T) []reading.Entry {
	word := func(name string, words ...string) string { return rapid.SampledFrom(words).Draw(t, name) }
	var events []audit.Event
	for _, r := range timelineRows[11:] {
		events = append(events, r.event)
	}
	for range 3 {
		events = append(events, audit.EventServe, audit.EventBypass, audit.EventBypass, audit.EventDeny, "novel")
	}
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) reading.Entry {
		e := reading.Entry{
			Event:     rapid.SampledFrom(events).Draw(t, "event"),
			Route:     word("route", "", "landing", "shop"),
			Outcome:   word("outcome", "", "hit", "stale", "revalidated", "collapsed", "fill", "pass", "bypass", "observe", "deny", "fault", "novel"),
			Would:     word("would", "", "hit", "fill", "pass", "deny"),
			Key:       word("key", "", "k1", "k2"),
			URL:       word("url", "", "https://a.example/x", "https://a.example/x?ref=1", "https://a.example/y?ref=h:012345678901"),
			Object:    word("object", "", "o1", "o2"),
			Detail:    word("detail", "", "cookie a", "cookie b"),
			Size:      rapid.Int64Range(-1, 1<<40).Draw(t, "size"),
			ServesPct: rapid.SampledFrom([]float64{0, 0, 0.01, 3, 33, 100, 1000}).Draw(t, "pct"),
			Records:   rapid.Int64Range(0, 9).Draw(t, "records"),
			Scope:     word("scope", "", "everything", "route shop", "url https://a.example/x"),
			Reasons:   rapid.SliceOfN(rapid.SampledFrom([]string{"set-cookie", "param-bypass", "novel"}), 0, 2).Draw(t, "reasons"),
			Status:    rapid.SampledFrom([]int{0, 200, 404}).Draw(t, "status"),
		}
		if seconds := rapid.SampledFrom([]int64{-1, 60, 3600, 90_000, 40_000_000, 1 << 40}).Draw(t, "range"); seconds > 0 {
			e.Time = time.Unix(1_790_000_000+rapid.Int64Range(0, seconds).Draw(t, "second"), 0)
		}
		e.Probe = rapid.Bool().Draw(t, "probe")
		if e.Event == audit.EventLeak || e.Event == audit.EventClear {
			drawLeak(t, &e)
		}
		if rapid.Bool().Draw(t, "differs") {
			e.Divergence = &reading.Divergence{Class: word("class", "", "token", "clock"), Part: "body", Near: word("near", "", "input a")}
		}
		return e
	}), rapid.SampledFrom([]int{0, 8}).Draw(t, "least"), 40).Draw(t, "entries")
}

// sameInAnyOrder holds that the answer does not depend on who read what, and when.
func sameInAnyOrder[Q forked[Q]](t *rapid.T, q Q, answer func(Q) any) {
	entries := anyEntries(t)
	want := encode(t, answer(askAll(q.Fork(), entries)))
	shuffled := rapid.Permutation(entries).Draw(t, "order")
	workers := make([]Q, rapid.IntRange(1, 4).Draw(t, "workers"))
	for i := range workers {
		workers[i] = q.Fork()
	}
	for i := range shuffled {
		workers[rapid.IntRange(0, len(workers)-1).Draw(t, "worker")].Add(&shuffled[i])
	}
	for _, worker := range rapid.Permutation(workers).Draw(t, "merged") {
		q.Merge(worker)
	}
	if got := encode(t, answer(q)); !bytes.Equal(got, want) {
		t.Fatalf("in one go:\n%s\nby %d workers:\n%s", want, len(workers), got)
	}
}

func encode(t *rapid.T, answer any) []byte {
	b, err := json.MarshalIndent(answer, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOrderDoesNotMatter(t *testing.T) {
	t.Run("summary", rapid.MakeCheck(func(t *rapid.T) {
		sameInAnyOrder(t, NewSummary(), func(q *Summary) any { return q.Answer() })
	}))
	for _, ask := range []asked{askRefusals, askBypasses, askDivergences} {
		t.Run("reasons", rapid.MakeCheck(func(t *rapid.T) {
			sameInAnyOrder(t, newReasons(ask), func(q *Reasons) any { return q.Answer() })
		}))
	}
	t.Run("why", rapid.MakeCheck(func(t *rapid.T) {
		q, err := NewWhy(rapid.SampledFrom([]string{"/x", "/y?ref=1", "https://a.example/x?ref=1"}).Draw(t, "url"), rapid.IntRange(1, 5).Draw(t, "limit"))
		if err != nil {
			t.Fatal(err)
		}
		sameInAnyOrder(t, q, func(q *Why) any { return q.Answer() })
	}))
	t.Run("timeline", rapid.MakeCheck(func(t *rapid.T) {
		q, err := NewTimeline(rapid.SampledFrom([]time.Duration{0, time.Second, 7 * time.Second, time.Hour}).Draw(t, "bucket"))
		if err != nil {
			t.Fatal(err)
		}
		sameInAnyOrder(t, q, func(q *Timeline) any { return q.Answer() })
	}))
}
