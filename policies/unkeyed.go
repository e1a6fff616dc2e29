package policies

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
)

const (
	// maxUnkeyed is how many inputs of a request are looked for, maxUnkeyedValue how
	// many bytes of each. A request can hold a mebibyte of either.
	maxUnkeyed      = 200
	maxUnkeyedValue = 4 << 10
)

// Unkeyed appends to dst the inputs of the request that are not in this rule's key,
// whatever their disposition, so that a response can be searched for them: headers
// by name, then cookies and parameters in the order in which they were sent. The
// address is not among them; the request does not say it.
//
//   - A parameter has its decoded name and value. What is not decodable is as it was
//     sent. One without = has no name: what was sent is its value.
//   - A cookie's value is without the quotes around it. A pair that is not well-formed
//     is left out.
//   - A header is one input for each of its lines. Fields that concern the connection
//     or the cache alone are left out. What was sent in a keyed header with declared
//     values is an input if it is not itself what is keyed.
//
// Empty values are left out. There are at most 200 inputs, and at most the first
// 4 KiB of a value. The request need not be one that may be cached.
func (r *Rule) Unkeyed(dst []Input, req *Request) []Input {
	u := unkeyed{inputs: dst, room: maxUnkeyed}
	r.unkeyedHeaders(&u, req)
	r.unkeyedCookies(&u, req.Header["Cookie"])
	r.unkeyedParams(&u, req.RawQuery)
	return u.inputs
}

// unkeyed collects inputs.
type unkeyed struct {
	inputs []Input
	room   int
}

func (u *unkeyed) add(kind InputKind, name, value string) {
	if value == "" || u.room == 0 {
		return
	}
	u.room--
	u.inputs = append(u.inputs, Input{kind, name, value[:min(len(value), maxUnkeyedValue)]})
}

func (r *Rule) unkeyedHeaders(u *unkeyed, req *Request) {
	var names []string
	for name, lines := range req.Header {
		if !immaterial(name) && !r.keysWhole(name, lines) {
			names = append(names, name)
		}
	}
	slices.Sort(names) // the map has no order, and there may not be room for all
	for _, name := range names {
		for _, line := range req.Header[name] {
			u.add(InputHeader, name, beyondOrigin(name, line, req))
		}
	}
}

// beyondOrigin is what a header says that the request's scheme and host, which are in
// every key, do not.
func beyondOrigin(name, line string, req *Request) string {
	if line == req.Scheme {
		return ""
	}
	for _, origin := range [...]string{req.Host, "https://" + req.Host, "http://" + req.Host} {
		rest, ok := strings.CutPrefix(line, origin)
		if ok && (rest == "" || name == "Referer" && rest[0] == '/') {
			return rest
		}
	}
	return line
}

// keysWhole says whether all of a header is in the key: what was sent, or what equals
// it.
func (r *Rule) keysWhole(name string, lines []string) bool {
	d := r.headers.find(name)
	if d.verb != Key || len(d.values) == 0 {
		return d.verb == Key
	}
	sent := joinLines(lines)
	value, ok := negotiate(name, sent, d.values)
	return ok && value == sent
}

func (r *Rule) unkeyedCookies(u *unkeyed, lines []string) {
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			if u.room == 0 {
				return
			}
			name, value, ok := cutCookie(strings.Trim(pair, " \t"))
			if !ok {
				continue
			}
			verb, declared := r.cookies.find(name)
			if verb == Key && (declared || !r.identityCookies.matches(name)) {
				continue
			}
			u.add(InputCookie, name, strings.Trim(value, `"`))
		}
	}
}

func (r *Rule) unkeyedParams(u *unkeyed, query string) {
	for pair := range strings.SplitSeq(query, "&") {
		if u.room == 0 {
			return
		}
		name, value, named := strings.Cut(pair, "=")
		if verb, _ := r.params.find(name); verb == Key { // declared names are as they are sent
			continue
		}
		if !named {
			name, value = "", name
		}
		u.add(InputParam, decoded(name), decoded(value))
	}
}

// decoded is a part of a query as the application reads it.
func decoded(s string) string {
	plain, err := url.QueryUnescape(s)
	if err != nil {
		return s
	}
	return cmp.Or(plain, s)
}
