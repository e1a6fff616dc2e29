package audit

import (
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func redacted(path, query string, plain func(string) bool) string {
	return New(nil, Options{Keys: keys}).URL(&Record{Path: path, Query: query}, plain)
}

func TestRedactURL(t *testing.T) {
	h := func(value string) string { return keys.HashValue(value) }
	long := strings.Repeat("x", 1100)
	for _, c := range []struct {
		name        string
		path, query string
		want        string
	}{
		{"no query", "/register/lp", "", "/register/lp"},
		{"values are digests", "/", "ref=friend&id=42", "/?ref=" + h("friend") + "&id=" + h("42")},
		{"plain values stand", "/", "source=lp&ref=friend", "/?source=lp&ref=" + h("friend")},
		{"a plain name is matched as written", "/", "Source=lp&s%6Furce=lp", "/?Source=" + h("lp") + "&s%6Furce=" + h("lp")},
		{"one value in two spellings", "/", "a=x%20y&b=x+y", "/?a=" + h("x y") + "&b=" + h("x y")},
		{"a value that cannot be decoded", "/", "a=100%", "/?a=" + h("100%")},
		{"nothing to hide", "/", "a=&b=", "/?a=&b="},
		{"empty parameters", "/", "&&a=1&", "/?&&a=" + h("1") + "&"},
		{"a nameless value", "/", "=token", "/?=" + h("token")},
		{"a bare token", "/", "eyJhbGciOi", "/?" + h("eyJhbGciOi")},
		{"a plain bare name", "/", "source", "/?source"},
		{"a semicolon", "/", "source=lp;token=1", "/?" + h("source=lp;token=1")},
		{"a value with =", "/", "a=b=c", "/?a=" + h("b=c")},
		{"a plain value with =", "/", "source=b=c", "/?source=b%3Dc"},
		{"a plain value that would pass for a digest", "/", "source=h:0123456789ab", "/?source=h%3A0123456789ab"},
		{"a name that would", "/", "h:0123456789ab=1", "/?h%3A0123456789ab=" + h("1")},
		{"a long name", "/", strings.Repeat("n", 65) + "=1", "/?" + h(strings.Repeat("n", 65)+"=1")},
		{"the longest name", "/", strings.Repeat("n", 64) + "=1", "/?" + strings.Repeat("n", 64) + "=" + h("1")},
		{"control bytes", "/a\nb\x00\x7f", "n\r\n=1&source=\x1b[31m", "/a%0Ab%00%7F?n%0D%0A=" + h("1") + "&source=%1B[31m"},
		{"not ASCII", "/語", "語=1&source=\xff", "/%E8%AA%9E?%E8%AA%9E=" + h("1") + "&source=%FF"},
		{"quotes and blanks", "/a b\"<>\\", "source=a b\"<>\\", "/a%20b%22%3C%3E%5C?source=a%20b%22%3C%3E%5C"},
		{"a question mark in the path", "/a?b#c", "", "/a%3Fb%23c"},
		{"a long path", "/" + long, "", "/" + long[:1023] + "..."},
		{"a long plain value", "/", "source=" + long, "/?source=" + long[:256] + "..."},
		{"64 parameters", "/", strings.Repeat("a=&", 63) + "a=", "/?" + strings.Repeat("a=&", 63) + "a="},
		{"66 parameters", "/", strings.Repeat("a=&", 65) + "token", "/?" + strings.Repeat("a=&", 64) + "(2 more)"},
		{"plain values past the 64th", "/", strings.Repeat("a=&", 65) + "source=lp&a=1&source=x", "/?" + strings.Repeat("a=&", 64) + "source=lp&source=x&(2 more)"},
		{"only plain values past the 64th", "/", strings.Repeat("a=&", 64) + "source=lp", "/?" + strings.Repeat("a=&", 64) + "source=lp"},
		{"what is no plain value past it", "/", strings.Repeat("a=&", 64) + "source=lp;b&source", "/?" + strings.Repeat("a=&", 64) + "source&(1 more)"},
		{"66 plain values", "/", strings.Repeat("a=&", 2) + strings.Repeat("source=x&", 66), "/?a=&a=&" + strings.Repeat("source=x&", 64) + "(3 more)"},
		{"a plain value that no server reads", "/", strings.Repeat("a=&", 10_000) + "source=lp", "/?" + strings.Repeat("a=&", 64) + "(9937 more)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := redacted(c.path, c.query, onlySource); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestHashValue(t *testing.T) {
	if got := keys.HashValue("friend"); !regexp.MustCompile(`^h:[0-9a-f]{12}$`).MatchString(got) {
		t.Errorf("HashValue = %q", got)
	}
	if keys.HashValue("friend") == NewKeys(nil, 0, nil).HashValue("friend") {
		t.Error("the key makes no difference")
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		if (a == b) != (keys.HashValue(a) == keys.HashValue(b)) {
			t.Fatalf("%q and %q have the digests %s and %s", a, b, keys.HashValue(a), keys.HashValue(b))
		}
	})
}

var (
	digest    = regexp.MustCompile(`h:[0-9a-f]{12}`)
	printable = regexp.MustCompile(`^[!-~]*( more\))?$`)
)

// FuzzRedact: whatever the query, what is written is bounded and printable, and
// apart from the digests it does not depend on any value that is to be hidden.
func FuzzRedact(f *testing.F) {
	for _, seed := range []string{
		"", "a=b", "a=b&c=d", "token", "a;b=c", "a=b;c=d", "=x", "&&", "a==b", "%zz=%", "a=%00", "h:0123456789ab=1",
		"source=lp", "source=h:0123456789ab", "source=lp;token=1", "\xff=\xfe", "a=b?c=d", "a=b#c",
		strings.Repeat("a=1&", 100), strings.Repeat("a=1&", 100) + "source=lp&a=1", strings.Repeat("source=1&", 100), strings.Repeat("n", 100) + "=1",
	} {
		f.Add("/register/lp", seed)
	}
	f.Fuzz(func(t *testing.T, path, query string) {
		got := redacted(path, query, onlySource)
		if !printable.MatchString(got) || strings.ContainsAny(got, "\"\\<>") {
			t.Errorf("not fit for a log: %q", got)
		}
		if most := 3*maxPath + 2*maxParams*3*(maxName+maxPlain+2) + 30; len(got) > most {
			t.Errorf("%d bytes were written, more than %d", len(got), most)
		}
		other := redacted(path, otherValues(query), onlySource)
		if got, other := digest.ReplaceAllString(got, "D"), digest.ReplaceAllString(other, "D"); got != other {
			t.Errorf("values show through:\n%s\n%s", got, other)
		}
	})
}

// otherValues is the query with every value that is to be hidden replaced.
func otherValues(query string) string {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		name, value, assigned := strings.Cut(pair, "=")
		switch {
		case pair == "", onlySource(name) && !strings.Contains(pair, ";"):
		case strings.Contains(pair, ";"), len(name) > maxName, !assigned:
			pairs[i] = "bare"
		case value != "":
			pairs[i] = name + "=other"
		}
	}
	return strings.Join(pairs, "&")
}

func TestVisible(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"words", "leak on /register/lp, see CORP\\ops — 漏洩", "leak on /register/lp, see CORP\\ops — 漏洩"},
		{"control characters", "a\x1b[31mb\r\n\x00\x7f\u0085", `a\u001b[31mb\u000d\u000a\u0000\u007f\u0085`},
		{"the direction of writing", "a\u202eb\u2066", `a\u202eb\u2066`},
		{"a tag", "\U000e0041", `\U000e0041`},
		{"no UTF-8", "a\xffb\xe8\xaa", `a\xffb\xe8\xaa`},
		{"what stands for it", "\ufffd", "\ufffd"},
		{"the longest", strings.Repeat("x", 512), strings.Repeat("x", 512)},
		{"too long", strings.Repeat("x", 513), strings.Repeat("x", 512) + "..."},
		{"too long by half a character", strings.Repeat("x", 511) + "語", strings.Repeat("x", 511) + "..."},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := visible(c.in); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func FuzzVisible(f *testing.F) {
	for _, seed := range []string{"", "ops", "a\x1b[2J", "\u202e", "\xff", strings.Repeat("語", 200)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := visible(s)
		if len(got) > 6*maxText+3 || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsGraphic(r) }) || !utf8.ValidString(got) {
			t.Errorf("not fit for a terminal: %q", got)
		}
	})
}
