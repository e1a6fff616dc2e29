package policies

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPathCovers(t *testing.T) {
	tests := []struct {
		outer, inner string
		want         bool
	}{
		{"/a", "/a", true},
		{"/a", "/A", false},
		{"/*", "/a", true},
		{"/*", "*.css", true},
		{"/a/*", "/a", false},
		{"/a/*", "/a/", true},
		{"/a/*", "/a/b/*", true},
		{"/a/b/*", "/a/*", false},
		{"*.css", "*.min.css", true},
		{"*.min.css", "*.css", false},
		{"*.css", "/a/*", false},
		{"/a/*", "*.css", false},
		{"*.css", "/a/*.css", true},
		{"*.css", "/a/**.css", true},
		{"/**.css", "*.css", true},
		{"/a/*.css", "/a/**.css", false},
		{"/**", "/a/*", true},
		{"/**/item", "/*/item", true},
		{"/*/item", "/**/item", false},
		{"/a*/b", "/ab*/b", true},
		{"/ab*/b", "/a*/b", false},
		{"/*a*/b", "/*aa*/b", true},
		{"/x*x/**", "/xx/*", true},
		{"/x*x/**", "/x/*", false},
		{"/" + strings.Repeat("a", 200) + "/**/b", "/" + strings.Repeat("a", 200) + "/*/b", true},
		// Too long to be decided: no.
		{"/**" + strings.Repeat("a", 70), "/*" + strings.Repeat("a", 70), false},
	}
	for _, tt := range tests {
		if got := PathCovers(tt.outer, tt.inner); got != tt.want {
			t.Errorf("PathCovers(%q, %q) = %t", tt.outer, tt.inner, got)
		}
	}
}

func TestPathsMeet(t *testing.T) {
	tests := []struct {
		a, b, want string
		ok         bool
	}{
		{"/a", "/a", "/a", true},
		{"/a", "/b", "", false},
		{"/a/*", "/a/b/*", "/a/b/", true},
		{"/a/*", "/b/*", "", false},
		{"/a/*", "*.css", "/a/x.css", true},
		{"*.css", "*.min.css", "/.min.css", true},
		{"*.css", "*.js", "", false},
		{"/*/item", "/a/*", "/a/item", true},
		{"/*/item", "/a/b/*", "", false},
		{"/a*", "/*b", "/ab", true},
	}
	for _, tt := range tests {
		for _, pair := range [][2]string{{tt.a, tt.b}, {tt.b, tt.a}} {
			got, ok := PathsMeet(pair[0], pair[1])
			if ok != tt.ok || ok && got != tt.want {
				t.Errorf("PathsMeet(%q, %q) = %q, %t", pair[0], pair[1], got, ok)
			}
		}
	}
}

func TestHostCovers(t *testing.T) {
	tests := []struct {
		outer, inner string
		want         bool
	}{
		{"", "a.example", true},
		{"", "", true},
		{"a.example", "", false},
		{"A.example", "a.Example", true},
		{"a.example", "a.example:81", true},
		{"a.example:81", "a.example", false},
		{"a.example:81", "a.example:82", false},
		{"*.example", "a.example", true},
		{"*.example", "a.b.example:81", true},
		{"*.example", "*.b.example", true},
		{"*.b.example", "*.example", false},
		{"*.example", "example", false},
		{"*.example", "aexample", false},
		{"*.example:81", "a.example:81", true},
		{"*.example:81", "*.example", false},
		{"[::1]", "[::1]:81", true},
		{"[::1]:81", "[::1]", false},
	}
	for _, tt := range tests {
		if got := HostCovers(tt.outer, tt.inner); got != tt.want {
			t.Errorf("HostCovers(%q, %q) = %t", tt.outer, tt.inner, got)
		}
	}
}

// somePathPattern are patterns that a policy can have.
var somePathPattern = rapid.Custom(func(t *rapid.T) string {
	return somePattern.Filter(func(p string) bool { return strings.HasPrefix(p, "/") || strings.HasPrefix(p, "*.") }).Draw(t, "pattern")
})

// TestPathCoversIsSound holds the answers against the matcher of requests.
func TestPathCoversIsSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		outer, inner := somePathPattern.Draw(t, "outer"), somePathPattern.Draw(t, "inner")
		o, in := compilePath(outer), compilePath(inner)
		covers := PathCovers(outer, inner)
		meet, meets := PathsMeet(outer, inner)
		if meets && !(o.match(meet) && in.match(meet)) {
			t.Fatalf("%q and %q do not meet in %q", outer, inner, meet)
		}
		for range 10 {
			path := somePath.Draw(t, "path")
			if covers && in.match(path) && !o.match(path) {
				t.Fatalf("%q does not cover %q: %q", outer, inner, path)
			}
			if !meets && in.match(path) && o.match(path) {
				t.Fatalf("%q and %q meet in %q", outer, inner, path)
			}
		}
		if path, found, decided := searchPaths(globTokens(in), globTokens(o), func(in, out bool) bool { return in && !out }); decided {
			if found && (!in.match(path) || o.match(path)) {
				t.Fatalf("%q shows nothing of %q and %q", path, inner, outer)
			}
			if found == covers {
				t.Fatalf("PathCovers(%q, %q) = %t, but %q", outer, inner, covers, path)
			}
		}
	})
}

func TestHostCoversIsSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.OneOf(rapid.Just(""), hostPattern)
		a, b := some.Draw(t, "a"), some.Draw(t, "b")
		matches := func(pattern, host string) bool {
			named, _ := hostMatches(pattern, host)
			return pattern == "" || named
		}
		covers := HostCovers(a, b)
		meet, meets := HostsMeet(a, b)
		if meets && !(matches(a, meet) && matches(b, meet)) {
			t.Fatalf("%q and %q do not meet in %q", a, b, meet)
		}
		for range 10 {
			host := someHost.Draw(t, "host")
			if covers && matches(b, host) && !matches(a, host) {
				t.Fatalf("%q does not cover %q: %q", a, b, host)
			}
			if !meets && matches(a, host) && matches(b, host) {
				t.Fatalf("%q and %q meet in %q", a, b, host)
			}
		}
	})
}
