package attacks

import (
	"fmt"
	"hash/crc32"
	"html"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// carried are the fields that every proxy adds or that belong to a connection, those by
// which the edge itself asks whether a page still holds, and the agent, which visitors do
// not have in common. They shape no page.
var carried = []string{
	"host", "user-agent", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "accept-encoding",
	"connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "cookie",
	"if-none-match", "if-modified-since",
}

// internals are what frameworks tell themselves, and what chooses a fragment.
var internals = []string{
	"X-Now-Route-Matches", "X-Matched-Path", "X-Invoke-Path", "X-Invoke-Status", "X-Middleware-Prefetch", "X-Middleware-Subrequest",
	"X-Nextjs-Data", "RSC", "Next-Router-State-Tree", "Next-Router-Prefetch", "Next-Url", "Next-Action", "Next-Resume",
	"X-React-Router-SPA-Mode", "X-React-Router-Prerender-Data", "Turbo-Frame", "X-PJAX", "X-Inertia", "X-Inertia-Version",
	"HX-Request", "HX-Target", "X-Requested-With", "Surrogate-Capability", "X-Debug", "X-Preview", "X-Ghost-Preview", "X-Feature-New",
	"Prefer", "Accept-Datetime", "X-Sveltekit-Invalidated", "Pragma", "Fastly-Debug", "X-Cache-Debug",
}

// shape adds what other fields make of the page.
func (p *personality) shape(v *view, r *received) {
	for _, c := range p.cookies(r) {
		analytics := strings.HasPrefix(c.name, "_") // which nobody but its scripts reads, as a rule
		if c.name != "session" && c.name != "sid" && (!analytics || p.repeats) {
			v.shaped = append(v.shaped, c.name+"="+c.value)
		}
	}
	if language := p.field(r, "Accept-Language"); strings.HasPrefix(language, "ja") {
		v.shaped = append(v.shaped, "ja")
	}
	if p.internals {
		for _, name := range internals {
			if value := p.field(r, name); value != "" {
				v.shaped = append(v.shaped, name+": "+value)
			}
		}
	}
	if p.repeats {
		for _, f := range r.fields {
			if !slices.Contains(carried, strings.ToLower(f.name)) {
				v.shaped = append(v.shaped, f.name+": "+f.value)
				v.negotiated = append(v.negotiated, f.name)
			}
		}
	}
	if p.forwarded && r.has("Origin") {
		v.shaped = append(v.shaped, "allowed "+r.get("Origin"))
	}
}

// answer is the origin's to a request: always one that caches may keep, so that only
// Cacheward's own rules stand between a visitor and somebody else's page.
func (p *personality) answer(r *received) reply {
	v := p.understand(r)
	if p.errors {
		if status, why := dislikes(v, r); status != 0 {
			return reply{status, keepable("text/plain"), fmt.Sprintf("%d %s at %s", status, html.EscapeString(why), html.EscapeString(v.path))}
		}
	}
	body := v.html(p)
	fields := append(keepable(contentType(v)), field{"ETag", fmt.Sprintf("%q", fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body))))})
	// Where the policy leaves it to the origin, the origin says what it negotiates by.
	if strings.HasPrefix(r.target, "/origin/") || strings.HasPrefix(r.target, "/vary/") {
		names := []string{"Accept", "Accept-Language"}
		if strings.HasPrefix(r.target, "/vary/") {
			names = append(names, v.negotiated...)
		}
		fields = append(fields, field{"Vary", strings.Join(names, ", ")})
	}
	if p.forwarded {
		if origin := r.get("Origin"); origin != "" {
			fields = append(fields, field{"Access-Control-Allow-Origin", origin})
		}
		if v.scheme != "http" {
			return reply{301, append(fields, field{"Location", "https://" + v.host + v.prefix + v.path}), body}
		}
	}
	if p.ranges {
		if status, part := cut(r.get("Range"), body); status != 0 {
			whole := "*"
			if part != "" {
				whole = fmt.Sprintf("0-%d", len(part)-1)
			}
			fields = append(fields, field{"Content-Range", fmt.Sprintf("bytes %s/%d", whole, len(body))})
			return reply{status, fields, part}
		}
	}
	return reply{200, fields, body}
}

func keepable(contentType string) []field {
	return []field{{"Content-Type", contentType}, {"Cache-Control", "public, max-age=3600"}}
}

// contentType is chosen by the page's extension, as frameworks do with formats.
func contentType(v *view) string {
	if strings.HasSuffix(v.path, ".json") {
		return "application/json"
	}
	return "text/html; charset=utf-8"
}

// html is the page: what the origin took the request for, so that whoever gets it can see
// whose it is.
func (v *view) html(p *personality) string {
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "<p>%s: %s</p>\n", name, html.EscapeString(value)) }
	fmt.Fprintf(&b, "<!doctype html>\n<title>%s</title>\n<link rel=canonical href=\"%s\">\n", p.name,
		html.EscapeString(v.scheme+"://"+v.host+v.prefix+v.path))
	line("method", v.method)
	line("path", v.path)
	for _, name := range slices.Sorted(maps.Keys(v.params)) {
		line("param "+name, p.one(v.params[name]))
	}
	for _, s := range v.shaped {
		line("shaped by", s)
	}
	if v.visitor != "" {
		line("the account of", v.visitor)
	}
	if v.internal {
		line("for", "the internal network")
	}
	return b.String()
}

// dislikes says which error the request gets from an origin that is easily upset.
func dislikes(v *view, r *received) (status int, why string) {
	for _, f := range r.fields {
		name := strings.ToLower(f.name)
		switch {
		case len(f.value) > 4000:
			return 431, "a field is too long"
		case strings.ContainsFunc(f.name+f.value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }):
			return 400, "a field has a control character"
		case name == "accept" && !strings.Contains(f.value, "*/*") && !strings.Contains(f.value, "html"):
			return 406, "nothing acceptable for " + f.value
		case name == "accept-encoding" && strings.Contains(f.value, "evil"):
			return 406, "no such coding"
		case name == "accept-language" && strings.Contains(f.value, "evil"):
			return 400, "no such language"
		case name == "user-agent" && strings.Contains(f.value, "evil"):
			return 403, "blocked"
		case name == "upgrade" || name == "http2-settings":
			return 426, "no upgrade"
		case name == "expect":
			return 417, "no expectations"
		case name == "content-type":
			return 415, "no media type"
		case strings.HasPrefix(name, "if-") && strings.Contains(f.value, "evil"):
			return 412, "no such condition"
		case name == "authorization" || name == "x-amz-security-token":
			return 403, "signature"
		case name == "range" && !strings.HasPrefix(f.value, "bytes="):
			return 416, "no such unit"
		case name == "te" && strings.Contains(f.value, "evil"), name == "max-forwards":
			return 400, name
		}
	}
	if v.method != "GET" && v.method != "HEAD" {
		return 405, "no " + v.method + " here"
	}
	switch {
	case len(r.target) > 2000:
		return 414, "too long"
	case len(r.fields) > 60:
		return 431, "too many fields"
	case r.version != "HTTP/1.1":
		return 505, r.version
	}
	return 0, ""
}

// cut is the answer to a Range: 0 if it is none.
func cut(value, body string) (status int, part string) {
	spec, ok := strings.CutPrefix(value, "bytes=")
	if !ok {
		return 0, ""
	}
	from, to, _ := strings.Cut(spec, "-")
	a, errFrom := strconv.ParseUint(from, 10, 31)
	b, errTo := strconv.ParseUint(to, 10, 31)
	switch {
	case errFrom == nil && int(a) >= len(body):
		return 416, ""
	case errFrom == nil && errTo == nil && a == 0 && b < uint64(len(body)):
		return 206, body[:b+1]
	}
	return 0, ""
}
