package harmless

import "bytes"

// attribute is an attribute of a start tag. Its value is the tag's bytes from start
// to before end, without quotes.
type attribute struct {
	name       string // as written
	start, end int
	valued     bool // name=value, not the name alone
}

const tagSpace = " \n\r\t\f"

// attributes reads the attributes of a start tag that the tokenizer found complete,
// < and > included. The tokenizer tells their values, but not where they stand; this
// parts the tag as it does (HTML §13.2.5.32 to §13.2.5.39), and a test holds the two
// equal.
func attributes(tag []byte) []attribute {
	t := tagReader{tag: tag, at: 1}
	t.until(tagSpace + "/>") // the element's name
	out := []attribute{}     // not nil: read
	for {
		t.skip(tagSpace)
		if t.peek() == '>' {
			return out
		}
		if a := t.attribute(); a.name != "" {
			out = append(out, a)
		}
	}
}

type tagReader struct {
	tag []byte
	at  int
}

// peek returns the next byte. A tag that is complete ends with >.
func (t *tagReader) peek() byte {
	if t.at < len(t.tag) {
		return t.tag[t.at]
	}
	return '>'
}

func (t *tagReader) skip(set string) {
	for t.at < len(t.tag) && bytes.IndexByte([]byte(set), t.tag[t.at]) >= 0 {
		t.at++
	}
}

func (t *tagReader) until(set string) {
	if n := bytes.IndexAny(t.tag[t.at:], set); n >= 0 {
		t.at += n
	} else {
		t.at = len(t.tag)
	}
}

func (t *tagReader) attribute() attribute {
	begin := t.at
	if t.peek() == '=' {
		t.at++ // at the beginning it is part of the name
	}
	t.until(tagSpace + "=/>")
	a := attribute{name: string(t.tag[begin:t.at])}
	t.skip(tagSpace)
	switch t.peek() {
	case '/':
		t.at++
		return a
	case '=':
		t.at++
	default:
		return a
	}
	t.skip(tagSpace)
	switch quote := t.peek(); quote {
	case '>':
	case '"', '\'':
		t.at++
		a.start, a.valued = t.at, true
		t.until(string(quote))
		a.end = t.at
		t.at++
	default:
		a.start, a.valued = t.at, true
		t.until(tagSpace + ">")
		a.end = t.at
	}
	return a
}
