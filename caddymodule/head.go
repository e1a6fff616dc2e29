package caddymodule

import (
	"net/http"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// layHead puts the object's fields, and those that are made for each who is given it, into
// the header of the answer.
func (x *exchange) layHead(o *store.Object, now time.Time) {
	h, d, profile := x.w.Header(), x.rule.Downstream, x.rule.Profile
	ttl, age := o.TTL(now), o.Age(now)
	personal := httpcache.HasPerVisitor(h) // set by a handler above; the object has none
	forbids := d == nil || personal || o.Aged || remade(x.w)
	relays := x.rule.Relay && !forbids
	if !relays {
		httpcache.ClearCaching(h)
	}
	lines := copyFields(h, o.Header, relays, maxMade)

	m := made{text: x.text[:0]}
	m.text = strconv.AppendInt(m.text, int64(age/time.Second), 10)
	m.end("Age")
	permission := httpcache.Permission{}
	if !forbids && x.outcome != OutcomeStale && ttl > 0 && !o.NoCache {
		permission = gate.PermissionOf(d, ttl, age)
	}
	permission.NoTransform = o.NoTransform
	switch {
	case relays:
		httpcache.RelayStored(h, o.Control.Header())
		if o.NoTransform {
			httpcache.ForbidTransform(h)
		}
	case !permission.Permits(profile):
		m.forbid(h, permission, profile)
	case !httpcache.TellTags(h, profile):
		m.forbid(h, permission, profile)
		x.reasons = []policies.Reason{policies.ReasonDownstreamTags}
	default:
		m.permit(permission, profile)
	}
	m.text = x.servedStatus(ttl).AppendText(m.text)
	m.end("Cache-Status")
	m.text = strconv.AppendInt(m.text, int64(len(o.Body)), 10)
	x.length, x.text = m.put(h, lines), m.text
}

// made are the fields that are made for one answer. They are written one behind the other
// into one text, so that they take one allocation and not one each.
type made struct {
	text  []byte
	names [maxMade]string
	ends  [maxMade]int
	n     int
}

// maxMade is how many there can be: Age, Cache-Control and the field of a CDN, Cache-Status,
// Content-Length.
const maxMade = 5

// end ends a field.
func (m *made) end(name string) {
	m.names[m.n], m.ends[m.n] = name, len(m.text)
	m.n++
}

// forbid has caches further on keep the answer to themselves: not at all. The header has no
// field that governs caching.
func (m *made) forbid(h http.Header, p httpcache.Permission, to *policies.Profile) {
	m.text = p.AppendTransform(append(m.text, httpcache.Forbidden...))
	m.end("Cache-Control")
	if to.Refuse.Name != "" {
		m.text = append(m.text, to.Refuse.Value...)
		m.end(to.Refuse.Name)
	}
	httpcache.ForbidPages(h, to)
}

// permit tells caches further on what they may do.
func (m *made) permit(p httpcache.Permission, to *policies.Profile) {
	text, end, share := p.Append(m.text, to)
	m.text = text[:end]
	m.end("Cache-Control")
	if m.text = text; share != "" {
		m.end(share)
	}
}

// put puts the fields into h, each with a line of its own in the room behind lines, and
// returns the text behind the last of them as another line.
func (m *made) put(h http.Header, lines []string) (rest []string) {
	text, from := string(m.text), 0
	for i, name := range m.names[:m.n] {
		lines = append(lines, text[from:m.ends[i]])
		from = m.ends[i]
		line := lines[len(lines)-1 : len(lines) : len(lines)]
		if have := h[name]; have != nil && name == "Cache-Status" { // a list over its lines
			line = append(have[:len(have):len(have)], line...)
		}
		h[name] = line
	}
	return append(lines, text[from:])[len(lines) : len(lines)+1 : len(lines)+1]
}

// servedStatus is what RFC 9211 has for a stored response.
func (x *exchange) servedStatus(ttl time.Duration) httpcache.Status {
	s := httpcache.Status{TTL: ttl, HasTTL: true}
	switch x.outcome {
	case OutcomeCollapsed:
		s.Fwd, s.Collapsed = x.forward(), true
	case OutcomeFill:
		s.Fwd, s.FwdStatus, s.Stored = x.forward(), x.object.Status, true
	case OutcomeRevalidated:
		s.Fwd, s.FwdStatus = x.forward(), http.StatusNotModified
	default:
		s.Hit = true
	}
	return s
}

// remade says whether a handler above holds the answer back to make another one of
// it, as templates and intercept do: perhaps one for this visitor alone.
func remade(w http.ResponseWriter) bool {
	for {
		if rec, ok := w.(caddyhttp.ResponseRecorder); ok && rec.Buffer() != nil {
			return true
		}
		outer, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = outer.Unwrap()
	}
}

// copyFields adds an object's fields to those that handlers above have set, without those
// that govern caching unless governs says so. The lines are copied: handlers above write
// into theirs (header does where it replaces), the object's are everybody's. They are
// returned, with room for some more.
func copyFields(outer http.Header, stored store.Fields, governs bool, more int) []string {
	lines := make([]string, 0, stored.Len()+more)
	var name string
	var have []string // what handlers above have set under the name, and the lines added to it
	begin, skips := 0, false
	for next, value := range stored.All() {
		if next != name {
			name, begin = next, len(lines)
			have, skips = outer[name], !governs && httpcache.Governs(name)
			if name == "Server" {
				have = nil // the origin's replaces Caddy's, as with reverse_proxy
			}
		}
		switch {
		case skips:
		case have != nil:
			have = append(have[:len(have):len(have)], value)
			outer[name] = have
		default:
			lines = append(lines, value)
			outer[name] = lines[begin:len(lines):len(lines)]
		}
	}
	return lines
}
