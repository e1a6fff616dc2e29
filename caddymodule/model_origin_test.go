package caddymodule

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// behaviour is how the origin answers for one path until a step changes it.
type behaviour struct {
	status  int
	fields  http.Header // Cache-Control, CDN-Cache-Control, Vary, Set-Cookie …
	date    string      // in seconds from now; "" none, as it stands after =
	expires string      // likewise
	etag    string      // "", "strong" or "weak"
	dated   bool        // has Last-Modified
	length  bool        // has Content-Length
	terse   bool        // its 304s leave out what need not be there
	lives   string      // "", "refuses" (an error), "breaks" (in mid-body), "short"
	alone   bool        // on routes with a duration: every answer is another
	delay   time.Duration
	trickle time.Duration // between the halves of the body
	changes string        // Location and Content-Location of what answers unsafe methods
}

// said is a response of the origin, and the request for it.
type said struct {
	marker, mark        string      // of the content, and of this response where it is an update
	visit               *modelVisit // whose own request it answers; nil: a canonical one
	method, uri         string
	sent                http.Header
	status              int
	header              http.Header
	body                string
	began, ended        int // in the order of all that happens
	step                int
	requested, received time.Time
	endedAt             time.Time
	complete, failed    bool
	content             string // equal where the origin would answer 304
	validates           string // the marker that a 304 is about
}

// model is everything that happened in one sequence.
type model struct {
	route    modelRoute
	meanings map[string]controls

	mu         sync.Mutex
	clock      int // counts events
	step       int
	serial     int
	behaviours map[string]*behaviour
	down       string         // the path that is out of order
	contents   map[string]int // how often the content of a path has changed
	saids      []*said
	versions   map[string][]*version // by marker
	visits     []*modelVisit
	trace      []string
	broken     []string // what the model forbids, and happened
}

func meaningKey(name string, lines []string) string { return name + ": " + strings.Join(lines, "\n") }

// now counts an event. The lock is held.
func (m *model) now() int {
	m.clock++
	return m.clock
}

func (m *model) note(format string, args ...any) {
	m.trace = append(m.trace, fmt.Sprintf("%4d  %s  ", m.clock, time.Now().Format("15:04:05.00"))+fmt.Sprintf(format, args...))
}

// modelURI is the URI that a request is for, stripped parameters aside.
func modelURI(r *http.Request) string {
	q := r.URL.Query()
	q.Del("utm")
	if len(q) == 0 {
		return r.URL.Path
	}
	return r.URL.Path + "?" + q.Encode()
}

type visitKey struct{}

// origin answers, and notes what it said to whom.
func (m *model) origin(w http.ResponseWriter, r *http.Request) error {
	m.mu.Lock()
	b := *m.behaviours[r.URL.Path]
	if m.down == r.URL.Path {
		b.lives = "refuses"
	}
	s := &said{
		method: r.Method, uri: modelURI(r), sent: r.Header.Clone(),
		began: m.now(), step: m.step, requested: time.Now(), header: make(http.Header),
	}
	s.visit, _ = r.Context().Value(visitKey{}).(*modelVisit)
	m.saids = append(m.saids, s)
	m.mu.Unlock()

	err := pause(r.Context(), b.delay)
	if err == nil && b.lives != "refuses" {
		m.mu.Lock()
		m.answer(s, &b, r)
		m.mu.Unlock()
		maps.Copy(w.Header(), s.header)
		w.WriteHeader(s.status)
		if s.body != "" && r.Method != http.MethodHead {
			half := len(s.body) / 2
			_, _ = io.WriteString(w, s.body[:half])
			err = pause(r.Context(), b.trickle)
			if err == nil && b.lives == "" {
				_, err = io.WriteString(w, s.body[half:])
			}
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s.ended, s.endedAt = m.now(), time.Now()
	whole := s.body == "" || r.Method == http.MethodHead || b.lives == ""
	s.complete = err == nil && s.status != 0 && whole
	s.failed = b.lives == "refuses" || s.status >= 500 || !whole
	m.note("origin ends %s %s for %s: %d %s%s, complete %t, error %v", s.method, s.uri, s.visit.name(), s.status, s.marker, s.mark, s.complete, err)
	switch {
	case err != nil:
		return err
	case b.lives == "refuses":
		return caddyhttp.Error(http.StatusBadGateway, errRefused)
	case !whole && b.lives == "breaks":
		panic(http.ErrAbortHandler)
	}
	return nil
}

// answer makes the response, and the versions that a cache might store of it.
func (m *model) answer(s *said, b *behaviour, r *http.Request) {
	s.received = time.Now()
	s.status = b.status
	unsafe := r.Method != http.MethodGet && r.Method != http.MethodHead
	s.content = fmt.Sprint(r.URL.Path, " ", m.contents[r.URL.Path])
	if !unsafe {
		for _, name := range varyNames(b.fields) {
			s.content += "\x00" + name + "=" + strings.Join(r.Header[name], ", ")
		}
	}
	m.describe(s, b)
	if unsafe {
		s.marker = m.newMarker()
		s.header.Set("X-Marker", s.marker)
		if b.changes != "" {
			s.header.Set("Location", b.changes)
			s.header.Set("Content-Location", b.changes)
		}
		return
	}
	base := m.representation(s, b, r)
	if s.status == http.StatusOK {
		if old := m.named(r, s.content); old != nil {
			m.notModified(s, b, old)
			return
		}
	}
	s.marker = base.marker
	if base != s { // HEAD of what is known, or the one content of a corroborated page
		for _, name := range []string{"Etag", "Last-Modified"} {
			if lines := base.header[name]; lines != nil {
				s.header[name] = lines
			}
		}
	}
	s.body = modelBody(s.marker, s.status)
	if b.length && s.body != "" {
		s.header.Set("Content-Length", strconv.Itoa(len(s.body)))
	}
	if s.method == http.MethodHead {
		s.marker, s.mark = "", m.newMarker()
		s.header.Set("X-Update", s.mark)
		m.updateAgreeing(s)
	} else {
		s.header.Set("X-Marker", s.marker)
	}
	m.versions[s.marker] = append(m.versions[s.marker], &version{base: s, header: s.header.Clone()})
	m.cut(s, r)
}

// modelBody is the content with a marker: long enough for ranges.
func modelBody(marker string, status int) string {
	switch status {
	case http.StatusNoContent, http.StatusMovedPermanently:
		return ""
	}
	return marker + ":" + strings.Repeat("0123456789", 6) + marker
}

func (m *model) newMarker() string {
	m.serial++
	return "<" + strconv.Itoa(m.serial) + ">"
}

// representation is the response whose content this one has: itself, as a rule. It
// sets its validators.
func (m *model) representation(s *said, b *behaviour, r *http.Request) *said {
	shared := m.route.operator > 0 && !b.alone
	if r.Method == http.MethodHead || shared {
		for _, old := range slices.Backward(m.saids) {
			if old != s && old.method == http.MethodGet && old.content == s.content && old.status == s.status && old.body != "" {
				return old
			}
		}
	}
	s.marker = m.newMarker()
	if s.status == http.StatusOK || s.status == http.StatusNonAuthoritativeInfo || s.status == http.StatusNotFound {
		switch b.etag {
		case "strong":
			s.header.Set("Etag", `"`+s.marker+`"`)
		case "weak":
			s.header.Set("Etag", `W/"`+s.marker+`"`)
		}
		if b.dated {
			s.header.Set("Last-Modified", modelModified(m.serial))
		}
	}
	return s
}

// modelModified is a Last-Modified that only one response has.
func modelModified(serial int) string {
	return time.Date(1999, 12, 31, 0, 0, serial, 0, time.UTC).Format(http.TimeFormat)
}

// named is the response with this content that the request's conditions name, and
// which a 304 is about then (RFC 9110 §13.1.2, §13.1.3).
func (m *model) named(r *http.Request, content string) *said {
	for _, old := range slices.Backward(m.saids) {
		if old.marker != "" && old.method == http.MethodGet && old.content == content && old.status == http.StatusOK &&
			conditionNames(r.Header, old.header) {
			return old
		}
	}
	return nil
}

// conditionNames says whether If-None-Match or else If-Modified-Since is about
// exactly the response with these fields.
func conditionNames(request, response http.Header) bool {
	if tags := request["If-None-Match"]; tags != nil {
		tag := strings.TrimPrefix(response.Get("Etag"), "W/")
		return tag != "" && strings.Contains(tags[0], tag)
	}
	since := request.Get("If-Modified-Since")
	return since != "" && since == response.Get("Last-Modified")
}

func (m *model) notModified(s *said, b *behaviour, old *said) {
	s.status, s.marker, s.mark, s.validates = http.StatusNotModified, "", m.newMarker(), old.marker
	s.header.Set("X-Update", s.mark)
	for _, name := range []string{"Etag", "Last-Modified"} {
		delete(s.header, name)
		if lines := old.header[name]; lines != nil {
			s.header[name] = lines
		}
	}
	if b.terse {
		for _, name := range []string{"Cache-Control", "Expires", "Vary", "Date", "Cdn-Cache-Control", "Pragma"} {
			delete(s.header, name)
		}
	}
	m.update(s, old.marker)
}

// update adds what a 304 or a HEAD makes of each version that there is.
func (m *model) update(s *said, marker string) {
	for _, v := range slices.Clone(m.versions[marker]) {
		next := v.updated(s)
		known := slices.ContainsFunc(m.versions[marker], func(w *version) bool {
			return w.update == s && w.base == v.base && maps.EqualFunc(w.header, next.header, slices.Equal)
		})
		if !known {
			m.versions[marker] = append(m.versions[marker], next)
		}
	}
}

// updateAgreeing updates what a HEAD may be about (RFC 9111 §4.3.5): each response
// that has the validators and the length which it has, be it none.
func (m *model) updateAgreeing(s *said) {
	for marker, versions := range m.versions {
		base := versions[0].base
		if base.method != http.MethodGet || base.uri != s.uri || base.status != s.status {
			continue
		}
		agrees := s.header["Content-Length"] == nil || len(s.body) == len(base.body)
		for _, name := range []string{"Etag", "Last-Modified"} {
			agrees = agrees && (s.header[name] == nil || slices.Equal(s.header[name], base.header[name]))
		}
		if agrees {
			m.update(s, marker)
		}
	}
}

// describe sets the fields that caches look at.
func (m *model) describe(s *said, b *behaviour) {
	s.header = b.fields.Clone()
	s.header.Set("Content-Type", "text/plain")
	relative := func(name, text string, from time.Time) {
		if text == "" {
			return
		}
		if text[0] == '=' {
			text = text[1:]
		} else if n, err := strconv.Atoi(text); err == nil {
			text = from.Add(time.Duration(n) * time.Second).UTC().Format(http.TimeFormat)
		}
		s.header.Set(name, text)
	}
	relative("Date", b.date, s.received)
	relative("Expires", b.expires, s.received)
}

// cut makes the answer to a visitor's own request for a part one with that part.
func (m *model) cut(s *said, r *http.Request) {
	if s.status != http.StatusOK || r.Header.Get("Range") != "bytes=3-9" {
		return
	}
	s.header.Set("Content-Range", fmt.Sprintf("bytes 3-9/%d", len(s.body)))
	s.status, s.body = http.StatusPartialContent, s.body[3:10]
	if s.header["Content-Length"] != nil {
		s.header.Set("Content-Length", "7")
	}
}
