package attacks

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// credentialFields are what a visitor may be known by. %s is the visitor.
var credentialFields = []string{
	"Authorization: Basic %s", "Authorization: Bearer %s", "authorization: %s", "Authorization: Digest username=%s, nonce=", "Authorization: ,%s",
	"Proxy-Authorization: Basic %s", "Cookie: session=%s", "Cookie: track=1; session=%s", "Cookie: %s", "Cookie: =%s", "Cookie: track; sid=%s",
	"X-Api-Key: %s", "X-Auth-Token: %s", "X-Auth-Request-User: %s", "X-Forwarded-User: %s", "X-Forwarded-Email: %s@mail.example", "Remote-User: %s",
	"X-Remote-User: %s", "X-Forwarded-Client-Cert: Subject=%s", "X-User-Id: %s", "Cf-Access-Jwt-Assertion: %s", "X-Amzn-Oidc-Identity: %s", "DPoP: %s",
}

// memberPage is what an app makes for whom it knows, and for everybody else. It permits
// both to be shared, as a rule of a web server has it for all that it sends.
func memberPage(q asked) script {
	s := script{fields: []string{permitted, htmlType}, body: "<h1>Please sign in</h1>"}
	for name, lines := range q.header {
		for _, line := range lines {
			if _, who, found := strings.Cut(line, "member-"); found {
				s.body = fmt.Sprintf("<h1>Hello member-%s, by %s</h1><p>§</p>", who[:1], name)
			}
		}
	}
	return s
}

// Members get their own pages and nobody else does; everybody else gets the page for
// everybody, and members do not.
func testCredentials(t *testing.T, w *ward) {
	for _, field := range credentialFields {
		w.each(t, field, memberPage, everywhere, func(t *testing.T, path string) {
			var answers []*answered
			for n := range 12 {
				v := visitor(n, path)
				want := "<h1>Please sign in</h1>"
				if member := n / 2 % 3; member > 0 {
					who := fmt.Sprintf("member-%d", member)
					line := fmt.Sprintf(field, who)
					v.fields = append([]string{line}, v.fields[:3]...) // without the cookie
					name, _, _ := strings.Cut(line, ":")
					if name != "Proxy-Authorization" { // it goes no further (RFC 9110 §11.7.2)
						want = fmt.Sprintf("<h1>Hello %s, by %s</h1>", who, http.CanonicalHeaderKey(name))
					}
				}
				a := w.client.ask(v)
				answers = append(answers, a)
				if a.broken != nil || a.status != http.StatusOK {
					t.Errorf("%s: %s", denial, a)
				} else if !strings.HasPrefix(a.content(), want) {
					t.Errorf("%s: want %s: %s", leak, want, a)
				}
			}
			report(t, shared(answers))
		})
	}
}

// A member who comes while the page for everybody is stored, and one who has signed out
// since, get what the app says now.
func testSigningInAndOut(t *testing.T, w *ward) {
	w.each(t, "session", memberPage, []string{onDuration, onTrusted, onOrigin, onPlain}, func(t *testing.T, path string) {
		for range 3 {
			w.settle(t, path)
			member := call{target: path, fields: []string{"Cookie: session=member-1"}}
			if a := w.client.ask(member); !strings.Contains(a.content(), "Hello member-1") {
				t.Errorf("%s: a member was given the page for everybody: %s", leak, a)
			}
			if a := w.client.ask(visitor(1, path)); strings.Contains(a.content(), "Hello") {
				t.Errorf("%s: a member's page was given to somebody who is none: %s", leak, a)
			}
		}
	})
}
