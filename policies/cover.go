package policies

import (
	"slices"
	"strings"
)

// What patterns have in common is decided here, for those who judge policies rather
// than requests. Paths are those that begin with /: no other request has one.

// PathCovers reports whether every path that the pattern inner matches is matched by
// outer, too. It is never wrong in saying so; where deciding takes too long, which two
// globs with many stars can make it, it says no.
func PathCovers(outer, inner string) bool {
	o, in := compilePath(outer), compilePath(inner)
	switch {
	case outer == inner || o.kind == pathPrefix && o.text == "/":
		return true
	case in.kind == pathExact:
		return o.match(in.text)
	case o.kind == pathExact:
		return false // in has a star and stands for several paths
	case o.kind == pathPrefix && in.kind == pathPrefix:
		return strings.HasPrefix(in.text, o.text)
	case o.kind == pathExt && in.kind == pathExt:
		return strings.HasSuffix(in.text, o.text)
	}
	oStart, oEnd := o.ends()
	inStart, inEnd := in.ends()
	if !strings.HasPrefix(inStart, oStart) || !strings.HasSuffix(inEnd, oEnd) {
		return false // a star of inner stands for anything where outer has something
	}
	_, found, decided := searchPaths(globTokens(in), globTokens(o), func(in, out bool) bool { return in && !out })
	return decided && !found
}

// PathsMeet returns a path that both patterns match, if it finds one. What it returns
// is matched by both; that there is none is certain but for globs with many stars.
func PathsMeet(a, b string) (string, bool) {
	x, y := compilePath(a), compilePath(b)
	if x.kind > y.kind {
		x, y = y, x
	}
	switch {
	case x.kind == pathExact:
		return x.text, y.match(x.text)
	case x.kind == pathPrefix && y.kind == pathPrefix:
		if len(x.text) < len(y.text) {
			x, y = y, x
		}
		return x.text, strings.HasPrefix(x.text, y.text)
	case x.kind == pathPrefix && y.kind == pathExt:
		return x.text + "x" + y.text, true
	}
	xStart, xEnd := x.ends()
	yStart, yEnd := y.ends()
	if !strings.HasPrefix(xStart, yStart) && !strings.HasPrefix(yStart, xStart) ||
		!strings.HasSuffix(xEnd, yEnd) && !strings.HasSuffix(yEnd, xEnd) {
		return "", false
	}
	path, found, _ := searchPaths(globTokens(x), globTokens(y), func(a, b bool) bool { return a && b })
	return path, found
}

// HostCovers reports whether every host that the pattern inner matches is matched by
// outer, too. The empty pattern is any host. Letter case does not matter.
func HostCovers(outer, inner string) bool {
	outer, inner = strings.ToLower(outer), strings.ToLower(inner)
	if outer == "" || outer == inner {
		return true
	}
	outerName, innerName := withoutPort(outer), withoutPort(inner)
	if inner == "" || len(outerName) < len(outer) && outer[len(outerName):] != inner[len(innerName):] {
		return false // any port is more than one
	}
	if outerName == innerName {
		return true
	}
	rest, wild := strings.CutPrefix(outerName, "*")
	return wild && len(innerName) > len(rest) && strings.HasSuffix(innerName, rest)
}

// HostsMeet returns a host that both patterns match, if there is one; the empty string
// where both are any host.
func HostsMeet(a, b string) (string, bool) {
	a, b = strings.ToLower(a), strings.ToLower(b)
	switch {
	case HostCovers(a, b):
	case HostCovers(b, a):
		b = a
	default:
		// One has a port and the other covers its name: example.com:81 and
		// *.example.com meet in the name and the port.
		aName, bName := withoutPort(a), withoutPort(b)
		port := a[len(aName):] + b[len(bName):]
		if (len(aName) < len(a)) == (len(bName) < len(b)) {
			return "", false
		}
		if HostCovers(bName, aName) {
			aName, bName = bName, aName
		} else if !HostCovers(aName, bName) {
			return "", false
		}
		b = bName + port
	}
	if rest, wild := strings.CutPrefix(b, "*"); wild {
		b = "www" + rest
	}
	return b, true
}

// FoldParam reduces the name of a parameter to what the most lenient application takes
// it for: decoded, in lower case, without the brackets of arrays, and with _ for the
// dots and blanks that PHP makes one of. Two names that fold to the same are one
// parameter to such an application.
func FoldParam(name string) string { return foldParam(name) }

// ends are what every path of the pattern, which has a star, begins and ends with.
func (p *pathPattern) ends() (start, end string) {
	switch p.kind {
	case pathPrefix:
		return p.text, ""
	case pathExt:
		return "/", p.text
	}
	return p.text[:strings.IndexByte(p.text, '*')], p.text[strings.LastIndexByte(p.text, '*')+1:]
}

// globToken is a character of a glob, or a star.
type globToken struct {
	char byte
	star bool // any run without a slash
	deep bool // any run
}

func globTokens(p pathPattern) []globToken {
	text := p.text
	switch p.kind {
	case pathPrefix:
		text += "**"
	case pathExt:
		text = "/**" + text
	}
	var tokens []globToken
	for i := 0; i < len(text); {
		if text[i] != '*' {
			tokens = append(tokens, globToken{char: text[i]})
			i++
			continue
		}
		stars := i
		for i < len(text) && text[i] == '*' {
			i++
		}
		tokens = append(tokens, globToken{star: i-stars == 1, deep: i-stars > 1})
	}
	return tokens
}

const (
	// maxGlobTokens is how many places a set of places holds.
	maxGlobTokens = 63
	// maxPathStates bounds a search. Globs that people write need some dozens.
	maxPathStates = 500
)

// searchPaths walks two globs at once, as automata whose states are sets of places in
// them, and returns the shortest path that the first can reach and for which wanted is
// true of what the two match. It is not decided where the globs are too long or make
// too many states.
func searchPaths(a, b []globToken, wanted func(a, b bool) bool) (path string, found, decided bool) {
	prefix := 0 // what both begin with need not be walked
	for prefix < min(len(a), len(b)) && a[prefix] == b[prefix] && a[prefix].char != 0 {
		prefix++
	}
	var begin strings.Builder
	for _, t := range a[:prefix] {
		begin.WriteByte(t.char)
	}
	a, b = a[prefix:], b[prefix:]
	if len(a) > maxGlobTokens || len(b) > maxGlobTokens {
		return "", false, false
	}
	type state struct{ a, b uint64 }
	type step struct {
		state
		from int
		char byte
	}
	start := state{placesFrom(a, 1), placesFrom(b, 1)}
	steps := []step{{state: start, from: -1}}
	seen := map[state]bool{start: true}
	chars := globChars(a, b)
	for i := 0; i < len(steps); i++ {
		s := steps[i]
		if wanted(s.a>>len(a)&1 == 1, s.b>>len(b)&1 == 1) {
			var word []byte
			for at := i; steps[at].from >= 0; at = steps[at].from {
				word = append(word, steps[at].char)
			}
			slices.Reverse(word)
			return begin.String() + string(word), true, true
		}
		if len(steps) > maxPathStates {
			return "", false, false
		}
		for _, c := range chars {
			if c != '/' && i == 0 && prefix == 0 {
				continue // a path begins with /
			}
			next := state{placesFrom(a, placesAfter(a, s.a, c)), 0}
			if next.a == 0 {
				continue
			}
			next.b = placesFrom(b, placesAfter(b, s.b, c))
			if !seen[next] {
				seen[next] = true
				steps = append(steps, step{next, i, c})
			}
		}
	}
	return "", false, true
}

// globChars are the characters by which paths can be told apart: those of the globs,
// and one that is in neither, which stands for all others.
func globChars(a, b []globToken) []byte {
	chars := []byte{'x', '/'}
	other := false
	for _, t := range slices.Concat(a, b) {
		if t.char != 0 && !slices.Contains(chars, t.char) {
			chars = append(chars, t.char)
		}
		other = other || t.char == 'x'
	}
	if other {
		for c := byte('a'); ; c++ {
			if !slices.Contains(chars, c) {
				return append(chars, c)
			}
		}
	}
	return chars
}

// placesFrom adds the places that are reached by letting a star stand for nothing.
func placesFrom(glob []globToken, places uint64) uint64 {
	for i, t := range glob {
		if (t.star || t.deep) && places>>i&1 == 1 {
			places |= 1 << (i + 1)
		}
	}
	return places
}

// placesAfter are the places that are reached by the character.
func placesAfter(glob []globToken, places uint64, c byte) uint64 {
	var after uint64
	for i, t := range glob {
		switch {
		case places>>i&1 == 0:
		case t.deep, t.star && c != '/':
			after |= 1 << i
		case t.char == c && c != 0:
			after |= 1 << (i + 1)
		}
	}
	return after
}
