package markers

import (
	"bytes"
	"net/http"
	"regexp"
	"strings"
)

// kind is what a body is, as far as it matters where to look.
type kind uint8

const (
	kindHTML   kind = iota // a page
	kindJSON               // data, also as JSONP
	kindScript             // a script or style sheet; also what is not known
	kindXML                // data in elements: its text is read by programs
	kindOther              // text and linked data
	kindOpaque             // pictures and the like: not looked into
)

// kindOf tells what a body is from its media type and its first byte. JSON is often
// sent as something else.
func kindOf(h http.Header, body []byte) kind {
	media, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	media = strings.ToLower(strings.TrimSpace(media))
	first := byte(0)
	if text := bytes.TrimLeft(body[:min(len(body), 1<<10)], "\xef\xbb\xbf \t\r\n"); len(text) > 0 {
		first = text[0]
	}
	main, sub, _ := strings.Cut(media, "/")
	switch {
	case main == "image" && sub != "svg+xml", main == "audio", main == "video", main == "font":
		return kindOpaque
	case sub == "ld+json":
		return kindOther
	case strings.HasSuffix(sub, "json"):
		return kindJSON
	case strings.HasSuffix(sub, "javascript"), strings.HasSuffix(sub, "ecmascript"):
		if jsonp.Match(body[:min(len(body), 256)]) {
			return kindJSON
		}
		return kindScript
	case sub == "css", sub == "x-component":
		return kindScript
	case first == '{', first == '[':
		return kindJSON
	case strings.HasSuffix(sub, "html"), media == "":
		return kindHTML
	case strings.HasSuffix(sub, "xml"):
		return kindXML
	case first == '<':
		return kindHTML
	case main == "text":
		return kindOther
	}
	return kindScript
}

// jsonp is how data begins that is handed to a function.
var jsonp = regexp.MustCompile(`^\s*(?:/\*\*/)?\s*(?:typeof [\w$.]+ ?={2,3} ?['"]function['"] ?&& ?)?[\w$.\[\]]+\(\s*[{\[]`)

// maxScript is how far before a place the script's tag is looked for, in bytes.
const maxScript = 1 << 20

// forPrograms says whether what stands at a place of the body is read by programs,
// not shown to people: in a script, or in a tag.
func (s *scan) forPrograms(at int) bool {
	switch s.kind {
	case kindJSON, kindScript, kindXML:
		return true
	case kindOther:
		return false
	}
	if script, inside := s.scriptAround(at); inside {
		return !isAboutPage(script, s.body)
	}
	return s.tagAround(at) != nil
}

// notAboutPage says whether what stands at a place is not linked data, in which pages
// tell search engines what they are about, or the like.
func (s *scan) notAboutPage(at int) bool {
	if s.kind != kindHTML {
		return true
	}
	script, inside := s.scriptAround(at)
	return !inside || !isAboutPage(script, s.body)
}

var scriptOpen, scriptClose = []byte("<script"), []byte("</script")

// scriptReader finds the scripts around places that are asked for in ascending order.
type scriptReader struct {
	read   int  // the last place asked for
	script *tag // that of the script around it, if known
	inside bool // whether there is one
}

// scriptAround says whether a place is in a script, and returns the script's tag. If
// none begins as far as is looked, the place counts as in a script that is not known.
func (s *scan) scriptAround(at int) (*tag, bool) {
	r := &s.scripts
	from := max(r.read, at-maxScript)
	if from > r.read {
		r.script, r.inside = nil, true
	}
	if !s.spendBytes(max(0, at-from) / cheap) {
		return nil, true
	}
	for i := at; i > from; {
		i = from + bytes.LastIndexByte(s.body[from:i], '<')
		if i < from {
			break
		}
		if hasPrefixFold(s.body[i:], scriptClose) {
			r.script, r.inside = nil, false
			break
		}
		if hasPrefixFold(s.body[i:], scriptOpen) {
			// A place in the tag itself is not in the script yet.
			r.script = readTag(s.body, i)
			s.pay(r.script)
			r.inside = r.script.end > i && r.script.end <= at
			if !r.inside {
				at = i // so that the next place finds the tag again
			}
			break
		}
	}
	r.read = max(r.read, at)
	return r.script, r.inside
}

// isAboutPage says whether a script is data about the page or its scripts, not for
// them.
func isAboutPage(script *tag, body []byte) bool {
	if script == nil {
		return false
	}
	for _, a := range script.attrs {
		if string(a.name) == "type" {
			switch strings.ToLower(string(bytes.TrimSpace(body[a.from:a.to]))) {
			case "application/ld+json", "importmap", "speculationrules":
				return true
			}
			return false
		}
	}
	return false
}
