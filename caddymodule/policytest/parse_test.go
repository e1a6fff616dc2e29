package policytest

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/policies"
)

const head = "policy: p.yaml\nbase: https://a.example\ntests:\n"

// TestParseFaults holds that each mistake in a test file is told with its place and, for
// a slip of the hand, the word that was meant.
func TestParseFaults(t *testing.T) {
	one := func(fields string) string { return head + "  - {name: t, request: {url: /}, " + fields + "}\n" }
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "f: the file is empty"},
		{"syntax", "a: [", "f:1:4: "},
		{"a list", "[a]", "f:1:1: expected a file of tests, found a list"},
		{"no policy", "tests:\n  - {name: t, request: {url: 'http://a/'}, expect: {action: cache}}\n", "f:1:1: the file names no policy"},
		{"no tests", "policy: p.yaml\n", "f:1:1: the file has no tests"},
		{"key", head + "  - {nmae: t}\n", `f:4:6: unknown key "nmae"; did you mean "name"?`},
		{"twice", "policy: p\npolicy: q\n", `f:2:1: key "policy" is given twice; it is first given at f:1:1`},
		{"no name", head + "  - {request: {url: /}, expect: {action: cache}}\n", "f:4:5: the test has no name"},
		{"two of a name", head + "  - &t {name: t, request: {url: /}, expect: {action: cache}}\n  - *t\n", `two tests are called "t"`},
		{"a name of lines", head + "  - {name: \"a\\nb\", request: {url: /}, expect: {action: cache}}\n", "control character"},
		{"no request", head + "  - {name: t, expect: {action: cache}}\n", "f:4:5: the test has no request"},
		{"two requests", one("requests: [{url: /}], expect: {action: cache}"), "both request and requests"},
		{"no expectation", one("expect: {}"), "f:4:5: the test expects nothing"},
		{"unknown request", head + "  - {name: t, request: bob, expect: {action: cache}}\n", `f:4:24: the file has no request "bob"`},
		{"unknown other", one("expect: {same_key_as: [tt]}"), `f:4:57: no request and no test is called "tt"; did you mean "t"?`},
		{"action", one("expect: {action: cahce}"), `f:4:51: "cahce" is not an action; did you mean "cache"?`},
		{"reason", one("expect: {reasons: [param-bypas]}"), `"param-bypas" is not a reason; did you mean "param-bypass"?`},
		{"verb", one("expect: {params: {a: stirp}}"), `"stirp" is not a disposition; did you mean "strip"?`},
		{"vary is for headers", one("expect: {params: {a: vary}}"), `"vary" is not a disposition`},
		{"detector", one("response: {}, expect: {markers: [csrf-metta]}"), `did you mean "csrf-meta"?`},
		{"stored without response", one("expect: {stored: true}"), "f:4:42: the test expects something of a response, and gives none"},
		{"stored and refused", one("response: {}, expect: {stored: true, refused: [private]}"), "stored: true contradicts refused"},
		{"stored", one("response: {}, expect: {stored: yes}"), `"yes" is not true or false`},
		{"lifetime", one("response: {}, expect: {lifetime: 5}"), "is not a duration"},
		{"status", one("response: {status: 99}, expect: {stored: false}"), "f:4:53: expected a status from 200 to 599"},
		{"two bodies", one("response: {body: a, body_file: b}, expect: {stored: false}"), "both body and body_file"},
		{"own alone", one("own_response: {}, expect: {action: cache}"), "own_response is compared with response"},
		{"header name", one("response: {headers: {'a b': c}}, expect: {stored: false}"), `"a b" is not the name of a header field`},
		{"header value", one("response: {headers: {a: \"b\\r\\nc\"}}, expect: {stored: false}"), "control characters"},
		{"base", "policy: p\nbase: a.example\n", `f:2:7: "a.example" is no scheme and host`},
		{"url", head + "  - {name: t, request: {url: ftp://a/}, expect: {action: cache}}\n", `"ftp://a/" is not a whole URL`},
		{"no base", "policy: p\ntests:\n  - {name: t, request: {url: /}, expect: {action: cache}}\n", `f:3:30: "/" has no scheme and no host`},
		{"user", head + "  - {name: t, request: {url: 'http://u:p@a/'}, expect: {action: cache}}\n", "user name"},
		{"no url", head + "  - {name: t, request: {method: GET}, expect: {action: cache}}\n", "the request has no url"},
		{"method", head + "  - {name: t, request: {url: /, method: 'G T'}, expect: {action: cache}}\n", `"G T" is not a method`},
		{"address", head + "  - {name: t, request: {url: /, address: here}, expect: {action: cache}}\n", `"here" is not an IP address`},
		{"host", head + "  - {name: t, request: {url: /, headers: {Host: b}}, expect: {action: cache}}\n", "the host is part of the url"},
		{"cookie", head + "  - {name: t, request: {url: /, cookies: {a: 'b;c'}}, expect: {action: cache}}\n", "cannot be sent like this"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("f", []byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
			if _, ok := errors.AsType[policies.Diagnostics](err); err != nil && !ok {
				t.Errorf("the error is a %T", err)
			}
		})
	}
}

// TestParseAllFaults holds that all mistakes are told at once, in the order of the file.
func TestParseAllFaults(t *testing.T) {
	_, err := Parse("f", []byte(head+"  - {name: t, request: {url: ftp://a}, expect: {acton: cache, reasons: [x]}}\n  - {}\n"))
	lines := strings.Split(err.Error(), "\n")
	last := 0
	for _, line := range lines {
		var number int
		for _, digit := range strings.Split(line, ":")[1] {
			number = number*10 + int(digit-'0')
		}
		if number < last {
			t.Errorf("out of order: %s", line)
		}
		last = number
	}
	if len(lines) < 5 {
		t.Errorf("only %d mistakes:\n%v", len(lines), err)
	}
}

// TestParse holds what the shorthands mean.
func TestParse(t *testing.T) {
	f, err := Parse("f", []byte(`requests:
  alice: /lp?ref=a
tests:
  - name: t
    requests: [alice, {url: "https://b.example/%41", headers: {X: [a, b]}}]
    expect: {reasons: identity, refused: []}
    response: {}
base: https://a.example/
policy: p.yaml
`))
	if err != nil {
		t.Fatal(err)
	}
	got := f.Tests[0]
	if url := got.Requests[0].URL.Value; url != "https://a.example/lp?ref=a" {
		t.Errorf("a URL with base is %s", url)
	}
	if url := got.Requests[1].URL.Value; url != "https://b.example/%41" {
		t.Errorf("a whole URL is %s: it must stay as it is written", url)
	}
	if n := len(got.Requests[1].Headers); n != 2 {
		t.Errorf("a list of two values makes %d fields", n)
	}
	if n := len(got.Expect.Reasons.Values); n != 1 {
		t.Errorf("a word makes a list of %d", n)
	}
	if got.Expect.Refused == nil || got.Response.Status != 200 {
		t.Error("an empty list is none at all, or the status is not 200")
	}
}

// FuzzParse holds that no file makes the parser panic, and that what it accepts says what
// it expects of at least one request.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"../../policies/testdata/policytests/landing.cachetest.yaml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Add(head + "  - {name: t, request: {url: /}, expect: {action: cache}}\n")
	f.Add("requests: {a: &a {url: 'http://a'}, b: *a}\npolicy: x\ntests: [{name: a, requests: [a, b], expect: {same_key_as: a}}]")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse("f", []byte(text))
		if err != nil {
			return
		}
		for _, test := range file.Tests {
			if len(test.Requests) == 0 || test.Expect.empty() || test.Name.Value == "" {
				t.Errorf("accepted a test that says nothing: %+v", test)
			}
		}
	})
}
