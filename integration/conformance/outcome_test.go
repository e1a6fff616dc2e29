package conformance

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

// question is a test: what is asked, and how much the answer matters.
type question struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Family string `json:"family"`
	// Kind is required (the standard says so), optimal (a better cache would) or
	// check (caches differ, and may).
	Kind string `json:"kind"`
	// DependsOn names the tests without whose passing this one says nothing.
	DependsOn []string `json:"depends_on"`
}

// finding is what running a test gave: nil if all was as asked.
type finding = *complaint

// complaint says what was not as asked.
type complaint struct {
	// Class is Assertion, the name of an exception, or Setup: the test could not be
	// put into effect, so that nothing can be said.
	Class   string
	Message string
}

func (c *complaint) String() string {
	if c == nil {
		return "all as asked"
	}
	return c.Class + ": " + c.Message
}

// parseFindings reads the output of the suite's client: true, or class and message.
func parseFindings(data []byte) (map[string]finding, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return nil, fmt.Errorf("the suite's results: %w", err)
	}
	findings := make(map[string]finding, len(raw))
	for id, value := range raw {
		if string(value) == "true" {
			findings[id] = nil
			continue
		}
		var pair []string
		if err := json.Unmarshal(value, &pair); err != nil || len(pair) == 0 {
			return nil, fmt.Errorf("the suite's result for %s: %s", id, value)
		}
		pair = append(pair, "")
		findings[id] = &complaint{pair[0], pair[1]}
	}
	return findings, nil
}

// outcome is the verdict on one test.
type outcome string

const (
	pass       outcome = "pass"       // required or optimal: as asked
	fail       outcome = "fail"       // required or optimal: not as asked
	yes        outcome = "yes"        // check: it does that
	no         outcome = "no"         // check: it does not
	setup      outcome = "setup"      // could not be put into effect
	retry      outcome = "retry"      // one request of the client's became several at the origin
	dependency outcome = "dependency" // a test on which this one depends did not pass
	untested   outcome = "untested"   // has no result
)

// passed reports whether the outcome is a point gained.
func (o outcome) passed() bool { return o == pass || o == yes }

// outcomes judges every test as the suite's own display does.
func outcomes(questions []question, findings map[string]finding) map[string]outcome {
	byID := make(map[string]question, len(questions))
	for _, q := range questions {
		byID[q.ID] = q
	}
	verdicts := make(map[string]outcome, len(questions))
	var judge func(id string) outcome
	judge = func(id string) outcome {
		if verdict, done := verdicts[id]; done {
			return verdict
		}
		found, tested := findings[id]
		q, known := byID[id]
		verdict := untested
		if tested && known {
			met := !slices.ContainsFunc(q.DependsOn, func(id string) bool { return !judge(id).passed() })
			verdict = verdictOn(q.Kind, found, met)
		}
		verdicts[id] = verdict
		return verdict
	}
	for _, q := range questions {
		judge(q.ID)
	}
	return verdicts
}

func verdictOn(kind string, found finding, dependenciesMet bool) outcome {
	switch {
	case !dependenciesMet:
		return dependency
	case found != nil && found.Class == "Setup" && found.Message == "retry":
		return retry
	case found != nil && found.Class == "Setup":
		return setup
	case kind == "check" && found == nil:
		return yes
	case kind == "check":
		return no
	case found == nil:
		return pass
	}
	return fail
}

func TestOutcomes(t *testing.T) {
	questions := []question{
		{ID: "base", Kind: "required"},
		{ID: "broken", Kind: "required"},
		{ID: "optimal", Kind: "optimal", DependsOn: []string{"base"}},
		{ID: "check", Kind: "check"},
		{ID: "on-check", Kind: "required", DependsOn: []string{"check"}},
		{ID: "not", Kind: "check"},
		{ID: "on-not", Kind: "required", DependsOn: []string{"not"}},
		{ID: "on-broken", Kind: "required", DependsOn: []string{"base", "broken"}},
		{ID: "on-on-broken", Kind: "check", DependsOn: []string{"on-broken"}},
		{ID: "setup", Kind: "check"},
		{ID: "retry", Kind: "optimal"},
		{ID: "thrown", Kind: "optimal"},
		{ID: "left-out", Kind: "required"},
		{ID: "on-left-out", Kind: "required", DependsOn: []string{"left-out"}},
		{ID: "setup-on-broken", Kind: "required", DependsOn: []string{"broken"}},
	}
	findings, err := parseFindings([]byte(`{
		"base": true, "broken": ["Assertion", "no"], "optimal": true, "check": true, "on-check": true,
		"not": ["Assertion", "no"], "on-not": true, "on-broken": true, "on-on-broken": true,
		"setup": ["Setup", "status is 502"], "retry": ["Setup", "retry"], "thrown": ["TypeError"],
		"on-left-out": true, "setup-on-broken": ["Setup", "status is 502"]}`))
	if err != nil {
		t.Fatal(err)
	}
	got := outcomes(questions, findings)
	for id, want := range map[string]outcome{
		"base": pass, "broken": fail, "optimal": pass, "check": yes, "on-check": pass,
		"not": no, "on-not": dependency, "on-broken": dependency, "on-on-broken": dependency,
		"setup": setup, "retry": retry, "thrown": fail,
		"left-out": untested, "on-left-out": dependency, "setup-on-broken": dependency,
	} {
		if got[id] != want {
			t.Errorf("%s: %s, want %s", id, got[id], want)
		}
	}
	for _, malformed := range []string{``, `[]`, `{"a": false}`, `{"a": []}`, `{"a": ["Assertion", 1]}`} {
		if _, err := parseFindings([]byte(malformed)); err == nil {
			t.Errorf("%s was read as results", malformed)
		}
	}
}
