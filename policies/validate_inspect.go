package policies

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// The rules of Inspect.
const (
	InspectOn  = "on"
	InspectOff = "off"
)

// maxIgnored bounds what a route declares harmless. Whoever needs more has a page
// that is made for each visitor.
const maxIgnored = 32

// inspect judges believing the origin whatever is in its bodies.
func (s section) inspect(r *Route) {
	i := r.Inspect
	switch {
	case i == nil || i.Rule == InspectOn:
	case i.Rule != InspectOff:
		// No suggestion: on is nearer to no than off is.
		s.fault("inspect", fmt.Sprintf("%q is neither on nor off", i.Rule), "write on or off")
	case blank(i.Reason):
		s.fault("inspect", "inspect: off shares bodies that nobody has looked into and needs a reason",
			"say why no body of this route can be made for one visitor, or leave it out")
	}
}

// ignore judges what the operator declares harmless.
func (s section) ignore(r *Route) {
	if len(r.Ignore) == 0 {
		return
	}
	if (r.Cache.Kind == CacheOrigin || ownLifetime(r)) && !corroborates(r) && r.Recheck == 0 {
		s.fault("ignore", "nothing is compared on this route, so nothing differs", "leave it out, or write admission: corroborated or a recheck")
	}
	if len(r.Ignore) > maxIgnored {
		s.fault("ignore", fmt.Sprintf("%d places are more than a route can ignore", len(r.Ignore)), fmt.Sprintf("declare at most %d", maxIgnored))
	}
	seen := make(map[Harmless]bool, len(r.Ignore))
	for i, h := range r.Ignore {
		path := join("ignore", strconv.Itoa(i))
		s.harmless(path, h)
		h.Reason, h.Header = "", strings.ToLower(h.Header)
		if seen[h] && h != (Harmless{Matching: h.Matching}) {
			s.fault(path, "this is declared twice", "leave one out")
		}
		seen[h] = true
	}
}

// harmless judges one declared difference.
func (s section) harmless(path string, h Harmless) {
	if blank(h.Reason) {
		s.fault(join(path, "reason"), "a difference that is not looked at needs a reason", "say why it is nobody's")
	}
	given := 0
	for _, kind := range []struct {
		key, text string
		check     func(text string) (message, fix string)
	}{
		{"html", h.HTML, func(text string) (string, string) { return checkHTML(text, h.Matching) }},
		{"json", h.JSON, func(text string) (string, string) { _, message, fix := readJSONPath(text); return message, fix }},
		{"header", h.Header, checkHarmlessField},
	} {
		if kind.text == "" {
			continue
		}
		given++
		if message, fix := kind.check(kind.text); message != "" {
			s.fault(join(path, kind.key), message, fix)
		}
	}
	switch {
	case given == 0:
		s.fault(path, "it does not say where the difference is", "write one of html, json and header")
	case given > 1:
		s.fault(path, "it names several places", "declare each on its own: one of html, json and header")
	}
}

// checkHTML accepts a place in HTML that its selector, or what it must match, tells
// from others.
func checkHTML(text, matching string) (message, fix string) {
	place, message, fix := readHTMLPlace(text)
	if message != "" {
		return message, fix
	}
	const least = 3 // a comment that matches *a* says nothing about itself
	switch told := lettersAndDigits(matching); {
	case place.Comment && told < least:
		return "a comment can hold anything, a part of the page too", "say in matching how it begins or ends, such as generated at *"
	case place.Attribute == "" && !place.Comment && place.ID == "" && place.Has == "" && place.Element != "time" && matchesAnything(matching):
		return fmt.Sprintf("%q is the text of every %s", text, place.Element), "say which by #id or [attribute=value], or say in matching what it is like"
	}
	return "", ""
}

func lettersAndDigits(glob string) int {
	n := 0
	for _, r := range glob {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			n++
		}
	}
	return n
}

// tolerate judges turning detectors off.
func (s section) tolerate(r *Route) {
	if len(r.Tolerate) == 0 {
		return
	}
	if !inspects(r) {
		s.fault("tolerate", "tolerate contradicts inspect: off: no detector looks into the bodies of this route", "leave one of the two out")
	}
	seen := make(map[string]bool, len(r.Tolerate))
	for i, t := range r.Tolerate {
		path := join("tolerate", strconv.Itoa(i))
		switch {
		case t.Detector == "":
			s.fault(join(path, "detector"), "it names no detector", "name one by its id")
		case seen[t.Detector]:
			s.fault(join(path, "detector"), fmt.Sprintf("%q is given twice", t.Detector), "leave one out")
		default:
			oneOf(s, join(path, "detector"), t.Detector, "detector", DetectorIDs())
		}
		seen[t.Detector] = true
		switch {
		case blank(t.Reason):
			s.fault(join(path, "reason"), "a detector that is turned off needs a reason", "say why what it finds is the same for everybody")
		case slices.Contains(DetectorIDs(), t.Reason):
			s.fault(join(path, "reason"), fmt.Sprintf("%q is a detector, not a reason", t.Reason), "say why what it finds is the same for everybody, before the detectors")
		}
	}
}

// recheck judges asking the origin about what is stored.
func (s section) recheck(share Share) {
	if share == 0 {
		return
	}
	if again, err := ParseShare(share.String()); err != nil || again != share {
		s.fault("recheck", "the share is not from 0.0001% to 100% in steps of 0.0001%", "give a share such as 1%")
	}
}
