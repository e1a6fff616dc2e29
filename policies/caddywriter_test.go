package policies

import (
	"strconv"
	"strings"
)

// caddyWriter writes the Caddyfile spelling, as text and as tokens.
type caddyWriter struct {
	text   strings.Builder
	tokens []Token
	line   int
	depth  int
}

func (w *caddyWriter) write(words ...string) {
	w.line++
	w.text.WriteString(strings.Repeat("\t", w.depth))
	for i, word := range words {
		if i > 0 {
			w.text.WriteString(" ")
		}
		quoted := strings.ContainsAny(word, " \t\"#") || word == ""
		if quoted {
			w.text.WriteString(strconv.Quote(word))
		} else {
			w.text.WriteString(word)
		}
		w.tokens = append(w.tokens, Token{File: "Caddyfile", Line: w.line, Text: word, Quoted: quoted})
	}
	w.text.WriteString("\n")
}

func (w *caddyWriter) block(body func(), words ...string) {
	w.write(append(words, "{")...)
	w.depth++
	body()
	w.depth--
	w.write("}")
}

func (w *caddyWriter) optional(word, value string) {
	if value != "" {
		w.write(word, value)
	}
}

func (w *caddyWriter) policy(p *Policy) {
	if p.Version != 0 {
		w.write("version", strconv.Itoa(p.Version))
	}
	w.optional("mode", string(p.Mode))
	w.optional("default", string(p.Default))
	w.optional("ambiguous", string(p.Ambiguous))
	w.optional("on_leak", string(p.OnLeak))
	w.identity(p.Identity)
	if d := p.Downstream; d != nil {
		w.block(func() {
			w.optional("profile", d.Profile)
			w.optional("tag_header", d.TagHeader)
		}, "downstream")
	}
	for i := range p.Routes {
		w.block(func() { w.route(&p.Routes[i]) }, "route", p.Routes[i].Name)
	}
}

func (w *caddyWriter) identity(id *Identity) {
	if id == nil {
		return
	}
	w.block(func() {
		for _, name := range id.Cookies {
			w.write("cookie", name)
		}
		if len(id.Headers) > 0 {
			w.write(append([]string{"header"}, id.Headers...)...)
		}
	}, "identity")
}

func (w *caddyWriter) route(r *Route) {
	w.names([]string{"host"}, r.Match.Hosts)
	w.names([]string{"path"}, r.Match.Paths)
	w.names([]string{"method"}, r.Match.Methods)
	w.cache(&r.Cache)
	w.inputs("param", r.Params)
	w.inputs("cookie", r.Cookies)
	w.headers(r.Headers)
	w.attribution(r.Attribution)
	w.choice("admission", r.Admission)
	w.choice("set_cookie", r.SetCookie)
	if d := r.Downstream; d != nil && *d == (Downstream{Profile: ProfileOrigin}) {
		w.write("downstream", "origin")
	} else if d != nil {
		w.block(func() {
			if d.Browser != 0 {
				w.write("browser", d.Browser.String())
			}
			w.optional("profile", d.Profile)
			w.optional("tag_header", d.TagHeader)
		}, "downstream", d.TTL.String())
	}
	w.optional("heuristic", string(r.Heuristic))
	if r.ErrorTTL != nil {
		w.write("error_ttl", r.ErrorTTL.String())
	}
	w.targeted(r.Targeted)
	w.choice("authorization", r.Authorization)
	w.choice("address", r.Address)
	w.optional("request_directives", string(r.RequestDirectives))
	if v := r.Vouch; v != nil {
		w.write(append([]string{"vouch", v.Reason}, v.Fields...)...)
	}
	w.choice("inspect", r.Inspect)
	w.inspected(r)
	w.optional("mode", string(r.Mode))
	w.optional("ambiguous", string(r.Ambiguous))
	w.optional("on_leak", string(r.OnLeak))
	w.identity(r.Identity)
}

func (w *caddyWriter) targeted(t *Targeted) {
	switch {
	case t == nil:
	case t.Order == "":
		w.write(append([]string{"targeted"}, t.Fields...)...)
	default:
		w.block(func() {
			w.names([]string{"field"}, t.Fields)
			w.write("order", t.Order)
		}, "targeted")
	}
}

// names writes the first name on a line of its own and the rest on another.
func (w *caddyWriter) names(words, names []string) {
	if len(names) > 0 {
		w.write(append(words[:len(words):len(words)], names[0])...)
	}
	if len(names) > 1 {
		w.write(append(words[:len(words):len(words)], names[1:]...)...)
	}
}

func (w *caddyWriter) cache(c *Cache) {
	value := string(c.Kind)
	if c.Kind == CacheTTL {
		value = c.TTL.String()
	}
	if c.StaleWhileRevalidate == 0 && c.StaleIfError == 0 && len(c.Statuses) == 0 {
		w.write("cache", value)
		return
	}
	w.block(func() {
		if c.StaleWhileRevalidate != 0 {
			w.write("stale_while_revalidate", c.StaleWhileRevalidate.String())
		}
		if c.StaleIfError != 0 {
			w.write("stale_if_error", c.StaleIfError.String())
		}
		for status, d := range c.Statuses {
			w.write("status", strconv.Itoa(status), d.String())
		}
	}, "cache", value)
}

func (w *caddyWriter) inputs(word string, in *Inputs) {
	if in == nil {
		return
	}
	for _, v := range in.byVerb() {
		w.names([]string{word, string(v.verb)}, v.names)
	}
	w.names([]string{word, "plain"}, in.Plain)
	if in.Others != "" {
		w.write(word, "others", string(in.Others))
	}
}

func (w *caddyWriter) headers(h *HeaderInputs) {
	if h == nil {
		return
	}
	for _, k := range h.Key {
		w.write(append([]string{"header", "key", k.Name}, k.Values...)...)
	}
	for _, f := range h.Forward {
		w.write("header", "forward", f.Name, f.Reason)
	}
	for _, v := range h.byVerb() {
		if v.verb != Key && v.verb != Forward {
			w.names([]string{"header", string(v.verb)}, v.names)
		}
	}
	if h.Others != "" {
		w.write("header", "others", string(h.Others))
	}
}

func (w *caddyWriter) choice(word string, c *Choice) {
	switch {
	case c == nil:
	case c.Reason == "":
		w.write(word, c.Rule)
	default:
		w.write(word, c.Rule, c.Reason)
	}
}

// inspected writes what is ignored and tolerated, and how often it is rechecked.
func (w *caddyWriter) inspected(r *Route) {
	for _, h := range r.Ignore {
		for _, kind := range [][2]string{{"html", h.HTML}, {"json", h.JSON}, {"header", h.Header}} {
			if kind[1] == "" {
				continue
			}
			words := []string{"ignore", h.Reason, kind[0], kind[1]}
			if h.Matching != "" {
				words = append(words, h.Matching)
			}
			w.write(words...)
		}
	}
	for _, t := range r.Tolerate {
		w.write("tolerate", t.Reason, t.Detector)
	}
	if r.Recheck != 0 {
		w.write("recheck", r.Recheck.String())
	}
}
