package policies

import (
	"net/http"
	"slices"
	"strings"
)

// matcher finds the verb of a parameter, cookie or header by its name. It is safe
// for concurrent use once built; looking up does not allocate. Header names are
// compared case-insensitively and looked up in their canonical form.
type matcher struct {
	kind   listKind
	others Verb
	exact  map[string]Verb
	globs  []verbGlob // the strictest first
	lists  []verbList // the strictest first
	first  *matcher   // nil, or what is stripped whatever the rest says; see taken
}

type verbGlob struct {
	verb Verb
	nameGlob
}

type verbList struct {
	verb Verb
	*nameSet
}

// strictness orders the verbs from the strictest on: where two patterns of equal
// rank claim a name, the one that shares less has it.
var strictness = []Verb{Deny, Bypass, Key, Vary, Forward, Strip}

func stricter(a, b Verb) int {
	return slices.Index(strictness, a) - slices.Index(strictness, b)
}

func newMatcher(kind listKind, others Verb) *matcher {
	return &matcher{kind: kind, others: others, exact: make(map[string]Verb)}
}

// add gives the names that the patterns match the verb. An exact name wins over a
// glob, a glob over a list. Lists that do not exist match nothing.
func (m *matcher) add(verb Verb, patterns ...string) {
	for _, p := range patterns {
		switch {
		case strings.HasPrefix(p, "@"):
			if set := listNames(p, m.kind); set != nil {
				m.lists = append(m.lists, verbList{verb, set})
			}
		case strings.Contains(p, "*"):
			m.globs = append(m.globs, verbGlob{verb, newNameGlob(p, m.kind)})
		default:
			if m.kind == kindHeader {
				p = http.CanonicalHeaderKey(p)
			}
			if have, ok := m.exact[p]; !ok || stricter(verb, have) < 0 {
				m.exact[p] = verb
			}
		}
	}
	slices.SortStableFunc(m.globs, func(a, b verbGlob) int { return stricter(a.verb, b.verb) })
	slices.SortStableFunc(m.lists, func(a, b verbList) int { return stricter(a.verb, b.verb) })
}

// find returns the name's verb, and whether it was declared rather than being that
// of the others.
func (m *matcher) find(name string) (verb Verb, declared bool) {
	if m.kind == kindHeader {
		name = http.CanonicalHeaderKey(name) // as it is, if it is canonical
	}
	if m.taken(name) {
		return Strip, true
	}
	if verb, ok := m.exact[name]; ok {
		return verb, true
	}
	for i := range m.globs {
		if m.globs[i].match(name) {
			return m.globs[i].verb, true
		}
	}
	for i := range m.lists {
		if m.lists[i].contains(name) {
			return m.lists[i].verb, true
		}
	}
	return m.others, false
}

// matches says whether any pattern matches the name.
func (m *matcher) matches(name string) bool {
	_, declared := m.find(name)
	return declared
}

// nameGlob is a name in which * stands for any run of characters, none included.
type nameGlob struct {
	pattern string // lower-case if fold
	fold    bool
}

func newNameGlob(pattern string, kind listKind) nameGlob {
	if kind == kindHeader {
		return nameGlob{strings.ToLower(pattern), true}
	}
	return nameGlob{pattern, false}
}

// match walks both at once and, where they part, lets the last * take one more
// character: time is at most the product of the lengths.
func (g nameGlob) match(name string) bool {
	if g.pattern != "" && g.pattern[0] != '*' && (name == "" || g.pattern[0] != g.char(name[0])) {
		return false // as nearly always
	}
	p, n, star, mark := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(g.pattern) && g.pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(g.pattern) && g.pattern[p] == g.char(name[n]):
			p++
			n++
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	for p < len(g.pattern) && g.pattern[p] == '*' {
		p++
	}
	return p == len(g.pattern)
}

func (g nameGlob) char(c byte) byte {
	if g.fold && 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// nameSet is the compiled form of a list, for one kind of input. All matchers that
// name the list share it.
type nameSet struct {
	exact map[string]struct{}
	globs []nameGlob
}

func (s *nameSet) contains(name string) bool {
	if _, ok := s.exact[name]; ok {
		return true
	}
	for _, g := range s.globs {
		if g.match(name) {
			return true
		}
	}
	return false
}
