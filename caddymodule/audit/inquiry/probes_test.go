package inquiry

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

// byProbe is the record of a request that was a probe's.
func byProbe(e *reading.Entry) *reading.Entry {
	e.Probe = true
	return e
}

// probedPage is a page that a probe had made, and that another and two visitors were served.
func probedPage(id string) []*reading.Entry {
	return []*reading.Entry{
		storeOf(id, after(time.Second), lpURL),
		byProbe(serveOf(id, after(time.Second), "aaaa-1", lpURL+"?ref=cwX", "fill")),
		byProbe(serveOf(id, after(2*time.Second), "aaaa-2", lpURL+"?ref=cwY", "hit")),
		serveOf(id, after(3*time.Second), "aaaa-3", lpURL+"?ref=A1", "hit"),
		serveOf(id, after(4*time.Second), "aaaa-4", lpURL+"?ref=B2", "hit"),
		byProbe(&reading.Entry{Time: after(5 * time.Second), Event: audit.EventBypass, Outcome: "bypass", Route: "landing", Visitor: "bbbb-1",
			Reasons: []string{"param-bypass"}, URL: lpURL + "?ref=cwX"}),
		{Time: after(6 * time.Second), Event: audit.EventBypass, Outcome: "bypass", Route: "landing", Visitor: "aaaa-5", Reasons: []string{"param-bypass"}, URL: lpURL},
	}
}

// TestProbesAreNoVisitors: they are shown wherever requests are, and counted apart.
func TestProbesAreNoVisitors(t *testing.T) {
	id := objectAt(three, 1)
	a := served(t, ServedOptions{URLs: []string{"/lp"}}, probedPage(id)...)
	if a.Serves != 4 || a.Probes != 2 || a.Visitors != 2 || a.OwnAnswers != 2 || a.OwnProbes != 1 {
		t.Errorf("%+v", a)
	}
	if len(a.Notes) > 0 {
		t.Errorf("%q: a probe's pseudonym counts", a.Notes)
	}
	object := a.Objects.At(0)
	if object.Serves != 4 || object.Probes != 2 || object.Visitors != 2 || !object.Served.At(0).Probe || object.Served.At(3).Probe {
		t.Errorf("%+v", object)
	}
	if object.Cause == nil || !object.Cause.Probe {
		t.Errorf("caused by %+v", object.Cause)
	}
	var text, csv bytes.Buffer
	if err := a.Text(&text, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"4 times to 2 visitors (2 of the times to probes)", "caused by  a probe, ref=cwX", "(1 was a probe's)", "  probe "} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
	if err := a.CSV(&csv); err != nil {
		t.Fatal(err)
	}
	if strings.Count(csv.String(), ",yes\n") != 2 || strings.Count(csv.String(), ",no\n") != 2 {
		t.Errorf("%s", &csv)
	}

	objects, err := fed(NewObjects(ObjectsOptions{}), probedPage(id)...).Answer(AnswerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if o := objects.Objects[0]; o.Serves != 4 || o.Probes != 2 || o.Visitors != 2 || objects.Probes != 2 {
		t.Errorf("%+v", objects)
	}
}

// TestAttributionLeavesProbesOut: their codes are made up. It says how many there were, and
// where one of them had a page made that visitors were given.
func TestAttributionLeavesProbesOut(t *testing.T) {
	a, err := fed(NewAttribution(AttributionOptions{}), probedPage(objectAt(three, 1))...).Answer(AnswerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if a.Requests != 2 || a.Visitors != 2 || a.Codes != 2 || a.Probes != 3 || a.Visits.Len() != 2 || a.Others != 2 {
		t.Errorf("%+v", a)
	}
	if v := a.Visits.At(0); !v.FilledByProbe || v.FilledBy != "aaaa-1" || v.FillerCodes.String() != "ref=cwX" {
		t.Errorf("%+v", v)
	}
	if a, err = fed(NewAttribution(AttributionOptions{Since: after(5 * time.Second)}), probedPage(objectAt(three, 1))...).Answer(AnswerOptions{}); err != nil || a.Probes != 1 {
		t.Errorf("%+v, %v", a, err)
	}
	var text bytes.Buffer
	if err := a.Text(&text, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "1 request of probes left out") {
		t.Errorf("%s", &text)
	}
}

// askedByProbes is probedPage with what only probes send: a parameter and a cookie of theirs.
// Of the serves, one in ten is on record.
func askedByProbes() []reading.Entry {
	var entries []reading.Entry
	for _, e := range probedPage(objectAt(three, 1)) {
		if e.Event == audit.EventServe {
			e.ServesPct = 10
		}
		entries = append(entries, *e)
	}
	at := after(7 * time.Second)
	return append(entries,
		*byProbe(&reading.Entry{Time: at, Event: audit.EventBypass, Outcome: "bypass", Route: "landing", Key: "00000000000000aa", Visitor: "bbbb-2",
			Reasons: []string{"param-bypass"}, Detail: "param cacheward_probe", URL: lpURL + "?cacheward_probe=cwX"}),
		*byProbe(&reading.Entry{Time: at, Event: audit.EventDeny, Outcome: "deny", Route: "landing", Visitor: "bbbb-3", Status: 400,
			Reasons: []string{"cookie-bypass"}, Detail: "cookie cacheward_probe", URL: lpURL}),
		*byProbe(&reading.Entry{Time: at, Event: audit.EventBypass, Outcome: "fill", Route: "landing", Visitor: "bbbb-4", URL: lpURL}),
		*byProbe(&reading.Entry{Time: at, Event: audit.EventBypass, Outcome: "observe", Would: "hit", Route: "landing", Visitor: "bbbb-5", URL: lpURL}),
	)
}

// saysOf checks what the text of an answer has in it, and what it has not.
func saysOf(t *testing.T, write func(io.Writer, TextOptions) error, wants []string, lacks ...string) {
	t.Helper()
	var text bytes.Buffer
	if err := write(&text, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range wants {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
	for _, not := range lacks {
		if strings.Contains(text.String(), not) {
			t.Errorf("%q is in\n%s", not, &text)
		}
	}
}

// TestRequestsOfProbesAreLeftOut: of every count of requests, so that figures and advice are
// about visitors. How many there were is said.
func TestRequestsOfProbesAreLeftOut(t *testing.T) {
	entries := askedByProbes()
	a := askAll(NewSummary(), entries).Answer()
	r := a.Routes[0]
	if r.Requests != 21 || r.Probes != 25 || r.Served != 20 || r.WouldBe != nil || len(r.Passed) != 1 || r.Passed[0] != (Count{"param-bypass", 1}) {
		t.Errorf("%+v", r)
	}
	if a.Total.Requests != 21 || a.Total.Probes != 25 || len(a.Keys) != 1 || a.Keys[0].Requests != 20 || r.Origin != 2 {
		t.Errorf("%+v, keys %+v", a.Total, a.Keys)
	}
	saysOf(t, a.Text, []string{"~25 requests of probes left out"}, "cacheward_probe")

	bypasses := askAll(NewBypasses(), entries).Answer()
	if g := bypasses.Groups; bypasses.Total != 1 || bypasses.Probes != 5 || bypasses.Silent != 0 || len(g) != 1 || g[0].Count != 1 || len(g[0].Places) != 1 {
		t.Errorf("%+v", bypasses)
	}
	saysOf(t, bypasses.Text, []string{"5 requests of probes left out"}, "cacheward_probe", "cwX")

	timeline := askAll(newTimeline(t, time.Minute), entries).Answer()
	if timeline.Probes != 25 || len(timeline.Rows) != 3 || timeline.Rows[0].Total != 20 || timeline.Rows[1].Total != 1 {
		t.Errorf("%+v", timeline)
	}
	saysOf(t, timeline.Text, []string{"~25 requests of probes left out"})
}

// TestProbesAlone: where nobody else asked, that is said, and it is not nothing.
func TestProbesAlone(t *testing.T) {
	var entries []reading.Entry
	for _, e := range askedByProbes() {
		if e.Probe {
			e.ServesPct = 0
			entries = append(entries, e)
		}
	}
	const left = "7 requests of probes left out"
	saysOf(t, askAll(NewSummary(), entries).Answer().Text, []string{"No requests", left})
	saysOf(t, askAll(NewBypasses(), entries).Answer().Text, []string{"Nothing kept a request from the cache.", "5 requests of probes left out"})
	saysOf(t, askAll(newTimeline(t, time.Minute), entries).Answer().Text, []string{left})
}

// TestWhyMarksProbes: what was decided on them is told, without advice to let them through.
func TestWhyMarksProbes(t *testing.T) {
	a := askAll(newWhyOf(t, "/lp", 0), askedByProbes()).Answer()
	probes, advised := 0, 0
	for _, d := range a.Decisions {
		probes += btoi(d.Probe)
		advised += btoi(d.Change != "")
		if d.Probe && d.Change != "" {
			t.Errorf("advice for a probe: %+v", d)
		}
	}
	if a.Found != 11 || a.Probes != 7 || probes != 7 || advised != 1 {
		t.Errorf("%+v", a)
	}
	saysOf(t, a.Text, []string{"11 decisions, 7 of them on probes", "asked for ?ref=cwX, by a probe"}, "`param key cacheward_probe`")
	// A probe in between does not make the same advice new.
	repeated := []reading.Entry{*probedPage("")[6], *probedPage("")[5], *probedPage("")[6]}
	repeated[2].Time = after(4 * time.Second)
	var text bytes.Buffer
	if err := askAll(newWhyOf(t, "/lp", 0), repeated).Answer().Text(&text, TextOptions{}); err != nil || strings.Count(text.String(), "to change") != 1 {
		t.Errorf("%v\n%s", err, &text)
	}
}
