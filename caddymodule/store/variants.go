package store

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/zeebo/blake3"
)

const (
	// MaxVariants is how many variants a key can have. One more, and the one that
	// was stored longest ago is dropped.
	MaxVariants = 64

	// MaxVaryNames is how many request fields can choose among a key's variants.
	MaxVaryNames = 16
)

var (
	// ErrTooManyNames is why a response was not stored: with it, more than
	// [MaxVaryNames] request fields would choose among the variants of its key.
	ErrTooManyNames = errors.New("too many request fields choose among the variants")

	// ErrReplaced is why an update was not stored: the object that it updates is not
	// the one that is stored any more.
	ErrReplaced = errors.New("what was to be updated is not stored any more")

	// ErrSelecting is why a response was not stored: more request fields than choose
	// among the variants of its key may have made it what it is.
	ErrSelecting = errors.New("chosen by request fields that choose among no variants of its key")

	// ErrVaryAny is why a response was not stored: its Vary has a "*", so that no
	// later request ever matches (RFC 9111 §4.1).
	ErrVaryAny = errors.New("vary of * matches no request")
)

// Variants is the index of a key that has variants: which request fields choose
// among them (RFC 9111 §4.1). It is immutable once stored.
type Variants struct {
	// Names of the request fields, canonical and sorted, each once: all that the
	// Vary of any of the responses named.
	Names []string
	// Epoch is random and part of every variant's key. A new one makes all
	// variants unreachable, which new names do.
	Epoch [8]byte
	// Keys of the variants, stored last at the end. Some may be gone.
	Keys []Key
}

// Selecting is a request field that Vary named, as it chose a response.
type Selecting struct {
	Name, Value string
	// Sent is false where the field was absent, which is not the same as empty.
	Sent bool
}

// Sent is the value of a request field as it was, or would be, sent to the origin,
// normalised where that is allowed (RFC 9111 §4.1); ok is false if the field is
// not sent. The name is canonical.
type Sent func(name string) (value string, ok bool)

// SelectedBy reports whether the object may answer a request that would be sent
// so: all its selecting fields match (RFC 9111 §4.1). An object that has none always
// may.
func (o *Object) SelectedBy(sent Sent) bool {
	for i := range o.Selecting {
		f := &o.Selecting[i]
		value, ok := sent(f.Name)
		if ok != f.Sent || ok && value != f.Value {
			return false
		}
	}
	return true
}

// Select returns the object of a key that may answer a request that would be sent
// as sent says; nil if there is none. The object is shared: the caller must not
// change it. At is the key under which it is stored, or would be: another one than
// primary where variants are known, so that nil means that none of them matches
// (RFC 9211 §2.2, vary-miss). An error means what it means in [Store].
//
// It looks up once where there are no variants, allocating nothing, and else twice.
func Select(s Store, primary Key, parts []byte, sent Sent) (o *Object, at Key, err error) {
	o, err = s.Get(primary, parts)
	switch {
	case err != nil || o == nil:
		return nil, primary, err
	case o.Variants == nil && o.SelectedBy(sent):
		return o, primary, nil
	case o.Variants == nil:
		return nil, primary, nil
	}
	v := o.Variants
	at = v.key(primary, sent)
	o, err = s.Get(at, parts)
	// The digest is compared by what it was made of, so that two variants with
	// one digest are a miss.
	if err != nil || o == nil || len(o.Selecting) != len(v.Names) || !o.SelectedBy(sent) {
		return nil, at, err
	}
	return o, at, nil
}

// key is the key of the variant for a request that would be sent so: a digest over
// the primary key, the epoch, and of each name whether it is sent and its value.
func (v *Variants) key(primary Key, sent Sent) Key {
	var buffer [512]byte // most requests fit, and need no allocation
	b := append(buffer[:0], primary[:]...)
	b = append(b, v.Epoch[:]...)
	for _, name := range v.Names {
		b = appendString(b, name)
		value, ok := sent(name)
		if !ok {
			b = append(b, 0)
			continue
		}
		b = appendString(append(b, 1), value)
	}
	return blake3.Sum256(b)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// Admit stores o, whose Key is the primary key of the request, as an answer to the
// requests that it may answer: all, if neither its Vary (names) nor that of any
// response stored for the key names a field; else those that are sent like its own
// (RFC 9111 §4.1). A response that leaves out the Vary that others of its key had
// is a variant all the same.
//
// Where it is a variant, Admit sets o.Selecting and makes o.Key the variant's,
// also if an error is returned then; o must not be shared yet. A name that the
// index does not have yet drops all variants that were chosen without it.
//
// Where o.Selecting is set already, o answers only requests that are sent so, whatever
// its Vary names: an error that something in the request may have caused.
//
// Instead, where given, is the stored object that o is an update of. If it is not
// there any more, or was revoked ([Store.Revoked]), o is not stored: what it was updated
// from has been replaced, or dropped for a reason.
//
// It returns [ErrReplaced], [ErrTooManyNames], [ErrSelecting], [ErrVaryAny], or what the store
// returns; o is not reachable then. All who admit to or drop from one store must use
// the same locks.
func Admit(s Store, locks *KeyLocks, o, instead *Object, names []string, sent Sent) error {
	primary := o.Key
	mu := locks.of(primary)
	mu.Lock()
	defer mu.Unlock()

	if instead != nil {
		there, err := s.Get(instead.Key, []byte(o.Parts))
		if err != nil {
			return err
		}
		if there == nil || there.ID != instead.ID || !there.Received.Equal(instead.Received) {
			return ErrReplaced
		}
		// It may be there only because a purge has not come to it yet. The update was
		// requested after that purge, so Put would have it: what is purged would be back.
		if s.Revoked(there) {
			return ErrReplaced
		}
	}
	last, err := s.Get(primary, []byte(o.Parts))
	if err != nil {
		return err
	}
	if last != nil && last.Variants == nil {
		last = nil // an object that is to be replaced
	}
	if last == nil && len(names) == 0 {
		return s.Put(o)
	}
	v, outdated, err := nextIndex(last, names)
	if err != nil {
		return err
	}
	for i := range o.Selecting {
		if !slices.Contains(v.Names, o.Selecting[i].Name) {
			return ErrSelecting
		}
	}
	o.Key = v.key(primary, sent)
	o.Selecting = make([]Selecting, len(v.Names))
	for i, name := range v.Names {
		value, ok := sent(name)
		o.Selecting[i] = Selecting{name, value, ok}
	}
	if err := s.Put(o); err != nil {
		return err
	}
	outdated = append(outdated, v.add(o.Key)...)
	if err := put(s, v.object(primary, o, last), outdated); err != nil {
		// In no index, it would not count as one of the variants.
		return errors.Join(err, s.Delete(o.Key))
	}
	return nil
}

// put stores an index once what it no longer lists is gone.
func put(s Store, index *Object, outdated []Key) error {
	for _, key := range outdated {
		if err := s.Delete(key); err != nil {
			return err
		}
	}
	return s.Put(index)
}

// Drop removes what is stored at a key that [Select] returned for the primary one:
// one variant, or, at the primary key itself, all there is. Use it and not
// [Store.Delete]: nothing that is being admitted at the same time brings it back.
func Drop(s Store, locks *KeyLocks, primary, at Key, parts []byte) error {
	mu := locks.of(primary)
	mu.Lock()
	defer mu.Unlock()
	if at != primary {
		return s.Delete(at)
	}
	o, err := s.Get(primary, parts)
	// The index first: without it, no variant is reachable.
	err = errors.Join(err, s.Delete(primary))
	if o != nil && o.Variants != nil {
		for _, key := range o.Variants.Keys {
			err = errors.Join(err, s.Delete(key))
		}
	}
	return err
}

// nextIndex returns a new index for the names of the last one (nil: there is none)
// and those given, and the keys of the variants that new names make unreachable.
func nextIndex(last *Object, names []string) (v *Variants, outdated []Key, err error) {
	union := make([]string, 0, len(names))
	for _, name := range names {
		if name == "*" {
			return nil, nil, ErrVaryAny
		}
		union = append(union, http.CanonicalHeaderKey(name))
	}
	if last != nil {
		union = append(union, last.Variants.Names...)
	}
	slices.Sort(union)
	union = slices.Compact(union)
	if len(union) > MaxVaryNames {
		return nil, nil, fmt.Errorf("%w: %d, at most %d", ErrTooManyNames, len(union), MaxVaryNames)
	}
	if last != nil && len(union) == len(last.Variants.Names) {
		next := *last.Variants
		next.Keys = slices.Clone(next.Keys) // the last index is read by others
		return &next, nil, nil
	}
	v = &Variants{Names: slices.Clip(union)}
	_, _ = rand.Read(v.Epoch[:]) // never fails: see crypto/rand
	if last != nil {
		outdated = slices.Clone(last.Variants.Keys)
	}
	return v, outdated, nil
}

// add makes key the last of the keys, and returns those that are too many.
func (v *Variants) add(key Key) (surplus []Key) {
	v.Keys = slices.DeleteFunc(v.Keys, func(k Key) bool { return k == key })
	v.Keys = append(v.Keys, key)
	if n := len(v.Keys) - MaxVariants; n > 0 {
		surplus, v.Keys = v.Keys[:n], slices.Clone(v.Keys[n:])
	}
	return surplus
}

// object is the index as it is stored, with o as its newest variant. It lasts as
// long as the longest of them and goes when the URI of the first is invalidated,
// which is that of all; what else a variant is invalidated by leaves the others
// alone. It counts as requested when o was: what o comes too late for, so does it.
func (v *Variants) object(primary Key, o, last *Object) *Object {
	index := &Object{
		Key: primary, Parts: strings.Clone(o.Parts), Route: o.Route,
		Requested: o.Requested, Received: o.Received, Generation: o.Generation,
		Keep:     o.UsableUntil().Sub(o.Received),
		Variants: v,
	}
	if last == nil {
		for _, tag := range o.Tags {
			if tag.Is(TagURI) {
				index.Tags = append(index.Tags, tag)
			}
		}
		return index
	}
	index.Tags = last.Tags
	index.Keep = max(index.Keep, last.KeptUntil().Sub(o.Received))
	return index
}
