package policies

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// HTMLPlace is a place in an HTML page where two answers may differ: comments, the
// value of an attribute, or an element's text.
type HTMLPlace struct {
	// Comment: the text of any comment. Nothing else is set then.
	Comment bool
	// Element is the element's name, lower-case.
	Element string
	// ID is what its attribute id must be, case-sensitive. Empty: anything.
	ID string
	// Has is the name, lower-case, of an attribute whose value must be Is,
	// case-sensitive. Both empty: none must.
	Has, Is string
	// Attribute, lower-case, is the one whose value is the place. Empty: the text
	// between the start tag and the end tag.
	Attribute string
}

var (
	htmlSelector  = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9-]*)(?:#([\pL\pN_:-]+))?(?:\[([A-Za-z_][A-Za-z0-9_:.-]*)=([^\s"'\[\]]+)\])?$`)
	htmlAttribute = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_:.-]*$`)
)

// ParseHTMLPlace reads
//
//	comment
//	element[#id][[attribute=value]]             its text
//	element[#id][[attribute=value]] attribute   that attribute's value
//
// and refuses places that can hold what was made for one visitor: a form's fields,
// what scripts and links are made of, and what is named like a credential or a
// person. The error is [Diagnostics], without a place.
func ParseHTMLPlace(text string) (HTMLPlace, error) {
	place, message, fix := readHTMLPlace(text)
	return place, faultOf(message, fix)
}

// faultOf is the error for a message, nil for none.
func faultOf(message, fix string) error {
	if message == "" {
		return nil
	}
	return Diagnostics{{Message: message, Fix: fix}}
}

func readHTMLPlace(text string) (place HTMLPlace, message, fix string) {
	if text == "comment" {
		return HTMLPlace{Comment: true}, "", ""
	}
	if nearest(text, []string{"comment"}) != "" {
		return HTMLPlace{}, fmt.Sprintf("%q is no place in HTML", text), `did you mean "comment"?`
	}
	selector, attribute, named := strings.Cut(text, " ")
	parts := htmlSelector.FindStringSubmatch(selector)
	switch {
	case selector == "comment":
		return HTMLPlace{}, fmt.Sprintf("%q: a comment has no attributes", text), "say in matching what the comment says"
	case parts == nil && strings.Contains(selector, ".") && !strings.Contains(selector, "["):
		return HTMLPlace{}, fmt.Sprintf("%q: an element is not told by its class", text), "tell it by #id or [attribute=value]"
	case parts == nil || named && !htmlAttribute.MatchString(attribute):
		return HTMLPlace{}, fmt.Sprintf("%q is no place in HTML", text),
			"write comment, element, element#id or element[attribute=value], and behind a blank the attribute if not the text is meant"
	}
	place = HTMLPlace{
		Element:   strings.ToLower(parts[1]),
		ID:        parts[2],
		Has:       strings.ToLower(parts[3]),
		Is:        parts[4],
		Attribute: strings.ToLower(attribute),
	}
	if message, fix := refuseHTML(text, place); message != "" {
		return HTMLPlace{}, message, fix
	}
	return place, "", ""
}

// JSONPath leads from the root of a JSON body to the values that may differ: the
// child selectors of RFC 9535 §2.3, save that [*] selects the items of lists only.
type JSONPath []JSONStep

// JSONStep is one step of a JSONPath: a member, an item, or all items of a list.
type JSONStep struct {
	// Member is the name of an object's member, which may be empty.
	Member string
	// List: the step is into a list, and Member is not used.
	List bool
	// Index is the item, counted from 0, or [AnyIndex].
	Index int
}

// AnyIndex is the Index of [*].
const AnyIndex = -1

// ParseJSONPath reads $ and one or more of the steps .member, ['member'], [n] and
// [*]. It refuses paths with members that are named like a credential or a person.
// The error is [Diagnostics], without a place.
func ParseJSONPath(text string) (JSONPath, error) {
	path, message, fix := readJSONPath(text)
	return path, faultOf(message, fix)
}

var (
	jsonDot    = regexp.MustCompile(`^\.([A-Za-z_\x{80}-\x{10FFFF}][A-Za-z0-9_\x{80}-\x{10FFFF}]*)`)
	jsonQuoted = regexp.MustCompile(`^\['((?:[^'\\\x00-\x1F]|\\['\\])*)'\]`)
	jsonIndex  = regexp.MustCompile(`^\[(\*|0|[1-9][0-9]{0,8})\]`)
)

func readJSONPath(text string) (path JSONPath, message, fix string) {
	const write = "write $ and behind it .member, ['member'], [0] or [*], such as $.items[*].rendered_at"
	rest, ok := strings.CutPrefix(text, "$")
	if !ok {
		return nil, fmt.Sprintf("%q is no path of JSON: it does not begin with $", text), write
	}
	if rest == "" {
		return nil, `"$" is the whole body`, "name the member that differs"
	}
	for rest != "" {
		step, length := readJSONStep(rest)
		switch {
		case length > 0:
		case strings.HasPrefix(rest, ".."):
			return nil, fmt.Sprintf("%q: .. would select members wherever they are", text), "write each step"
		default:
			return nil, fmt.Sprintf("%q is no path of JSON: %q is no step", text, rest), write
		}
		path, rest = append(path, step), rest[length:]
	}
	if message, fix := refuseJSON(text, path); message != "" {
		return nil, message, fix
	}
	return path, "", ""
}

// readJSONStep reads the first step of the text, and says how long it is; 0: none.
func readJSONStep(text string) (step JSONStep, length int) {
	if m := jsonDot.FindStringSubmatch(text); m != nil {
		return JSONStep{Member: m[1]}, len(m[0])
	}
	if m := jsonQuoted.FindStringSubmatch(text); m != nil {
		return JSONStep{Member: strings.NewReplacer(`\'`, `'`, `\\`, `\`).Replace(m[1])}, len(m[0])
	}
	m := jsonIndex.FindStringSubmatch(text)
	if m == nil {
		return JSONStep{}, 0
	}
	index, err := strconv.Atoi(m[1])
	if err != nil {
		index = AnyIndex
	}
	return JSONStep{List: true, Index: index}, len(m[0])
}

// matchesAnything says whether a glob leaves open what a value is.
func matchesAnything(glob string) bool { return strings.Trim(glob, "*?") == "" }
