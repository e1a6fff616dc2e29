package lint

import (
	"bytes"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/policies"
)

func finding(rule, file string, line int, route, message string) Finding {
	return Finding{Rule: rule, Severity: Error, Pos: policies.Position{File: file, Line: line, Column: 1}, Route: route, Message: message}
}

func TestFingerprints(t *testing.T) {
	base := finding("CW101", "a.yaml", 3, "landing", `"ref" is stripped, first at a.yaml:3:4`)
	print := Fingerprints([]Finding{base})[0]
	same := []Finding{
		finding("CW101", "./a.yaml", 9, "landing", `"ref" is stripped, first at a.yaml:30:4`),
		finding("CW101", "a.yaml", 9, "landing", `"ref"  is stripped, first`),
	}
	for _, f := range same {
		if got := Fingerprints([]Finding{f})[0]; got != print {
			t.Errorf("%+v has another fingerprint", f)
		}
	}
	for _, f := range []Finding{
		finding("CW102", "a.yaml", 3, "landing", base.Message),
		finding("CW101", "b.yaml", 3, "landing", base.Message),
		finding("CW101", "a.yaml", 3, "other", base.Message),
		finding("CW101", "a.yaml", 3, "landing", `"source" is stripped`),
	} {
		if Fingerprints([]Finding{f})[0] == print {
			t.Errorf("%+v has the same fingerprint", f)
		}
	}
	if twice := Fingerprints([]Finding{base, base}); twice[0] != print || twice[1] == print {
		t.Errorf("two that are equal: %v", twice)
	}
}

func TestBaseline(t *testing.T) {
	known, gone, fresh := finding("CW101", "a.yaml", 3, "r", "known"), finding("CW101", "a.yaml", 4, "r", "gone"), finding("CW101", "a.yaml", 5, "r", "fresh")
	unreadable := finding("CW001", "a.yaml", 6, "", "unreadable")
	inline := finding("CW201", "a.yaml", 7, "r", "inline")
	inline.Suppressed = &Suppression{Kind: Inline, Reason: "why"}
	var b bytes.Buffer
	if err := WriteBaseline(&b, []Finding{known, gone, unreadable, inline}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "unreadable") || strings.Contains(b.String(), "inline") {
		t.Errorf("the baseline has what it must not have:\n%s", b.String())
	}
	baseline, err := ReadBaseline(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	known.Pos.Line = 33
	marked, stale := ApplyBaseline(baseline, []Finding{known, known, fresh, unreadable, inline})
	for i, want := range []string{Baseline, "", "", "", Inline} {
		got := ""
		if s := marked[i].Suppressed; s != nil {
			got = s.Kind
		}
		if got != want {
			t.Errorf("%s: suppressed %q, want %q", marked[i].Message, got, want)
		}
	}
	if len(stale) != 1 || stale[0].Message != "gone" {
		t.Errorf("stale: %v", stale)
	}
	// Written anew over itself, it keeps what it knows.
	var again bytes.Buffer
	if err := WriteBaseline(&again, marked); err != nil || !strings.Contains(again.String(), `"known"`) {
		t.Errorf("%v: %s", err, again.String())
	}
}

func TestReadBaseline(t *testing.T) {
	for _, text := range []string{"", "{", "[]", `{"version": 2, "findings": []}`, `{"version": 1, "finding": []}`, `{"version": 1, "findings": []} x`, strings.Repeat(" ", MaxInput+1)} {
		if b, err := ReadBaseline([]byte(text)); err == nil {
			t.Errorf("%.40q is accepted: %v", text, b)
		}
	}
}

func FuzzReadBaseline(f *testing.F) {
	f.Add(`{"version": 1, "findings": [{"fingerprint": "00", "rule": "CW101", "file": "a", "message": "m"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		b, err := ReadBaseline([]byte(text))
		if err != nil {
			return
		}
		fresh := finding("CW101", "a.yaml", 1, "r", "m")
		if marked, stale := ApplyBaseline(b, []Finding{fresh}); marked[0].Suppressed == nil && len(stale) != len(b.Findings) {
			t.Errorf("%d of %d entries are stale", len(stale), len(b.Findings))
		}
	})
}
