package inquiry

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

const lpURL = "https://shop.example/lp"

// leakOf is the record of a leak that began between clean and found; a zero clean is not told.
func leakOf(url string, clean, found time.Time) reading.Entry {
	return reading.Entry{
		Time: found.Add(20 * time.Millisecond), Event: audit.EventLeak, Route: "landing", Scope: "url " + url, URL: url, By: "watch",
		Why: "Y was given what X had sent.", From: clean, Until: found,
		Evidence: &reading.Evidence{Kind: "canary", Giver: "X", Receiver: "Y", Input: "param ref", Sentence: "Y was given what X had sent."},
	}
}

func clearOf(url string, found, over time.Time) reading.Entry {
	return reading.Entry{
		Time: over.Add(time.Minute), Event: audit.EventClear, Route: "landing", Scope: "url " + url, URL: url, By: "watch", From: found, Until: over,
	}
}

func TestLeakWindow(t *testing.T) {
	a, b := three, three.Add(10*time.Second)
	for _, tt := range []struct {
		event       audit.Event
		from, until time.Time
		want        string
	}{
		{audit.EventLeak, a, b, "it began within 2026-11-23 03:00:00 – 03:00:10 UTC (10 s)"},
		{audit.EventLeak, time.Time{}, b, "the first probe found it, 2026-11-23 03:00:10; when it began is not known"},
		{audit.EventLeak, a, time.Time{}, ""},
		{audit.EventClear, a, b, "it leaked 2026-11-23 03:00:00 – 03:00:10 UTC (10 s)"},
		{audit.EventClear, time.Time{}, b, ""},
		{audit.EventTrip, a, b, ""},
	} {
		if got := LeakWindow(tt.event, tt.from, tt.until, nil); got != tt.want {
			t.Errorf("%s from %v until %v: %q, not %q", tt.event, tt.from, tt.until, got, tt.want)
		}
	}
}

// TestServedTellsLeaks: of an object, those leaks that it may have been part of; of a page, those
// of the page.
func TestServedTellsLeaks(t *testing.T) {
	id := objectAt(three, 1)
	minute := func(n int) time.Time { return after(time.Duration(n) * time.Minute) }
	gone := reading.Entry{Time: minute(5), Event: audit.EventExpire, Key: pageKey, Object: id}
	elsewhere := func(e reading.Entry) reading.Entry {
		e.Route = "product, help"
		return e
	}
	for _, test := range []struct {
		name    string
		entries []reading.Entry
		turns   string // what became of it, as far as leaks go; ? where that is not sure
		leaks   int    // in the answer about the object
	}{
		{"none", nil, "", 0},
		{"while it was there", []reading.Entry{leakOf(lpURL, minute(1), minute(2))}, "leak found", 1},
		{"until it was gone", []reading.Entry{leakOf(lpURL, minute(4), minute(6)), gone}, "leak found", 1},
		{"once it was gone", []reading.Entry{leakOf(lpURL, minute(6), minute(7)), gone}, "", 1},
		{"once it was gone, found by the first probe", []reading.Entry{leakOf(lpURL, time.Time{}, minute(7)), gone}, "leak found?", 1},
		{"found before it was there, and going on", []reading.Entry{leakOf(lpURL, minute(-9), minute(-8))}, "leak found", 1},
		{"over before it was there", []reading.Entry{leakOf(lpURL, minute(-9), minute(-8)), clearOf(lpURL, minute(-8), minute(-2))}, "", 0},
		{"over while it was there", []reading.Entry{leakOf(lpURL, minute(1), minute(2)), clearOf(lpURL, minute(2), minute(3))}, "leak found, leak over", 1},
		{"over, and again", []reading.Entry{leakOf(lpURL, minute(1), minute(2)), clearOf(lpURL, minute(2), minute(3)), leakOf(lpURL, minute(5), minute(6))},
			"leak found, leak over, leak found", 2},
		{"found in a log that was not read", []reading.Entry{clearOf(lpURL, minute(-2), minute(3))}, "leak found, leak over", 1},
		{"with parameters", []reading.Entry{leakOf(lpURL+"?ref=h:123456789abc", minute(1), minute(2))}, "leak found", 1},
		{"of another page of the route", []reading.Entry{leakOf("https://shop.example/other", minute(1), minute(2))}, "leak found?", 0},
		{"of another page of another route", []reading.Entry{elsewhere(leakOf("https://shop.example/other", minute(1), minute(2)))}, "", 0},
		{"of the page, by another route's name", []reading.Entry{elsewhere(leakOf(lpURL, minute(1), minute(2)))}, "leak found", 1},
		{"of another host", []reading.Entry{elsewhere(leakOf("https://else.example/lp", minute(1), minute(2)))}, "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			entries := []*reading.Entry{storeOf(id, after(time.Second), lpURL)}
			for i := range test.entries {
				entries = append(entries, &test.entries[i])
			}
			a := served(t, ServedOptions{Objects: []string{id}}, entries...)
			var turns []string
			for _, turn := range a.Objects.At(0).Turns {
				switch {
				case turn.What != Leaked && turn.What != Cleared:
				case turn.Perhaps:
					turns = append(turns, turn.What+"?")
				default:
					turns = append(turns, turn.What)
				}
			}
			if got := strings.Join(turns, ", "); got != test.turns {
				t.Errorf("told %q, not %q", got, test.turns)
			}
			if len(a.Leaks) != test.leaks || len(a.Incomplete) != test.leaks {
				t.Errorf("%d leaks and %q; %d were expected", len(a.Leaks), a.Incomplete, test.leaks)
			}
		})
	}
}

// TestServedOfAPageThatIsNotStored: a cache in front may have it, and whom it gives it to is on
// no record.
func TestServedOfAPageThatIsNotStored(t *testing.T) {
	leaks := []reading.Entry{leakOf(lpURL, three, after(10*time.Second)), leakOf("https://shop.example/other", three, after(10*time.Second))}
	for _, test := range []struct {
		o    ServedOptions
		want int
	}{
		{ServedOptions{URLs: []string{"/lp"}}, 1},
		{ServedOptions{URLs: []string{"https://SHOP.example/lp?ref=B2"}}, 1},
		{ServedOptions{URLs: []string{"https://else.example/lp"}}, 0},
		{ServedOptions{URLs: []string{"/lp", "/other"}}, 2},
		{ServedOptions{Keys: []string{pageKey}}, 0},
		{ServedOptions{}, 2},
		{ServedOptions{URLs: []string{"/lp"}, Until: three}, 0},
		{ServedOptions{URLs: []string{"/lp"}, Until: after(time.Second)}, 1},
		{ServedOptions{URLs: []string{"/lp"}, Since: after(time.Hour)}, 1}, // it goes on
	} {
		a := served(t, test.o, &leaks[0], &leaks[1])
		if len(a.Leaks) != test.want || a.Objects.Len() != 0 {
			t.Errorf("%+v: %+v", test.o, a.Leaks)
		}
	}
	a := served(t, ServedOptions{URLs: []string{"/lp"}}, &leaks[0])
	want := Leak{URL: lpURL, Route: "landing", Why: "Y was given what X had sent", Kind: "canary", Input: "param ref", Found: after(10 * time.Second)}
	got := a.Leaks[0]
	if got.Clean == nil || !got.Clean.Equal(three) || got.Over != nil {
		t.Errorf("%+v", got)
	}
	if got.Clean = nil; got != want {
		t.Errorf("%+v, not %+v", got, want)
	}
	var text bytes.Buffer
	if err := a.Text(&text, TextOptions{Width: 100}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"THE LIST IS NOT COMPLETE", "Y was given what X had sent", "only its own log can tell", "cacheward probe " + lpURL} {
		if !strings.Contains(strings.Join(strings.Fields(text.String()), " "), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
}

// TestManyLeaksAreTold: some one by one, the others counted.
func TestManyLeaksAreTold(t *testing.T) {
	for n := range 12 {
		var entries []*reading.Entry
		for i := range n {
			e := leakOf(lpURL, after(time.Duration(i)*time.Minute), after(time.Duration(i)*time.Minute+time.Second))
			entries = append(entries, &e)
		}
		a := served(t, ServedOptions{URLs: []string{"/lp"}}, entries...)
		if len(a.Leaks) != n || len(a.Incomplete) > maxUnlisted+1 || n > 0 && len(a.Incomplete) == 0 {
			t.Errorf("of %d: %q", n, a.Incomplete)
		}
		if n > maxUnlisted+1 && !strings.HasPrefix(a.Incomplete[maxUnlisted], counted(n-maxUnlisted, "", "more leaks")) {
			t.Errorf("of %d: %q", n, a.Incomplete)
		}
	}
}

// TestLeaksOfAnObjectAreBounded: a page that leaks again and again makes no answer that nobody
// can read, and what was going on when the object was stored is told.
func TestLeaksOfAnObjectAreBounded(t *testing.T) {
	id := objectAt(three, 1)
	entries := []*reading.Entry{storeOf(id, after(time.Second), lpURL)}
	for i := range 500 {
		found := after(time.Duration(i-250) * time.Minute)
		leak, over := leakOf(lpURL, found.Add(-time.Second), found), clearOf(lpURL, found, found.Add(20*time.Second))
		over.Time = over.From.Add(21 * time.Second)
		if i == 249 {
			over.Time, over.Until = after(30*time.Second), after(30*time.Second)
		}
		entries = append(entries, &leak, &over)
	}
	turns := served(t, ServedOptions{Objects: []string{id}}, entries...).Objects.At(0).Turns
	if len(turns) != 2*maxLeakTurns || !turns[0].Time.Equal(after(-time.Minute)) || turns[0].Perhaps {
		t.Errorf("%d, the first %+v", len(turns), turns[0])
	}
}

func TestObjectsLeaked(t *testing.T) {
	page, other := objectAt(three, 1), objectAt(after(time.Second), 2)
	leak := leakOf(lpURL+"?ref=h:123456789abc", after(time.Minute), after(2*time.Minute))
	a, err := fed(NewObjects(ObjectsOptions{}), storeOf(page, after(time.Second), lpURL), storeOf(other, after(time.Second), "https://shop.example/other"),
		&leak).Answer(AnswerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range a.Objects {
		if o := &a.Objects[i]; o.Leaked != (o.Object == page) {
			t.Errorf("%+v", o)
		}
	}
	var text bytes.Buffer
	if err := a.Text(&text, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if strings.Count(text.String(), ", leaked") != 1 {
		t.Errorf("%s", &text)
	}
}

func TestAttributionSaysThatAPageLeaks(t *testing.T) {
	leak, over := leakOf(lpURL, three, after(time.Minute)), clearOf(lpURL, after(time.Minute), after(time.Hour))
	for _, test := range []struct {
		o    AttributionOptions
		want int
	}{
		{AttributionOptions{}, 1},
		{AttributionOptions{Until: three}, 0},
		{AttributionOptions{Since: after(time.Hour)}, 0},
		{AttributionOptions{Since: after(59 * time.Minute)}, 1},
	} {
		a, err := fed(NewAttribution(test.o), &leak, &over).Answer(AnswerOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(a.Incomplete) != test.want {
			t.Errorf("%+v: %q", test.o, a.Incomplete)
		}
	}
}

func TestSummaryTellsLeaks(t *testing.T) {
	entries := []reading.Entry{
		{Time: after(time.Hour), Event: audit.EventTrip, Scope: "route landing", By: "watch", Why: "a probe was given what belongs to another"},
		leakOf(lpURL, three, after(10*time.Second)), clearOf(lpURL, after(10*time.Second), after(time.Hour)),
	}
	a := askAll(NewSummary(), entries).Answer()
	if len(a.Notable) != 3 || countOf(a.Events, "leak") != 1 || countOf(a.Events, "clear") != 1 {
		t.Fatalf("%+v", a.Notable)
	}
	leak := a.Notable[slices.IndexFunc(a.Notable, func(n Notable) bool { return n.Event == "leak" })]
	if !leak.From.Equal(three) || !leak.Until.Equal(after(10*time.Second)) || leak.Kind != "canary" || leak.Input != "param ref" {
		t.Errorf("%+v", leak)
	}
	var text bytes.Buffer
	if err := a.Text(&text, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	flat := strings.Join(strings.Fields(text.String()), " ")
	found, stopped := strings.Index(flat, "leak https://shop.example/lp: Y was given what X had sent; it began within 2026-11-23 03:00:00 – 03:00:10 UTC"), strings.Index(flat, "stopped caching")
	if found < 0 || stopped < found || !strings.Contains(flat, "leak over https://shop.example/lp: probes find none any more; it leaked 2026-11-23 03:00:10 – 04:00:00 UTC") {
		t.Errorf("%s", &text)
	}
	e := leakOf(lpURL, three, after(time.Second))
	e.Why = ""
	if n := askAll(NewSummary(), []reading.Entry{e}).Answer().Notable[0]; n.Why != "Y was given what X had sent." {
		t.Errorf("without a reason, not the evidence's sentence: %+v", n)
	}
}

// TestWhyTellsLeaks: however many decisions came after them, and whatever the parameters.
func TestWhyTellsLeaks(t *testing.T) {
	entries := []reading.Entry{
		leakOf(lpURL+"?page=h:123456789abc", three, after(10*time.Second)),
		{Time: after(11 * time.Second), Event: audit.EventTrip, Scope: "route landing", By: "watch"},
		{Time: after(11 * time.Second), Event: audit.EventTrip, Scope: "route product", By: "watch"},
	}
	for i := range 100 {
		entries = append(entries, reading.Entry{Time: after(time.Duration(i) * time.Minute), Event: audit.EventBypass, Outcome: "pass", Route: "landing", URL: lpURL + "?ref=A1"})
	}
	for asked, want := range map[string]bool{"/lp": true, lpURL: true, lpURL + "?ref=A1": true, "http://shop.example/lp": false, "https://else.example/lp": false, "/lpx": false} {
		a := askAll(newWhyOf(t, asked, 3), entries).Answer()
		var told []string
		for _, d := range a.Decisions {
			if d.Event != "bypass" {
				told = append(told, d.Event)
			}
		}
		if got := strings.Join(told, " "); got != map[bool]string{true: "trip leak"}[want] {
			t.Errorf("%s: %q", asked, got)
		}
	}
	a := askAll(newWhyOf(t, "/lp", 0), entries[:2]).Answer()
	if a.Found != 1 || len(a.Decisions) != 2 {
		t.Fatalf("%+v", a)
	}
	if d := a.Decisions[1]; d.Words != "a leak was found by watch: Y was given what X had sent" || !d.From.Equal(three) || d.Change == "" {
		t.Errorf("%+v", d)
	}
	var text bytes.Buffer
	if err := a.Text(&text, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "it began within 2026-11-23 03:00:00 – 03:00:10 UTC (10 s)") {
		t.Errorf("%s", &text)
	}
}
