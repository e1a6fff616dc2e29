package policies

import (
	"regexp"
	"strings"
	"testing"
)

func TestReasonCatalogue(t *testing.T) {
	all := AllReasons()
	if len(all) != int(reasonCount)-1 {
		t.Fatalf("%d reasons listed, %d defined", len(all), reasonCount-1)
	}
	code := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	reference := regexp.MustCompile(`^(RFC \d{4} §\d+(\.\d+)*|RFC \d{4} §\d+(\.\d+)*, .*|attacks \d.*|design \d+)$`)
	classes := map[ReasonClass]bool{InRequest: true, InAmbiguous: true, InPolicy: true, InResponse: true, InBody: true, InCache: true, InFault: true}
	seen, used := make(map[string]Reason), make(map[ReasonClass]bool)
	for _, r := range all {
		info := r.Info()
		if !code.MatchString(info.Code) {
			t.Errorf("reason %d: %q is not a kebab-case code", r, info.Code)
		}
		if other, taken := seen[info.Code]; taken {
			t.Errorf("%q is the code of reasons %d and %d", info.Code, other, r)
		}
		seen[info.Code] = r
		if !classes[info.Class] {
			t.Errorf("%s: %q is no class", info.Code, info.Class)
		}
		used[info.Class] = true
		for what, text := range map[string]string{"sentence": info.Sentence, "advice": info.Advice} {
			if len(text) < 10 || !strings.HasSuffix(text, ".") || strings.TrimSpace(text) != text || strings.Contains(text, "\n") {
				t.Errorf("%s: %q is no %s", info.Code, text, what)
			}
		}
		if !reference.MatchString(info.Reference) {
			t.Errorf("%s: %q is no reference", info.Code, info.Reference)
		}
		if r.String() != info.Code {
			t.Errorf("%s: String is %q", info.Code, r)
		}
		if text, err := r.MarshalText(); err != nil || string(text) != info.Code {
			t.Errorf("%s: MarshalText is %q, %v", info.Code, text, err)
		}
	}
	for class := range classes {
		if !used[class] {
			t.Errorf("no reason is of class %q", class)
		}
	}
}

func TestReasonOutOfRange(t *testing.T) {
	for _, r := range []Reason{reasonCount, 255} {
		if info := r.Info(); !strings.HasPrefix(info.Code, "reason-") || info.Class != InFault {
			t.Errorf("reason %d: got %+v", r, info)
		}
	}
	if got := ReasonNone.String(); got == "" {
		t.Error("no reason has no code")
	}
	for _, r := range AllReasons() {
		if r == ReasonNone {
			t.Error("none is listed as a reason")
		}
	}
}

func TestVerdict(t *testing.T) {
	var v Verdict
	v.add(ReasonHeaderBypass)
	v.raise(ActDeny, ReasonDenied)
	v.add(ReasonMethod)
	v.add(ReasonHeaderBypass)
	checkReasons(t, v, ActDeny, ReasonHeaderBypass, ReasonDenied, ReasonMethod)
	v.order()
	checkReasons(t, v, ActDeny, ReasonDenied, ReasonMethod, ReasonHeaderBypass)
	if v := (Verdict{}); v.Action != ActCache || v.Reasons != nil {
		t.Error("the zero verdict is not to cache")
	}
}
