package policies

import (
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMatcherFind(t *testing.T) {
	tests := []struct {
		name     string
		kind     listKind
		patterns map[Verb][]string
		lookup   string
		want     Verb
		declared bool
	}{
		{"exact", kindParam, map[Verb][]string{Key: {"ref"}}, "ref", Key, true},
		{"others", kindParam, map[Verb][]string{Key: {"ref"}}, "src", Bypass, false},
		{"case matters for parameters", kindParam, map[Verb][]string{Key: {"ref"}}, "Ref", Bypass, false},
		{"case matters for cookie globs", kindCookie, map[Verb][]string{Strip: {"ab_*"}}, "AB_1", Bypass, false},
		{"exact beats glob", kindParam, map[Verb][]string{Deny: {"utm_*"}, Strip: {"utm_source"}}, "utm_source", Strip, true},
		{"glob beats list", kindParam, map[Verb][]string{Key: {"utm_*"}, Strip: {"@analytics"}}, "utm_source", Key, true},
		{"list", kindParam, map[Verb][]string{Strip: {"@analytics"}}, "utm_source", Strip, true},
		{"list by kind", kindCookie, map[Verb][]string{Strip: {"@analytics"}}, "gclid", Bypass, false},
		{"glob in a list", kindCookie, map[Verb][]string{Strip: {"@analytics"}}, "mp_0123_mixpanel", Strip, true},
		{"no list of headers", kindHeader, map[Verb][]string{Strip: {"@analytics"}}, "Gclid", Bypass, false},
		{"unknown list", kindParam, map[Verb][]string{Strip: {"@nothing"}}, "utm_source", Bypass, false},
		{"deny before bypass", kindParam, map[Verb][]string{Bypass: {"a*"}, Deny: {"*z"}}, "az", Deny, true},
		{"bypass before key", kindParam, map[Verb][]string{Key: {"a*"}, Bypass: {"*z"}}, "az", Bypass, true},
		{"key before strip", kindParam, map[Verb][]string{Strip: {"a*"}, Key: {"*z"}}, "az", Key, true},
		{"key before vary", kindHeader, map[Verb][]string{Vary: {"X-*"}, Key: {"*-Plan"}}, "X-Plan", Key, true},
		{"forward before strip", kindHeader, map[Verb][]string{Strip: {"X-*"}, Forward: {"*-Id"}}, "X-Id", Forward, true},
		{"stricter of two exact", kindParam, map[Verb][]string{Strip: {"a"}, Deny: {"a"}}, "a", Deny, true},
		{"header folded", kindHeader, map[Verb][]string{Key: {"x-plan"}}, "X-Plan", Key, true},
		{"header glob folded", kindHeader, map[Verb][]string{Key: {"X-ab-*"}}, "X-Ab-Test", Key, true},
		{"header not canonical", kindHeader, map[Verb][]string{Key: {"X-Plan"}}, "x-pLAN", Key, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMatcher(tt.kind, Bypass)
			for verb, patterns := range tt.patterns {
				m.add(verb, patterns...)
			}
			verb, declared := m.find(tt.lookup)
			if verb != tt.want || declared != tt.declared {
				t.Errorf("find(%q) = %s, %v; want %s, %v", tt.lookup, verb, declared, tt.want, tt.declared)
			}
			if m.matches(tt.lookup) != tt.declared {
				t.Errorf("matches(%q) = %v", tt.lookup, !tt.declared)
			}
		})
	}
}

// TestNameGlob compares the matcher with path.Match, whose * is the same for names
// without a slash.
func TestNameGlob(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[abA*]{1,8}`).Draw(t, "pattern")
		name := rapid.StringMatching(`[abA]{0,10}`).Draw(t, "name")
		want, err := path.Match(pattern, name)
		if err != nil {
			t.Fatal(err)
		}
		if got := newNameGlob(pattern, kindParam).match(name); got != want {
			t.Fatalf("%q matches %q: %v, want %v", pattern, name, got, want)
		}
		want, _ = path.Match(strings.ToLower(pattern), strings.ToLower(name))
		if got := newNameGlob(pattern, kindHeader).match(name); got != want {
			t.Fatalf("folded, %q matches %q: %v, want %v", pattern, name, got, want)
		}
	})
}

// TestWithin: whatever the inner pattern matches, the outer does.
func TestWithin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inner := rapid.StringMatching(`[ab*]{1,4}`).Draw(t, "inner")
		outer := rapid.StringMatching(`[ab*]{1,4}`).Draw(t, "outer")
		name := rapid.StringMatching(`[ab]{0,6}`).Draw(t, "name")
		matches := func(pattern string) bool {
			ok, _ := path.Match(pattern, name)
			return ok
		}
		if within(kindParam, inner, outer) && matches(inner) && !matches(outer) {
			t.Fatalf("%q is said to be within %q, but only it matches %q", inner, outer, name)
		}
	})
}

func TestLookupsDoNotAllocate(t *testing.T) {
	params, headers := newMatcher(kindParam, Bypass), newMatcher(kindHeader, Strip)
	params.add(Strip, "@analytics", "a*", "ref")
	headers.add(Key, "X-Plan", "X-Ab-*")
	for _, name := range []string{"ref", "abc", "utm_source", "nothing"} {
		if n := testing.AllocsPerRun(100, func() { params.find(name) }); n != 0 {
			t.Errorf("find(%q) allocates %v times", name, n)
		}
	}
	for _, name := range []string{"X-Plan", "X-Ab-Test", "Accept"} {
		if n := testing.AllocsPerRun(100, func() { headers.find(name) }); n != 0 {
			t.Errorf("find(%q) allocates %v times", name, n)
		}
	}
}

func BenchmarkMatcher(b *testing.B) {
	m := newMatcher(kindCookie, Bypass)
	m.add(Strip, "@analytics")
	m.add(Key, "lang", "ab_*")
	for _, name := range []string{"lang", "ab_1", "_ga_ABC", "unknown"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m.find(name)
			}
		})
	}
}

func TestLists(t *testing.T) {
	if ListVersion() < 1 {
		t.Errorf("version %d", ListVersion())
	}
	for list, entries := range Lists() {
		seen := make(map[string]bool)
		for _, e := range entries {
			if e.Vendor == "" || !e.Param && !e.Cookie {
				t.Errorf("%s: %+v is incomplete", list, e)
			}
			for _, kind := range []listKind{kindParam, kindCookie} {
				if listed := kind == kindParam && e.Param || kind == kindCookie && e.Cookie; !listed {
					continue
				}
				if message, _ := checkName(kind, e.Pattern); message != "" {
					t.Errorf("%s: %s", list, message)
				}
				id := kind.String() + e.Pattern
				if seen[id] {
					t.Errorf("%s: %s is listed twice as a %s", list, e.Pattern, kind)
				}
				seen[id] = true
				m := newMatcher(kind, Bypass)
				m.add(Strip, list)
				if example := strings.ReplaceAll(e.Pattern, "*", "x"); !m.matches(example) {
					t.Errorf("%s does not match the %s %s", list, kind, example)
				}
			}
		}
	}
	want := []string{"gclid", "fbclid", "utm_*", "msclkid", "yclid", "ttclid", "twclid", "mc_cid", "s_kwcid", "srsltid"}
	for _, name := range want {
		if !slices.ContainsFunc(Lists()["@analytics"], func(e ListEntry) bool { return e.Pattern == name && e.Param }) {
			t.Errorf("@analytics lacks the parameter %s", name)
		}
	}
}

// TestListsAreCopies: what a caller does to the lists changes nothing.
func TestListsAreCopies(t *testing.T) {
	Lists()["@analytics"][0].Pattern = "session"
	if Lists()["@analytics"][0].Pattern == "session" {
		t.Error("Lists hands out its own data")
	}
}

// TestListsNameNobody: names that usually make a visitor a person are on no list.
func TestListsNameNobody(t *testing.T) {
	for _, kind := range []listKind{kindParam, kindCookie} {
		m := newMatcher(kind, Bypass)
		m.add(Strip, "@analytics")
		for _, name := range []string{"session", "sid", "PHPSESSID", "JSESSIONID", "token", "auth", "user", "id", "ref", "source", "lang", "csrftoken", "page", "q", "mc_color", "pk_id"} {
			if m.matches(name) {
				t.Errorf("the %s %s would be stripped", kind, name)
			}
		}
	}
}

func TestReadLists(t *testing.T) {
	for _, text := range []string{
		"version: 1\n'@a':\n  - {names: [a], in: header, vendor: x}\n",
		"version: 0\n",
		"version: 1\nanalytics: []\n",
		"version: 1\n'@a': []\n",
	} {
		root, err := parseYAML("lists.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readLists(root); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func TestSuggest(t *testing.T) {
	tests := []struct{ word, want string }{
		{"strp", "strip"}, {"stirp", "strip"}, {"STRIP", "strip"}, {"kye", "key"}, {"bypas", "bypass"}, {"keys", "key"},
		{"", ""}, {"x", ""}, {"forbid", ""}, {strings.Repeat("strip", 100), ""},
	}
	for _, tt := range tests {
		if got := nearest(tt.word, []string{"key", "strip", "bypass", "deny"}); got != tt.want {
			t.Errorf("nearest(%q) = %q, want %q", tt.word, got, tt.want)
		}
	}
}

// TestSpecialHeaders holds that the table is canonical enough to be found.
func TestSpecialHeaders(t *testing.T) {
	for _, sp := range specialHeaders {
		for _, name := range sp.names {
			for _, spelled := range []string{name, strings.ToLower(name), http.CanonicalHeaderKey(name)} {
				if got, _ := specialHeader(spelled, Key); got == nil {
					t.Errorf("%q can be keyed", spelled)
				}
			}
		}
	}
	if got, _ := specialHeader("X-Plan", Key); got != nil {
		t.Error("X-Plan is taken to be special")
	}
}
