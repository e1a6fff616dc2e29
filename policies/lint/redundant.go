package lint

import (
	"strings"
	"sync"

	"github.com/cacheward/cacheward/policies"
)

// nameList is the names that were given one verb.
type nameList struct {
	names, globs []string
	lists        []namedList
}

// namedList is a built-in list, as far as it has names of one kind of input.
type namedList struct {
	name     string
	patterns []string
}

// verbLists are the lists of one kind of input. An exact name wins over a glob, a glob
// over a list.
type verbLists map[policies.Verb]nameList

// builtinLists are those of the policies. Not to be changed.
var builtinLists = sync.OnceValue(policies.Lists)

func newNameList(names []string, kind string) nameList {
	l := nameList{names: names}
	for _, name := range names {
		switch {
		case strings.HasPrefix(name, "@"):
			list := namedList{name: name}
			for _, e := range builtinLists()[name] {
				if kind == "parameter" && e.Param || kind == "cookie" && e.Cookie {
					list.patterns = append(list.patterns, e.Pattern)
				}
			}
			l.lists = append(l.lists, list)
		case strings.Contains(name, "*"):
			l.globs = append(l.globs, name)
		}
	}
	return l
}

// covering is the glob or list of the verb without which nothing would change if the
// name were left out; "" if there is none.
func (v verbLists) covering(verb policies.Verb, name string) string {
	own := v[verb]
	if strings.HasPrefix(name, "@") {
		return ""
	}
	exact := !strings.Contains(name, "*")
	glob := own.globFor(name)
	if glob != "" && !exact {
		return glob // of equal rank
	}
	list := own.listFor(name)
	if glob == "" && list == "" {
		return ""
	}
	for other, l := range v {
		switch {
		case other == verb:
		case !exact && len(l.globs)+len(l.lists) > 0, exact && l.globFor(name) != "", exact && glob == "" && l.listFor(name) != "":
			return "" // that would have it then
		}
	}
	if glob != "" {
		return glob
	}
	return list
}

// globFor is another glob that matches all that the name does.
func (l nameList) globFor(name string) string {
	for _, glob := range l.globs {
		if glob != name && globMatch(glob, name) {
			return glob
		}
	}
	return ""
}

func (l nameList) listFor(name string) string {
	for _, list := range l.lists {
		for _, pattern := range list.patterns {
			if pattern == name || strings.Contains(pattern, "*") && globMatch(pattern, name) {
				return list.name
			}
		}
	}
	return ""
}

// globMatch says whether the glob, in which * stands for any run of characters, matches
// the name. Time is at most the product of the lengths.
func globMatch(glob, name string) bool {
	g, n, star, mark := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case g < len(glob) && glob[g] == '*':
			star, mark = g, n
			g++
		case g < len(glob) && glob[g] == name[n]:
			g++
			n++
		case star >= 0:
			mark++
			g, n = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(glob[g:], "*") == ""
}
