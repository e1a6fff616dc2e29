package policies

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// knownMethods are those of RFC 9110 §9.3 and of the extensions that apps use.
var knownMethods = []string{
	"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY",
	"PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH",
}

func (s section) match(r *Route) {
	if len(r.Match.Hosts) == 0 && len(r.Match.Paths) == 0 {
		s.fault("match", "the route names neither hosts nor paths", "say what it matches; /* is every path")
	}
	for i, host := range r.Match.Hosts {
		s.judge("match.hosts", i, host, checkHost)
	}
	for i, path := range r.Match.Paths {
		s.judge("match.paths", i, path, checkPath)
	}
	s.methods(r.Match.Methods, r.Cache.Kind)
}

func (s section) methods(methods []string, kind CacheKind) {
	unknown := false
	for i, method := range methods {
		s.judge("match.methods", i, method, checkMethod)
		unknown = unknown || !slices.Contains(knownMethods, method)
	}
	if unknown || len(methods) == 0 || kind == CacheNever || slices.Contains(methods, "GET") {
		return
	}
	if slices.Contains(methods, "HEAD") {
		s.fault("match.methods", "the route caches, but HEAD alone cannot fill: its response has no body", "add GET")
		return
	}
	s.fault("match.methods", "the route caches, but only GET and HEAD can be answered from a cache", "add GET, or write cache: never")
}

// judge reports what check finds wrong with the item of a list.
func (s section) judge(path string, i int, item string, check func(string) (message, fix string)) {
	if message, fix := check(item); message != "" {
		s.fault(join(path, strconv.Itoa(i)), message, fix)
	}
}

func checkMethod(method string) (message, fix string) {
	if slices.Contains(knownMethods, method) {
		return "", ""
	}
	if upper := strings.ToUpper(method); slices.Contains(knownMethods, upper) {
		return fmt.Sprintf("%q is not a method: methods are case-sensitive", method), "write " + upper
	}
	return fmt.Sprintf("%q is not a known method", method), suggest(method, knownMethods)
}

// checkHost accepts host, host:port, *.host and addresses. Letter case does not
// matter.
func checkHost(host string) (message, fix string) {
	bad := fmt.Sprintf("%q is not a host", host)
	switch {
	case host == "":
		return "the host is empty", "write a host such as example.com"
	case host == "*":
		return `"*" is not a host`, "leave hosts out to match any"
	case strings.Contains(host, "://"):
		_, rest, _ := strings.Cut(host, "://")
		rest, _, _ = strings.Cut(rest, "/")
		return bad + ": it has a scheme", fmt.Sprintf("write %q; routes match http and https alike", rest)
	case strings.Contains(host, "/"):
		rest, path, _ := strings.Cut(host, "/")
		return bad + ": it has a path", fmt.Sprintf("write %q, and %q under paths", rest, "/"+path)
	}
	name := host
	if colon := strings.LastIndexByte(host, ':'); colon >= 0 && !strings.HasSuffix(host, "]") {
		port, err := strconv.ParseUint(host[colon+1:], 10, 16)
		if err != nil || port == 0 || strconv.FormatUint(port, 10) != host[colon+1:] {
			return bad + ": the port is not a number from 1 to 65535", "write it as in example.com:8443; an IPv6 address stands in brackets"
		}
		name = host[:colon]
	}
	if strings.HasPrefix(name, "[") {
		if addr, err := netip.ParseAddr(strings.TrimSuffix(name[1:], "]")); err != nil || !addr.Is6() || addr.Zone() != "" || !strings.HasSuffix(name, "]") {
			return bad + ": what stands in brackets is not an IPv6 address", "write it as in [2001:db8::1]"
		}
		return "", ""
	}
	return checkHostName(strings.TrimPrefix(name, "*."), bad)
}

// checkHostName checks labels (RFC 1123 §2.1); _ is accepted because it is in use.
func checkHostName(name, bad string) (message, fix string) {
	switch {
	case strings.HasSuffix(name, "."):
		return bad + ": it ends with a dot", fmt.Sprintf("write %q", strings.TrimRight(name, "."))
	case strings.Contains(name, "*"):
		return bad + `: "*." stands at the beginning only`, "write *.example.com, which matches one or more labels"
	case len(name) > 253:
		return bad + ": it is longer than 253 characters", ""
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return bad + ": a label is empty, longer than 63 characters, or begins or ends with -", ""
		}
		for _, c := range label {
			if c > 0x7f {
				return bad + ": it is not ASCII", "write the form that browsers send, which begins with xn--"
			}
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
				return fmt.Sprintf("%s: %q cannot occur in a host name", bad, c), ""
			}
		}
	}
	return "", ""
}

// checkPath refuses patterns that no request can match: what they ask for is
// ambiguous in a request, and such requests never reach a route's cache.
func checkPath(path string) (message, fix string) {
	bad := fmt.Sprintf("%q can never match", path)
	switch {
	case path == "":
		return "the path is empty", "write a path such as /about"
	case path == "*" || path == "**":
		return fmt.Sprintf("%q is not a path", path), "write /* for every path"
	case strings.HasPrefix(path, "*."):
		if strings.ContainsAny(path[1:], "*/") {
			return fmt.Sprintf("%q is neither a path nor an extension", path), "write *.ext, or a pattern that begins with /"
		}
	case path[0] != '/':
		return fmt.Sprintf("%q does not begin with /", path), fmt.Sprintf("write %q", "/"+path)
	}
	if strings.Contains(path, "***") {
		return fmt.Sprintf("%q has more than two * in a row", path), "write ** to match across segments"
	}
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '?':
			return bad + ": the query is no part of the path", "declare parameters under params"
		case c == '#':
			return bad + ": what stands behind # is not sent", "leave it out"
		case c == ';':
			return bad + ": a path with ; is ambiguous", "leave it out"
		case c == '\\':
			return bad + ": a path with a backslash is ambiguous", "write /"
		case c < ' ' || c == 0x7f:
			return bad + ": it has a control character", "leave it out"
		case c == '%' && i+2 < len(path) && isHex(path[i+1]) && isHex(path[i+2]):
			return bad + ": patterns are compared with the decoded path", fmt.Sprintf("write the character itself instead of %s", path[i:i+3])
		}
	}
	return checkSegments(path, bad)
}

func checkSegments(path, bad string) (message, fix string) {
	if strings.Contains(path, "//") {
		return bad + ": a path with an empty segment is ambiguous", "write a single /"
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return fmt.Sprintf("%s: a path with a %s segment is ambiguous", bad, segment), "write the path that it leads to"
		}
	}
	return "", ""
}
