package attacks

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// generator makes attacks out of the parts of the tables. It is a function of its seed.
type generator struct {
	*rand.Rand
	known []change
}

func newGenerator(seed uint64, known []change) *generator {
	return &generator{rand.New(rand.NewPCG(seed, 0)), known}
}

func pick[T any](g *generator, from []T) T { return from[g.IntN(len(from))] }

// oneIn is true once in n times.
func (g *generator) oneIn(n int) bool { return g.IntN(n) == 0 }

// attempt draws a whole case.
func (g *generator) attempt() attempt {
	a := attempt{route: pick(g, routes), personality: pick(g, personalities), h2: g.oneIn(3)}
	for range 1 + g.IntN(3) {
		a.changes = append(a.changes, g.change(a.h2))
	}
	if g.oneIn(4) {
		credential := pick(g, memberships)
		a.lured = &credential
	}
	return a
}

func (g *generator) change(h2 bool) change {
	switch n := g.IntN(16); {
	case n < 4:
		return pick(g, g.known)
	case n < 7:
		return g.header()
	case n < 9:
		return g.path()
	case n < 11:
		return g.query()
	case n < 12:
		return g.cookie()
	case n < 13:
		return g.host()
	case h2:
		return g.list()
	default:
		return g.framing()
	}
}

// text is a value: something plain, something of the attacker's own, and now and then a
// byte that does not belong there.
func (g *generator) text() string {
	value := pick(g, []string{"MARK", "1", "plain", "MARK.example", "", "on", "https", "/MARK", "x;MARK", `"MARK"`, "a, MARK", "MARK=1", "*"})
	if g.oneIn(4) {
		at := g.IntN(len(value) + 1)
		value = value[:at] + pick(g, []string{"\t", " ", "\x00", "\r", "\n", "\r\n ", "\x7f", "\xff", "é", "\x0b", ",", ";", "%0d%0a", "\\"}) + value[at:]
	}
	return value
}

func (g *generator) header() change {
	a := pick(g, fieldAttacks)
	name := pick(g, a.names)
	switch g.IntN(6) {
	case 0:
		name = strings.ReplaceAll(name, "-", "_")
	case 1:
		name = strings.ToUpper(name)
	case 2:
		at := g.IntN(len(name) + 1)
		name = name[:at] + pick(g, []string{" ", "\t", "_", "-", "\x00", ".", "\xa0"}) + name[at:]
	}
	value := pick(g, a.values)
	if g.oneIn(2) {
		value = g.text()
	}
	times := 1 + g.IntN(2)
	return change{a.class, fmt.Sprintf("%d times %q: %q", times, name, shorten(value)), func(r *request, mark string) {
		for range times {
			r.add(name, strings.ReplaceAll(value, "MARK", mark))
		}
	}}
}

// encoded writes some bytes as escapes, perhaps twice.
func (g *generator) encoded(s string) string {
	for range g.IntN(3) {
		parts := strings.Split(s, "MARK")
		for i, part := range parts {
			var b strings.Builder
			for j := range len(part) {
				if g.oneIn(3) {
					fmt.Fprintf(&b, pick(g, []string{"%%%02x", "%%%02X"}), part[j])
				} else {
					b.WriteByte(part[j])
				}
			}
			parts[i] = b.String()
		}
		s = strings.Join(parts, "MARK")
	}
	return s
}

func (g *generator) path() change {
	var insertions []string
	for range 1 + g.IntN(3) {
		token := pick(g, slices.Concat(delimiters, detours, static, []string{"MARK", "account", "..", ".", "/"}))
		insertions = append(insertions, g.encoded(token))
	}
	where := make([]float64, len(insertions))
	for i := range where {
		where[i] = g.Float64()
	}
	return onPath("8", fmt.Sprintf("path with %q at %.2f", insertions, where), func(path, mark string) string {
		for i, s := range insertions {
			at := 1 + int(where[i]*float64(len(path)))
			if g := caseName.FindStringIndex(path); g != nil && at > g[0] && at < g[1] {
				at = len(path) // the case's name stays whole
			}
			at = min(at, len(path))
			path = path[:at] + strings.ReplaceAll(s, "MARK", mark) + path[at:]
		}
		return path
	})
}

func (g *generator) query() change {
	var b strings.Builder
	for i := range 1 + g.IntN(4) {
		if i > 0 || g.oneIn(8) {
			b.WriteString(pick(g, []string{"&", "&", "&", ";", "&&", "%26", "?", "&amp;", ",", "#", " ", "\t", "|"}))
		}
		if g.oneIn(3) {
			b.WriteString("PLAIN")
			continue
		}
		b.WriteString(g.encoded(pick(g, []string{"ref", "ref", "id", "lang", "utm_source", "fbclid", "_method", "debug", "REF", "ref[]", "r.ef", "", "[ref", "ref "})))
		b.WriteString(pick(g, []string{"=", "=", "=", "==", "", "%3d"}))
		b.WriteString(g.encoded(strings.NewReplacer("\r", "", "\n", "").Replace(g.text())))
	}
	return onQuery("6", b.String())
}

func (g *generator) cookie() change {
	var lines []string
	for range 1 + g.IntN(2) {
		var b strings.Builder
		for i := range 1 + g.IntN(3) {
			if i > 0 {
				b.WriteString(pick(g, []string{"; ", ";", ",", " ; ", ";;", "\t;", "&"}))
			}
			b.WriteString(pick(g, []string{"theme", "lang", "_ga", "fehost", "Theme", "_gaX", "", "$Version", "lead", "the me", `"theme"`}))
			b.WriteString(pick(g, []string{"=", "=", "=", "", " = "}))
			b.WriteString(strings.NewReplacer("\r", "", "\n", "").Replace(g.text()))
		}
		lines = append(lines, b.String())
	}
	return change{"5", fmt.Sprintf("Cookie %q", lines), func(r *request, mark string) {
		for _, line := range lines {
			r.add("Cookie", strings.ReplaceAll(line, "MARK", mark))
		}
	}}
}

func (g *generator) host() change {
	value := "HOST"
	for range 1 + g.IntN(2) {
		token := pick(g, []string{".", ":80", ":443", ":", "@", "MARK", "%00", "\t", " ", "/", "\\", "#", "?", ",", "[", "]", "-", "_", "xn--", "\xff", ":99999"})
		if g.oneIn(2) {
			value = token + value
		} else {
			value += token
		}
	}
	c := onHost(value)
	c.name = fmt.Sprintf("%q", c.name)
	return c
}

func (g *generator) framing() change {
	body := pick(g, []string{"HIDDEN", "0\r\n\r\nHIDDEN", "1\r\nx\r\n0\r\n\r\nHIDDEN", "ref=MARK", "", "0\r\nX-Forwarded-Host: MARK\r\n\r\n", "\r\nHIDDEN"})
	var fields []field
	for range 1 + g.IntN(2) {
		if g.oneIn(2) {
			fields = append(fields, field{
				pick(g, []string{"Content-Length", "content-length", "Content-Length ", "Content_Length"}),
				pick(g, []string{"BODY", "0", "4", "+BODY", "0BODY", "BODY, BODY", "BODY;", " BODY", "0x0", "-1", "", "BODY\x00"}),
			})
			continue
		}
		fields = append(fields, field{
			pick(g, []string{"Transfer-Encoding", "transfer-encoding", "Transfer-Encoding\t", "Transfer_Encoding", "X\r\nTransfer-Encoding"}),
			pick(g, []string{"chunked", "Chunked", "identity", "chunked, chunked", "identity, chunked", "gzip, chunked", "chunked;q=1", " chunked ", "\x0cchunked", "", ",chunked", "\r\n chunked"}),
		})
	}
	c := framed("13", fmt.Sprintf("framing %q %q", fields, body), body, fields...)
	if name := pick(g, []string{"", "", "POST", "HEAD", "OPTIONS", "PUT"}); name != "" {
		inner := c.apply
		c.name += " " + name
		c.apply = func(r *request, mark string) { r.method = name; inner(r, mark) }
	}
	return c
}

// list changes the header list of HTTP/2.
func (g *generator) list() change {
	if g.oneIn(2) {
		return pick(g, h2Changes)
	}
	name := pick(g, []string{":path", ":method", ":scheme", ":authority", "host", ":status", "cookie", "x-forwarded-host", "X-Upper", "connection", "content-length", "te", ": path", ""})
	value, at := g.text(), g.Float64()
	return onList(fmt.Sprintf("%q: %q at %.2f", name, value, at), func(list []field, mark string) []field {
		return slices.Insert(list, int(at*float64(len(list)+1)), field{name, strings.ReplaceAll(value, "MARK", mark)})
	})
}
