package demo

import (
	"reflect"
	"strings"
	"testing"
)

func TestAuditLog(t *testing.T) {
	divergent := func(d divergence) *explanation { return &explanation{[]string{"divergent"}, &d} }
	for name, test := range map[string]struct {
		log    string
		why    map[string]*explanation
		waited int
	}{
		"empty": {},
		"the first of each host": {
			log: `{"event":"diverge","host":"a","reasons":["divergent"],"divergence":{"class":"token","part":"body","near":"input lead","input":"cookie ref","shape":"hex-24","entropy":"random","spans":[{}]}}
				{"event":"refuse","host":"b","reasons":["set-cookie","private"]}
				{"event":"refuse","host":"a","reasons":["private"]}`,
			why: map[string]*explanation{
				"a": divergent(divergence{Class: "token", Part: "body", Near: "input lead", Input: "cookie ref", Shape: "hex-24", Entropy: "random"}),
				"b": {Reasons: []string{"set-cookie", "private"}},
			},
		},
		"what explains nothing": {
			log: `{"event":"store","host":"a"}
				{"event":"refuse","host":"a"}
				{"event":"bypass","host":"a","outcome":"bypass","reasons":["identity"]}
				{"event":"bypass","host":"a","outcome":"fill","reasons":["divergent"]}`,
		},
		"who waited": {
			log: `{"event":"bypass","host":"a","outcome":"pass","reasons":["divergent"]}
				{"event":"bypass","host":"a","outcome":"pass","reasons":["divergent","remembered-refusal"]}
				{"event":"bypass","host":"a","outcome":"pass","reasons":["route-diverging"]}
				{"event":"bypass","host":"a","outcome":"pass","reasons":["fills-full"]}
				{"event":"bypass","host":"a","outcome":"pass"}`,
			waited: 1,
		},
		"another type": {
			log: `{"event":"diverge","host":"a","reasons":["divergent"],"divergence":{"input":{"kind":"cookie"},"shape":"hex-24"}}`,
			why: map[string]*explanation{"a": divergent(divergence{Shape: "hex-24"})},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if test.why == nil {
				test.why = map[string]*explanation{}
			}
			got, err := parseAudit(strings.NewReader(test.log))
			if want := (audited{test.why, test.waited}); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("read %+v, %v; want %+v", got, err, want)
			}
		})
	}
	for name, log := range map[string]string{"broken off": `{"event":"refuse","ho`, "too long": strings.Repeat(" ", maxRecord+1)} {
		if _, err := parseAudit(strings.NewReader(log)); err == nil {
			t.Errorf("%s: no error, one was expected", name)
		}
	}
}

func TestExplanationInWords(t *testing.T) {
	for want, e := range map[string]*explanation{
		"no record":                              nil,
		"–":                                      {},
		"set-cookie":                             {Reasons: []string{"set-cookie", "private"}},
		"divergent: token, hex-24 at input lead": {[]string{"divergent"}, &divergence{Class: "token", Shape: "hex-24", Near: "input lead", Field: "Set-Cookie"}},
		"divergent: –, – at –":                   {[]string{"divergent"}, &divergence{}},
		"divergent: reflected-input cookie ref, text-9 at X-Ref": {[]string{"divergent"}, &divergence{
			Class: "reflected-input", Input: "cookie ref", Shape: "text-9", Field: "X-Ref",
		}},
	} {
		if got := e.String(); got != want {
			t.Errorf("%+v: %q, want %q", e, got, want)
		}
	}
}

func FuzzAuditLog(f *testing.F) {
	f.Add(pcRecord + "\n" + phoneRecord)
	f.Add(`{"event":"diverge","host":"a","reasons":[7],"divergence":[]}`)
	f.Add(`{"event":"refuse","reasons":["private"],"divergence":null}`)
	f.Fuzz(func(t *testing.T, log string) {
		said, err := parseAudit(strings.NewReader(log))
		if err != nil {
			return
		}
		for host, e := range said.why {
			if len(e.Reasons) == 0 || e.String() == "no record" {
				t.Errorf("host %q: an explanation without a reason: %+v", host, e)
			}
		}
		if lines := strings.Count(log, "\n") + 1; said.waited+len(said.why) > lines {
			t.Errorf("%d records read out of %d lines", said.waited+len(said.why), lines)
		}
	})
}
