package policytest

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/explain"
	"github.com/cacheward/cacheward/policies"
)

// explained is the request as package explain takes it.
func (r Request) explained() explain.Request {
	h := make(http.Header)
	for _, f := range r.Headers {
		h.Add(f.Name.Value, f.Value)
	}
	if len(r.Cookies) > 0 {
		pairs := make([]string, len(r.Cookies))
		for i, c := range r.Cookies {
			pairs[i] = c.Name.Value + "=" + c.Value
		}
		h.Add("Cookie", strings.Join(pairs, "; "))
	}
	return explain.Request{Method: r.Method, URL: r.URL.Value, Header: h, Address: r.Address.Value, Brief: true}
}

// explained is the response, with its body.
func (r *Response) explained(f *File) (explain.Response, error) {
	out := explain.Response{Status: r.Status, Header: make(http.Header), Body: []byte(r.Body)}
	for _, h := range r.Headers {
		out.Header.Add(h.Name.Value, h.Value)
	}
	if r.BodyFile.Value != "" {
		body, err := readBounded(beside(f.Name, r.BodyFile.Value))
		if err != nil {
			return out, err
		}
		out.Body = body
	}
	return out, nil
}

// judge has the engine judge the test's response, if it has one. It is false if the body
// could not be read.
func (c *checker) judge(e *explain.Explanation) bool {
	if c.test.Response == nil {
		return true
	}
	var answers []explain.Response
	for _, r := range []*Response{c.test.Response, c.test.OwnResponse} {
		if r == nil {
			r = c.test.Response
		}
		answer, err := r.explained(c.run.file)
		if err != nil {
			c.differ(r.BodyFile.Pos, "body_file", "a file", err.Error(), "")
			return false
		}
		answers = append(answers, answer)
	}
	e.Judge(answers[0])
	if err := e.Corroborate(answers[1]); err != nil {
		c.differ(c.test.Response.Pos, "response", "a comparison", err.Error(), "")
		return false
	}
	return true
}

// response compares what becomes of the response.
func (c *checker) response(e *explain.Explanation) {
	x, j := &c.test.Expect, e.Response
	if j == nil {
		return
	}
	if x.Stored != nil && x.Stored.Value != strconv.FormatBool(j.Stored) {
		got := strconv.FormatBool(j.Stored)
		if codes := j.Codes(); len(codes) > 0 {
			got += " (" + strings.Join(codes, ", ") + ")"
		}
		c.differ(x.Stored.Pos, "stored", x.Stored.Value, got, strings.Join(append(places(j), j.Notes...), "\n"))
	}
	c.reasons("refused", x.Refused, j.Reasons)
	if x.Lifetime != nil {
		want, _ := policies.ParseDuration(x.Lifetime.Value) // the parser has read it
		if got := time.Duration(j.Lifetime) * time.Second; time.Duration(want) != got {
			by := ""
			if j.LifetimeBy != "" {
				by = "it is given by the " + j.LifetimeBy
			}
			c.differ(x.Lifetime.Pos, "lifetime", want.String(), policies.Duration(got).String(), by)
		}
	}
	if x.Markers != nil {
		var found []explain.Reason // the same comparison of sets
		for _, m := range j.Markers {
			found = append(found, explain.Reason{Code: m.ID, Sentence: m.Finds})
		}
		c.reasons("markers", x.Markers, found)
	}
	fields := j.Hit
	if !j.Stored {
		fields = j.First
	}
	c.fields("downstream", x.Downstream, fields)
}

// places say why a response is not stored, and where in it.
func places(j *explain.Judgement) []string {
	var out []string
	if len(j.Reasons) > 0 {
		out = strings.Split(sentences(j.Reasons), "\n")
	}
	for _, m := range j.Markers {
		out = append(out, strings.TrimSpace("detector "+m.ID+" "+near(m.Near)))
	}
	for _, r := range j.Reflections {
		out = append(out, strings.TrimSpace("repeats the value of "+r.Input+" "+near(r.Near)))
	}
	if d := j.Divergence; d != nil {
		out = append(out, strings.TrimSpace("the two answers differ in the "+d.Part+" "+d.Field+" "+near(d.Near)))
	}
	return out
}

func near(name string) string {
	if name == "" {
		return ""
	}
	return "near " + name
}
