package audit

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func redacted(path, query string, plain func(string) bool) string {
	x := redactor{hasher: newHasher(secret), plain: plain}
	return x.url(&Record{Path: path, Query: query})
}

func TestRedactURL(t *testing.T) {
	h := func(value string) string { return HashValue(secret, value) }
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
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := redacted(c.path, c.query, onlySource); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestHashValue(t *testing.T) {
	if got := HashValue(secret, "friend"); !regexp.MustCompile(`^h:[0-9a-f]{12}$`).MatchString(got) {
		t.Errorf("HashValue = %q", got)
	}
	if HashValue(secret, "friend") == HashValue([32]byte{9}, "friend") {
		t.Error("the secret makes no difference")
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		if (a == b) != (HashValue(secret, a) == HashValue(secret, b)) {
			t.Fatalf("%q and %q have the digests %s and %s", a, b, HashValue(secret, a), HashValue(secret, b))
		}
	})
}

var (
	digests   = regexp.MustCompile(`h:[0-9a-f]{12}`)
	printable = regexp.MustCompile(`^[!-~]*( more\))?$`)
)

// FuzzRedact: whatever the query, what is written is bounded and printable, and
// apart from the digests it does not depend on any value that is to be hidden.
func FuzzRedact(f *testing.F) {
	for _, seed := range []string{
		"", "a=b", "a=b&c=d", "token", "a;b=c", "a=b;c=d", "=x", "&&", "a==b", "%zz=%", "a=%00", "h:0123456789ab=1",
		"source=lp", "source=h:0123456789ab", "source=lp;token=1", "\xff=\xfe", "a=b?c=d", "a=b#c",
		strings.Repeat("a=1&", 100), strings.Repeat("n", 100) + "=1",
	} {
		f.Add("/register/lp", seed)
	}
	f.Fuzz(func(t *testing.T, path, query string) {
		got := redacted(path, query, onlySource)
		if !printable.MatchString(got) || strings.ContainsAny(got, "\"\\<>") {
			t.Errorf("not fit for a log: %q", got)
		}
		if most := 3*maxPath + maxParams*3*(maxName+maxPlain+2) + 30; len(got) > most {
			t.Errorf("%d bytes were written, more than %d", len(got), most)
		}
		other := redacted(path, otherValues(query), onlySource)
		if got, other := digests.ReplaceAllString(got, "D"), digests.ReplaceAllString(other, "D"); got != other {
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
