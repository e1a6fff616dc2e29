package lint

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

// eachKeyedHeader calls visit with every header that a route that caches keys as it is
// sent, without declared values.
func eachKeyedHeader(p *Pass, visit func(r *policies.Route, field, pattern string)) {
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if !caches(r) || r.Headers == nil {
			continue
		}
		for j, key := range r.Headers.Key {
			if len(key.Values) == 0 {
				visit(r, fmt.Sprintf("headers.key.%d", j), key.Name)
			}
		}
	}
}

// amongHeaders returns the first of the headers that the pattern matches.
func amongHeaders(pattern string, headers []string) (string, bool) {
	for _, header := range headers {
		if matchName(strings.ToLower(pattern), strings.ToLower(header)) {
			return header, true
		}
	}
	return "", false
}

// called is a pattern as messages call it, with a name that it matches.
func called(pattern, name string) string {
	if !strings.Contains(pattern, "*") {
		return "`" + http.CanonicalHeaderKey(pattern) + "`"
	}
	return "`" + pattern + "` (say, `" + name + "`)"
}

// addressHeaders are fields in which proxies say where a visitor comes from.
var addressHeaders = []string{
	"X-Forwarded-For", "Forwarded", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP", "CF-Connecting-IPv6",
	"CF-Pseudo-IPv4", "X-Client-IP", "X-Cluster-Client-IP", "Fastly-Client-IP", "X-Azure-ClientIP", "X-Azure-SocketIP",
	"X-Envoy-External-Address", "X-Appengine-User-IP", "Fly-Client-IP", "Do-Connecting-IP", "Cloudfront-Viewer-Address",
	"X-Original-Forwarded-For",
}
