package policytest

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the files that tests compare with anew")

// sample has one of everything that is told.
func sample() Result {
	r := Collect([]FileResult{
		{Name: "good.cachetest.yaml", Policy: "p.yaml", Tests: []TestResult{{Name: "all is well", At: "good.cachetest.yaml:3:11", Passed: true}}, Skipped: 2},
		{Name: "bad.cachetest.yaml", Policy: "p.yaml", Tests: []TestResult{
			{Name: "a referral code <is> kept", At: "bad.cachetest.yaml:3:11", Mismatches: []Mismatch{
				{At: "bad.cachetest.yaml:5:20", Request: "GET https://a.example/?ref=alice (alice)", What: "action", Want: "bypass", Got: "cache"},
				{At: "bad.cachetest.yaml:6:20", Request: "GET https://a.example/?ref=alice (alice)", What: "params.ref", Want: "bypass", Got: "strip", Because: "p.yaml:9:3: params.others"},
				{At: "bad.cachetest.yaml:7:20", Request: "GET https://a.example/ (bob)", What: "stored", Want: "false", Got: "true", Because: "one line\nand another"},
			}},
		}},
		{Name: "broken.cachetest.yaml", Faults: []Fault{{At: "broken.cachetest.yaml:1:1", Message: "unknown key \"x\"", Fix: "accepted: policy"}}},
	})
	r.Coverage = []PolicyCoverage{{Policy: "p.yaml", Routes: 2, RoutesReached: 1, Inputs: 5, InputsReached: 2, Missing: []Uncovered{
		{At: "p.yaml:1:1", Input: "identity.cookies.0", Name: "session"},
		{At: "p.yaml:3:1", Route: "page", Input: "params.strip.0", Name: "ref"},
		{At: "p.yaml:4:1", Route: "page", Input: "params.others", Name: "bypass"},
		{Route: "assets"},
	}}}
	return r
}

// TestFormats compares every format with its golden file.
func TestFormats(t *testing.T) {
	for _, format := range append(Formats(), "text-color") {
		t.Run(format, func(t *testing.T) {
			r := sample()
			name, color := strings.CutSuffix(format, "-color")
			var b bytes.Buffer
			if err := Write(&b, name, &r, Options{Color: color, Verbose: !color}); err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/report."+format+".golden", b.String())
		})
	}
	if err := Write(new(bytes.Buffer), "yaml", new(Result), Options{}); err == nil {
		t.Error("an unknown format was written")
	}
}

// TestJSONRoundTrip holds that the JSON form says everything.
func TestJSONRoundTrip(t *testing.T) {
	r := sample()
	var b bytes.Buffer
	if err := Write(&b, "json", &r, Options{}); err != nil {
		t.Fatal(err)
	}
	var back Result
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(r, back) {
		t.Errorf("read back:\n%+v\nwant:\n%+v", back, r)
	}
}

// TestJUnitCounts holds that the sums of the XML are those of what is in it.
func TestJUnitCounts(t *testing.T) {
	r := sample()
	var b bytes.Buffer
	if err := Write(&b, "junit", &r, Options{}); err != nil {
		t.Fatal(err)
	}
	var suites junitSuites
	if err := xml.Unmarshal(b.Bytes(), &suites); err != nil {
		t.Fatal(err)
	}
	tests, failures, faults := 0, 0, 0
	for _, s := range suites.Suites {
		for _, c := range s.Cases {
			tests++
			if c.Failure != nil {
				failures++
			}
			if c.Error != nil {
				faults++
			}
		}
	}
	if tests != suites.Tests || failures != suites.Failures || faults != suites.Errors || failures != r.Failed || faults != r.Faults {
		t.Errorf("%d tests, %d failures, %d errors; the XML says %d, %d, %d", tests, failures, faults, suites.Tests, suites.Failures, suites.Errors)
	}
}

// TestVisible holds that what a file says cannot speak to the terminal.
func TestVisible(t *testing.T) {
	if got := visible("a\x1b[31mb\r\nc"); strings.ContainsAny(got, "\x1b\r") || !strings.Contains(got, "\nc") {
		t.Errorf("%q", got)
	}
}
