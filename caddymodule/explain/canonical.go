package explain

import (
	"maps"
	"slices"
	"strings"
)

// explainCanonical shows the request of a fill. It is made of the key's parts by the
// engine; what the route forwards is added, as the proxy does.
func (e *Explanation) explainCanonical() {
	c := e.parts.Canonical()
	out := &Canonical{Method: c.Method}
	for _, f := range e.parts.Forwarded() {
		c.Header[f.Name] = []string{f.Value}
		out.Forwarded = append(out.Forwarded, f.Name)
	}
	slices.Sort(out.Forwarded)
	if e.req.Method == "HEAD" && !e.rule.Corroborate {
		out.Method = e.req.Method
	}
	target := c.EscapedPath
	if c.RawQuery != "" || c.ForceQuery {
		target += "?" + c.RawQuery
	}
	out.URL = c.Scheme + "://" + c.Host + target
	var text strings.Builder
	text.WriteString(out.Method + " " + target + " HTTP/1.1\r\nHost: " + c.Host + "\r\n")
	for _, name := range slices.Sorted(maps.Keys(c.Header)) {
		for _, value := range c.Header[name] {
			out.Header = append(out.Header, Field{name, value})
			text.WriteString(name + ": " + value + "\r\n")
		}
	}
	text.WriteString("\r\n")
	out.Text = text.String()
	e.Canonical = out
}
