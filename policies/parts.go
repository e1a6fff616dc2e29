package policies

import (
	"encoding/binary"
	"net/http"
	"strings"

	"github.com/zeebo/blake3"
)

// Field is a name and a value.
type Field struct{ Name, Value string }

// Parts are the parts of a cache key: all that may shape a shared response. What
// the origin's Vary may name stands apart, for only the response says whether it
// does (RFC 9111 §4.1). Hence closure: equal keys, and equal values of the fields
// that the Vary of the stored response named, mean that the stored response is the
// one that the canonical request would get.
// The zero value is empty; Reset makes one ready for reuse.
type Parts struct {
	// Space keeps keys of different rules and of different handlers apart, and
	// Server those of different listeners. They are the only parts that are not
	// sent to the origin.
	Space, Server string

	Scheme, Host, EscapedPath string

	// OriginalPath is the escaped path as it was before a rewrite, by which
	// handlers below may still choose. Empty if there was none.
	OriginalPath string

	// Root and FileSystem say where handlers below find files. Empty if no handler
	// above has said so.
	Root, FileSystem string

	// Params are the keyed parameters as they stood in the query: name=value,
	// undecoded, in the visitor's order.
	Params []string
	// EmptyQuery says that the target ended in a ? with nothing behind it.
	EmptyQuery bool

	// Cookies are the keyed cookies, ordered by name.
	Cookies []Field
	// Headers are the keyed headers, normalised, ordered by name.
	Headers []Field

	// Varying are the headers with the verb vary that were sent, ordered by name,
	// the lines of each joined. They are in the canonical request and not in the
	// key: those of them that a response's Vary names are its secondary key.
	Varying []Field

	// Withheld says that the origin would have seen something of the request that
	// is not in the canonical request: a parameter, a cookie, a header, or what was
	// sent in a header whose values are declared. Fields do not count that concern
	// one connection or the cache alone, and neither do forwarded ones.
	Withheld bool

	// forwarded headers go to the origin and are not in the key: the one
	// exception to closure, which a policy must give a reason for. A response in
	// which one of the values occurs is refused.
	forwarded []Field
}

// Reset empties the parts and keeps the memory.
func (p *Parts) Reset() {
	*p = Parts{
		Params:    p.Params[:0],
		Cookies:   p.Cookies[:0],
		Headers:   p.Headers[:0],
		Varying:   p.Varying[:0],
		forwarded: p.forwarded[:0],
	}
}

// Clone returns a copy that shares no memory which Reset would reuse.
func (p *Parts) Clone() *Parts {
	c := *p
	c.Params = append([]string(nil), p.Params...)
	c.Cookies = append([]Field(nil), p.Cookies...)
	c.Headers = append([]Field(nil), p.Headers...)
	c.Varying = append([]Field(nil), p.Varying...)
	c.forwarded = append([]Field(nil), p.forwarded...)
	return &c
}

// Impersonal removes what is sent without being in the key, so that the canonical
// request is one that nobody caused: a refresh in the background is made of it.
// What selected the stored response is put back by [Parts.Select].
func (p *Parts) Impersonal() { p.forwarded, p.Varying = nil, nil }

// Select makes the fields, which are copied, those that the origin may vary on.
func (p *Parts) Select(fields []Field) {
	p.Varying = append([]Field(nil), fields...)
	sortFields(p.Varying)
}

// Forward makes the fields, which are copied, those that go to the origin without being
// keyed.
func (p *Parts) Forward(fields []Field) { p.forwarded = append([]Field(nil), fields...) }

// Forwarded returns the fields that go to the origin without being keyed.
func (p *Parts) Forwarded() []Field { return p.forwarded }

// keyVersion changes whenever the encoding or the meaning of a part does, so
// that two versions of the program never read each other's keys.
const keyVersion = 3

// AppendKey appends the key's encoding: every part but Varying and Withheld, each
// with its length before it, so that no value can imitate another part, whatever
// bytes it is made of.
func (p *Parts) AppendKey(dst []byte) []byte {
	dst = append(dst, keyVersion)
	for _, s := range [...]string{p.Space, p.Server, p.Scheme, p.Host, p.EscapedPath, p.OriginalPath, p.Root, p.FileSystem} {
		dst = appendString(dst, s)
	}
	if p.EmptyQuery {
		dst = append(dst, 1)
	} else {
		dst = append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(p.Params)))
	for _, s := range p.Params {
		dst = appendString(dst, s)
	}
	dst = appendFields(dst, p.Cookies)
	return appendFields(dst, p.Headers)
}

func appendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

func appendFields(dst []byte, fields []Field) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(fields)))
	for i := range fields {
		dst = appendString(appendString(dst, fields[i].Name), fields[i].Value)
	}
	return dst
}

// Digest is the BLAKE3 digest of an encoded key.
func Digest(key []byte) [32]byte { return blake3.Sum256(key) }

// Canonical is the request that the origin is sent for a fill. It is a function
// of the key's parts and of Varying alone.
type Canonical struct {
	Method, Scheme, Host, EscapedPath, RawQuery string
	ForceQuery                                  bool
	Header                                      http.Header
	// OriginalPath is for handlers that ask what was there before a rewrite.
	OriginalPath string
	// Root and FileSystem are for handlers that answer with files.
	Root, FileSystem string
}

// What every canonical request says of itself. An origin that chooses by these
// sees one and the same visitor at every fill.
const (
	// FillUserAgent is the User-Agent of every canonical request.
	FillUserAgent   = "Cacheward"
	canonicalAccept = "*/*"
	// The store holds identity bytes; they are compressed on their way out.
	canonicalEncoding = "identity"
)

// Canonical makes the canonical request. It is the only place where one is made,
// and it begins with nothing: what is not a part of the key is not in it.
func (p *Parts) Canonical() Canonical {
	c := Canonical{
		Method:      http.MethodGet,
		Scheme:      p.Scheme,
		Host:        p.Host,
		EscapedPath: p.EscapedPath,
		RawQuery:    strings.Join(p.Params, "&"),
		ForceQuery:  p.EmptyQuery,

		OriginalPath: p.OriginalPath,
		Root:         p.Root,
		FileSystem:   p.FileSystem,
		Header: http.Header{
			"User-Agent":      {FillUserAgent},
			"Accept":          {canonicalAccept},
			"Accept-Encoding": {canonicalEncoding},
		},
	}
	if len(p.Cookies) > 0 {
		pairs := make([]string, len(p.Cookies))
		for i, f := range p.Cookies {
			pairs[i] = f.Name + "=" + f.Value
		}
		c.Header["Cookie"] = []string{strings.Join(pairs, "; ")}
	}
	for _, fields := range [...][]Field{p.Headers, p.Varying} { // no name is in both
		for _, f := range fields {
			c.Header[f.Name] = []string{f.Value}
		}
	}
	return c
}
