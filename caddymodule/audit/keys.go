package audit

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zeebo/blake3"
)

// How long a key is used.
const (
	DefaultRotate = 24 * time.Hour
	MinRotate     = time.Hour
)

// Vault keeps a key. Both methods may be called by whoever writes a record, so they
// must not take long; never two at a time.
type Vault interface {
	// Load returns what was saved last, or nil if there is nothing.
	Load() ([]byte, error)
	Save([]byte) error
}

// Keys make the pseudonyms of visitors and the digests of values. There is one key at a
// time. With the first record after its time is over, a new one is drawn and takes its
// place, in memory and in the vault: what was made with the old one cannot be made again
// by anybody, so guesses about it cannot be tested any more.
//
// Keys are safe for concurrent use.
type Keys struct {
	rotate  time.Duration
	current atomic.Pointer[key]

	mu    sync.Mutex // held while a key is being replaced
	vault Vault
	warn  func(error)
}

// key is one of them.
type key struct {
	id      string // four hexadecimal digits
	begins  time.Time
	ends    time.Time
	digests sync.Pool // of *digests
	secret  [keySize]byte
}

const keySize = 32

// NewKeys returns the keys of the vault: the key that it holds, or a new one if there is
// none or its time is over. A key is used for rotate at most: at multiples of that in
// UTC, midnight for a day, there is a new one. Zero means [DefaultRotate]; less than
// [MinRotate] is taken for that.
//
// The vault is not asked before a key is needed, or [Keys.Open] is called: who only looks
// whether a configuration is right must leave nothing in it.
//
// What goes wrong with the vault is told to warn, which may be nil, and a key that is
// held in memory alone is used. A nil vault keeps nothing.
func NewKeys(vault Vault, rotate time.Duration, warn func(error)) *Keys {
	if rotate == 0 {
		rotate = DefaultRotate
	}
	if warn == nil {
		warn = func(error) {}
	}
	return &Keys{rotate: max(rotate, MinRotate), vault: vault, warn: warn}
}

// Open takes the key out of the vault, or puts a new one into it, so that the first
// record does not have to wait for that.
func (k *Keys) Open() { k.at(time.Now()) }

// HashValue is how a query value that is not plain stands in records that are written
// now: "h:" and 12 hexadecimal digits of its keyed digest. The value is the decoded
// one, so that its spelling makes no difference.
func (k *Keys) HashValue(value string) string {
	key := k.at(time.Now())
	digests := key.digests.Get().(*digests)
	defer key.digests.Put(digests)
	return string(appendHash(nil, digests.values, value))
}

// Visitor is the pseudonym in records that are written now of who has the address and
// the marks (see [Record]): four hexadecimal digits that name the key, a hyphen, and 12
// of the visitor's. It is empty if both are.
func (k *Keys) Visitor(address, marks string) string {
	if address == "" && marks == "" {
		return ""
	}
	key := k.at(time.Now())
	digests := key.digests.Get().(*digests)
	defer key.digests.Put(digests)
	return digests.visitor(key.id, address, marks)
}

// at is the key for a record of that time. The record may be older than the key.
func (k *Keys) at(t time.Time) *key {
	if current := k.current.Load(); current != nil && t.Before(current.ends) {
		return current
	}
	return k.replace(t)
}

// replace takes the key of the vault, or draws a new one, unless there is one by now.
func (k *Keys) replace(now time.Time) *key {
	k.mu.Lock()
	defer k.mu.Unlock()
	if current := k.current.Load(); current != nil && now.Before(current.ends) {
		return current
	}
	// Another process that uses the same vault may have been here before.
	next, err := k.load(now)
	if err != nil {
		k.warn(fmt.Errorf("the stored key of audit records is not used, a new one is: %w", err))
	}
	if next == nil {
		next = k.draw(now)
		if err := k.save(next); err != nil {
			k.warn(fmt.Errorf("the key of audit records could not be stored; after a restart visitors have other pseudonyms: %w", err))
		}
	}
	k.current.Store(next)
	return next
}

// draw makes a new key for the time.
func (k *Keys) draw(now time.Time) *key {
	var random [2 + keySize]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand.Read
	if old := k.current.Load(); old != nil && old.id == hex.EncodeToString(random[:2]) {
		random[0] ^= 1 // the key before it has another id
	}
	return k.keyOf(hex.EncodeToString(random[:2]), [keySize]byte(random[2:]), k.period(now))
}

// period is the beginning of the key's time that t is in.
func (k *Keys) period(t time.Time) time.Time { return t.UTC().Truncate(k.rotate) }

func (k *Keys) keyOf(id string, secret [keySize]byte, begins time.Time) *key {
	made := &key{id: id, secret: secret, begins: begins, ends: k.period(begins).Add(k.rotate)}
	values, visitors := subkey("values", secret), subkey("visitors", secret)
	made.digests.New = func() any { return &digests{values: newHasher(values), visitors: newHasher(visitors)} }
	return made
}

// subkey is a key for one purpose: nothing that is made with it can be compared with
// what is made for another.
func subkey(purpose string, secret [keySize]byte) (sub [keySize]byte) {
	blake3.DeriveKey("cacheward 2026-11 audit records: "+purpose, secret[:], sub[:])
	return sub
}

// digests makes digests with the subkeys of one key. It is used by one at a time.
type digests struct {
	values, visitors *blake3.Hasher
	buffer           []byte
}

// visitor is the pseudonym of who has the address and the marks. Their lengths go into
// it, so that no address and marks look like others.
func (d *digests) visitor(id, address, marks string) string {
	d.visitors.Reset()
	b := d.buffer[:0]
	for _, s := range []string{address, marks} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	_, _ = d.visitors.Write(b) // never fails: blake3.Hasher.Write
	b = append(b[:0], id...)
	b = append(b, '-')
	var sum [32]byte
	b = hex.AppendEncode(b, d.visitors.Sum(sum[:0])[:hashBytes])
	d.buffer = b
	return string(b)
}

// storedKey is a key in the vault.
type storedKey struct {
	Version int       `json:"version"`
	ID      string    `json:"id"`
	Key     string    `json:"key"`
	Begins  time.Time `json:"begins"`
}

const storedVersion = 1

var keyID = regexp.MustCompile(`^[0-9a-f]{4}$`)

// load returns the vault's key if it is one for the time; nil if there is none.
func (k *Keys) load(now time.Time) (*key, error) {
	if k.vault == nil {
		return nil, nil
	}
	data, err := k.vault.Load()
	if err != nil || data == nil {
		return nil, err
	}
	var stored storedKey
	if err := json.Unmarshal(data, &stored); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	secret, err := hex.DecodeString(stored.Key)
	switch {
	case stored.Version != storedVersion:
		return nil, fmt.Errorf("it has version %d, not %d", stored.Version, storedVersion)
	case err != nil || len(secret) != keySize || !keyID.MatchString(stored.ID) || stored.Begins.IsZero():
		return nil, errors.New("it is damaged")
	case stored.Begins.After(now):
		return nil, fmt.Errorf("it begins in the future, at %s", stored.Begins.Format(time.RFC3339))
	case stored.Begins.Before(k.period(now)):
		return nil, nil
	}
	return k.keyOf(stored.ID, [keySize]byte(secret), stored.Begins), nil
}

func (k *Keys) save(key *key) error {
	if k.vault == nil {
		return nil
	}
	data, err := json.Marshal(storedKey{storedVersion, key.id, hex.EncodeToString(key.secret[:]), key.begins})
	if err != nil {
		return err
	}
	return k.vault.Save(data)
}
