package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime/debug"
	"slices"

	"github.com/cacheward/cacheward/policies"
	"github.com/cacheward/cacheward/policies/lint"
)

// judged is everything that one run has found.
type judged struct {
	units []*lint.Unit
	found []lint.Finding
	stale []lint.KnownFinding
}

// execute runs the command. An error means that it could not.
func (o *lintOptions) execute(args []string) (int, error) {
	switch {
	case o.list:
		return 0, o.listRules()
	case o.explain != "":
		return 0, o.explainRule()
	}
	var input []byte
	if slices.Contains(args, "-") {
		var err error
		if input, err = io.ReadAll(io.LimitReader(o.stdin, maxFileBytes+1)); err != nil {
			return 0, fmt.Errorf("reading standard input: %w", err)
		}
	}
	// The command ends soon, and half its time would be the garbage collector's.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	j, err := o.judge(args, input)
	if err != nil {
		return 0, err
	}
	if o.fix {
		if j, err = o.repair(args, input, j); err != nil {
			return 0, err
		}
	}
	if o.writeBaseline != "" {
		var b bytes.Buffer
		if err := lint.WriteBaseline(&b, j.found); err != nil {
			return 0, err
		}
		if err := os.WriteFile(o.writeBaseline, b.Bytes(), 0o644); err != nil {
			return 0, fmt.Errorf("writing the baseline: %w", err)
		}
	}
	if err := o.report(j); err != nil {
		return 0, err
	}
	return o.exit(j), nil
}

// exit is the status. A baseline that has just been written holds all that was found.
func (o *lintOptions) exit(j *judged) int {
	if !slices.ContainsFunc(j.units, func(u *lint.Unit) bool { return len(u.Scopes) > 0 || u.Site != nil || len(u.Faults) == 0 }) {
		return 2
	}
	if o.exitZero || o.writeBaseline != "" && !j.unreadable() {
		return 0
	}
	if slices.ContainsFunc(j.units, func(u *lint.Unit) bool { return len(u.Files) == 0 }) {
		return 1
	}
	for _, f := range j.found {
		if f.Suppressed == nil && f.Severity.AtLeast(lint.Severity(o.failOn)) {
			return 1
		}
	}
	return 0
}

func (j *judged) unreadable() bool {
	return slices.ContainsFunc(j.units, func(u *lint.Unit) bool { return len(u.Faults) > 0 })
}

// judge reads the files and lets all rules look at them.
func (o *lintOptions) judge(args []string, input []byte) (*judged, error) {
	units, err := o.units(args, input)
	if err != nil {
		return nil, err
	}
	j := &judged{units: units}
	seen := make(map[findingKey]bool)
	for _, u := range units {
		if len(u.Files) == 0 {
			continue // the report has a place for it
		}
		found := lint.Suppress(u, lint.Run(u, o.rules), o.now, !o.noInline)
		for _, f := range found {
			// Two Caddyfiles may share a policy, and both are judged with it.
			if key := (findingKey{f.Rule, f.Pos, f.Message}); !seen[key] {
				seen[key] = true
				j.found = append(j.found, f)
			}
		}
	}
	if o.baseline != "" {
		data, err := readBounded(o.baseline)
		if err != nil {
			return nil, fmt.Errorf("--baseline %s: %w", o.baseline, err)
		}
		known, err := lint.ReadBaseline(data)
		if err != nil {
			return nil, fmt.Errorf("--baseline %s: %w", o.baseline, err)
		}
		j.found, j.stale = lint.ApplyBaseline(known, j.found)
	}
	return j, nil
}

type findingKey struct {
	rule    string
	pos     policies.Position
	message string
}

// units loads what is to be judged.
func (o *lintOptions) units(args []string, input []byte) ([]*lint.Unit, error) {
	files, err := find(args)
	if len(args) == 0 {
		files, err = discover()
	}
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, errors.New("there is nothing to judge: no Caddyfile, cacheward.yaml or policies/*.yaml from here upwards, or in the folders that were named")
	}
	var units []*lint.Unit
	byItself := make(map[*lint.Unit]bool)
	within := make(map[string]int)
	for _, f := range files {
		var u *lint.Unit
		if f.name == "-" {
			u = o.fromStdin(input)
		} else {
			u = load(f.name)
		}
		byItself[u] = f.named
		units = append(units, u)
		for name := range u.Files {
			within[name]++
		}
	}
	// A file that was come across and belongs to a Caddyfile is judged there.
	return slices.DeleteFunc(units, func(u *lint.Unit) bool {
		return !byItself[u] && within[u.Name] > 1 && u.Site == nil
	}), nil
}

func (o *lintOptions) fromStdin(input []byte) *lint.Unit {
	name := o.stdinName
	if name == "" {
		name = "<stdin>"
		if looksLikePolicy(input) {
			return lint.Load(name, input)
		}
		if trimmed := bytes.TrimSpace(input); bytes.HasPrefix(trimmed, []byte("{")) && bytes.HasSuffix(trimmed, []byte("}")) {
			if _, err := parseJSONTree(name, input); err == nil {
				name = "stdin.json"
			}
		}
	}
	return loadData(name, input)
}

// maxRounds bounds how often files are corrected and judged again.
const maxRounds = 100

// repair shows what can be corrected mechanically, or does it and judges again what is
// left.
func (o *lintOptions) repair(args []string, input []byte, j *judged) (*judged, error) {
	for range maxRounds {
		changed := false
		files := make(map[string][]byte)
		for _, u := range j.units {
			maps.Copy(files, u.Files)
		}
		for _, name := range slices.Sorted(maps.Keys(files)) {
			edits := lint.PickEdits(name, j.found)
			if len(edits) == 0 {
				continue
			}
			diff, err := lint.Diff(name, files[name], edits)
			if err != nil {
				return nil, fmt.Errorf("correcting %s: %w", name, err)
			}
			if len(diff) == 0 {
				continue
			}
			if !o.write {
				o.showDiff(diff)
				continue
			}
			after, err := lint.ApplyEdits(files[name], edits)
			if err != nil {
				return nil, fmt.Errorf("correcting %s: %w", name, err)
			}
			if err := writeBack(name, after); err != nil {
				return nil, err
			}
			fmt.Fprintf(o.stderr, "%s corrected\n", name)
			changed = true
		}
		if !changed {
			return j, nil
		}
		var err error
		if j, err = o.judge(args, input); err != nil {
			return nil, err
		}
	}
	return j, nil
}

// showDiff writes where it disturbs nobody who reads the report.
func (o *lintOptions) showDiff(diff []byte) {
	w := o.stderr
	if o.format == "text" {
		w = o.stdout
	}
	_, _ = w.Write(diff) // the report that follows fails the same way, and says so
}

// writeBack writes a file that is there, and leaves its permissions as they are.
func writeBack(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return fmt.Errorf("correcting %s: %w", name, cause(err))
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("correcting %s: %w", name, cause(err))
	}
	return nil
}
