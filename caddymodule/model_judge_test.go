package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// modelVisit is a visitor's request and what they were given.
type modelVisit struct {
	id, step       int
	method, target string
	uri            string
	header         http.Header
	demands        demands
	after          time.Duration // in its step
	began, ended   int
	start, end     time.Time

	status int
	answer http.Header
	body   string
	err    error
}

// demands are a request's directives (RFC 9111 §5.2.1), as a person reads them.
type demands struct {
	noCache, noStore, onlyIfCached bool
	maxAge, minFresh, maxStale     *time.Duration
}

func (v *modelVisit) name() string {
	if v == nil {
		return "a fill"
	}
	return fmt.Sprint("visit ", v.id)
}

// own says whether the visitor can be given nothing but the answer to their own
// request: it has what is no part of the key and may not be left out.
func (m *model) own(v *modelVisit) bool {
	if v.method != http.MethodGet && v.method != http.MethodHead || v.demands.noStore {
		return true
	}
	if !m.route.plain9111 && (v.header["Authorization"] != nil || v.header["Cookie"] != nil) {
		return true
	}
	return !m.route.queryKeyed && strings.Contains(v.uri, "?")
}

// whole says whether a fill is the visitor's own request, nothing left out.
func (m *model) whole(v *modelVisit) bool {
	for _, name := range []string{"Cookie", "Range", "If-None-Match", "If-Modified-Since"} {
		if v.header[name] != nil {
			return false
		}
	}
	return m.route.plain9111 && !strings.Contains(v.target, "utm")
}

// failed says whether the origin failed for the URI while the visitor was there, and
// with that a moment for which ok holds.
func (m *model) failed(v *modelVisit, ok func(at time.Time) bool) bool {
	return slices.ContainsFunc(m.saids, func(s *said) bool {
		at := s.endedAt
		if s.status >= 500 {
			at = s.received
		}
		return s.failed && s.uri == v.uri && s.began < v.ended && m.meanwhile(s, v) && ok(at)
	})
}

// meanwhile says whether the origin ended the response after the visitor had come.
// Within a step, what happens at one moment may be in either order.
func (m *model) meanwhile(s *said, v *modelVisit) bool {
	return s.ended == 0 || s.ended > v.began || (s.step == v.step || v.after > 0) && !s.endedAt.Before(v.start)
}

// sentValue is the header as it is sent to the origin, in a form in which equal
// values are equal (RFC 9111 §4.1).
func (m *model) sentValue(h http.Header, name string) string {
	if !slices.Contains(m.route.variesOn, name) || h[name] == nil {
		return "absent"
	}
	value := strings.Join(h[name], ",")
	if name == "Accept-Language" {
		value = strings.ToLower(strings.ReplaceAll(value, " ", ""))
	}
	return "=" + strings.TrimSpace(value)
}

// mayReuse is why the visitor may not be given the version as a stored response
// (RFC 9111 §4), or "" and what kind of reuse it is.
func (m *model) mayReuse(v *modelVisit, ver *version) (forbidden, kind string) {
	s := ver.source()
	switch {
	case ver.base.visit != nil || s.visit != nil:
		return "is the answer to another visitor's own request", ""
	case ver.base.method != http.MethodGet:
		return "is the answer to a HEAD", ""
	case ver.base.ended == 0 || ver.base.ended > v.ended || s.ended == 0 || s.ended > v.ended:
		return "was not complete", ""
	case !m.shareable(ver):
		return "is not to be shared", ""
	case s.uri != v.uri:
		return "is about another URI", ""
	case m.invalidated(v, s):
		return "had been invalidated", ""
	case m.revoked(v, ver):
		return "had lost the permission in a validation", ""
	case m.route.operator > 0 && !m.corroborated(v, ver.base):
		return "had not been corroborated", ""
	}
	for _, name := range append(varyNames(ver.header), m.route.keysOn...) {
		if name != "Host" && m.sentValue(v.header, name) != m.sentValue(s.sent, name) {
			return "was chosen by another " + name, ""
		}
	}
	return m.freshEnough(v, ver)
}

// freshEnough is RFC 9111 §4.2 and §5.2, and RFC 5861.
func (m *model) freshEnough(v *modelVisit, ver *version) (forbidden, kind string) {
	s := ver.source()
	now := v.start
	if s.received.After(now) {
		now = s.received
	}
	if m.route.operator == 0 && (m.controls(ver.header).noCache || m.lifetime(ver) <= 0) {
		return "is to be validated each time", ""
	}
	d := v.demands
	if m.route.operator > 0 {
		d = demands{}
	}
	left := m.left(ver, now)
	forced := d.noCache || d.maxAge != nil && m.age(ver, now) > *d.maxAge || d.minFresh != nil && left < *d.minFresh
	forced = forced && !m.meanwhile(s, v)
	revalidating, onError, onDemand := m.staleWindows(ver)
	switch {
	case !forced && left > 0:
		return "", "fresh"
	case !forced && -left < revalidating:
		return "", "stale while revalidated"
	case !forced && onDemand && d.maxStale != nil && -left <= *d.maxStale:
		return "", "stale on demand"
	case !d.noCache && m.failed(v, func(at time.Time) bool { return -m.left(ver, at) < onError }):
		return "", "stale on error"
	}
	return fmt.Sprintf("has a lifetime of %s of which %s is left, forced %t", m.lifetime(ver), left, forced), ""
}

// invalidated is RFC 9111 §4.4: an unsafe request that succeeded, and was over
// before the visitor came, after the response had been asked for.
func (m *model) invalidated(v *modelVisit, s *said) bool {
	return slices.ContainsFunc(m.saids, func(u *said) bool {
		if u.visit == nil || u.method == http.MethodGet || u.method == http.MethodHead || u.status < 200 || u.status >= 400 {
			return false
		}
		over := u.visit.ended != 0 && u.visit.ended < v.began && s.began < u.began
		return over && (u.uri == v.uri || u.header.Get("Location") == v.uri)
	})
}

// revoked says whether a 304 about the response has forbidden to share it since.
func (m *model) revoked(v *modelVisit, ver *version) bool {
	return slices.ContainsFunc(m.versions[ver.base.marker], func(later *version) bool {
		u := later.update
		return u != nil && u.visit == nil && u.status == http.StatusNotModified && u.step < v.step && u.ended != 0 && u.ended < v.began &&
			u.began > ver.source().began && later.base == ver.base && !m.shareable(later)
	})
}

// corroborated says whether two answers of the origin were this one.
func (m *model) corroborated(v *modelVisit, base *said) bool {
	return slices.ContainsFunc(m.saids, func(s *said) bool {
		return s != base && s.marker == base.marker && s.status == base.status && s.complete && s.ended < v.ended
	})
}

// caused says whether the version is what the visitor's own fill came to: they are
// given it if it may be shared, or if it is their own request's answer anyway.
func (m *model) caused(v *modelVisit, ver *version) bool {
	s := ver.source()
	if s.visit != nil || s.began < v.began || s.began > v.ended || s.uri != v.uri || m.route.operator > 0 ||
		ver.update == nil && s.method != v.method {
		return false
	}
	for _, name := range m.route.variesOn {
		if m.sentValue(v.header, name) != m.sentValue(s.sent, name) {
			return false
		}
	}
	return m.whole(v) && ver.update == nil || m.sharableHead(ver)
}

// sharableHead is shareable as far as it shows before the body.
func (m *model) sharableHead(ver *version) bool {
	base := *ver.base
	base.complete = true
	return m.shareable(&version{base: &base, update: ver.update, header: ver.header})
}

// judge says what is wrong with an answer. Fills are those that a visitor was given
// because they had caused them, which nobody else can have.
func (m *model) judge(v *modelVisit, fills map[*said][]*modelVisit) (wrong []string, kinds []string) {
	if v.err != nil {
		return m.judgeError(v)
	}
	for _, s := range m.saids {
		if s.visit != v {
			continue
		}
		if v.demands.onlyIfCached && !m.own(v) {
			return []string{"asked the origin although only what is stored was wanted"}, nil
		}
		if s.marker == v.answer.Get("X-Marker") && s.mark == v.answer.Get("X-Update") && s.status == v.status {
			return m.judgeOwn(v, s)
		}
	}
	if m.own(v) {
		return []string{"is not the answer to the visitor's own request, which it had to be"}, nil
	}
	var caused *version
	for _, ver := range m.versions[v.answer.Get("X-Marker")] {
		if ver.source().mark != v.answer.Get("X-Update") {
			continue
		}
		forbidden, kind := m.mayReuse(v, ver)
		if forbidden == "" {
			forbidden = m.misrepresents(v, ver, true)
		}
		if forbidden == "" {
			return nil, append(m.kinds(v, ver), kind)
		}
		wrong = append(wrong, fmt.Sprintf("%s%s %s", ver.base.marker, ver.source().mark, forbidden))
		if m.caused(v, ver) {
			if forbidden = m.misrepresents(v, ver, false); forbidden == "" {
				caused = ver
			} else {
				wrong = append(wrong, "as a fill: "+forbidden)
			}
		}
	}
	if caused != nil {
		fills[caused.source()] = append(fills[caused.source()], v)
		return nil, append(m.kinds(v, caused), "fill")
	}
	if wrong == nil {
		wrong = []string{"comes from nowhere"}
	}
	return wrong, nil
}

// kinds are for the count of what has happened.
func (m *model) kinds(v *modelVisit, ver *version) []string {
	kinds := []string{strconv.Itoa(v.status)}
	if u := ver.update; u != nil && u.status == http.StatusNotModified && u.began > v.began {
		kinds = append(kinds, "revalidated")
	}
	if strings.Contains(v.answer.Get("Cache-Status"), "collapsed") {
		kinds = append(kinds, "collapsed")
	}
	if len(varyNames(ver.header)) > 0 {
		kinds = append(kinds, "variant")
	}
	if strings.HasPrefix(v.answer.Get("Content-Type"), "multipart/") {
		kinds = append(kinds, "several ranges")
	}
	return kinds
}

func (m *model) judgeError(v *modelVisit) (wrong []string, kinds []string) {
	if he, ok := errors.AsType[caddyhttp.HandlerError](v.err); ok && he.StatusCode == http.StatusGatewayTimeout && v.demands.onlyIfCached {
		return nil, []string{"only if cached"}
	}
	if !m.failed(v, func(time.Time) bool { return true }) {
		return []string{fmt.Sprintf("is the error %v although the origin did not fail", v.err)}, nil
	}
	return nil, []string{"error"}
}

// judgeOwn is for the answer to the visitor's own request.
func (m *model) judgeOwn(v *modelVisit, s *said) (wrong []string, kinds []string) {
	body := s.body
	if !s.complete {
		body = body[:len(body)/2]
	}
	if v.method == http.MethodHead {
		body = ""
	}
	if v.body != body {
		wrong = append(wrong, fmt.Sprintf("has the body %q, not %q", v.body, body))
	}
	if !forbidden(v.answer) && (!m.route.relay || !relayed(v.answer, s.header)) {
		wrong = append(wrong, fmt.Sprintf("permits %q", v.answer["Cache-Control"]))
	}
	if m.own(v) {
		return wrong, []string{"own"}
	}
	return wrong, []string{"refused"}
}
