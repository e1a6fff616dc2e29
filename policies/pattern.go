package policies

import "strings"

// pathKind is the form of a path pattern.
type pathKind uint8

const (
	pathExact  pathKind = iota // /exact
	pathPrefix                 // /prefix/*
	pathExt                    // *.ext
	pathGlob                   // everything else
)

// pathPattern is a compiled path pattern. It is compared with the decoded path,
// case-sensitively:
//
//	/exact      the path itself
//	/prefix/*   everything below /prefix/, and /prefix/ itself, but not /prefix
//	*.ext       paths whose last segment ends with .ext (*.min.css too)
//	else        a glob for the whole path: * is any run without a slash, ** any run
//
// The zero value matches the empty path. It is safe for concurrent use.
type pathPattern struct {
	kind pathKind
	// text is the exact path, the prefix with its slash, the extension with
	// its dot, or the glob.
	text string
}

func compilePath(pattern string) pathPattern {
	star := strings.IndexByte(pattern, '*')
	switch {
	case star < 0:
		return pathPattern{pathExact, pattern}
	case star == len(pattern)-1 && strings.HasSuffix(pattern, "/*"):
		return pathPattern{pathPrefix, pattern[:star]}
	case strings.HasPrefix(pattern, "*.") && !strings.ContainsAny(pattern[1:], "*/"):
		return pathPattern{pathExt, pattern[1:]}
	}
	return pathPattern{pathGlob, pattern}
}

// match reports whether the pattern matches path. It takes time linear in the
// length of path and allocates nothing.
func (p *pathPattern) match(path string) bool {
	switch p.kind {
	case pathPrefix:
		return strings.HasPrefix(path, p.text)
	case pathExt:
		// The extension has no slash, so it cannot reach out of the last segment.
		return strings.HasSuffix(path, p.text)
	case pathGlob:
		return matchGlob(p.text, path)
	}
	return path == p.text
}

// literalPrefix is the part of a glob up to and with the last slash before the
// first star: every path that it matches begins so.
func (p *pathPattern) literalPrefix() string {
	star := strings.IndexByte(p.text, '*')
	return p.text[:strings.LastIndexByte(p.text[:star], '/')+1]
}

// matchGlob matches greedily, with one place to come back to for each kind of
// star: the latest. That is enough. What stands before a later ** and ends
// earlier leaves that ** more to choose from, and the shortest match ends first;
// the same holds for a later * in one segment, and a slash between two * can
// stand in one place only.
func matchGlob(glob, path string) bool {
	const none = -1
	g, i := 0, 0
	star, starEnd := none, 0 // what follows the latest *, and how far it reaches
	deep, deepEnd := none, 0 // the same of the latest **
	for g < len(glob) || i < len(path) {
		switch {
		case g < len(glob) && glob[g] == '*':
			stars := g
			for g < len(glob) && glob[g] == '*' {
				g++
			}
			if g-stars == 1 {
				star, starEnd = g, i
			} else {
				star, deep, deepEnd = none, g, i
			}
		case g < len(glob) && i < len(path) && glob[g] == path[i]:
			g++
			i++
		case star != none && starEnd < len(path) && path[starEnd] != '/':
			starEnd++
			g, i = star, starEnd
		case deep != none && deepEnd < len(path):
			deepEnd++
			// Where a * ran through its segment in vain, it would do so again
			// from every place before the next slash. Without this, the time
			// would grow with the square of the path.
			for star != none && deepEnd < len(path) && path[deepEnd-1] != '/' {
				deepEnd++
			}
			star = none
			g, i = deep, deepEnd
		default:
			return false
		}
	}
	return true
}
