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
