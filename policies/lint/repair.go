package lint

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

var (
	meant      = regexp.MustCompile(`^(?:did you mean "([^"\\]+)"\?|write ([A-Z]+))$`)
	listedItem = regexp.MustCompile(`\.\d+$`)
	anchor     = regexp.MustCompile(`(?m)[:-][ \t]+&[^\s]`)
)

// repair is what makes a fault of the policy right where that is mechanical: a slip of
// the hand for which there is one other word, a name that a list has twice.
func (u *Unit) repair(d policies.Diagnostic) []Edit {
	if d.Fix == "leave one out" && listedItem.MatchString(d.Path) {
		if name := firstQuoted(d.Message); name != "" {
			return u.removeItem(d.Pos, name)
		}
		return nil
	}
	m := meant.FindStringSubmatch(d.Fix)
	if m == nil {
		return nil
	}
	start, end, word := u.source(d.Pos.File).word(d.Pos)
	if word == "" || word != firstQuoted(d.Message) {
		return nil // the place is that of something around it
	}
	return []Edit{{File: d.Pos.File, Start: start, End: end, New: m[1] + m[2]}}
}

// anchored says whether a YAML file has values that are used in several places.
func (s *Source) anchored() bool {
	if s.anchors == nil {
		found := anchor.Match(s.data)
		s.anchors = &found
	}
	return *s.anchors
}

func firstQuoted(message string) string {
	_, rest, ok := strings.Cut(message, `"`)
	if !ok {
		return ""
	}
	quoted, err := strconv.QuotedPrefix(`"` + rest)
	if err != nil {
		return ""
	}
	text, _ := strconv.Unquote(quoted)
	return text
}

// word is the word at a place, without its quotes. Empty if no column is known.
func (s *Source) word(pos policies.Position) (start, end int, word string) {
	if _, known := s.Offset(pos); !known {
		return 0, 0, ""
	}
	start, end = s.Range(pos, policies.Position{})
	if end-start >= 2 && strings.IndexByte("\"'`", s.data[start]) >= 0 && s.data[end-1] == s.data[start] {
		start++
		end--
	}
	return start, end, string(s.data[start:end])
}

// removeItem takes one name out of a list: with its comma, its line or its blank. Nil if
// the name does not stand there alone, if somebody commented on it, or if the list may
// be used elsewhere too.
func (u *Unit) removeItem(pos policies.Position, name string) []Edit {
	s := u.source(pos.File)
	if start, _, word := s.word(pos); word != name || start == 0 {
		return nil
	}
	start, end := s.Range(pos, policies.Position{})
	remove := func(start, end int) []Edit { return []Edit{{File: pos.File, Start: start, End: end}} }
	first, last := s.bounds(pos.Line)
	before, after := s.data[first:start], s.data[end:last]
	next := len(s.data)
	if pos.Line < len(s.starts) {
		next = s.starts[pos.Line]
	}
	if hasComments(pos.File) && !u.isYAML(pos.File) {
		words := strings.Fields(string(before[:min(len(before), maxWord)]))
		names := 1 // host, path, method; cookie and header of an identity
		if len(words) > 0 && strings.Contains(" param cookie header ", " "+words[0]+" ") && len(words) > 1 {
			names = 2 // a verb stands before them
		}
		switch more := bytes.TrimSpace(after); {
		case len(after) > 0 && after[0] != ' ' && after[0] != '\t':
			return nil // "a"b is two words
		case len(words) > names:
			return remove(first+len(bytes.TrimRight(before, " \t")), end)
		case len(words) == names && len(more) > 0 && more[0] != '#':
			// The first name goes by itself: if all the others went with it, a verb
			// without a name would be left.
			kept := bytes.TrimRight(before, " \t")
			return []Edit{{File: pos.File, Start: first + len(kept), End: last, New: string(after)}}
		case len(words) == names && len(more) == 0:
			return remove(first, next)
		}
		return nil
	}
	if s.anchored() {
		return nil
	}
	rest := bytes.TrimLeft(after, " \t")
	switch lead := string(bytes.TrimSpace(before[max(0, len(before)-maxWord):])); {
	case lead == "-" && len(rest) == 0, lead == "" && string(rest) == ",":
		return remove(first, next)
	case len(rest) > 0 && rest[0] == ',':
		return remove(start, last-len(bytes.TrimLeft(rest[1:], " \t")))
	}
	if lead := bytes.TrimRight(s.data[:start], " \t\r\n"); bytes.HasSuffix(lead, []byte(",")) {
		return remove(len(lead)-1, end)
	}
	return nil
}
