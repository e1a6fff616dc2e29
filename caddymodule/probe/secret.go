package probe

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
)

// MinSecret is how many bytes a secret must have at least.
const MinSecret = 16

// Secret is what the prober and the edges behind share. It may be used concurrently.
type Secret struct {
	mac  []byte
	aead cipher.AEAD
}

// NewSecret makes the keys out of a text that both have. The text is a random one, such
// as openssl rand -base64 32 prints: it is used as it is, without slowing guesses down.
func NewSecret(text string) (*Secret, error) {
	if len(text) < MinSecret {
		return nil, fmt.Errorf("the secret of probes has %d bytes; at least %d random ones are needed (openssl rand -base64 32)", len(text), MinSecret)
	}
	derive := func(purpose string) ([]byte, error) {
		return hkdf.Key(sha256.New, []byte(text), nil, "cacheward probe 1 "+purpose, 32)
	}
	mac, err := derive("signature")
	if err != nil {
		return nil, err
	}
	key, err := derive("receipt")
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &Secret{mac: mac, aead: aead}, nil
}

func (s *Secret) hash() hash.Hash { return hmac.New(sha256.New, s.mac) }
