package policies

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The writers below turn a policy into each spelling. They are written apart from
// the readers, so that the two can disagree.

// writeYAML writes a policy in block or flow style. It quotes what YAML would read
// as something else.
func writeYAML(t *testing.T, p *Policy, flow bool) []byte {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(string(mustJSON(t, p))))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if flow || string(mustJSON(t, p)) == "{}" {
		yamlFlow(&b, tree)
	} else {
		yamlBlockStyle(&b, tree, 0)
	}
	return []byte(b.String())
}

func yamlBlockStyle(b *strings.Builder, v any, indent int) {
	pad := strings.Repeat(" ", indent)
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			fmt.Fprintf(b, "%s%s:", pad, yamlScalar(key))
			yamlBelow(b, v[key], indent)
		}
	case []any:
		for _, item := range v {
			fmt.Fprintf(b, "%s-", pad)
			yamlBelow(b, item, indent)
		}
	}
}

func yamlBelow(b *strings.Builder, v any, indent int) {
	switch v.(type) {
	case map[string]any, []any:
		if _, isMap := v.(map[string]any); isMap && len(v.(map[string]any)) == 0 {
			b.WriteString(" {}\n")
			return
		}
		b.WriteString("\n")
		yamlBlockStyle(b, v, indent+2)
	default:
		fmt.Fprintf(b, " %s # said so\n", yamlScalar(v))
	}
}

func yamlFlow(b *strings.Builder, v any) {
	switch v := v.(type) {
	case map[string]any:
		b.WriteString("{")
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(b, "%s: ", yamlScalar(key))
			yamlFlow(b, v[key])
		}
		b.WriteString("}")
	case []any:
		b.WriteString("[")
		for i, item := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			yamlFlow(b, item)
		}
		b.WriteString("]")
	default:
		b.WriteString(yamlScalar(v))
	}
}

func yamlScalar(v any) string {
	s, ok := v.(string)
	if !ok {
		return fmt.Sprint(v)
	}
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '/' || c == '.') {
			return "'" + strings.ReplaceAll(s, "'", "''") + "'"
		}
	}
	if s[0] == '-' || s == "null" {
		return "'" + s + "'"
	}
	return s
}

// caddyWriter writes the Caddyfile spelling, as text and as tokens.
type caddyWriter struct {
	text   strings.Builder
	tokens []Token
	line   int
	depth  int
}

func (w *caddyWriter) write(words ...string) {
	w.line++
	w.text.WriteString(strings.Repeat("\t", w.depth))
	for i, word := range words {
		if i > 0 {
			w.text.WriteString(" ")
		}
		quoted := strings.ContainsAny(word, " \t\"#") || word == ""
		if quoted {
			w.text.WriteString(strconv.Quote(word))
		} else {
			w.text.WriteString(word)
		}
		w.tokens = append(w.tokens, Token{File: "Caddyfile", Line: w.line, Text: word, Quoted: quoted})
	}
	w.text.WriteString("\n")
}

func (w *caddyWriter) block(body func(), words ...string) {
	w.write(append(words, "{")...)
	w.depth++
	body()
	w.depth--
	w.write("}")
}

func (w *caddyWriter) optional(word, value string) {
	if value != "" {
		w.write(word, value)
	}
}

func (w *caddyWriter) policy(p *Policy) {
	if p.Version != 0 {
		w.write("version", strconv.Itoa(p.Version))
	}
	w.optional("mode", string(p.Mode))
	w.optional("default", string(p.Default))
	w.optional("ambiguous", string(p.Ambiguous))
	w.identity(p.Identity)
	for i := range p.Routes {
		w.block(func() { w.route(&p.Routes[i]) }, "route", p.Routes[i].Name)
	}
}

func (w *caddyWriter) identity(id *Identity) {
	if id == nil {
		return
	}
	w.block(func() {
		for _, name := range id.Cookies {
			w.write("cookie", name)
		}
		if len(id.Headers) > 0 {
			w.write(append([]string{"header"}, id.Headers...)...)
		}
	}, "identity")
}

func (w *caddyWriter) route(r *Route) {
	w.names([]string{"host"}, r.Match.Hosts)
	w.names([]string{"path"}, r.Match.Paths)
	w.names([]string{"method"}, r.Match.Methods)
	w.cache(&r.Cache)
	w.inputs("param", r.Params)
	w.inputs("cookie", r.Cookies)
	w.headers(r.Headers)
	w.choice("admission", r.Admission)
	w.choice("set_cookie", r.SetCookie)
	if d := r.Downstream; d != nil {
		w.block(func() {
			if d.Browser != 0 {
				w.write("browser", d.Browser.String())
			}
			w.optional("profile", d.Profile)
		}, "downstream", d.TTL.String())
	}
	w.optional("mode", string(r.Mode))
	w.optional("ambiguous", string(r.Ambiguous))
	w.identity(r.Identity)
}

// names writes the first name on a line of its own and the rest on another.
func (w *caddyWriter) names(words, names []string) {
	if len(names) > 0 {
		w.write(append(words[:len(words):len(words)], names[0])...)
	}
	if len(names) > 1 {
		w.write(append(words[:len(words):len(words)], names[1:]...)...)
	}
}

func (w *caddyWriter) cache(c *Cache) {
	if c.Kind != CacheTTL {
		w.write("cache", string(c.Kind))
		return
	}
	if c.StaleWhileRevalidate == 0 && c.StaleIfError == 0 && len(c.Statuses) == 0 {
		w.write("cache", c.TTL.String())
		return
	}
	w.block(func() {
		if c.StaleWhileRevalidate != 0 {
			w.write("stale_while_revalidate", c.StaleWhileRevalidate.String())
		}
		if c.StaleIfError != 0 {
			w.write("stale_if_error", c.StaleIfError.String())
		}
		for status, d := range c.Statuses {
			w.write("status", strconv.Itoa(status), d.String())
		}
	}, "cache", c.TTL.String())
}

func (w *caddyWriter) inputs(word string, in *Inputs) {
	if in == nil {
		return
	}
	for _, v := range in.byVerb() {
		w.names([]string{word, string(v.verb)}, v.names)
	}
	w.names([]string{word, "plain"}, in.Plain)
	if in.Others != "" {
		w.write(word, "others", string(in.Others))
	}
}

func (w *caddyWriter) headers(h *HeaderInputs) {
	if h == nil {
		return
	}
	for _, k := range h.Key {
		w.write(append([]string{"header", "key", k.Name}, k.Values...)...)
	}
	for _, f := range h.Forward {
		w.write("header", "forward", f.Name, f.Reason)
	}
	for _, v := range h.byVerb() {
		if v.verb != Key && v.verb != Forward {
			w.names([]string{"header", string(v.verb)}, v.names)
		}
	}
	if h.Others != "" {
		w.write("header", "others", string(h.Others))
	}
}

func (w *caddyWriter) choice(word string, c *Choice) {
	switch {
	case c == nil:
	case c.Reason == "":
		w.write(word, c.Rule)
	default:
		w.write(word, c.Rule, c.Reason)
	}
}

func mustJSON(t testing.TB, p *Policy) []byte {
	t.Helper()
	b, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSpellings holds the three spellings equal: what one says, the others say.
func TestSpellings(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		want := policyGenerator().Draw(r, "policy")
		if err := want.Validate(); err != nil {
			r.Fatalf("the generator made a policy that is not valid: %v", err)
		}
		var caddy caddyWriter
		caddy.policy(want)
		text := mustJSON(t, want)
		for _, spelling := range []struct {
			name string
			text string
			read func() (*Policy, error)
		}{
			{"JSON", string(text), func() (*Policy, error) { return ParseJSON("p.json", text) }},
			{"YAML in blocks", string(writeYAML(t, want, false)), func() (*Policy, error) { return ParseYAML("p.yaml", writeYAML(t, want, false)) }},
			{"YAML in flow", string(writeYAML(t, want, true)), func() (*Policy, error) { return ParseYAML("p.yaml", writeYAML(t, want, true)) }},
			{"tokens", caddy.text.String(), func() (*Policy, error) { return ParseTokens(caddy.tokens) }},
			{"Caddyfile", caddy.text.String(), func() (*Policy, error) { return ParseTokens(tokenize("Caddyfile", caddy.text.String())) }},
		} {
			got, err := spelling.read()
			if err != nil {
				r.Fatalf("%s: %v\n%s", spelling.name, err, spelling.text)
			}
			if have := mustJSON(t, got); string(have) != string(text) {
				r.Fatalf("%s reads differently:\n got %s\nwant %s\nfrom\n%s", spelling.name, have, text, spelling.text)
			}
			if err := got.Validate(); err != nil {
				r.Fatalf("%s: valid as built, but as read: %v", spelling.name, err)
			}
		}
	})
}

// TestSpellingsAgreeOnMistakes holds the verdicts equal: what is wrong in one
// spelling is wrong in the others, for the same reason.
func TestSpellingsAgreeOnMistakes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := policyGenerator().Draw(r, "policy")
		if len(p.Routes) == 0 {
			return
		}
		route := &p.Routes[rapid.IntRange(0, len(p.Routes)-1).Draw(r, "route")]
		rapid.SampledFrom(mistakes).Draw(r, "mistake")(route)
		want := messages(p.Validate())
		if len(want) == 0 {
			r.Fatal("the mistake was not found")
		}
		var caddy caddyWriter
		caddy.policy(p)
		fromJSON, err1 := ParseJSON("p.json", mustJSON(t, p))
		fromYAML, err2 := ParseYAML("p.yaml", writeYAML(t, p, false))
		fromTokens, err3 := ParseTokens(caddy.tokens)
		if err1 != nil || err2 != nil || err3 != nil {
			r.Fatalf("the form is right, but: %v, %v, %v", err1, err2, err3)
		}
		for _, q := range []*Policy{fromJSON, fromYAML, fromTokens} {
			if got := messages(q.Validate()); fmt.Sprint(got) != fmt.Sprint(want) {
				r.Fatalf("verdicts differ:\n got %q\nwant %q", got, want)
			}
		}
	})
}

// mistakes of content, not of form, whose message names no other place.
var mistakes = []func(*Route){
	func(r *Route) { r.Mode = "observed" },
	func(r *Route) { r.Match.Hosts = append(r.Match.Hosts, "https://example.com/") },
	func(r *Route) { r.Match.Paths = append(r.Match.Paths, "/a//b") },
	func(r *Route) { r.Match.Methods = []string{"HEAD"}; r.Cache = Cache{Kind: CacheOrigin} },
	func(r *Route) { r.Params = &Inputs{Key: []string{"*"}} },
	func(r *Route) { r.Cookies = &Inputs{Bypass: []string{"@tracking"}} },
	func(r *Route) { r.Headers = &HeaderInputs{Bypass: []string{"Cookie"}} },
	func(r *Route) { r.Headers = &HeaderInputs{Others: Forward} },
	func(r *Route) { r.Admission = &Choice{Rule: "twice"} },
	func(r *Route) { r.SetCookie = &Choice{Rule: StripCookie} },
	func(r *Route) {
		r.Cache = Cache{Kind: CacheTTL, TTL: Duration(1e9), Statuses: map[int]Duration{500: Duration(1e9)}}
	},
	func(r *Route) { r.Downstream = &Downstream{TTL: Duration(1e9), Profile: "generics"} },
	func(r *Route) { r.Identity = &Identity{Headers: []string{"@analytics"}} },
}

func messages(err error) []string {
	var out []string
	if err != nil {
		for _, d := range err.(Diagnostics) {
			out = append(out, d.Path+": "+d.Message+"; "+d.Fix)
		}
	}
	slices.Sort(out)
	return out
}

// TestValidCompiles holds what Validate promises.
func TestValidCompiles(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := policyGenerator().Draw(r, "policy")
		if _, err := Compile(p, "space"); err != nil {
			r.Fatal(err)
		}
	})
}
