package lint

import (
	"path"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

// ignoreWord begins a comment that suppresses findings.
const ignoreWord = "cacheward:ignore"

// ignore is a comment that suppresses findings:
//
//	# cacheward:ignore CW103[,CW201] [until=2027-01-31] -- reason
type ignore struct {
	pos, end   policies.Position
	start, len int // the comment's bytes in the file
	// own says that the comment has its line for itself, and speaks of the next one.
	own    bool
	rules  []ignoredRule
	until  string
	reason string
	dated  bool // there is an until, if only an empty one
}

// ignoredRule is a rule as the comment calls it, and where.
type ignoredRule struct {
	name     string
	pos, end policies.Position
}

// hasComments says whether the file can have comments: JSON has none.
func hasComments(file string) bool { return !strings.EqualFold(path.Ext(file), ".json") }

// isYAML tells YAML from a Caddyfile, by the name.
func (u *Unit) isYAML(file string) bool {
	switch strings.ToLower(path.Ext(file)) {
	case ".yaml", ".yml":
		return true
	}
	return file == u.Name && u.Site == nil && strings.HasPrefix(file, "<") // <stdin>
}

// ignores are the comments of a file that suppress findings, in order.
func ignores(file string, yaml bool, s *Source) []ignore {
	var out []ignore
	for line := 1; line <= s.Lines(); line++ {
		text := s.Line(line)
		if !strings.Contains(text, ignoreWord) {
			continue
		}
		at := commentStart(text, yaml)
		if at < 0 {
			continue
		}
		body := strings.TrimLeft(text[at+1:], " \t")
		rest, ok := strings.CutPrefix(body, ignoreWord)
		if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
			continue
		}
		first, _ := s.bounds(line)
		ig := ignore{
			start: first + at, len: len(text) - at,
			pos: s.Position(file, first+at), end: s.Position(file, first+len(text)),
			own: strings.TrimSpace(text[:at]) == "",
		}
		ig.words(rest, func(offset int) policies.Position {
			return s.Position(file, first+len(text)-len(rest)+offset)
		})
		out = append(out, ig)
	}
	return out
}

// maxIgnored is how many rules one comment can name; the rest is not suppressed.
const maxIgnored = 64

// words reads what stands behind the ignoreWord. The reason begins behind the first --
// that stands alone.
func (ig *ignore) words(rest string, place func(offset int) policies.Position) {
	for i := 0; i < len(rest); {
		if strings.IndexByte(" \t,", rest[i]) >= 0 {
			i++
			continue
		}
		n := strings.IndexAny(rest[i:], " \t,")
		if n < 0 {
			n = len(rest) - i
		}
		word := rest[i : i+n]
		switch date, ok := strings.CutPrefix(word, "until="); {
		case word == "--":
			ig.reason = strings.TrimSpace(rest[i+n:])
			return
		case ok:
			ig.until, ig.dated = date, true
		case len(ig.rules) < maxIgnored:
			ig.rules = append(ig.rules, ignoredRule{name: word, pos: place(i), end: place(i + n)})
		}
		i += n
	}
}

// commentStart is where a comment begins in a line of YAML or of a Caddyfile: at a #
// that begins the line or stands behind a blank, and not within quotes. Below 0 if there
// is none. Quotes that are not closed on the line hide the rest of it.
func commentStart(line string, yaml bool) int {
	for i := 0; i < len(line); i++ {
		c := line[i]
		begins := i == 0 || line[i-1] == ' ' || line[i-1] == '\t'
		if c == '#' && begins {
			return i
		}
		if yaml && !begins {
			begins = strings.IndexByte("[{,", line[i-1]) >= 0
		}
		if begins && (c == '"' || c == '\'' && yaml || c == '`' && !yaml) {
			n := closing(line[i:])
			if n < 0 {
				return -1
			}
			i += n
		}
	}
	return -1
}

// closing is the index of the quote that closes the one with which the text begins.
func closing(text string) int {
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && text[0] == '"':
			i++
		case text[i] != text[0]:
		case text[0] == '\'' && i+1 < len(text) && text[i+1] == '\'':
			i++
		default:
			return i
		}
	}
	return -1
}
