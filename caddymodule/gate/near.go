package gate

import (
	"bytes"
	"regexp"
	"strings"

	"golang.org/x/net/html"
)

const (
	// The markup around a place is read from so many bytes before it to so many
	// after it, so that the cost does not grow with the page.
	markupBefore = 16 << 10
	markupAfter  = 4 << 10
	// keyBefore is how far before a place its JSON key or variable may stand.
	keyBefore = 1 << 10
	// pathBefore is how far into a JSON document a place may be for its path to be
	// told. Farther on, the name of the member has to do.
	pathBefore = 256 << 10
)

// identifier is what a name in the markup may look like to be repeated in a
// record. A value would have to look like that, too, and be in both pages.
var identifier = regexp.MustCompile(`^[A-Za-z0-9_.:$\[\]* -]{1,64}$`)

// near returns the nearest name in the markup to two places that correspond. A name
// that only one of the pages has might itself be the value that differs, so it must
// be found in both.
func near(own []byte, ownAt int, fill []byte, fillAt int) string {
	name := nameNear(fill, fillAt)
	if name != nameNear(own, ownAt) || !identifier.MatchString(name) {
		return ""
	}
	return name
}

// nameNear reads the markup around the place at, or the path to it if the page is
// JSON. A page that is neither is one long text.
func nameNear(page []byte, at int) string {
	if isJSON(page) && at <= pathBefore {
		if path, ok := jsonPath(page[:at]); ok {
			return path
		}
	}
	from, to := max(0, at-markupBefore), min(len(page), at+markupAfter)
	z := html.NewTokenizer(bytes.NewReader(page[from:to]))
	z.SetMaxBuf(to - from + 1)
	last, raw := "", false // the element that began last, and whether it is a script or style
	for begin := from; ; {
		kind := z.Next()
		if kind == html.ErrorToken {
			return keyOr(last, page[max(from, begin, at-keyBefore):at], raw)
		}
		end := begin + len(z.Raw())
		covers := at < end
		switch kind {
		case html.StartTagToken, html.SelfClosingTagToken:
			text := bytes.Clone(z.Raw()) // the tokenizer lower-cases names in place
			tag := readTag(z)
			if covers {
				return tag.nameAt(text[:at-begin])
			}
			last, raw = tag.String(), tag.name == "script" || tag.name == "style"
		case html.CommentToken:
			if covers {
				return "comment"
			}
		case html.EndTagToken:
			if !covers {
				last, raw = "", false
			}
		}
		if covers {
			return keyOr(last, page[max(begin, at-keyBefore):at], raw)
		}
		begin = end
	}
}

// tag is a start tag of the page.
type tag struct {
	name  string
	attrs map[string]string
}

func readTag(z *html.Tokenizer) tag {
	name, more := z.TagName()
	t := tag{name: string(name), attrs: map[string]string{}}
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		if _, repeated := t.attrs[string(key)]; !repeated {
			t.attrs[string(key)] = string(value)
		}
	}
	return t
}

// String names the element by what tells it from others of its kind.
func (t tag) String() string {
	for _, key := range []string{"name", "id", "property", "itemprop"} {
		if value := t.attrs[key]; identifier.MatchString(value) {
			return t.name + " " + value
		}
	}
	return t.name
}

// openAttr matches a tag's text that breaks off in an attribute's value.
var openAttr = regexp.MustCompile(`[\s"'/]([A-Za-z0-9_.:-]+)\s*=\s*(?:"[^"]*|'[^']*|[^\s"'>]*)$`)

// nameAt names the place at which the tag's text breaks off: the element for the
// attributes that carry its value, the attribute for others.
func (t tag) nameAt(text []byte) string {
	m := openAttr.FindSubmatch(text)
	if m == nil {
		return t.name
	}
	switch attr := string(bytes.ToLower(m[1])); attr {
	case "value", "content":
		return t.String()
	default:
		return t.name + " " + attr
	}
}

var (
	// openMember matches JSON that breaks off in a member's value, also where the
	// JSON is itself a string in a script.
	openMember = regexp.MustCompile(`"([A-Za-z0-9_.:$ -]{1,64})\\*"\s*:\s*(?:\\*"[^"]*|[^"{}\[\],;\n]*)$`)
	// openAssignment matches a script or style sheet that breaks off in what is
	// assigned to a variable, member or property.
	openAssignment = regexp.MustCompile("([A-Za-z_$][A-Za-z0-9_.$-]{0,63})\\s*[:=]\\s*(?:\"[^\"\\n]*|'[^'\\n]*|`[^`]*|[^\"'`;,{}()\\s]*)$")
)

// keyOr returns the JSON key or variable whose value the text breaks off in, or else
// the element that it is in. Where there is no element, as in a script of its own, the
// text is read as one.
func keyOr(element string, text []byte, raw bool) string {
	if m := openMember.FindSubmatch(text); m != nil {
		return string(m[1])
	}
	if raw || element == "" {
		if m := openAssignment.FindSubmatch(text); m != nil {
			return string(m[1])
		}
	}
	return element
}

// isJSON reports whether a page begins as a JSON document does that has names in it.
func isJSON(page []byte) bool {
	page = bytes.TrimLeft(page, "\ufeff \t\r\n")
	return len(page) > 0 && (page[0] == '{' || page[0] == '[')
}

// maxDepth is how deep in a JSON document a place may be for its path to be told.
const maxDepth = 32

// plainKey is a member's name that can stand in a path. In place of others there is a *:
// a name that is an address or a number tells whose member it is.
var plainKey = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$-]{0,31}$`)

// jsonPath returns the path of the value in which the beginning of a JSON document
// breaks off: "$.user.id", "$.items[*].name". Of an object that breaks off between two
// members it is that of the object. It returns false if the text
// is no JSON, is nested too deeply, or the path is too long to be an identifier.
func jsonPath(text []byte) (string, bool) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	// One entry for each object and list that is open: the member whose value follows
	// or has begun, nothing between two members, or [*].
	var open []string
	isObject, inKey := [maxDepth]bool{}, false
	for i := 0; i < len(text); i++ {
		depth := len(open) - 1
		switch c := text[i]; c {
		case '{', '[':
			if len(open) == maxDepth {
				return "", false
			}
			inKey = c == '{'
			isObject[len(open)] = inKey
			if open = append(open, ""); !inKey {
				open[depth+1] = "[*]"
			}
		case '}', ']':
			if depth < 0 || isObject[depth] != (c == '}') {
				return "", false
			}
			open, inKey = open[:depth], false
		case ',':
			if depth < 0 {
				return "", false
			}
			if inKey = isObject[depth]; inKey {
				open[depth] = ""
			}
		case '"':
			end := endOfString(text, i)
			if end > 0 && inKey {
				open[depth], inKey = "."+keyName(text[i+1:end]), false
			}
			if end < 0 {
				end = len(text)
			}
			i = end
		}
	}
	path := "$" + strings.Join(open, "")
	return path, identifier.MatchString(path)
}

// keyName is a member's name as it stands in a path.
func keyName(key []byte) string {
	if plainKey.Match(key) {
		return string(key)
	}
	return "*"
}

// endOfString returns where the closing quote of the string that opens at from is, or
// -1 if it is open.
func endOfString(text []byte, from int) int {
	for i := from + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}
