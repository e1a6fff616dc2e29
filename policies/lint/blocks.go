package lint

import (
	"strings"
)

// routeStarts are the lines of a file at which routes begin.
func (u *Unit) routeStarts(file string) map[int]bool {
	starts := make(map[int]bool)
	for i := range u.Scopes {
		for j := range u.Scopes[i].Policy.Routes {
			if pos := u.Scopes[i].Policy.Routes[j].At(""); pos.File == file && pos.Line > 0 {
				starts[pos.Line] = true
			}
		}
	}
	return starts
}

// below is what a comment on a line of its own speaks of: the next line that is neither
// empty nor a comment, and, if a route begins there, all lines of the route.
func below(s *Source, line int, yaml bool, starts map[int]bool) (first, last int) {
	for first = line + 1; first <= s.Lines(); first++ {
		text := strings.TrimSpace(s.Line(first))
		if text != "" && text[0] != '#' {
			break
		}
	}
	route := starts[first] || yaml && strings.TrimSpace(s.Line(first)) == "-" && starts[first+1]
	switch {
	case !route:
		return first, first
	case yaml:
		return first, indentedEnd(s, first)
	}
	return first, bracedEnd(s, first)
}

// indentedEnd is the last line of the item that begins on the line: what follows it and
// stands further right.
func indentedEnd(s *Source, line int) int {
	depth, last := indent(s.Line(line)), line
	for next := line + 1; next <= s.Lines(); next++ {
		text := s.Line(next)
		if strings.TrimSpace(text) == "" || strings.TrimSpace(text)[0] == '#' {
			continue
		}
		if indent(text) <= depth {
			break
		}
		last = next
	}
	return last
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }

// bracedEnd is the line of the brace that closes the block which the line opens. In a
// Caddyfile, a brace that opens ends its line and one that closes begins its own.
func bracedEnd(s *Source, line int) int {
	depth := 0
	for next := line; next <= s.Lines(); next++ {
		text := s.Line(next)
		if at := commentStart(text, false); at >= 0 {
			text = text[:at]
		}
		text = strings.TrimSpace(text)
		if text == "}" || strings.HasPrefix(text, "} ") {
			depth--
		}
		if text == "{" || strings.HasSuffix(text, " {") || strings.HasSuffix(text, "\t{") {
			depth++
		}
		if depth <= 0 {
			return next
		}
	}
	return s.Lines()
}
