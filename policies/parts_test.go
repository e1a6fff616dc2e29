package policies

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// canonicalText writes a canonical request as it would go over the wire, fields
// in order, with every byte visible.
func canonicalText(c Canonical) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q %q %q %q %q %v\n", c.Method, c.Scheme, c.Host, c.EscapedPath, c.RawQuery, c.ForceQuery)
	for _, name := range slices.Sorted(maps.Keys(c.Header)) {
		fmt.Fprintf(&b, "%q: %q\n", name, c.Header[name])
	}
	return b.String()
}

// hostile draws strings of separators, length-like bytes and ordinary ones.
func hostile() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"", "a", "ja", "\x00", "\x01", "\x01a", "\x02a\x00", "a=b", "a&b", "; ", "|", "__", "\r\n", "\xff", "%00", strings.Repeat("x", 128)}),
		rapid.String(),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 6), func(b []byte) string { return string(b) }),
	)
}

func partsGenerator() *rapid.Generator[Parts] {
	pairs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Field {
		return Field{hostile().Draw(t, "name"), hostile().Draw(t, "value")}
	}), 0, 3)
	return rapid.Custom(func(t *rapid.T) Parts {
		return Parts{
			Space: hostile().Draw(t, "space"),

			OriginalPath: hostile().Draw(t, "original"),
			Root:         hostile().Draw(t, "root"),
			FileSystem:   hostile().Draw(t, "file system"),
			Server:       hostile().Draw(t, "server"),
			Scheme:       hostile().Draw(t, "scheme"),
			Host:         hostile().Draw(t, "host"),
			EscapedPath:  hostile().Draw(t, "path"),
			EmptyQuery:   rapid.Bool().Draw(t, "empty query"),
			Params:       rapid.SliceOfN(hostile(), 0, 3).Draw(t, "params"),
			Cookies:      pairs.Draw(t, "cookies"),
			Headers:      pairs.Draw(t, "headers"),
			Varying:      pairs.Draw(t, "varying"),
			Withheld:     rapid.Bool().Draw(t, "withheld"),
		}
	})
}

// sameParts compares what is in the key; nil and empty are the same.
func sameParts(a, b Parts) bool {
	text := func(p Parts) string {
		return fmt.Sprintf("%q %q %q %q %q %q %q %q %v %q %q %q", p.Space, p.Server, p.Scheme, p.Host, p.EscapedPath, p.OriginalPath, p.Root, p.FileSystem, p.EmptyQuery, p.Params, p.Cookies, p.Headers)
	}
	return text(a) == text(b)
}

// TestKeyRoundTrip holds that a key says everything about its parts, so that two
// different sets of parts never have one key.
func TestKeyRoundTrip(t *testing.T) {
	rapid.Check(t, checkKeyRoundTrip)
}

func FuzzKeyRoundTrip(f *testing.F) {
	f.Add([]byte{1, 0x80, 0})
	check := rapid.MakeFuzz(checkKeyRoundTrip)
	f.Fuzz(func(t *testing.T, draws []byte) { check(t, lengthen(draws)) })
}

func checkKeyRoundTrip(t *rapid.T) {
	p := partsGenerator().Draw(t, "parts")
	key := p.AppendKey(nil)
	got, ok := ReadParts(string(key))
	if !ok || !sameParts(p, got) {
		t.Fatalf("%+v is read back as %+v, %v", p, got, ok)
	}
	for n := range key {
		if _, ok := ReadParts(string(key[:n])); ok {
			t.Fatalf("the first %d of %d bytes are a key too", n, len(key))
		}
	}
}

// TestKeyIsNotImitated moves one value to where another could be mistaken for it.
func TestKeyIsNotImitated(t *testing.T) {
	base := Parts{Space: "s", Server: "v", Scheme: "https", Host: "example.com", EscapedPath: "/a"}
	vary := func(change func(*Parts)) Parts {
		p := base
		change(&p)
		return p
	}
	all := map[string]Parts{
		"base":                    base,
		"empty query":             vary(func(p *Parts) { p.EmptyQuery = true }),
		"one empty parameter":     vary(func(p *Parts) { p.Params = []string{""} }),
		"two parameters":          vary(func(p *Parts) { p.Params = []string{"a", "b"} }),
		"one with &":              vary(func(p *Parts) { p.Params = []string{"a&b"} }),
		"other order":             vary(func(p *Parts) { p.Params = []string{"b", "a"} }),
		"query in the path":       vary(func(p *Parts) { p.EscapedPath = "/a?a&b" }),
		"path in the host":        vary(func(p *Parts) { p.Host, p.EscapedPath = "example.com/a", "" }),
		"original and root moved": vary(func(p *Parts) { p.OriginalPath, p.Root = "", "/a" }),
		"path and original moved": vary(func(p *Parts) { p.EscapedPath, p.OriginalPath = "", "/a" }),
		"space and server moved":  vary(func(p *Parts) { p.Space, p.Server = "", "sv" }),
		"other scheme":            vary(func(p *Parts) { p.Scheme = "http" }),
		"other server":            vary(func(p *Parts) { p.Server = "w" }),
		"cookie":                  vary(func(p *Parts) { p.Cookies = []Field{{"a", "b"}} }),
		"header":                  vary(func(p *Parts) { p.Headers = []Field{{"a", "b"}} }),
		"cookie as parameter":     vary(func(p *Parts) { p.Params = []string{"a=b"} }),
		"name in the value":       vary(func(p *Parts) { p.Cookies = []Field{{"", "ab"}} }),
		"value in the name":       vary(func(p *Parts) { p.Cookies = []Field{{"ab", ""}} }),
		"two cookies":             vary(func(p *Parts) { p.Cookies = []Field{{"a", "b"}, {"c", "d"}} }),
		"one of both":             vary(func(p *Parts) { p.Cookies, p.Headers = []Field{{"a", "b"}}, []Field{{"c", "d"}} }),
		"two headers":             vary(func(p *Parts) { p.Headers = []Field{{"a", "b"}, {"c", "d"}} }),
		"one cookie like two":     vary(func(p *Parts) { p.Cookies = []Field{{"a", "b\x01c\x01d"}} }),
		"cookie pair in a value":  vary(func(p *Parts) { p.Cookies = []Field{{"a", "b; c=d"}} }),
	}
	seen := make(map[string]string)
	for name, p := range all {
		key := string(p.AppendKey(nil))
		if other, taken := seen[key]; taken {
			t.Errorf("%q and %q have one key", name, other)
		}
		seen[key] = name
		if Digest([]byte(key)) == Digest(base.AppendKey(nil)) != (name == "base") {
			t.Errorf("%q: wrong digest", name)
		}
	}
}

func TestAppendKeyAppends(t *testing.T) {
	p := Parts{Host: "example.com"}
	got := p.AppendKey([]byte("before"))
	if want := append([]byte("before"), p.AppendKey(nil)...); !bytes.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCanonical(t *testing.T) {
	neutral := http.Header{"User-Agent": {"Cacheward"}, "Accept": {"*/*"}, "Accept-Encoding": {"identity"}}
	with := func(name, value string) http.Header {
		h := neutral.Clone()
		h[name] = []string{value}
		return h
	}
	for _, tt := range []struct {
		name  string
		parts Parts
		want  Canonical
	}{
		{"nothing keyed", Parts{Space: "s", Server: "v", Scheme: "https", Host: "example.com", EscapedPath: "/%E3%81%82"},
			Canonical{Method: "GET", Scheme: "https", Host: "example.com", EscapedPath: "/%E3%81%82", Header: neutral}},
		{"parameters", Parts{Params: []string{"b=1", "a", "c=%61"}}, Canonical{Method: "GET", RawQuery: "b=1&a&c=%61", Header: neutral}},
		{"empty query", Parts{EmptyQuery: true}, Canonical{Method: "GET", ForceQuery: true, Header: neutral}},
		{"cookies", Parts{Cookies: fields("a", "1", "b", `"x y"`)}, Canonical{Method: "GET", Header: with("Cookie", `a=1; b="x y"`)}},
		{"header", Parts{Headers: fields("X-Plan", "")}, Canonical{Method: "GET", Header: with("X-Plan", "")}},
		{"a keyed header replaces a neutral one", Parts{Headers: fields("User-Agent", "Mozilla")}, Canonical{Method: "GET", Header: with("User-Agent", "Mozilla")}},
		{"varying", Parts{Varying: fields("Accept", "text/html")}, Canonical{Method: "GET", Header: with("Accept", "text/html")}},
		{"nothing forwarded", Parts{forwarded: fields("Traceparent", "00")}, Canonical{Method: "GET", Header: neutral}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.parts.Canonical(); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestCanonicalIsItsOwn holds that changing one canonical request changes no other.
func TestCanonicalIsItsOwn(t *testing.T) {
	p := Parts{Headers: fields("X-Plan", "a"), Cookies: fields("a", "1")}
	first := p.Canonical()
	want := canonicalText(first)
	for name := range first.Header {
		first.Header[name][0] = "changed"
	}
	first.Header.Set("X-New", "1")
	if got := canonicalText(p.Canonical()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPartsClone(t *testing.T) {
	p := Parts{Host: "a", Params: []string{"ref=a"}, Cookies: fields("c", "1"), Headers: fields("H", "1"), Varying: fields("V", "1"), Withheld: true, forwarded: fields("F", "1")}
	c := p.Clone()
	if !reflect.DeepEqual(&p, c) {
		t.Fatalf("got %+v, want %+v", c, p)
	}
	p.Reset()
	p.Params = append(p.Params, "ref=b")
	p.Cookies = append(p.Cookies, Field{"c", "2"})
	p.Headers = append(p.Headers, Field{"H", "2"})
	p.Varying = append(p.Varying, Field{"V", "2"})
	p.forwarded = append(p.forwarded, Field{"F", "2"})
	if p.Withheld || len(p.Varying) != 1 || len(p.forwarded) != 1 {
		t.Errorf("something is left after Reset: %+v", p)
	}
	if c.Params[0] != "ref=a" || c.Cookies[0].Value != "1" || c.Headers[0].Value != "1" || c.Varying[0].Value != "1" || c.Forwarded()[0].Value != "1" {
		t.Errorf("the clone changed: %+v", c)
	}
	key := string(c.AppendKey(nil))
	c.Impersonal()
	if c.Forwarded() != nil || c.Varying != nil || string(c.AppendKey(nil)) != key {
		t.Errorf("after Impersonal: %+v", c)
	}
}

// TestSelect puts back what selected a stored variant (RFC 9111 §4.1).
func TestSelect(t *testing.T) {
	p := Parts{Host: "a", Varying: fields("Accept", "text/html")}
	key, stored := string(p.AppendKey(nil)), fields("X-Plan", "a", "Accept-Language", "ja")
	p.Select(stored)
	stored[0].Value = "changed"
	if want := fields("Accept-Language", "ja", "X-Plan", "a"); !slices.Equal(p.Varying, want) {
		t.Errorf("got %q, want %q", p.Varying, want)
	}
	if string(p.AppendKey(nil)) != key {
		t.Error("the selection is in the key")
	}
	if got := p.Canonical().Header; got.Get("Accept") != "*/*" || got.Get("Accept-Language") != "ja" || got.Get("X-Plan") != "a" {
		t.Errorf("got %q", got)
	}
}
