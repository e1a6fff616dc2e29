package gate

import (
	"net/http"
	"strings"
)

// Comparable says whether the answer to a visitor's own request will be one that a fill
// can be compared with: not a HEAD's, a range's, or one that is conditional.
func Comparable(method string, h http.Header) bool {
	if method != http.MethodGet {
		return false
	}
	for _, name := range [...]string{"Range", "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range"} {
		if _, ok := h[name]; ok {
			return false
		}
	}
	return true
}

// RequestError says whether a status tells of the request or of the moment, and
// not of the page: an oversized header, a rate limit, an overload. Such an answer
// cannot be compared with the page, and whoever provokes one must not thereby
// keep the page from being shared.
func RequestError(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusNotAcceptable, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge,
		http.StatusRequestURITooLong, http.StatusUnsupportedMediaType, http.StatusExpectationFailed, http.StatusMisdirectedRequest,
		http.StatusTooEarly, http.StatusTooManyRequests, http.StatusRequestHeaderFieldsTooLarge:
		return true
	}
	return status >= 500
}

// Nowhere says whether a response with that status and header is a redirect without
// a Location.
func Nowhere(status int, h http.Header) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return strings.Join(h["Location"], "") == ""
	}
	return false
}
