package explain

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

// Request is a visitor's request.
type Request struct {
	// Method is GET if empty.
	Method string `json:"method,omitempty"`
	// URL is absolute, http or https, as it would be typed into curl. What stands
	// behind a # is not sent. A URL without a scheme is taken for http.
	URL string `json:"url"`
	// Header has the request's fields; names may be in any case. A Host field stands
	// for the URL's host. What clients send of their own accord (User-Agent, Accept) is
	// only there if given.
	Header http.Header `json:"header,omitempty"`
	// HasBody says that a body follows.
	HasBody bool `json:"has_body,omitempty"`
	// Address is the visitor's, without a port. May be empty.
	Address string `json:"address,omitempty"`
	// Server is what the proxy's key has to tell its listeners apart. Empty where it is
	// not known; the key's digest is another one then.
	Server string `json:"-"`
	// MaxObject is the largest body that is stored, in bytes. 0: 8 MiB, the default.
	MaxObject int64 `json:"-"`
	// Brief leaves [Route.PassedOver] out, which takes a while where there are thousands
	// of routes.
	Brief bool `json:"-"`
}

func (r Request) method() string {
	if r.Method == "" {
		return http.MethodGet
	}
	return strings.ToUpper(r.Method)
}

// maxRequest bounds a request in bytes: servers accept no longer head.
const maxRequest = 1 << 20

// size is the length of the head, about.
func (r Request) size() int {
	n := len(r.Method) + len(r.URL)
	for name, lines := range r.Header {
		for _, line := range lines {
			n += len(name) + len(line) + len(": \r\n")
		}
	}
	return n
}

// read makes of it what a server does.
func (r Request) read() (*policies.Request, error) {
	if r.size() > maxRequest {
		return nil, fmt.Errorf("no server accepts the request: it is longer than %d bytes", maxRequest)
	}
	scheme, rest, ok := strings.Cut(r.URL, "://")
	if !ok {
		scheme, rest = "http", r.URL
	}
	if scheme = strings.ToLower(scheme); scheme != "http" && scheme != "https" {
		return nil, fmt.Errorf("%q: http:// or https:// was expected", r.URL)
	}
	rest, _, _ = strings.Cut(rest, "#")
	host, target := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		host, target = rest[:i], rest[i:]
	}
	if strings.Contains(host, "@") {
		return nil, errors.New("the URL has a user name in it; send it in a field: -H 'Authorization: Basic …'")
	}
	if !strings.HasPrefix(target, "/") {
		target = "/" + target
	}
	if strings.ContainsAny(target, " \t\r\n") {
		return nil, fmt.Errorf("%q: a URL has no blanks in it; write %%20", r.URL)
	}
	// As net/http reads the target of a request.
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, fmt.Errorf("no server accepts the URL: %w", err)
	}
	header := make(http.Header, len(r.Header))
	for name, lines := range r.Header {
		name = http.CanonicalHeaderKey(name)
		header[name] = append(header[name], lines...)
	}
	port := portOf(host)
	if given := header["Host"]; len(given) > 1 {
		return nil, errors.New("no server accepts a request with two Host fields")
	} else if len(given) > 0 {
		host = given[0]
		delete(header, "Host") // a server moves it out of the fields
	}
	if host == "" {
		return nil, fmt.Errorf("%q: the URL has no host", r.URL)
	}
	return &policies.Request{
		Method:      r.method(),
		Scheme:      scheme,
		Host:        strings.ToLower(host),
		Path:        u.Path,
		EscapedPath: u.EscapedPath(),
		RawQuery:    u.RawQuery,
		ForceQuery:  u.ForceQuery,
		Header:      header,
		HasBody:     r.HasBody || announcesBody(header),
		Port:        port,
	}, nil
}

// announcesBody says whether fields announce a body (RFC 9112 §6).
func announcesBody(h http.Header) bool {
	length := h.Get("Content-Length")
	return h["Transfer-Encoding"] != nil || length != "" && strings.Trim(length, "0") != ""
}

// portOf is the port that a client connects to, if the URL names one.
func portOf(host string) string {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		return host[i+1:]
	}
	return ""
}
