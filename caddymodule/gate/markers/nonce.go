package markers

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

const (
	// maxNonces is how many nonces of a header are looked for, and maxUses how many
	// places of one are looked at.
	maxNonces = 8
	maxUses   = 64
)

var policyFields = []string{"Content-Security-Policy", "Content-Security-Policy-Report-Only"}

// nonces looks for those that the header has (CSP level 3, §2.3.1 nonce-source).
func (s *scan) nonces(h http.Header) {
	for _, d := range s.table.detectors {
		if d.Value != policies.ValueNonce {
			continue
		}
		n := 0
		for _, field := range policyFields {
			for _, line := range h[field] {
				for rest := line; n < maxNonces; n++ {
					_, after, found := strings.Cut(rest, "'nonce-")
					if !found {
						break
					}
					var nonce string
					nonce, rest, _ = strings.Cut(after, "'")
					s.nonce(d, []byte(nonce), 0, 0)
				}
			}
		}
	}
}

// nonce looks for a place outside of the given one where the body repeats a nonce, as
// an attribute or member of that name.
func (s *scan) nonce(d *detector, nonce []byte, from, to int) {
	if len(nonce) == 0 || !s.spendBytes(len(s.body)/cheap) {
		return
	}
	for at, n := 0, 0; n < maxUses; n++ {
		next := bytes.Index(s.body[at:], nonce)
		if next < 0 {
			return
		}
		at += next
		if end := at + len(nonce); (at < from || at >= to) && isNonceBefore(s.body[:at]) {
			s.add(d, at, end, "nonce")
			return
		}
		at += len(nonce)
	}
}

// isNonceBefore says whether a text breaks off where the value of a nonce begins.
func isNonceBefore(text []byte) bool {
	text = text[max(0, len(text)-32):]
	text = bytes.TrimRight(text, "\\\"' \t\r\n")
	if n := len(text); n == 0 || text[n-1] != '=' && text[n-1] != ':' {
		return false
	}
	text = bytes.TrimRight(text[:len(text)-1], "\\\"' \t\r\n")
	return len(text) >= 5 && bytes.EqualFold(text[len(text)-5:], []byte("nonce"))
}
