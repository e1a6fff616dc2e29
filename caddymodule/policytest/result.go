package policytest

import (
	"errors"

	"github.com/cacheward/cacheward/policies"
)

// Schema is the version of the JSON form of a [Result].
const Schema = 1

// Result is what came of some test files.
type Result struct {
	Schema int          `json:"schema"`
	Files  []FileResult `json:"files"`
	// Passed and Failed count tests; Skipped those that were not selected; Faults what
	// could not be run.
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"`
	Faults  int `json:"faults"`
	// Coverage is nil unless it was asked for.
	Coverage []PolicyCoverage `json:"coverage,omitempty"`
}

// FileResult is what came of one file.
type FileResult struct {
	Name string `json:"name"`
	// Policy is the file of the policy, if the test file could be read.
	Policy string `json:"policy,omitempty"`
	// Faults are why the file could not be run. It has no tests then.
	Faults  []Fault      `json:"faults,omitempty"`
	Tests   []TestResult `json:"tests"`
	Skipped int          `json:"skipped,omitempty"`
}

// Fault is one thing that is wrong with a test file or with its policy.
type Fault struct {
	At      string `json:"at"`
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
}

// TestResult is what came of one test.
type TestResult struct {
	Name string `json:"name"`
	// At is where the test was written: file:line:column.
	At     string `json:"at"`
	Passed bool   `json:"passed"`
	// Mismatches are what did not hold.
	Mismatches []Mismatch `json:"mismatches,omitempty"`
}

// Mismatch is an expectation that does not hold.
type Mismatch struct {
	// At is where the expectation was written.
	At string `json:"at"`
	// Request is the method, the URL, and the name if it has one.
	Request string `json:"request"`
	// What was expected: route, params.ref, canonical.headers.Referer …
	What string `json:"what"`
	Want string `json:"want"`
	Got  string `json:"got"`
	// Because is the place in the policy that decides, and what stands there; or what a
	// reason means. May be empty.
	Because string `json:"because,omitempty"`
}

// Collect counts the results of files.
func Collect(files []FileResult) Result {
	out := Result{Schema: Schema, Files: files}
	for i := range files {
		f := &files[i]
		if f.Tests == nil {
			f.Tests = []TestResult{}
		}
		out.Skipped += f.Skipped
		out.Faults += len(f.Faults)
		for _, t := range f.Tests {
			if t.Passed {
				out.Passed++
			} else {
				out.Failed++
			}
		}
	}
	return out
}

// Exit is the exit status of the command: 0 if all tests passed, 1 if some did not, 2 if
// something could not be run, or nothing was.
func (r *Result) Exit() int {
	switch {
	case r.Faults > 0, r.Passed+r.Failed == 0:
		return 2
	case r.Failed > 0:
		return 1
	}
	return 0
}

// faultsOf are the mistakes in an error; where it says no place, they are at pos.
func faultsOf(pos policies.Position, err error) []Fault {
	diags, ok := errors.AsType[policies.Diagnostics](err)
	if !ok {
		return []Fault{{At: pos.String(), Message: err.Error()}}
	}
	var out []Fault
	for _, d := range diags {
		message := d.Message
		if d.Path != "" {
			message = d.Path + ": " + message
		}
		if d.Pos.Line == 0 { // about a file as a whole: who names it is the better place
			if d.Pos.File != "" && d.Pos.File != pos.File {
				message = d.Pos.File + ": " + message
			}
			d.Pos = pos
		}
		out = append(out, Fault{At: d.Pos.String(), Message: message, Fix: d.Fix})
	}
	return out
}
