package store_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/caddymodule/store/storetest"
	"github.com/cacheward/cacheward/policies"
)

// pageAt is the page for a URI, taken apart at the first separators.
func pageAt(uri string) *store.Object {
	var p policies.Parts
	var rest, query string
	p.Scheme, rest, _ = strings.Cut(uri, "://")
	rest, query, _ = strings.Cut(rest, "?")
	i := strings.IndexByte(rest+"/", '/')
	p.Host, p.EscapedPath = rest[:i], rest[i:]
	if query != "" {
		p.Params = strings.Split(query, "&")
	}
	return storetest.Page(p, 0)
}

func TestSelectionByURI(t *testing.T) {
	for _, c := range []struct {
		selection store.Selection
		yes, no   []string
	}{
		{
			store.Selection{URI: "example.com/a"},
			[]string{"https://example.com/a", "http://example.com/a", "https://example.com:8443/a"},
			[]string{"https://example.com/a/", "https://example.com/ab", "https://example.com/", "https://example.com/A", "https://example.com/a?x=1", "https://www.example.com/a", "https://example.com.evil.example/a", "https://example.co/a", "https://example.comx/a"},
		},
		{
			store.Selection{URI: "EXAMPLE.com/a?x=1&y"},
			[]string{"https://example.com/a?x=1&y"},
			[]string{"https://example.com/a", "https://example.com/a?x=1", "https://example.com/a?y&x=1", "https://example.com/a?x=1&y&z"},
		},
		{store.Selection{URI: "example.com"}, []string{"https://example.com/"}, []string{"https://example.com/a"}},
		{store.Selection{URI: "example.com/a?"}, []string{"https://example.com/a"}, []string{"https://example.com/a?x"}},
		{store.Selection{URI: "example.com?x"}, []string{"https://example.com/?x"}, []string{"https://example.com/"}},
		{
			store.Selection{URI: "example.com:443/"},
			[]string{"https://example.com/", "https://example.com:443/", "http://example.com:443/"},
			[]string{"http://example.com/", "https://example.com:8443/", "https://example.com:4430/"},
		},
		{store.Selection{URI: "example.com:80/"}, []string{"http://example.com/"}, []string{"https://example.com/"}},
		{store.Selection{URI: "[::1]/"}, []string{"https://[::1]/", "https://[::1]:8443/"}, []string{"https://[::2]/"}},
		{store.Selection{URI: "[::1]:8443/"}, []string{"https://[::1]:8443/"}, []string{"https://[::1]/"}},
		{store.Selection{URI: "example.com/a*"}, []string{"https://example.com/a*"}, []string{"https://example.com/ab"}},
		{store.Selection{URI: "example.com/a/https://b"}, []string{"https://example.com/a/https://b"}, []string{"https://b"}},
		{
			store.Selection{Prefix: "example.com/a"},
			[]string{"https://example.com/a", "http://example.com:8080/a/", "https://example.com/a/b", "https://example.com/a?x", "https://example.com/a/b?x&y"},
			[]string{"https://example.com/ab", "https://example.com/", "https://example.com/b/a", "https://example.org/a", "https://example.com/a%2Fb"},
		},
		{
			store.Selection{Prefix: "example.com/a/"},
			[]string{"https://example.com/a/", "https://example.com/a/b"},
			[]string{"https://example.com/a", "https://example.com/ab"},
		},
		{
			store.Selection{Prefix: "example.com/a*"},
			[]string{"https://example.com/a", "https://example.com/ab", "https://example.com/a/b", "https://example.com/a?x", "https://example.com/a%2Fb"},
			[]string{"https://example.com/", "https://example.com/b"},
		},
		{store.Selection{Prefix: "example.com/a/*"}, []string{"https://example.com/a/", "https://example.com/a/b"}, []string{"https://example.com/a"}},
		{store.Selection{Prefix: "example.com"}, []string{"https://example.com/", "http://example.com:8080/a/b?x"}, []string{"https://www.example.com/", "https://example.community/"}},
		{store.Selection{Prefix: "example.com/"}, []string{"https://example.com/", "https://example.com/a"}, []string{"https://example.org/"}},
		{store.Selection{Prefix: "example.com/*"}, []string{"https://example.com/", "https://example.com/a"}, []string{"https://example.org/"}},
		{store.Selection{Prefix: "example.com:8080"}, []string{"http://example.com:8080/a"}, []string{"http://example.com/a", "http://example.com:80801/a"}},
		{
			store.Selection{Prefix: "example.com/a?x=1"},
			[]string{"https://example.com/a?x=1", "https://example.com/a?x=1&y"},
			[]string{"https://example.com/a", "https://example.com/a?x=12", "https://example.com/a/b?x=1", "https://example.com/a?y&x=1"},
		},
		{store.Selection{Prefix: "example.com/a?x=*"}, []string{"https://example.com/a?x=1", "https://example.com/a?x="}, []string{"https://example.com/a?x", "https://example.com/ab?x="}},
		{store.Selection{Prefix: "example.com/a?"}, []string{"https://example.com/a", "https://example.com/a?x"}, []string{"https://example.com/a/b"}},
	} {
		t.Run(c.selection.String(), func(t *testing.T) {
			if err := c.selection.Check(); err != nil {
				t.Fatal(err)
			}
			for _, uri := range c.yes {
				if !c.selection.Selects(pageAt(uri)) {
					t.Errorf("%s is not selected", uri)
				}
			}
			for _, uri := range c.no {
				if c.selection.Selects(pageAt(uri)) {
					t.Errorf("%s is selected", uri)
				}
			}
		})
	}
}

// TestSelectionOfARewrittenPath: who purges a URI knows the one that visitors see, and
// who reads a policy the one that routes see.
func TestSelectionOfARewrittenPath(t *testing.T) {
	o := storetest.Page(policies.Parts{EscapedPath: "/b", OriginalPath: "/app/b", Params: []string{"x"}}, 0)
	for text, want := range map[string]bool{"example.com/b?x": true, "example.com/app/b?x": true, "example.com/app?x": false, "example.com/app/b": false} {
		if got := (store.Selection{URI: text}).Selects(o); got != want {
			t.Errorf("the URI %s: %t", text, got)
		}
	}
	for text, want := range map[string]bool{"example.com/b": true, "example.com/app": true, "example.com/app/b/c": false} {
		if got := (store.Selection{Prefix: text}).Selects(o); got != want {
			t.Errorf("the prefix %s: %t", text, got)
		}
	}
}

// TestSelectionOfBrokenParts: what is no encoded key has no URI. All else about it is
// known.
func TestSelectionOfBrokenParts(t *testing.T) {
	o := storetest.Object("https://example.com/a", 0)
	digest := policies.Digest([]byte(o.Parts))
	for want, selections := range map[bool][]store.Selection{
		true:  {{All: true}, {Route: o.Route}, {Tag: &o.Tags[0]}, {Key: digest[:8]}, {Key: digest[:]}},
		false: {{URI: "example.com/a"}, {Prefix: "example.com"}, {Prefix: "example.com/*"}},
	} {
		for _, s := range selections {
			if got := s.Selects(o); got != want {
				t.Errorf("%s selects it: %t", s, got)
			}
		}
	}
}

// TestSelectionKey: a variant's own key is not what it is selected by, and another
// digest is not selected however little differs.
func TestSelectionKey(t *testing.T) {
	o := storetest.Page(policies.Parts{EscapedPath: "/a"}, 0)
	primary := o.Key
	o.Key = store.Key{1}
	for n := store.MinKey; n <= len(primary); n++ {
		if !(store.Selection{Key: primary[:n]}).Selects(o) {
			t.Errorf("%d bytes of the primary key do not select", n)
		}
		other := bytes.Clone(primary[:n])
		other[n-1] ^= 1
		if (store.Selection{Key: other}).Selects(o) || (store.Selection{Key: o.Key[:n]}).Selects(o) {
			t.Errorf("%d bytes of another key select", n)
		}
	}
}

func TestSelectionCheck(t *testing.T) {
	tag := store.TagOf(store.TagName, "x")
	for _, c := range []struct {
		selection     store.Selection
		string, error string // error: empty if it is well-formed
	}{
		{store.Selection{All: true}, "everything", ""},
		{store.Selection{Route: "landing"}, "route landing", ""},
		{store.Selection{Key: bytes.Repeat([]byte{0xab}, 8)}, "key abababababababab", ""},
		{store.Selection{Tag: &tag}, fmt.Sprintf("tag %x", tag[:]), ""},
		{store.Selection{URI: "example.com/a?b"}, "url example.com/a?b", ""},
		{store.Selection{Prefix: "example.com/a*"}, "prefix example.com/a*", ""},
		{store.Selection{}, "nothing", "selection has 0 members: exactly one of all, route, key, tag, url and prefix was expected"},
		{store.Selection{All: true, Tag: &tag}, "everything", "selection has 2 members: exactly one of all, route, key, tag, url and prefix was expected"},
		{store.Selection{Key: []byte{}}, "nothing", "key has 0 bytes; 8 to 32 were expected"},
		{store.Selection{Key: make([]byte, 33)}, "key " + strings.Repeat("00", 33), "key has 33 bytes; 8 to 32 were expected"},
		{store.Selection{URI: "https://example.com/a"}, "url https://example.com/a", `url "https://example.com/a" has a scheme; only host and path were expected`},
		{store.Selection{URI: "/a"}, "url /a", `url "/a" does not begin with a host; example.com/path was expected`},
		{store.Selection{URI: "example.com:http/"}, "url example.com:http/", `url "example.com:http/" does not begin with a host; example.com/path was expected`},
		{store.Selection{URI: "example.com/a b"}, "url example.com/a b", `url "example.com/a b" has a " "; a host and a path were expected, escaped as they are sent`},
		{store.Selection{URI: "example.com/a#b"}, "url example.com/a#b", `url "example.com/a#b" has a "#"; a host and a path were expected, escaped as they are sent`},
		{store.Selection{URI: "example.com/あ"}, "url example.com/あ", `url "example.com/あ" has a "\xe3"; a host and a path were expected, escaped as they are sent`},
		{store.Selection{Prefix: "exam*"}, "prefix exam*", `prefix "exam*" has a * in its host; a * after the first / was expected`},
		{store.Selection{Prefix: "*"}, "prefix *", `prefix "" does not begin with a host; example.com/path was expected`},
		{store.Selection{Prefix: "*.example.com"}, "prefix *.example.com", `prefix "*.example.com" does not begin with a host; example.com/path was expected`},
		{store.Selection{Route: strings.Repeat("a", store.MaxSelection+1)}, "route " + strings.Repeat("a", store.MaxSelection+1), "selection has 8193 bytes; at most 8192 were expected"},
	} {
		if got := c.selection.String(); got != c.string {
			t.Errorf("got %q, want %q", got, c.string)
		}
		if err := c.selection.Check(); (err == nil) != (c.error == "") || err != nil && err.Error() != c.error {
			t.Errorf("%.80q: got %v, want %s", c.selection.String(), err, c.error)
		}
	}
}

// TestSelectionOfEachURI holds that an object is selected by its own URI, and by every
// prefix of it that ends with a part.
func TestSelectionOfEachURI(t *testing.T) {
	segment := rapid.StringMatching(`[a-z0-9%*.~-]{0,4}`)
	rapid.Check(t, func(t *rapid.T) {
		p := policies.Parts{
			Scheme:      rapid.SampledFrom([]string{"http", "https"}).Draw(t, "scheme"),
			Host:        rapid.StringMatching(`([a-z]{1,4}\.example|\[::[0-9a-f]{1,4}\])(:[0-9]{1,5})?`).Draw(t, "host"),
			EscapedPath: "/" + strings.Join(rapid.SliceOfN(segment, 0, 4).Draw(t, "path"), "/"),
			Params:      rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,2}(=[a-z%/?]{0,3})?`), 0, 3).Draw(t, "params"),
		}
		o := storetest.Page(p, 0)
		_, uri, _ := strings.Cut(string(p.AppendURI(nil)), "://")
		if !(store.Selection{URI: uri}).Selects(o) {
			t.Fatalf("%s is not selected by itself", uri)
		}
		for i := len(p.Host); i <= len(uri); i++ {
			path, _, inQuery := strings.Cut(uri[:i], "?")
			ends := i == len(uri) || strings.IndexByte("/?&", uri[i]) >= 0 || strings.IndexByte("/?&", uri[i-1]) >= 0
			if inQuery { // where a / and a ? end nothing
				query := len(path) + 1
				ends = i == len(uri) || i == query || uri[i] == '&' || uri[i-1] == '&'
			}
			if prefix := (store.Selection{Prefix: uri[:i]}); !strings.HasSuffix(uri[:i], "*") && prefix.Selects(o) != ends {
				t.Fatalf("the %s selects %s: %t, want %t", prefix, uri, !ends, ends)
			}
			if open := (store.Selection{Prefix: uri[:i] + "*"}); i > len(p.Host) && !open.Selects(o) {
				t.Fatalf("the %s does not select %s", open, uri)
			}
		}
	})
}

// FuzzSelection: whatever is asked for, it is refused in one line or selects what it
// should.
func FuzzSelection(f *testing.F) {
	for _, text := range []string{"example.com/a?b=1", "example.com/a*", "[::1]:8443/%2F", "https://example.com", "?", "*", "example.com:", "a\x00b/"} {
		f.Add(text, []byte("12345678"), (&policies.Parts{Scheme: "https", Host: "example.com", EscapedPath: "/a"}).AppendKey(nil))
	}
	f.Fuzz(func(t *testing.T, text string, key, parts []byte) {
		o := storetest.Object(string(parts)+" ", 0)
		o.Parts, o.Route = string(parts), text
		for _, s := range []store.Selection{{URI: text}, {Prefix: text}, {Route: text}, {Key: key}, {URI: text, Key: key}} {
			err, selects := s.Check(), s.Selects(o)
			if err != nil && (selects || strings.ContainsAny(err.Error(), "\r\n")) {
				t.Errorf("%q: %q, and it selects: %t", s, err, selects)
			}
			if uri, ok := policies.KeyURI(o.Parts); selects && (s.URI != "" || s.Prefix != "") {
				host, _, _ := policies.SplitHost(uri.Host)
				if !ok || !strings.HasPrefix(strings.ToLower(text), strings.ToLower(host)) && host != "" {
					t.Errorf("%q selects %+v", s, uri)
				}
			}
		}
	})
}
