package search

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

type hit struct{ at, literal int }

func find(s *Set, text []byte) []hit {
	var hits []hit
	s.Each(text, func(literal, at int) bool {
		hits = append(hits, hit{at, literal})
		return true
	})
	return hits
}

// naive compares every literal at every place.
func naive(literals []string, fold bool, text []byte) []hit {
	same := func(a, b string) bool { return a == b || fold && lower(a) == lower(b) }
	var hits []hit
	for at := range text {
		for i, l := range literals {
			if l != "" && at+len(l) <= len(text) && same(l, string(text[at:at+len(l)])) {
				hits = append(hits, hit{at, i})
			}
		}
	}
	return hits
}

// inOrder checks the order of hits, and sorts those at one place.
func inOrder(t interface{ Fatalf(string, ...any) }, literals []string, hits []hit) []hit {
	for i := 1; i < len(hits); i++ {
		a, b := hits[i-1], hits[i]
		if a.at > b.at || a.at == b.at && len(literals[a.literal]) < len(literals[b.literal]) {
			t.Fatalf("%v comes before %v", a, b)
		}
	}
	slices.SortFunc(hits, func(a, b hit) int {
		if a.at != b.at {
			return a.at - b.at
		}
		return a.literal - b.literal
	})
	return hits
}

func TestEach(t *testing.T) {
	for name, tt := range map[string]struct {
		literals []string
		fold     bool
		text     string
		want     []hit
	}{
		"none":            {nil, false, "text", nil},
		"empty literal":   {[]string{""}, false, "text", nil},
		"empty text":      {[]string{"a"}, false, "", nil},
		"beside an empty": {[]string{"", "ex"}, false, "text", []hit{{1, 1}}},
		"one byte":        {[]string{"t"}, false, "text", []hit{{0, 0}, {3, 0}}},
		"whole text":      {[]string{"text"}, false, "text", []hit{{0, 0}}},
		"longer":          {[]string{"texts"}, false, "text", nil},
		"at the end":      {[]string{"abc"}, false, "xxabc", []hit{{2, 0}}},
		"overlapping":     {[]string{"aaaa"}, false, "aaaaaa", []hit{{0, 0}, {1, 0}, {2, 0}}},
		"one in another":  {[]string{"bcd", "abcde", "abc"}, false, "abcde", []hit{{0, 1}, {0, 2}, {1, 0}}},
		"the same twice":  {[]string{"abcd", "abcd"}, false, "abcd", []hit{{0, 0}, {0, 1}}},
		"other case":      {[]string{"csrf"}, false, "CSRF", nil},
		"folded":          {[]string{"CSrf_T"}, true, "csRF_t", []hit{{0, 0}}},
		"only letters":    {[]string{"a_b@"}, true, "a\x7fb@ a_b` A_B@", []hit{{10, 0}}},
		"not only ASCII":  {[]string{"登録er"}, true, "x登録ER", []hit{{1, 0}}},
		"long":            {[]string{strings.Repeat("ab", 100)}, false, strings.Repeat("ab", 101), []hit{{0, 0}, {2, 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := inOrder(t, tt.literals, find(New(tt.literals, tt.fold), []byte(tt.text)))
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	t.Run("nil", func(t *testing.T) {
		if got := find(nil, []byte("text")); got != nil {
			t.Error(got)
		}
	})
}

func TestEachEnds(t *testing.T) {
	s := New([]string{"abc", "abcd"}, false)
	for end := 1; end <= 4; end++ {
		calls := 0
		s.Each([]byte("abcd abcd"), func(int, int) bool { calls++; return calls < end })
		if calls != end {
			t.Errorf("%d calls after the one that ended it at %d", calls-end, end)
		}
	}
}

// Words of few letters, so that they overlap and are parts of each other.
func TestEachAgreesWithNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[abA_]{1,8}|[ab]{10,40}|[a-z]{3,24}`)
		literals := rapid.SliceOfN(word, 0, 60).Draw(t, "literals")
		fold := rapid.Bool().Draw(t, "fold")
		parts := append(slices.Clone(literals), "a", "B", "_", "aaaaaaaa", strings.Repeat("ab", 30))
		text := []byte(strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 30).Draw(t, "text"), ""))
		got := inOrder(t, literals, find(New(literals, fold), text))
		if want := naive(literals, fold, text); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func FuzzEach(f *testing.F) {
	f.Add([]byte("csrf_token session"), []byte("<input name=CSRF_Token>"), true)
	f.Add([]byte("a aa aaa aaaa"), []byte("aaaaaaaaaaa"), false)
	f.Add([]byte("\x00\xff \xff"), []byte("\x00\xff\x00\xff"), false)
	f.Fuzz(func(t *testing.T, words, text []byte, fold bool) {
		if len(words) > 1<<10 || len(text) > 1<<12 {
			t.Skip("for a naive search")
		}
		var literals []string
		for _, w := range bytes.Split(words, []byte(" ")) {
			literals = append(literals, string(w))
		}
		want := naive(literals, fold, text)
		if got := inOrder(t, literals, find(New(literals, fold), text)); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}
