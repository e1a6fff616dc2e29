package inquiry

import (
	"regexp"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/policies"
)

func TestAdvice(t *testing.T) {
	for _, tt := range []struct {
		code  string
		entry reading.Entry
		want  string // a part of it
	}{
		{"cookie-bypass", reading.Entry{Detail: "cookie ab_test"}, "`cookie strip ab_test`"},
		{"cookie-bypass", reading.Entry{Detail: "ab_test"}, "`cookie key ab_test`"},
		{"cookie-bypass", reading.Entry{Detail: "cookie _ga"}, "`cookie strip @analytics`"},
		{"cookie-bypass", reading.Entry{Detail: "cookie PHPSESSID"}, "No line of the policy"},
		{"cookie-bypass", reading.Entry{Detail: "cookie lead_*"}, "`cookie strip NAME`"},
		{"cookie-bypass", reading.Entry{Detail: "cookie *"}, "`cookie strip NAME`"},
		{"cookie-bypass", reading.Entry{Detail: "cookie a\"b"}, "`cookie strip NAME`"},
		{"cookie-bypass", reading.Entry{Detail: "param ab"}, "`cookie strip NAME`"},
		{"param-bypass", reading.Entry{Detail: "param page"}, "`param key page`"},
		{"param-bypass", reading.Entry{URL: "https://a.example/x?page=h:012345678901"}, "`param strip page`"},
		{"param-bypass", reading.Entry{URL: "https://a.example/x?page=1&q=2"}, "`param key NAME`"},
		{"param-bypass", reading.Entry{Detail: "param gclid"}, "@analytics"},
		{"header-bypass", reading.Entry{Detail: "header X-Preview"}, "`header strip X-Preview`"},
		{"header-bypass", reading.Entry{Detail: "header X-Auth-Token"}, "No line of the policy"},
		{"status", reading.Entry{Status: 404}, "`status 404 10s`"},
		{"status", reading.Entry{Status: 500}, "No line of the policy"},
		{"host-unknown", reading.Entry{Host: "www.a.example"}, "`host www.a.example`"},
		{"identity", reading.Entry{Detail: "cookie session"}, "No line of the policy"},
		{"clock", reading.Entry{Divergence: &reading.Divergence{Class: "clock", Part: "body", Near: "$.server_time"}}, "json $.server_time`"},
		{"clock", reading.Entry{Divergence: &reading.Divergence{Class: "clock", Part: "body", Near: "time datetime"}}, `html "time datetime"`},
		{"clock", reading.Entry{Divergence: &reading.Divergence{Class: "clock", Part: "body", Near: "$.session_id"}}, "PLACE"},
		{"clock", reading.Entry{Divergence: &reading.Divergence{Class: "clock", Part: "body", Near: "$.items[*].*"}}, "PLACE"},
		{"divergent", reading.Entry{Divergence: &reading.Divergence{Class: "clock", Part: "header", Field: "X-Made-At"}}, "header X-Made-At`"},
		{"token", reading.Entry{Divergence: &reading.Divergence{Class: "token"}}, "No line of the policy"},
		{"reflected-input", reading.Entry{Divergence: &reading.Divergence{Class: "reflected-input", Input: "param ref"}}, "`param key ref`"},
		{"reflected-input", reading.Entry{Divergence: &reading.Divergence{Class: "reflected-input", Input: "cookie lead"}}, "No line of the policy"},
		{"reflects-input", reading.Entry{Findings: []reading.Finding{{Kind: "reflection", Input: "address"}}}, "No line of the policy"},
		{"state-in-body", reading.Entry{Findings: []reading.Finding{{Kind: "marker", Detector: "jwt"}}}, "admission corroborated"},
		{"no such reason", reading.Entry{}, ""},
	} {
		got := Advice(tt.code, &tt.entry)
		if !strings.Contains(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%s, %s: %q; want %q in it", tt.code, placeOf(tt.code, &tt.entry), got, tt.want)
		}
	}
}

var line = regexp.MustCompile("`([^`]+)`")

// Whatever a record tells, no cookie or header is to be stripped that by its name is one
// visitor's, and nothing of a record makes a line mean more than the one name.
func TestAdviceIsSafe(t *testing.T) {
	names := []string{
		"session", "PHPSESSID", "_csrf", "auth_token", "remember_me", "user-id", "sid", "login", "cart", "*", "ab*", "@analytics", "a b",
		"a\nb", "{", "\"", "`", "%0a", "-", "",
	}
	codes := []string{}
	for _, reason := range policies.AllReasons() {
		codes = append(codes, reason.String())
	}
	for _, class := range policies.AllClasses() {
		codes = append(codes, string(class.Class))
	}
	for _, code := range codes {
		for _, name := range names {
			for _, kind := range []string{"", "cookie ", "header ", "param "} {
				e := reading.Entry{Detail: kind + name, Host: name, URL: "/x?" + name + "=1", Status: 200}
				e2 := e
				e2.Divergence = &reading.Divergence{Class: code, Part: "body", Near: name, Input: kind + name, Field: name}
				for _, entry := range []*reading.Entry{&e, &e2} {
					for _, m := range line.FindAllStringSubmatch(Advice(code, entry), -1) {
						checkLine(t, code, m[1])
					}
				}
			}
		}
	}
}

func checkLine(t *testing.T, code, advised string) {
	t.Helper()
	words := strings.Fields(advised)
	if len(words) > 2 && (words[0] == "cookie" || words[0] == "header") && words[1] == "strip" && ofOneVisitor(words[2]) {
		t.Errorf("%s: %q is advised", code, advised)
	}
	if strings.ContainsAny(advised, "*\n{") || len(words) > 2 && strings.HasPrefix(words[2], "@") && words[2] != "@analytics" {
		t.Errorf("%s: %q is advised", code, advised)
	}
}
