package policytest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/cacheward/cacheward/caddymodule/explain"
	"github.com/cacheward/cacheward/policies"
)

// Runner runs files of tests. The zero value runs all tests of policies in YAML and JSON.
type Runner struct {
	// Load reads the policy of a test file. The site is that of [File.Site]; the error
	// may be [policies.Diagnostics]. Nil: [LoadPolicy].
	Load func(path, site string) (*policies.Policy, error)
	// Policy replaces the policies that the test files name. Empty: those.
	Policy string
	// Only selects tests by their names. Nil: all.
	Only *regexp.Regexp
	// Coverage says that what no test exercises is told.
	Coverage bool

	// covered is by the policy's file and site, so that several test files of one
	// policy add up.
	covered map[string]*coverage
	order   []string
}

// RunFile reads a file and runs its tests. It never fails: what cannot be run is told in
// the result.
func (r *Runner) RunFile(name string) FileResult {
	data, err := readBounded(name)
	if err != nil {
		return FileResult{Name: name, Faults: faultsOf(policies.Position{File: name}, err)}
	}
	f, err := Parse(name, data)
	if err != nil {
		return FileResult{Name: name, Faults: faultsOf(policies.Position{File: name}, err)}
	}
	return r.Run(f)
}

// Run runs the tests of a file.
func (r *Runner) Run(f *File) FileResult {
	out := FileResult{Name: f.Name, Policy: beside(f.Name, f.Policy.Value)}
	if r.Policy != "" {
		out.Policy = r.Policy
	}
	load := r.Load
	if load == nil {
		load = LoadPolicy
	}
	policy, err := load(out.Policy, f.Site.Value)
	if err != nil {
		out.Faults = faultsOf(f.Policy.Pos, err)
		return out
	}
	compiled, err := policies.Compile(policy, "")
	if err != nil {
		out.Faults = faultsOf(f.Policy.Pos, err)
		return out
	}
	run := fileRun{file: f, policy: policy, compiled: compiled}
	run.names(&out)
	if len(out.Faults) > 0 {
		return out
	}
	if r.Coverage {
		run.covered = r.coverageOf(out.Policy+"\x00"+f.Site.Value, out.Policy, policy)
	}
	for i := range f.Tests {
		t := &f.Tests[i]
		if r.Only != nil && !r.Only.MatchString(t.Name.Value) {
			out.Skipped++
			continue
		}
		out.Tests = append(out.Tests, run.test(t))
	}
	return out
}

// LoadPolicy reads a policy in YAML or JSON.
func LoadPolicy(path, site string) (*policies.Policy, error) {
	if site != "" {
		return nil, errors.New("site: is for Caddyfiles, and this is a policy by itself")
	}
	data, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	parse := policies.ParseYAML
	if filepath.Ext(path) == ".json" {
		parse = policies.ParseJSON
	}
	return parse(path, data)
}

// maxFileBytes bounds each file that is read: tests, policies, bodies.
const maxFileBytes = 16 << 20

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", withoutPath(err))
	}
	if !info.Mode().IsRegular() || info.Size() > maxFileBytes {
		return nil, fmt.Errorf("%s is no file, or longer than %d MiB", path, maxFileBytes>>20)
	}
	return os.ReadFile(path)
}

func withoutPath(err error) error {
	if inner, ok := errors.AsType[*os.PathError](err); ok {
		return fmt.Errorf("%s: %w", inner.Path, inner.Err)
	}
	return err
}

// beside is the path of what a test file names.
func beside(file, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(file), name)
}

// fileRun is a file that is being run.
type fileRun struct {
	file     *File
	policy   *policies.Policy
	compiled *policies.Compiled
	covered  *coverage // nil: nobody asked
}

// names holds that the routes which tests expect are there: a test of a route that was
// renamed must not fail as if the request had gone astray.
func (run *fileRun) names(out *FileResult) {
	known := make([]string, 0, len(run.policy.Routes)+1)
	for i := range run.policy.Routes {
		known = append(known, run.policy.Routes[i].Name)
	}
	known = append(known, policies.DefaultRule)
	for i := range run.file.Tests {
		if route := run.file.Tests[i].Expect.Route; route != nil && !slices.Contains(known, route.Value) {
			out.Faults = append(out.Faults, Fault{
				At: route.Pos.String(), Message: fmt.Sprintf("the policy has no route %q", route.Value), Fix: policies.Suggest(route.Value, known),
			})
		}
	}
}

// explain asks the engine what happens to a request.
func (run *fileRun) explain(r Request) (*explain.Explanation, error) {
	return explain.Explain(run.policy, run.compiled, r.explained())
}

// test runs one test.
func (run *fileRun) test(t *Test) TestResult {
	out := TestResult{Name: t.Name.Value, At: t.Name.Pos.String()}
	for i, r := range t.Requests {
		c := &checker{run: run, test: t, request: r.label(t, i), asked: r.explained()}
		e, err := run.explain(r)
		if err != nil {
			c.differ(r.URL.Pos, "request", "one that servers accept", err.Error(), "")
		} else {
			run.covered.note(e)
			if c.judge(e) {
				c.check(e)
			}
		}
		out.Mismatches = append(out.Mismatches, c.out...)
	}
	out.Passed = len(out.Mismatches) == 0
	return out
}

// label is how a request is called in messages. It begins with the method: CI systems
// obey lines that begin in some other ways.
func (r Request) label(t *Test, i int) string {
	label := r.Method + " " + r.URL.Value
	switch {
	case r.Name.Value != "":
		return fmt.Sprintf("%s (%s)", label, r.Name.Value)
	case len(t.Requests) > 1:
		return fmt.Sprintf("%s (request %d)", label, i+1)
	}
	return label
}

// find returns the requests that a name stands for: one of the file, or those of a test.
func (f *File) find(name string) []Request {
	for _, r := range f.Requests {
		if r.Name.Value == name {
			return []Request{r}
		}
	}
	for i := range f.Tests {
		if f.Tests[i].Name.Value == name {
			return f.Tests[i].Requests
		}
	}
	return nil
}
