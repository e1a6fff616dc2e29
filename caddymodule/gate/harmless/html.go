package harmless

import (
	"bytes"
	stdhtml "html"

	"golang.org/x/net/html"

	"github.com/cacheward/cacheward/policies"
)

// maxToken bounds what the tokenizer holds of the page. Behind a longer token, a
// script of megabytes, there are no places.
const maxToken = 2 << 20

// htmlRule is a declared place in HTML.
type htmlRule struct {
	place policies.HTMLPlace
	glob  string
	index int
}

// pageReader reads a page once, from its beginning.
type pageReader struct {
	rules  []htmlRule
	body   []byte
	tokens *html.Tokenizer
	places []Place

	// The element whose start tag was the last tag, if its text may be a place.
	element string
	texts   []htmlRule
	text    Place // its text so far; Rule is not set
}

// htmlPlaces reads the tokens of the page. What is open at its end is no place.
func htmlPlaces(rules []htmlRule, body []byte, xhtml bool) []Place {
	p := &pageReader{rules: rules, body: body, tokens: html.NewTokenizer(bytes.NewReader(body))}
	p.tokens.SetMaxBuf(maxToken)
	p.tokens.AllowCDATA(xhtml)
	for begin := 0; ; {
		kind := p.tokens.Next()
		if kind == html.ErrorToken {
			return p.places
		}
		if !xhtml && kind == html.CommentToken && bytes.HasPrefix(body[begin:], []byte("<![CDATA[")) {
			return p.places // where it ends depends on what element it is in
		}
		end := begin + len(p.tokens.Raw())
		p.token(kind, begin, end)
		begin = end
	}
}

func (p *pageReader) token(kind html.TokenType, begin, end int) {
	switch kind {
	case html.TextToken:
		if p.element != "" && p.text.End == p.text.Start {
			p.text.End = end
			return // whether it is a place is known at the end tag
		}
	case html.CommentToken:
		p.comment(begin, end)
	case html.StartTagToken, html.SelfClosingTagToken:
		p.element = ""
		p.startTag(begin, end, kind == html.StartTagToken)
		return
	case html.EndTagToken:
		if p.element != "" {
			p.endTag()
		}
	}
	p.element = "" // what follows is not the first and only text of it
}

// comment takes <!-- … --> only: a comment that the end of the page closes, and what
// parsers take for one (<!x>, <?x>, </ x>), is none.
func (p *pageReader) comment(begin, end int) {
	raw := p.body[begin:end]
	open := len("<!--")
	length := 0
	switch {
	case !bytes.HasPrefix(raw, []byte("<!--")):
		return
	case len(raw) >= open+len("-->") && bytes.HasSuffix(raw, []byte("-->")):
		length = len("-->")
	case len(raw) >= open+len("--!>") && bytes.HasSuffix(raw, []byte("--!>")):
		length = len("--!>")
	default:
		return
	}
	for _, r := range p.rules {
		if r.place.Comment && p.add(r, begin+open, end-length, false) {
			return
		}
	}
}

// startTag takes the attributes that are places, and notes which rules want the text.
func (p *pageReader) startTag(begin, end int, opens bool) {
	name, _ := p.tokens.TagName()
	element := string(name)
	var attrs []attribute
	for _, r := range p.rules {
		if r.place.Element != element {
			continue
		}
		if attrs == nil {
			attrs = attributes(p.body[begin:end])
		}
		if !selects(r.place, p.body[begin:end], attrs) {
			continue
		}
		if r.place.Attribute == "" {
			if opens {
				p.wantText(r, element, end)
			}
			continue
		}
		if a := find(attrs, r.place.Attribute); a != nil && a.valued {
			p.add(r, begin+a.start, begin+a.end, true)
		}
	}
}

func (p *pageReader) wantText(r htmlRule, element string, at int) {
	if p.element == "" {
		p.element, p.texts, p.text = element, p.texts[:0], Place{Start: at, End: at}
	}
	p.texts = append(p.texts, r)
}

// endTag takes the text of the element that it ends, if nothing else was in it.
func (p *pageReader) endTag() {
	if name, _ := p.tokens.TagName(); string(name) != p.element {
		return
	}
	for _, r := range p.texts {
		if p.add(r, p.text.Start, p.text.End, true) {
			return
		}
	}
}

// add takes a place if its value is what the rule says, and says whether it did.
// Attributes come in the order of the rules and are put into that of the page. A
// place that another rule has stays that rule's.
func (p *pageReader) add(r htmlRule, start, end int, escaped bool) bool {
	if end-start > maxPlace {
		return false
	}
	value := string(p.body[start:end])
	if escaped {
		value = stdhtml.UnescapeString(value)
	}
	if !matches(r.glob, value) {
		return false
	}
	at := len(p.places)
	for at > 0 && p.places[at-1].Start > start {
		at--
	}
	if at > 0 && p.places[at-1].Start == start {
		return false
	}
	p.places = append(p.places, Place{})
	copy(p.places[at+1:], p.places[at:])
	p.places[at] = Place{Start: start, End: end, Rule: r.index}
	return true
}

// selects says whether the tag is one of those that the place is in.
func selects(place policies.HTMLPlace, tag []byte, attrs []attribute) bool {
	is := func(name, want string) bool {
		a := find(attrs, name)
		return a != nil && stdhtml.UnescapeString(string(tag[a.start:a.end])) == want
	}
	return (place.ID == "" || is("id", place.ID)) && (place.Has == "" || is(place.Has, place.Is))
}

// find returns the first attribute of the name, which is the one that counts (HTML
// §13.2.5.33), or nil.
func find(attrs []attribute, name string) *attribute {
	for i := range attrs {
		if foldsTo(attrs[i].name, name) {
			return &attrs[i]
		}
	}
	return nil
}

// foldsTo says whether the name, in ASCII lower case, is the other. Markup knows no
// other folding: the Kelvin sign is no k.
func foldsTo(name, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
