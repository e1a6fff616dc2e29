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

// SplitHost takes a host in lower case apart: the name, or the IP literal with its
// brackets, and the port without its colon. It is not ok if no request for the host
// would be answered from the cache.
func SplitHost(host string) (name, port string, ok bool) { return splitHost(host) }

// ReadParts is the inverse of [Parts.AppendKey]: it reads the parts that are in a
// key, which are all but Varying and Withheld. It is not ok if AppendKey would not
// have written exactly these bytes: they are damaged, or of another version of the
// encoding.
func ReadParts(key string) (Parts, bool) {
	d := keyReader{rest: key}
	p := Parts{}
	d.head(&p)
	for range d.count() {
		p.Params = append(p.Params, d.string())
	}
	p.Cookies, p.Headers = d.fields(), d.fields()
	if !d.done() {
		return Parts{}, false
	}
	return p, true
}

// URI is what a key says of the URI of its canonical request, undecoded.
type URI struct {
	Scheme, Host, EscapedPath string
	// OriginalPath is the escaped path as it was before a rewrite; empty: there was none.
	OriginalPath string
	// Query is as [Parts.AppendURI] writes it.
	Query string
}

// KeyURI reads the URI in a key, and is ok where [ReadParts] is. It allocates nothing
// unless there are several parameters, so that a great many keys can be looked at.
func KeyURI(key string) (URI, bool) {
	d := keyReader{rest: key}
	p := Parts{}
	d.head(&p)
	uri := URI{Scheme: p.Scheme, Host: p.Host, EscapedPath: p.EscapedPath, OriginalPath: p.OriginalPath}
	switch n := d.count(); n {
	case 0:
	case 1:
		uri.Query = d.string()
	default:
		var query strings.Builder
		for i := range n {
			if i > 0 {
				query.WriteByte('&')
			}
			query.WriteString(d.string())
		}
		uri.Query = query.String()
	}
	for range 2 { // cookies and headers
		for range d.count() {
			_, _ = d.string(), d.string()
		}
	}
	if !d.done() {
		return URI{}, false
	}
	return uri, true
}

// keyReader reads the encoding of a key from its front. Once anything is wrong it is
// bad, has nothing left, and reads only what is empty.
type keyReader struct {
	rest string
	bad  bool
}

// head reads what stands before the parameters.
func (d *keyReader) head(p *Parts) {
	if d.byte() != keyVersion {
		d.fail()
	}
	for _, s := range [...]*string{&p.Space, &p.Server, &p.Scheme, &p.Host, &p.EscapedPath, &p.OriginalPath, &p.Root, &p.FileSystem} {
		*s = d.string()
	}
	switch d.byte() {
	case 0:
	case 1:
		p.EmptyQuery = true
	default:
		d.fail()
	}
}

func (d *keyReader) done() bool { return !d.bad && d.rest == "" }

func (d *keyReader) fail() { d.bad, d.rest = true, "" }

func (d *keyReader) byte() byte {
	if d.rest == "" {
		d.fail()
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

// count reads a number: seven bits a byte, the lowest first, in no more bytes than it
// needs. It is never more than the bytes that are left, each of which it can at most
// be the count of.
func (d *keyReader) count() int {
	n := 0
	for i := 0; i < len(d.rest) && i < 4; i++ { // 4 bytes count to 256 MiB
		b := d.rest[i]
		n |= int(b&0x7f) << (7 * i)
		if b >= 0x80 {
			continue
		}
		if b == 0 && i > 0 || n > len(d.rest)-i-1 {
			break
		}
		d.rest = d.rest[i+1:]
		return n
	}
	d.fail()
	return 0
}

func (d *keyReader) string() string {
	n := d.count()
	s := d.rest[:n]
	d.rest = d.rest[n:]
	return s
}

func (d *keyReader) fields() []Field {
	var fields []Field
	for range d.count() {
		fields = append(fields, Field{d.string(), d.string()})
	}
	return fields
}
