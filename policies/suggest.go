package policies

import (
	"fmt"
	"strings"
)

// suggest is the fix for a word that is not known: the one that was probably
// meant, or all that are accepted.
func suggest[T ~string](word string, accepted []T) string {
	if near := nearest(word, accepted); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "accepted: " + list(accepted)
}

func list[T ~string](words []T) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return strings.Join(out, ", ")
}

// nearest returns the accepted word that is closest to word, or "" if none is
// close enough to be a slip of the hand.
func nearest[T ~string](word string, accepted []T) T {
	const longest = 40 // nothing accepted is nearly as long
	if len(word) > longest {
		return ""
	}
	word = strings.ToLower(word)
	var best T
	limit := 1 + len(word)/4
	for _, candidate := range accepted {
		if d := editDistance(word, strings.ToLower(string(candidate))); d <= limit {
			best, limit = candidate, d-1
		}
	}
	return best
}

// editDistance counts insertions, deletions, replacements and swaps of neighbours.
func editDistance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
