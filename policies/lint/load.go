package lint

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

// MaxInput is the longest file that is looked into, in bytes. The reader of policies
// has a narrower bound of its own.
const MaxInput = 16 << 20

// Load makes a unit of a policy file: JSON if the name ends with .json, else YAML. What
// cannot be read is told in Unit.Faults, with places; Load does not fail, whatever the
// data is. A policy that was read but is not valid is in the scope without being
// compiled, for the rules that can do with that.
func Load(name string, data []byte) *Unit {
	u := &Unit{Name: name, Files: map[string][]byte{name: data}}
	if len(data) > MaxInput {
		u.Files[name] = nil // what is not judged is not kept either
		u.fault(name, fmt.Sprintf("the file is longer than %d MiB", MaxInput>>20), "split it, or leave it out")
		return u
	}
	parse := policies.ParseYAML
	if strings.EqualFold(path.Ext(name), ".json") {
		parse = policies.ParseJSON
	}
	p, err := parse(name, data)
	if err != nil {
		u.Fault(name, err)
		return u
	}
	u.Scopes = []Scope{{Policy: p}}
	compiled, err := policies.Compile(p, "lint")
	if err != nil {
		u.Fault(name, err)
		return u
	}
	u.Scopes[0].Compiled = compiled
	return u
}

// Fault notes what could not be read: the places that the error has, or else the file.
func (u *Unit) Fault(file string, err error) {
	if diags, ok := errors.AsType[policies.Diagnostics](err); ok {
		u.Faults = append(u.Faults, diags...)
		return
	}
	u.fault(file, err.Error(), "")
}

func (u *Unit) fault(file, message, fix string) {
	u.Faults = append(u.Faults, policies.Diagnostic{Pos: policies.Position{File: file}, Message: message, Fix: fix})
}
