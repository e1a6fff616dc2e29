package inquiry

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

const (
	sharedPage = "https://hapitas.example/register/lp"
	sharedID   = "01a20658-9b80-7000-8000-000000000001"
)

// shared is a page that tokyo-1 has stored and osaka-1 serves as well, until it is purged on
// both. On osaka-1 it was evicted between.
func shared(tokyo, osaka string) []reading.Entry {
	start := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	page := func(e reading.Entry) reading.Entry {
		e.Route, e.Key, e.Object, e.URL, e.Status = "landing", "3f2a9bc0d1e2f3a4", sharedID, sharedPage, 200
		return e
	}
	return []reading.Entry{
		{Time: at(0.01), Edge: osaka, Event: audit.EventBypass, Outcome: "fill", Route: "landing", Key: "3f2a9bc0d1e2f3a4", URL: sharedPage, Visitor: "3f2a-000000000001", Duration: 12},
		{Time: at(0.1), Edge: tokyo, Event: audit.EventBypass, Outcome: "fill", Route: "landing", Key: "3f2a9bc0d1e2f3a4", URL: sharedPage, Visitor: "3f2a-000000000002", Duration: 110},
		page(reading.Entry{Time: at(0.2), Edge: tokyo, Event: audit.EventStore, TTL: 300, Size: 2048}),
		page(reading.Entry{Time: at(1), Edge: tokyo, Event: audit.EventServe, Outcome: "hit", Age: 1, TTL: 299, Visitor: "3f2a-000000000003"}),
		page(reading.Entry{Time: at(2), Edge: osaka, Event: audit.EventServe, Outcome: "hit", Age: 2, TTL: 298, Visitor: "3f2a-000000000004"}),
		page(reading.Entry{Time: at(3), Edge: osaka, Event: audit.EventEvict, Age: 3}),
		page(reading.Entry{Time: at(4), Edge: osaka, Event: audit.EventServe, Outcome: "hit", Age: 4, TTL: 296, Visitor: "3f2a-000000000005"}),
		{Time: at(5), Edge: osaka, Event: audit.EventPurge, Scope: "route landing", By: "edge " + tokyo},
		{Time: at(5.1), Edge: tokyo, Event: audit.EventPurge, Scope: "route landing", By: "ops", Removed: 1},
		{Time: at(4.5), Edge: tokyo, Event: audit.EventTrip, Scope: "everything", By: "ops", Why: "wrong prices"},
		{Time: at(4.6), Edge: osaka, Event: audit.EventTrip, Scope: "everything", By: "ops", Why: "wrong prices", Detail: "edge " + tokyo},
	}
}

// TestEdgesTexts: where several edges have records, it is told which; where one has, nobody
// needs to be told.
func TestEdgesTexts(t *testing.T) {
	o := TextOptions{Location: time.UTC, Limit: 20}
	for _, test := range []struct {
		name string
		text func(entries []reading.Entry, b *bytes.Buffer) error
		want []string
	}{
		{"summary", func(entries []reading.Entry, b *bytes.Buffer) error {
			return askAll(NewSummary(), entries).Answer().Text(b, o)
		},
			[]string{"Edges\n", "  osaka-1         3      66.7 %", "  tokyo-1         2      50.0 %", "wrong prices (by ops), on the edges\n                                  osaka-1 and tokyo-1 (2 times, this is the last)", "by edge tokyo-1), on edge"}},
		{"timeline", func(entries []reading.Entry, b *bytes.Buffer) error {
			return askAll(newTimeline(t, 0), entries).Answer().Text(b, o)
		},
			[]string{"requests on edge osaka-1      3", "requests on edge tokyo-1      2"}},
		{"timeline of a given step", func(entries []reading.Entry, b *bytes.Buffer) error {
			return askAll(newTimeline(t, 2*time.Second), entries).Answer().Text(b, o)
		},
			[]string{"requests on edge osaka-1      3     1", "requests on edge tokyo-1      2     2"}},
		{"timeline as CSV", func(entries []reading.Entry, b *bytes.Buffer) error {
			return askAll(newTimeline(t, 0), entries).Answer().CSV(b)
		},
			[]string{",edge_osaka-1,edge_tokyo-1\n"}},
		{"why", func(entries []reading.Entry, b *bytes.Buffer) error {
			return askAll(newWhyOf(t, sharedPage, 0), entries).Answer().Text(b, o)
		},
			[]string{"edge osaka-1, route landing, visitor 3f2a-000000000005", "edge tokyo-1, route landing, visitor 3f2a-000000000003"}},
		{"served", func(entries []reading.Entry, b *bytes.Buffer) error { return servedOf(t, entries).Text(b, o) },
			[]string{"time                 edge     visitor", "03:00:04  osaka-1  3f2a-000000000005  hit", "03:00:01  tokyo-1  3f2a-000000000003  hit", "evicted on edge osaka-1"}},
		{"served as CSV", func(entries []reading.Entry, b *bytes.Buffer) error { return servedOf(t, entries).CSV(b) },
			[]string{",probe,edge\n", ",no,tokyo-1\n", ",no,osaka-1\n"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var several, single bytes.Buffer
			if err := test.text(shared("tokyo-1", "osaka-1"), &several); err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(several.String(), want) {
					t.Errorf("there is no %q in\n%s", want, several.String())
				}
			}
			if err := test.text(shared("lone-1", "lone-1"), &single); err != nil {
				t.Fatal(err)
			}
			// Who has evicted what from a memory is told: there may be others.
			if text := strings.ReplaceAll(strings.ReplaceAll(single.String(), "evicted on edge lone-1", ""), "by edge lone-1", ""); strings.Contains(text, "edge") || strings.Contains(text, "lone-1") {
				t.Errorf("of one edge alone:\n%s", single.String())
			}
		})
	}
}

func servedOf(t *testing.T, entries []reading.Entry) *ServedAnswer {
	t.Helper()
	q, err := NewServed(ServedOptions{URLs: []string{sharedPage}})
	if err != nil {
		t.Fatal(err)
	}
	a, err := askAll(q, entries).Answer(AnswerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestLivesOnSeveralEdges: an object that one edge has evicted is not gone, it is purged
// once, and the request that caused it is one of the edge that has stored it.
func TestLivesOnSeveralEdges(t *testing.T) {
	for _, originToo := range []bool{true, false} {
		entries := shared("tokyo-1", "osaka-1")
		if !originToo { // tokyo-1's records of what was ordered there are not at hand; a third edge's are
			entries[8].Edge, entries[8].By = "kyoto-1", "edge tokyo-1"
			entries[9].Edge, entries[9].Detail = "kyoto-1", "edge tokyo-1"
		}
		object := servedOf(t, entries).Objects.At(0)
		var turns []string
		for _, turn := range object.Turns {
			turns = append(turns, strings.TrimSpace(turn.What+" "+turn.Edge))
		}
		if want := []string{"evicted osaka-1", "tripped", "purged"}; !reflect.DeepEqual(turns, want) || object.State != Purged {
			t.Errorf("%q, %s", turns, object.State)
		}
		if object.Cause == nil || object.Cause.Visitor != "3f2a-000000000002" {
			t.Errorf("caused by %+v", object.Cause)
		}
	}
	alone := servedOf(t, shared("", "")).Objects.At(0)
	if alone.State != Evicted {
		t.Errorf("without edges: %s, %+v", alone.State, alone.Turns)
	}
}

// TestOnceEach: two purges that were ordered are two.
func TestOnceEach(t *testing.T) {
	h := func(at time.Duration, edge text, told bool) happening {
		return happening{at: int64(at), event: 1, scope: 2, edge: edge, told: told}
	}
	for name, test := range map[string]struct {
		list []happening
		want []int // of the list
	}{
		"two purges":                  {[]happening{h(0, 1, false), h(1, 2, true), h(time.Minute, 1, false), h(time.Minute+1, 2, true)}, []int{0, 2}},
		"told before, by the clocks":  {[]happening{h(0, 2, true), h(tellingReach, 1, false)}, []int{1}},
		"long ago":                    {[]happening{h(0, 1, false), h(tellingReach+1, 2, true)}, []int{0, 1}},
		"the first of the told":       {[]happening{h(0, 2, true), h(1, 3, true), h(2, 2, true)}, []int{0, 2}},
		"nobody has told":             {[]happening{h(0, 1, false), h(0, 2, false)}, []int{0, 1}},
		"the same again, much later":  {[]happening{h(0, 2, true), h(1, 3, true), h(tellingReach+2, 3, true)}, []int{0, 2}},
		"nothing":                     {nil, nil},
		"another edge's and of later": {[]happening{h(0, 2, true), h(tellingReach+1, 1, false), h(tellingReach+2, 2, true)}, []int{0, 1}},
	} {
		var want []happening
		for _, i := range test.want {
			want = append(want, test.list[i])
		}
		if got := onceEach(append([]happening(nil), test.list...)); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// TestEdgesOrder: who has read which record makes no difference.
func TestEdgesOrder(t *testing.T) {
	entries := shared("tokyo-1", "osaka-1")
	whole := askAll(NewSummary(), entries).Answer()
	chart := askAll(newTimeline(t, 0), entries).Answer()
	for cut := range entries {
		first, second := askAll(NewSummary(), entries[:cut]), askAll(NewSummary(), entries[cut:])
		second.Merge(first)
		if got := second.Answer(); !reflect.DeepEqual(got.Edges, whole.Edges) || !reflect.DeepEqual(got.Notable, whole.Notable) {
			t.Errorf("cut at %d: %+v", cut, got.Edges)
		}
		one, other := askAll(newTimeline(t, 0), entries[:cut]), askAll(newTimeline(t, 0), entries[cut:])
		other.Merge(one)
		if got := other.Answer(); !reflect.DeepEqual(got, chart) {
			t.Errorf("cut at %d: %+v", cut, got)
		}
	}
	s, damaged := NewSummary(), reading.Entry{Event: audit.EventServe, Outcome: "hit"}
	for i := range 3 * maxEdges {
		damaged.Edge = fmt.Sprint(i)
		s.Add(&damaged)
	}
	if edges := s.Answer().Edges; len(edges) != maxEdges+1 || edges[0].Edge != others || edges[0].Requests != 2*maxEdges {
		t.Errorf("%d edges, %+v", len(edges), edges[0])
	}
}
