package policytest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/caddymodule/explain"
	"github.com/cacheward/cacheward/policies"
)

const examples = "../../policies/testdata/policytests/"

// write makes a folder with these files, and returns its path.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const sitePolicy = `identity: {cookies: [session]}
routes:
  - name: page
    match: {hosts: [a.example], paths: [/page]}
    cache: 5m
    params: {key: [q], strip: [ref]}
    headers: {key: [{name: Accept-Language, values: [ja, en]}]}
    downstream: 60s
  - name: assets
    match: {hosts: [a.example], paths: ["*.css"]}
    cache: origin
`

// TestExamples holds the examples of the repository to what they say: the policy that was
// put right keeps its tests, and the mistake does not.
func TestExamples(t *testing.T) {
	for _, tt := range []struct {
		policy string
		failed []string
	}{
		{"landing.yaml", nil},
		{"mistake.yaml", []string{
			"a parameter that nobody declared is left to the app",
			"so does one with a cookie that nobody declared",
			"the page is stored, and the CDN may keep it for a minute",
		}},
	} {
		t.Run(tt.policy, func(t *testing.T) {
			r := Runner{Policy: examples + tt.policy}
			got := r.RunFile(examples + "landing.cachetest.yaml")
			for _, f := range got.Faults {
				t.Error(f)
			}
			var failed []string
			for _, test := range got.Tests {
				if !test.Passed {
					failed = append(failed, test.Name)
				}
			}
			if strings.Join(failed, "\n") != strings.Join(tt.failed, "\n") {
				t.Errorf("failed: %q\nwant: %q", failed, tt.failed)
			}
		})
	}
}

// TestMismatches holds that each expectation can fail, and that its mismatch says what
// was wanted, what was got, and which place of the policy decides.
func TestMismatches(t *testing.T) {
	for _, tt := range []struct {
		test string // what stands in the test besides its name
		want Mismatch
	}{
		{"request: {url: /page}, expect: {route: assets}", Mismatch{At: "6:54", What: "route", Want: "assets", Got: "page", Because: "p.yaml:3:5: route page comes first and matches"}},
		{"request: {url: /x.css}, expect: {route: page}", Mismatch{At: "6:55", What: "route", Want: "page", Got: "assets", Because: "route page does not match: its paths"}},
		{"request: {url: /page, cookies: {session: a}}, expect: {action: cache}", Mismatch{What: "action", Want: "cache", Got: "bypass (identity)", Because: "identity: "}},
		{"request: {url: '/page?x=1'}, expect: {reasons: [identity]}", Mismatch{What: "reasons", Want: "identity", Got: "param-bypass", Because: "param-bypass: "}},
		{"request: {url: '/page'}, expect: {reasons: [identity]}", Mismatch{What: "reasons", Want: "identity", Got: "none"}},
		{"request: {url: '/page?x=1'}, expect: {reasons: []}", Mismatch{What: "reasons", Want: "none", Got: "param-bypass"}},
		{"request: {url: '/page?ref=1'}, expect: {params: {ref: key}}", Mismatch{What: "params.ref", Want: "key", Got: "strip", Because: "p.yaml:6:32: params.strip.0"}},
		{"request: {url: '/page'}, expect: {params: {ref: strip}}", Mismatch{What: "params.ref", Want: "strip", Got: "the request does not have it"}},
		{"request: {url: '/page?r%65f=1'}, expect: {params: {ref: strip}}", Mismatch{What: "params.ref", Want: "strip", Got: "bypass", Because: "the policy says nothing of it"}},
		{"request: {url: /page, cookies: {lead: a}}, expect: {cookies: {lead: strip}}", Mismatch{What: "cookies.lead", Want: "strip", Got: "bypass"}},
		{"request: {url: /page, headers: {referer: a}}, expect: {headers: {Referer: key}}", Mismatch{What: "headers.Referer", Want: "key", Got: "strip"}},
		{"request: {url: '/page?q=1'}, expect: {same_key_as: [plain]}", Mismatch{What: "same_key_as", Want: "one object with plain", Got: "never one object", Because: "params.key.0 (param q: key)"}},
		{"request: {url: '/page?ref=1'}, expect: {other_key_than: [plain]}", Mismatch{What: "other_key_than", Want: "never one object with plain", Got: "one object", Because: "params.strip.0 (param ref: strip)"}},
		{"request: {url: '/page?x=1'}, expect: {same_key_as: [plain]}", Mismatch{What: "same_key_as", Want: "one object with plain", Got: "never one object", Because: "param-bypass"}},
		{"request: {url: '/page?ref=1&q=2'}, expect: {canonical: {url: /page}}", Mismatch{What: "canonical.url", Want: "https://a.example/page", Got: "https://a.example/page?q=2"}},
		{"request: {url: /page, headers: {Accept-Language: 'de, ja;q=0.5'}}, expect: {canonical: {headers: {accept-language: null}}}", Mismatch{What: "canonical.headers.Accept-Language", Want: "not there", Got: "ja"}},
		{"request: {url: /page}, expect: {canonical: {headers: {Accept-Language: ja}}}", Mismatch{What: "canonical.headers.Accept-Language", Want: "ja", Got: "not there"}},
		{"request: {url: /page, method: POST}, expect: {canonical: {url: /page}}", Mismatch{What: "canonical", Want: "a canonical request", Got: "none: bypass (method)"}},
		{"request: {url: /page}, response: {headers: {Set-Cookie: a=b}}, expect: {stored: true}", Mismatch{What: "stored", Want: "true", Got: "false (set-cookie)", Because: "set-cookie: "}},
		{"request: {url: /page}, response: {body: a}, own_response: {body: b}, expect: {stored: true}", Mismatch{What: "stored", Want: "true", Got: "false (divergent)", Because: "the two answers differ in the body"}},
		{"request: {url: /page}, response: {}, expect: {refused: private}", Mismatch{What: "refused", Want: "private", Got: "none"}},
		{"request: {url: /page}, response: {}, expect: {lifetime: 1h}", Mismatch{What: "lifetime", Want: "1h", Got: "5m", Because: "it is given by the policy"}},
		{"request: {url: /page}, response: {headers: {Content-Type: text/html}, body: '<input type=hidden name=csrf_token value=8c1a4e6f9b2d7035aa41>'}, expect: {markers: []}", Mismatch{What: "markers", Want: "none", Got: "csrf-field"}},
		{"request: {url: /page}, response: {}, expect: {downstream: {CDN-Cache-Control: null}}", Mismatch{What: "downstream.Cdn-Cache-Control", Want: "not there", Got: "max-age=60"}},
		{"request: {url: /page}, response: {status: 500}, expect: {downstream: {Cache-Control: no-store}}", Mismatch{What: "downstream.Cache-Control", Want: "no-store", Got: "private, no-store"}},
		{"request: {url: /page}, response: {body_file: none.html}, expect: {stored: true}", Mismatch{What: "body_file", Want: "a file", Got: "none.html: no such file"}},
		{"request: {url: 'https://a.example/%zz'}, expect: {route: page}", Mismatch{}},
	} {
		t.Run(tt.test, func(t *testing.T) {
			dir := write(t, map[string]string{"p.yaml": sitePolicy, "t.cachetest.yaml": "policy: p.yaml\nbase: https://a.example\nrequests:\n  plain: /page\ntests:\n  - {name: t, " + tt.test + "}\n"})
			got := new(Runner).RunFile(filepath.Join(dir, "t.cachetest.yaml"))
			if tt.want == (Mismatch{}) {
				if len(got.Faults) == 0 {
					t.Errorf("nothing is wrong with it: %+v", got)
				}
				return
			}
			if len(got.Faults) > 0 || len(got.Tests) != 1 || len(got.Tests[0].Mismatches) != 1 {
				t.Fatalf("%+v", got)
			}
			m := got.Tests[0].Mismatches[0]
			if m.What != tt.want.What || m.Want != tt.want.Want || !strings.Contains(m.Got, tt.want.Got) ||
				!strings.Contains(m.Because, tt.want.Because) || !strings.Contains(m.At, "t.cachetest.yaml:6:") || !strings.Contains(m.At, tt.want.At) {
				t.Errorf("%+v", m)
			}
		})
	}
}

// TestVary holds that requests which the origin tells apart by its Vary have a key each
// once it said so.
func TestVary(t *testing.T) {
	const tests = `policy: p.yaml
base: https://a.example
requests:
  english: {url: /x.css, headers: {Accept-Language: en}}
tests:
  - name: the origin says so
    request: {url: /x.css, headers: {Accept-Language: ja}}
    response: {headers: {Cache-Control: "public, max-age=60", Content-Type: text/css, Vary: Accept-Language}}
    expect: {stored: true, other_key_than: [english]}
  - name: it says nothing
    request: {url: /x.css, headers: {Accept-Language: ja}}
    expect: {same_key_as: [english]}
`
	dir := write(t, map[string]string{"p.yaml": sitePolicy, "t.cachetest.yaml": tests})
	got := new(Runner).RunFile(filepath.Join(dir, "t.cachetest.yaml"))
	if len(got.Tests) != 2 || !got.Tests[0].Passed || !got.Tests[1].Passed {
		t.Errorf("%+v", got)
	}
}

// TestFaults holds that what cannot be run is told where it is, and is no pass.
func TestFaults(t *testing.T) {
	const test = "\ntests: [{name: t, request: {url: 'http://a/'}, expect: {route: %ROUTE%}}]\n"
	for _, tt := range []struct{ name, policy, text, at, message string }{
		{"no policy", "", "policy: none.yaml" + test, "t.cachetest.yaml:1:9", "none.yaml: no such file"},
		{"broken policy", "routes: [{name: a, match: {paths: [/]}, cash: 5m, cache: 5m}]", "policy: p.yaml" + test, "p.yaml:1:41", `unknown key "cash"`},
		{"meaningless policy", "routes: [{name: a, match: {paths: [x]}, cache: 5m}]", "policy: p.yaml" + test, "p.yaml:1:36", `"x"`},
		{"no such route", "routes: [{name: page, match: {paths: [/]}, cache: 5m}]", "policy: p.yaml" + strings.Replace(test, "%ROUTE%", "pgae", 1), "t.cachetest.yaml:2:", `the policy has no route "pgae"`},
		{"a site", "default: never", "site: a\npolicy: p.yaml" + strings.Replace(test, "%ROUTE%", "default", 1), "t.cachetest.yaml:2:9", "site: is for Caddyfiles"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := write(t, map[string]string{"p.yaml": tt.policy, "t.cachetest.yaml": strings.Replace(tt.text, "%ROUTE%", "default", 1)})
			if tt.policy == "" {
				os.Remove(filepath.Join(dir, "p.yaml"))
			}
			got := new(Runner).RunFile(filepath.Join(dir, "t.cachetest.yaml"))
			if len(got.Faults) == 0 || !strings.Contains(got.Faults[0].At, tt.at) || !strings.Contains(got.Faults[0].Message, tt.message) {
				t.Errorf("%+v", got)
			}
			if r := Collect([]FileResult{got}); r.Exit() != 2 {
				t.Errorf("exit status %d", r.Exit())
			}
		})
	}
}

// TestExit holds what the exit status says.
func TestExit(t *testing.T) {
	passed, failed := TestResult{Passed: true}, TestResult{Mismatches: []Mismatch{{}}}
	for _, tt := range []struct {
		file FileResult
		want int
	}{
		{FileResult{Tests: []TestResult{passed}}, 0},
		{FileResult{Tests: []TestResult{passed, failed}}, 1},
		{FileResult{}, 2},
		{FileResult{Skipped: 3}, 2},
		{FileResult{Tests: []TestResult{passed}, Faults: []Fault{{}}}, 2},
	} {
		if r := Collect([]FileResult{tt.file}); r.Exit() != tt.want {
			t.Errorf("%+v: %d, want %d", tt.file, r.Exit(), tt.want)
		}
	}
}

// TestOnly holds that tests are selected by their names, and that the rest is counted.
func TestOnly(t *testing.T) {
	r := Runner{Only: regexp.MustCompile("^a ")}
	got := r.RunFile(examples + "landing.cachetest.yaml")
	if len(got.Tests) == 0 || got.Skipped == 0 {
		t.Errorf("%d tests, %d skipped", len(got.Tests), got.Skipped)
	}
	for _, test := range got.Tests {
		if !strings.HasPrefix(test.Name, "a ") {
			t.Errorf("%q was run", test.Name)
		}
	}
}

// TestCoverage holds that what no request reaches is told: routes, inputs, and the
// identity of the policy.
func TestCoverage(t *testing.T) {
	policy, err := policies.ParseYAML("p.yaml", []byte(sitePolicy))
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := policies.Compile(policy, "")
	if err != nil {
		t.Fatal(err)
	}
	r := Runner{}
	c := r.coverageOf("p", "p.yaml", policy)
	missing := func() string {
		var out []string
		for _, m := range r.Covered()[0].Missing {
			out = append(out, m.Route+":"+m.Input+":"+m.Name)
		}
		return strings.Join(out, " ")
	}
	reach := func(url, cookie string) {
		t.Helper()
		req := explain.Request{URL: url, Header: map[string][]string{}}
		if cookie != "" {
			req.Header["Cookie"] = []string{cookie}
		}
		e, err := explain.Explain(policy, compiled, req)
		if err != nil {
			t.Fatal(err)
		}
		c.note(e)
	}
	for _, step := range []struct{ url, cookie, want string }{
		{"", "", ":identity.cookies.0:session page:: assets::"},
		{"https://a.example/page", "", ":identity.cookies.0:session page:params.key.0:q page:params.strip.0:ref page:headers.key.0:Accept-Language assets::"},
		{"https://a.example/page?ref=1&x=2", "session=1", "page:params.key.0:q page:headers.key.0:Accept-Language assets::"},
		{"https://a.example/x.css", "", "page:params.key.0:q page:headers.key.0:Accept-Language"},
	} {
		if step.url != "" {
			reach(step.url, step.cookie)
		}
		if got := missing(); got != step.want {
			t.Errorf("after %q:\n got %s\nwant %s", step.url, got, step.want)
		}
	}
	got := r.Covered()[0]
	if got.Routes != 2 || got.RoutesReached != 2 || got.Inputs != 4 || got.InputsReached != 2 {
		t.Errorf("%+v", got)
	}
}

// TestDocumentation holds that the example of TESTS.md passes, and that every key of the
// format is in its tables.
func TestDocumentation(t *testing.T) {
	data, err := os.ReadFile("../../policies/TESTS.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(data), "```yaml\n")
	example, _, ok := strings.Cut(example, "```")
	if !ok {
		t.Fatal("TESTS.md has no example")
	}
	f, err := Parse(examples+"documented.cachetest.yaml", []byte(example))
	if err != nil {
		t.Fatal(err)
	}
	got := new(Runner).Run(f)
	if len(got.Tests) < 3 || len(got.Faults) > 0 {
		t.Errorf("%+v", got)
	}
	for _, test := range got.Tests {
		if !test.Passed {
			t.Errorf("%+v", test)
		}
	}
	source := ""
	for _, name := range []string{"parse.go", "parse_tests.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		source += string(text)
	}
	keys := regexp.MustCompile(`(?m)^\t+"([a-z_]+)": +(?:p\.|func)`).FindAllStringSubmatch(source, -1)
	if len(keys) < 25 {
		t.Errorf("only %d keys were found", len(keys))
	}
	for _, key := range keys {
		if !regexp.MustCompile("(?m)^\\|[^|]*`"+key[1]+"`[^|]*\\|").MatchString(string(data)) && key[1] != "url" && key[1] != "headers" {
			t.Errorf("TESTS.md does not explain %s", key[1])
		}
	}
}
