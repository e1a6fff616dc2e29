package policies

import (
	"net/http"
	"net/url"
	"strings"
)

// Stored returns the parts of the key under which the answer to a GET for the URI,
// sent without any header, would be stored: Scheme, Host, EscapedPath, Params and
// EmptyQuery, and nothing else. It is not ok if no answer would be. What RFC 9111
// §4.4 invalidates is found by them; see [Parts.AppendURI].
func (c *Compiled) Stored(scheme, host, escapedPath, rawQuery string) (Parts, bool) {
	path, err := url.PathUnescape(escapedPath)
	if err != nil {
		return Parts{}, false
	}
	req := &Request{
		Method:      http.MethodGet,
		Scheme:      strings.ToLower(scheme),
		Host:        strings.ToLower(host),
		Path:        path,
		EscapedPath: escapedPath,
		RawQuery:    rawQuery,
		Header:      http.Header{},
	}
	_, req.Port, _ = splitHost(req.Host) // the request for this URI would come in there
	rule := c.Route(req)
	var p Parts
	if rule.Inspect(req).Action != ActCache || rule.Dispose(req, &p).Action != ActCache {
		return Parts{}, false
	}
	return Parts{Scheme: p.Scheme, Host: p.Host, EscapedPath: p.EscapedPath, Params: p.Params, EmptyQuery: p.EmptyQuery}, true
}

// AppendURI appends the URI of the canonical request. Responses are invalidated by
// it (RFC 9111 §4.4), whatever else is in their keys. A ? with nothing behind it is
// left out: who changes /x? has changed /x.
func (p *Parts) AppendURI(dst []byte) []byte {
	dst = append(dst, p.Scheme...)
	dst = append(dst, "://"...)
	dst = append(dst, p.Host...)
	dst = append(dst, p.EscapedPath...)
	mark := len(dst)
	dst = append(dst, '?')
	for i, pair := range p.Params {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = append(dst, pair...)
	}
	if len(dst) == mark+1 {
		return dst[:mark]
	}
	return dst
}
