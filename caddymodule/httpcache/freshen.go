package httpcache

import (
	"maps"
	"net/http"
	"strconv"
)

// ofTheContent are the fields that belong to the stored content rather than to the
// exchange, and are never updated (RFC 9111 §3.2): a response without content says
// nothing about how ours is encoded or what its digest is. The validator stays
// because it selected the response; were it another one, so would be the content.
var ofTheContent = newFieldNames(
	"Content-Digest",
	"Content-Encoding",
	"Content-Length",
	"Content-MD5",
	"Content-Range",
	"Digest",
	"ETag",
	"Repr-Digest",
)

// Validators are the validators of a stored response to make a conditional request
// with (RFC 9111 §4.3.1), as they stand in it: an entity tag, strong or weak, and a
// modification date. One that is missing, malformed or there more than once is "".
func Validators(stored http.Header) (etag, lastModified string) {
	if tags := lines(stored, "Etag"); len(tags) == 1 && isEntityTag(tags[0]) {
		etag = tags[0]
	}
	if dates := lines(stored, "Last-Modified"); len(dates) == 1 {
		if _, ok := date(dates[0]); ok {
			lastModified = dates[0]
		}
	}
	return etag, lastModified
}

// isEntityTag reports whether s is an entity-tag and nothing else (RFC 9110 §8.8.3).
func isEntityTag(s string) bool {
	if len(s) >= 2 && s[:2] == "W/" {
		s = s[2:]
	}
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return false
	}
	for _, c := range []byte(s[1 : len(s)-1]) {
		if c <= ' ' || c == '"' || c == 0x7f {
			return false
		}
	}
	return true
}

// Freshen returns the header of a stored response updated from a 304, or from the
// response to a HEAD, that [HeadAgrees] with it (RFC 9111 §3.2, §4.3.4, §4.3.5).
// Every field of the update that [StoredFields] keeps replaces all lines of its
// name, Content-Type and Vary included; the fields that describe the content and
// its entity tag stay. Neither argument is changed, and nothing is shared with them.
//
// Judge the update before, for what it refuses, and the result after: it may have
// become something that is not shared.
func Freshen(stored, update http.Header, vouched func(field string) bool) http.Header {
	fresh := StoredFields(stored, vouched)
	newer := StoredFields(update, vouched)
	maps.DeleteFunc(newer, func(name string, _ []string) bool { return ofTheContent.has(name) })
	maps.Copy(fresh, newer)
	return fresh
}

// HeadAgrees reports whether the response to a HEAD describes the stored response
// to a GET, so that it may freshen it; otherwise that one is out of date (RFC 9111
// §4.3.5). Size is how many bytes the stored content has. Content-Length, ETag and
// Last-Modified must agree where head has them, in all of their lines.
func HeadAgrees(stored http.Header, size int64, head http.Header) bool {
	for _, line := range lines(head, "Content-Length") {
		length, err := strconv.ParseUint(line, 10, 63)
		if err != nil || int64(length) != size {
			return false
		}
	}
	for _, name := range []string{"Etag", "Last-Modified"} {
		ours := lines(stored, name)
		for _, line := range lines(head, name) {
			if len(ours) != 1 || line != ours[0] {
				return false
			}
		}
	}
	return true
}
