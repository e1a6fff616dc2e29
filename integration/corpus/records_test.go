package corpus

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// record is a line of the audit log, as far as the tests look at it.
type record struct {
	Event      string      `json:"event"`
	Route      string      `json:"route"`
	Reasons    []string    `json:"reasons"`
	Divergence *divergence `json:"divergence"`
	Findings   []finding   `json:"findings"`
	Error      string      `json:"error"`
}

// place is what a record says of a place in an answer.
type place struct {
	Part   string `json:"part"`
	Field  string `json:"field"`
	Offset int64  `json:"offset"`
	Shape  string `json:"shape"`
	Near   string `json:"near"`
	Class  string `json:"class"`
	Input  string `json:"input"`
}

type divergence struct {
	place
	Spans []place `json:"spans"`
	Total int     `json:"spans_total"`
}

type finding struct {
	Kind     string `json:"kind"`
	Detector string `json:"detector"`
	Input    string `json:"input"`
	Near     string `json:"near"`
}

// readLog reads the audit log, by route. A line that is being written is left out, and
// a fault fails the test.
func readLog(t *testing.T, file string) map[string][]record {
	t.Helper()
	data, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]record{}
	for line := range bytes.Lines(data) {
		if line[len(line)-1] != '\n' {
			break
		}
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("audit record %s: %v", line, err)
		}
		if r.Event == "fault" {
			t.Fatalf("fault on route %q for %v: %s", r.Route, r.Reasons, r.Error)
		}
		all[r.Route] = append(all[r.Route], r)
	}
	return all
}

// verdict is the first record that says what became of a route's page, or nil.
func verdict(records []record) *record {
	for i := range records {
		switch records[i].Event {
		case "store", "refuse", "diverge":
			return &records[i]
		}
	}
	return nil
}

// nears are all the names that the record has of places that differ.
func (d *divergence) nears() []string {
	names := []string{d.Near}
	for _, s := range d.Spans {
		names = append(names, s.Near)
	}
	return names
}

// inputs are all the inputs that the record says came back.
func (d *divergence) inputs() []string {
	names := []string{d.Input}
	for _, s := range d.Spans {
		names = append(names, s.Input)
	}
	return names
}

// oneOf says whether one of got is one of the |-separated words.
func oneOf(want string, got ...string) bool {
	return slices.ContainsFunc(strings.Split(want, "|"), func(w string) bool { return slices.Contains(got, w) })
}

// explains checks the record of a divergence against the page's entry.
func (p *page) explains(t *testing.T, r *record) {
	t.Helper()
	d := r.Divergence
	switch {
	case r.Event != "diverge" || d == nil || !slices.Contains(r.Reasons, "divergent"):
		t.Errorf("%s for %v with divergence %+v; want diverge for divergent", r.Event, r.Reasons, d)
		return
	case !oneOf(p.class, d.Class):
		t.Errorf("class %q of %+v; want %s", d.Class, *d, p.class)
	}
	if p.near != "" && !oneOf(p.near, d.nears()...) {
		t.Errorf("near %q; want %s", d.nears(), p.near)
	}
	switch {
	case p.input != "" && !oneOf(p.input, d.inputs()...):
		t.Errorf("input %q; want %s", d.inputs(), p.input)
	case p.input == "" && d.Input != "":
		t.Errorf("input %q, and nothing of the request came back", d.Input)
	case slices.Contains(r.Reasons, "reflects-input") != (p.input != ""):
		t.Errorf("reasons %v; reflects-input is to be there if an input came back: %t", r.Reasons, p.input != "")
	}
}

// finds checks the record of a refusal of one answer against the page's entry.
func (p *page) finds(t *testing.T, r *record) {
	t.Helper()
	found := slices.ContainsFunc(r.Findings, func(f finding) bool {
		return f.Kind == "marker" && f.Detector == string(p.once)
	})
	if r.Event != "refuse" || !slices.Contains(r.Reasons, "state-in-body") || !found {
		t.Errorf("%s for %v with findings %+v; want refuse for state-in-body by %s", r.Event, r.Reasons, r.Findings, p.once)
	}
}
