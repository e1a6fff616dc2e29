package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// keys of the tests, which do not rotate in anybody's lifetime.
var keys = NewKeys(nil, 200*365*24*time.Hour, nil)

// place stands for the gate's description of a divergence.
type place struct{ offset int }

func (p place) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	enc.AddInt("offset", p.offset)
	return nil
}

type places []place

func (l places) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	for _, p := range l {
		if err := enc.AppendObject(p); err != nil {
			return err
		}
	}
	return nil
}

// full is a record in which nothing is missing.
func full(event Event) *Record {
	return &Record{
		Event: event, Route: "landing", Outcome: "hit", Mode: "enforce", Would: "fill",
		Reasons: []policies.Reason{policies.ReasonSetCookie, policies.ReasonPrivate},
		Object:  "0198a1b2", Key: store.Key{0xab, 0xcd, 0xef, 1, 2, 3, 4, 5, 6},
		Address: "192.0.2.7", Marks: "a=b",
		Method: "GET", Scheme: "https", Host: "hapitas.example", Path: "/register/lp", Query: "ref=friend&source=lp",
		Status: 200, TTL: -1500 * time.Millisecond, Age: 61500 * time.Millisecond, Size: 4096, Coding: "br",
		OriginTime: 12345 * time.Microsecond, Duration: 20 * time.Millisecond,
		Difference: place{7}, Findings: places{{8}}, Detail: "X-Token", Err: errors.New("broken"),
		Probe: true, From: time.Date(2026, 11, 23, 12, 0, 1, 2_999_999, time.FixedZone("JST", 9*3600)), Until: time.Date(2026, 11, 23, 3, 1, 0, 0, time.UTC),
		Evidence: place{9},
		By:       "ops@host via 127.0.0.1", Why: "a leak\n", Scope: "route landing", Soft: true, Removed: 3, Records: 12,
	}
}

func onlySource(param string) bool { return param == "source" }

// observed is what a log with the options writes of the records.
func observed(o Options, level zapcore.Level, records ...*Record) []observer.LoggedEntry {
	core, logs := observer.New(level)
	o.Keys, o.Synchronous = keys, true
	l := New(zap.New(core), o)
	for _, r := range records {
		l.Write(r, onlySource)
	}
	return logs.All()
}

func TestWriteEveryField(t *testing.T) {
	serves, err := ParseSampling("99.99%")
	if err != nil {
		t.Fatal(err)
	}
	var entries []observer.LoggedEntry
	for len(entries) == 0 {
		entries = observed(Options{Edge: "tokyo-1\n", Serves: serves}, zapcore.DebugLevel, full(EventServe))
	}
	if entries[0].Message != "cacheward" {
		t.Errorf("the message is %q", entries[0].Message)
	}
	got := entries[0].ContextMap()
	want := map[string]any{
		"schema": int64(1), "edge": `tokyo-1\u000a`, "event": "serve", "route": "landing", "outcome": "hit", "mode": "enforce", "would": "fill",
		"reasons": []any{"set-cookie", "private"},
		"key":     "abcdef0102030405", "object": "0198a1b2", "ttl_s": -1.5, "age_s": 61.5, "size_bytes": int64(4096), "coding": "br",
		"method": "GET", "host": "hapitas.example",
		"url":    "https://hapitas.example/register/lp?ref=" + keys.HashValue("friend") + "&source=lp",
		"status": int64(200), "origin_ms": 12.345, "duration_ms": 20.0,
		"divergence": map[string]any{"offset": 7}, "findings": []any{map[string]any{"offset": 8}}, "detail": "X-Token", "error": "broken",
		"visitor": keys.Visitor("192.0.2.7", "a=b"), "probe": true,
		"from": "2026-11-23T03:00:01.002Z", "until": "2026-11-23T03:01:00.000Z", "evidence": map[string]any{"offset": 9},
		"by": "ops@host via 127.0.0.1", "why": `a leak\u000a`, "scope": "route landing", "soft": true, "removed": int64(3), "records": int64(12),
		"serves_pct": 99.99,
	}
	for name := range maps.Keys(want) {
		if fmt.Sprint(got[name]) != fmt.Sprint(want[name]) {
			t.Errorf("%s = %v, want %v", name, got[name], want[name])
		}
	}
	if len(got) != len(want) {
		t.Errorf("the record has the fields %q", slices.Sorted(maps.Keys(got)))
	}
}

// TestEdge: every record has the edge's name before all else, also that of lost records;
// and none has it where there is one edge only.
func TestEdge(t *testing.T) {
	for edge, want := range map[string]string{"": `{"schema":1,"event":`, "tokyo-1": `{"schema":1,"edge":"tokyo-1","event":`} {
		for _, event := range AllEvents() {
			if got := written(t, full(event), Options{Edge: edge}); !strings.HasPrefix(string(got), want) {
				t.Errorf("%s of edge %q: %s", event, edge, got)
			}
		}
	}
}

func TestWriteLeavesOutWhatIsNotThere(t *testing.T) {
	for _, c := range []struct {
		name   string
		record Record
		want   []string
	}{
		{"nothing", Record{Event: EventBypass}, []string{"event", "schema"}},
		{"an object that came this moment and is stale", Record{Event: EventServe, Object: "o"},
			[]string{"age_s", "event", "object", "schema", "size_bytes", "ttl_s"}},
		{"a refused response", Record{Event: EventRefuse, Size: 5, Status: 200, TTL: time.Second},
			[]string{"event", "schema", "size_bytes", "status"}},
		{"a purge that found nothing", Record{Event: EventPurge}, []string{"event", "removed", "schema"}},
		{"a reset", Record{Event: EventReset}, []string{"event", "removed", "schema"}},
		{"a trip", Record{Event: EventTrip}, []string{"event", "schema"}},
		{"a leak that was there from the first probe on", Record{Event: EventLeak, Until: time.Unix(1, 0)}, []string{"event", "schema", "until"}},
		{"lost records", Record{Event: EventDrop}, []string{"event", "records", "schema"}},
		{"an address", Record{Event: EventDeny, Address: "::1"}, []string{"event", "schema", "visitor"}},
		{"marks", Record{Event: EventDeny, Marks: "a"}, []string{"event", "schema", "visitor"}},
		{"a withdrawn page", Record{Event: EventWithdraw, Object: "o"}, []string{"event", "object", "schema"}},
		{"no host", Record{Event: EventDeny, Path: "*"}, []string{"event", "schema", "url"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := observed(Options{}, zapcore.DebugLevel, &c.record)[0].ContextMap()
			if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, c.want) {
				t.Errorf("fields %q, want %q", names, c.want)
			}
		})
	}
}

// written is the JSON line of a record, with nothing in it but the record.
func written(t interface{ Helper() }, r *Record, o Options) []byte {
	t.Helper()
	var b strings.Builder
	o.Keys, o.Synchronous = keys, true
	for b.Len() == 0 { // until the record is sampled
		New(zap.New(jsonCore(zapcore.AddSync(&b))), o).Write(r, onlySource)
	}
	return []byte(b.String())
}

func jsonCore(w zapcore.WriteSyncer) zapcore.Core {
	return zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{}), w, zapcore.InfoLevel)
}

func TestLevels(t *testing.T) {
	for _, c := range []struct {
		event Event
		want  zapcore.Level
	}{
		{EventStore, zapcore.InfoLevel},
		{EventServe, zapcore.InfoLevel},
		{EventDeny, zapcore.InfoLevel},
		{EventExpire, zapcore.InfoLevel},
		{EventPurge, zapcore.InfoLevel},
		{EventReset, zapcore.InfoLevel},
		{EventTrip, zapcore.ErrorLevel},
		{EventDrop, zapcore.WarnLevel},
		{EventDiverge, zapcore.WarnLevel},
		{EventWithdraw, zapcore.ErrorLevel},
		{EventFault, zapcore.ErrorLevel},
		{"no such event", zapcore.ErrorLevel},
	} {
		entries := observed(Options{}, zapcore.DebugLevel, full(c.event))
		if len(entries) != 1 || entries[0].Level != c.want {
			t.Errorf("%s was written as %+v, want level %s", c.event, entries, c.want)
		}
	}
	quiet := observed(Options{}, zapcore.WarnLevel, full(EventStore), full(EventServe), full(EventDiverge), full(EventFault))
	if len(quiet) != 2 {
		t.Errorf("at level warn %d records were written, want the divergence and the fault", len(quiet))
	}
}

func TestNilLoggerWritesNothing(t *testing.T) {
	New(nil, Options{}).Write(full(EventFault), nil)
}

func TestErrorsQuoteNoQuery(t *testing.T) {
	cause := errors.New("connection refused")
	canonical := "http://app:3000/lp?other=s3cr3t-value"
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"plain", cause, "connection refused"},
		{"of a client", &url.Error{Op: "Get", URL: canonical, Err: cause}, "connection refused"},
		{"wrapped", fmt.Errorf("fill: %w", &url.Error{Op: "Get", URL: canonical, Err: cause}), "connection refused"},
		{"twice", &url.Error{Op: "Get", URL: canonical, Err: &url.Error{Op: "Get", URL: canonical, Err: cause}}, "connection refused"},
		{"without a cause", &url.Error{Op: "Get", URL: canonical}, "Get"},
		{"it quotes a value", errors.New("no friend like friend"), "no [hidden] like [hidden]"},
		{"it quotes an escaped value", errors.New("a b c is not x"), "[hidden] is not x"},
		{"a value overlaps itself", errors.New("_ababab_"), "_[hidden]_"},
		{"values overlap", errors.New("12345678"), "[hidden]"},
		{"it quotes a plain value", errors.New("the source is source-lp"), "the source is source-lp"},
		{"it is long", errors.New(strings.Repeat("語", 400)), strings.Repeat("語", 170) + "..."},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &Record{Event: EventFault, Query: "ref=friend&source=source-lp&e=a%20b%20c&x=x&f=123456&g=345678&h=abab", Err: c.err}
			if got := observed(Options{}, zapcore.InfoLevel, r)[0].ContextMap()["error"]; got != c.want {
				t.Errorf("error = %q, want %q", got, c.want)
			}
		})
	}
}

// TestNoSecretIsWritten puts one value, in several spellings, wherever a visitor
// can put it, and looks for it in the line.
func TestNoSecretIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hidden := rapid.StringMatching(`s3cr3t-[A-Za-z0-9]{6,20}( [a-z]{3,8})?`).Draw(t, "hidden")
		parts := []string{"ref", "source", "a;b", "x%3B", "s%6Furce", "語", "\x00", "a b", "name[]", strings.Repeat("n", 80), ""}
		spelled := []string{hidden, url.QueryEscape(hidden), url.PathEscape(hidden)}
		pairs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
			name := rapid.SampledFrom(parts).Draw(t, "name")
			value := rapid.SampledFrom(spelled).Draw(t, "value")
			switch rapid.IntRange(0, 5).Draw(t, "shape") {
			case 0:
				return value // a bare token
			case 1:
				return "source=lp;token=" + value // plain, and then not
			case 2:
				return value + ";" + name + "=1"
			case 3:
				return name + "=?" + name + "=" + value
			case 4:
				return name + "="
			default:
				return name + "=" + value
			}
		}), 0, 80).Draw(t, "pairs")
		// What the operator declared plain is not hidden.
		pairs = slices.DeleteFunc(pairs, func(p string) bool {
			return strings.HasPrefix(p, "source=") && !strings.Contains(p, ";")
		})
		r := full(rapid.SampledFrom(AllEvents()).Draw(t, "event"))
		r.Query = strings.Join(pairs, "&")
		r.Err = &url.Error{Op: "Get", URL: "http://app/?" + r.Query, Err: errors.New("no route to ?" + r.Query)}
		r.Detail = "it reads " + r.Query
		r.Address, r.Marks = "s3cr3t-address", "sid="+hidden
		line := string(written(t, r, Options{}))
		for _, s := range append(spelled, "s3cr3t-address") {
			if strings.Contains(line, s) {
				t.Fatalf("%q of the query %q is in the line\n%s", s, r.Query, line)
			}
		}
		if !json.Valid([]byte(line)) {
			t.Fatalf("the line is not JSON: %s", line)
		}
	})
}

func TestDisabledCostsNothing(t *testing.T) {
	warn := zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{}), zapcore.AddSync(io.Discard), zapcore.WarnLevel)
	r := full(EventServe)
	for name, l := range map[string]*Log{
		"level":    New(zap.New(warn), Options{}),
		"sampling": New(zap.New(jsonCore(zapcore.AddSync(io.Discard))), Options{Serves: Sampling{leftOut: sampleWhole}}),
	} {
		defer l.Close()
		if n := testing.AllocsPerRun(1000, func() { l.Write(r, onlySource) }); n != 0 {
			t.Errorf("%s: a record that is not written allocates %v times", name, n)
		}
	}
}
