package demo

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// cdnTTL is the operator's rule: every page for five minutes.
	cdnTTL = 5 * time.Minute
	// maxCopy and maxCopies bound what the CDN keeps.
	maxCopy   = 1 << 20
	maxCopies = 1000
)

// cdn is a CDN with a rushed rule: it keeps every page for five minutes under
// its host and path, blind to the query and to cookies, and what the origin says
// nothing about it keeps as well, like many real CDNs. It does honour private,
// no-store and CDN-Cache-Control (RFC 9213). It is an http.Handler, safe for
// concurrent use; concurrent misses are fetched each for itself.
type cdn struct {
	proxy *httputil.ReverseProxy
	// override says that the rule holds whatever the origin says.
	override bool

	mu     sync.Mutex
	copies map[string]response
}

// response is one stored response.
type response struct {
	header  http.Header
	body    []byte
	stored  time.Time
	expires time.Time
}

// newCDN makes an empty CDN in front of the server at upstream, host:port.
func newCDN(upstream string, transport http.RoundTripper) *cdn {
	c := &cdn{copies: make(map[string]response)}
	c.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme = "http"
			r.Out.URL.Host = upstream
			r.Out.Host = r.In.Host
			r.SetXForwarded()
			// One stored form for all visitors, whatever they can decode.
			r.Out.Header.Del("Accept-Encoding")
		},
		Transport:      transport,
		ModifyResponse: c.keep,
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	return c
}

// cdnTransport returns a transport that keeps connections for the given number
// of concurrent requests and asks for no encoding of its own.
func cdnTransport(concurrent int) *http.Transport {
	return &http.Transport{
		MaxIdleConns:          concurrent,
		MaxIdleConnsPerHost:   concurrent,
		IdleConnTimeout:       time.Minute,
		ResponseHeaderTimeout: visitTimeout,
		DisableCompression:    true,
	}
}

// copyKey is where the incident lies: the query and the cookies are not in it.
func copyKey(r *http.Request) string { return strings.ToLower(r.Host) + r.URL.EscapedPath() }

func (c *cdn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		if stored, ok := c.lookup(copyKey(r)); ok {
			stored.writeTo(w, r)
			return
		}
	}
	c.proxy.ServeHTTP(w, r)
}

func (c *cdn) lookup(key string) (response, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stored, ok := c.copies[key]
	return stored, ok && time.Now().Before(stored.expires)
}

func (s response) writeTo(w http.ResponseWriter, r *http.Request) {
	for name, values := range s.header {
		w.Header()[name] = values
	}
	w.Header().Set("Age", strconv.Itoa(int(time.Since(s.stored).Seconds())))
	w.Header().Set("X-Cache", "HIT")
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(s.body)
	}
}

// keep stores a response if the rule and the origin let it, before the first
// visitor gets it.
func (c *cdn) keep(res *http.Response) error {
	res.Header.Set("X-Cache", "MISS")
	ttl := cdnTTL
	if !c.override {
		ttl = lifetime(res.Header)
	}
	if res.Request.Method != http.MethodGet || res.StatusCode != http.StatusOK || ttl <= 0 {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxCopy+1))
	if err != nil {
		return fmt.Errorf("reading the origin's response: %w", err)
	}
	rest := res.Body
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), rest), rest}
	if len(body) > maxCopy {
		return nil
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.copies) >= maxCopies {
		clear(c.copies)
	}
	// The outgoing request has the upstream's address in its URL, and the
	// visitor's host in Host.
	c.copies[copyKey(res.Request)] = response{
		header: res.Header.Clone(), body: body, stored: now, expires: now.Add(ttl),
	}
	return nil
}

// lifetime is how long a response may be kept; zero, not at all. Silence and
// max-age leave the operator's rule in force, as an override in a CDN does.
func lifetime(header http.Header) time.Duration {
	ttl := cdnTTL
	for directive := range directives(header, "CDN-Cache-Control") {
		name, value, _ := strings.Cut(directive, "=")
		switch name {
		case "no-store", "private", "no-cache":
			return 0
		case "max-age":
			seconds, err := strconv.ParseUint(value, 10, 31)
			if err != nil {
				return 0
			}
			ttl = time.Duration(seconds) * time.Second
		}
	}
	for directive := range directives(header, "Cache-Control") {
		switch name, _, _ := strings.Cut(directive, "="); name {
		case "no-store", "private":
			return 0
		}
	}
	return ttl
}

// directives yields the directives of all lines of a field, in lower case.
func directives(header http.Header, field string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, line := range header.Values(field) {
			for directive := range strings.SplitSeq(line, ",") {
				if !yield(strings.ToLower(strings.TrimSpace(directive))) {
					return
				}
			}
		}
	}
}
