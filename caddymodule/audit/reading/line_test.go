package reading

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// standard is what unmarshal is with the build tag cacheward_stdjson.
func standard(raw []byte, v any) error {
	err := json.Unmarshal(raw, v)
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return errMistyped
	}
	if err != nil {
		return errNotJSON
	}
	return nil
}

// TestServesPct: none are written is not the same as nothing said.
func TestServesPct(t *testing.T) {
	for member, want := range map[string]Entry{
		``: {}, `,"serves_pct":0`: {Unserved: true}, `,"serves_pct":5.5`: {ServesPct: 5.5}, `,"serves_pct":null`: {},
	} {
		var l line
		if kind := l.decode([]byte(`{"msg":"cacheward","event":"store","ts":1`+member+`}`), unmarshal); kind != none ||
			l.Entry.ServesPct != want.ServesPct || l.Unserved != want.Unserved {
			t.Errorf("%q: %v, %v, %v", member, kind, l.Entry.ServesPct, l.Unserved)
		}
	}
}

// TestMoments: what is no time in RFC 3339 makes no record.
func TestMoments(t *testing.T) {
	at := time.Date(2026, 11, 23, 3, 0, 0, 120e6, time.UTC)
	for member, want := range map[string]time.Time{
		``: {}, `,"from":""`: {}, `,"from":null`: {}, `,"from":"2026-11-23T03:00:00.120Z"`: at, `,"from":"2026-11-23T12:00:00.12+09:00"`: at,
	} {
		var l line
		if kind := l.decode([]byte(`{"msg":"cacheward","event":"leak","ts":1`+member+`}`), unmarshal); kind != none || !l.Entry.From.Equal(want) || l.Entry.From.Location() != time.UTC {
			t.Errorf("%q: %v, %v", member, kind, l.Entry.From)
		}
	}
	for _, member := range []string{`"from":1`, `"from":"three"`, `"until":"2026-11-23 03:00:00"`, `"until":"9999-12-31T23:59:59-23:00"`, `"until":"0000-01-01T00:00:00+23:00"`} {
		var l line
		if kind := l.decode([]byte(`{"msg":"cacheward","event":"leak","ts":1,`+member+`}`), unmarshal); kind != Mistyped {
			t.Errorf("%s: %v", member, kind)
		}
	}
}

// TestEvidenceIsKept: nothing of it refers to the line, which is overwritten.
func TestEvidenceIsKept(t *testing.T) {
	raw := []byte(`{"msg":"cacheward","event":"leak","ts":1,"probe":true,"evidence":{"kind":"canary","giver":"X","receiver":"Y","input":"param ref",` +
		`"where":"body, byte 570","phase":"at once","sentence":"Y was given what X had sent.","status":{"age":"12","x-cache":"HIT"}}}`)
	want := &Evidence{
		Kind: "canary", Giver: "X", Receiver: "Y", Input: "param ref", Where: "body, byte 570", Phase: "at once",
		Sentence: "Y was given what X had sent.", Status: map[string]string{"age": "12", "x-cache": "HIT"},
	}
	var l line
	if kind := l.decode(raw, unmarshal); kind != none {
		t.Fatal(kind)
	}
	new(keeper).keep(&l.Entry)
	clear(raw)
	if !l.Probe || !reflect.DeepEqual(l.Evidence, want) {
		t.Errorf("%+v", l.Evidence)
	}
	(&keeper{brief: true}).keep(&l.Entry)
	if l.Evidence != nil || !l.Probe {
		t.Error("a brief entry has the evidence, or is no probe any more")
	}
}

// FuzzDecode: what one library takes for a record the other does, and the same.
func FuzzDecode(f *testing.F) {
	for _, raw := range bytes.Split(bytes.TrimSpace(generated(60, 9)), newline) {
		f.Add(raw)
	}
	for _, raw := range []string{
		whole,
		`{"msg":"cacheward","event":"serve","ts":1,"EVENT":"store","Route":"A","ROUTE":null,"reaſons":["x"],"\u006dsg":"cacheward"}`,
		`{"msg":"cacheward","event":"serve","event":"store","ts":1,"ts":2,"reasons":["a","b"],"reasons":["c"],"status":1,"status":null}`,
		`{"msg":"cacheward","event":"diverge","ts":1,"divergence":{"class":"a","spans":[{"class":"b"}]},"divergence":{"near":"c","spans":[{}]}}`,
		`{"msg":"cacheward","event":"store","ts":1,"findings":[{"kind":"a"},{"kind":"b"}],"findings":[{"near":"c"}],"findings":null}`,
		"{\"msg\":\"cacheward\",\"event\":\"serve\",\"ts\":1,\"url\":\"\xff\xed\xa0\x80\\ud800\\udc00\\ud800x\"}",
		`{"msg":"cacheward","event":"serve","ts":1,"status":1e2,"coding":"br","size_bytes":9223372036854775808,"ttl_s":-0.0,"age_s":1e999}`,
		`{"msg":"cacheward","event":"serve","ts":1,"serves_pct":5,"SERVES_PCT":0,"serves_pct":null}`,
		`{"msg":"cacheward","event":"serve","ts":"2026-11-23T03:00:00Z","soft":"true","divergence":[],"findings":{}}`,
		`{"msg":"cacheward","event":"leak","ts":1,"from":"2026-11-23T03:00:00.000Z","until":"2026-11-23T03:00:01Z","evidence":{"kind":"canary","status":{"age":"1","Age":"2","a\u0067e":"3"}}}`,
		`{"msg":"cacheward","event":"leak","ts":1,"FROM":"","until":null,"evidence":{"status":{"a":"1"}},"evidence":{"kind":"x","status":{"b":null}}}`,
		`{"msg":"cacheward","event":"leak","ts":1,"probe":true,"probe":null,"evidence":{"status":{"a":1,"b":"2"}},"from":"9999-12-31T23:59:59-23:00"}`,
		`{"msg":"cacheward","event":"serve","ts":1,"attribution":{"landing":"a","params":["ref"],"paid":true,"landed":"2026-11-23T03:00:00.000Z"}}`,
		`{"msg":"cacheward","event":"bypass","ts":1,"attribution":{"landing":"a","LANDED":"x"},"ATTRIBUTION":{"landed":"","Params":["a"],"params":[null]}}`,
		`null`, `[]`, ` `, `{`, "{}\x00", `"cacheward"`,
	} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		raw = bytes.TrimSpace(raw)
		original := bytes.Clone(raw)
		var got, want line
		gotKind := got.decode(raw, unmarshal)
		new(keeper).keep(&got.Entry)
		if !bytes.Equal(raw, original) {
			t.Fatal("the line was changed")
		}
		if wantKind := want.decode(raw, standard); gotKind != wantKind {
			t.Fatalf("%q is %v; with encoding/json %v", raw, gotKind, wantKind)
		}
		if gotKind.record() && !reflect.DeepEqual(got.Entry, want.Entry) {
			t.Fatalf("%q\nis                  %+v\nwith encoding/json  %+v", raw, got.Entry, want.Entry)
		}
	})
}

// TestLibrariesAgree puts members together that a fuzzer seldom does: the same name
// twice, in other cases, with values that merge.
func TestLibrariesAgree(t *testing.T) {
	member := rapid.Custom(func(t *rapid.T) string {
		name := rapid.SampledFrom([]string{
			"msg", "Msg", "ts", "event", "EVENT", "route", "reasons", "Reaſons", "status", "soft", "divergence", "DIVERGENCE", "findings", "more",
			`\u0065vent`, "ſtatus", "size_bytes", "sizebytes", "coding", "Coding", "edge", "Edge",
			"probe", "from", "UNTIL", "evidence", "Evidence", "attribution", "Attribution",
		}).Draw(t, "name")
		value := rapid.SampledFrom([]string{
			`"cacheward"`, `"serve"`, `""`, `null`, `1`, `2.5`, `-7`, `true`, `[]`, `["a","b"]`, `["c"]`, `[null]`, `[null,"d"]`, `{}`,
			`{"class":"x","spans":[{"near":"y"},{"field":"z"}]}`, `{"spans":[{}]}`, `{"spans":[null,{}]}`, `{"class":null,"Class":"q"}`,
			`[{"kind":"k"},{"near":"n"}]`, `[{}]`, `[{"field":"f"},null]`,
			`{"landing":"a","params":["b"],"landed":"2026-11-23T03:00:00Z"}`, `{"landed":null,"Landed":"x","paid":1}`, `{"params":["c"],"carried":"cookie"}`,
			`{"kind":"canary","status":{"age":"1"}}`, `{"status":{"age":null,"x":"y"}}`, `{"status":null}`, `{"status":{"a":1}}`, `{"status":{"":""},"Status":{}}`, `"\ud83d\ude00\ud800"`, `[`, `"`, `1e400`, `"2026-11-23T03:00:00Z"`,
		}).Draw(t, "value")
		return `"` + name + `":` + value
	})
	rapid.Check(t, func(t *rapid.T) {
		raw := `{"msg":"cacheward","event":"serve","ts":1`
		for range rapid.IntRange(0, 6).Draw(t, "members") {
			raw += "," + member.Draw(t, "member")
		}
		raw += "}"
		var got, want line
		gotKind, wantKind := got.decode([]byte(raw), unmarshal), want.decode([]byte(raw), standard)
		if gotKind != wantKind || gotKind.record() && !reflect.DeepEqual(got.Entry, want.Entry) {
			t.Fatalf("%s\nis %v                 %+v\nwith encoding/json %v %+v", raw, gotKind, got.Entry, wantKind, want.Entry)
		}
	})
}
