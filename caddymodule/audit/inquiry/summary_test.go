package inquiry

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

func TestSummaryCounts(t *testing.T) {
	entries := []reading.Entry{
		{Event: audit.EventServe, Route: "a", Outcome: "hit", Key: "k", Size: 100, URL: "/x"},
		{Event: audit.EventServe, Route: "a", Outcome: "revalidated", Key: "k", Size: 100},
		{Event: audit.EventServe, Route: "a", Outcome: "fill", Key: "k", Size: 100},
		{Event: audit.EventBypass, Route: "a", Outcome: "bypass", Reasons: []string{"cookie-bypass", "identity"}},
		{Event: audit.EventBypass, Route: "a", Outcome: "fill", Key: "k"},
		{Event: audit.EventDeny, Route: "a", Outcome: "deny", Reasons: []string{"denied"}},
		{Event: audit.EventStore, Route: "a"},
		{Event: audit.EventRefresh, Route: "a"}, // only begins
		{Event: audit.EventRefresh, Route: "a", Object: "o"},
		{Event: audit.EventRefuse, Route: "a", Reasons: []string{"private"}},
		{Event: audit.EventDiverge, Route: "a", Reasons: []string{"divergent"}, Divergence: &reading.Divergence{Class: "token"}},
		{Event: audit.EventDiverge, Route: "a"},
		{Event: audit.EventWithdraw, Route: "a", Reasons: []string{"divergent"}},
		{Event: audit.EventDrop, Records: 5},
		{Event: audit.EventDrop},
		{Event: audit.EventExpire, Route: "a"},
	}
	a := askAll(NewSummary(), entries).Answer()
	if a.Records != 16 || a.Lost != 6 || len(a.Routes) != 1 {
		t.Fatalf("%+v", a)
	}
	r := a.Routes[0]
	if r.Requests != 6 || r.Served != 2 || r.HitShare != 2.0/6 || r.Saved != 200 || r.Withdrawn != 1 || r.Estimated {
		t.Errorf("%+v", r)
	}
	// Two requests that went on, and store, refresh, refuse and two divergences.
	if r.Origin != 7 {
		t.Errorf("the app got %d", r.Origin)
	}
	if got, want := fmt.Sprint(r.Outcomes), "[{fill 2} {bypass 1} {deny 1} {hit 1} {revalidated 1}]"; got != want {
		t.Errorf("outcomes %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(r.Passed, r.Refused, r.Divergences), "[{cookie-bypass 1} {denied 1}] [{divergent 1} {private 1}] [{ 1} {token 1}]"; got != want {
		t.Errorf("reasons %s, want %s", got, want)
	}
	if len(a.Keys) != 1 || a.Keys[0] != (KeySummary{"a", "k", "/x", 4, 2}) {
		t.Errorf("keys %+v", a.Keys)
	}
	if len(a.Notable) != 3 {
		t.Errorf("notable %+v", a.Notable)
	}
	if fmt.Sprint(a.Total) == "" || a.Total.Requests != 6 || a.Total.Origin != 7 {
		t.Errorf("total %+v", a.Total)
	}
}

func TestSummaryOfObservedRoute(t *testing.T) {
	var entries []reading.Entry
	for _, would := range []string{"hit", "hit", "hit", "fill", "pass", "bypass", "deny"} {
		e := reading.Entry{Event: audit.EventBypass, Route: "a", Outcome: "observe", Would: would}
		if would == "pass" || would == "deny" {
			e.Reasons = []string{"set-cookie"}
		}
		entries = append(entries, e)
	}
	r := askAll(NewSummary(), entries).Answer().Routes[0]
	if r.WouldBe == nil || r.WouldBe.Requests != 7 || r.WouldBe.HitShare != 3.0/7 {
		t.Fatalf("%+v", r.WouldBe)
	}
	if got, want := fmt.Sprint(r.WouldBe.Reasons, r.Passed), "[{set-cookie 2}] []"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if r.Origin != 7 || r.HitShare != 0 {
		t.Errorf("%+v", r)
	}
}

func TestSampledServesStandForOthers(t *testing.T) {
	var entries []reading.Entry
	for range 10 {
		entries = append(entries, reading.Entry{Event: audit.EventServe, Route: "a", Outcome: "hit", Size: 7, ServesPct: 3})
	}
	entries = append(entries, reading.Entry{Event: audit.EventBypass, Route: "a", Outcome: "bypass"})
	r := askAll(NewSummary(), entries).Answer().Routes[0]
	if r.Served != 333 || r.Requests != 334 || !r.Estimated || r.Origin != 1 {
		t.Errorf("%+v", r)
	}
	if r.Saved != 10*7*100/3 && r.Saved != 2330 { // each is rounded down
		t.Errorf("saved %d", r.Saved)
	}
	for _, pct := range []float64{0, 100, -3, math.NaN(), math.Inf(1)} {
		if w := weightOf(&reading.Entry{Event: audit.EventServe, ServesPct: pct}); w != one {
			t.Errorf("%v%%: %d", pct, w)
		}
	}
	if w := weightOf(&reading.Entry{Event: audit.EventServe, ServesPct: 1e-300}); w != 10_000*one {
		t.Errorf("hardly any: %d", w)
	}
	if got := weighted(math.MaxInt64, 10*one); got != math.MaxInt64 {
		t.Errorf("what does not fit is %d", got)
	}
}

// What is asked for often stays in a table that is full, and the answer says how far
// counts may be off.
func TestTableKeepsTheFrequent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := newTable[routeKey](8)
		true_ := make(map[routeKey]int64)
		for range 300 {
			n := rapid.IntRange(0, 200).Draw(t, "key")
			if n > 60 {
				n = 60 // most of them
			}
			k := routeKey{"a", strconv.Itoa(n)}
			true_[k]++
			table.row(k, routeKey.clone).add(&reading.Entry{}, one, 0)
			if len(table.rows) > 8 {
				t.Fatalf("%d rows", len(table.rows))
			}
		}
		sum := table.folded
		for k, row := range table.rows {
			sum += row.n
			if n := true_[k] * one; row.n > n || row.n+table.low < n {
				t.Fatalf("%v: counted %d, at most %d too low, but it was %d", k, row.n, table.low, n)
			}
		}
		if sum != 300*one {
			t.Fatalf("%d of 300 are accounted for", sum/one)
		}
		if table.estimated() != (len(true_) > 8) && table.estimated() {
			t.Fatal("an estimate of few keys")
		}
	})
}

func TestWordsAreBounded(t *testing.T) {
	w := words{}
	for i := range 1000 {
		w.add(strconv.Itoa(i), one)
	}
	if len(w) > maxWords+1 || whole(w.sum()) != 1000 || w[others] == 0 {
		t.Errorf("%d words, %d in sum", len(w), whole(w.sum()))
	}
}

func TestNotableIsBounded(t *testing.T) {
	n := newNotables()
	for i := range 1000 {
		n.add(&reading.Entry{Event: audit.EventFault, Time: sampleStart.Add(time.Duration(i) * time.Second)})
	}
	if list := n.list(); len(list) != maxNotable || !list[0].Time.Equal(sampleStart.Add(999*time.Second)) || countOf(n.counts.counts(), "fault") != 1000 {
		t.Errorf("%d kept, the latest of %s", len(list), list[0].Time)
	}
	if len(n.latest[audit.EventFault]) > 2*maxNotable {
		t.Error("too many are held")
	}
}

// texts are all answers about the same entries.
func texts(t *testing.T, entries []reading.Entry, url string) map[string]interface {
	Text(io.Writer, TextOptions) error
} {
	return map[string]interface {
		Text(io.Writer, TextOptions) error
	}{
		"summary":     askAll(NewSummary(), entries).Answer(),
		"refusals":    askAll(NewRefusals(), entries).Answer(),
		"bypasses":    askAll(NewBypasses(), entries).Answer(),
		"divergences": askAll(NewDivergences(), entries).Answer(),
		"why":         askAll(newWhyOf(t, url, 0), entries).Answer(),
		"timeline":    askAll(newTimeline(t, 0), entries).Answer(),
	}
}

func TestTextsFitTheTerminal(t *testing.T) {
	for name, answer := range texts(t, append(morning(), leakOf("https://hapitas.example/register/lp", sampleStart, sampleStart.Add(time.Minute)),
		clearOf("https://hapitas.example/register/lp", sampleStart, sampleStart.Add(time.Hour))), "/register/lp") {
		for _, width := range []int{80, 100, 140} {
			var b bytes.Buffer
			if err := answer.Text(&b, TextOptions{Width: width}); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				if line = strings.TrimSuffix(line, "\n"); show.Width(line) > width {
					t.Errorf("%s in %d cells: %q has %d", name, width, line, show.Width(line))
				}
			}
		}
	}
}

// Whatever stands in a log, nothing of it is obeyed by a terminal.
func TestHostileRecords(t *testing.T) {
	const evil = "\x1b[2J\x1b]0;x\a\u009b31m\r\n\u202e=cmd"
	var entries []reading.Entry
	for _, r := range timelineRows {
		event := r.event
		if event == "" {
			event = audit.EventBypass
		}
		entries = append(entries, reading.Entry{
			Time: sampleStart, Event: event, Outcome: evil, Route: evil, Would: evil, Reasons: []string{evil, evil}, Key: evil, Object: evil,
			Method: evil, Host: evil, URL: "/x?" + evil, Visitor: evil, Detail: evil, Error: evil, By: evil, Why: evil, Scope: evil,
			Divergence: &reading.Divergence{Class: evil, Part: evil, Near: evil, Field: evil, Shape: evil, Input: evil},
			Findings:   []reading.Finding{{Kind: "marker", Detector: evil, Near: evil}},
			Evidence:   &reading.Evidence{Kind: evil, Input: evil, Sentence: evil, Where: evil, Status: map[string]string{evil: evil}},
			From:       sampleStart, Until: sampleStart.Add(time.Second),
		})
	}
	entries = append(entries, reading.Entry{Event: audit.EventBypass, Outcome: "observe", Route: evil, Would: evil, Reasons: []string{evil}, Time: sampleStart})
	for name, answer := range texts(t, entries, "/x") {
		var b bytes.Buffer
		if err := answer.Text(&b, TextOptions{Width: 100}); err != nil {
			t.Fatal(err)
		}
		if c, ok := answer.(interface{ CSV(io.Writer) error }); ok {
			if err := c.CSV(&b); err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range b.String() {
			if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
				t.Errorf("%s has %U in\n%s", name, r, b.String())
				break
			}
		}
		if !strings.Contains(b.String(), `\x1b[2J`) && name != "timeline" {
			t.Errorf("%s hides it:\n%s", name, b.String())
		}
	}
}
