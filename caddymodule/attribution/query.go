package attribution

import (
	"net/url"
	"strings"
)

// StripQuery returns the query without the parameters that are taken, and with everything
// else as it was written, byte for byte: empty pairs, repeated ones and escapes, too. A
// parameter is taken if its name is, as it was sent or decoded, with or without a value.
// Only & ends a pair, as the URL standard has it. Where nothing is taken, raw is returned
// and nothing is allocated.
func StripQuery(raw string, takes func(name string) bool) string {
	var kept []byte // every kept pair with an & before it, once something was taken
	left := false
	for rest, more := raw, true; more; {
		at := len(raw) - len(rest)
		var pair string
		pair, rest, more = strings.Cut(rest, "&")
		switch {
		case isTaken(pair, takes):
			if !left && at > 0 {
				kept = append(append(make([]byte, 0, len(raw)+1), '&'), raw[:at-1]...)
			}
			left = true
		case left:
			kept = append(append(kept, '&'), pair...)
		}
	}
	switch {
	case !left:
		return raw
	case len(kept) == 0:
		return ""
	}
	return string(kept[1:])
}

// isTaken is for one pair of a query. An empty pair is no parameter.
func isTaken(pair string, takes func(name string) bool) bool {
	if pair == "" {
		return false
	}
	name, _, _ := strings.Cut(pair, "=")
	if takes(name) {
		return true
	}
	plain, changed := decodedName(name)
	return changed && takes(plain)
}

// decodedName decodes a name, if it is encoded in a way that can be decoded.
func decodedName(name string) (plain string, changed bool) {
	if !strings.ContainsAny(name, "%+") {
		return name, false
	}
	plain, err := url.QueryUnescape(name)
	return plain, err == nil && plain != name
}

// has says whether the touch has a value of the name.
func (t *Touch) has(name string) bool {
	for i := range t.Values {
		if t.Values[i].Name == name {
			return true
		}
	}
	return false
}
