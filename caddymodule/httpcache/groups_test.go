package httpcache

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// RFC 9875 §2, §3
func TestGroups(t *testing.T) {
	var many, first []string
	for i := range 40 {
		many = append(many, strconv.Quote(strconv.Itoa(i)))
		if i < 32 {
			first = append(first, strconv.Itoa(i))
		}
	}
	long := strings.Repeat("a", 128)
	for _, tt := range []struct {
		name  string
		lines []string
		want  []string
	}{
		{"none", nil, nil},
		{"empty", []string{""}, nil},
		{"two", []string{`"eliza", "Scripts"`}, []string{"eliza", "Scripts"}},
		{"lines", []string{`"a"`, `"b"`}, []string{"a", "b"}},
		{"twice", []string{`"a", "a"`}, []string{"a"}},
		{"parameters", []string{`"a";x=1, "b";y`}, []string{"a", "b"}},
		{"escape", []string{`"a\"b"`}, []string{`a"b`}},
		{"comma", []string{`"a, b"`}, []string{"a, b"}},
		{"token", []string{`"a", b`}, nil},
		{"inner list", []string{`"a", ("b")`}, nil},
		{"open quote", []string{`"a", "b`}, nil},
		{"quote over two lines", []string{`"a`, `b"`}, nil},
		{"damage in another line", []string{`"a"`, `&`}, nil},
		{"trailing comma", []string{`"a",`}, nil},
		{"many", []string{strings.Join(many, ", ")}, first},
		{"longest", []string{`"` + long + `"`}, []string{long}},
		{"too long", []string{`"` + long + `a", "b"`}, []string{"b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{"Cache-Groups": tt.lines}
			if got := Groups(h); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got := GroupInvalidations(h); got != nil {
				t.Errorf("invalidates %q", got)
			}
			if got := GroupInvalidations(http.Header{"cache-group-invalidation": tt.lines}); !slices.Equal(got, tt.want) {
				t.Errorf("invalidates %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTags(t *testing.T) {
	var many []string
	for i := range maxTags {
		many = append(many, strconv.Itoa(i))
	}
	long := strings.Repeat("a", maxTagLength)
	for _, tt := range []struct {
		name  string
		lines []string
		want  []string
		ok    bool
	}{
		{"none", nil, nil, true},
		{"commas", []string{"Cache-Tag: a, b c ,,d"}, []string{"a", "b c", "d"}, true},
		{"white space", []string{"Surrogate-Key: a b\tc  d,e"}, []string{"a", "b", "c", "d,e"}, true},
		{"all fields", []string{"Cache-Tag: a", "Edge-Cache-Tag: b", "CDN-Tag: c", "Surrogate-Key: d", "xkey: e"}, []string{"a", "b", "c", "d", "e"}, true},
		{"lines", []string{"cache-tag: a", "cache-tag: b,a"}, []string{"a", "b"}, true},
		{"letter case", []string{"Cache-Tag: A,a"}, []string{"A", "a"}, true},
		{"as many as may be", []string{"Cache-Tag: " + strings.Join(many, ","), "Surrogate-Key: 0 1 2"}, many, true},
		{"too many", []string{"Cache-Tag: " + strings.Join(many, ","), "Surrogate-Key: x"}, nil, false},
		{"longest", []string{"Cache-Tag: " + long}, []string{long}, true},
		{"too long", []string{"Cache-Tag: b," + long + "a"}, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := Tags(header(tt.lines...))
			if !slices.Equal(got, tt.want) || ok != tt.ok {
				t.Errorf("got %q, %t, want %q, %t", got, ok, tt.want, tt.ok)
			}
		})
	}
}

// A group is found only if it is there, quoted, and then the field is a list.
func FuzzGroups(f *testing.F) {
	f.Add(`"a", "b";x=1`, `"c"`)
	f.Add(`"a`, `b"`)
	f.Add(`("a"), ?1, @1, :YQ==:, %"a"`, `-`)
	f.Fuzz(func(t *testing.T, first, second string) {
		groups := Groups(http.Header{"Cache-Groups": {first, second}})
		if len(groups) > maxGroups {
			t.Fatalf("%d groups", len(groups))
		}
		for i, group := range groups {
			quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(group) + `"`
			if !strings.Contains(first, quoted) && !strings.Contains(second, quoted) || len(group) > maxGroupLength || slices.Contains(groups[:i], group) {
				t.Errorf("%q in %q and %q", group, first, second)
			}
		}
		if Groups(http.Header{"Cache-Groups": {first, second, "&"}}) != nil {
			t.Error("a damaged field names groups")
		}
	})
}

// What can be purged is what is there: no tag is lost unless the response is refused.
func FuzzTags(f *testing.F) {
	f.Add("a, b ,c", "d e\tf")
	f.Add(",,", "\x00 é")
	f.Fuzz(func(t *testing.T, commas, blanks string) {
		tags, ok := Tags(http.Header{"Cache-Tag": {commas}, "Xkey": {blanks}})
		if !ok {
			return
		}
		for _, tag := range strings.Split(commas, ",") {
			if tag = strings.Trim(tag, " \t"); tag != "" && !slices.Contains(tags, tag) {
				t.Errorf("%q is lost", tag)
			}
		}
		for _, tag := range strings.Split(strings.ReplaceAll(blanks, "\t", " "), " ") {
			if tag != "" && !slices.Contains(tags, tag) {
				t.Errorf("%q is lost", tag)
			}
		}
	})
}
