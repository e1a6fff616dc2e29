package attribution

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"slices"
	"sync"
	"time"
)

// The life of a key. The next one is published before it signs, so that every process has
// read it by then. With random nonces a key seals 2³² cookies safely; a month is fewer.
const (
	signsFor  = 30 * 24 * time.Hour // then the next one signs
	published = time.Hour           // before it signs
	// keptFor is for how long a key stays in the storage after it has last signed: for the
	// longest window that a policy can have, so that a process with a short one does not
	// take away what another needs.
	keptFor = 400 * 24 * time.Hour
)

const (
	idBytes     = 4
	secretBytes = 32
	keysSchema  = 1
	maxKeys     = 100
)

// savedKeys is what is stored.
type savedKeys struct {
	Schema int        `json:"schema"`
	Keys   []savedKey `json:"keys"`
}

type savedKey struct {
	ID     string    `json:"id"` // in hexadecimal
	Signs  time.Time `json:"signs"`
	Secret []byte    `json:"secret"`
}

// ring is the keys in the order in which they sign, at least one. It is immutable.
type ring struct {
	keys []*key
	keep time.Duration
	// saved is what they were made of, text how it is stored.
	saved savedKeys
	text  []byte
}

// key is safe for concurrent use.
type key struct {
	id    [idBytes]byte
	signs time.Time // from when
	aead  cipher.AEAD
	macs  sync.Pool // of *mac
}

// mac is an HMAC and room for its sum.
type mac struct {
	hash.Hash
	room [sha256.Size]byte
}

// parseKeys reads what is stored. Its errors quote no secret.
func parseKeys(text []byte, keep time.Duration) (*ring, error) {
	var saved savedKeys
	if err := json.Unmarshal(text, &saved); err != nil {
		return nil, fmt.Errorf("it is no JSON of keys: %w", err)
	}
	if saved.Schema != keysSchema {
		return nil, fmt.Errorf("it has schema %d; %d was expected", saved.Schema, keysSchema)
	}
	if n := len(saved.Keys); n == 0 || n > maxKeys {
		return nil, fmt.Errorf("it has %d keys; 1 to %d were expected", n, maxKeys)
	}
	slices.SortStableFunc(saved.Keys, func(a, b savedKey) int { return a.Signs.Compare(b.Signs) })
	r := &ring{keep: keep, saved: saved, text: text}
	for i, s := range saved.Keys {
		k, err := s.derive()
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		if r.byID(k.id) >= 0 {
			return nil, fmt.Errorf("key %d: its id is there twice", i+1)
		}
		r.keys = append(r.keys, k)
	}
	return r, nil
}

// derive makes the two keys for signing and for sealing out of the secret.
func (s *savedKey) derive() (*key, error) {
	k := &key{signs: s.Signs}
	id, err := hex.DecodeString(s.ID)
	switch {
	case err != nil || len(id) != idBytes:
		return nil, fmt.Errorf("its id is %.40q; %d hexadecimal digits were expected", s.ID, 2*idBytes)
	case len(s.Secret) != secretBytes:
		return nil, fmt.Errorf("its secret has %d bytes; %d were expected", len(s.Secret), secretBytes)
	case s.Signs.IsZero():
		return nil, fmt.Errorf("it does not say when it signs; a time as in RFC 3339 was expected")
	}
	copy(k.id[:], id)
	signing, err := hkdf.Key(sha256.New, s.Secret, nil, "cacheward attribution signing 1", secretBytes)
	if err != nil {
		return nil, err
	}
	sealing, err := hkdf.Key(sha256.New, s.Secret, nil, "cacheward attribution sealing 1", secretBytes)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(sealing)
	if err != nil {
		return nil, err
	}
	if k.aead, err = cipher.NewGCM(block); err != nil {
		return nil, err
	}
	k.macs.New = func() any { return &mac{Hash: hmac.New(sha256.New, signing)} }
	return k, nil
}

func (r *ring) byID(id [idBytes]byte) int {
	return slices.IndexFunc(r.keys, func(k *key) bool { return k.id == id })
}

// signing is the key that signs now: the last whose time has come, or where a clock is
// behind, the first.
func (r *ring) signing(now time.Time) *key {
	for _, k := range slices.Backward(r.keys) {
		if !now.Before(k.signs) {
			return k
		}
	}
	return r.keys[0]
}

// verifies says whether what the key at i has made may count still. A key whose time has not
// come verifies, too: another process' clock may be ahead.
func (r *ring) verifies(i int, now time.Time) bool {
	return i+1 == len(r.keys) || now.Before(r.keys[i+1].signs.Add(r.keep))
}

// due says whether the next key has to be published.
func (r *ring) due(now time.Time) bool {
	return !now.Before(r.keys[len(r.keys)-1].signs.Add(signsFor - published))
}

// firstKey is what is stored where there is nothing.
func firstKey(now time.Time) savedKeys {
	return savedKeys{Schema: keysSchema, Keys: []savedKey{newKey(savedKeys{}, now)}}
}

// rotated is what is stored once the next key is due. What no window can need is left out.
func (s savedKeys) rotated(now time.Time) savedKeys {
	next := newKey(s, now.Add(published))
	keys := append(slices.Clone(s.Keys), next)
	for len(keys) > 1 && !now.Before(keys[1].Signs.Add(keptFor)) {
		keys = keys[1:]
	}
	return savedKeys{Schema: keysSchema, Keys: keys}
}

func newKey(s savedKeys, signs time.Time) savedKey {
	for {
		id, secret := make([]byte, idBytes), make([]byte, secretBytes)
		rand.Read(id)
		rand.Read(secret)
		k := savedKey{ID: hex.EncodeToString(id), Signs: signs.UTC().Truncate(time.Second), Secret: secret}
		if !slices.ContainsFunc(s.Keys, func(other savedKey) bool { return other.ID == k.ID }) {
			return k
		}
	}
}
