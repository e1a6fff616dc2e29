package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
)

// readExpected reads the expected outcomes; a missing file expects nothing.
func readExpected(t *testing.T, file string) map[string]outcome {
	t.Helper()
	expected := map[string]outcome{}
	data, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return expected
	}
	if err == nil {
		err = json.Unmarshal(data, &expected)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return expected
}

// writeExpected writes the outcomes, a line each, sorted.
func writeExpected(t *testing.T, file string, got map[string]outcome) {
	t.Helper()
	var out bytes.Buffer
	out.WriteString("{")
	for i, id := range slices.Sorted(maps.Keys(got)) {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, "\n  %q: %q", id, got[id])
	}
	out.WriteString("\n}\n")
	if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// difference is a test whose outcome is not the expected one.
type difference struct {
	id        string
	want, got outcome
}

func (d difference) String() string {
	switch {
	case d.want == "":
		return fmt.Sprintf("%s: %s, of which nothing is expected yet", d.id, d.got)
	case d.got == "":
		return fmt.Sprintf("%s: %s expected, but there is no such test", d.id, d.want)
	case d.got.passed() && !d.want.passed():
		return fmt.Sprintf("%s: an unexpected gain: %s, was %s", d.id, d.got, d.want)
	}
	return fmt.Sprintf("%s: %s, was %s", d.id, d.got, d.want)
}

// differences compares outcomes with the expected ones, both ways.
func differences(want, got map[string]outcome) []difference {
	ids := map[string]bool{}
	for id := range want {
		ids[id] = true
	}
	for id := range got {
		ids[id] = true
	}
	var found []difference
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if want[id] != got[id] {
			found = append(found, difference{id, want[id], got[id]})
		}
	}
	return found
}

// deviation is a way in which Cacheward chooses to differ from what tests ask.
type deviation struct {
	Reason string   `json:"reason"`
	Tests  []string `json:"tests"`
}

func readDeviations(t *testing.T) []deviation {
	t.Helper()
	data, err := os.ReadFile("deviations.json")
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var all []deviation
	if err := decoder.Decode(&all); err != nil {
		t.Fatalf("deviations.json: %v", err)
	}
	return all
}

// unreasoned returns what is wrong with the reasons: required and optimal tests that
// do not pass and have none (one that only depends on another has that one's), and
// reasons for tests that pass or do not exist.
func unreasoned(questions []question, r *result, deviations []deviation) []string {
	got := r.outcomes
	reasoned := map[string]bool{}
	var problems []string
	for _, d := range deviations {
		if d.Reason == "" {
			problems = append(problems, fmt.Sprintf("a deviation has no reason: %v", d.Tests))
		}
		for _, id := range d.Tests {
			switch {
			case reasoned[id]:
				problems = append(problems, id+": has two reasons to deviate")
			case got[id] == "":
				problems = append(problems, id+": has a reason to deviate, but there is no such test")
			case got[id].passed():
				problems = append(problems, id+": has a reason to deviate, but passes")
			}
			reasoned[id] = true
		}
	}
	for _, q := range questions {
		if q.Kind == "check" || got[q.ID].passed() || got[q.ID] == dependency || reasoned[q.ID] {
			continue
		}
		problems = append(problems, fmt.Sprintf("%s: %s, with no reason in deviations.json\n%s: %s\n%s",
			q.ID, got[q.ID], q.Kind, q.Name, r.findings[q.ID]))
	}
	return problems
}

func TestDifferences(t *testing.T) {
	want := map[string]outcome{"same": pass, "lost": pass, "gained": no, "gone": yes}
	got := map[string]outcome{"same": pass, "lost": fail, "gained": yes, "new": pass}
	var lines []string
	for _, d := range differences(want, got) {
		lines = append(lines, d.String())
	}
	if !slices.Equal(lines, []string{
		"gained: an unexpected gain: yes, was no",
		"gone: yes expected, but there is no such test",
		"lost: fail, was pass",
		"new: pass, of which nothing is expected yet",
	}) {
		t.Errorf("differences: %q", lines)
	}
}

func TestUnreasoned(t *testing.T) {
	questions := []question{
		{ID: "passes", Kind: "required"}, {ID: "fails", Kind: "required"}, {ID: "reasoned", Kind: "optimal"},
		{ID: "depends", Kind: "required"}, {ID: "check", Kind: "check"}, {ID: "setup", Kind: "optimal"},
	}
	got := &result{outcomes: map[string]outcome{
		"passes": pass, "fails": fail, "reasoned": fail, "depends": dependency, "check": no, "setup": setup,
	}}
	problems := unreasoned(questions, got, []deviation{{"because", []string{"reasoned", "passes", "unknown", "reasoned"}}, {}})
	if len(problems) != 6 {
		t.Errorf("%d problems, want 6: %q", len(problems), problems)
	}
	if problems := unreasoned(questions, got, []deviation{{"because", []string{"fails", "reasoned", "setup"}}}); len(problems) > 0 {
		t.Errorf("all have reasons, but: %q", problems)
	}
}
