package policies

import "regexp"

var run = regexp.MustCompile(`[A-Za-z0-9]{8,}|[0-9]{5,}`)

// Told is a name as a record may tell it. A run of letters and digits in it that looks
// drawn, or is a long number, might be a token or somebody's id: a * stands for it.
func Told(name string) string {
	return run.ReplaceAllStringFunc(name, func(word string) string {
		digits := 0
		for i := range len(word) {
			if '0' <= word[i] && word[i] <= '9' {
				digits++
			}
		}
		if digits >= 3 && (digits >= 5 || len(word) >= 12) {
			return "*"
		}
		return word
	})
}
