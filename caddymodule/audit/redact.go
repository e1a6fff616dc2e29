package audit

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/zeebo/blake3"
)

// Bounds of what a request can put into a record, in bytes before escaping.
const (
	maxMethod = 32
	maxHost   = 255
	maxScheme = 16
	maxPath   = 1024
	maxName   = 64
	maxPlain  = 256
	maxText   = 512
	maxParams = 64
	maxLooked = 10_000 // parameters; no server reads more

	keyBytes  = 8 // of a key's digest: 16 digits
	hashBytes = 6 // of a value's digest: 12 digits

	// Values shorter than this are left alone in free text: "1" and "ja" are
	// nobody's secret, and replacing them would leave nothing of the text.
	minHidden = 4

	// hashMark begins a digest. No name and no plain value in a record has a
	// colon, so nothing that a visitor sends can pass for a digest.
	hashMark = "h:"
)

func newHasher(secret [keySize]byte) *blake3.Hasher {
	hasher, err := blake3.NewKeyed(secret[:])
	if err != nil {
		panic(err) // not reached: 32 bytes are the key's length
	}
	return hasher
}

func appendHash(b []byte, hasher *blake3.Hasher, value string) []byte {
	hasher.Reset()
	_, _ = hasher.WriteString(value) // never fails: blake3.Hasher.WriteString
	var sum [32]byte
	b = append(b, hashMark...)
	return hex.AppendEncode(b, hasher.Sum(sum[:0])[:hashBytes])
}

// redactor writes URLs without the values that are not plain.
type redactor struct {
	values *blake3.Hasher
	plain  func(param string) bool
	// carried: parameters in clear may be ones that are carried, and stand as these are read:
	// with a name and a value as long as they are where every byte of them is encoded, and
	// with a ; for a part of the value.
	carried bool
}

// encoded is how many bytes an encoded one may take.
const encoded = 3

// longest is the bound of a name or of a value in clear.
func (x *redactor) longest(bound int) int {
	if x.carried {
		return encoded * bound
	}
	return bound
}

// url writes the record's URL: scheme, host and path in clear, the query as
// appendQuery does.
func (x *redactor) url(r *Record) string {
	b := make([]byte, 0, len(r.Scheme)+len(r.Host)+len(r.Path)+2*len(r.Query)+32)
	if r.Host != "" {
		b = appendEscaped(b, r.Scheme, maxScheme, inName)
		b = append(b, "://"...)
		b = appendEscaped(b, r.Host, maxHost, inPath)
	}
	b = appendEscaped(b, r.Path, maxPath, inPath)
	if r.Query != "" {
		b = append(b, '?')
		b = x.appendQuery(b, r.Query)
	}
	return string(b)
}

// appendQuery writes a raw query: names in clear, values as digests. Past the first
// maxParams, only parameters that are in clear are written, and no more than maxParams
// of those in all: an attribution must not be lost to what stands before it.
func (x *redactor) appendQuery(b []byte, query string) []byte {
	looked, written, clear := 0, 0, 0
	for pair := range strings.SplitSeq(query, "&") {
		isClear := looked < maxLooked && clear < maxParams && x.isClear(pair)
		looked++
		if isClear {
			clear++
		} else if written >= maxParams {
			continue
		}
		if written++; written > 1 {
			b = append(b, '&')
		}
		b = x.appendPair(b, pair, isClear)
	}
	if left := looked - written; left > 0 {
		b = append(b, "&("...)
		b = strconv.AppendInt(b, int64(left), 10)
		b = append(b, " more)"...)
	}
	return b
}

// isClear reports whether the parameter stands in clear.
func (x *redactor) isClear(pair string) bool {
	name, _, _ := strings.Cut(pair, "=")
	named := hasName(name, pair)
	if x.carried {
		named = len(name) <= encoded*maxName && strings.IndexByte(name, ';') < 0
	}
	return x.plain != nil && pair != "" && named && x.plain(name)
}

// hasName is whether the name can be told to be one. With a ; some parsers see several
// parameters, and nobody names a parameter in more than 64 bytes.
func hasName(name, pair string) bool {
	return len(name) <= maxName && strings.IndexByte(pair, ';') < 0
}

// appendPair writes one parameter. What cannot be told to be a name is taken for a
// value: without an = it may be a bare token.
func (x *redactor) appendPair(b []byte, pair string, clear bool) []byte {
	name, value, assigned := strings.Cut(pair, "=")
	switch {
	case pair == "":
		return b
	case !clear && !hasName(name, pair):
		return appendHash(b, x.values, decoded(pair))
	case !assigned && clear:
		return appendEscaped(b, name, x.longest(maxName), inName)
	case !assigned:
		return appendHash(b, x.values, decoded(name))
	}
	b = appendEscaped(b, name, x.longest(maxName), inName)
	b = append(b, '=')
	switch {
	case value == "":
		return b
	case clear:
		return appendEscaped(b, value, x.longest(maxPlain), inName)
	default:
		return appendHash(b, x.values, decoded(value))
	}
}

// decoded is the value as an app reads it, or as it stands when it cannot be read.
func decoded(s string) string {
	if d, err := url.QueryUnescape(s); err == nil {
		return d
	}
	return s
}

// text is a remark or an error's text, short, and without the values of the query
// that are not plain, should it quote any. All are looked for in the text as it
// came: replacing one by one, a visitor could have one value break another up.
func (x *redactor) text(s, query string) string {
	if strings.Count(query, "&") >= maxParams {
		return "withheld: the query has too many parameters to look for their values here"
	}
	hidden := make([]bool, len(s))
	for pair := range strings.SplitSeq(query, "&") {
		name, value, assigned := strings.Cut(pair, "=")
		if !assigned || strings.Contains(pair, ";") || len(name) > maxName {
			value = pair
		} else if x.plain != nil && x.plain(name) {
			continue
		}
		mark(hidden, s, value)
		mark(hidden, s, decoded(value))
	}
	var b strings.Builder
	for i := range len(s) {
		switch {
		case !hidden[i]:
			b.WriteByte(s[i])
		case i == 0 || !hidden[i-1]:
			b.WriteString("[hidden]")
		}
	}
	if s = b.String(); len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "..."
	}
	return s
}

// mark sets hidden at every byte of every occurrence of value in s.
func mark(hidden []bool, s, value string) {
	if len(value) < minHidden {
		return
	}
	for from, done := 0, 0; ; {
		i := strings.Index(s[from:], value)
		if i < 0 {
			return
		}
		start := from + i
		for done = max(done, start); done < start+len(value); done++ {
			hidden[done] = true
		}
		from = start + 1 // occurrences may overlap
	}
}

// The characters that are written as they are.
var (
	inPath = lettersAnd("-._~!$&'()*+,;=:@/%[]")
	inName = lettersAnd("-._~!$'()*+,@/%[]?")
)

// letters are a set of bytes.
type letters [256]bool

// lettersAnd are letters, digits and what is named beside them. All of them are ASCII.
func lettersAnd(extra string) *letters {
	set := new(letters)
	for _, c := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" + extra {
		set[c] = true
	}
	return set
}

// escaped is s with everything escaped that does not belong into a host or path,
// and cut off after limit bytes.
func escaped(s string, limit int) string {
	if len(s) <= limit && inPath.leading(s) == len(s) {
		return s
	}
	return string(appendEscaped(nil, s, limit, inPath))
}

// leading is how many bytes at the beginning of s are in the set.
func (set *letters) leading(s string) int {
	for i := range len(s) {
		if !set[s[i]] {
			return i
		}
	}
	return len(s)
}

// appendEscaped writes s, percent-encoding control characters, whatever is not
// ASCII, and all else that is not allowed. What exceeds limit becomes "...".
func appendEscaped(b []byte, s string, limit int, allowed *letters) []byte {
	const digits = "0123456789ABCDEF"
	cut := len(s) > limit
	if cut {
		s = s[:limit]
	}
	for s != "" {
		n := allowed.leading(s)
		b = append(b, s[:n]...)
		if s = s[n:]; s != "" {
			b = append(b, '%', digits[s[0]>>4], digits[s[0]&15])
			s = s[1:]
		}
	}
	if cut {
		b = append(b, "..."...)
	}
	return b
}

// visible is an operator's word for something, short, and with what cannot be seen
// written as Go does in strings: it can neither break lines nor move a terminal's cursor
// nor turn the direction of writing.
func visible(s string) string {
	var b []byte
	for i, size := 0, 0; i < len(s); i += size {
		var r rune
		r, size = utf8.DecodeRuneInString(s[i:])
		if i+size > maxText {
			return string(append(b, "..."...))
		}
		switch {
		case r == utf8.RuneError && size == 1:
			b = fmt.Appendf(b, `\x%02x`, s[i])
		case strconv.IsGraphic(r):
			b = append(b, s[i:i+size]...)
		case r > 0xffff:
			b = fmt.Appendf(b, `\U%08x`, r)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return string(b)
}
