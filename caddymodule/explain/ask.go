package explain

import (
	"fmt"
	"io"

	"github.com/cacheward/cacheward/policies"
)

// Question is what one wants to know: of one request, or of two whether they share.
type Question struct {
	Requests []Request `json:"requests"`
	// Response is the origin's answer to the canonical request of the first one. Own is
	// its answer to the first request itself; it is not looked at without Response.
	Response *Response `json:"response,omitempty"`
	Own      *Response `json:"own,omitempty"`
	// Profiles are those of whose CDNs one wants to know what they would be told of the
	// first request; [AllProfiles] is every one of them.
	Profiles []string `json:"profiles,omitempty"`
}

// Answer is what there is to say, by each policy that was asked.
type Answer struct {
	Schema  int       `json:"schema"`
	Reports []*Report `json:"reports"`
}

// Report is what one policy makes of a question.
type Report struct {
	// Policy says whose it is: a file, or a handler of the running proxy.
	Policy       string         `json:"policy"`
	Explanations []*Explanation `json:"explanations"`
	// Sharing is nil unless there were two requests.
	Sharing *Sharing `json:"sharing,omitempty"`
}

// Ask answers a question by a policy, which is called name.
func Ask(name string, policy *policies.Policy, compiled *policies.Compiled, q Question) (*Report, error) {
	if n := len(q.Requests); n != 1 && n != 2 {
		return nil, fmt.Errorf("%d requests were given; one or two were expected", n)
	}
	report := &Report{Policy: name}
	for i, r := range q.Requests {
		e, err := Explain(policy, compiled, r)
		if err != nil {
			return nil, err
		}
		if i == 0 && q.Response != nil {
			e.Judge(*q.Response)
			if q.Own != nil {
				if err := e.Corroborate(*q.Own); err != nil {
					return nil, err
				}
			}
		}
		if i == 0 {
			if err := e.Speak(q.Profiles); err != nil {
				return nil, err
			}
		}
		report.Explanations = append(report.Explanations, e)
	}
	if len(q.Requests) == 2 {
		s := Compare(report.Explanations[0], report.Explanations[1])
		report.Sharing = &s
	}
	return report, nil
}

// Governed says whether a route matches any of the requests.
func (r *Report) Governed() bool {
	for _, e := range r.Explanations {
		if e.Route.Name != policies.DefaultRule {
			return true
		}
	}
	return false
}

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer, color bool) error {
	for i, e := range r.Explanations {
		if i > 0 {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		if err := e.WriteText(w, color); err != nil {
			return err
		}
	}
	if r.Sharing == nil {
		return nil
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return r.Sharing.WriteText(w, color)
}
