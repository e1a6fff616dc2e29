package attacks

import (
	"net/url"
	"slices"
	"strings"
)

// personality is how an origin reads requests. Every fault in it has been seen in a
// framework or a server.
type personality struct {
	name string
	// path says which page a raw path means.
	path func(string) string
	// separators stand between parameters, fold says which names mean the same, and
	// one which of several values counts.
	separators string
	fold       func(string) string
	one        func([]string) string
	// forwarded has it believe what requests say of host, scheme and prefix, rewrites of
	// the URL, overrides of the method, internals what frameworks tell themselves,
	// underscores that X_A is X-A.
	forwarded, rewrites, overrides, internals, underscores bool
	// bodies has it read parameters from the body of any request.
	bodies bool
	// repeats has every field of the request shape the page.
	repeats bool
	// errors has it answer what it does not like with errors that caches may keep.
	errors bool
	// ranges has it answer Range.
	ranges bool
	// knows are the parameters that it reads. Empty: whatever there is.
	knows []string
}

// personalities are those that attacks are aimed at. Their names are their hosts'.
var personalities = []*personality{
	{name: "plain", path: decoded, separators: "&", fold: decoded, one: first, knows: []string{"ref", "id", "lang"}},
	{name: "slashes", path: lenient, separators: "&", fold: strings.ToLower, one: last, underscores: true, forwarded: true, ranges: true},
	{name: "matrix", path: matrix, separators: "&;", fold: decoded, one: joined, overrides: true, bodies: true},
	{name: "delimiters", path: delimited, separators: "&;?", fold: arrays, one: last, bodies: true, overrides: true, internals: true},
	{name: "rewriting", path: decoded, separators: "&", fold: arrays, one: first, rewrites: true, forwarded: true, overrides: true, underscores: true},
	{name: "repeating", path: decoded, separators: "&", fold: decoded, one: joined, repeats: true},
	{name: "failing", path: lenient, separators: "&", fold: decoded, one: first, errors: true, ranges: true, forwarded: true},
	{
		name: "credulous", path: credulous, separators: "&;", fold: func(s string) string { return strings.ToLower(arrays(s)) }, one: last,
		forwarded: true, rewrites: true, overrides: true, internals: true, underscores: true, bodies: true, errors: true, ranges: true,
	},
}

func decoded(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

// resolved takes the dot segments and empty segments out of a path.
func resolved(path string) string {
	var out []string
	for _, segment := range strings.Split(path, "/") {
		switch segment {
		case "", ".":
		case "..":
			out = out[:max(0, len(out)-1)]
		default:
			out = append(out, segment)
		}
	}
	return "/" + strings.Join(out, "/")
}

// lenient decodes twice, then sees slashes, backslashes and dots.
func lenient(path string) string {
	path = decoded(decoded(path))
	return strings.ToLower(resolved(strings.ReplaceAll(path, `\`, "/")))
}

// matrix cuts every segment at its ;.
func matrix(path string) string {
	segments := strings.Split(decoded(path), "/")
	for i := range segments {
		segments[i], _, _ = strings.Cut(segments[i], ";")
	}
	return resolved(strings.Join(segments, "/"))
}

// delimited ends the path at what some server has been seen to end it at.
func delimited(path string) string {
	path = decoded(path)
	if i := strings.IndexAny(path, ";?#!$@|,~\x00\r\n\t\\\x7f"); i >= 0 {
		path = path[:i]
	}
	return strings.TrimRight(path, "./ ")
}

func credulous(path string) string { return lenient(matrix(delimited(decoded(path)))) }

// arrays reads names as PHP and Node do.
func arrays(name string) string {
	name = strings.TrimLeft(decoded(name), "[] ")
	if i := strings.IndexAny(name, "[]\x00"); i >= 0 {
		name = name[:i]
	}
	return strings.NewReplacer(".", "_", " ", "_", "+", "_").Replace(name)
}

func first(values []string) string  { return values[0] }
func last(values []string) string   { return values[len(values)-1] }
func joined(values []string) string { return strings.Join(values, ",") }

// params reads a query, or a form.
func (p *personality) params(text string) map[string][]string {
	all := make(map[string][]string)
	for _, pair := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(p.separators, r) }) {
		name, value, _ := strings.Cut(pair, "=")
		if name = p.fold(name); p.knows != nil && !slices.Contains(p.knows, name) {
			continue
		}
		value = decoded(strings.ReplaceAll(value, "+", " "))
		all[name] = append(all[name], value)
	}
	return all
}

// view is what the origin took a request for, and what its page shows.
type view struct {
	scheme, host, prefix, method, path string
	params                             map[string][]string
	shaped                             []string // by other fields
	visitor                            string   // who is signed in
	internal                           bool     // it did not come through a proxy
	negotiated                         []string // the fields by which the page was chosen
}

// field looks a field up by name; of several lines the personality's choice counts.
func (p *personality) field(r *received, name string) string {
	var values []string
	for _, f := range r.fields {
		have := f.name
		if p.underscores {
			have = strings.ReplaceAll(have, "_", "-")
		}
		if strings.EqualFold(have, name) {
			values = append(values, f.value)
		}
	}
	if len(values) == 0 {
		return ""
	}
	return p.one(values)
}

// set overwrites to with the last field of the names that is there.
func (p *personality) set(to *string, r *received, names ...string) {
	for _, name := range names {
		if value := p.field(r, name); value != "" {
			*to = value
		}
	}
}

// understand reads a request.
func (p *personality) understand(r *received) *view {
	v := &view{scheme: "http", host: strings.ToLower(r.get("Host")), method: r.method}
	target := r.target
	v.internal = !r.has("X-Forwarded-For")
	if p.forwarded {
		p.set(&v.host, r, "X-Host", "X-Forwarded-Server", "X-HTTP-Host-Override", "X-Original-Host", "X-Forwarded-Host")
		if _, host, ok := strings.Cut(p.field(r, "Forwarded"), "host="); ok {
			v.host = host
		}
		p.set(&v.scheme, r, "X-Forwarded-Proto", "X-Forwarded-Scheme", "X-Url-Scheme", "X-Forwarded-Ssl", "Front-End-Https")
		p.set(&v.prefix, r, "X-Forwarded-Prefix", "X-Script-Name", "X-Forwarded-Port")
	}
	if p.rewrites {
		p.set(&target, r, "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Envoy-Original-Path", "X-Forwarded-Path", "X-Proxy-URL", "Destination")
	}
	if u, err := url.Parse(target); err == nil && u.Host != "" {
		v.host, target = u.Host, u.RequestURI()
	}
	path, query, _ := strings.Cut(target, "?")
	v.path, v.params = p.path(path), p.params(query)
	if p.bodies && r.body != "" {
		for name, values := range p.params(r.body) {
			v.params[name] = values
		}
	}
	if p.overrides {
		p.set(&v.method, r, "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Method")
		if values := v.params["_method"]; values != nil {
			v.method = p.one(values)
		}
	}
	v.visitor = p.visitor(r)
	p.shape(v, r)
	return v
}

// credentials are the fields that tell the origin who asks.
var credentials = []string{"Authorization", "Proxy-Authorization", "X-Api-Key", "X-Forwarded-User", "Remote-User", "X-Auth-Token", "X-Member"}

func (p *personality) visitor(r *received) string {
	for _, name := range credentials {
		if value := p.field(r, name); value != "" {
			return value
		}
	}
	for _, c := range p.cookies(r) {
		if c.name == "session" || c.name == "sid" {
			return c.value
		}
	}
	return ""
}

func (p *personality) cookies(r *received) (all []field) {
	for _, f := range r.fields {
		if !strings.EqualFold(f.name, "Cookie") {
			continue
		}
		for _, pair := range strings.FieldsFunc(f.value, func(r rune) bool { return r == ';' || r == ',' }) {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			all = append(all, field{strings.TrimSpace(name), strings.Trim(value, ` "`)})
		}
	}
	if p.one([]string{"first", "last"}) == "last" {
		slices.Reverse(all)
	}
	return all
}
