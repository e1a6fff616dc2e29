package policies

import (
	"cmp"
	"fmt"
	"strings"
)

// refusedNames are names that cannot be declared, and why. A * stands for any run of
// characters.
type refusedNames struct {
	names []string
	why   string
	fix   string // empty: leave it out
}

// unvouchable are response fields for which nobody can vouch.
var unvouchable = []refusedNames{
	{names: []string{"Set-Cookie"}, why: "it makes of everybody who gets it the visitor for whom it was meant"},
	{
		names: []string{
			"WWW-Authenticate", "Authentication-Info", "Authorization", "Proxy-Authorization", "Cookie", "Set-Login",
			"Sec-Session-*", "Secure-Session-*", "Access-Token", "Id-Token", "Refresh-Token", "Session-Id", "Csrf-Token",
			"Xsrf-Token", "X-Access-Token", "X-Amz-Security-Token", "X-Api-Key", "X-Auth-*", "X-Csrf-*", "X-Csrftoken",
			"X-Id-Token", "X-Jwt*", "X-Refresh-Token", "X-Session*", "X-Token", "X-Xsrf-*",
		},
		why: "it is a credential, or part of an exchange of credentials with one visitor (RFC 9110 §11)",
	},
	{
		names: []string{"Cache-Control", "*-Cache-Control", "Surrogate-Control", "Pragma", "Expires"},
		why:   "it says who may store the response and for how long (RFC 9111 §5, RFC 9213)",
	},
	{names: []string{"Vary"}, why: "it says for which requests the response was made (RFC 9111 §4.1)"},
	{names: []string{"Trailer"}, why: "it announces fields behind the content (RFC 9110 §6.6.2), which nobody has seen yet"},
	{
		names: []string{"Connection", "Keep-Alive", "Proxy-Connection", "TE", "Transfer-Encoding", "Upgrade"},
		why:   "it concerns one connection only (RFC 9110 §7.6.1)",
	},
	{
		names: []string{"Content-Encoding"},
		why:   "it says how the body is coded (RFC 9110 §8.4), and nobody looks into a body that cannot be decoded",
		fix:   "leave it out; to trust the origin whatever its bodies are, write inspect: off with a reason",
	},
	{names: []string{"Access-Control-*"}, why: "it says which other sites may read the response (Fetch §3.2.3), often only the one that asked"},
}

// vouch judges what the operator vouches for.
func (s section) vouch(r *Route) {
	v := r.Vouch
	if v == nil {
		return
	}
	if blank(v.Reason) {
		s.fault("vouch.reason", "vouch gives everybody what is one visitor's as a rule, and needs a reason", "say how you know that the fields are the same for everybody")
	}
	if len(v.Fields) == 0 {
		s.fault("vouch.fields", "vouch names no fields", "name one or more response fields, or leave it out")
	}
	s.fieldNames("vouch.fields", v.Fields, checkVouched)
	if r.Cache.Kind == CacheOrigin && corroborates(r) {
		s.fault("vouch", "vouch contradicts corroboration: what two answers have to show is not taken on anybody's word",
			"leave it out, or write admission: once")
	}
}

// checkVouched accepts the names of single fields for which somebody can vouch.
func checkVouched(name string) (message, fix string) {
	if strings.Contains(name, "*") {
		return fmt.Sprintf("%q stands for any number of fields, which nobody has looked at", name), "name each field"
	}
	if message, fix := checkName(kindHeader, name); message != "" {
		return message, fix
	}
	for _, u := range unvouchable {
		for _, pattern := range u.names {
			if within(kindHeader, name, pattern) {
				return fmt.Sprintf("nobody can vouch for %q: %s", name, u.why), cmp.Or(u.fix, "leave it out")
			}
		}
	}
	return "", ""
}
