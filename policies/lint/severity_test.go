package lint

import (
	"strings"
	"testing"
)

// TestSeverities holds how bad what is found is: where the operator's duration overrules
// the app, worse than where the app itself has said that the page may be shared.
func TestSeverities(t *testing.T) {
	for _, c := range []struct {
		name, route string
		want        string // rule and severity of all that is found, in order
	}{
		{"parameter, duration", "match: {paths: [/a]}\n    cache: 5m\n    params: {strip: [ref]}", "CW101 error"},
		{"parameter, origin", "match: {paths: [/a]}\n    cache: origin\n    params: {strip: [ref]}", "CW101 warning"},
		{"all parameters, duration", "match: {paths: [/a]}\n    cache: 5m\n    params: {others: strip}", "CW102 error"},
		{"all parameters, origin", "match: {paths: [/a]}\n    cache: origin\n    params: {others: strip}", "CW102 warning"},
		{"all other parameters, referrers thought of", "match: {paths: [/a]}\n    cache: 5m\n    params: {key: [ref], others: strip}", "CW102 warning"},
		{"all other parameters, referrers not thought of", "match: {paths: [/a]}\n    cache: 5m\n    params: {key: [page], others: strip}", "CW102 error"},
		{"all other parameters, referrers taken", "match: {paths: [/a]}\n    cache: 5m\n    params: {others: strip}\n    attribution: {params: [ref], carry: beacon, beacon: {url: 'http://localhost/'}}", "CW102 warning"},
		{"beacon, public host", "match: {paths: [/a]}\n    cache: 5m\n    attribution: {params: [ref], carry: beacon, beacon: {url: 'http://app.example/'}}", "CW110 warning"},
		{"beacon, own network", "match: {paths: [/a]}\n    cache: 5m\n    attribution: {params: [ref], carry: beacon, beacon: {url: 'http://10.0.0.7/'}}", "CW110 info"},
		{"cookie, duration", "match: {paths: [/a]}\n    cache: 5m\n    cookies: {strip: [lead]}", "CW103 error"},
		{"cookie, origin", "match: {paths: [/a]}\n    cache: origin\n    cookies: {strip: [lead]}", "CW103 warning"},
		{"landing, duration", "match: {paths: [/lp]}\n    cache: 5m", "CW104 warning"},
		{"landing, origin", "match: {paths: [/lp]}\n    cache: origin", "CW104 info"},
		{"landing, once", "match: {paths: [/lp]}\n    cache: 5m\n    admission: {rule: once, reason: r}\n    headers: {strip: [Referer]}", "CW105 error"},
		{"state, duration", "match: {paths: [/login, /a, /cart]}\n    cache: 5m", "CW201 error, CW201 error"},
		{"state, origin", "match: {paths: [/login]}\n    cache: origin", "CW201 warning"},
		{"session, origin", "match: {paths: [/a]}\n    cache: origin\n    cookies: {strip: [PHPSESSID]}", "CW206 error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := Load("p.yaml", []byte("identity: {cookies: [me]}\nroutes:\n  - name: r\n    "+c.route))
			var got []string
			for _, f := range Run(u, func(r Rule) bool { return r.Family() == "attribution" || r.Family() == "state" }) {
				got = append(got, f.Rule+" "+string(f.Severity))
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("got %v, want %s; faults %v", got, c.want, u.Faults)
			}
		})
	}
}

// TestStatePathExample holds that the counterexample is about the path of the finding.
func TestStatePathExample(t *testing.T) {
	u := Load("p.yaml", []byte("routes:\n  - name: r\n    match: {paths: [/login, /cart/*]}\n    cache: 5m\n    cookies: {others: strip}"))
	found := Run(u, func(r Rule) bool { return r.ID == "CW201" })
	if len(found) != 2 {
		t.Fatalf("%d findings", len(found))
	}
	for i, want := range []string{"https://example.com/login", "https://example.com/cart/page"} {
		if two := found[i].Counterexample; len(two) != 2 || two[0].URL != want || two[1].URL != want {
			t.Errorf("%s: %+v", want, two)
		}
	}
}
