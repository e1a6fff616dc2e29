package attribution

import (
	"net/http"
	"strings"
)

// Prefetch says whether a browser asks for the page before anybody wants to see it, or for
// a picture of it: Sec-Purpose (the Fetch standard), and what came before it, Purpose,
// X-Purpose and X-Moz. It allocates nothing.
func Prefetch(h http.Header) bool {
	return ahead(h["Sec-Purpose"]) || ahead(h["Purpose"]) || ahead(h["X-Purpose"]) || ahead(h["X-Moz"])
}

// ahead: with or without parameters and fellows (prefetch;prerender).
func ahead(lines []string) bool {
	for _, line := range lines {
		for rest := line; rest != ""; {
			end := strings.IndexAny(rest, ",;")
			word := rest
			if rest = ""; end >= 0 {
				word, rest = word[:end], word[end+1:]
			}
			switch word = strings.Trim(word, " \t\""); {
			case strings.EqualFold(word, "prefetch"), strings.EqualFold(word, "prerender"), strings.EqualFold(word, "preview"):
				return true
			}
		}
	}
	return false
}
