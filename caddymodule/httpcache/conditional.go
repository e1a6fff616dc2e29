package httpcache

import (
	"net/http"
	"strings"
)

// Precondition is the outcome of a conditional request (RFC 9110 §13.2.2).
type Precondition uint8

const (
	// Proceed: there is no condition, or all hold. The stored response is sent,
	// or the part of it that [SelectRanges] chooses.
	Proceed Precondition = iota
	// NotModified: the client has this representation; answer 304 (§15.4.5).
	NotModified
	// PreconditionFailed: the client wants another representation than this one,
	// or none; answer 412 (§15.5.13).
	PreconditionFailed
)

// Conditional reports whether req has any of If-Match, If-None-Match,
// If-Modified-Since and If-Unmodified-Since (RFC 9110 §13.1). If-Range is not
// among them: it is a condition of Range alone. The names in req must be
// canonical, as net/http makes them. It allocates nothing.
func Conditional(req http.Header) bool {
	return len(req["If-None-Match"]) > 0 || len(req["If-Modified-Since"]) > 0 ||
		len(req["If-Match"]) > 0 || len(req["If-Unmodified-Since"]) > 0
}

// Evaluate evaluates the conditions of a request against a stored response, in
// the order of RFC 9110 §13.2.2. Req and stored are the header fields of the
// request and of a stored response with status 200, with canonical names; of
// other statuses the caller must not ask (§13.2.1). Only GET and HEAD have
// conditions that a stored response can answer: others always [Proceed].
//
//   - If-Match (§13.1.1) is compared strongly. Where no listed tag is that of the
//     stored response the outcome is [PreconditionFailed], also when the field is
//     malformed: what is neither "*" nor a list that has the tag is false.
//   - If-Unmodified-Since (§13.1.4) counts only without If-Match, and is ignored
//     where Last-Modified is missing or unreadable.
//   - If-None-Match (§13.1.2) is compared weakly.
//   - If-Modified-Since (§13.1.3) counts only without If-None-Match, even when that
//     is malformed or there is no ETag to compare with. It is compared with
//     Last-Modified, or with Date where that is missing.
//
// Conditions of dates that are no HTTP-date or stand in several lines are ignored.
//
// A cache may ignore the first two (§13.1.1, §13.1.4): the origin may have a
// newer representation, for which they hold. A caller who can ask the origin
// does better to do so than to answer 412.
func Evaluate(method string, req, stored http.Header) Precondition {
	if method != http.MethodGet && method != http.MethodHead {
		return Proceed
	}
	if match := req["If-Match"]; len(match) > 0 {
		if !anyMatches(match, stored["Etag"], strongly) {
			return PreconditionFailed
		}
	} else if later, ok := modifiedAfter(stored["Last-Modified"], req["If-Unmodified-Since"]); ok && later {
		return PreconditionFailed
	}
	if match := req["If-None-Match"]; len(match) > 0 {
		if anyMatches(match, stored["Etag"], weakly) {
			return NotModified
		}
		return Proceed
	}
	modified := stored["Last-Modified"]
	if len(modified) == 0 {
		modified = stored["Date"]
	}
	if later, ok := modifiedAfter(modified, req["If-Modified-Since"]); ok && !later {
		return NotModified
	}
	return Proceed
}

// modifiedAfter reports whether the date in modified is later than the one in
// since. It is not ok unless each is one line with one HTTP-date.
func modifiedAfter(modified, since []string) (later, ok bool) {
	if len(modified) != 1 || len(since) != 1 {
		return false, false
	}
	threshold, ok := date(since[0])
	if !ok {
		return false, false
	}
	at, ok := date(modified[0])
	return at.After(threshold), ok
}

// anyMatches reports whether one of the entity tags in the lines of If-Match or
// If-None-Match equals the one in etag, or whether they are the single "*", which
// matches every stored response. A line is read up to where it is no list of
// entity tags any more.
func anyMatches(match, etag []string, equal func(a, b string) bool) bool {
	if len(match) == 1 && strings.Trim(match[0], " \t") == "*" {
		return true
	}
	current, ok := onlyTag(etag)
	if !ok {
		return false
	}
	for _, line := range match {
		for {
			line = strings.TrimLeft(line, " \t,")
			_, rest, ok := entityTag(line)
			if !ok {
				break
			}
			candidate := line[:len(line)-len(rest)]
			line = strings.TrimLeft(rest, " \t")
			if line != "" && line[0] != ',' {
				break
			}
			if equal(candidate, current) {
				return true
			}
		}
	}
	return false
}

// onlyTag is the entity tag in lines, with W/ and quotes, if they are one line
// with one entity tag and nothing else.
func onlyTag(lines []string) (tag string, ok bool) {
	if len(lines) != 1 {
		return "", false
	}
	_, rest, ok := entityTag(lines[0])
	return lines[0], ok && rest == ""
}

// strongly is the strong comparison of two entity tags (RFC 9110 §8.8.3.2).
func strongly(a, b string) bool {
	return a == b && !strings.HasPrefix(a, "W/")
}

// weakly is the weak comparison of two entity tags (RFC 9110 §8.8.3.2).
func weakly(a, b string) bool {
	return strings.TrimPrefix(a, "W/") == strings.TrimPrefix(b, "W/")
}

// entityTag cuts the entity tag at the start of s (RFC 9110 §8.8.3) and returns
// its opaque part, with the quotes.
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
