package attribution

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	landingBytes = 16
	hostBytes    = 16           // of a SHA-256
	maxTime      = 253402300799 // the last second of the year 9999

	// maxFraming bounds what stands in a cookie beside values and Referer, in bytes: what
	// Codec puts around the payload, host, landing, three bytes of lengths for each value and
	// for the Referer, two times and the flag.
	maxFraming = headBytes + nonceBytes + tagBytes + hostBytes + landingBytes + 2*binary.MaxVarintLen64 + 2 + 3*(MaxValues+1)
	// maxContent is what is left for them.
	maxContent = MaxCookie*3/4 - maxFraming
)

// The payload of a cookie: host, landing, when, expires, paid, referer, values. Numbers are
// varints, texts have their length before them.

// appendPayload fails for what Read never returns.
func appendPayload(b []byte, t Touch, host string, expires time.Time) ([]byte, error) {
	landing, err := base64.RawURLEncoding.Strict().DecodeString(t.Landing)
	switch {
	case err != nil || len(landing) != landingBytes:
		return nil, fmt.Errorf("landing is %.40q; 128 bits in base64url were expected", t.Landing)
	case !inTime(t.At) || !inTime(expires):
		return nil, fmt.Errorf("visited %s, expires %s: the years 1970 to 9999 were expected", t.At, expires)
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	digest := hostDigest(host)
	b = append(append(b, digest[:]...), landing...)
	b = binary.AppendUvarint(b, uint64(t.At.Unix()))
	b = binary.AppendUvarint(b, uint64(expires.Unix()))
	b = append(b, paidByte(t.Paid))
	b = appendText(b, t.Referer)
	b = append(b, byte(len(t.Values)))
	for _, v := range t.Values {
		b = appendText(appendText(b, v.Name), v.Value)
	}
	return b, nil
}

func inTime(t time.Time) bool { return t.Unix() >= 0 && t.Unix() <= maxTime }

func paidByte(paid bool) byte {
	if paid {
		return 1
	}
	return 0
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// check holds a touch against the bounds.
func (t *Touch) check() error {
	if len(t.Values) > MaxValues {
		return fmt.Errorf("%d values; at most %d were expected", len(t.Values), MaxValues)
	}
	for i, v := range t.Values {
		switch {
		case v.Name == "" || len(v.Name) > MaxName || !isText(v.Name):
			return fmt.Errorf("value %d is named %.80q; 1 to %d bytes of text were expected", i, v.Name, MaxName)
		case v.Value == "" || len(v.Value) > MaxValue || !isText(v.Value):
			return fmt.Errorf("value %d is %.80q; 1 to %d bytes of text were expected", i, v.Value, MaxValue)
		}
	}
	if len(t.Referer) > MaxReferer || !isVisible(t.Referer) {
		return fmt.Errorf("referer is %.80q; at most %d visible bytes of ASCII were expected", t.Referer, MaxReferer)
	}
	if n := t.size(); n > maxContent {
		return fmt.Errorf("values and referer have %d bytes; at most %d were expected", n, maxContent)
	}
	return nil
}

func isVisible(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// hostDigest stands for the host, without its port: a cookie has the same length on all.
func hostDigest(host string) (d [hostBytes]byte) {
	sum := sha256.Sum256([]byte(strings.ToLower(bareHost(host))))
	copy(d[:], sum[:])
	return d
}

var errPayload = errors.New("no payload")

// payload reads one from its beginning. After an error all that it returns is zero.
type payload struct {
	rest []byte
	err  error
}

// readPayload checks everything, though only what appendPayload wrote is authentic.
func readPayload(b []byte) (t Touch, host [hostBytes]byte, expires time.Time, err error) {
	p := &payload{rest: b}
	copy(host[:], p.bytes(hostBytes))
	t.Landing = base64.RawURLEncoding.EncodeToString(p.bytes(landingBytes))
	t.At, expires = p.time(), p.time()
	switch p.byte() {
	case 0:
	case 1:
		t.Paid = true
	default:
		p.err = errPayload
	}
	t.Referer = p.text(MaxReferer)
	if n := int(p.byte()); n > MaxValues {
		p.err = errPayload
	} else if n > 0 {
		t.Values = make([]Value, n)
		for i := range t.Values {
			t.Values[i] = Value{p.text(MaxName), p.text(MaxValue)}
		}
	}
	if p.err == nil && len(p.rest) > 0 {
		p.err = errPayload
	}
	if p.err == nil {
		p.err = t.check()
	}
	if p.err != nil {
		return Touch{}, host, time.Time{}, p.err
	}
	return t, host, expires, nil
}

func (p *payload) bytes(n int) []byte {
	if p.err != nil || n > len(p.rest) {
		p.err = errPayload
		return nil
	}
	b := p.rest[:n]
	p.rest = p.rest[n:]
	return b
}

func (p *payload) byte() byte {
	if b := p.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (p *payload) number(most uint64) uint64 {
	n, length := binary.Uvarint(p.rest)
	if p.err != nil || length <= 0 || n > most {
		p.err = errPayload
		return 0
	}
	p.rest = p.rest[length:]
	return n
}

func (p *payload) time() time.Time { return time.Unix(int64(p.number(maxTime)), 0).UTC() }

func (p *payload) text(most uint64) string { return string(p.bytes(int(p.number(most)))) }
