package reading

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

const attributed = `{"msg":"cacheward","event":"serve","ts":1764000000,"attribution":{"landing":"xK3mZt0Qb1c2d3e4f5g6hA","params":["ref","utm_source"],` +
	`"referer":"search.example","paid":true,"model":"last","carried":"both","left_out":"unchanged","withheld":"consent","dropped":"expired","delivered":"aaaaaaaaaaaaaaaaaaaaaA",` +
	`"landed":"2025-11-22T03:00:01.000Z","as":"header","beacon_lost":true}}`

func TestDecodeAttribution(t *testing.T) {
	raw := []byte(attributed)
	want := &Attribution{
		Landing: "xK3mZt0Qb1c2d3e4f5g6hA", Params: []string{"ref", "utm_source"}, Referer: "search.example", Paid: true, Model: "last", Carried: "both",
		LeftOut: "unchanged", Withheld: "consent", Dropped: "expired", Delivered: "aaaaaaaaaaaaaaaaaaaaaA", As: "header", BeaconLost: true,
		Landed: time.Date(2025, 11, 22, 3, 0, 1, 0, time.UTC),
	}
	var l line
	if kind := l.decode(raw, unmarshal); kind != none {
		t.Fatal(kind)
	}
	new(keeper).keep(&l.Entry)
	clear(raw)
	if !reflect.DeepEqual(l.Entry.Attribution, want) {
		t.Errorf("%+v", l.Entry.Attribution)
	}
	(&keeper{brief: true, asked: FieldAttribution}).keep(&l.Entry)
	if !reflect.DeepEqual(l.Entry.Attribution, want) {
		t.Errorf("asked for, a brief entry has %+v", l.Entry.Attribution)
	}
	(&keeper{brief: true}).keep(&l.Entry)
	if l.Entry.Attribution != nil {
		t.Error("a brief entry has it unasked")
	}
}

func TestDecodeAttributionOfNoTime(t *testing.T) {
	for _, text := range []string{`"yesterday"`, `7`} {
		var l line
		raw := []byte(strings.Replace(attributed, `"2025-11-22T03:00:01.000Z"`, text, 1))
		if kind := l.decode(raw, unmarshal); kind != Mistyped {
			t.Errorf("landed %s is %v", text, kind)
		}
	}
}

func TestFilterByAttribution(t *testing.T) {
	var with, without line
	if with.decode([]byte(attributed), unmarshal) != none || without.decode([]byte(`{"msg":"cacheward","event":"serve","ts":1764000000}`), unmarshal) != none {
		t.Fatal("no records")
	}
	for _, expr := range []string{
		`attribution.landing == "xK3mZt0Qb1c2d3e4f5g6hA"`, `attribution.carried in ["cookie", "both"]`, `attribution.paid`, `attribution.beacon_lost`,
		`"ref" in attribution.params`, `attribution.delivered != "" && attribution.as == "header" && ts - attribution.landed > duration("1h")`,
		`attribution.referer.endsWith(".example") && attribution.model == "last" && attribution.left_out == "unchanged" && attribution.dropped == "expired" && attribution.withheld == "consent"`,
	} {
		filter, err := CompileFilter(expr)
		if err != nil {
			t.Fatal(err)
		}
		if !filter.Match(&with.Entry) || filter.Match(&without.Entry) {
			t.Errorf("%s: with %t, without %t", expr, filter.Match(&with.Entry), filter.Match(&without.Entry))
		}
	}
}

func TestKindsOfAttribution(t *testing.T) {
	for _, test := range []struct {
		a                  *Attribution
		landing, delivered bool
	}{
		{nil, false, false},
		{&Attribution{Dropped: "forged"}, false, false},
		{&Attribution{Landing: "a", Carried: "cookie"}, true, false},
		{&Attribution{LeftOut: "bounds"}, true, false},
		{&Attribution{Delivered: "a"}, false, true},
		{&Attribution{Delivered: "a", Params: []string{"ref"}}, false, true},
		{&Attribution{Delivered: "a", Landing: "b"}, true, true},
	} {
		if concerns := test.landing || test.delivered; test.a.Concerns() != concerns {
			t.Errorf("%+v", test.a)
		}
		if test.a.IsLanding() != test.landing || test.a.IsDelivered() != test.delivered {
			t.Errorf("%+v", test.a)
		}
	}
	if withheld := (&Attribution{Withheld: "consent"}); !withheld.Concerns() || withheld.IsLanding() || withheld.IsDelivered() {
		t.Errorf("%+v", withheld)
	}
}
