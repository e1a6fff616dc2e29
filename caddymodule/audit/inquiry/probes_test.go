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

func TestSummaryCountsProbes(t *testing.T) {
	var entries []reading.Entry
	for _, e := range probedPage(objectAt(three, 1)) {
		if e.Event == audit.EventServe {
			e.ServesPct = 10
		}
		entries = append(entries, *e)
	}
	a := askAll(NewSummary(), entries).Answer()
	if a.Total.Requests != 42 || a.Total.Probes != 21 || a.Routes[0].Probes != 21 {
		t.Errorf("%+v", a.Total)
	}
	bypasses := askAll(NewBypasses(), entries).Answer()
	if g := bypasses.Groups[0]; g.Count != 2 || g.Probes != 1 {
		t.Errorf("%+v", g)
	}
	why := askAll(newWhyOf(t, "/lp", 0), entries).Answer()
	for want, write := range map[string]func(io.Writer, TextOptions) error{
		"of them probes, no visitors": a.Text, "1 of them: the edge's own": bypasses.Text, "asked for ?ref=cwX, by a probe": why.Text,
	} {
		var text bytes.Buffer
		if err := write(&text, TextOptions{}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
}
