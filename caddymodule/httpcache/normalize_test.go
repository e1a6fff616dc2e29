package httpcache

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// RFC 9111 §4.1, RFC 9110 §12.5.5
func TestVaryNames(t *testing.T) {
	sixteen := "a1,a2,a3,a4,a5,a6,a7,a8,a9,b0,b1,b2,b3,b4,b5,b6"
	for _, tt := range []struct {
		name  string
		lines []string
		want  []string
		ok    bool
	}{
		{"none", nil, nil, true},
		{"empty", []string{"Vary: ,"}, nil, true},
		{"sorted, once", []string{"Vary: foo , accept,FOO", "vary: bar"}, []string{"Accept", "Bar", "Foo"}, true},
		{"what is never keyed", []string{"Vary: Accept-Encoding, Host, Foo"}, []string{"Foo"}, true},
		{"star", []string{"Vary: *"}, nil, false},
		{"star in a list", []string{"Vary: Foo, *"}, nil, false},
		{"star in another line", []string{"Vary: ", "Vary: *"}, nil, false},
		{"star in another spelling", []string{"Vary: Foo", "vary: *"}, nil, false},
		{"star in a name", []string{"Vary: X-*"}, nil, false},
		{"no name", []string{"Vary: Foo Bar"}, nil, false},
		{"semicolon", []string{"Vary: Foo;Bar"}, nil, false},
		{"quoted", []string{`Vary: "Foo"`}, nil, false},
		{"control byte", []string{"Vary: Foo\x00"}, nil, false},
		{"sixteen and one twice", []string{"Vary: " + sixteen + ", A1"}, []string{"A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A9", "B0", "B1", "B2", "B3", "B4", "B5", "B6"}, true},
		{"seventeen", []string{"Vary: " + sixteen + ",c"}, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := VaryNames(header(tt.lines...))
			if !slices.Equal(got, tt.want) || ok != tt.ok {
				t.Errorf("got %q, %t, want %q, %t", got, ok, tt.want, tt.ok)
			}
		})
	}
}

// RFC 9111 §4.1
func TestNormalizeSelecting(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"Accept-Language", " eN ,  De ; q=0.5", "en,de;q=0.5"},
		{"accept-language", "en,de", "en,de"},
		{"Accept-Language", "de, en", "de,en"}, // the order is a preference (RFC 9110 §12.5.4)
		{"Accept-Charset", "UTF-8\t,\tISO-8859-1", "utf-8,iso-8859-1"},
		{"Accept", "text/HTML ; level=1 , */*", "text/HTML;level=1,*/*"},
		{"Accept", `text/a;b="x , y ; \" , z" , text/c`, `text/a;b="x , y ; \" , z",text/c`},
		{"Accept", `text/a;b="x , y`, `text/a;b="x , y`},
		{"Accept", "a  b", "a  b"},
		{"Accept-Language", "\u212a, e", "\u212a,e"}, // the Kelvin sign is no k
		{"Accept-Language", "\xff , \xfe", "\xff,\xfe"},
		{"Foo", " 1, 2 \t", "1, 2"},
		{"Foo", "A", "A"},
		{"Accept-Encoding", "gzip , br", "gzip , br"},
		{"Accept", "", ""},
	} {
		if got := NormalizeSelecting(tt.name, tt.value); got != tt.want {
			t.Errorf("%s: %q becomes %q, want %q", tt.name, tt.value, got, tt.want)
		}
	}
}

// Damage to Vary never leaves out a name, and never makes a * usable.
func FuzzVaryNames(f *testing.F) {
	f.Add("Foo, Bar", "accept")
	f.Add("Foo", "*")
	f.Add("Foo Bar", "")
	f.Fuzz(func(t *testing.T, first, second string) {
		names, ok := VaryNames(http.Header{"Vary": {first, second}})
		if !ok {
			return
		}
		if strings.Contains(first+second, "*") || len(names) > maxVaryNames || !slices.IsSorted(names) {
			t.Fatalf("%q and %q give %q", first, second, names)
		}
		for _, word := range strings.FieldsFunc(first+","+second, func(r rune) bool { return strings.ContainsRune(", \t", r) }) {
			name := http.CanonicalHeaderKey(word)
			if !slices.Contains(names, name) && name != "Accept-Encoding" && name != "Host" {
				t.Errorf("%q is left out of %q", word, names)
			}
		}
	})
}

// Two values become one only if they differ in white space, or in letter case where
// that means nothing.
func FuzzNormalizeSelecting(f *testing.F) {
	f.Add(" eN ,  De ; q=0.5", uint8(0))
	f.Add(`a;b="x , y\" ;" , c`, uint8(1))
	f.Add(`"`, uint8(2))
	names := []string{"Accept-Language", "Accept", "Accept-Charset", "X-Foo"}
	blank := strings.NewReplacer(" ", "", "\t", "")
	f.Fuzz(func(t *testing.T, value string, n uint8) {
		name := names[int(n)%len(names)]
		got := NormalizeSelecting(name, value)
		if again := NormalizeSelecting(name, got); again != got {
			t.Errorf("%q becomes %q, and that %q", value, got, again)
		}
		want, have := blank.Replace(value), blank.Replace(got)
		if name == "Accept-Language" || name == "Accept-Charset" {
			want, have = lowerASCII(want), lowerASCII(have)
		}
		if want != have {
			t.Errorf("%s: %q becomes %q", name, value, got)
		}
		if len(strings.Fields(got)) > len(strings.Fields(value)) {
			t.Errorf("%s: %q becomes %q", name, value, got)
		}
	})
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
