package demo

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// maxRecord bounds one line of the audit log, in bytes.
const maxRecord = 1 << 20

// explanation is a record of the audit log that says why a page was not shared, as far
// as it is shown here. It is also the JSON form. The fields are described in
// caddymodule/audit/SCHEMA.md; those that a record does not have are empty.
type explanation struct {
	// Reasons are the codes of the reasons, most telling first.
	Reasons []string `json:"reasons"`
	// Divergence says where two answers of the app differed; nil: no such thing.
	Divergence *divergence `json:"divergence,omitempty"`
}

// divergence describes the first place at which two answers of the app differed.
type divergence struct {
	Class   string `json:"class,omitempty"`
	Part    string `json:"part,omitempty"`
	Field   string `json:"field,omitempty"`
	Near    string `json:"near,omitempty"`
	Input   string `json:"input,omitempty"`
	Shape   string `json:"shape,omitempty"`
	Entropy string `json:"entropy,omitempty"`
}

// String is the explanation in one line: the first reason and, of a difference, its
// class, the input that is repeated there, its shape and its place.
func (e *explanation) String() string {
	if e == nil {
		return "no record"
	}
	said := dash(first(e.Reasons))
	d := e.Divergence
	if d == nil {
		return said
	}
	said += ": " + dash(d.Class)
	if d.Input != "" {
		said += " " + d.Input
	}
	return said + ", " + dash(d.Shape) + " at " + dash(cmp.Or(d.Near, d.Field))
}

func first(codes []string) string {
	if len(codes) == 0 {
		return ""
	}
	return codes[0]
}

// dash stands for what a record does not have.
func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// audited is what an audit log says.
type audited struct {
	// why is the first explanation for each host.
	why map[string]*explanation
	// waited counts requests that waited for the verdict on another one's answer.
	waited int
}

// line is a record.
type line struct {
	Event   string `json:"event"`
	Outcome string `json:"outcome"`
	Host    string `json:"host"`
	explanation
}

// readAudit reads the audit log of an edge that has stopped.
func readAudit(path string) (audited, error) {
	file, err := os.Open(path)
	if err != nil {
		return audited{}, fmt.Errorf("reading the audit log: %w", err)
	}
	said, err := parseAudit(file)
	return said, errors.Join(err, file.Close())
}

// parseAudit reads audit records, one JSON object a line. Fields that it does not know,
// or that have another type than is expected, count as absent.
func parseAudit(r io.Reader) (audited, error) {
	said := audited{why: make(map[string]*explanation)}
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, maxRecord)
	for number := 1; scanner.Scan(); number++ {
		var l line
		err := json.Unmarshal(scanner.Bytes(), &l)
		if _, odd := errors.AsType[*json.UnmarshalTypeError](err); err != nil && !odd {
			return audited{}, fmt.Errorf("audit log, line %d: %w", number, err)
		}
		said.take(l)
	}
	if err := scanner.Err(); err != nil {
		return audited{}, fmt.Errorf("reading the audit log: %w", err)
	}
	return said, nil
}

func (a *audited) take(l line) {
	switch {
	case l.Event == "diverge" || l.Event == "refuse":
		if a.why[l.Host] == nil && len(l.Reasons) > 0 {
			a.why[l.Host] = &l.explanation
		}
	case l.waited():
		a.waited++
	}
}

// waited says whether a request waited for the verdict on another one's answer: it
// caused no fill, and is told the reason without that having been remembered.
func (l line) waited() bool {
	if l.Outcome != "pass" || len(l.Reasons) == 0 {
		return false
	}
	return !slices.ContainsFunc(l.Reasons, func(reason string) bool {
		return reason == "remembered-refusal" || reason == "route-diverging" || strings.HasSuffix(reason, "-full")
	})
}
