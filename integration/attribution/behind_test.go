package attribution

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
	"github.com/cacheward/cacheward/policies"
)

// TestBehindTLS: behind a proxy that is trusted and speaks https with the visitors, their
// cookie is that of https.
func TestBehindTLS(t *testing.T) {
	_, address, file := startApp(t)
	to := site{"last", "header"}
	e := startEdge(t, edge.SiteConfig{Origin: address, Servers: "\t\ttrusted_proxies static 127.0.0.1/8"}, to.route(beaconTo(address)...))
	proto := field{"X-Forwarded-Proto", "https"}
	for _, w := range []wire{{e.Address, "http", false}, {e.Address, "http", true}} {
		got, err := w.ask(message{method: http.MethodGet, host: to.host(), target: "/lp?ref=friend", fields: []field{proto}})
		if err != nil {
			t.Fatal(err)
		}
		set := got.carries()
		if len(set) != 1 || set[0].Name != policies.AttributionCookie || !set[0].Secure || !set[0].HttpOnly || set[0].Path != "/" || set[0].Domain != "" {
			t.Fatalf("%s: the cookies %v", w, set)
		}
		_, err = w.ask(message{
			method: http.MethodPost, host: to.host(), target: "/register", body: "member=" + strings.ReplaceAll(w.String(), " ", "-"),
			fields: []field{proto, {"Content-Type", "application/x-www-form-urlencoded"}, {"Cookie", set[0].Name + "=" + set[0].Value}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	members := rowsOf(t, file, rowSignUp)
	if len(members) != 2 || members[0].Values["ref"] != "friend" || members[1].Values["ref"] != "friend" {
		t.Errorf("the app has the members %+v", members)
	}
}

// TestHostSpelling: a site is one, however its visitors' browsers write its name.
func TestHostSpelling(t *testing.T) {
	s := newStage(t, "http")
	for _, w := range s.wires() {
		for _, spelling := range []func(host string) string{strings.ToUpper, func(host string) string { return host + ":80" }} {
			a := s.attacker(t, w, attackedSites[0])
			got := a.send(message{method: http.MethodGet, host: spelling(a.site.host()), target: a.page() + "?ref=" + a.mark})
			if set := got.carries(); len(set) == 1 {
				a.cookie = set[0].Value
			}
			a.signUp()
			a.wantMember(spelling("host"), map[string]string{"ref": a.mark})
		}
	}
}
