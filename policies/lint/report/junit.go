package report

import (
	"encoding/xml"
	"io"

	"github.com/cacheward/cacheward/policies/lint"
)

type junitSuites struct {
	XMLName  xml.Name      `xml:"testsuites"`
	Name     string        `xml:"name,attr"`
	Tests    int           `xml:"tests,attr"`
	Failures int           `xml:"failures,attr"`
	Errors   int           `xml:"errors,attr"`
	Skipped  int           `xml:"skipped,attr"`
	Suites   []*junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	File    string        `xml:"file,attr,omitempty"`
	Line    int           `xml:"line,attr,omitempty"`
	Failure *junitMessage `xml:"failure"`
	Error   *junitMessage `xml:"error"`
	Skipped *junitMessage `xml:"skipped"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// writeJUnit writes a suite for each file and a failed test for each finding in it. A
// suppressed finding is a skipped test, a file without findings a test that passes.
func writeJUnit(w io.Writer, r *Result) error {
	out, index := junitSuites{Name: "cacheward lint"}, make(map[string]*junitSuite)
	suite := func(file string) *junitSuite {
		if index[file] == nil {
			index[file] = &junitSuite{Name: file}
			out.Suites = append(out.Suites, index[file])
		}
		return index[file]
	}
	for _, file := range r.Judged {
		suite(slashed(file))
	}
	for _, u := range r.Unreadable {
		file := slashed(u.File)
		suite(file).add(junitCase{Name: "can be read", Class: file, File: file, Error: &junitMessage{Message: clean(u.Message)}})
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		at := r.place(f)
		suite(at.File).add(junitFinding(f, at))
	}
	for _, s := range out.Suites {
		if len(s.Cases) == 0 {
			s.add(junitCase{Name: "no findings", Class: s.Name, File: s.Name})
		}
		out.Tests += s.Tests
		out.Failures += s.Failures
		out.Errors += s.Errors
		out.Skipped += s.Skipped
	}
	return encodeXML(w, out)
}

func junitFinding(f *lint.Finding, at place) junitCase {
	c := junitCase{Name: title(f.Rule) + " at " + at.String(), Class: at.File, File: at.File, Line: at.Line}
	if s := f.Suppressed; s != nil {
		c.Skipped = &junitMessage{Message: clean(s.Kind + ": " + s.Reason)}
		return c
	}
	c.Failure = &junitMessage{Message: clean(f.Message), Type: string(f.Severity), Text: details(f)}
	return c
}

func (s *junitSuite) add(c junitCase) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
}
