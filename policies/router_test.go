package policies

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// findLinear tries the routes in turn, by the definitions: what find must equal.
func findLinear(matches []Match, method, host, path string) int {
	for i, m := range matches {
		hosts := len(m.Hosts) == 0 || slices.ContainsFunc(m.Hosts, func(pattern string) bool {
			named, _ := hostMatches(pattern, host)
			return named
		})
		paths := len(m.Paths) == 0 || slices.ContainsFunc(m.Paths, func(pattern string) bool {
			return pathRegexp(pattern).MatchString(path)
		})
		methods := len(m.Methods) == 0 || slices.Contains(m.Methods, method)
		if hosts && paths && methods {
			return i
		}
	}
	return -1
}

func hostMatches(pattern, host string) (named, withPort bool) {
	pattern = strings.ToLower(pattern)
	name, port, _ := strings.Cut(host, ":")
	patternName, patternPort, ported := strings.Cut(pattern, ":")
	if ported && patternPort != port {
		return false, false
	}
	if suffix, ok := strings.CutPrefix(patternName, "*"); ok {
		named = len(name) > len(suffix) && strings.HasSuffix(name, suffix)
	} else {
		named = name == patternName
	}
	return named, named && ported
}

func TestRouterFind(t *testing.T) {
	matches := []Match{
		0: {Hosts: []string{"hapitas.example"}, Paths: []string{"/register/lp"}},
		1: {Hosts: []string{"*.hapitas.example"}, Paths: []string{"/register/*"}},
		2: {Hosts: []string{"Example.com:8443"}},
		3: {Hosts: []string{"example.com"}, Methods: []string{"GET"}},
		4: {Paths: []string{"*.css"}, Methods: []string{"GET", "HEAD"}},
		5: {Paths: []string{"/static/**/v*/*.js"}},
		6: {Paths: []string{"**/late"}},
		7: {Paths: []string{"/static/*"}},
		8: {Hosts: []string{"[::1]"}},
		9: {Hosts: []string{"*.port.example:81"}},
	}
	tests := []struct {
		name, method, host, path string
		want                     int
	}{
		{"exact host and path", "GET", "hapitas.example", "/register/lp", 0},
		{"port of a host without one", "GET", "hapitas.example:8080", "/register/lp", 0},
		{"path below an exact one", "GET", "hapitas.example", "/register/lp/", -1},
		{"wildcard host", "GET", "sp.hapitas.example", "/register/lp", 1},
		{"wildcard host, two labels", "GET", "a.sp.hapitas.example", "/register/", 1},
		{"wildcard is not the host itself", "GET", "hapitas.example", "/register/x", -1},
		{"wildcard is not part of a label", "GET", "xhapitas.example", "/register/x", -1},
		{"wildcard needs a label", "GET", ".hapitas.example", "/register/x", -1},
		{"host with its port", "POST", "example.com:8443", "/", 2},
		{"host with another port", "POST", "example.com:8444", "/", -1},
		{"first of two hosts", "GET", "example.com:8443", "/", 2},
		{"second of two hosts", "GET", "example.com", "/", 3},
		{"method", "POST", "example.com", "/", -1},
		{"method is case-sensitive", "get", "example.com", "/", -1},
		{"extension, any host", "HEAD", "other.example", "/a/b.css", 4},
		{"extension, empty host", "GET", "", "/a/b.css", 4},
		{"glob before prefix", "GET", "other.example", "/static/x/v1/a.js", 5},
		{"prefix", "GET", "other.example", "/static/x/w1/a.js", 7},
		{"glob without a literal start", "GET", "other.example", "/static/late", 6},
		{"glob does not begin there", "GET", "other.example", "/statics", -1},
		{"address", "GET", "[::1]", "/", 8},
		{"address with a port", "GET", "[::1]:443", "/", 8},
		{"wildcard with its port", "GET", "a.port.example:81", "/", 9},
		{"wildcard with another port", "GET", "a.port.example:82", "/", -1},
		{"wildcard without its port", "GET", "a.port.example", "/", -1},
	}
	r := newRouter(matches)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := r.find(tt.method, tt.host, tt.path); got != tt.want {
				t.Errorf("find(%s %s%s) = %d, want %d", tt.method, tt.host, tt.path, got, tt.want)
			}
		})
	}
}

func TestRouterKnowsHost(t *testing.T) {
	r := newRouter([]Match{{Hosts: []string{"a.example", "b.example:81", "*.c.example", "[::1]"}}, {Paths: []string{"/x"}}})
	if !r.namesHosts() {
		t.Error("namesHosts is false")
	}
	for host, want := range map[string][2]bool{
		"a.example":      {true, false},
		"a.example:80":   {true, false},
		"b.example:81":   {true, true},
		"b.example":      {false, false},
		"b.example:82":   {false, false},
		"x.c.example":    {true, false},
		"x.y.c.example":  {true, false},
		"x.c.example:81": {true, false},
		"c.example":      {false, false},
		"[::1]":          {true, false},
		"[::1]:81":       {true, false},
		"":               {false, false},
	} {
		if named, withPort := r.knowsHost(host); named != want[0] || withPort != want[1] {
			t.Errorf("knowsHost(%q) = %t, %t, want %t, %t", host, named, withPort, want[0], want[1])
		}
	}
	for _, matches := range [][]Match{nil, {{Paths: []string{"/x"}}}} {
		r := newRouter(matches)
		if named, _ := r.knowsHost("a.example"); named || r.namesHosts() {
			t.Errorf("a router without hosts knows one: %v", matches)
		}
	}
}

// Few labels and segments, so that routes overlap and requests meet them.
var (
	someName = rapid.Custom(func(t *rapid.T) string {
		labels := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "ab"}), 1, 3).Draw(t, "labels")
		return strings.Join(labels, ".")
	})
	somePort    = rapid.SampledFrom([]string{"", "", ":1", ":2"})
	someHost    = rapid.Custom(func(t *rapid.T) string { return someName.Draw(t, "name") + somePort.Draw(t, "port") })
	hostPattern = rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom([]string{"", "*."}).Draw(t, "wildcard") + someHost.Draw(t, "host")
	})
	somePath = rapid.Custom(func(t *rapid.T) string {
		segments := rapid.SliceOfN(rapid.SampledFrom([]string{"", "a", "b", "a.c", "a.b.c", ".c"}), 0, 4).Draw(t, "segments")
		return "/" + strings.Join(segments, "/")
	})
	somePattern = rapid.OneOf(
		somePath,
		rapid.Custom(func(t *rapid.T) string { return strings.TrimRight(somePath.Draw(t, "prefix"), "/") + "/*" }),
		rapid.SampledFrom([]string{"*.c", "*.b.c", "*.", "*.d", "**", "*", "", "**/a", "**a*"}),
		rapid.Custom(func(t *rapid.T) string {
			segments := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "*", "**", "a*", "*.c", "a**c"}), 1, 4).Draw(t, "segments")
			return "/" + strings.Join(segments, "/")
		}),
	)
	someMethod = rapid.SampledFrom([]string{"GET", "HEAD", "POST"})
	someMatch  = rapid.Custom(func(t *rapid.T) Match {
		return Match{
			Hosts:   rapid.SliceOfN(hostPattern, 0, 2).Draw(t, "hosts"),
			Paths:   rapid.SliceOfN(somePattern, 0, 3).Draw(t, "paths"),
			Methods: rapid.SliceOfN(someMethod, 0, 2).Draw(t, "methods"),
		}
	})
)

func TestRouterIsTheLinearOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		matches := rapid.SliceOfN(someMatch, 0, 24).Draw(t, "routes")
		r := newRouter(matches)
		for range 12 {
			method, host, path := someMethod.Draw(t, "method"), someHost.Draw(t, "host"), somePath.Draw(t, "path")
			if got, want := r.find(method, host, path), findLinear(matches, method, host, path); got != want {
				t.Fatalf("find(%s %s%s) = %d, one after the other: %d", method, host, path, got, want)
			}
			var named, withPort bool
			for _, m := range matches {
				for _, pattern := range m.Hosts {
					n, p := hostMatches(pattern, host)
					named, withPort = named || n, withPort || p
				}
			}
			if n, p := r.knowsHost(host); n != named || p != withPort {
				t.Fatalf("knowsHost(%s) = %t, %t, one after the other: %t, %t", host, n, p, named, withPort)
			}
		}
	})
}

// FuzzRouter reads routes from text: a line each, hosts, paths and methods
// separated by blanks, each a list with commas.
func FuzzRouter(f *testing.F) {
	f.Add("a.example,*.b.example:1 /a/*,*.c GET\n  /a/** \n", "GET", "x.b.example:1", "/a/b.c")
	f.Add("* **/a,/a*/b HEAD", "HEAD", "a", "/ab/b")
	f.Fuzz(func(t *testing.T, text, method, host, path string) {
		if len(text) > 1000 || len(path) > 1000 || strings.ContainsAny(host, "[]") || strings.Count(host, ":") > 1 {
			t.Skip("too long, or an address, which the linear matcher does not know")
		}
		list := func(s string) []string {
			return slices.DeleteFunc(strings.Split(s, ","), func(s string) bool { return s == "" })
		}
		var matches []Match
		for line := range strings.Lines(strings.ToValidUTF8(text, "")) {
			parts := strings.Split(strings.TrimSuffix(line, "\n"), " ")
			if len(parts) != 3 || strings.Count(parts[0], ":") > 1 {
				continue
			}
			matches = append(matches, Match{Hosts: list(parts[0]), Paths: list(parts[1]), Methods: list(parts[2])})
		}
		for _, m := range matches {
			for _, h := range m.Hosts {
				name := strings.TrimPrefix(h, "*.")
				if strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789-.:") != "" || strings.HasSuffix(name, ":") || name == "" {
					t.Skip("not a host pattern")
				}
			}
		}
		host, path = strings.ToLower(strings.TrimSuffix(host, ":")), strings.ToValidUTF8(path, "")
		if got, want := newRouter(matches).find(method, host, path), findLinear(matches, method, host, path); got != want {
			t.Fatalf("find(%s %s%s) = %d, one after the other: %d", method, host, path, got, want)
		}
	})
}

// manyRoutes are n routes of all forms, with four routes a host or no hosts. All
// names have one length, so that routers of all sizes hash equally much.
func manyRoutes(n int, hosts bool) []Match {
	matches := make([]Match, n)
	for i := range matches {
		path := fmt.Sprintf("/shop%05d/items", i)
		switch i % 4 {
		case 1:
			path += "/*"
		case 2:
			path += "/*/detail"
		case 3:
			path = fmt.Sprintf("*.x%05d", i)
		}
		matches[i] = Match{Paths: []string{path}}
		if hosts {
			matches[i].Hosts = []string{fmt.Sprintf("shop%05d.example", i/4)}
		}
	}
	return matches
}

func TestRouterAllocatesNothing(t *testing.T) {
	for _, hosts := range []bool{false, true} {
		r := newRouter(append(manyRoutes(100, hosts), Match{Hosts: []string{"*.example:81"}}))
		n := testing.AllocsPerRun(100, func() {
			r.find("GET", "shop00001.example:81", "/shop00006/items/a/detail")
			r.knowsHost("shop00001.example:81")
		})
		if n != 0 {
			t.Errorf("hosts %t: %v allocations", hosts, n)
		}
	}
}

// The last routes are asked for, which are the dearest for a matcher that tries
// one after the other.
func BenchmarkRouter(b *testing.B) {
	for _, hosts := range []bool{false, true} {
		for _, n := range []int{10, 10_000} {
			b.Run(fmt.Sprintf("hosts=%t/routes=%d", hosts, n), func(b *testing.B) {
				r := newRouter(manyRoutes(n, hosts))
				host := fmt.Sprintf("shop%05d.example", (n-1)/4)
				paths := []string{
					fmt.Sprintf("/shop%05d/items", (n-1)/4*4),
					fmt.Sprintf("/shop%05d/items/12/detail", (n-1)/4*4),
					"/nowhere/at/all.html",
				}
				b.ReportAllocs()
				for b.Loop() {
					for _, path := range paths {
						r.find("GET", host, path)
					}
				}
			})
		}
	}
}
