package inquiry

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// drawAttribution is one of a small world, in which the app is told of landings that are on
// record, and of others.
func drawAttribution(t *rapid.T) *reading.Attribution {
	word := func(name string, words ...string) string { return rapid.SampledFrom(append(words, "")).Draw(t, name) }
	a := &reading.Attribution{
		Landing: word("landing", "L1", "L2"), Referer: word("referer", "search.example"), Paid: rapid.Bool().Draw(t, "paid"),
		Model: word("model", "last"), Carried: word("carried", "cookie", "both"), LeftOut: word("left out", "prefetch", "unchanged"),
		Withheld: word("withheld", "consent"), Dropped: word("dropped", "forged"), Delivered: word("delivered", "L1", "L3"), As: word("as", "header", "query"),
		BeaconLost: rapid.Bool().Draw(t, "lost"),
	}
	if rapid.Bool().Draw(t, "named") {
		a.Params = []string{"ref"}
	}
	if n := rapid.IntRange(-1, 9).Draw(t, "landed"); n >= 0 {
		a.Landed = after(time.Duration(n) * time.Second)
	}
	return a
}

const landingPage = "https://shop.example/lp"

// landingOf is a landing that is served from an object.
func landingOf(at time.Time, visitor, query string, a reading.Attribution) *reading.Entry {
	e := serveOf(objectAt(three, 1), at, visitor, landingPage+query, "hit")
	e.Attribution = &a
	return e
}

// conversionOf is a request with which the app is told of a landing.
func conversionOf(at time.Time, visitor string, a reading.Attribution) *reading.Entry {
	return &reading.Entry{
		Time: at, Event: audit.EventBypass, Outcome: "bypass", Route: "register", Method: "POST", Reasons: []string{"attribution-delivered"},
		Visitor: visitor, Host: "shop.example", URL: "https://shop.example/register", Status: 303, Attribution: &a,
	}
}

// campaign is a morning of a route with attribution.
func campaign() []*reading.Entry {
	first := landingOf(after(time.Second), "aaaa-1", "?ref=A1&page=2&ref=Z9", reading.Attribution{
		Landing: "L1", Params: []string{"ref"}, Model: "last", Carried: "both",
	})
	first.Event, first.Outcome, first.Object = audit.EventBypass, "fill", ""
	return []*reading.Entry{
		storeOf(objectAt(three, 1), after(time.Second), landingPage),
		first,
		landingOf(after(2*time.Second), "aaaa-2", "?ref=B2", reading.Attribution{Landing: "L2", Params: []string{"ref"}, Model: "last", Carried: "both", Paid: true}),
		landingOf(after(3*time.Second), "aaaa-3", "", reading.Attribution{Landing: "L3", Referer: "search.example", Model: "last", Carried: "cookie", BeaconLost: true}),
		landingOf(after(4*time.Second), "aaaa-4", "?ref=B2", reading.Attribution{LeftOut: "crawler"}),
		landingOf(after(5*time.Second), "aaaa-2", "?ref=B2", reading.Attribution{Landing: "L5", Params: []string{"ref"}, Model: "last", Carried: "beacon", LeftOut: "unchanged", Dropped: "forged"}),
		conversionOf(after(time.Minute), "aaaa-2", reading.Attribution{Delivered: "L2", Landed: after(2 * time.Second), As: "header", Model: "last"}),
		conversionOf(after(2*time.Minute), "aaaa-3", reading.Attribution{Delivered: "L3", Landed: after(3 * time.Second), As: "header", Model: "last"}),
		conversionOf(after(3*time.Minute), "aaaa-9", reading.Attribution{Delivered: "L0", Landed: after(-24 * time.Hour), As: "header", Model: "last"}),
		conversionOf(after(200*time.Second), "aaaa-7", reading.Attribution{Withheld: "consent"}),
		{Time: after(4 * time.Minute), Event: audit.EventBypass, Outcome: "bypass", Visitor: "aaaa-8", URL: "https://shop.example/register", Attribution: &reading.Attribution{Dropped: "expired"}},
	}
}

func attributionOf(t *testing.T, o AttributionOptions, entries ...*reading.Entry) *AttributionAnswer {
	t.Helper()
	a, err := fed(NewAttribution(o), entries...).Answer(AnswerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestLandings(t *testing.T) {
	a := attributionOf(t, AttributionOptions{}, campaign()...)
	want := LandingSums{
		Landings: 5, Codes: 2, Visitors: 4, FromObject: 4, HitShare: 0.8,
		Carried: 4, CarriedBy: map[string]int{"both": 2, "cookie": 1, "beacon": 1}, LeftOut: map[string]int{"crawler": 1, "unchanged": 1},
		BeaconsLost: 1, Delivered: 3, DeliveredAs: map[string]int{"header": 3}, DeliveredUnknown: 1,
		Withheld: map[string]int{"consent": 1},
		Dropped:  map[string]int{"forged": 1, "expired": 1},
	}
	if got := fmt.Sprintf("%+v", *a.Landings); got != fmt.Sprintf("%+v", want) {
		t.Errorf("%s\nwas expected to be\n%+v", got, want)
	}
	if a.Requests != 0 || a.Others != 0 || a.Uncoded != 0 || a.Contradicted != 0 || a.Visits.Len() != 9 {
		t.Errorf("%+v", a)
	}
	// Of a name that is there twice the first counts, and others are none of it.
	if v := a.landings.At(0); v.Codes.String() != "ref=A1" || v.Attribution.Landing != "L1" || v.Other {
		t.Errorf("%+v", v)
	}
	if v := a.deliveries.At(0); v.Attribution.DeliveredCodes.String() != "ref=B2" || v.Attribution.LandedBy != "aaaa-2" || !v.Attribution.Landed.Equal(after(2*time.Second)) {
		t.Errorf("%+v", v.Attribution)
	}
	if v := a.deliveries.At(1); v.Attribution.DeliveredReferer != "search.example" || v.Attribution.DeliveredCodes != nil {
		t.Errorf("%+v", v.Attribution)
	}
	if v := a.deliveries.At(2); !v.Attribution.Unknown {
		t.Errorf("%+v", v.Attribution)
	}
}

// TestLandingsOfTheConversionItself: what the converting request's own URL said.
func TestLandingsOfTheConversionItself(t *testing.T) {
	own := conversionOf(after(time.Minute), "aaaa-1", reading.Attribution{Delivered: "L7", Landed: after(time.Minute), As: "query", Params: []string{"ref"}})
	own.URL += "?ref=Q7&x=1"
	a := attributionOf(t, AttributionOptions{}, own)
	if got := a.Visits.At(0).Attribution; got.Unknown || got.DeliveredCodes.String() != "ref=Q7" || a.Landings.Landings != 0 {
		t.Errorf("%+v, %+v", got, a.Landings)
	}
	// But not what it says itself of another landing, which is not on record.
	own.Attribution.Landing = "L8"
	if got := attributionOf(t, AttributionOptions{}, own).Visits.At(0).Attribution; !got.Unknown || got.DeliveredCodes != nil {
		t.Errorf("%+v", got)
	}
}

// TestLandingsCountTheFirstOfAName: also if it is empty, for that is what is carried.
func TestLandingsCountTheFirstOfAName(t *testing.T) {
	for query, want := range map[string]string{"?ref=A&ref=B": "ref=A", "?ref=&ref=B&source=x": "source=x", "?ref&%72ef=B&source=x": "source=x", "?%72ef=B": "ref=B"} {
		a := attributionOf(t, AttributionOptions{}, landingOf(after(time.Second), "aaaa-1", query, reading.Attribution{Landing: "L1"}))
		if got := a.Visits.At(0).Codes.String(); got != want {
			t.Errorf("%s: %s, not %s", query, got, want)
		}
	}
}

// TestLandingsBeforeTheWindow: what the app was told of may have been earlier, or on a route
// that is not asked for. It is told, and not counted.
func TestLandingsBeforeTheWindow(t *testing.T) {
	for name, o := range map[string]AttributionOptions{
		"a window": {Since: after(30 * time.Second), Until: after(90 * time.Second)},
		"a route":  {Keep: func(e *reading.Entry) bool { return e.Route == "register" }, Until: after(90 * time.Second)},
	} {
		a := attributionOf(t, o, campaign()...)
		if a.Landings.Landings != 0 || a.Landings.Delivered != 1 || a.Visits.Len() != 1 {
			t.Fatalf("%s: %+v", name, a.Landings)
		}
		if got := a.Visits.At(0).Attribution; got.DeliveredCodes.String() != "ref=B2" || got.Unknown {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestLandingsBesideOtherRoutes: what is told of routes without attribution stays as it is.
func TestLandingsBesideOtherRoutes(t *testing.T) {
	id := objectAt(three, 7)
	plain := []*reading.Entry{
		serveOf(id, after(time.Second), "bbbb-1", "https://shop.example/old?ref=A1", "fill"),
		serveOf(id, after(2*time.Second), "bbbb-2", "https://shop.example/old?ref=B2", "hit"),
	}
	alone, both := attributionOf(t, AttributionOptions{}, plain...), attributionOf(t, AttributionOptions{}, append(campaign(), plain...)...)
	if alone.Landings != nil {
		t.Errorf("landings where there are none: %+v", alone.Landings)
	}
	if both.Requests != alone.Requests || both.Others != alone.Others || both.Visitors != alone.Visitors || both.Codes != alone.Codes || both.Requests != 2 {
		t.Errorf("%+v\nwas expected to be\n%+v", both, alone)
	}
	var text bytes.Buffer
	if err := both.Text(&text, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"5 landings", "2 requests with a code", "1 request was given a page that a request with another code had made"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
}

func TestLandingsOfProbesAreNone(t *testing.T) {
	entries := campaign()
	for _, e := range entries {
		e.Probe = true
	}
	a := attributionOf(t, AttributionOptions{}, entries...)
	if a.Landings != nil || a.Visits.Len() != 0 || a.Probes != 9 {
		t.Errorf("%+v", a)
	}
}

// TestLandingsAreNotSampled: with a share of the serve records, the alarm says what of the
// list is whole.
func TestLandingsAreNotSampled(t *testing.T) {
	entries := campaign()
	entries[0].ServesPct = 5
	a := attributionOf(t, AttributionOptions{}, entries...)
	if len(a.Incomplete) != 1 || !strings.Contains(a.Incomplete[0], "only a sample") || !strings.HasSuffix(a.Incomplete[0], "are all here") {
		t.Errorf("%q", a.Incomplete)
	}
}

// TestLandingsContradicted: an object that is stored under a code that was to be taken off.
func TestLandingsContradicted(t *testing.T) {
	entries := campaign()
	entries[0].URL += "?ref=A1"
	a := attributionOf(t, AttributionOptions{}, entries...)
	var text bytes.Buffer
	if err := a.Text(&text, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if a.Contradicted != 4 || !strings.Contains(text.String(), "must never happen") {
		t.Errorf("%d\n%s", a.Contradicted, &text)
	}
}

func TestLandingTexts(t *testing.T) {
	entries := campaign()
	narrow := TextOptions{Width: 80, Location: time.FixedZone("JST", 9*3600), Limit: 2}
	for _, tt := range []struct {
		name  string
		write func(w io.Writer) error
	}{
		{"landings", func(w io.Writer) error {
			return attributionOf(t, AttributionOptions{}, entries...).Text(w, TextOptions{Width: 130, Location: time.UTC})
		}},
		{"landings-narrow", func(w io.Writer) error { return attributionOf(t, AttributionOptions{}, entries...).Text(w, narrow) }},
		{"landings-csv", func(w io.Writer) error { return attributionOf(t, AttributionOptions{}, entries...).CSV(w) }},
		{"landings-json", func(w io.Writer) error {
			return attributionOf(t, AttributionOptions{Since: after(5 * time.Second), Until: after(2 * time.Minute)}, entries...).Document().Write(w)
		}},
		{"landings-dropped", func(w io.Writer) error {
			return attributionOf(t, AttributionOptions{}, entries[len(entries)-1]).Text(w, TextOptions{})
		}},
		{"landings-why", func(w io.Writer) error {
			q := fed(newWhyOf(t, "/lp", 0), entries...)
			return q.Answer().Text(w, TextOptions{Width: 100})
		}},
		{"landings-timeline", func(w io.Writer) error {
			q := newTimeline(t, 0)
			for _, e := range entries {
				q.Add(e)
			}
			return q.Answer().Text(w, TextOptions{Width: 110})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := tt.write(&b); err != nil {
				t.Fatal(err)
			}
			golden(t, tt.name+".txt", b.Bytes())
		})
	}
}

// TestLandingTextsAreSafe: what a log has in it does not reach the terminal as it is.
func TestLandingTextsAreSafe(t *testing.T) {
	const hostile = "\x1b]0;x\x07\r\n\u202e"
	e := landingOf(after(time.Second), "aaaa-1"+hostile, "?ref=%1b%0a", reading.Attribution{
		Landing: hostile, Params: []string{"ref", hostile}, Referer: hostile, Model: hostile, Carried: hostile, LeftOut: hostile, Dropped: hostile,
		Delivered: hostile, As: hostile,
	})
	a := attributionOf(t, AttributionOptions{}, e)
	var b bytes.Buffer
	for _, err := range []error{a.Text(&b, TextOptions{}), a.Text(&b, TextOptions{Width: 80}), a.Document().Write(&b), fed(newWhyOf(t, "/lp", 0), e).Answer().Text(&b, TextOptions{})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if i := strings.IndexFunc(b.String(), func(r rune) bool { return r != '\n' && show.Safe(string(r)) != string(r) }); i >= 0 {
		t.Errorf("%q", b.String()[max(0, i-40):i+20])
	}
}
