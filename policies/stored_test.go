package policies

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const storedPolicy = `
routes:
  - name: page
    match: {hosts: [example.com, "example.com:8443"], paths: [/page/*]}
    cache: 5m
    params: {key: [ref], strip: ["@analytics"]}
  - name: account
    match: {hosts: [example.com], paths: [/account/*]}
    cache: never
  - name: site
    match: {hosts: [example.com], paths: [/*]}
    cache: origin
    params: {strip: ["@analytics"], deny: [debug]}
`

// TestStored is RFC 9111 §4.4: the URI of a target or of a Location, and the URI by
// which what is stored for it is found.
func TestStored(t *testing.T) {
	c := compiled(t, storedPolicy)
	for _, tt := range []struct{ uri, want string }{
		{"https://example.com/a", "https://example.com/a"},
		{"https://example.com/a?b=1&a", "https://example.com/a?b=1&a"},
		{"https://example.com/a?utm_source=x&b=1", "https://example.com/a?b=1"},
		{"https://example.com/a?utm_source=x", "https://example.com/a"},
		{"https://EXAMPLE.com/a", "https://example.com/a"},
		{"HTTPS://example.com/a", "https://example.com/a"},
		{"http://example.com/a", "http://example.com/a"},
		{"https://example.com/page/a?ref=1", "https://example.com/page/a?ref=1"},
		{"https://example.com/%E3%81%82", "https://example.com/%E3%81%82"},
		{"https://example.com:8443/page/a", "https://example.com:8443/page/a"},
		{"https://example.com:9443/a", "https://example.com:9443/a"}, // whoever asks for it comes in there
		{"https://example.com/page/a?other=1", ""},                   // a bypass
		{"https://example.com/a?debug=1", ""},
		{"https://example.com/account/a", ""},
		{"https://example.org/a", ""},
		{"https://example.com/a/../b", ""},
		{"https://example.com/%61", ""}, // another spelling of a path that is stored plain
		{"https://example.com/%zz", ""},
		{"https://exa mple.com/a", ""},
		{"https:///a", ""},
		{"https://example.com", ""},
	} {
		t.Run(tt.uri, func(t *testing.T) {
			scheme, host, path, query := splitURI(tt.uri)
			p, ok := c.Stored(scheme, host, path, query)
			if ok != (tt.want != "") {
				t.Fatalf("got %v, %+v", ok, p)
			}
			if got := string(p.AppendURI(nil)); ok && got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			if !ok && !sameParts(p, Parts{}) {
				t.Errorf("got parts of what is not stored: %+v", p)
			}
		})
	}
}

// splitURI takes apart what is not always a URI.
func splitURI(uri string) (scheme, host, path, query string) {
	if u, err := url.Parse(uri); err == nil {
		return u.Scheme, u.Host, u.EscapedPath(), u.RawQuery
	}
	return "https", "exa mple.com", "/%zz", ""
}

// TestStoredIsWhatIsDisposed holds that the answer to a request is found by its URI:
// Stored has the parts of the key that a GET for the URI has, and no others.
func TestStoredIsWhatIsDisposed(t *testing.T) {
	stored := 0
	rapid.Check(t, func(t *rapid.T) {
		c, err := Compile(drawClosurePolicy(t), "test")
		if err != nil {
			t.Fatal(err)
		}
		v := drawVisit(t)
		v.cookies, v.header = nil, http.Header{}
		req, p := v.request(), new(Parts)
		rule := c.Route(req)
		want := rule.Inspect(req).Action == ActCache && rule.Dispose(req, p).Action == ActCache
		got, ok := c.Stored(req.Scheme, req.Host, req.EscapedPath, req.RawQuery)
		if ok != want {
			t.Fatalf("%s%s?%s: got %v, want %v", req.Host, req.EscapedPath, req.RawQuery, ok, want)
		}
		if !ok {
			return
		}
		stored++
		p.Space = ""
		if !sameParts(got, *p) || string(got.AppendURI(nil)) != string(p.AppendURI(nil)) {
			t.Fatalf("got %+v, want %+v", got, p)
		}
	})
	if stored < 10 {
		t.Errorf("only %d are stored", stored)
	}
}

// TestAppendURI holds that the URI is that of the canonical request, but for a ? with
// nothing behind it.
func TestAppendURI(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := partsGenerator().Draw(t, "parts")
		c := p.Canonical()
		want := "before" + c.Scheme + "://" + c.Host + c.EscapedPath
		if c.RawQuery != "" {
			want += "?" + c.RawQuery
		}
		if got := string(p.AppendURI([]byte("before"))); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
	for _, p := range []Parts{{Params: []string{""}}, {Params: []string{"", ""}}, {EmptyQuery: true}, {}} {
		c := p.Canonical()
		if got, want := string(p.AppendURI(nil)), (&url.URL{RawQuery: c.RawQuery}).String(); got != "://"+want {
			t.Errorf("%q: got %s, want %s", p.Params, got, want)
		}
	}
}

// FuzzStored holds that no URI, however it is written, is found under parts that it
// does not consist of.
func FuzzStored(f *testing.F) {
	for _, uri := range [][4]string{
		{"https", "example.com", "/a", "ref=1"}, {"http", "[::1]:80", "/%2e%2e/a", "a&&b"}, {"", "", "", ""}, {"https", "example.com:8443", "/page/%00", "utm_id=%zz"},
	} {
		f.Add(uri[0], uri[1], uri[2], uri[3])
	}
	c := compiled(f, storedPolicy)
	f.Fuzz(func(t *testing.T, scheme, host, path, query string) {
		p, ok := c.Stored(scheme, host, path, query)
		if !ok {
			return
		}
		if p.EscapedPath != path || len(p.Cookies)+len(p.Headers)+len(p.Varying)+len(p.Forwarded()) > 0 || p.Space+p.Server+p.OriginalPath != "" {
			t.Errorf("got %+v", p)
		}
		again, ok := c.Stored(p.Scheme, p.Host, p.EscapedPath, p.Canonical().RawQuery)
		if !ok || string(again.AppendURI(nil)) != string(p.AppendURI(nil)) {
			t.Errorf("%s is found as %s, %v", p.AppendURI(nil), again.AppendURI(nil), ok)
		}
	})
}

// FuzzDecodeKey holds that each set of parts has one encoding, and that whatever is no
// key, or of another version, is read as none.
func FuzzDecodeKey(f *testing.F) {
	f.Add((&Parts{Host: "example.com", Params: []string{"ref=a"}}).AppendKey(nil))
	f.Add((&Parts{Cookies: []Field{{"a", "b"}}, EmptyQuery: true}).AppendKey(nil))
	f.Add((&Parts{Params: []string{"a", "", "c"}, OriginalPath: strings.Repeat("/a", 70)}).AppendKey(nil))
	f.Add([]byte{keyVersion, 0x80, 0x00})
	f.Fuzz(func(t *testing.T, key []byte) { checkDecoding(t, string(key)) })
}

func checkDecoding(t interface{ Fatalf(string, ...any) }, key string) (ok bool) {
	p, ok := ReadParts(key)
	uri, hasURI := KeyURI(key)
	if ok != hasURI {
		t.Fatalf("%x has parts: %v; it has a URI: %v", key, ok, hasURI)
	}
	if !ok {
		if !sameParts(p, Parts{}) || uri != (URI{}) {
			t.Fatalf("%x is no key, and is read as %+v, %+v", key, p, uri)
		}
		return false
	}
	if again := string(p.AppendKey(nil)); again != key {
		t.Fatalf("%x is encoded as %x", key, again)
	}
	want := URI{p.Scheme, p.Host, p.EscapedPath, p.OriginalPath, strings.Join(p.Params, "&")}
	if uri != want {
		t.Fatalf("%x: got %+v, want %+v", key, uri, want)
	}
	return true
}

// TestReadParts damages keys: what is read is then what AppendKey encodes so, or
// nothing.
func TestReadParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := partsGenerator().Draw(t, "parts")
		key := p.AppendKey(nil)
		if !checkDecoding(t, string(key)) {
			t.Fatalf("%+v is not read back", p)
		}
		i := rapid.IntRange(0, len(key)-1).Draw(t, "where")
		switch rapid.SampledFrom([]string{"change", "cut", "insert", "append"}).Draw(t, "damage") {
		case "change":
			key[i] = rapid.Byte().Draw(t, "byte")
		case "cut":
			key = append(key[:i], key[i+1:]...)
		case "insert":
			key = append(key[:i], append([]byte{rapid.Byte().Draw(t, "byte")}, key[i:]...)...)
		case "append":
			key = append(key, rapid.Byte().Draw(t, "byte"))
		}
		checkDecoding(t, string(key))
	})
	whole := string((&Parts{Host: "a"}).AppendKey(nil))
	for name, key := range map[string]string{
		"empty":              "",
		"of another version": string(rune(keyVersion+1)) + whole[1:],
		"a needless byte":    "\x03\x80\x00" + whole[2:],
		"more than there is": "\x03\x7f" + whole[2:],
		"an endless number":  "\x03" + strings.Repeat("\xff", 20),
		"another bool":       whole[:10] + "\x02" + whole[11:],
		"something after it": whole + "\x00",
	} {
		if _, ok := ReadParts(key); ok {
			t.Errorf("a key that is %s was read", name)
		}
	}
}

func TestKeyURIAllocatesNothing(t *testing.T) {
	p := Parts{Space: "s", Scheme: "https", Host: "example.com", EscapedPath: "/a", Params: []string{"a=1"}, Headers: fields("Accept-Language", "ja")}
	key := string(p.AppendKey(nil))
	if n := testing.AllocsPerRun(100, func() {
		if uri, ok := KeyURI(key); !ok || uri.Query != "a=1" {
			t.Fatalf("got %+v, %v", uri, ok)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkKeyURI(b *testing.B) {
	p := Parts{Space: strings.Repeat("s", 16), Server: "srv0", Scheme: "https", Host: "example.com", EscapedPath: "/articles/2026/a", Params: []string{"ref=a"}, Headers: fields("Accept-Language", "ja")}
	key := string(p.AppendKey(nil))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := KeyURI(key); !ok {
			b.Fatal("not read")
		}
	}
}
