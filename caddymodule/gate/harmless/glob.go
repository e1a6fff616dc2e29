package harmless

import "unicode/utf8"

// matchGlob says whether the glob matches all of the value: * is any run of
// characters, none included, and ? any one. It takes at most time in proportion to
// the product of their lengths, and does not allocate.
func matchGlob(glob, value string) bool {
	g, v := 0, 0
	star, mark := -1, 0 // behind the latest *, and how far it reaches
	for v < len(value) {
		_, size := utf8.DecodeRuneInString(value[v:])
		switch {
		case g < len(glob) && glob[g] == '*':
			g++
			star, mark = g, v
		case g < len(glob) && glob[g] == '?':
			g++
			v += size
		case g < len(glob) && glob[g] == value[v]:
			g++
			v++
		case star >= 0:
			_, size := utf8.DecodeRuneInString(value[mark:])
			mark += size
			g, v = star, mark
		default:
			return false
		}
	}
	for g < len(glob) && glob[g] == '*' {
		g++
	}
	return g == len(glob)
}
