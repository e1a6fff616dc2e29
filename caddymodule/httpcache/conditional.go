package httpcache

import (
	"net/http"
	"strings"
)

// NotModified reports whether a conditional request is answered 304 from a
// stored response (RFC 9110 §13.1, RFC 9111 §4.3.2). Req and stored are the
// header fields of the request and of a stored response with status 200; of
// other statuses the caller must not ask. Only GET and HEAD can be answered so.
//
// If-None-Match is compared weakly, and If-Modified-Since is ignored beside it,
// even when it is malformed or there is no ETag to compare with. If-Modified-Since
// is compared with Last-Modified, or with Date where that is missing.
func NotModified(method string, req, stored http.Header) bool {
	if method != http.MethodGet && method != http.MethodHead {
		return false
	}
	if match, ok := req["If-None-Match"]; ok {
		return anyMatches(match, stored["Etag"])
	}
	since := req["If-Modified-Since"]
	if len(since) != 1 {
		return false
	}
	threshold, ok := date(since[0])
	if !ok {
		return false
	}
	validator := stored["Last-Modified"]
	if len(validator) == 0 {
		validator = stored["Date"]
	}
	if len(validator) != 1 {
		return false
	}
	modified, ok := date(validator[0])
	return ok && !modified.After(threshold)
}

// anyMatches reports whether one of the entity tags in the lines of
// If-None-Match equals the one in etag, weakly (RFC 9110 §8.8.3.2). A line is
// read up to where it is no list of entity tags any more.
func anyMatches(match, etag []string) bool {
	var opaque string
	tagged := false
	if len(etag) == 1 {
		var rest string
		opaque, rest, tagged = entityTag(etag[0])
		tagged = tagged && rest == ""
	}
	for _, line := range match {
		if strings.Trim(line, " \t") == "*" {
			return true
		}
		for tagged {
			line = strings.TrimLeft(line, " \t,")
			candidate, after, ok := entityTag(line)
			after = strings.TrimLeft(after, " \t")
			if !ok || after != "" && after[0] != ',' {
				break
			}
			if candidate == opaque {
				return true
			}
			line = after
		}
	}
	return false
}

// entityTag cuts the entity tag at the start of s and returns its opaque part,
// with the quotes.
func entityTag(s string) (opaque, rest string, ok bool) {
	s = strings.TrimPrefix(s, "W/")
	if !strings.HasPrefix(s, `"`) {
		return "", s, false
	}
	end := strings.IndexByte(s[1:], '"')
	if end < 0 {
		return "", s, false
	}
	return s[:end+2], s[end+2:], true
}
