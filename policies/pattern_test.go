package policies

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPathPattern(t *testing.T) {
	tests := []struct {
		pattern string
		kind    pathKind
		yes, no []string
	}{
		{"/a", pathExact, []string{"/a"}, []string{"/a/", "/A", "/ab", "", "a"}},
		{"/", pathExact, []string{"/"}, []string{"", "//", "/a"}},
		{"", pathExact, []string{""}, []string{"/"}},
		{"/*", pathPrefix, []string{"/", "/a", "/a/b"}, []string{"", "a"}},
		{"/a/*", pathPrefix, []string{"/a/", "/a/b", "/a/b/c", "/a//"}, []string{"/a", "/ab/", "/b/a/", "/A/b"}},
		{"*.css", pathExt, []string{"/a.css", "/a/b.css", "/.css", "/a.min.css", ".css"}, []string{"/a.CSS", "/acss", "/a.css/b", "/a.css.map"}},
		{"*.min.css", pathExt, []string{"/a.min.css", "/b/a.x.min.css"}, []string{"/a.css", "/min.css"}},
		{"*.", pathExt, []string{"/a."}, []string{"/a", "/a./b"}},
		{"/a*", pathGlob, []string{"/a", "/ab"}, []string{"/a/", "/a/b", "/b"}},
		{"/a/*/c", pathGlob, []string{"/a/b/c", "/a//c"}, []string{"/a/c", "/a/b/b/c", "/a/b/c/"}},
		{"/a/**", pathGlob, []string{"/a/", "/a/b", "/a/b/c"}, []string{"/a", "/b"}},
		{"/a/**/c", pathGlob, []string{"/a/b/c", "/a//c", "/a/b/b/c", "/a/c/c"}, []string{"/a/c", "/a/b/c/d"}},
		{"/a/***/c", pathGlob, []string{"/a/b/b/c"}, []string{"/a/c"}},
		{"**", pathGlob, []string{"", "/", "/a/b"}, nil},
		{"*", pathGlob, []string{"", "a"}, []string{"/", "/a"}},
		{"**/a*b", pathGlob, []string{"/ab", "/x/axb", "/x/a/ab"}, []string{"/a/b", "/ab/"}},
		{"**b*c/d", pathGlob, []string{"/b/bc/d", "/bxc/bxc/d"}, []string{"/b/c/d", "/bc/x/d"}},
		{"/*.*.js", pathGlob, []string{"/a.b.js", "/a.b.c.js"}, []string{"/a.js", "/a/b.c.js"}},
		{"*.css/x", pathGlob, []string{"a.css/x"}, []string{"/a.css/x"}},
		{"/a*b*c", pathGlob, []string{"/abc", "/abbcc", "/axbxc"}, []string{"/acb", "/abxcx"}},
	}
	for _, tt := range tests {
		t.Run(tt.pattern, func(t *testing.T) {
			p := compilePath(tt.pattern)
			if p.kind != tt.kind {
				t.Errorf("kind = %d, want %d", p.kind, tt.kind)
			}
			for _, path := range tt.yes {
				if !p.match(path) {
					t.Errorf("does not match %q", path)
				}
			}
			for _, path := range tt.no {
				if p.match(path) {
					t.Errorf("matches %q", path)
				}
			}
		})
	}
}

// pathRegexp is the pattern language said again, by other means.
func pathRegexp(pattern string) *regexp.Regexp {
	if strings.HasPrefix(pattern, "*.") && !strings.ContainsAny(pattern[1:], "*/") {
		return regexp.MustCompile(`(?s)^.*` + regexp.QuoteMeta(pattern[1:]) + `$`)
	}
	if prefix, ok := strings.CutSuffix(pattern, "/*"); ok && !strings.Contains(prefix, "*") {
		return regexp.MustCompile(`(?s)^` + regexp.QuoteMeta(prefix) + `/.*$`)
	}
	var b strings.Builder
	b.WriteString(`(?s)^`)
	for rest := pattern; rest != ""; {
		literal := strings.IndexByte(rest, '*')
		if literal < 0 {
			literal = len(rest)
		}
		b.WriteString(regexp.QuoteMeta(rest[:literal]))
		rest = rest[literal:]
		after := strings.TrimLeft(rest, "*")
		switch len(rest) - len(after) {
		case 0:
		case 1:
			b.WriteString(`[^/]*`)
		default:
			b.WriteString(`.*`)
		}
		rest = after
	}
	return regexp.MustCompile(b.String() + `$`)
}

func TestPathPatternIsItsRegexp(t *testing.T) {
	patterns := rapid.StringOfN(rapid.SampledFrom([]rune("ab/.***")), 0, 14, -1)
	paths := rapid.StringOfN(rapid.SampledFrom([]rune("aab//.")), 0, 24, -1)
	rapid.Check(t, func(t *rapid.T) {
		pattern := patterns.Draw(t, "pattern")
		p, re := compilePath(pattern), pathRegexp(pattern)
		for _, path := range rapid.SliceOfN(paths, 1, 12).Draw(t, "paths") {
			if got, want := p.match(path), re.MatchString(path); got != want {
				t.Fatalf("%q matches %q: %t, its regexp: %t", pattern, path, got, want)
			}
		}
	})
}

func FuzzPathPattern(f *testing.F) {
	f.Add("/a/**/b*c", "/a/x/y/bxc")
	f.Add("**a*a/b*", "/aa/aaa/b")
	f.Add("*.min.css", "/x.min.css")
	f.Add("/a/*", "/a/")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if len(pattern) > 200 || len(path) > 2000 {
			t.Skip("regexp is too slow for it")
		}
		// regexp replaces what is no UTF-8, the patterns compare bytes.
		pattern, path = strings.ToValidUTF8(pattern, ""), strings.ToValidUTF8(path, "")
		p := compilePath(pattern)
		if got, want := p.match(path), pathRegexp(pattern).MatchString(path); got != want {
			t.Fatalf("%q matches %q: %t, its regexp: %t", pattern, path, got, want)
		}
	})
}

func TestPathPatternAllocatesNothing(t *testing.T) {
	p := compilePath("/a/**/b*c/*d")
	if n := testing.AllocsPerRun(100, func() { p.match("/a/x/y/bxc/bcc/dd") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The time for ten times the path should be ten times as long, also for
// patterns made to be slow.
func BenchmarkHostileGlob(b *testing.B) {
	for _, pattern := range []string{"**a*a*a*b", "/**/a*/**/a*b", "**aaab"} {
		p := compilePath(pattern)
		for _, n := range []int{1_000, 10_000} {
			path := "/" + strings.Repeat("a", n)
			b.Run(fmt.Sprintf("%s/%d", strings.ReplaceAll(pattern, "/", "|"), n), func(b *testing.B) {
				for b.Loop() {
					p.match(path)
				}
			})
		}
	}
}
