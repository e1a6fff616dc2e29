package policytest

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"unicode"

	"github.com/cacheward/cacheward/policies"
	"golang.org/x/net/http/httpguts"
)

// The words of expectations.
const (
	actionCache  = "cache"
	actionBypass = "bypass"
	actionDeny   = "deny"

	notDelivered = "none"
)

// leftOut are the reasons to carry nothing that the request itself has; deliveries how
// the app may be told.
var (
	leftOut    = []string{"prefetch", "crawler", "consent", "bounds", "malformed"}
	deliveries = []string{string(policies.AsHeader), string(policies.AsQuery), string(policies.AsCookie), notDelivered}
)

// test reads one test.
func (p *parser) test(n *policies.Tree) {
	t := Test{Expect: Expect{Pos: n.Pos}}
	given, expects := false, false
	p.object(n, "a test", map[string]reader{
		"name": p.text(&t.Name, "a name"),
		"request": func(n *policies.Tree) {
			given = p.once(n, given)
			p.requestOf(&t, n)
		},
		"requests": func(n *policies.Tree) {
			given = p.once(n, given)
			p.each(n, "a list of requests", maxRequests, func(item *policies.Tree) { p.requestOf(&t, item) })
		},
		"response":     func(n *policies.Tree) { t.Response = p.response(n) },
		"own_response": func(n *policies.Tree) { t.OwnResponse = p.response(n) },
		"expect": func(n *policies.Tree) {
			expects = true
			t.Expect = p.expect(n)
		},
	})
	if n.Kind != policies.TreeMapping {
		return
	}
	switch {
	case t.Name.Value == "":
		p.fault(n.Pos, "the test has no name", "say in name what it holds the policy to")
	case strings.ContainsFunc(t.Name.Value, unicode.IsControl):
		p.fault(t.Name.Pos, "the name has a line break or a control character in it", "write it in one line")
	case p.tested[t.Name.Value]:
		p.fault(t.Name.Pos, fmt.Sprintf("two tests are called %q", t.Name.Value), "rename one of them")
	}
	p.tested[t.Name.Value] = true
	if !given || len(t.Requests) == 0 {
		p.fault(n.Pos, "the test has no request", "write request: with a url")
	}
	if !expects || t.Expect.empty() {
		p.fault(n.Pos, "the test expects nothing", "write expect: with a route, an action …")
	}
	if t.Expect.needsResponse() && t.Response == nil {
		p.fault(t.Expect.Pos, "the test expects something of a response, and gives none", "write response: with status and headers")
	}
	if t.OwnResponse != nil && t.Response == nil {
		p.fault(t.OwnResponse.Pos, "own_response is compared with response, and there is none", "write response: as well")
	}
	p.file.Tests = append(p.file.Tests, t)
}

func (p *parser) once(n *policies.Tree, given bool) bool {
	if given {
		p.fault(n.Pos, "the test has both request and requests", "write one of them")
	}
	return true
}

// requestOf adds a request to the test: one of the file, by its name, or one that is
// written here.
func (p *parser) requestOf(t *Test, n *policies.Tree) {
	if n.Kind != policies.TreeText {
		t.Requests = append(t.Requests, p.request(n))
		return
	}
	var known []string
	for _, r := range p.file.Requests {
		if r.Name.Value == n.Text {
			t.Requests = append(t.Requests, r)
			return
		}
		known = append(known, r.Name.Value)
	}
	p.fault(n.Pos, fmt.Sprintf("the file has no request %q", n.Text), policies.Suggest(n.Text, known))
	t.Requests = append(t.Requests, Request{}) // not missing, but wrong
}

// base reads what stands before URLs that begin with a slash.
func (p *parser) base(n *policies.Tree) {
	p.text(&p.file.Base, "a scheme and a host, such as https://example.com")(n)
	u, err := url.Parse(p.file.Base.Value)
	if n.Kind == policies.TreeText && (err != nil || !web(u) || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "") {
		p.fault(n.Pos, fmt.Sprintf("%q is no scheme and host", n.Text), "write for example https://example.com")
	}
}

func web(u *url.URL) bool { return (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" }

func (p *parser) request(n *policies.Tree) Request {
	r := Request{Method: http.MethodGet}
	if n.Kind == policies.TreeText { // in requests: name: URL
		p.target(&r, n)
		return r
	}
	var method Text
	p.object(n, "a request", map[string]reader{
		"method":  p.text(&method, "a method"),
		"url":     func(n *policies.Tree) { p.target(&r, n) },
		"headers": p.pairs(&r.Headers, "header fields and their values"),
		"cookies": p.pairs(&r.Cookies, "cookies and their values"),
		"address": p.text(&r.Address, "an address"),
	})
	if method.Value != "" {
		r.Method = method.Value
		if !httpguts.ValidHeaderFieldName(r.Method) {
			p.fault(method.Pos, fmt.Sprintf("%q is not a method", r.Method), "write GET, or leave it out")
		}
	}
	if r.URL.Pos == (policies.Position{}) && n.Kind == policies.TreeMapping {
		p.fault(n.Pos, "the request has no url", "write url: with a whole URL")
	}
	if _, err := netip.ParseAddr(r.Address.Value); r.Address.Value != "" && err != nil {
		p.fault(r.Address.Pos, fmt.Sprintf("%q is not an IP address", r.Address.Value), "write for example 192.0.2.7")
	}
	p.headerPairs(r.Headers)
	for _, c := range r.Cookies {
		if !httpguts.ValidHeaderFieldName(c.Name.Value) || strings.ContainsAny(c.Value, ";\r\n") {
			p.fault(c.Name.Pos, fmt.Sprintf("cookie %q cannot be sent like this", c.Name.Value), "to test malformed cookies write a Cookie header")
		}
	}
	return r
}

// target reads a URL. It stays as it is written: how a URL is spelled is one of the
// things that policies judge.
func (p *parser) target(r *Request, n *policies.Tree) {
	if p.text(&r.URL, "a URL")(n); r.URL.Value == "" {
		return
	}
	if strings.HasPrefix(r.URL.Value, "/") {
		if p.file.Base.Value == "" {
			p.fault(n.Pos, fmt.Sprintf("%q has no scheme and no host", n.Text), "write a whole URL, or give the file a base: https://example.com")
			return
		}
		r.URL.Value = strings.TrimSuffix(p.file.Base.Value, "/") + r.URL.Value
	}
	u, err := url.Parse(r.URL.Value)
	switch {
	case err != nil:
		p.fault(n.Pos, fmt.Sprintf("%q is not a URL", n.Text), "write for example https://example.com/page?x=1")
	case !web(u):
		p.fault(n.Pos, fmt.Sprintf("%q is not a whole URL", n.Text), "begin it with https:// and a host")
	case u.User != nil:
		p.fault(n.Pos, "a URL with a user name cannot be sent", "write an Authorization header")
	}
}

func (p *parser) headerPairs(pairs []Pair) {
	for _, h := range pairs {
		switch {
		case !httpguts.ValidHeaderFieldName(h.Name.Value):
			p.fault(h.Name.Pos, fmt.Sprintf("%q is not the name of a header field", h.Name.Value), "")
		case strings.EqualFold(h.Name.Value, "Host"):
			p.fault(h.Name.Pos, "the host is part of the url", "write it there")
		case !httpguts.ValidHeaderFieldValue(h.Value):
			p.fault(h.Name.Pos, fmt.Sprintf("the value of %s cannot be sent: it has control characters", h.Name.Value), "")
		}
	}
}

func (p *parser) response(n *policies.Tree) *Response {
	r := &Response{Pos: n.Pos, Status: http.StatusOK}
	var body *policies.Tree
	p.object(n, "a response", map[string]reader{
		"status":  p.integer(&r.Status, "a status from 200 to 599", 200, 599),
		"headers": p.pairs(&r.Headers, "header fields and their values"),
		"body": func(n *policies.Tree) {
			if body = n; n.Kind != policies.TreeText {
				p.expected(n, "text")
				return
			}
			r.Body = n.Text
		},
		"body_file": p.text(&r.BodyFile, "the name of a file"),
	})
	if body != nil && r.BodyFile.Value != "" {
		p.fault(r.BodyFile.Pos, "the response has both body and body_file", "write one of them")
	}
	p.headerPairs(r.Headers)
	return r
}

func (p *parser) expect(n *policies.Tree) Expect {
	e := Expect{Pos: n.Pos}
	var same, other *Words
	p.object(n, "expectations", map[string]reader{
		"route":          p.word(&e.Route, "the name of a route", nil),
		"action":         p.word(&e.Action, "an action", []string{actionCache, actionBypass, actionDeny}),
		"reasons":        p.words(&e.Reasons, "a reason", codes()),
		"params":         p.verbs(&e.Params, "key", "strip", "bypass", "deny"),
		"cookies":        p.verbs(&e.Cookies, "key", "strip", "bypass", "deny"),
		"headers":        p.verbs(&e.Headers, "key", "strip", "bypass", "deny", "vary", "forward"),
		"same_key_as":    p.words(&same, "the name of a request", nil),
		"other_key_than": p.words(&other, "the name of a request", nil),
		"canonical": func(n *policies.Tree) {
			e.Canonical = new(Canonical)
			p.object(n, "url and headers of the canonical request", map[string]reader{
				"url":     p.text(&e.Canonical.URL, "a URL"),
				"headers": p.fields(&e.Canonical.Headers),
			})
			if strings.HasPrefix(e.Canonical.URL.Value, "/") {
				e.Canonical.URL.Value = strings.TrimSuffix(p.file.Base.Value, "/") + e.Canonical.URL.Value
			}
		},
		"attribution": func(n *policies.Tree) {
			a := &Attribution{Pos: n.Pos}
			e.Attribution = a
			p.object(n, "landing, taken, referer and left_out", map[string]reader{
				"landing":  p.word(&a.Landing, "true or false", []string{"true", "false"}),
				"taken":    p.pairs(&a.Taken, "parameters and their values"),
				"referer":  p.word(&a.Referer, "a host or URL", nil),
				"left_out": p.word(&a.LeftOut, "a reason to carry nothing", leftOut),
			})
			if n.Kind == policies.TreeMapping && len(n.Fields) == 0 {
				p.fault(n.Pos, "the attribution expects nothing", "write landing: true or false, or taken: with parameters")
			}
		},
		"delivers":   p.word(&e.Delivers, "a way to deliver, or none", deliveries),
		"stored":     p.word(&e.Stored, "true or false", []string{"true", "false"}),
		"refused":    p.words(&e.Refused, "a reason", codes()),
		"lifetime":   p.lifetime(&e.Lifetime),
		"markers":    p.words(&e.Markers, "a detector", policies.DetectorIDs()),
		"downstream": p.fields(&e.Downstream),
	})
	if same != nil {
		e.SameKeyAs = same.Values
	}
	if other != nil {
		e.OtherKeyThan = other.Values
	}
	if e.Refused != nil && e.Stored != nil && e.Stored.Value == "true" && len(e.Refused.Values) > 0 {
		p.fault(e.Refused.Pos, "stored: true contradicts refused", "leave one out")
	}
	return e
}

func (p *parser) lifetime(into **Text) reader {
	return func(n *policies.Tree) {
		if p.word(into, "a duration", nil)(n); *into == nil {
			return
		}
		if _, err := policies.ParseDuration((*into).Value); err != nil {
			p.fault(n.Pos, err.Error(), "")
		}
	}
}

// empty says whether nothing is expected.
func (e *Expect) empty() bool {
	return e.Route == nil && e.Action == nil && e.Reasons == nil && len(e.Params)+len(e.Cookies)+len(e.Headers) == 0 &&
		len(e.SameKeyAs)+len(e.OtherKeyThan) == 0 && e.Canonical == nil && e.Attribution == nil && e.Delivers == nil && !e.needsResponse()
}

// needsResponse says whether something is expected of a response.
func (e *Expect) needsResponse() bool {
	return e.Stored != nil || e.Refused != nil || e.Lifetime != nil || e.Markers != nil || len(e.Downstream) > 0
}
