package attribution

import (
	"net/http"
	"net/url"
	"strings"
)

// Form returns the values as application/x-www-form-urlencoded, in their order. It is
// ASCII, and no value can end it or begin another. Without values it is empty.
func Form(t Touch) string {
	var b strings.Builder
	for i, v := range t.Values {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(v.Name))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(v.Value))
	}
	return b.String()
}

// AddQuery returns the query with the values at its end, in place of the parameters of
// their names that it had. Everything else stays as it was written.
func AddQuery(raw string, t Touch) string {
	if len(t.Values) == 0 {
		return raw
	}
	rest := StripQuery(raw, t.has)
	if rest == "" {
		return Form(t)
	}
	return rest + "&" + Form(t)
}

// AddCookies adds the values to the request's cookies, in place of those of their names
// that it had, and joins what there is in one line. The values are percent-encoded, as
// apps and frameworks decode them. A value is left out if its name is not one of a cookie,
// or has a prefix by which browsers vouch for how a cookie was set (__Host-, __Secure-):
// no URL can vouch for that. Without values to add, nothing changes.
func AddCookies(h http.Header, t Touch) {
	named := Touch{Values: make([]Value, 0, len(t.Values))}
	for _, v := range t.Values {
		if isCookieName(v.Name) {
			named.Values = append(named.Values, v)
		}
	}
	if len(named.Values) == 0 {
		return
	}
	var pairs []string
	for _, line := range h["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			pair = strings.Trim(pair, " \t")
			name, _, _ := strings.Cut(pair, "=")
			name = strings.Trim(name, " \t")
			plain, _ := decodedName(name)
			if pair != "" && !named.has(name) && !named.has(plain) {
				pairs = append(pairs, pair)
			}
		}
	}
	for _, v := range named.Values {
		// Of the two ways to write a space only this one is a space to everybody.
		pairs = append(pairs, v.Name+"="+strings.ReplaceAll(url.QueryEscape(v.Value), "+", "%20"))
	}
	h["Cookie"] = []string{strings.Join(pairs, "; ")}
}

// isCookieName: a token (RFC 9110 §5.6.2) that begins neither as the attributes of RFC 2965
// do, nor with a prefix that browsers vouch for, in any letter case (RFC 6265bis §4.1.3).
func isCookieName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return false
		}
	}
	folded := strings.ToLower(name)
	return name != "" && name[0] != '$' && !strings.HasPrefix(folded, "__host-") && !strings.HasPrefix(folded, "__secure-")
}
