package lint

import (
	_ "embed"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/goccy/go-yaml"

	"github.com/cacheward/cacheward/policies"
)

//go:embed names.yaml
var namesYAML []byte

// nameEntry is an entry of names.yaml for inputs.
type nameEntry struct {
	What     string   `yaml:"what"`
	Names    []string `yaml:"names"`
	Words    []string `yaml:"words"`
	Prefixes []string `yaml:"prefixes"`
	In       string   `yaml:"in"` // param, cookie or both; both if empty
}

// segmentEntry is an entry of names.yaml for paths.
type segmentEntry struct {
	What     string   `yaml:"what"`
	Segments []string `yaml:"segments"`
	Where    string   `yaml:"where"` // last, api, or empty: anywhere
}

type nameFile struct {
	Attribution []nameEntry    `yaml:"attribution"`
	Session     []nameEntry    `yaml:"session"`
	State       []segmentEntry `yaml:"state"`
	Landing     []segmentEntry `yaml:"landing"`
	About       []string       `yaml:"about"`
	API         []string       `yaml:"api"`
	Forms       segmentEntry   `yaml:"forms"`
}

// knownNames is names.yaml, ready to be looked up.
type knownNames struct {
	attributionParams, attributionCookies, sessions *nameTable

	state, landing, forms, about, api segmentTable
}

// names reads the names that are compiled in. They are a constant, so a mistake in them
// is a fault of the build, which every test would meet.
var names = sync.OnceValue(func() *knownNames {
	var f nameFile
	if err := yaml.UnmarshalWithOptions(namesYAML, &f, yaml.Strict()); err != nil {
		panic("names.yaml: " + err.Error())
	}
	return &knownNames{
		attributionParams:  newNameTable(f.Attribution, "param"),
		attributionCookies: newNameTable(f.Attribution, "cookie"),
		sessions:           newNameTable(f.Session, "cookie"),
		state:              newSegmentTable(f.State...),
		landing:            newSegmentTable(f.Landing...),
		forms:              newSegmentTable(f.Forms),
		about:              newSegmentTable(segmentEntry{Segments: f.About}),
		api:                newSegmentTable(segmentEntry{Segments: f.API}),
	}
})

// nameTable finds what names of inputs are for.
type nameTable struct {
	cookies      bool
	whole, words map[string]string
	prefixes     [][2]string
	// samples are all names as they are written, to try globs with.
	samples []string
}

func newNameTable(entries []nameEntry, in string) *nameTable {
	t := &nameTable{cookies: in == "cookie", whole: make(map[string]string), words: make(map[string]string)}
	for _, e := range entries {
		if e.In != "" && e.In != "both" && e.In != in {
			continue
		}
		for _, name := range e.Names {
			enter(t.whole, joinedName(name), e.What)
		}
		for _, word := range e.Words {
			enter(t.words, word, e.What)
		}
		for _, prefix := range e.Prefixes {
			t.prefixes = append(t.prefixes, [2]string{prefix, e.What})
			t.samples = append(t.samples, prefix+"1")
		}
		t.samples = append(t.samples, e.Names...)
		t.samples = append(t.samples, e.Words...)
	}
	return t
}

// enter keeps the first meaning of a name.
func enter(into map[string]string, name, what string) {
	if _, there := into[name]; !there {
		into[name] = what
	}
}

// find says what an input is for, by its name. What the list @analytics has is for
// scripts in the browser only, and never found.
func (t *nameTable) find(name string) (what string, ok bool) {
	if isAnalytics(name, t.cookies) {
		return "", false
	}
	if what, ok := t.whole[joinedName(name)]; ok {
		return what, true
	}
	for _, prefix := range t.prefixes {
		if strings.HasPrefix(name, prefix[0]) {
			return prefix[1], true
		}
	}
	for _, word := range splitName(name) {
		if what, ok := t.words[word]; ok {
			return what, true
		}
	}
	return "", false
}

// findPattern says what one name that the pattern matches is for. Of the names that a
// glob matches, it tries those of which counts is true.
func (t *nameTable) findPattern(pattern string, counts func(name string) bool) (name, what string, ok bool) {
	switch {
	case strings.HasPrefix(pattern, "@"):
		return "", "", false
	case !strings.Contains(pattern, "*"):
		what, ok = t.find(pattern)
		return pattern, what, ok
	case isAnalytics(pattern, t.cookies):
		return "", "", false
	}
	// The samples first: they are names that apps have. Then what the glob spells out.
	for _, name := range append(t.samples[:len(t.samples):len(t.samples)], strings.ReplaceAll(pattern, "*", "id"), strings.ReplaceAll(pattern, "*", "")) {
		if !matchName(pattern, name) {
			continue
		}
		if what, ok := t.find(name); ok && counts(name) {
			return name, what, true
		}
	}
	return "", "", false
}

// isAnalytics reports whether the list @analytics has the name, or the glob itself.
func isAnalytics(name string, cookie bool) bool {
	list := &analytics()[0]
	if cookie {
		list = &analytics()[1]
	}
	return list.exact[name] || slices.ContainsFunc(list.globs, func(glob string) bool { return matchName(glob, name) })
}

type analyticsNames struct {
	exact map[string]bool
	globs []string
}

// analytics are the names of @analytics: those of parameters, and those of cookies.
var analytics = sync.OnceValue(func() *[2]analyticsNames {
	lists := [2]analyticsNames{{exact: make(map[string]bool)}, {exact: make(map[string]bool)}}
	for _, e := range policies.Lists()["@analytics"] {
		for i, in := range [2]bool{e.Param, e.Cookie} {
			switch {
			case in && strings.Contains(e.Pattern, "*"):
				lists[i].globs = append(lists[i].globs, e.Pattern)
			case in:
				lists[i].exact[e.Pattern] = true
			}
		}
	}
	return &lists
})

// matchName reports whether a name is the pattern's, in which * is any run of
// characters.
func matchName(pattern, name string) bool {
	first, pattern, more := strings.Cut(pattern, "*")
	if !more {
		return first == name
	}
	name, ok := strings.CutPrefix(name, first)
	if !ok {
		return false
	}
	for {
		part, rest, more := strings.Cut(pattern, "*")
		if !more {
			return strings.HasSuffix(name, part)
		}
		if _, name, ok = strings.Cut(name, part); !ok { // the first place leaves most for the rest
			return false
		}
		pattern = rest
	}
}

// joinedName is what all spellings of a name have in common: refId, ref_id and ref-id.
func joinedName(name string) string {
	name = decodedName(name)
	for _, prefix := range []string{"__Host-", "__Secure-"} { // RFC 6265bis §4.1.3
		name = strings.TrimPrefix(name, prefix)
	}
	return strings.ToLower(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, name))
}

// splitName parts a name into lower-case words: at what is neither letter nor digit, and
// where a capital follows a small letter or begins a word.
func splitName(name string) []string {
	var words []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			words = append(words, strings.ToLower(string(word)))
			word = nil
		}
	}
	runes := []rune(decodedName(name))
	for i, r := range runes {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			flush()
			continue
		}
		afterSmall := i > 0 && !unicode.IsUpper(runes[i-1])
		beforeSmall := i+1 < len(runes) && unicode.IsLower(runes[i+1])
		if unicode.IsUpper(r) && (afterSmall || beforeSmall) {
			flush()
		}
		word = append(word, r)
	}
	flush()
	return words
}

// decodedName undoes what names of parameters are sent with.
func decodedName(name string) string {
	if plain, err := url.PathUnescape(name); err == nil {
		return plain
	}
	return name
}
