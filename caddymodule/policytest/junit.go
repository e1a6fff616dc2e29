package policytest

import (
	"encoding/xml"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// JUnit XML, as CI systems read it: there is no standard, but this part of it is common
// to all of them.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		File     string      `xml:"file,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string       `xml:"name,attr"`
		Class   string       `xml:"classname,attr"`
		File    string       `xml:"file,attr"`
		Failure *junitDetail `xml:"failure"`
		Error   *junitDetail `xml:"error"`
	}
	junitDetail struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

func writeJUnit(w io.Writer, r *Result) error {
	out := junitSuites{Name: "cacheward test"}
	for i := range r.Files {
		f := &r.Files[i]
		suite := junitSuite{Name: f.Name, File: f.Name}
		class := strings.TrimSuffix(filepath.ToSlash(f.Name), Suffix)
		for _, fault := range f.Faults {
			suite.Errors++
			suite.Cases = append(suite.Cases, junitCase{
				Name: "the file can be run", Class: class, File: f.Name,
				Error: &junitDetail{Message: fault.Message, Type: "fault", Text: joined(fault.At+": "+fault.Message, fault.Fix)},
			})
		}
		for _, t := range f.Tests {
			test := junitCase{Name: t.Name, Class: class, File: f.Name}
			if !t.Passed {
				suite.Failures++
				first := t.Mismatches[0]
				var text strings.Builder
				p := &printer{w: &text}
				p.mismatches(t.Mismatches)
				test.Failure = &junitDetail{
					Message: fmt.Sprintf("%s: want %s, got %s", first.What, first.Want, first.Got), Type: "mismatch", Text: text.String(),
				}
			}
			suite.Cases = append(suite.Cases, test)
		}
		suite.Tests = len(suite.Cases)
		out.Tests, out.Failures, out.Errors = out.Tests+suite.Tests, out.Failures+suite.Failures, out.Errors+suite.Errors
		out.Suites = append(out.Suites, suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func joined(a, b string) string {
	if b == "" {
		return a
	}
	return a + "; " + b
}
