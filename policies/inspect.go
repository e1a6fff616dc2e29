package policies

import (
	"net/http"
	"strings"
)

// Inspect looks for what two parsers of the request could read differently, or
// what makes the origin see another request than the one that was judged
// (attacks 4, 7, 8, 9, 21). Such a request is never looked up and never stored;
// the rule says whether it is a bypass or denied.
func (r *Rule) Inspect(req *Request) Verdict {
	var v Verdict
	inspectPath(req, &v)
	r.inspectHost(req, &v)
	r.inspectFraming(req, &v)
	r.inspectQuery(req, &v)
	r.settle(&v)
	return v
}

// settle denies what is a bypass for being ambiguous, if the rule says so.
func (r *Rule) settle(v *Verdict) {
	if v.Action != ActBypass || r.Ambiguous != Deny {
		return
	}
	for _, reason := range v.Reasons {
		if reason.Info().Class == InAmbiguous {
			v.Action = ActDeny
		}
	}
}

// cacheable says whether the method is one that is answered from the store.
func (req *Request) cacheable() bool {
	return req.Method == http.MethodGet || req.Method == http.MethodHead
}

// inspectFraming looks at what could make the origin take the request for
// another one.
func (r *Rule) inspectFraming(req *Request, v *Verdict) {
	if req.HasBody && req.cacheable() {
		v.add(ReasonBodyOnGet)
	}
	for _, line := range req.Header["Connection"] {
		for token := range strings.SplitSeq(line, ",") {
			if !HopByHop(strings.TrimSpace(token)) {
				v.add(ReasonConnectionNominates)
			}
		}
	}
	if r.overrides(req, "X-Forwarded-Host", req.Host) || r.overrides(req, "X-Forwarded-Scheme", req.Scheme) {
		v.add(ReasonRoutingOverride)
	}
}

// overrides says whether a field that proxies set to what they were asked for says
// something else. If the route declares the field, it disposes of it itself.
func (r *Rule) overrides(req *Request, field, asked string) bool {
	lines := req.Header[field]
	return len(lines) > 0 && (len(lines) > 1 || !strings.EqualFold(lines[0], asked)) && !r.headers.find(field).declared
}

// HopByHop says whether a Connection option names something that a client may
// have removed at the next hop (RFC 9110 §7.6.1). Anything else takes an
// end-to-end field away from the origin.
func HopByHop(token string) bool {
	switch strings.ToLower(token) {
	case "", "close", "keep-alive", "upgrade", "te", "trailer", "transfer-encoding",
		"http2-settings", "proxy-connection":
		return true
	}
	return false
}

// inspectHost refuses hosts that are written oddly, and hosts that the policy
// does not know although it names some.
func (r *Rule) inspectHost(req *Request, v *Verdict) {
	name, port, ok := splitHost(req.Host)
	switch {
	case !ok:
		v.add(ReasonHostMalformed)
		return
	case strings.HasSuffix(name, "."):
		v.add(ReasonHostTrailingDot)
	}
	named, withPort := r.hosts.knows(req.Host)
	if !named {
		v.add(ReasonHostUnknown)
	}
	if port != "" && !withPort && port != req.Port && port != defaultPort(req.Scheme) {
		v.add(ReasonHostPort)
	}
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// splitHost takes a lower-case host apart. It is stricter than RFC 3986: a host
// with a byte that DNS names and IP literals do not have is not ok.
func splitHost(host string) (name, port string, ok bool) {
	name = host
	if strings.HasPrefix(host, "[") {
		end := strings.IndexByte(host, ']')
		if end < 0 {
			return "", "", false
		}
		name, port = host[:end+1], host[end+1:]
		for _, c := range []byte(name[1:end]) {
			if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c == ':' || c == '.') {
				return "", "", false
			}
		}
	} else if colon := strings.IndexByte(host, ':'); colon >= 0 {
		name, port = host[:colon], host[colon:]
	}
	if port != "" {
		if port[0] != ':' || len(port) == 1 || len(port) > 6 {
			return "", "", false
		}
		port = port[1:]
		for _, c := range []byte(port) {
			if c < '0' || c > '9' {
				return "", "", false
			}
		}
	}
	if name == "" || name[0] == '.' || name == "[]" || strings.Contains(name, "..") {
		return "", "", false
	}
	if name[0] != '[' {
		for _, c := range []byte(name) {
			if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_') {
				return "", "", false
			}
		}
	}
	return name, port, true
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
