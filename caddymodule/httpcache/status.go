package httpcache

import (
	"net/http"
	"strconv"
	"time"
)

// Status is what one cache reports of one request in Cache-Status (RFC 9211).
type Status struct {
	// Hit: the response came from the store. The fields about forwarding are
	// not written then.
	Hit bool
	// Fwd is why the request went forward: bypass, method, uri-miss,
	// vary-miss, miss, request, stale or partial (§2.2).
	Fwd string
	// FwdStatus is the status that the origin answered with; 0 is not written.
	FwdStatus int
	// TTL is how much of the lifetime is left, negative when it is over. It is
	// written with HasTTL.
	TTL    time.Duration
	HasTTL bool
	// Stored: the response was stored. Collapsed: the request shared another
	// one's going forward.
	Stored, Collapsed bool
	// Detail is a code of our own, such as a reason.
	Detail string
}

// cacheName is how Cacheward calls itself in Cache-Status.
const cacheName = "Cacheward"

// Append adds the status to h after what caches nearer to the origin said: the
// field is a list over all of its lines (RFC 9211 §2).
func (s Status) Append(h http.Header) {
	h["Cache-Status"] = append(h["Cache-Status"], string(s.AppendText(make([]byte, 0, 128))))
}

// AppendText appends the status as one line of the field has it.
func (s Status) AppendText(b []byte) []byte {
	b = append(b, cacheName...)
	if s.Hit {
		b = append(b, "; hit"...)
	} else {
		b = s.appendForward(b)
	}
	if s.HasTTL {
		b = append(b, "; ttl="...)
		b = strconv.AppendInt(b, int64(s.TTL/time.Second), 10)
	}
	if s.Detail != "" {
		b = append(b, "; detail="...)
		b = appendItem(b, s.Detail)
	}
	return b
}

func (s Status) appendForward(b []byte) []byte {
	if s.Fwd != "" {
		b = append(b, "; fwd="...)
		b = appendItem(b, s.Fwd)
	}
	if s.FwdStatus != 0 {
		b = append(b, "; fwd-status="...)
		b = strconv.AppendInt(b, int64(s.FwdStatus), 10)
	}
	if s.Stored {
		b = append(b, "; stored"...)
	}
	if s.Collapsed {
		b = append(b, "; collapsed"...)
	}
	return b
}

// appendItem writes s as a token, or as a string where it is none (RFC 9651
// §4.1.7, §4.1.6). What cannot stand in a string becomes a question mark.
func appendItem(b []byte, s string) []byte {
	if sfToken(s) {
		return append(b, s...)
	}
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~':
			b = append(b, '?')
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

func sfToken(s string) bool {
	if s == "" || !(s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z' || s[0] == '*') {
		return false
	}
	for i := range len(s) {
		if !tokenByte(s[i]) && s[i] != ':' && s[i] != '/' {
			return false
		}
	}
	return true
}
