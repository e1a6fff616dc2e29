package policies

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// verbNames are the names that were given one verb.
type verbNames struct {
	verb  Verb
	names []string
}

func (in *Inputs) byVerb() []verbNames {
	return []verbNames{{Key, in.Key}, {Strip, in.Strip}, {Bypass, in.Bypass}, {Deny, in.Deny}}
}

func (h *HeaderInputs) byVerb() []verbNames {
	keys, forwards := make([]string, len(h.Key)), make([]string, len(h.Forward))
	for i := range h.Key {
		keys[i] = h.Key[i].Name
	}
	for i := range h.Forward {
		forwards[i] = h.Forward[i].Name
	}
	return []verbNames{{Key, keys}, {Strip, h.Strip}, {Bypass, h.Bypass}, {Deny, h.Deny}, {Vary, h.Vary}, {Forward, forwards}}
}

func (s section) inputs(path string, kind listKind, in *Inputs) {
	if in == nil {
		return
	}
	oneOf(s, join(path, "others"), in.Others, "verb for others", []Verb{Key, Strip, Bypass, Deny})
	s.verbs(path, kind, in.byVerb())
	for i, name := range in.Plain {
		s.judge(join(path, "plain"), i, name, func(name string) (string, string) { return checkName(kind, name) })
	}
}

// verbs checks names one by one and against each other: a name that has two verbs
// has none.
func (s section) verbs(path string, kind listKind, all []verbNames) {
	type claim struct {
		verb Verb
		name string
		i    int
	}
	at := func(verb Verb, i int) string { return join(join(path, string(verb)), strconv.Itoa(i)) }
	claims := make(map[string]claim)
	for _, v := range all {
		for i, name := range v.names {
			if message, fix := checkName(kind, name); message != "" {
				s.fault(at(v.verb, i), message, fix)
				continue
			}
			id := name
			if kind != kindCookie {
				id = strings.ToLower(name)
			}
			first, claimed := claims[id]
			switch {
			case !claimed:
				claims[id] = claim{v.verb, name, i}
			case kind == kindParam && first.name != name && first.verb == v.verb:
				// Two spellings with one verb contradict nobody.
			case kind == kindParam && first.name != name:
				s.fault(at(v.verb, i), fmt.Sprintf("%q is %s, but %q is %s%s: apps that ignore letter case take one for the other",
					name, v.verb, first.name, first.verb, place(s.source.at(at(first.verb, first.i)))), "give both the same verb")
			case first.verb == v.verb:
				s.fault(at(v.verb, i), fmt.Sprintf("%q is given twice, first%s", name, place(s.source.at(at(first.verb, first.i)))), "leave one out")
			default:
				s.fault(at(v.verb, i), fmt.Sprintf("%q is %s, but also %s%s", name, v.verb, first.verb, place(s.source.at(at(first.verb, first.i)))), "give it one verb")
			}
		}
	}
}

// checkName checks a name, a glob or the name of a list.
func checkName(kind listKind, name string) (message, fix string) {
	switch {
	case name == "":
		return "a name is empty", "name a " + kind.String() + ", or leave it out"
	case strings.HasPrefix(name, "@"):
		return checkList(kind, name)
	case strings.Contains(name, "**"):
		return fmt.Sprintf("%q has two * in a row", name), "write one"
	case strings.Trim(name, "*") == "":
		return fmt.Sprintf("%q matches every %s", name, kind), "use others"
	}
	for _, c := range name {
		if why := badRune(kind, c); why != "" {
			return fmt.Sprintf("%q is not the name of a %s: %s", name, kind, why), badRuneFix(kind)
		}
	}
	if kind == kindParam && invalidEscape(name) {
		return fmt.Sprintf("%q is not the name of a parameter: two hexadecimal digits must follow %%", name), badRuneFix(kind)
	}
	if kind == kindCookie && name[0] == '$' {
		return fmt.Sprintf("%q is not the name of a cookie: $ begins attributes of RFC 2965", name), ""
	}
	return "", ""
}

func checkList(kind listKind, name string) (message, fix string) {
	if kind == kindHeader {
		return fmt.Sprintf("%q: there are no lists of headers", name), "name the headers"
	}
	if listNames(name, kind) == nil {
		return fmt.Sprintf("list %q does not exist", name), suggest(name, knownLists())
	}
	return "", ""
}

// badRune says why a character cannot occur in a name. Parameter names are compared
// as they are sent, so what browsers encode must be written encoded.
func badRune(kind listKind, c rune) string {
	const tchar = "!#$%&'*+-.^_`|~" // RFC 9110 §5.6.2, besides letters and digits
	alphanumeric := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
	bad := c <= ' ' || c >= 0x7f
	switch kind {
	case kindHeader:
		bad = !alphanumeric && !strings.ContainsRune(tchar, c)
	case kindCookie:
		bad = bad || strings.ContainsRune(`";,=\`, c)
	case kindParam:
		bad = bad || strings.ContainsRune(`&=#;"<>`, c)
	}
	if !bad {
		return ""
	}
	return fmt.Sprintf("%q cannot occur in it", c)
}

func badRuneFix(kind listKind) string {
	if kind == kindParam {
		return "write the name as it is sent, encoded (%20 for a blank)"
	}
	return "write the name alone"
}

func invalidEscape(name string) bool {
	for i := 0; i < len(name); i++ {
		if name[i] == '%' && (i+2 >= len(name) || !isHex(name[i+1]) || !isHex(name[i+2])) {
			return true
		}
	}
	return false
}

func (s section) identity(id *Identity) {
	if id == nil {
		return
	}
	if len(id.Cookies) == 0 && len(id.Headers) == 0 {
		s.fault("identity", "the identity names nothing", "name cookies or headers, or leave it out")
	}
	for i, name := range id.Cookies {
		s.judge("identity.cookies", i, name, func(name string) (string, string) { return checkIdentity(kindCookie, name) })
	}
	for i, name := range id.Headers {
		s.judge("identity.headers", i, name, func(name string) (string, string) { return checkIdentity(kindHeader, name) })
	}
}

func checkIdentity(kind listKind, name string) (message, fix string) {
	if strings.HasPrefix(name, "@") {
		return fmt.Sprintf("%q is a list, and no list names what makes a visitor a person", name), "name the " + kind.String()
	}
	if kind == kindHeader {
		if special, _ := specialHeader(name, Bypass); special != nil {
			return fmt.Sprintf("%q is no identity: %s", name, special.why), special.fix
		}
	}
	return checkName(kind, name)
}

// identityKept reports names that make a visitor a person and are stripped or
// forwarded all the same: one of the two is a mistake, and guessing wrong would
// share a page of that person.
func (s section) identityKept(r *Route, id *Identity) {
	if id == nil {
		return
	}
	if r.Cookies != nil {
		s.notIdentity("cookies.strip", kindCookie, r.Cookies.Strip, id.Cookies, "stripped")
		s.notIdentity("cookies.plain", kindCookie, r.Cookies.Plain, id.Cookies, "logged in clear")
	}
	if r.Headers != nil {
		s.notIdentity("headers.strip", kindHeader, r.Headers.Strip, id.Headers, "stripped")
		for i := range r.Headers.Forward {
			name := r.Headers.Forward[i].Name
			s.person(fmt.Sprintf("headers.forward.%d", i), kindHeader, name, id.Headers, "sent without being keyed")
		}
	}
}

func (s section) notIdentity(path string, kind listKind, names, persons []string, what string) {
	if len(persons) == 0 {
		return
	}
	for i, name := range names {
		s.person(join(path, strconv.Itoa(i)), kind, name, persons, what)
	}
}

// person reports a name, or a list with one, that is within one of the persons', or
// around it.
func (s section) person(path string, kind listKind, name string, persons []string, what string) {
	if person := s.personOf(kind, name, persons); person != "" {
		s.fault(path, fmt.Sprintf("%q makes a visitor a person and cannot be %s", person, what),
			"key it, or take it out of the identity of this route")
	}
}

// personOf is the first of the persons' names that the pattern has to do with, or empty.
// Lists are long, and many routes have the same one and the same identity.
func (s section) personOf(kind listKind, name string, persons []string) string {
	if !strings.HasPrefix(name, "@") {
		return personWithin(kind, name, persons)
	}
	asked := personIn{name, kind, &persons[0], len(persons)}
	person, known := s.persons[asked]
	if !known {
		for _, entry := range builtinLists().entries[name] {
			if person = personWithin(kind, entry.Pattern, persons); person != "" {
				break
			}
		}
		s.persons[asked] = person
	}
	return person
}

// personIn is a list that is asked about persons, which are told by where they stand.
type personIn struct {
	list    string
	kind    listKind
	persons *string
	many    int
}

func personWithin(kind listKind, pattern string, persons []string) string {
	for _, person := range persons {
		if within(kind, pattern, person) || within(kind, person, pattern) {
			return person
		}
	}
	return ""
}

// within says whether every name that inner matches is matched by outer. A glob's
// own text, in which * is a character like any other, stands for all its names.
func within(kind listKind, inner, outer string) bool {
	if strings.Contains(outer, "*") {
		return newNameGlob(outer, kind).match(inner)
	}
	if kind == kindHeader {
		return http.CanonicalHeaderKey(inner) == http.CanonicalHeaderKey(outer)
	}
	return inner == outer
}
