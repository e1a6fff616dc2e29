package attribution

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// A cookie's value is base64url without padding of
//
//	version (1 byte) | flags (1) | key id (4) | payload | tag (16)           signed
//	version (1 byte) | flags (1) | key id (4) | nonce (12) | ciphertext, tag (16)  sealed
//
// The tag of a signed one is HMAC-SHA256, cut to 128 bits, over all that stands before it.
// A sealed one is AES-256-GCM with a random nonce; version, flags and key id are its
// additional data. The two have keys of their own, so that neither passes for the other.
// The payload names the host.
const (
	version    = 1
	flagSealed = 1

	headBytes  = 2 + idBytes
	nonceBytes = 12
	tagBytes   = 16
)

// Codec makes and reads the cookie that carries a touch. It is safe for concurrent use.
type Codec struct{ keys *Keys }

// NewCodec returns a codec that works with the keys, which must be open.
func NewCodec(keys *Keys) *Codec { return &Codec{keys} }

// Seal returns the cookie's value for a touch that counts until expires on the host, whose
// port does not matter: signed, or with encrypt, sealed, so that visitors cannot read it.
// Times are kept to the second. It has at most MaxCookie bytes, all of which may stand in
// a cookie. It fails for a touch that Read would not have returned: without a landing or
// beyond the bounds.
func (c *Codec) Seal(t Touch, host string, expires time.Time, encrypt bool) (string, error) {
	key := c.keys.ring.Load().signing(time.Now())
	b := make([]byte, 0, maxFraming+t.size())
	b = append(append(b, version, 0), key.id[:]...)
	if !encrypt {
		b, err := appendPayload(b, t, host, expires)
		if err != nil {
			return "", fmt.Errorf("attribution that cannot be carried: %w", err)
		}
		return encode(key.sign(b, b))
	}
	b[1] = flagSealed
	plain, err := appendPayload(nil, t, host, expires)
	if err != nil {
		return "", fmt.Errorf("attribution that cannot be carried: %w", err)
	}
	nonce := b[headBytes : headBytes+nonceBytes]
	rand.Read(nonce)
	return encode(key.aead.Seal(b[:headBytes+nonceBytes], nonce, plain, b[:headBytes]))
}

func encode(b []byte) (string, error) {
	if base64.RawURLEncoding.EncodedLen(len(b)) > MaxCookie {
		return "", errors.New("attribution that cannot be carried: the cookie would be too long")
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// Open returns the touch that a cookie's value carries and when it ends to count; or what is
// wrong with the value, and nothing else. Which it is, is asked in this order: Malformed,
// Forged, Foreign, Expired. What is longer than MaxCookie is not looked at. A value whose
// key is not known waits, for two seconds at most, while the keys are read again.
func (c *Codec) Open(text, host string, now time.Time) (Touch, time.Time, Problem) {
	b, problem := decode(text)
	if problem != "" {
		return Touch{}, time.Time{}, problem
	}
	key := c.keys.find([idBytes]byte(b[2:headBytes]), now)
	if key == nil {
		return Touch{}, time.Time{}, Forged
	}
	plain, ok := key.open(b)
	if !ok {
		return Touch{}, time.Time{}, Forged
	}
	t, from, expires, err := readPayload(plain)
	switch {
	case err != nil:
		return Touch{}, time.Time{}, Malformed
	case from != hostDigest(host):
		return Touch{}, time.Time{}, Foreign
	case !now.Before(expires):
		return Touch{}, time.Time{}, Expired
	}
	return t, expires, ""
}

// decode returns the bytes of a value whose version and flags are known.
func decode(text string) ([]byte, Problem) {
	if len(text) > MaxCookie {
		return nil, Malformed
	}
	// The package skips line breaks: two texts would stand for one value.
	for i := range len(text) {
		if text[i] < ' ' {
			return nil, Malformed
		}
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < headBytes+tagBytes || b[0] != version || b[1]&^flagSealed != 0 {
		return nil, Malformed
	}
	if b[1] == flagSealed && len(b) < headBytes+nonceBytes+tagBytes {
		return nil, Malformed
	}
	return b, ""
}

// open returns the payload of what the key has made.
func (k *key) open(b []byte) ([]byte, bool) {
	head := b[:headBytes]
	if b[1] == flagSealed {
		body := b[headBytes:]
		plain, err := k.aead.Open(nil, body[:nonceBytes], body[nonceBytes:], head)
		return plain, err == nil
	}
	signed := b[:len(b)-tagBytes]
	if !hmac.Equal(k.sign(nil, signed), b[len(signed):]) {
		return nil, false
	}
	return signed[headBytes:], true
}

// sign appends the tag of the message.
func (k *key) sign(b, message []byte) []byte {
	mac := k.macs.Get().(*mac)
	defer k.macs.Put(mac)
	mac.Reset()
	mac.Write(message)
	sum := mac.Sum(mac.room[:0])
	return append(b, sum[:tagBytes]...)
}
