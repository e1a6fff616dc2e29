package markers

import (
	"bytes"
	"html"
	"slices"
)

const (
	// maxBlob is how much of a blob of state in a page is read, and maxObject how
	// much of a member in it, in bytes.
	maxBlob   = 1 << 20
	maxObject = 2 << 10
	// maxMember is how long the name of a member may be that a detector knows.
	maxMember = 32
)

// region is a piece of the body that holds JSON or the like.
type region struct {
	text []byte // with character references decoded
	raw  []byte // as it stands in the body; the same, if there are none
	base int    // where in the body
	// depth is in how many arrays the place is up to which they were counted.
	counted, depth int
	inString       bool
}

// blob reads the state that is known by a name, which stands at a place: the value of
// the attribute that it is in, the text of the script whose tag it is in, or the rest
// of the script that it is in.
func (s *scan) blob(b *blob, at int) {
	if at < s.blobs[b] || s.kind == kindJSON {
		return
	}
	from, end := at, at
	t := s.tagAround(at)
	script, inside := (*tag)(nil), s.kind == kindScript
	if s.kind != kindScript {
		script, inside = s.scriptAround(at)
	}
	switch {
	case inside && isAboutPage(script, s.body):
		return
	case inside:
		end = endOfScript(s.body, at)
	case t == nil:
		return // a word in the text
	case string(t.element) == "script":
		from, end = t.end, endOfScript(s.body, t.end)
	default:
		if from, end = t.valueAt(at); from >= end {
			return
		}
	}
	end = min(end, from+maxBlob)
	if !s.spendBytes((end - from) / cheap) {
		return
	}
	if s.blobs == nil {
		s.blobs = make(map[*blob]int)
	}
	s.blobs[b] = end
	r := region{raw: s.body[from:end], text: s.body[from:end], base: from}
	if bytes.Contains(r.raw, []byte("&quot;")) || bytes.Contains(r.raw, []byte("&#34;")) {
		r.text = []byte(html.UnescapeString(string(r.raw)))
	}
	s.state(&r, b)
}

// valueAt returns where the value of the attribute is that a place is in; for a place
// in the element's name, that of props.
func (t *tag) valueAt(at int) (from, end int) {
	inName := at <= t.start+len(t.element)
	for _, a := range t.attrs { // not always in the order in which they stand there
		if inName && string(a.name) == "props" || !inName && at < a.to && (end == 0 || a.to < end) {
			from, end = a.from, a.to
		}
	}
	return from, end
}

func endOfScript(body []byte, from int) int {
	end := min(len(body), from+maxBlob)
	for i := from; i < end; i++ {
		next := bytes.IndexByte(body[i:end], '<')
		if next < 0 {
			break
		}
		i += next
		if hasPrefixFold(body[i:], scriptClose) {
			return i
		}
	}
	return end
}

// state tries everything of a blob on a region.
func (s *scan) state(r *region, b *blob) {
	if b.name == flattenedName {
		s.flattened(r, b)
	} else if len(b.members) > 0 {
		s.objects(r, b)
	}
	for _, d := range b.inside {
		for _, literal := range d.Literals {
			s.inside(r, d, []byte(literal))
		}
	}
}

// inside tries a detector's pattern where its literal stands in the region.
func (s *scan) inside(r *region, d *detector, literal []byte) {
	before := len(s.finds)
	for at := 0; s.whole; at++ {
		next := bytes.Index(r.text[at:], literal)
		if next < 0 {
			break
		}
		at += next
		if !s.spendBytes(1) {
			break
		}
		s.inText(d, r.text, at, len(literal), func(int) bool { return true })
	}
	for i := before; i < len(s.finds); i++ {
		f := &s.finds[i]
		f.at, f.end = s.place(r, f.at, f.end)
	}
}

// objects tries detectors on the members that are objects and that they name.
func (s *scan) objects(r *region, b *blob) {
	for at := 0; s.whole; at++ {
		next := bytes.IndexByte(r.text[at:], '{')
		if next < 0 {
			return
		}
		at += next
		name := memberBefore(r.text, at)
		if len(name) == 0 {
			continue
		}
		var lower [maxMember]byte
		for i, c := range name {
			if lower[i] = c; 'A' <= c && c <= 'Z' {
				lower[i] += 'a' - 'A'
			}
		}
		for _, d := range b.members[string(lower[:len(name)])] {
			s.object(r, d, string(name), at)
		}
	}
}

// object tries a detector on the member with the name whose object begins at a place.
func (s *scan) object(r *region, d *detector, name string, at int) {
	end := endOfObject(r.text, at)
	if !s.spend(d, end-at) {
		return
	}
	text := slices.Concat([]byte(name), []byte{':'}, r.text[at:end])
	m := d.pattern.FindSubmatchIndex(text)
	most := d.Arrays
	if bytes.HasSuffix(r.text[:at], islandValue) {
		most += islandArrays
	}
	if m == nil || d.harmless(text) || r.arrays(at) > most {
		return
	}
	value := d.value(m)
	if !d.accepts(text[value[0]:value[1]]) {
		return
	}
	shift := at - len(name) - 1
	from, to := s.place(r, value[0]+shift, value[1]+shift)
	s.add(d, from, to, asName([]byte(name+"."+d.near(text, m))))
}

// In the props of Astro's islands, a value stands in an array after its kind, as in
// "user":[0,{"id":[0,42]}], and what is in a list in four or more: [1,[[0,{…}]]].
var islandValue = []byte("[0,")

const islandArrays = 3

// reference is what seroval, with which TanStack writes state, puts before an object
// for later ones to refer to: user:$R[4]={id:42}.
var reference = []byte("$R[")

// wrapping is the length of what stands between a member's name and its value.
func wrapping(text []byte, at int) int {
	if bytes.HasSuffix(text[:at], islandValue) {
		return len(islandValue)
	}
	if !bytes.HasSuffix(text[:at], []byte("]=")) {
		return 0
	}
	i := at - len("]=")
	for i > 0 && at-i < maxMember && '0' <= text[i-1] && text[i-1] <= '9' {
		i--
	}
	if !bytes.HasSuffix(text[:i], reference) {
		return 0
	}
	return at - i + len(reference)
}

// memberBefore returns the name of the member whose value begins at a place, or
// nothing.
func memberBefore(text []byte, at int) []byte {
	i := trimSpace(text, at-wrapping(text, at))
	if i == 0 || text[i-1] != ':' && text[i-1] != '=' {
		return nil
	}
	i = trimSpace(text, i-1)
	quoted := i > 0 && (text[i-1] == '"' || text[i-1] == '\'')
	if quoted {
		for i--; i > 0 && text[i-1] == '\\'; i-- {
		}
	}
	end := i
	for i > 0 && end-i <= maxMember && isWord(text[i-1]) {
		i--
	}
	if end-i > maxMember {
		return nil
	}
	return text[i:end]
}

func trimSpace(text []byte, end int) int {
	for end > 0 && (text[end-1] == ' ' || text[end-1] == '\n' || text[end-1] == '\t' || text[end-1] == '\r') {
		end--
	}
	return end
}

func isWord(c byte) bool { return isLetter(c) || '0' <= c && c <= '9' || c == '_' || c == '$' }

// endOfObject returns where the object ends that begins at a place, or how far it is
// read. Braces in strings are counted as well: they make the piece a little longer or
// shorter.
func endOfObject(text []byte, at int) int {
	end, depth := min(len(text), at+maxObject), 0
	for i := at; i < end; i++ {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return end
}

// arrays returns in how many arrays a place is. Places are asked for in ascending
// order.
func (r *region) arrays(at int) int {
	for i := r.counted; i < at; i++ {
		switch c := r.text[i]; {
		case c == '\\':
			i++
		case c == '"':
			r.inString = !r.inString
		case r.inString:
		case c == '[':
			r.depth++
		case c == ']':
			r.depth = max(0, r.depth-1)
		}
		r.counted = i + 1
	}
	return r.depth
}

// place returns where in the body a piece of the region's text stands.
func (s *scan) place(r *region, from, to int) (int, int) {
	if len(r.text) == len(r.raw) {
		return r.base + from, r.base + to
	}
	if !s.spendBytes(len(r.raw) / cheap) {
		return r.base, r.base + len(r.raw)
	}
	from, to = rawSpan(r.raw, from, to)
	return r.base + from, r.base + to
}

// maxReference is about the length of the longest character reference of HTML.
const maxReference = 40

// rawSpan returns where in the raw text the piece stands that is from one place to a
// later one once character references are decoded. What is within a single reference
// (&quot0 is two characters, as HTML has it) is where that begins.
func rawSpan(raw []byte, from, to int) (int, int) {
	from, to = rawAt(raw, from), rawAt(raw, to)
	return from, min(len(raw), max(to, from+1))
}

// rawAt returns where in the raw text the character is that is at i once character
// references are decoded.
func rawAt(raw []byte, i int) int {
	at := 0
	for at < len(raw) {
		amp := bytes.IndexByte(raw[at:], '&')
		if amp < 0 || i <= amp {
			break
		}
		at, i = at+amp, i-amp
		size := 1
		if semicolon := bytes.IndexByte(raw[at:min(len(raw), at+maxReference)], ';'); semicolon > 0 {
			size = semicolon + 1
		}
		decoded := len(html.UnescapeString(string(raw[at : at+size])))
		if i < decoded {
			return at
		}
		at, i = at+size, i-decoded
	}
	return min(len(raw), at+i)
}
