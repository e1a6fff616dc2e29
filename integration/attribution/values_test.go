package attribution

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/policies"
)

// TestValues: what is odd and harmless arrives as it was, as one value of one name,
// whatever it looks like where it is delivered.
func TestValues(t *testing.T) {
	s := newStage(t, "http")
	for _, tt := range []struct {
		name, query string
		want        map[string]string
	}{
		{"plain", "ref=MARK", map[string]string{"ref": "MARK"}},
		{"another parameter in it", "ref=MARK%26utm_source%3Dx", map[string]string{"ref": "MARK&utm_source=x"}},
		{"a cookie in it", "ref=MARK%3B%20session%3Dx", map[string]string{"ref": "MARK; session=x"}},
		{"a list in it", "ref=MARK%2C%20x", map[string]string{"ref": "MARK, x"}},
		{"signs", "ref=MARK%2Bx+y%3D%22%5C%27%3Cb%3E", map[string]string{"ref": `MARK+x y="\'<b>`}},
		{"escaped twice", "ref=MARK%2526%253Bx", map[string]string{"ref": "MARK%26%3Bx"}},
		{"no ASCII", "ref=MARK%E6%97%A5%F0%9F%8E%81", map[string]string{"ref": "MARK日🎁"}},
		{"256 bytes", "ref=MARK" + strings.Repeat("x", 240), map[string]string{"ref": "MARK" + strings.Repeat("x", 240)}},
		{"twice", "ref=MARK&ref=x", map[string]string{"ref": "MARK"}},
		{"an escaped name", "%72ef=MARK", map[string]string{"ref": "MARK"}},
		{"several", "ref=MARK&utm_source=a&utm_medium=b", map[string]string{"ref": "MARK", "utm_source": "a", "utm_medium": "b"}},
		{"a fragment", "ref=MARK%23x%3Fy%2F..%2F", map[string]string{"ref": "MARK#x?y/../"}},
		{"a slash and a colon", "utm_source=https://MARK/x", map[string]string{"utm_source": "https://MARK/x"}},
	} {
		for _, w := range s.wires() {
			for _, to := range attackedSites[:3] {
				a := s.attacker(t, w, to)
				a.land(strings.ReplaceAll(tt.query, "MARK", a.mark))
				a.signUp()
				want := map[string]string{}
				for name, value := range tt.want {
					want[name] = strings.ReplaceAll(value, "MARK", a.mark)
				}
				a.wantMember(tt.name, want)
				if found := a.stored(); found != "" {
					t.Errorf("%s, %s, %s: %s", tt.name, w, to.host(), found)
				}
			}
		}
	}
	for _, fault := range rowsOf(t, s.file, rowFault) {
		t.Errorf("the app: %s", fault.Text)
	}
}

// wantMember: the attacker is a member, once, with these values and no others.
func (a *attacker) wantMember(name string, want map[string]string) {
	a.t.Helper()
	members := a.members()
	if len(members) != 1 {
		a.t.Errorf("%s, %s, %s: the members %+v\n  %s", name, a.wire, a.site.host(), members, strings.Join(a.log, "\n  "))
		return
	}
	got := maps.Clone(members[0].Values)
	if a.site.as == string(policies.AsCookie) {
		// An app that has set them reads them as it has written them: as they are, or
		// escaped where they could not be.
		for name, value := range got {
			if plain, err := url.PathUnescape(value); err == nil && plain == want[name] {
				got[name] = plain
			}
		}
	}
	if !maps.Equal(got, want) {
		a.t.Errorf("%s, %s, %s: the app has %q, want %q\n  %s", name, a.wire, a.site.host(), got, want, strings.Join(a.log, "\n  "))
	}
}

// TestOwnCounts: who has something of their own to deliver has that delivered, beside
// whatever they would have the app believe.
func TestOwnCounts(t *testing.T) {
	s := newStage(t, "http")
	for _, w := range s.wires() {
		for _, to := range attackedSites[:3] {
			for _, beside := range [][]field{
				{{policies.AttributionField, "ref=forged"}, {"cacheward_attribution", "ref=forged"}},
				{{"Connection", "close, cacheward-attribution"}, {policies.AttributionField, "ref=forged"}},
				{{"Connection", "cacheward-attribution, cacheward-attribution-landing"}},
				{{"Connection", "Cookie, close"}},
				{{"Cookie", "ref=forged; utm_source=forged"}},
				{{"Cookie", "ref=forged"}, {"Cookie", "ref=forged"}},
			} {
				connection, cookies := beside[0].name == "Connection", beside[0].name == "Cookie"
				if connection && w.h2 || cookies && to.as != string(policies.AsCookie) {
					continue // an error of its own there, or nothing that is read
				}
				a := s.attacker(t, w, to)
				a.land("ref=" + a.mark)
				a.signUp(beside...)
				want := map[string]string{"ref": a.mark}
				if m := a.members(); len(m) == 1 && m[0].Values["utm_source"] == "forged" {
					want["utm_source"] = "forged" // said nothing of by their landing: their own cookie
				}
				a.wantMember(beside[0].name, want)
			}
		}
	}
}

// TestSealed: what is made with the edge's keys is believed, also after it has been killed.
// It is what the tests with other keys, and of other times, are the opposite of.
func TestSealed(t *testing.T) {
	s := newStage(t, "https")
	for range 2 {
		for _, w := range s.wires() {
			for _, to := range attackedSites[:3] {
				a := s.attacker(t, w, to)
				a.honest() // who has no keys yet makes them now
				a.cookie = a.seal(s.storage, time.Now().Add(time.Hour))
				a.signUp()
				a.wantMember("sealed", map[string]string{"ref": a.mark})
			}
		}
		s.edge.Kill(t)
		s.edge.Restart(t)
	}
}

// TestReferer: another site that linked here is told as far as the route has it, and
// nothing else of what it says.
func TestReferer(t *testing.T) {
	s := newStage(t, "http")
	for _, tt := range []struct{ referer, want string }{
		{"https://MARK.example/posts/7?q=x#y", "MARK.example"},
		{"http://MARK.example:8080/", "MARK.example"},
		{"https://user:secret@MARK.example/", "MARK.example"},
		{"https://MARK.Example/", "MARK.example"},
		{"https://HOST.MARK.example/", "HOST.MARK.example"},
	} {
		for _, w := range s.wires() {
			a := s.attacker(t, w, attackedSites[0])
			fill := strings.NewReplacer("MARK", a.mark, "HOST", a.site.host())
			a.land("", field{"Referer", fill.Replace(tt.referer)})
			a.signUp()
			members := a.members()
			got := ""
			if len(members) == 1 {
				got, _, _ = strings.Cut(members[0].Referer, ":") // its port may be told
			}
			if got != fill.Replace(tt.want) || len(members[0].Values) > 0 {
				t.Errorf("%s, %s: %+v", w, tt.referer, members)
			}
			if told := a.s.app.sightings(func(s sighting) bool {
				return strings.Contains(strings.Join(slices.Concat(s.header[policies.AttributionRefererField]), ""), "secret")
			}); len(told) > 0 {
				t.Errorf("the app was told %+v", told)
			}
		}
	}
}

// TestColdPage: visitors with a code each, who all come at once to a page of which
// nothing is stored, are given one page, and a cookie each.
func TestColdPage(t *testing.T) {
	const visitors = 24
	s := newStage(t, "http")
	for round := range 3 {
		for _, to := range attackedSites[:3] {
			page := "/lp/" + strings.Repeat("x", round+1)
			a := make([]*attacker, visitors)
			landed := make(chan answer, visitors)
			start := make(chan struct{})
			for i := range a {
				a[i] = s.attacker(t, s.wires()[i%2], to)
				go func() {
					<-start
					landed <- a[i].visit(http.MethodGet, page, "ref="+a[i].mark)
				}()
			}
			close(start)
			bodies := map[string]int{}
			for range a {
				got := <-landed
				bodies[got.body]++
				if len(got.carries()) != 1 || !got.private() {
					t.Errorf("a landing: %v", got.header)
				}
			}
			if len(bodies) != 1 {
				t.Errorf("visitors were shown different pages: %v", bodies)
			}
			for _, a := range a {
				a.signUp()
				a.wantMember("all at once", map[string]string{"ref": a.mark})
			}
			asked := s.app.sightings(func(s sighting) bool { return s.host == to.host() && strings.HasPrefix(s.uri, page) })
			if len(asked) > visitors/2 {
				t.Errorf("the app was asked %d times for the page of %d visitors", len(asked), visitors)
			}
		}
	}
}
