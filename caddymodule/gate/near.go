package gate

import (
	"bytes"
	"regexp"

	"golang.org/x/net/html"
)

const (
	// The markup around a place is read from so many bytes before it to so many
	// after it, so that the cost does not grow with the page.
	markupBefore = 16 << 10
	markupAfter  = 4 << 10
	// keyBefore is how far before a place its JSON key or variable may stand.
	keyBefore = 1 << 10
)

// identifier is what a name in the markup may look like to be repeated in a
// record. A value would have to look like that, too, and be in both pages.
var identifier = regexp.MustCompile(`^[A-Za-z0-9_.:$ -]{1,64}$`)

// near returns the nearest name in the markup to the place at, before which the
// pages are the same. A name that only one of them has might itself be the value
// that differs, so it must be found in both.
func near(own, fill []byte, at int) string {
	name := nameNear(fill, at)
	if name != nameNear(own, at) || !identifier.MatchString(name) {
		return ""
	}
	return name
}

// nameNear reads the markup around the place at. A page that is no HTML is one
// long text.
func nameNear(page []byte, at int) string {
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
			last, raw = "", false
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
// the element that it is in.
func keyOr(element string, text []byte, raw bool) string {
	if m := openMember.FindSubmatch(text); m != nil {
		return string(m[1])
	}
	if raw {
		if m := openAssignment.FindSubmatch(text); m != nil {
			return string(m[1])
		}
	}
	return element
}
