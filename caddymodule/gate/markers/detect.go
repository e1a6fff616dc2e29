package markers

import (
	"bytes"
	"cmp"
	"net/http"
	"regexp"
	"slices"

	"github.com/cacheward/cacheward/policies"
)

const (
	// maxMarkers is how many markers are reported of a page.
	maxMarkers = 16
	// maxFinds is how many finds of one detector are kept until they are sorted out.
	maxFinds = 256
	// workBytes is how many bytes of a page are given to patterns, all together. A page
	// without visitors' state takes some thousands; only one that is made of anchors
	// takes as much. The dearest patterns took 150 ns a byte where this was measured,
	// so that the worst bodies, of 16 to 64 MiB, cost up to 0.6 s of CPU time.
	workBytes = 4 << 20
	// What is read without a pattern costs one byte of these in so many.
	cheap = 16
)

// Page is a response whose body is looked into.
type Page struct {
	Header http.Header
	// Body is decoded: no content coding is left on it (RFC 9110 §8.4).
	Body []byte
}

// Marker is a piece of state of a visitor in a page. It says where, and never what.
type Marker struct {
	// ID is the detector's.
	ID string
	// Offset is where the value begins in the decoded body, Length how long it is
	// there, both in bytes.
	Offset, Length int64
	// Near is the name of what has the value: of a field, a member or a parameter.
	// Empty if there is none, or it does not look like a name.
	Near string
}

// Detect returns the markers in the page by their places: at most 16, and of each
// detector one with the same name. Detectors for whose id off says true report
// nothing; a nil off turns none off. What several detectors find is reported by
// the first one in the catalogue only, and by none if that one is off.
//
// The second result says whether the whole page was looked at. It is false for a
// page with so many anchors that trying them all would take too long: what the
// markers do not tell then is not known, and such a page must not be believed to be
// free of them.
//
// Detect keeps nothing of the page, and may be called by many at once.
func Detect(p Page, off func(id string) bool) ([]Marker, bool) {
	s := scan{table: builtin(), body: p.Body, kind: kindOf(p.Header, p.Body), off: off, budget: workBytes, whole: true}
	s.look(p.Header)
	return s.markers(), s.whole
}

// scan is one look at one page.
type scan struct {
	table *table
	body  []byte
	kind  kind
	off   func(id string) bool
	finds []find
	count []int // finds by detector, nil as long as there are none
	// budget is what is left of workBytes. Once it is used up, whole is false and
	// nothing more is looked at.
	budget  int
	whole   bool
	tags    tagReader
	scripts scriptReader
	blobs   map[*blob]int // up to where the body was read as such a blob's text
}

// find is a marker before it is known whether it is reported.
type find struct {
	detector int
	at, end  int
	near     string
}

func (s *scan) look(h http.Header) {
	if s.kind == kindOpaque {
		return
	}
	s.nonces(h)
	s.anchors()
	if s.kind == kindJSON {
		s.state(&region{text: s.body, raw: s.body}, s.table.json)
	}
}

// anchors tries what has anchors of its own, where they stand.
func (s *scan) anchors() {
	s.table.long.Each(s.body, func(literal, at int) bool {
		s.anchor(&s.table.anchors[literal], at)
		return s.whole
	})
	for _, short := range s.table.short {
		s.tags, s.scripts = tagReader{}, scriptReader{}
		for at := 0; s.whole; at++ {
			next := bytes.Index(s.body[at:], short.text)
			if next < 0 {
				break
			}
			at += next
			s.anchor(short, at)
		}
	}
	s.parameters()
}

// parameters tries what begins with & in one pass: next to all of these are those of
// character references, which a pass for each literal would stop at again.
func (s *scan) parameters() {
	s.tags, s.scripts = tagReader{}, scriptReader{}
	for at := 0; s.whole; at++ {
		next := bytes.IndexByte(s.body[at:], '&')
		if next < 0 {
			return
		}
		at += next
		for _, a := range s.table.parameter {
			// The last byte, a =, tells most of the others apart.
			last := len(a.text) - 1
			if at+last < len(s.body) && s.body[at+last] == a.text[last] && bytes.HasPrefix(s.body[at:], a.text) {
				s.anchor(a, at)
			}
		}
	}
}

// anchor tries everything that begins with a literal, which stands at a place.
func (s *scan) anchor(a *anchor, at int) {
	if !s.spendBytes(1 + len(a.detectors)) {
		return
	}
	for _, d := range a.detectors {
		switch {
		case d.In == policies.InTag:
			s.inTag(d, at)
		case d.In == policies.InScript:
			s.inText(d, s.body, at, len(a.text), s.forPrograms)
		default:
			s.inText(d, s.body, at, len(a.text), s.notAboutPage)
		}
	}
	if a.blob != nil {
		s.blob(a.blob, at)
	}
}

// inText tries a pattern around an anchor of a text, given by its place and length.
// What it finds does not count unless accept says so of the place.
func (s *scan) inText(d *detector, text []byte, at, length int, accept func(at int) bool) {
	if d.Value == policies.ValueMail && !mayBeMail(text, at) {
		return
	}
	from, to := max(0, at-d.Before), min(len(text), at+cmp.Or(d.After, defaultAfter))
	if !s.spend(d, to-from) {
		return
	}
	for from < to {
		window := text[from:to]
		m := d.pattern.FindSubmatchIndex(window)
		if m == nil || from+m[0] >= at+length {
			return
		}
		if from+m[1] <= at { // of another anchor, before this one
			from += max(m[1], 1)
			continue
		}
		value := d.value(m)
		if !d.harmless(window[m[0]:m[1]]) && d.accepts(window[value[0]:value[1]]) && accept(at) {
			s.add(d, from+value[0], from+value[1], d.near(window, m))
		}
		return
	}
}

// inTag tries a pattern on the tag around an anchor.
func (s *scan) inTag(d *detector, at int) {
	t := s.tagAround(at)
	if t == nil || !s.spend(d, t.end-t.start) {
		return
	}
	text := t.ordered(s.body)
	if d.Value == policies.ValueToken && !t.random {
		return
	}
	m := d.pattern.FindSubmatchIndex(text)
	if m == nil || d.harmless(text) {
		return
	}
	value := d.value(m)
	if !d.accepts(text[value[0]:value[1]]) || !s.notAboutPage(at) {
		return
	}
	if d.Value == policies.ValueNonce {
		s.nonce(d, text[value[0]:value[1]], t.start, t.end)
		return
	}
	from, to := t.place(value[0], value[1])
	s.add(d, from, to, d.near(text, m))
}

func (s *scan) isOff(d *detector) bool { return s.off != nil && s.off(d.ID) }

// spend takes the bytes that a pattern is given from the budget. It says false if
// there is no more, or the detector has found enough.
func (s *scan) spend(d *detector, n int) bool {
	if s.count != nil && s.count[d.index] >= maxFinds {
		s.whole = s.whole && s.isOff(d)
		return false
	}
	return s.spendBytes(n)
}

// spendBytes says false once there is no more.
func (s *scan) spendBytes(n int) bool {
	if s.budget < n || !s.whole {
		s.whole = false
		return false
	}
	s.budget -= n
	return true
}

func (s *scan) add(d *detector, at, end int, near string) {
	if s.count == nil {
		s.count = make([]int, len(s.table.detectors))
	}
	s.count[d.index]++
	s.finds = append(s.finds, find{d.index, at, end, near})
}

// markers sorts out what was found: each value belongs to the first detector.
func (s *scan) markers() []Marker {
	if len(s.finds) == 0 {
		return nil
	}
	slices.SortFunc(s.finds, func(a, b find) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.detector, b.detector), cmp.Compare(b.end, a.end))
	})
	var out []Marker
	type name struct {
		detector int
		near     string
	}
	seen := make(map[name]bool)
	for _, f := range owned(s.finds) {
		d := s.table.detectors[f.detector]
		if seen[name{f.detector, f.near}] || s.isOff(d) {
			continue
		}
		seen[name{f.detector, f.near}] = true
		out = append(out, Marker{ID: d.ID, Offset: int64(f.at), Length: int64(f.end - f.at), Near: f.near})
		if len(out) == maxMarkers {
			break
		}
	}
	return out
}

// owned leaves out finds that overlap one of an earlier detector. The finds are in
// the order of their places.
func owned(finds []find) []find {
	var out []find
	for _, f := range finds {
		for len(out) > 0 && f.at < out[len(out)-1].end && f.detector < out[len(out)-1].detector {
			out = out[:len(out)-1]
		}
		if len(out) > 0 && f.at < out[len(out)-1].end {
			continue
		}
		out = append(out, f)
	}
	return out
}

// identifier is what a name may look like to be repeated in a record.
var identifier = regexp.MustCompile(`^[A-Za-z_.:$-][A-Za-z0-9_.:$\[\]-]{0,63}$`)
