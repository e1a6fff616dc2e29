package policies

import (
	"net/http"
	"slices"
	"strings"
)

// Dispose gives every input of the request its disposition and collects the
// key's parts. The parts are complete only if the verdict is ActCache. Parts are
// reset first; the strings in them are the request's own.
func (r *Rule) Dispose(req *Request, p *Parts) Verdict {
	var v Verdict
	p.Reset()
	r.disposeRequest(req, &v)
	r.disposeHeaders(req.Header, p, &v)
	r.disposeCookies(req.Header["Cookie"], p, &v)
	r.disposeQuery(req, p, &v)
	p.Space = r.Space
	p.Scheme, p.Host, p.EscapedPath = req.Scheme, req.Host, req.EscapedPath
	v.order()
	if req.cacheable() { // what other methods get is their visitor's alone
		r.settle(&v)
	}
	return v
}

// disposeRequest judges what the request as a whole is.
func (r *Rule) disposeRequest(req *Request, v *Verdict) {
	if !req.cacheable() {
		v.add(ReasonMethod)
	}
	if r.Cache.Kind == CacheNever {
		v.add(r.never)
	}
	if _, ok := req.Header["Upgrade"]; ok || req.Method == http.MethodConnect {
		v.add(ReasonUpgrade)
	}
	for _, line := range req.Header["Cache-Control"] {
		for directive := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(directive), "no-store") {
				v.add(ReasonRequestNoStore)
			}
		}
	}
	for _, accept := range req.Header["Accept"] {
		if strings.Contains(strings.ToLower(accept), "text/event-stream") {
			v.add(ReasonUpgrade)
		}
	}
}

// disposeHeaders goes through the fields that the request has.
func (r *Rule) disposeHeaders(h http.Header, p *Parts, v *Verdict) {
	for name, lines := range h {
		switch d := r.headers.find(name); d.verb {
		case Strip:
			p.Withheld = p.Withheld || !immaterial(name)
		case Bypass:
			v.addFor(d.reason, InputHeader, name)
		case Deny:
			v.raiseFor(ActDeny, ReasonDenied, InputHeader, name)
		case Forward:
			p.forwarded = append(p.forwarded, Field{name, joinLines(lines)})
		case Vary:
			p.Varying = append(p.Varying, Field{name, joinLines(lines)})
		case Key:
			sent := joinLines(lines)
			value, ok := sent, true
			if len(d.values) > 0 {
				value, ok = negotiate(name, sent, d.values)
			}
			if ok {
				p.Headers = append(p.Headers, Field{name, value})
			}
			p.Withheld = p.Withheld || !ok || value != sent
		}
	}
	// The map's order is random, the key's is not.
	sortFields(p.Headers)
	sortFields(p.Varying)
}

// immaterial says whether a stripped header leaves nothing out of the canonical
// request: it concerns one connection (RFC 9110 §7.6.1), a body that there is none
// of, what the cache answers itself, or has a place of its own in the key.
func immaterial(name string) bool {
	switch name {
	case "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Proxy-Connection", "Http2-Settings",
		"Content-Length", "Content-Type",
		"Accept-Encoding", "Max-Forwards", "Cache-Control", "Pragma", "Range",
		"Host", "Cookie": // cookies are judged one by one
		return true
	}
	return strings.HasPrefix(name, "If-")
}

// joinLines makes one line of several, which RFC 9110 §5.3 says is the same.
func joinLines(lines []string) string {
	if len(lines) == 1 {
		return lines[0]
	}
	return strings.Join(lines, ", ")
}

func sortFields(f []Field) {
	if len(f) > 1 {
		slices.SortStableFunc(f, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	}
}

// disposeCookies reads the Cookie lines and disposes of each pair.
func (r *Rule) disposeCookies(lines []string, p *Parts, v *Verdict) {
	for _, line := range lines {
		for rest, more := line, true; more; {
			var pair string
			pair, rest, more = strings.Cut(rest, ";")
			pair = strings.Trim(pair, " \t")
			if pair == "" {
				continue // a trailing ; separates nothing from nothing
			}
			name, value, ok := cutCookie(pair)
			if !ok {
				v.add(ReasonCookieMalformed)
				continue
			}
			r.disposeCookie(Field{name, value}, p, v)
		}
	}
	sortFields(p.Cookies)
	for i := 1; i < len(p.Cookies); i++ {
		if p.Cookies[i].Name == p.Cookies[i-1].Name {
			v.add(ReasonCookieRepeated)
		}
	}
}

func (r *Rule) disposeCookie(c Field, p *Parts, v *Verdict) {
	verb, declared := r.cookies.find(c.Name)
	if r.cookies.taken(c.Name) {
		p.Withheld = true
		return
	}
	if !(declared && (verb == Key || verb == Deny)) && r.identityCookies.matches(c.Name) {
		v.addFor(ReasonIdentity, InputCookie, c.Name)
		return
	}
	switch verb {
	case Key:
		p.Cookies = append(p.Cookies, c)
	case Strip:
		p.Withheld = true
	case Bypass:
		v.addFor(ReasonCookieBypass, InputCookie, c.Name)
	case Deny:
		v.raiseFor(ActDeny, ReasonDenied, InputCookie, c.Name)
	}
}

// cutCookie splits name=value. It is not ok where servers are known to disagree:
// no =, an empty name, RFC 2965 attributes, a quote that is opened and not closed
// (a ; within quotes ends the pair for some and not for others), a blank inside
// the name, and bytes that RFC 6265 does not allow.
func cutCookie(pair string) (name, value string, ok bool) {
	end, quotes := -1, 0
	for i := range len(pair) {
		switch c := pair[i]; {
		case c < ' ' || c >= 0x7f, end < 0 && (c == ' ' || c == '"'):
			return "", "", false
		case c == '=' && end < 0:
			end = i
		case c == '"':
			quotes++
		}
	}
	if end <= 0 || pair[0] == '$' {
		return "", "", false
	}
	name, value = pair[:end], pair[end+1:]
	if strings.HasPrefix(value, " ") ||
		quotes > 0 && (quotes != 2 || len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"') {
		return "", "", false
	}
	return name, value, true
}

// disposeQuery takes the query apart and disposes of each parameter. The pairs
// that are keyed stay as they were written.
func (r *Rule) disposeQuery(req *Request, p *Parts, v *Verdict) {
	if req.RawQuery == "" {
		p.EmptyQuery = req.ForceQuery
		return
	}
	n := 0
	for rest, more := req.RawQuery, true; more; n++ {
		if n == maxParams {
			v.add(ReasonQueryLong)
			return
		}
		var pair string
		pair, rest, more = strings.Cut(rest, "&")
		name, _, _ := strings.Cut(pair, "=")
		verb, declared := r.params.find(name)
		switch verb {
		case Key:
			if declared && hasParam(p.Params, name) {
				v.addFor(ReasonParamRepeated, InputParam, name)
			}
			p.Params = append(p.Params, pair)
		case Strip:
			p.Withheld = true
		case Bypass:
			v.addFor(ReasonParamBypass, InputParam, name)
		case Deny:
			v.raiseFor(ActDeny, ReasonDenied, InputParam, name)
		}
	}
}

func hasParam(pairs []string, name string) bool {
	for _, pair := range pairs {
		if have, _, _ := strings.Cut(pair, "="); have == name {
			return true
		}
	}
	return false
}
