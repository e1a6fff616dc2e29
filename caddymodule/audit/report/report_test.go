package report_test

import (
	"bytes"
	"flag"
	"fmt"
	"html"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/inquiry"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/caddymodule/audit/report"
	"github.com/cacheward/cacheward/caddymodule/audit/report/reporttest"
)

var update = flag.Bool("update", false, "write testdata anew")

// entriesOf reads a log.
func entriesOf(t testing.TB, log []byte) ([]reading.Entry, *reading.Stats) {
	t.Helper()
	source, err := reading.Open([]string{"-"}, bytes.NewReader(log), reading.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var entries []reading.Entry
	stats, err := source.Scan(t.Context(), reading.ScanOptions{Workers: 1}, func(int) func(*reading.Entry) {
		return func(e *reading.Entry) { entries = append(entries, *e) }
	})
	if err != nil {
		t.Fatal(err)
	}
	return entries, &stats
}

func day(t testing.TB, requests int) []byte {
	t.Helper()
	var log bytes.Buffer
	if err := reporttest.Day(&log, requests); err != nil {
		t.Fatal(err)
	}
	return log.Bytes()
}

// pageOf is the report of entries.
func pageOf(t testing.TB, entries []reading.Entry, o report.PageOptions) string {
	t.Helper()
	q := report.New(report.Options{})
	for i := range entries {
		q.Add(&entries[i])
	}
	return written(t, q, o)
}

func written(t testing.TB, q *report.Question, o report.PageOptions) string {
	t.Helper()
	var page strings.Builder
	if err := q.Answer(nil).Write(&page, o); err != nil {
		t.Fatal(err)
	}
	return page.String()
}

// TestGolden holds the page of a small day. Look at it in a browser after a change.
func TestGolden(t *testing.T) {
	const file = "testdata/day.html"
	log := append(day(t, 150), `{"level":"info","msg":"some other line"}`+"\n"+`{"level":"in`...)
	entries, stats := entriesOf(t, log)
	q := report.New(report.Options{})
	for i := range entries {
		q.Add(&entries[i])
	}
	var page bytes.Buffer
	err := q.Answer([]string{"1 place of the log could not be read (torn last line): what it told is not here"}).Write(&page, report.PageOptions{
		Files: []string{"/var/log/caddy/audit.log"}, Stats: stats, Since: reporttest.Start, Asked: "route landing, product",
		Location: time.FixedZone("JST", 9*3600), Made: reporttest.Start.Add(30 * time.Hour), Limit: 6,
	})
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, page.Bytes(), 0o644); err != nil { //nolint:gosec // a test's data
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; -update writes it", err)
	}
	if got := page.Bytes(); !bytes.Equal(got, want) {
		gotLines, wantLines := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
		for i := range min(len(gotLines), len(wantLines)) {
			if gotLines[i] != wantLines[i] {
				t.Fatalf("%s:%d differs; now it is\n%s\nit was\n%s", file, i+1, gotLines[i], wantLines[i])
			}
		}
		t.Fatalf("%s has %d lines, now there are %d", file, len(wantLines), len(gotLines))
	}
}

// TestOrder: the page depends neither on the order of the records nor on who read which.
func TestOrder(t *testing.T) {
	entries, _ := entriesOf(t, day(t, 120))
	want := pageOf(t, entries, report.PageOptions{})
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a test's data
		all := report.New(report.Options{})
		parts := make([]*report.Question, 1+seed%4)
		for i := range parts {
			parts[i] = all.Fork()
		}
		for _, i := range random.Perm(len(entries)) {
			parts[random.IntN(len(parts))].Add(&entries[i])
		}
		for _, part := range parts {
			all.Merge(part)
		}
		if got := written(t, all, report.PageOptions{}); got != want {
			t.Fatalf("seed %d: another order gives another page", seed)
		}
	}
}

// TestWindow: what is outside of the window does not count, but tells what became of the
// objects in it.
func TestWindow(t *testing.T) {
	at := func(minute int) time.Time { return reporttest.Start.Add(time.Duration(minute) * time.Minute) }
	const id = "019abbd2-8f3a-7c11-9d0e-5f2b6a7c8d90"
	entries := []reading.Entry{
		{Time: at(0), Event: audit.EventServe, Outcome: "hit", Route: "early", Object: id, Key: "k", URL: "https://a.example/before"},
		{Time: at(10), Event: audit.EventServe, Outcome: "hit", Route: "within", Object: id, Key: "k", URL: "https://a.example/within"},
		{Time: at(10), Event: audit.EventBypass, Outcome: "bypass", Route: "other", Reasons: []string{"identity"}},
		{Time: at(20), Event: audit.EventExpire, Route: "within", Object: id, Key: "k"},
	}
	filter := &reading.Filter{Since: at(5), Until: at(15), Routes: []string{"within"}}
	q := report.New(report.Options{Filter: filter})
	for i := range entries {
		q.Add(&entries[i])
	}
	a := q.Answer(nil)
	if a.Records() != 1 {
		t.Errorf("%d records, want 1", a.Records())
	}
	var page strings.Builder
	if err := a.Write(&page, report.PageOptions{}); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"a.example/within": true, "a.example/before": false, "identity": false, ">expired<": true} {
		if strings.Contains(page.String(), text) != want {
			t.Errorf("%q is there: %v", text, !want)
		}
	}
}

// TestNothing: of no records there is a page as well.
func TestNothing(t *testing.T) {
	withoutScript := func(page string) string { // which has NaN in it
		before, after, _ := strings.Cut(page, "<script>")
		_, after, _ = strings.Cut(after, "</script>")
		return before + after
	}
	page := withoutScript(pageOf(t, nil, report.PageOptions{Title: "Empty"}))
	for _, want := range []string{"<h1>Empty</h1>", "No record matched.", "</html>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, not := range []string{"NaN", "0001-01-01", "<svg class=\"chart\""} {
		if strings.Contains(page, not) {
			t.Errorf("the page has %q", not)
		}
	}
	page = withoutScript(pageOf(t, []reading.Entry{{Event: audit.EventServe, Outcome: "hit"}, {Event: "strange"}}, report.PageOptions{}))
	if strings.Contains(page, "NaN") || !strings.Contains(page, "</html>") {
		t.Error("records without a time are no good")
	}
}

// TestAlarm: what is grave comes before all figures; if nothing is, the page says that.
func TestAlarm(t *testing.T) {
	now := reporttest.Start
	serve := reading.Entry{Time: now, Event: audit.EventServe, Outcome: "hit", Route: "landing"}
	calm := `class="calm"`
	if page := pageOf(t, []reading.Entry{serve}, report.PageOptions{}); !strings.Contains(page, calm) || strings.Contains(page, `class="alarm"`) {
		t.Error("nothing happened, and the page does not say so")
	}
	for _, grave := range []reading.Entry{
		{Time: now, Event: audit.EventTrip, Scope: "everything"},
		{Time: now, Event: audit.EventWithdraw, Route: "landing", Object: "019abbd2-8f3a-7c11-9d0e-5f2b6a7c8d90", Reasons: []string{"divergent"}},
		{Time: now, Event: audit.EventDrop, Records: 7},
		{Time: now, Event: audit.EventLeak, Scope: "url https://shop.example/lp", Until: now},
	} {
		page := pageOf(t, []reading.Entry{serve, grave}, report.PageOptions{})
		alarm, figures := strings.Index(page, `class="alarm"`), strings.Index(page, `class="figures"`)
		if alarm < 0 || alarm > figures || strings.Contains(page, calm) {
			t.Errorf("%s: no alarm before the figures", grave.Event)
		}
	}
	sampled := serve
	sampled.ServesPct = 10
	if page := pageOf(t, []reading.Entry{sampled}, report.PageOptions{}); !strings.Contains(page, "Only 10.0 %") || !strings.Contains(page, ">~10<") {
		t.Error("a sample is not told to be one")
	}
}

// TestLeak: a leak is told with its window, before its end, and marked on the chart. What was
// stored of the page meanwhile is marked as well, and probes are told from visitors.
func TestLeak(t *testing.T) {
	const id = "019abbd2-8f3a-7c11-9d0e-5f2b6a7c8d90"
	at := func(minute int) time.Time { return reporttest.Start.Add(time.Duration(minute) * time.Minute) }
	serve := reading.Entry{Event: audit.EventServe, Outcome: "hit", Route: "landing", Object: id, Key: "k", URL: "https://shop.example/lp", Visitor: "3f2a-1"}
	var entries []reading.Entry
	for minute := range 5 {
		serve.Time, serve.Probe = at(minute), minute%2 == 1
		entries = append(entries, serve)
	}
	entries = append(entries,
		reading.Entry{Time: at(10), Event: audit.EventLeak, Route: "landing", Scope: "url https://shop.example/lp", URL: "https://shop.example/lp?ref=h:123456789abc", By: "watch",
			Why: "Y was given what X had sent.", From: at(8), Until: at(9), Evidence: &reading.Evidence{Kind: "canary"}},
		reading.Entry{Time: at(30), Event: audit.EventClear, Route: "landing", Scope: "url https://shop.example/lp", URL: "https://shop.example/lp", By: "watch", From: at(9), Until: at(25)},
	)
	page := pageOf(t, entries, report.PageOptions{})
	leak, clean, figures := strings.Index(page, "<strong>leak</strong>"), strings.Index(page, "<strong>leak over</strong>"), strings.Index(page, `class="figures"`)
	if leak < 0 || clean < leak || figures < clean {
		t.Errorf("the leak is told at %d, its end at %d, the figures at %d", leak, clean, figures)
	}
	for _, want := range []string{
		"it began within 2026-11-22 00:08:00 – 00:09:00 UTC (1 min)", "it leaked 2026-11-22 00:09:00 – 00:25:00 UTC (16 min)", "Y was given what X had sent.",
		`class="mark m-leak"`, `class="mark m-clear"`, ">not in record, leaked<", "(2 of them to probes, which are no visitors)", "; 2 of probes left out",
		">cacheward audit served --url https://shop.example/lp<",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, url := range unpastable {
		page := pageOf(t, []reading.Entry{{Time: at(1), Event: audit.EventLeak, Scope: "url " + url, Until: at(1)}}, report.PageOptions{})
		if strings.Contains(page, "audit served --url") {
			t.Errorf("%q stands in a command to paste", url)
		}
	}
}

// TestLeakNextSteps: who reads of a leak is told to purge the caches in front, to probe, and
// to reset what was tripped, in this order; of one that is over, that caches in front may
// still have what it left.
func TestLeakNextSteps(t *testing.T) {
	at := reporttest.Start
	stepsOf := func(event audit.Event, route, url string) (steps []string) {
		e := reading.Entry{Time: at, Event: event, Route: route, Scope: "url " + url, Until: at}
		page := pageOf(t, []reading.Entry{e}, report.PageOptions{})
		_, list, _ := strings.Cut(page, `<ol class="steps">`)
		list, _, found := strings.Cut(list, "</ol>")
		if !found {
			t.Fatalf("%s: no next steps in the page", event)
		}
		for step := range strings.SplitSeq(list, "<li>") {
			if step = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(step), "</li>")); step != "" {
				steps = append(steps, html.UnescapeString(step))
			}
		}
		return steps
	}
	const page = "https://shop.example/lp"
	for _, test := range []struct {
		event      audit.Event
		route, url string
		want       []string // of each step
	}{
		{audit.EventLeak, "landing", page, []string{"Purge the caches in front", "<code>cacheward probe " + page + "</code>", "<code>cacheward reset --route landing --reason '...'</code>"}},
		{audit.EventLeak, "landing, product", page + "?ref=1", []string{"Purge", "<code>cacheward probe " + page + "</code>",
			"<code>cacheward reset --route landing --reason '...'</code> and <code>cacheward reset --route product --reason '...'</code>"}},
		{audit.EventLeak, "", "", []string{"Purge", "<code>cacheward probe</code>", "<code>cacheward reset</code>"}},
		{audit.EventClear, "landing", page, []string{"purge the caches in front", "<code>cacheward status</code>"}},
	} {
		steps := stepsOf(test.event, test.route, test.url)
		if len(steps) != len(test.want) {
			t.Fatalf("%s: %q", test.event, steps)
		}
		for i, want := range test.want {
			if !strings.Contains(steps[i], want) {
				t.Errorf("%s, step %d: no %q in %q", test.event, i+1, want, steps[i])
			}
		}
	}
	for _, evil := range []string{"x; reboot", "$(reboot)", "-x", "a b", "`reboot`", "landing, $(reboot)"} {
		for _, step := range stepsOf(audit.EventLeak, evil, page) {
			if strings.Contains(step, "--route") {
				t.Errorf("%q stands in a command to paste: %s", evil, step)
			}
		}
	}
	for _, url := range unpastable {
		if steps := strings.Join(stepsOf(audit.EventLeak, "landing", url), ""); strings.Contains(steps, url) {
			t.Errorf("%q stands in a command to paste: %s", url, steps)
		}
	}
}

// unpastable are URLs that could do more in a command than name a page.
var unpastable = []string{"https://shop.example/lp;reboot", "https://shop.example/$(reboot)", "-x", "https://shop.example/a b", "http://shop.example"}

// TestBounded: however much there is, a browser can bear the page.
func TestBounded(t *testing.T) {
	var entries []reading.Entry
	long := strings.Repeat("x", 2000)
	for i := range 4000 {
		e := reading.Entry{
			Time: reporttest.Start.Add(time.Duration(i) * time.Second), Event: audit.EventServe, Outcome: "hit", Route: fmt.Sprintf("route-%d", i%1200),
			Key: fmt.Sprintf("%016x", i), Object: fmt.Sprintf("019abbd2-8f3a-7c11-9d0e-%012x", i), URL: fmt.Sprintf("https://a.example/%d/%s", i, long),
			Visitor: fmt.Sprintf("3f2a-%012x", i),
		}
		switch i % 5 {
		case 1:
			e.Event, e.Outcome, e.Reasons, e.Detail = audit.EventBypass, "bypass", []string{fmt.Sprintf("reason-%d", i), "a", "b" + long}, long
		case 2:
			e.Event, e.Reasons = audit.EventRefuse, []string{fmt.Sprintf("reason-%d", i)}
		case 3:
			e.Event, e.Divergence = audit.EventDiverge, &reading.Divergence{Class: fmt.Sprintf("class-%d", i), Near: long}
		case 4:
			e.Event, e.Why, e.Scope = audit.EventTrip, long, long
		}
		entries = append(entries, e)
	}
	for limit, most := range map[int]int{20: 512 << 10, 0: 12 << 20} {
		page := pageOf(t, entries, report.PageOptions{Limit: limit})
		if len(page) > most {
			t.Errorf("limit %d: the page has %d bytes, more than %d", limit, len(page), most)
		}
		if !strings.Contains(page, "</html>") || !strings.Contains(page, " more; ") || !strings.Contains(page, " more of the event trip") {
			t.Errorf("limit %d: the page does not say that there is more", limit)
		}
	}
}

// TestTooMany: if there are too many visitors to tell apart, the rest of the report is
// there all the same.
func TestTooMany(t *testing.T) {
	entries, _ := entriesOf(t, day(t, 200))
	q := report.New(report.Options{Room: inquiry.NewRoom(10, nil)})
	for i := range entries {
		q.Add(&entries[i])
	}
	page := written(t, q, report.PageOptions{})
	for _, want := range []string{"There were too many to tell", "records were lost", `id="h-routes"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
