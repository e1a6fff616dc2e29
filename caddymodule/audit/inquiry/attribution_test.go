package inquiry

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

func TestAttribution(t *testing.T) {
	id := objectAt(three, 1)
	const page = "https://shop.example/lp"
	entries := []*reading.Entry{
		storeOf(id, after(time.Second), page),
		serveOf(id, after(time.Second), "aaaa-1", page+"?ref=A1", "fill"),
		serveOf(id, after(2*time.Second), "aaaa-2", page+"?ref=B2&gclid=h:123456789abc", "hit"),
		serveOf(id, after(3*time.Second), "aaaa-3", page+"?ref=A1", "hit"),
		serveOf(id, after(4*time.Second), "aaaa-4", page+"?gclid=h:123456789abc&empty=&bare", "hit"),
		{Time: after(5 * time.Second), Event: audit.EventBypass, Outcome: "bypass", Route: "landing", Visitor: "aaaa-5", URL: page + "?ref=C%203&ref=D4"},
	}
	a, err := fed(NewAttribution(AttributionOptions{}), entries...).Answer(AnswerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if a.Requests != 4 || a.Visitors != 5 || a.Codes != 4 || a.FromObject != 3 || a.Others != 2 || a.Uncoded != 1 || a.Unknown != 0 || a.Contradicted != 0 {
		t.Errorf("%+v", a)
	}
	if v := a.Visits.At(1); !v.Other || v.FilledBy != "aaaa-1" || v.FillerCodes.String() != "ref=A1" || v.Codes.String() != "ref=B2" || v.Host != "shop.example" || v.Path != "/lp" {
		t.Errorf("%+v", v)
	}
	if v := a.Visits.At(3); !v.Other || v.Visitor != "aaaa-4" || v.Codes != nil {
		t.Errorf("%+v", v)
	}
	if v := a.Visits.At(4); v.Host != "shop.example" || v.Object != "" || strings.Join(v.Codes["ref"], "|") != "C 3|D4" {
		t.Errorf("%+v", v)
	}
	var csv bytes.Buffer
	if err := a.CSV(&csv); err != nil {
		t.Fatal(err)
	}
	want := "time,visitor,route,host,path,param ref,outcome,object,others_page,contradicted,filled_by,filled_by_probe,filler ref\n" +
		"2026-11-23T03:00:01.000Z,aaaa-1,landing,shop.example,/lp,A1,fill," + id + ",no,no,aaaa-1,no,A1\n" +
		"2026-11-23T03:00:02.000Z,aaaa-2,landing,shop.example,/lp,B2,hit," + id + ",yes,no,aaaa-1,no,A1\n" +
		"2026-11-23T03:00:03.000Z,aaaa-3,landing,shop.example,/lp,A1,hit," + id + ",no,no,aaaa-1,no,A1\n" +
		"2026-11-23T03:00:04.000Z,aaaa-4,landing,shop.example,/lp,,hit," + id + ",yes,no,aaaa-1,no,A1\n" +
		"2026-11-23T03:00:05.000Z,aaaa-5,landing,shop.example,/lp,C 3|D4,bypass,,no,no,,no,\n"
	if csv.String() != want {
		t.Errorf("%s\nwas expected to be\n%s", csv.String(), want)
	}
}

// TestAttributionLooksBeyondTheWindow: who caused a fill may have come before it.
func TestAttributionLooksBeyondTheWindow(t *testing.T) {
	id := objectAt(three, 1)
	q := NewAttribution(AttributionOptions{Since: after(time.Minute)})
	a, err := fed(q, serveOf(id, after(time.Second), "aaaa-1", "/lp?ref=A1", "fill"),
		serveOf(id, after(2*time.Minute), "aaaa-2", "/lp?ref=B2", "hit")).Answer(AnswerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if a.Requests != 1 || a.Others != 1 || a.Visits.At(0).FilledBy != "aaaa-1" {
		t.Errorf("%+v", a)
	}
}

func TestAttributionParams(t *testing.T) {
	id := objectAt(three, 1)
	serve := serveOf(id, after(time.Second), "aaaa-1", "/lp?ref=A1&gclid=h:123456789abc", "hit")
	for _, test := range []struct {
		params []string
		want   string
	}{
		{nil, "ref=A1"},
		{[]string{"ref"}, "ref=A1"},
		{[]string{"gclid"}, "gclid=h:123456789abc"},
		{[]string{"gclid", "ref"}, "gclid=h:123456789abc&ref=A1"},
		{[]string{"source"}, ""},
	} {
		a, err := fed(NewAttribution(AttributionOptions{Params: test.params}), serve).Answer(AnswerOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if a.Visits.Len() == 1 {
			got = a.Visits.At(0).Codes.String()
		}
		if got != test.want {
			t.Errorf("%q: %q, not %q", test.params, got, test.want)
		}
	}
}

// TestAttributionContradicted: an object that is stored under another code than that of a
// visitor who was served it.
func TestAttributionContradicted(t *testing.T) {
	id := objectAt(three, 1)
	a, err := fed(NewAttribution(AttributionOptions{}), storeOf(id, after(time.Second), "/lp?ref=A1"),
		serveOf(id, after(2*time.Second), "aaaa-2", "/lp?ref=B2", "hit"),
		serveOf(id, after(3*time.Second), "aaaa-3", "/lp?ref=A1", "hit")).Answer(AnswerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := a.Text(&text, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if a.Contradicted != 1 || !a.Visits.At(0).Contradicted || !strings.Contains(text.String(), "must never happen") {
		t.Errorf("%+v\n%s", a, &text)
	}
}
