package command

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cacheward/cacheward/policies"
	"github.com/cacheward/cacheward/policies/lint"
)

// maxFileBytes bounds each file that is read.
const maxFileBytes = 16 << 20

// loader makes one unit of a file and all that it names. What is wrong with the files
// becomes faults of the unit, never an error: people want to see all of it.
type loader struct {
	files  map[string][]byte
	faults policies.Diagnostics
	// wd is the working folder; names of files below it are told relative to it, and
	// others too if the file that was asked for was named so.
	wd       string
	relative bool
	lines    map[string][]string
	found    map[fileLine]int
}

// kind is the form of a file.
type kind int

const (
	policyFile kind = iota
	caddyfileFile
	caddyJSON
)

// kindOf tells the form by the name, and for JSON by what is in it.
func kindOf(name string, data []byte) kind {
	base := filepath.Base(name)
	switch strings.ToLower(filepath.Ext(base)) {
	case ".yaml", ".yml":
		return policyFile
	case ".json":
		if root, err := parseJSONTree(name, data); err == nil && root.get("apps") != nil {
			return caddyJSON
		}
		return policyFile
	case ".caddyfile":
		return caddyfileFile
	}
	if strings.HasPrefix(base, "Caddyfile") || !looksLikePolicy(data) {
		return caddyfileFile
	}
	return policyFile
}

// load reads a file, and everything that it refers to, into a unit. The unit of one that
// cannot be read has no files.
func load(name string) *lint.Unit {
	data, err := readBounded(name)
	if err != nil {
		shown := display(workingDir(), name)
		return unreadable(shown, err.Error())
	}
	return loadData(name, data)
}

// loadData reads what is called name.
func loadData(name string, data []byte) *lint.Unit {
	shown := display(workingDir(), name)
	if len(data) > maxFileBytes {
		return unreadable(shown, tooLong)
	}
	kind := kindOf(name, data)
	if kind == policyFile {
		return lint.Load(shown, data)
	}
	l := &loader{
		files: map[string][]byte{shown: data}, wd: workingDir(), relative: !filepath.IsAbs(name),
		lines: make(map[string][]string), found: make(map[fileLine]int),
	}
	u := &lint.Unit{Name: shown}
	if kind == caddyJSON {
		l.caddyJSON(u, shown, data)
	} else {
		l.caddyfile(u, name, data)
	}
	u.Files, u.Faults = l.files, append(u.Faults, l.faults...)
	return u
}

func unreadable(name, why string) *lint.Unit {
	return &lint.Unit{Name: name, Faults: policies.Diagnostics{{Pos: policies.Position{File: name}, Message: why}}}
}

var tooLong = fmt.Sprintf("it is longer than %d MiB", maxFileBytes>>20)

// readBounded reads a regular file that is not too long. The error is for people, and
// does not name the file.
func readBounded(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, cause(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no regular file")
	}
	if info.Size() > maxFileBytes {
		return nil, errors.New(tooLong)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, cause(err)
	}
	if len(data) > maxFileBytes {
		return nil, errors.New(tooLong)
	}
	return data, nil
}

// cause is the error without the file's name.
func cause(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}

func (l *loader) fault(pos policies.Position, message, fix string) {
	l.faults = append(l.faults, policies.Diagnostic{Pos: pos, Message: message, Fix: fix})
}

// failed takes the mistakes out of an error of package policies.
func (l *loader) failed(err error, pos policies.Position) {
	if diags, ok := errors.AsType[policies.Diagnostics](err); ok {
		l.faults = append(l.faults, diags...)
		return
	}
	l.fault(pos, err.Error(), "")
}

func workingDir() string {
	wd, err := os.Getwd()
	if err != nil {
		return ""
	}
	return wd
}

// display is the name of a file as it is told.
func (l *loader) display(name string) string {
	if l.relative && filepath.IsAbs(name) {
		if rel, err := filepath.Rel(l.wd, name); err == nil {
			return filepath.ToSlash(rel)
		}
	}
	return display(l.wd, name)
}

// display is the name of a file as it is told: relative to the working folder for what
// is below it.

func display(wd, name string) string {
	if !filepath.IsAbs(name) {
		return filepath.ToSlash(filepath.Clean(name))
	}
	if rel, err := filepath.Rel(wd, name); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return filepath.ToSlash(name)
}

// policyAt reads a policy file that a configuration names.
func (l *loader) policyAt(name string, named policies.Position) *policies.Policy {
	shown := l.display(name)
	data, err := readBounded(name)
	if err != nil {
		l.fault(named, fmt.Sprintf("policy %s: %v", shown, err), "give the path of a policy file")
		return nil
	}
	l.files[shown] = data
	parse := policies.ParseYAML
	if strings.EqualFold(filepath.Ext(name), ".json") {
		parse = policies.ParseJSON
	}
	policy, err := parse(shown, data)
	if err != nil {
		l.failed(err, policies.Position{File: shown})
		return nil
	}
	return policy
}

// scope joins the two parts of a handler's policy and compiles them.
func (l *loader) scope(u *lint.Unit, inline, file *policies.Policy, pos policies.Position, hosts []string) int {
	policy, err := policies.Merge(inline, file)
	if err != nil {
		l.failed(err, pos)
		return -1
	}
	compiled, err := policies.Compile(policy, "lint")
	if err != nil {
		l.failed(err, pos)
	}
	u.Scopes = append(u.Scopes, lint.Scope{Policy: policy, Compiled: compiled, Pos: pos, Hosts: hosts})
	return len(u.Scopes) - 1
}
