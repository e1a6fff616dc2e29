package attribution

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
	"github.com/cacheward/cacheward/policies"
)

// stage is what is attacked: an edge in front of an app that remembers all it is asked.
type stage struct {
	t    *testing.T
	app  *app
	file string // the app's database
	edge *edge.Site
	// scheme is the edge's, storage the folder in which it keeps its keys.
	scheme, storage string
}

// attackedSites are where the attackers go. The last asks for consent.
var attackedSites = []site{{"last", "header"}, {"last", "query"}, {"last", "form-cookie"}, {consent, "header"}}

// consent stands in the place of a model, in the host of the site that asks for it.
const consent = "consent"

func newStage(t *testing.T, scheme string) *stage {
	s := &stage{t: t, scheme: scheme}
	var address string
	s.app, address, s.file = startApp(t)
	var routes []string
	for _, site := range attackedSites {
		more := beaconTo(address)
		switch {
		case site.model == consent:
			more = append(more, `consent: {cookie: consent, matches: "*marketing*"}`)
		case site.as == string(policies.AsQuery):
			more = append(more, "encrypt: on")
		}
		routes = append(routes, strings.ReplaceAll(site.route(more...), "model: "+consent, "model: last"))
	}
	c := edge.SiteConfig{Origin: address}
	if scheme == "https" {
		c = withCertificate(t, c)
	}
	s.edge = startEdge(t, c, routes...)
	s.storage = filepath.Dir(s.edge.Log)
	return s
}

// wires are the ways to the edge.
func (s *stage) wires() []wire {
	return []wire{{s.edge.Address, s.scheme, false}, {s.edge.Address, s.scheme, true}}
}

// attacker is who attacks a site in one way. What they would have the app, or other
// visitors, believe has their mark in it.
type attacker struct {
	t    *testing.T
	s    *stage
	wire wire
	site site
	// name is in the path of everything that they ask for, mark in what should get nowhere.
	name, mark string
	// cookie is what the edge has given them.
	cookie string
	// kept says that their landing page was stored in the end.
	kept bool
	log  []string
}

var attackers atomic.Int64

func (s *stage) attacker(t *testing.T, w wire, to site) *attacker {
	n := attackers.Add(1)
	return &attacker{t: t, s: s, wire: w, site: to, name: fmt.Sprintf("c%d", n), mark: fmt.Sprintf("evil%dz", n)}
}

// page is a landing page that nobody else asks for; it shows what it can find of who does.
func (a *attacker) page() string { return "/lp/" + a.name }

// cookieName is that of the cookie that the edge reads on this wire.
func (a *attacker) cookieName() string {
	if a.wire.scheme == "https" {
		return policies.AttributionCookie
	}
	return policies.AttributionCookiePlain
}

// otherName is that of the cookie that it does not.
func (a *attacker) otherName() string {
	if a.wire.scheme == "https" {
		return policies.AttributionCookiePlain
	}
	return policies.AttributionCookie
}

// send asks, as a browser does but for what it is told. That a message is refused is
// an answer too, without a status.
func (a *attacker) send(m message) answer {
	if m.host == "" {
		m.host = a.site.host()
	}
	if !slices.ContainsFunc(m.fields, func(f field) bool { return strings.EqualFold(f.name, "User-Agent") }) {
		m.fields = append(m.fields, field{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"})
	}
	got, err := a.wire.ask(m)
	line := fmt.Sprintf("%+v: %d %v", m, got.status, err)
	if len(line) > 600 {
		line = line[:500] + "…" + line[len(line)-80:]
	}
	a.log = append(a.log, line)
	return got
}

// land asks for their landing page, and keeps the cookie that the edge gives them.
func (a *attacker) land(query string, fields ...field) answer {
	return a.visit(http.MethodGet, a.page(), query, fields...)
}

func (a *attacker) visit(method, path, query string, fields ...field) answer {
	if query != "" {
		path += "?" + query
	}
	if a.cookie != "" {
		fields = append(fields, field{"Cookie", a.cookieName() + "=" + a.cookie})
	}
	got := a.send(message{method: method, target: path, fields: fields})
	for _, c := range got.carries() {
		a.cookie = c.Value
		if c.Name != a.cookieName() {
			a.t.Errorf("the edge set the cookie %s by %s", c.Name, a.wire.scheme)
		}
	}
	return got
}

// honest lands as anybody does, with the attacker's mark for a code, and returns the cookie
// that the edge gave them.
func (a *attacker) honest() string {
	before := a.cookie
	a.cookie = ""
	a.visit(http.MethodGet, "/lp", "ref="+a.mark)
	got := a.cookie
	a.cookie = before
	if got == "" {
		a.t.Fatalf("%s, %s: an honest landing is not carried: %s", a.wire, a.site.host(), strings.Join(a.log, "\n"))
	}
	return got
}

// signUp sends the form, with the cookie that they have and these fields.
func (a *attacker) signUp(fields ...field) answer {
	if a.cookie != "" {
		fields = append(fields, field{"Cookie", a.cookieName() + "=" + a.cookie})
	}
	return a.post("", nil, fields...)
}

// post sends the form with nothing but these fields.
func (a *attacker) post(query string, trailer []field, fields ...field) answer {
	target := "/register/" + a.name
	if query != "" {
		target += "?" + query
	}
	fields = append([]field{{"Content-Type", "application/x-www-form-urlencoded"}}, fields...)
	return a.send(message{method: http.MethodPost, target: target, fields: fields, body: "member=" + a.name, trailer: trailer})
}

// members are the attacker's sign-ups, as the app has them.
func (a *attacker) members() []row {
	return find(rowsOf(a.t, a.s.file, rowSignUp), func(r row) bool { return r.Member == a.name })
}

// attributed says what the app was told with the attacker's sign-ups, if anything.
func (a *attacker) attributed() string {
	for _, s := range a.s.app.sightings(func(s sighting) bool { return strings.HasPrefix(s.uri, "/register/"+a.name) }) {
		if strings.Contains(s.uri, "?") {
			return "the app was asked for " + s.uri
		}
		for _, fields := range []http.Header{s.header, s.trailer} {
			for name, values := range fields {
				// An app of the kind of CGI takes _ for -.
				if strings.HasPrefix(strings.ToLower(strings.ReplaceAll(name, "_", "-")), strings.ToLower(policies.AttributionField)) {
					return fmt.Sprintf("the app was given %s: %q", name, values)
				}
				if strings.Contains(strings.Join(values, " "), a.mark) && name != "X-A" {
					return fmt.Sprintf("the app was given %s: %q", name, values)
				}
			}
		}
	}
	for _, m := range a.members() {
		for name, value := range m.Values {
			if name == "ref" || strings.HasPrefix(name, "utm_") || strings.Contains(value, a.mark) {
				return fmt.Sprintf("the app has %+v", m)
			}
		}
		if m.Landing != "" || m.Referer != "" {
			return fmt.Sprintf("the app has %+v", m)
		}
	}
	return ""
}

// stored says what others are shown of the attacker's on their landing page, if anything.
func (a *attacker) stored() string {
	for range 3 {
		got := a.send(message{method: http.MethodGet, target: a.page()})
		a.kept = got.hit()
		if got.status != http.StatusOK {
			return fmt.Sprintf("others are answered %d", got.status)
		}
		if len(got.cookies) > 0 {
			return fmt.Sprintf("others are given the cookies %v", got.cookies)
		}
		shown, err := url.QueryUnescape(fmt.Sprint(got.header, got.body))
		if err != nil {
			shown = fmt.Sprint(got.header, got.body)
		}
		if strings.Contains(shown, a.mark) {
			return "others are shown " + shown
		}
	}
	return ""
}
