package inquiry

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// three is when the fills of the tests begin.
var three = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

// after is a moment so long after three.
func after(d time.Duration) time.Time { return three.Add(d) }

// objectAt is the ID of an object whose fill began at a time.
func objectAt(t time.Time, n int) string {
	ms := fmt.Sprintf("%012x", t.UnixMilli())
	return fmt.Sprintf("%s-%s-7000-8000-%012x", ms[:8], ms[8:], n)
}

const (
	pageKey  = "b398002335b9b38c"
	otherKey = "00000000000000ff"
)

func storeOf(object string, at time.Time, url string) *reading.Entry {
	return &reading.Entry{
		Time: at, Event: audit.EventStore, Route: "landing", Key: pageKey, Object: object, URL: url, Status: 200, Size: 2048, Origin: 120,
	}
}

func serveOf(object string, at time.Time, visitor, url, outcome string) *reading.Entry {
	return &reading.Entry{
		Time: at, Event: audit.EventServe, Route: "landing", Key: pageKey, Object: object, Visitor: visitor, Host: "shop.example",
		URL: url, Status: 200, Outcome: outcome, Duration: 5,
	}
}

// answerer is a question of this package about objects.
type answerer[Q any] interface {
	Add(*reading.Entry)
	Merge(Q)
	Fork() Q
}

// fed is the question with the records added.
func fed[Q answerer[Q]](q Q, entries ...*reading.Entry) Q {
	for _, e := range entries {
		q.Add(e)
	}
	return q
}

// TestAnswersDoNotDependOnTheOrder: whatever worker reads which records in which order,
// the answer is the same, to the byte.
func TestAnswersDoNotDependOnTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entries := rapid.SliceOfN(rapid.Custom(drawEntry), 0, 40).Draw(t, "entries")
		seed := rapid.Uint64().Draw(t, "seed")
		workers := rapid.IntRange(1, 4).Draw(t, "workers")
		o := ServedOptions{}
		switch rapid.IntRange(0, 3).Draw(t, "selection") {
		case 0:
			o.Objects = []string{objectAt(three, 1)}
		case 1:
			o.Keys = []string{pageKey}
		case 2:
			o.URLs = []string{"/lp?ref=A1"}
		}
		if rapid.Bool().Draw(t, "bounded") {
			o.Since = after(3 * time.Second)
		}
		served, err := NewServed(o)
		if err != nil {
			t.Fatal(err)
		}
		check(t, entries, seed, workers, served, func(q *Served) (any, error) { return q.Answer(AnswerOptions{}) })
		check(t, entries, seed, workers, NewAttribution(AttributionOptions{Since: o.Since}),
			func(q *Attribution) (any, error) { return q.Answer(AnswerOptions{}) })
		check(t, entries, seed, workers, NewObjects(ObjectsOptions{Since: o.Since}),
			func(q *Objects) (any, error) { return q.Answer(AnswerOptions{}) })
	})
}

func check[Q answerer[Q]](t *rapid.T, entries []*reading.Entry, seed uint64, workers int, empty Q, answer func(Q) (any, error)) {
	random := rand.New(rand.NewPCG(seed, 1))
	want := told(t, fed(empty.Fork(), entries...), answer)
	shuffled := slices.Clone(entries)
	random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	parts := make([]Q, workers)
	for i := range parts {
		parts[i] = empty.Fork()
	}
	for _, e := range shuffled {
		parts[random.IntN(workers)].Add(e)
	}
	all := empty.Fork()
	for _, i := range random.Perm(workers) {
		all.Merge(parts[i])
	}
	if got := told(t, all, answer); got != want {
		t.Fatalf("%T: in order\n%s\nin another order\n%s", empty, want, got)
	}
}

type texter interface {
	Text(w io.Writer, o TextOptions) error
	CSV(w io.Writer) error
	Document() show.Document
}

func told[Q any](t *rapid.T, q Q, answer func(Q) (any, error)) string {
	a, err := answer(q)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := show.JSON(&b, a); err != nil {
		t.Fatal(err)
	}
	whole := b.String()
	b.Reset()
	if err := a.(texter).Document().Write(&b); err != nil {
		t.Fatal(err)
	}
	if b.String() != whole {
		t.Fatalf("row by row\n%s\nwas expected to be\n%s", &b, whole)
	}
	if err := a.(texter).Text(&b, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := a.(texter).CSV(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// drawEntry is a record of a small world, in which much concerns the same objects.
func drawEntry(t *rapid.T) *reading.Entry {
	events := append(audit.AllEvents(), audit.EventServe, audit.EventServe, audit.EventServe, audit.EventStore)
	e := &reading.Entry{
		Time:     after(time.Duration(rapid.IntRange(0, 9).Draw(t, "second")) * time.Second),
		Event:    rapid.SampledFrom(events).Draw(t, "event"),
		Route:    rapid.SampledFrom([]string{"", "landing", "product"}).Draw(t, "route"),
		Outcome:  rapid.SampledFrom([]string{"hit", "fill", "pass"}).Draw(t, "outcome"),
		Key:      rapid.SampledFrom([]string{"", pageKey, otherKey}).Draw(t, "key"),
		Visitor:  rapid.SampledFrom([]string{"", "aaaa-1", "aaaa-2", "bbbb-1"}).Draw(t, "visitor"),
		URL:      rapid.SampledFrom([]string{"", "/lp?ref=A1", "https://shop.example/lp?ref=B2&x=h:123", "/other"}).Draw(t, "url"),
		Status:   200,
		Duration: float64(rapid.IntRange(0, 3).Draw(t, "duration")) * 500,
	}
	if n := rapid.IntRange(0, 3).Draw(t, "object"); n > 0 {
		e.Object = objectAt(three, n)
	}
	if rapid.IntRange(0, 9).Draw(t, "rarely") == 0 {
		e.ServesPct, e.Records, e.Soft = 10, 3, true
	}
	e.Probe = rapid.IntRange(0, 3).Draw(t, "seldom") == 0
	switch e.Event {
	case audit.EventLeak, audit.EventClear:
		drawLeak(t, e)
	case audit.EventServe, audit.EventBypass, audit.EventDeny:
		if rapid.IntRange(0, 2).Draw(t, "attributed") == 0 {
			e.Attribution = drawAttribution(t)
		}
	case audit.EventPurge, audit.EventTrip, audit.EventReset:
		e.Scope = rapid.SampledFrom([]string{"", "everything", "route landing", "key " + pageKey, "url /lp", "tag a", "prefix shop.example/"}).Draw(t, "scope")
	}
	return e
}

// drawLeak makes it tell of a leak.
func drawLeak(t *rapid.T, e *reading.Entry) {
	e.Scope = rapid.SampledFrom([]string{"", "url https://shop.example/lp", "url https://shop.example/other"}).Draw(t, "probed")
	moment := func(name string) (at time.Time) {
		if n := rapid.IntRange(-2, 9).Draw(t, name); n >= 0 {
			at = after(time.Duration(n) * time.Second)
		}
		return at
	}
	e.From, e.Until = moment("from"), moment("until")
	e.Why = rapid.SampledFrom([]string{"", "Y was given what X had sent."}).Draw(t, "why")
	if rapid.Bool().Draw(t, "proved") {
		e.Evidence = &reading.Evidence{Kind: "canary", Input: rapid.SampledFrom([]string{"param ref", "cookie lead"}).Draw(t, "input"), Sentence: "Z was."}
	}
}

func TestObjects(t *testing.T) {
	a, b := objectAt(three, 1), objectAt(after(time.Minute), 2)
	q := fed(NewObjects(ObjectsOptions{}),
		storeOf(a, after(time.Second), "https://shop.example/lp"),
		serveOf(a, after(2*time.Second), "aaaa-1", "https://shop.example/lp", "hit"),
		&reading.Entry{Time: after(time.Minute), Event: audit.EventEvict, Key: pageKey, Object: a},
		storeOf(b, after(61*time.Second), "https://shop.example/lp"),
		serveOf(b, after(62*time.Second), "aaaa-1", "https://shop.example/lp", "hit"),
		serveOf(b, after(63*time.Second), "aaaa-2", "https://shop.example/lp", "hit"),
		serveOf(b, after(64*time.Second), "aaaa-2", "https://shop.example/lp", "stale"),
	)
	answer, err := q.Answer(AnswerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Objects) != 2 || answer.Serves != 4 {
		t.Fatalf("%+v", answer)
	}
	first, second := answer.Objects[0], answer.Objects[1]
	if first.Object != b || first.Serves != 3 || first.Visitors != 2 || first.State != Remaining || first.Ended != nil {
		t.Errorf("%+v", first)
	}
	if second.Object != a || second.State != Evicted || !second.Ended.Equal(after(time.Minute)) || !second.Fetched.Equal(three) {
		t.Errorf("%+v", second)
	}
}

// TestRoom: an answer that would lack rows is none.
func TestRoom(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer func(*Room, []*reading.Entry) error
	}{
		{"served", func(room *Room, entries []*reading.Entry) error {
			q, err := NewServed(ServedOptions{Room: room})
			if err != nil {
				return err
			}
			_, err = fed(q, entries...).Answer(AnswerOptions{})
			return err
		}},
		{"attribution", func(room *Room, entries []*reading.Entry) error {
			_, err := fed(NewAttribution(AttributionOptions{Room: room}), entries...).Answer(AnswerOptions{})
			return err
		}},
		{"objects", func(room *Room, entries []*reading.Entry) error {
			_, err := fed(NewObjects(ObjectsOptions{Room: room}), entries...).Answer(AnswerOptions{})
			return err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var entries []*reading.Entry
			for n := range 4 {
				entries = append(entries, serveOf(objectAt(three, n), after(time.Duration(n)*time.Second), "aaaa-1", "/lp?ref=A", "hit"))
			}
			stopped := 0
			room := NewRoom(3, func() { stopped++ })
			err := test.answer(room, entries)
			if err == nil || !strings.Contains(err.Error(), "narrow it down") || stopped != 1 {
				t.Errorf("%v, stopped %d times", err, stopped)
			}
			if err := test.answer(NewRoom(1000, nil), entries); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCoverageSaysWhatIsMissing(t *testing.T) {
	id := objectAt(three, 1)
	serve := func(visitor string, pct float64) *reading.Entry {
		e := serveOf(id, after(10*time.Second), visitor, "/lp", "hit")
		e.ServesPct = pct
		return e
	}
	for _, test := range []struct {
		name              string
		entries           []*reading.Entry
		unread            []string
		since             time.Time
		incomplete, notes []string
	}{
		{name: "whole", entries: []*reading.Entry{serve("aaaa-1", 0)}},
		{name: "all are written", entries: []*reading.Entry{serve("aaaa-1", 100)}},
		{name: "sampled", entries: []*reading.Entry{serve("aaaa-1", 12.5)}, incomplete: []string{"12.5 %"}},
		{name: "sampled, and none was drawn", entries: []*reading.Entry{{Time: after(time.Second), Event: audit.EventBypass, ServesPct: 5}}, incomplete: []string{"5 %"}},
		{name: "none is written", entries: []*reading.Entry{{Time: after(time.Second), Event: audit.EventBypass, Unserved: true}}, incomplete: []string{"no serve records"}},
		{name: "sampled before the fill", entries: []*reading.Entry{serve("aaaa-1", 0), {Time: after(-time.Minute), Event: audit.EventBypass, ServesPct: 5}}},
		{name: "lost", entries: []*reading.Entry{serve("aaaa-1", 0), {Time: after(time.Minute), Event: audit.EventDrop, Records: 12}},
			incomplete: []string{"12 records were lost"}},
		{name: "lost before the fill", entries: []*reading.Entry{serve("aaaa-1", 0), {Time: after(-time.Minute), Event: audit.EventDrop, Records: 12}}},
		{name: "lost before the window", since: after(5 * time.Second),
			entries: []*reading.Entry{serve("aaaa-1", 0), {Time: after(time.Second), Event: audit.EventDrop, Records: 12}}},
		{name: "damaged", entries: []*reading.Entry{serve("aaaa-1", 0)}, unread: []string{"a line was torn"}, incomplete: []string{"a line was torn"}},
		{name: "two keys", entries: []*reading.Entry{serve("aaaa-1", 0), serve("bbbb-1", 0)}, notes: []string{"2 keys"}},
		{name: "no visitor", entries: []*reading.Entry{serve("", 0)}, notes: []string{"name no visitor"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			q, err := NewServed(ServedOptions{Objects: []string{id}, Since: test.since})
			if err != nil {
				t.Fatal(err)
			}
			fed(q, storeOf(id, three, "/lp"))
			a, err := fed(q, test.entries...).Answer(AnswerOptions{Unread: test.unread})
			if err != nil {
				t.Fatal(err)
			}
			matchAll(t, "incomplete", a.Incomplete, test.incomplete)
			matchAll(t, "notes", a.Notes, test.notes)
		})
	}
}

// matchAll holds that there are as many texts as wanted, each with what is wanted in it.
func matchAll(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %q; %q was expected", what, got, want)
		return
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("%s: %q; %q was expected", what, got[i], want[i])
		}
	}
}
