package lint

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/policies"
)

// TestFixKeepsPolicies: what is valid is valid afterwards, treats every name as before,
// keeps its comments, and is left alone the second time.
func TestFixKeepsPolicies(t *testing.T) {
	load := func(file, text string) *Unit { return loadText(t, file, text) }
	names := []string{"utm_source", "utm_*", "gclid", "_ga", "_g*", "ref", "re*", "page", "p*", "@analytics", "a", "*a", "fbclid", "ab", "a*"}
	rapid.Check(t, func(t *rapid.T) {
		list := func(label string) []string {
			return rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, 6, rapid.ID[string]).Draw(t, label)
		}
		comments := 0
		comment := func(sign string) string {
			if rapid.IntRange(0, 5).Draw(t, "comment") > 0 {
				return ""
			}
			comments++
			return fmt.Sprintf("%s# comment %d", sign, comments)
		}
		var b strings.Builder
		file := rapid.SampledFrom([]string{"f.yaml", "f.Caddyfile"}).Draw(t, "file")
		quote := func(s string) string {
			q := rapid.SampledFrom([]string{"", "\"", "'"}).Draw(t, "quote")
			if file != "f.yaml" && q == "'" {
				q = "`"
			}
			if file == "f.yaml" && q == "" && strings.ContainsAny(s[:1], "@*") {
				q = "\""
			}
			return q + s + q
		}
		if file == "f.yaml" {
			b.WriteString("routes:\n  - name: r\n    match: {paths: [/x]}\n    cache: 5m\n")
			for _, kind := range []string{"params", "cookies"} {
				fmt.Fprintf(&b, "    %s:\n", kind)
				for _, verb := range []string{"strip", "key"} {
					switch rapid.IntRange(0, 3).Draw(t, "form") {
					case 0:
					case 1:
						fmt.Fprintf(&b, "      %s:%s\n", verb, comment(" "))
						for _, n := range list("names") {
							fmt.Fprintf(&b, "        - %s%s\n", quote(n), comment(" "))
						}
					default:
						fmt.Fprintf(&b, "      %s: [", verb)
						for i, n := range list("names") {
							if i > 0 {
								b.WriteString(rapid.SampledFrom([]string{",", ", ", " , ", ",\n        "}).Draw(t, "comma"))
							}
							b.WriteString(quote(n))
						}
						b.WriteString(rapid.SampledFrom([]string{"]", " ]", "\n      ]"}).Draw(t, "end") + comment(" ") + "\n")
					}
				}
				b.WriteString("      others: bypass\n")
			}
		} else {
			b.WriteString("route r {\n\tpath /x\n\tcache 5m\n")
			for _, kind := range []string{"param", "cookie"} {
				for _, verb := range []string{"strip", "key"} {
					for i, n := range list("names") {
						if i == 0 || rapid.Bool().Draw(t, "line") {
							if i > 0 {
								b.WriteString(comment(" ") + "\n")
							}
							fmt.Fprintf(&b, "\t%s %s", kind, verb)
						}
						b.WriteString(rapid.SampledFrom([]string{" ", "\t", "  "}).Draw(t, "blank") + quote(n))
					}
					b.WriteString(comment(" ") + "\n")
				}
				fmt.Fprintf(&b, "\t%s others bypass\n", kind)
			}
			b.WriteString("}\n")
		}
		text := b.String()
		if rapid.Bool().Draw(t, "CR") {
			text = strings.ReplaceAll(text, "\n", "\r\n")
		}
		before := load(file, text)
		if len(before.Faults) > 0 {
			t.Skip(before.Faults)
		}
		now := text
		for range 20 {
			edits := PickEdits(file, Run(load(file, now), nil))
			if len(edits) == 0 {
				break
			}
			fixed, err := ApplyEdits([]byte(now), edits)
			if err != nil {
				t.Fatal(err)
			}
			if now == string(fixed) {
				t.Fatal("an edit changes nothing")
			}
			now = string(fixed)
			after := load(file, now)
			if len(after.Faults) > 0 {
				t.Fatalf("%v\n%s\nbecame\n%s", after.Faults, text, now)
			}
			for _, name := range slices.Concat(names, []string{"utm_x", "_gid", "_gx", "refx", "pa", "aaa", "msclkid", "zz"}) {
				name = strings.Trim(name, "@*")
				if a, b := told(before, name), told(after, name); a != b {
					t.Fatalf("%s was %s and is %s\n%s\nbecame\n%s", name, a, b, text, now)
				}
			}
		}
		if n := strings.Count(now, "# comment"); n != comments {
			t.Fatalf("%d of %d comments are left\n%s\nbecame\n%s", n, comments, text, now)
		}
		if len(PickEdits(file, Run(load(file, now), nil))) > 0 {
			t.Fatal("it has no end")
		}
	})
}

// told is what becomes of a parameter and a cookie of that name.
func told(u *Unit, name string) string {
	p := u.Scopes[0].Policy
	return fmt.Sprint(p.Decide(&p.Routes[0], policies.InputParam, name).Verb, p.Decide(&p.Routes[0], policies.InputCookie, name).Verb)
}
