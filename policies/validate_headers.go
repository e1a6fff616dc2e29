package policies

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// special is a header that some verbs cannot be given to.
type special struct {
	names []string
	// allowed are the verbs that it can be given all the same.
	allowed []Verb
	why     string
	fix     string
}

var specialHeaders = []special{
	{
		[]string{"Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade"}, nil,
		"it concerns one connection only (RFC 9110 §7.6.1) and never reaches the origin's decision", "leave it out",
	},
	{[]string{"Host"}, nil, "the host is always in the key", "name hosts under match"},
	{[]string{"Cookie"}, nil, "cookies have dispositions of their own, one by one", "name them under cookies"},
	{
		[]string{"Authorization", "Proxy-Authorization"}, []Verb{Bypass, Deny},
		"it makes the visitor a person, and the answer is that person's (RFC 9111 §3.5)", "leave it out: such requests bypass the cache",
	},
	{
		[]string{"Content-Length", "Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"},
		[]Verb{Strip, Bypass, Deny},
		"the cache answers it itself from the whole response", "leave it out",
	},
	{
		[]string{"Accept-Encoding"}, []Verb{Strip, Bypass, Deny},
		"the store holds bytes without a coding, and encode compresses them for each visitor", "leave it out",
	},
}

// specialHeader returns the entry that forbids the verb to a header that the
// pattern names or covers, and that header; or nil.
func specialHeader(pattern string, verb Verb) (sp *special, name string) {
	for i := range specialHeaders {
		sp := &specialHeaders[i]
		if slices.Contains(sp.allowed, verb) {
			continue
		}
		for _, name := range sp.names {
			if within(kindHeader, name, pattern) {
				return sp, name
			}
		}
	}
	return nil, ""
}

func (s section) headers(r *Route) {
	h := r.Headers
	if h == nil {
		return
	}
	oneOf(s, "headers.others", h.Others, "verb for others", []Verb{Strip, Bypass, Vary})
	if r.Cache.Kind != CacheOrigin {
		const why = "vary leaves it to the origin's Vary, which governs on cache: origin routes only"
		if len(h.Vary) > 0 {
			s.fault("headers.vary", why, "use key")
		}
		if h.Others == Vary {
			s.fault("headers.others", why, "use strip or bypass")
		}
	}
	all := h.byVerb()
	s.verbs("headers", kindHeader, all)
	for _, v := range all {
		for i, name := range v.names {
			sp, covered := specialHeader(name, v.verb)
			if sp == nil || strings.Trim(name, "*") == "" {
				continue
			}
			message := fmt.Sprintf("%q cannot be %s: %s", name, v.verb, sp.why)
			if strings.Contains(name, "*") {
				message = fmt.Sprintf("%q cannot be %s, for it covers %s: %s", name, v.verb, covered, sp.why)
			}
			s.fault(join("headers."+string(v.verb), strconv.Itoa(i)), message, sp.fix)
		}
	}
	for i := range h.Key {
		s.headerKey(join("headers.key", strconv.Itoa(i)), &h.Key[i])
	}
	for i := range h.Forward {
		s.headerForward(join("headers.forward", strconv.Itoa(i)), &h.Forward[i])
	}
}

func (s section) headerKey(path string, k *HeaderKey) {
	if len(k.Values) > 0 && strings.Contains(k.Name, "*") {
		s.fault(path, fmt.Sprintf("%q stands for several headers, which cannot share declared values", k.Name), "name one header, or leave the values out")
	}
	seen := make(map[string]bool, len(k.Values))
	for i, value := range k.Values {
		at := join(join(path, "values"), strconv.Itoa(i))
		switch id := strings.ToLower(value); {
		case strings.TrimSpace(value) == "":
			s.fault(at, "a value is empty", "name a value, or leave it out")
		case strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c >= 0x7f }):
			s.fault(at, fmt.Sprintf("%q has a character that is not visible ASCII", value), "write the value as it is sent")
		case seen[id]:
			s.fault(at, fmt.Sprintf("value %q is given twice; letter case does not matter", value), "leave one out")
		default:
			seen[id] = true
		}
	}
}

func (s section) headerForward(path string, f *HeaderForward) {
	if strings.Contains(f.Name, "*") {
		s.fault(path, fmt.Sprintf("%q stands for any number of headers, of which none would be keyed", f.Name), "name each header that is forwarded")
	}
	if blank(f.Reason) {
		s.fault(path, fmt.Sprintf("%q reaches the origin without being keyed and needs a reason", f.Name), "say why no page depends on it")
	}
}

func blank(reason string) bool { return strings.TrimSpace(reason) == "" }
