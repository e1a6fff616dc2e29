package command

import (
	"bytes"
	"encoding/xml"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
	"github.com/cacheward/cacheward/caddymodule/probe"
)

// What JUnit XML has of a probe.
type (
	probeSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Suites   []probeSuite `xml:"testsuite"`
	}
	probeSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Cases    []probeCase `xml:"testcase"`
	}
	probeCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		Failure *probeMessage `xml:"failure"`
		Error   *probeMessage `xml:"error"`
	}
	probeMessage struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// probeJUnit has a suite for each URL and a test for each input. A leak is a failure, and
// what nothing could be found out about is an error.
func probeJUnit(r *probe.Report) (string, error) {
	out := probeSuites{Name: "cacheward probe"}
	for i := range r.URLs {
		u := &r.URLs[i]
		suite := probeSuite{Name: show.Safe(u.URL)}
		for _, in := range u.Inputs {
			suite.add(u, in.Input, in.Verdict, u.Leaks)
		}
		if u.Edge != nil {
			suite.add(u, "the edge", u.Edge.Verdict, u.Edge.Leaks)
		}
		out.Tests, out.Failures, out.Errors = out.Tests+suite.Tests, out.Failures+suite.Failures, out.Errors+suite.Errors
		out.Suites = append(out.Suites, suite)
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	encoder := xml.NewEncoder(&b)
	encoder.Indent("", "  ")
	if err := encoder.Encode(out); err != nil {
		return "", err
	}
	b.WriteByte('\n')
	return b.String(), nil
}

func (s *probeSuite) add(u *probe.URLReport, name string, v probe.Verdict, leaks []probe.Evidence) {
	c := probeCase{Name: show.Safe(name), Class: show.Safe(u.URL)}
	s.Tests++
	switch v {
	case probe.Leak:
		c.Failure = &probeMessage{Message: "leak"}
		for _, e := range leaks {
			if name == "the edge" || e.Group == name {
				if c.Failure.Message == "leak" {
					c.Failure.Message = show.Safe(e.Sentence)
				}
				c.Failure.Text += show.Safe(e.Sentence+" "+e.URL+" at "+e.Received.UTC().Format(time.RFC3339Nano)) + "\n"
			}
		}
		s.Failures++
	case probe.Unknown:
		c.Error = &probeMessage{Message: "nothing could be found out", Text: show.Safe(strings.Join(slices.Concat(u.Errors, u.Notes), "; "))}
		s.Errors++
	}
	s.Cases = append(s.Cases, c)
}
