package httpcache

import (
	"net/http"
	"strings"
)

// AddVary makes the Vary field of h name the request header, if it does not yet
// (RFC 9110 §12.5.5). Caches downstream learn from it what an object is chosen by.
func AddVary(h http.Header, name string) {
	for _, line := range h["Vary"] {
		for member := range strings.SplitSeq(line, ",") {
			if member = strings.TrimSpace(member); member == "*" || strings.EqualFold(member, name) {
				return
			}
		}
	}
	h["Vary"] = append(h["Vary"], name)
}

// VaryAny reports whether the Vary of h is made of names and has a * among them: no
// later request ever selects the response (RFC 9111 §4.1).
func VaryAny(h http.Header) bool {
	found := false
	for _, line := range lines(h, "Vary") {
		for member := range strings.SplitSeq(line, ",") {
			switch member = strings.Trim(member, " \t"); {
			case member == "*":
				found = true
			case tokenLength(member) != len(member):
				return false
			}
		}
	}
	return found
}
