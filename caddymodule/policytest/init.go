package policytest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/cacheward/cacheward/caddymodule/explain"
	"github.com/cacheward/cacheward/policies"
)

const initHead = `# Tests of %[1]s: one request for each route, and one for each input that a route
# declares. What is expected is what the policy does today, right or wrong. Where it
# says "check me": is that what you want? Then take the mark away.
policy: %[2]s
%[3]stests:
`

// Init writes a first test file for a policy: what the engine makes today of one request
// for each route and for each declared input. The name of the policy's file is as the
// test file has to name it; site as [File.Site].
func Init(name, site string, policy *policies.Policy) ([]byte, error) {
	compiled, err := policies.Compile(policy, "")
	if err != nil {
		return nil, err
	}
	w := &starter{policy: policy, compiled: compiled, site: site, names: make(map[string]bool)}
	if site != "" {
		site = "site: " + yamlWord(site) + "\n"
	}
	fmt.Fprintf(&w.out, initHead, oneLine(name), yamlWord(name), site)
	for i := range policy.Routes {
		w.route(&policy.Routes[i])
	}
	w.rest()
	return []byte(w.out.String()), nil
}

// starter writes a first test file.
type starter struct {
	policy   *policies.Policy
	compiled *policies.Compiled
	out      strings.Builder
	site     string
	names    map[string]bool
}

// route writes the tests of a route.
func (w *starter) route(route *policies.Route) {
	plain, e := w.example(route)
	if e == nil {
		fmt.Fprintf(&w.out, "  # No request was found that route %s governs: does an earlier route take them all?\n\n", route.Name)
		return
	}
	base := w.name(route.Name)
	w.test(base, plain, e, declared{}, "", nil)
	inputs := routeInputs(route)
	if route.Identity == nil && e.Verdict.Action == explain.ActionCache {
		inputs = append(inputs, identityInputs(w.policy.Identity)...)
	}
	for _, in := range inputs {
		r, name := w.with(plain, route, in)
		if name == "" {
			fmt.Fprintf(&w.out, "  # %s (%s) of route %s: no name was found that this entry decides about.\n\n", in.path, oneLine(in.name), route.Name)
			continue
		}
		with, err := explain.Explain(w.policy, w.compiled, r.explained())
		if err != nil || with.Route.Name != route.Name {
			continue
		}
		w.test(w.name(fmt.Sprintf("%s, %s %s", route.Name, in.kind, name)), r, with, in, base, e)
	}
}

// rest writes a test of what no route governs.
func (w *starter) rest() {
	for _, host := range w.hosts(nil) {
		r := Request{Method: http.MethodGet, URL: Text{Value: "https://" + host + "/no-route-has-this-path"}}
		e, err := explain.Explain(w.policy, w.compiled, r.explained())
		if err == nil && e.Route.Name == policies.DefaultRule {
			w.test(w.name("what no route governs"), r, e, declared{}, "", nil)
			return
		}
	}
}

// maxExamples bounds the requests that are tried for one route.
const maxExamples = 200

// example finds a plain request that the route governs, one that is for the cache if
// there is any; nil if there is none.
func (w *starter) example(route *policies.Route) (Request, *explain.Explanation) {
	paths := []string{"/", "/page"}
	if len(route.Match.Paths) > 0 {
		paths = nil
		for _, pattern := range route.Match.Paths {
			paths = append(paths, examplePath(pattern))
		}
	}
	method := http.MethodGet
	if m := route.Match.Methods; len(m) > 0 && !slices.Contains(m, method) {
		method = m[0]
	}
	var found Request
	var governed *explain.Explanation
	tried := 0
	for _, host := range w.hosts(route.Match.Hosts) {
		for _, path := range paths {
			if tried++; tried > maxExamples {
				return found, governed
			}
			r := Request{Method: method, URL: Text{Value: "https://" + host + path}}
			e, err := explain.Explain(w.policy, w.compiled, r.explained())
			if err != nil || e.Route.Name != route.Name {
				continue
			}
			if e.Verdict.Action == explain.ActionCache {
				return r, e
			}
			if governed == nil {
				found, governed = r, e
			}
		}
	}
	return found, governed
}

// hosts are hosts that the patterns match; of a route that names none, those that the
// policy knows.
func (w *starter) hosts(patterns []string) []string {
	var out []string
	for _, pattern := range patterns {
		out = append(out, exampleHost(pattern))
	}
	if len(out) > 0 {
		return out
	}
	for i := range w.policy.Routes {
		for _, pattern := range w.policy.Routes[i].Match.Hosts {
			if host := exampleHost(pattern); len(out) < maxExamples && !slices.Contains(out, host) {
				out = append(out, host)
			}
		}
	}
	if len(out) == 0 {
		out = []string{exampleHost(cmp.Or(w.site, "example.com"))}
	}
	return out
}

func exampleHost(pattern string) string {
	if rest, ok := strings.CutPrefix(pattern, "*."); ok {
		return "www." + strings.ToLower(rest)
	}
	return strings.ToLower(pattern)
}

// examplePath is a path that the pattern matches, encoded.
func examplePath(pattern string) string {
	path := strings.ReplaceAll(pattern, "**", "*")
	if strings.HasSuffix(path, "/*") {
		path = strings.TrimSuffix(path, "*") + "page"
	}
	path = strings.ReplaceAll(path, "*", "example")
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return (&url.URL{Path: path}).EscapedPath()
}

// with adds an input for which the entry decides, and returns its name: "" if none was
// found.
func (w *starter) with(r Request, route *policies.Route, in declared) (Request, string) {
	for _, name := range exampleNames(in) {
		if w.policy.Decide(route, in.kind, name).By != in.path {
			continue
		}
		pair := Pair{Name: Text{Value: name}, Value: exampleValue(route, in)}
		switch in.kind {
		case policies.InputParam:
			r.URL.Value += "?" + name + "=" + pair.Value
		case policies.InputCookie:
			r.Cookies = []Pair{pair}
		default:
			r.Headers = []Pair{pair}
		}
		return r, name
	}
	return r, ""
}

// exampleNames are names that an entry may decide about.
func exampleNames(in declared) []string {
	switch {
	case in.others && in.kind == policies.InputHeader:
		return []string{"X-Undeclared", "X-Not-Declared"}
	case in.others:
		return []string{"undeclared", "not-declared"}
	case strings.HasPrefix(in.name, "@"):
		var out []string
		for _, entry := range policies.Lists()[in.name] {
			if in.kind == policies.InputParam && entry.Param || in.kind == policies.InputCookie && entry.Cookie {
				out = append(out, strings.ReplaceAll(entry.Pattern, "*", "x"))
			}
		}
		return out
	case strings.Contains(in.name, "*"):
		return []string{strings.ReplaceAll(in.name, "*", "x"), strings.ReplaceAll(in.name, "*", "other")}
	}
	return []string{in.name}
}

// exampleValue is a declared value of a header, or any.
func exampleValue(route *policies.Route, in declared) string {
	if in.kind == policies.InputHeader && route.Headers != nil {
		for _, key := range route.Headers.Key {
			if key.Name == in.name && len(key.Values) > 0 {
				return key.Values[0]
			}
		}
	}
	return "1"
}

// test writes a test with what the engine says. Base is the name of the test of the
// route's plain request, and plain what is said of that.
func (w *starter) test(name string, r Request, e *explain.Explanation, in declared, base string, plain *explain.Explanation) {
	f := func(format string, args ...any) { fmt.Fprintf(&w.out, format, args...) }
	f("  - name: %s\n    request:\n", yamlWord(name))
	if r.Method != http.MethodGet {
		f("      method: %s\n", r.Method)
	}
	f("      url: %s\n", yamlWord(r.URL.Value))
	for _, part := range []struct {
		key   string
		pairs []Pair
	}{{"headers", r.Headers}, {"cookies", r.Cookies}} {
		for _, pair := range part.pairs {
			f("      %s: {%s: %s}\n", part.key, yamlWord(pair.Name.Value), yamlWord(pair.Value))
		}
	}
	f("    expect: # check me\n      route: %s\n      action: %s\n", e.Route.Name, e.Verdict.Action)
	if codes := e.Verdict.Codes(); len(codes) > 0 {
		f("      reasons: [%s]\n", strings.Join(codes, ", "))
	}
	w.input(e, in)
	if a := e.Attribution; a != nil && len(a.Taken) > 0 {
		f("      attribution: {landing: %t}\n", a.Landing)
	}
	if plain != nil && e.Verdict.Action == explain.ActionCache && plain.Verdict.Action == explain.ActionCache {
		key := "other_key_than"
		if explain.Compare(e, plain).Shared {
			key = "same_key_as"
		}
		f("      %s: [%s]\n", key, yamlWord(base))
	}
	f("\n")
}

// input writes the disposition of the one input that a request has.
func (w *starter) input(e *explain.Explanation, in declared) {
	section := map[policies.InputKind]string{
		policies.InputParam: "params", policies.InputCookie: "cookies", policies.InputHeader: "headers",
	}[in.kind]
	for _, have := range e.Inputs {
		if section != "" && have.Kind == string(in.kind) && have.By == in.path {
			fmt.Fprintf(&w.out, "      %s: {%s: %s}\n", section, yamlWord(have.Name), have.Disposition)
			return
		}
	}
}

// name makes a name unique in the file.
func (w *starter) name(name string) string {
	unique := name
	for n := 2; w.names[unique]; n++ {
		unique = fmt.Sprintf("%s (%d)", name, n)
	}
	w.names[unique] = true
	return unique
}

var plainWord = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./-]*$`)

// yamlWord is a word as YAML has it: in quotes unless it can be nothing else without.
func yamlWord(word string) string {
	switch strings.ToLower(word) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
	default:
		if plainWord.MatchString(word) {
			return word
		}
	}
	quoted, err := json.Marshal(word) // a string of JSON is one of YAML
	if err != nil {
		return `""`
	}
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(quoted))
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
