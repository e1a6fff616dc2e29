package attribution

import (
	"maps"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestStripQuery(t *testing.T) {
	for _, test := range []struct{ raw, want string }{
		{"", ""},
		{"a=1", "a=1"},
		{"ref=A1", ""},
		{"ref", ""},
		{"ref=", ""},
		{"ref==", ""},
		{"a=1&ref=A1", "a=1"},
		{"ref=A1&a=1", "a=1"},
		{"a=1&ref=A1&b=2", "a=1&b=2"},
		{"ref=A1&utm_source=x&a=1&ref=B2", "a=1"},
		{"r%65f=A1&a=1", "a=1"},
		{"%75tm_source=x", ""},
		{"utm_%zz=1&a", "a"}, // the glob takes the name as it was sent
		{"a=ref", "a=ref"},
		{"referer=1&xref=2&REF=3", "referer=1&xref=2&REF=3"},
		{"a=%zz&ref=A1&b=%", "a=%zz&b=%"},
		{"&&a=1&&ref=A1&", "&&a=1&&"},
		{"&ref=A1", ""},
		{"ref=A1&", ""},
		{"a;ref=A1", "a;ref=A1"}, // no & is no end
		{"ref=A1;b=2&c=3", "c=3"},
		{"a=%E6%97%A5+b&ref=A1&日=本", "a=%E6%97%A5+b&日=本"},
		{"a=1&%72%2565f=A1", "a=1&%72%2565f=A1"}, // encoded twice is another name
	} {
		if got := StripQuery(test.raw, utm); got != test.want {
			t.Errorf("StripQuery(%q) is %q; %q was expected", test.raw, got, test.want)
		}
	}
}

// TestStripQueryRemovesWhatParsingSays: what a parser of URLs reads in what is left is what
// it read before, without the taken ones; and each pair that is left is as it was.
func TestStripQueryRemovesWhatParsingSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := drawQuery(t)
		got := StripQuery(raw, utm)
		want, _ := url.ParseQuery(raw)
		maps.DeleteFunc(want, func(name string, _ []string) bool { return utm(name) })
		parsed, _ := url.ParseQuery(got)
		if parsed.Encode() != want.Encode() {
			t.Fatalf("of %q is left %q: %v; %v was expected", raw, got, parsed, want)
		}
		if again := StripQuery(got, utm); again != got {
			t.Fatalf("%q once more is %q", got, again)
		}
		checkLeft(t, raw, got)
	})
}

// checkLeft: what is left is in what was there, in the same order, and only what is taken is
// missing.
func checkLeft(t interface{ Fatalf(string, ...any) }, raw, got string) {
	var want []string
	for pair := range strings.SplitSeq(raw, "&") {
		name, _, _ := strings.Cut(pair, "=")
		plain, err := url.QueryUnescape(name)
		if pair == "" || !utm(name) && (err != nil || !utm(plain)) {
			want = append(want, pair)
		}
	}
	if joined := strings.Join(want, "&"); got != joined {
		t.Fatalf("of %q is left %q; %q was expected", raw, got, joined)
	}
}

// TestStripQueryTakesAll: with everything taken, nothing but empty pairs is left.
func TestStripQueryTakesAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := drawQuery(t)
		if got := StripQuery(raw, func(string) bool { return true }); strings.Trim(got, "&") != "" {
			t.Fatalf("of %q is left %q", raw, got)
		}
		if got := StripQuery(raw, func(string) bool { return false }); got != raw {
			t.Fatalf("of %q is left %q", raw, got)
		}
	})
}

func FuzzStripQuery(f *testing.F) {
	for _, seed := range []string{"", "&", "ref=A1", "a=1&ref&b", "r%65f=A1&&", "utm_%zz=%", "a;ref=1", "ref\x00=1", "日=ref&re%66"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got := StripQuery(raw, utm)
		checkLeft(t, raw, got)
		if touch, problem := Read(got, "", "shop.example", utm, false, unpaid, noon); touch.Landing != "" || problem != "" {
			t.Fatalf("%q is left of %q, and says %v %q", got, raw, touch, problem)
		}
	})
}
