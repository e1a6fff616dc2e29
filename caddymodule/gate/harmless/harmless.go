// Package harmless finds the places of a response that a route declared harmless
// where they differ (policies.Harmless), and compares responses without them.
//
// It is used when two answers of the origin differ, never when they are the same.
// A place is a value and nothing around it: a comment's text, the value of an
// attribute between its quotes, the text of an element that has no child, a JSON
// scalar. What is malformed, open at the end, longer than 1 KiB or not what the
// declaration says is no place, and then the difference counts.
package harmless

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

// maxPlace is how many bytes a place may have. Clocks, counters and names of servers
// have fewer; what has more is content.
const maxPlace = 1 << 10

// Place is a place that may differ: the bytes of the body from Start to before End.
type Place struct {
	Start, End int
	// Rule is the index of the declaration.
	Rule int
}

// Set is what a route declares harmless. It is immutable and safe for concurrent
// use. Nil declares nothing.
type Set struct {
	html   []htmlRule
	json   []jsonRule
	header map[string][]string // the globs by canonical field name
}

// maxRules bounds what is looked for: the rules of a JSON body are bits of a word.
const maxRules = 64

// Compile makes declarations that the policy accepted ready. It returns nil if there
// are none. The error says which cannot be read; it matters only for declarations
// that no policy validated.
func Compile(declared []policies.Harmless) (*Set, error) {
	if len(declared) == 0 {
		return nil, nil
	}
	if len(declared) > maxRules {
		return nil, fmt.Errorf("%d declared differences are more than %d", len(declared), maxRules)
	}
	s := &Set{header: make(map[string][]string)}
	for i, h := range declared {
		glob := h.Matching
		if glob == "" {
			glob = "*"
		}
		if err := s.add(i, h, glob); err != nil {
			return nil, fmt.Errorf("declared difference %d: %w", i, err)
		}
	}
	return s, nil
}

func (s *Set) add(i int, h policies.Harmless, glob string) error {
	switch {
	case h.HTML != "" && h.JSON == "" && h.Header == "":
		place, err := policies.ParseHTMLPlace(h.HTML)
		s.html = append(s.html, htmlRule{place, glob, i})
		return err
	case h.JSON != "" && h.HTML == "" && h.Header == "":
		path, err := policies.ParseJSONPath(h.JSON)
		s.json = append(s.json, jsonRule{path, glob, i})
		return err
	case h.Header != "" && h.HTML == "" && h.JSON == "":
		name := http.CanonicalHeaderKey(h.Header)
		s.header[name] = append(s.header[name], glob)
		return nil
	}
	return fmt.Errorf("it names %q, %q and %q, and should name one of them", h.HTML, h.JSON, h.Header)
}

// Places returns the places of a decoded body that are declared and match, sorted
// and not overlapping. The content type is the Content-Type field's value: HTML is
// looked for in text/html and application/xhtml+xml, JSON in application/json and
// types that end with +json; others have no places. Where two declarations mean the
// same place, the first one that matches has it.
//
// It takes time linear in the length of the body, and up to 4 MiB besides what it
// returns.
func (s *Set) Places(contentType string, body []byte) []Place {
	if s == nil {
		return nil
	}
	switch kind := kindOf(contentType); {
	case kind == kindJSON && len(s.json) > 0:
		return jsonPlaces(s.json, body)
	case kind == kindHTML || kind == kindXHTML:
		if len(s.html) > 0 {
			return htmlPlaces(s.html, body, kind == kindXHTML)
		}
	}
	return nil
}

// Same says whether two decoded bodies of the content type are the same but for
// their places: the bytes around them are equal, and so are the declarations to
// which they belong, in order. It returns the places of both.
func (s *Set) Same(contentType string, a, b []byte) (same bool, pa, pb []Place) {
	pa, pb = s.Places(contentType, a), s.Places(contentType, b)
	if len(pa) != len(pb) {
		return false, pa, pb
	}
	endA, endB := 0, 0
	for i := range pa {
		if pa[i].Rule != pb[i].Rule || !bytes.Equal(a[endA:pa[i].Start], b[endB:pb[i].Start]) {
			return false, pa, pb
		}
		endA, endB = pa[i].End, pb[i].End
	}
	return bytes.Equal(a[endA:], b[endB:]), pa, pb
}

// Header says whether a field may differ as it does: it is declared, in any letter
// case, both answers have as many lines of it, and one declaration matches them all.
func (s *Set) Header(field string, own, fill []string) bool {
	if s == nil || len(own) == 0 || len(own) != len(fill) {
		return false
	}
	return slices.ContainsFunc(s.header[http.CanonicalHeaderKey(field)], func(glob string) bool {
		return matchesAll(glob, own) && matchesAll(glob, fill)
	})
}

func matchesAll(glob string, lines []string) bool {
	return !slices.ContainsFunc(lines, func(line string) bool { return !matches(glob, line) })
}

// matches says whether a value is what a declaration says it is.
func matches(glob, value string) bool {
	return len(value) <= maxPlace && matchGlob(glob, strings.TrimSpace(value))
}

type kind uint8

const (
	kindOther kind = iota
	kindHTML
	kindXHTML
	kindJSON
)

// kindOf reads a Content-Type field (RFC 9110 §8.3). A charset in which the bytes of
// < and " could mean something else makes a body unreadable here.
func kindOf(contentType string) kind {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil || !asciiBased(params["charset"]) {
		return kindOther
	}
	switch {
	case media == "text/html":
		return kindHTML
	case media == "application/xhtml+xml":
		return kindXHTML
	case (media == "application/json" || strings.HasSuffix(media, "+json")) && isUTF8(params["charset"]):
		return kindJSON
	}
	return kindOther
}

// asciiBased says whether markup is single bytes in the charset, as in those of the
// Encoding Standard save UTF-16 and ISO-2022-JP. Empty: not declared.
func asciiBased(charset string) bool {
	charset = strings.ToLower(charset)
	return charset == "" || slices.ContainsFunc([]string{
		"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-", "latin1", "windows-", "shift_jis", "shift-jis", "sjis", "euc-", "gb", "big5", "koi8-",
	}, func(start string) bool { return strings.HasPrefix(charset, start) })
}

// isUTF8: in other charsets a character may have a byte that is a backslash.
func isUTF8(charset string) bool {
	return charset == "" || slices.Contains([]string{"utf-8", "utf8", "us-ascii"}, strings.ToLower(charset))
}
