package audit

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"
)

// anyAttribution draws what a handler may write, and more.
func anyAttribution(t *rapid.T) *Attribution {
	oneOf := func(name string, words ...string) string { return rapid.SampledFrom(append(words, "")).Draw(t, name) }
	text := func(name string) string {
		return rapid.OneOf(rapid.Just(""), rapid.String(), rapid.SampledFrom([]string{"search.example", "\xff\x00\r\n"})).Draw(t, name)
	}
	return &Attribution{
		Landing: text("landing"), Referer: text("referer"), Paid: rapid.Bool().Draw(t, "paid"),
		Params:    rapid.SliceOfN(rapid.String(), 0, 80).Draw(t, "params"),
		Model:     oneOf("model", "first", "last", "last-paid"),
		Carried:   oneOf("carried", "cookie", "beacon", "both"),
		LeftOut:   oneOf("left out", "prefetch", "unchanged"),
		Withheld:  oneOf("withheld", "consent"),
		Dropped:   oneOf("dropped", "forged", "expired"),
		Delivered: text("delivered"), As: oneOf("as", "header", "query", "form-cookie"),
		Landed:     time.UnixMilli(rapid.Int64Range(0, 253402300799999).Draw(t, "landed")),
		BeaconLost: rapid.Bool().Draw(t, "lost"),
	}
}

func TestAttributionWritesEveryField(t *testing.T) {
	enc := zapcore.NewMapObjectEncoder()
	a := &Attribution{
		Landing: "xK3mZt0Qb1c2d3e4f5g6hA", Params: []string{"ref", "utm_ソース\n"}, Referer: "search.example", Paid: true, Model: "last-paid",
		Carried: "both", LeftOut: "unchanged", Withheld: "consent", Dropped: "expired", Delivered: "aaaaaaaaaaaaaaaaaaaaaA",
		Landed: time.Date(2026, 11, 23, 12, 0, 1, 0, time.FixedZone("JST", 9*3600)), As: "header", BeaconLost: true,
	}
	if err := a.MarshalLogObject(enc); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"landing": "xK3mZt0Qb1c2d3e4f5g6hA", "params": []any{"ref", `utm_ソース\u000a`}, "referer": "search.example", "paid": true,
		"model": "last-paid", "carried": "both", "left_out": "unchanged", "withheld": "consent", "dropped": "expired", "delivered": "aaaaaaaaaaaaaaaaaaaaaA",
		"landed": "2026-11-23T03:00:01.000Z", "as": "header", "beacon_lost": true,
	}
	if !reflect.DeepEqual(enc.Fields, want) {
		t.Errorf("%v\nwas expected to be\n%v", enc.Fields, want)
	}
	for member := range schemaParts(t).Defs["attribution"].Properties {
		if _, written := enc.Fields[member]; !written {
			t.Errorf("%s is in the JSON Schema and not written", member)
		}
	}
	for _, nothing := range []*Attribution{nil, {}} {
		enc := zapcore.NewMapObjectEncoder()
		if err := nothing.MarshalLogObject(enc); err != nil || len(enc.Fields) != 0 {
			t.Errorf("%+v: %v, %v", nothing, enc.Fields, err)
		}
	}
}

// TestAttributionIsBounded: what visitors send breaks no line and fills no log.
func TestAttributionIsBounded(t *testing.T) {
	enc := zapcore.NewMapObjectEncoder()
	long := strings.Repeat("x", 10_000)
	names := make([]string, 1000)
	for i := range names {
		names[i] = long
	}
	a := &Attribution{Landing: long, Params: names, Referer: "a\r\nb\x00é" + long, LeftOut: long, Withheld: long, Dropped: long, Delivered: long, As: long, Model: long, Carried: long}
	if err := a.MarshalLogObject(enc); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(enc.Fields["referer"]); !strings.HasPrefix(got, "a%0D%0Ab%00%C3%A9xxx") || len(got) > 3*maxReferer {
		t.Errorf("the referer is %q", got)
	}
	if size := len(fmt.Sprint(enc.Fields)); size > 64*1024 {
		t.Errorf("%d bytes", size)
	}
}

// TestAttributionIsNeverSampledAway: landings and conversions are what somebody is paid for.
// Their records stand for no others, and do not say so.
func TestAttributionIsNeverSampledAway(t *testing.T) {
	for _, leftOut := range []uint16{0, 1, 9900, sampleWhole} {
		o := Options{Serves: Sampling{leftOut: leftOut}}
		landing := full(EventServe)
		landing.Attribution = &Attribution{Landing: "a", Carried: "cookie"}
		entries := observed(o, -1, landing, landing, landing)
		if len(entries) != 3 {
			t.Fatalf("serves %s: %d of 3 landings were written", o.Serves, len(entries))
		}
		if pct, there := entries[0].ContextMap()["serves_pct"]; there {
			t.Errorf("serves %s: a landing stands for others: %v", o.Serves, pct)
		}
	}
}

// TestAttributionHasItsValuesWhole: as they are carried, however they are written.
func TestAttributionHasItsValuesWhole(t *testing.T) {
	plain := func(name string) bool {
		return strings.HasPrefix(name, "source") || strings.HasPrefix(name, "%73ource")
	}
	url := func(query string, a zapcore.ObjectMarshaler) string {
		core, logs := observer.New(zapcore.DebugLevel)
		r := full(EventBypass)
		r.Query, r.Attribution = query, a
		New(zap.New(core), Options{Keys: keys, Synchronous: true}).Write(r, plain)
		_, query, _ = strings.Cut(logs.All()[0].ContextMap()["url"].(string), "?")
		return query
	}
	long := strings.Repeat("%E3%81%82", 85)
	for _, test := range []struct{ query, want string }{
		{"source=" + long, "source=" + long},
		{"source=a;b=c", "source=a%3Bb%3Dc"},
		{"%73ource" + strings.Repeat("%73", 60) + "=a", "%73ource" + strings.Repeat("%73", 60) + "=a"},
	} {
		if got := url(test.query, &Attribution{Landing: "a"}); got != test.want {
			t.Errorf("a landing with %s is written %s", test.query, got)
		}
		if got := url(test.query, nil); got == test.want {
			t.Errorf("a request with %s is written %s", test.query, got)
		}
	}
	// What is not plain is hidden all the same.
	for _, query := range []string{"ref=secret;source=1", ";source=secret", "source;x=secret", "ref=secret", strings.Repeat("ref", 100) + "=secret"} {
		if got := url(query, &Attribution{Landing: "a"}); strings.Contains(got, "secret") {
			t.Errorf("%s is written %s", query, got)
		}
	}
}

// FuzzRedactCarried: as FuzzRedact, of a record with an Attribution.
func FuzzRedactCarried(f *testing.F) {
	for _, seed := range []string{
		"", "source=a;b=c", "source;a=b", "a;source=b", ";", "source=%zz", "a=b;source=c", "source=lp&a=1", strings.Repeat("source=1&", 100), "source=" + strings.Repeat("%ff", 300),
		strings.Repeat("n", 100) + "=1", "source=a:h:0123456789ab",
	} {
		f.Add(seed)
	}
	carried := func(query string) string {
		redact := redactor{values: newHasher([keySize]byte{1}), plain: onlySource, carried: true}
		return redact.url(&Record{Path: "/register/lp", Query: query})
	}
	f.Fuzz(func(t *testing.T, query string) {
		got := carried(query)
		if !printable.MatchString(got) || strings.ContainsAny(got, "\"\\<>;") {
			t.Errorf("not fit for a log: %q", got)
		}
		if most := 3*maxPath + 2*maxParams*3*encoded*(maxName+maxPlain+2) + 30; len(got) > most {
			t.Errorf("%d bytes were written, more than %d", len(got), most)
		}
		pairs := strings.Split(query, "&")
		for i, pair := range pairs {
			if name, _, _ := strings.Cut(pair, "="); !onlySource(name) {
				pairs[i] = otherValues(pair)
			}
		}
		if got, other := digest.ReplaceAllString(got, "D"), digest.ReplaceAllString(carried(strings.Join(pairs, "&")), "D"); got != other {
			t.Errorf("values show through:\n%s\n%s", got, other)
		}
	})
}
