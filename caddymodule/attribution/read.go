package attribution

import (
	"crypto/rand"
	"encoding/base64"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Read makes a touch of what a request says of who sent the visitor: the parameters of its
// query that are taken, and the Referer, if it is of another host than the visited one
// (pass "" where it does not count). Names are asked for as they were sent, and decoded.
//
//   - Of parameters with one name the first counts; one with an empty value says nothing.
//   - Of the Referer the host counts, in lower case and without its port, or with
//     fullReferer its URL without user, query and fragment. A longer one than MaxReferer is
//     cut to its host, as browsers do. What is no Referer of a site (http, https,
//     android-app) is none.
//   - paid is asked of every value.
//
// A touch without Landing, and no problem: there is nothing to carry. With a problem
// (Malformed or Bounds) nothing of the request is carried. What Read returns can be sealed.
// Where there is neither query nor Referer it allocates nothing.
func Read(rawQuery, referer, host string, takes func(name string) bool, fullReferer bool, paid func(name, value string) bool, now time.Time) (Touch, Problem) {
	var t Touch
	if problem := t.readQuery(rawQuery, takes); problem != "" {
		return Touch{}, problem
	}
	if problem := t.readReferer(referer, host, fullReferer); problem != "" {
		return Touch{}, problem
	}
	if len(t.Values) == 0 && t.Referer == "" {
		return Touch{}, ""
	}
	if t.size() > maxContent {
		return Touch{}, Bounds
	}
	for _, v := range t.Values {
		t.Paid = t.Paid || paid(v.Name, v.Value)
	}
	t.Landing = newLanding()
	t.At = now.UTC().Truncate(time.Second)
	return t, ""
}

// newLanding is 128 random bits.
func newLanding() string {
	var id [landingBytes]byte
	rand.Read(id[:])
	return base64.RawURLEncoding.EncodeToString(id[:])
}

func (t *Touch) readQuery(raw string, takes func(name string) bool) Problem {
	if raw == "" {
		return ""
	}
	for rest, more := raw, true; more; {
		var pair string
		pair, rest, more = strings.Cut(rest, "&")
		if !isTaken(pair, takes) {
			continue
		}
		if problem := t.readPair(pair); problem != "" {
			return problem
		}
	}
	t.dropEmpty()
	return ""
}

func (t *Touch) readPair(pair string) Problem {
	name, value, _ := strings.Cut(pair, "=")
	// An escape is three bytes at most of a byte: what is longer is not even decoded.
	if len(name) > 3*MaxName || len(value) > 3*MaxValue {
		return Bounds
	}
	name, err := url.QueryUnescape(name)
	if err != nil || !isText(name) {
		return Malformed
	}
	if name == "" || t.has(name) {
		return ""
	}
	value, err = url.QueryUnescape(value)
	if err != nil || !isText(value) {
		return Malformed
	}
	if len(name) > MaxName || len(value) > MaxValue || len(t.Values) == MaxValues {
		return Bounds
	}
	t.Values = append(t.Values, Value{name, value})
	return ""
}

// dropEmpty leaves out what says nothing. Until then it stood for its name, of which the
// first parameter counts.
func (t *Touch) dropEmpty() {
	kept := t.Values[:0]
	for _, v := range t.Values {
		if v.Value != "" {
			kept = append(kept, v)
		}
	}
	if t.Values = kept; len(kept) == 0 {
		t.Values = nil
	}
}

// isText: UTF-8 without control characters.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// size is what the values and the Referer take of the cookie.
func (t *Touch) size() int {
	n := len(t.Referer)
	for _, v := range t.Values {
		n += len(v.Name) + len(v.Value)
	}
	return n
}
