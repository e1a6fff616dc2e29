package probe

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"
)

// SignatureField is the request header field that marks a probe. An edge that knows the
// secret removes it before anything looks at the request, so that a probe is judged like
// the visitor that it plays.
const SignatureField = "Cacheward-Probe"

// Nonce names one request. It is used once.
type Nonce string

// NewNonce draws one.
func NewNonce() Nonce {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return Nonce(base64.RawURLEncoding.EncodeToString(b[:]))
}

const nonceLength = 16 // of its text

// Sign returns the field's value for a request with that nonce. It does not bind the URL
// or fields: caches on the way may change them, and that they do is what the receipt is to
// tell. The nonce is good for one request, within Window of now.
func (s *Secret) Sign(n Nonce, now time.Time) string {
	signed := "v1." + strconv.FormatInt(now.Unix(), 10) + "." + string(n)
	return signed + "." + s.tag(signed)
}

func (s *Secret) tag(signed string) string {
	h := s.hash()
	h.Write([]byte(signed))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18])
}

// Window is by how much the clocks of prober and edge may differ, both ways.
const Window = time.Minute

// maxRemembered bounds the nonces that are remembered. Beyond it, probes are ordinary
// requests until older nonces are too old to be good.
const maxRemembered = 16384

// Verifier knows which nonces have been used. It may be used concurrently.
type Verifier struct {
	secret *Secret
	mu     sync.Mutex
	used   map[Nonce]time.Time // when it stops being good
	// swept is when those that stopped being good were last forgotten.
	swept time.Time
}

// NewVerifier returns one that has seen no nonce.
func NewVerifier(s *Secret) *Verifier { return &Verifier{secret: s, used: make(map[Nonce]time.Time)} }

// Why a request gets no receipt.
var (
	ErrUnsigned = errors.New("no valid signature of a probe")
	ErrExpired  = errors.New("the probe's signature is too old or of the future")
	ErrReplayed = errors.New("the probe's signature has been used")
	ErrBusy     = errors.New("too many probes at a time")
)

// Verify returns the nonce of a valid signature that has not been used before, and
// remembers it as used.
func (v *Verifier) Verify(value string, now time.Time) (Nonce, error) {
	n, at, err := v.secret.read(value)
	if err != nil {
		return "", err
	}
	if now.Sub(at).Abs() > Window {
		return "", ErrExpired
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if now.Sub(v.swept).Abs() > Window {
		for old, until := range v.used {
			if now.After(until) {
				delete(v.used, old)
			}
		}
		v.swept = now
	}
	if _, used := v.used[n]; used {
		return "", ErrReplayed
	}
	if len(v.used) >= maxRemembered {
		return "", ErrBusy
	}
	// A second more than it is good for: its time is in whole seconds.
	v.used[n] = at.Add(Window + time.Second)
	return n, nil
}

// read checks the tag and returns what was signed.
func (s *Secret) read(value string) (Nonce, time.Time, error) {
	signed, tag, ok := cutLast(value, ".")
	if !ok || !hmac.Equal([]byte(tag), []byte(s.tag(signed))) {
		return "", time.Time{}, ErrUnsigned
	}
	// What is signed was written by Sign.
	parts := strings.Split(signed, ".")
	if len(parts) != 3 || parts[0] != "v1" || len(parts[2]) != nonceLength {
		return "", time.Time{}, ErrUnsigned
	}
	seconds, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return "", time.Time{}, ErrUnsigned
	}
	return Nonce(parts[2]), time.Unix(seconds, 0), nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+len(sep):], true
}
