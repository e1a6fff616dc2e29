package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/zeebo/blake3"
)

var (
	// ErrForeign is why an object was not read: it is of another format or version, or
	// belongs to another key. It is a miss.
	ErrForeign = errors.New("not an object of this key and format")

	// ErrDamaged is why an object was not read: it is not what was written, or its times
	// make no sense. It is a miss.
	ErrDamaged = errors.New("stored object is damaged")
)

// An object as it is kept outside the process is: wireMagic, one byte of wireVersion, what
// [wireWriter.object] writes, and the BLAKE3 sum of all that. Every text is preceded by its
// length and every list by its number of members; numbers are the shortest varints, so
// that an object has one encoding only.
const (
	wireMagic = "cacheward object"

	// wireVersion is to be raised with any change of what is written or of what it means:
	// an object of another version is not read.
	wireVersion = 1

	wireHead = len(wireMagic) + 1
	wireSum  = 32
)

const (
	// longestAge is how old an object was at most when it was received, when it was
	// written, and between writing and reading: a bit more than the 2³¹ seconds that
	// an Age field can say. The sum of all three is still a duration.
	longestAge = 70 * 365 * 24 * time.Hour
)

// What is true of an object, a bit each.
const (
	wireNoCache = 1 << iota
	wireNeverStale
	wireOnlyWindows
	wireAged
	wireNoTransform
	wireAuthorized
	wireIndex // it has Variants
	wireFlags // the first bit that means nothing
)

// Body says what body belongs to an object whose body is kept apart from it.
type Body struct {
	Size int64    // in bytes
	Sum  [32]byte // BLAKE3
}

// BodyOf describes a body.
func BodyOf(body []byte) Body { return Body{int64(len(body)), blake3.Sum256(body)} }

// Is reports whether body is the one that is described.
func (b Body) Is(body []byte) bool {
	return int64(len(body)) == b.Size && blake3.Sum256(body) == b.Sum
}

// AppendWire appends o without its body and forms to b, as it is kept outside the process.
// Now is the local time, and at the log's clock at that moment, no later than it really is:
// what the two of [ReadWire] are held against.
func (o *Object) AppendWire(b []byte, now, at time.Time) []byte {
	start := len(b)
	w := wireWriter(append(append(b, wireMagic...), wireVersion))
	w.object(o, BodyOf(o.Body), now, at)
	sum := blake3.Sum256(w[start:])
	return append(w, sum[:]...)
}

// ReadWire reads what [Object.AppendWire] wrote, and says what body the object is to be
// given. Key and parts are those asked for; now is the local time, and at the log's clock
// at that moment, no earlier than it really is. It returns [ErrForeign], [ErrDamaged],
// or an object that may be changed until it is shared.
//
// The object's times are local ones. By them it is as old as it was when it was written, and
// by as much older as the log's clock went on since: never younger than it is. Where that
// clock went back, by a minute at most, it counts as standing still. Requested is now, since
// it is from now on that this process hears of what would revoke the object; what
// happened before is for the caller to find out.
func ReadWire(b []byte, key Key, parts []byte, now, at time.Time) (*Object, Body, error) {
	if len(b) < wireHead || string(b[:len(wireMagic)]) != wireMagic {
		return nil, Body{}, ErrForeign
	}
	if version := b[len(wireMagic)]; version != wireVersion {
		return nil, Body{}, fmt.Errorf("%w: version %d, and not %d", ErrForeign, version, wireVersion)
	}
	end := len(b) - wireSum
	if end < wireHead || blake3.Sum256(b[:end]) != [wireSum]byte(b[end:]) {
		return nil, Body{}, fmt.Errorf("%w: its sum is another one", ErrDamaged)
	}
	r := wireReader{rest: string(b[wireHead:end])}
	o, body := r.object(now, at)
	if r.check(r.rest == "", "something follows it"); r.err != nil {
		return nil, Body{}, r.err
	}
	if o.Key != key || o.Parts != string(parts) {
		return nil, Body{}, fmt.Errorf("%w: another key", ErrForeign)
	}
	o.Requested = now
	o.Pack()
	return o, body, nil
}

// wireWriter writes what wireReader reads, in the same order.
type wireWriter []byte

func (w *wireWriter) object(o *Object, body Body, now, at time.Time) {
	w.bytes(o.Key[:])
	w.text(o.Parts)
	w.text(o.ID)
	w.text(o.Route)
	w.number(uint64(o.Status))
	w.number(flagsOf(o))
	w.number(o.Generation)
	w.number(uint64(body.Size))
	w.bytes(body.Sum[:])

	w.signed(at.UnixNano())
	w.signed(int64(o.InitialAge))
	// The monotonic clock stands still while the machine sleeps, and the other one may be
	// set: whichever says that the object is older, counts.
	wall := now.Round(0)
	w.signed(int64(max(0, now.Sub(o.Received), wall.Sub(o.Received))))
	w.signed(int64(min(o.Expires.Sub(now), o.Expires.Sub(wall), o.Expires.Sub(o.Received))))
	w.signed(int64(o.StaleWhileRevalidate))
	w.signed(int64(o.StaleIfError))
	w.signed(int64(o.Keep))

	w.fields(o.Header)
	w.fields(o.Control)
	w.number(uint64(len(o.Selecting)))
	for _, f := range o.Selecting {
		w.text(f.Name)
		w.text(f.Value)
		w.number(bit(f.Sent, 1))
	}
	w.number(uint64(len(o.Tags)))
	for _, tag := range o.Tags {
		w.bytes(tag[:])
	}
	if v := o.Variants; v != nil {
		w.number(uint64(len(v.Names)))
		for _, name := range v.Names {
			w.text(name)
		}
		w.bytes(v.Epoch[:])
		w.number(uint64(len(v.Keys)))
		for _, key := range v.Keys {
			w.bytes(key[:])
		}
	}
}

// fields writes names as text: their numbers are this process's own.
func (w *wireWriter) fields(f Fields) {
	w.number(uint64(f.Len()))
	for name, value := range f.All() {
		w.text(name)
		w.text(value)
	}
}

func (w *wireWriter) bytes(b []byte)  { *w = append(*w, b...) }
func (w *wireWriter) text(s string)   { *w = appendString(*w, s) }
func (w *wireWriter) number(n uint64) { *w = binary.AppendUvarint(*w, n) }
func (w *wireWriter) signed(n int64)  { *w = binary.AppendVarint(*w, n) }

func flagsOf(o *Object) uint64 {
	return bit(o.NoCache, wireNoCache) | bit(o.NeverStale, wireNeverStale) |
		bit(o.OnlyWindows, wireOnlyWindows) | bit(o.Aged, wireAged) |
		bit(o.NoTransform, wireNoTransform) | bit(o.Authorized, wireAuthorized) |
		bit(o.Variants != nil, wireIndex)
}

func bit(is bool, flag uint64) uint64 {
	if is {
		return flag
	}
	return 0
}

// wireReader reads what wireWriter wrote. After the first error everything reads as zero,
// and nothing is left.
type wireReader struct {
	rest string
	err  error
}

func (r *wireReader) object(now, at time.Time) (*Object, Body) {
	o, body := &Object{}, Body{}
	copy(o.Key[:], r.take(len(o.Key)))
	o.Parts = r.text()
	o.ID = r.text()
	o.Route = strings.Clone(r.text()) // Pack sees to those before it
	status := r.number()
	o.Status = int(status)
	flags := r.number()
	r.check(flags < wireFlags, "unknown flags")
	index := flags&wireIndex != 0
	r.check(200 <= status && status <= 999 || index && status == 0, "no status of a response")
	o.NoCache, o.NeverStale = flags&wireNoCache != 0, flags&wireNeverStale != 0
	o.OnlyWindows, o.Aged = flags&wireOnlyWindows != 0, flags&wireAged != 0
	o.NoTransform, o.Authorized = flags&wireNoTransform != 0, flags&wireAuthorized != 0
	o.Generation = r.number()
	size := r.number()
	r.check(size <= math.MaxUint32, "larger than a store can count") // see Memory.Put
	body.Size = int64(size)
	copy(body.Sum[:], r.take(len(body.Sum)))

	elapsed := at.Sub(time.Unix(0, r.signed()))
	r.check(elapsed >= 0, "the log's clock went back")
	elapsed = r.age(max(0, elapsed))
	o.InitialAge = r.age(r.duration())
	o.Received = now.Add(-r.age(r.duration()) - elapsed)
	// An end that is longer ago than a duration can say, as that of an index, which is
	// zero, stays zero.
	if left := r.duration(); left > math.MinInt64+elapsed {
		o.Expires = now.Add(left - elapsed)
	}
	o.StaleWhileRevalidate, o.StaleIfError, o.Keep = r.duration(), r.duration(), r.duration()

	o.Header, o.Control = r.fields(), r.fields()
	o.Selecting = list[Selecting](r.count(3, math.MaxInt))
	for i := range o.Selecting {
		o.Selecting[i] = Selecting{strings.Clone(r.text()), strings.Clone(r.text()), r.bool()}
	}
	o.Tags = list[Tag](r.count(len(Tag{}), math.MaxInt))
	for i := range o.Tags {
		copy(o.Tags[i][:], r.take(len(Tag{})))
	}
	if index {
		o.Variants = r.variants()
	}
	return o, body
}

func (r *wireReader) variants() *Variants {
	v := &Variants{Names: list[string](r.count(1, MaxVaryNames))}
	for i := range v.Names {
		v.Names[i] = strings.Clone(r.text())
	}
	copy(v.Epoch[:], r.take(len(v.Epoch)))
	v.Keys = list[Key](r.count(len(Key{}), MaxVariants))
	for i := range v.Keys {
		copy(v.Keys[i][:], r.take(len(Key{})))
	}
	return v
}

// list is nil where it has no members, as everywhere in an object.
func list[T any](n int) []T {
	if n == 0 {
		return nil
	}
	return make([]T, n)
}

// fields gives names the numbers that they have in this process.
func (r *wireReader) fields() Fields {
	lines := r.count(2, math.MaxInt)
	if lines == 0 {
		return ""
	}
	var buffer [1024]byte // as in FieldsOf
	b := binary.AppendUvarint(buffer[:0], uint64(lines))
	last := ""
	for range lines {
		name, value := r.text(), r.text()
		if r.check(name >= last, "fields are in no order"); r.err != nil {
			return ""
		}
		last = name
		number := names.number(name)
		b = binary.AppendUvarint(b, number)
		if number == 0 {
			b = appendString(b, name)
		}
		b = appendString(b, value)
	}
	return Fields(b)
}

// check notes what is wrong with the object unless it is as it must be.
func (r *wireReader) check(ok bool, wrong string) {
	if !ok && r.err == nil {
		r.err, r.rest = fmt.Errorf("%w: %s", ErrDamaged, wrong), ""
	}
}

// take returns the next n bytes; none if there are not as many.
func (r *wireReader) take(n int) (s string) {
	if r.check(n <= len(r.rest), "it ends too early"); r.err != nil {
		return ""
	}
	s, r.rest = r.rest[:n], r.rest[n:]
	return s
}

func (r *wireReader) text() string { return r.take(r.count(1, math.MaxInt)) }

// count reads how many members of at least so many bytes follow. There are no more than
// the rest has room for, so that what is made for them is not huge either.
func (r *wireReader) count(bytes, most int) int {
	n := r.number()
	if r.check(n <= uint64(min(most, len(r.rest)/bytes)), "a length or number is too large"); r.err != nil {
		return 0
	}
	return int(n)
}

func (r *wireReader) bool() bool {
	n := r.number()
	r.check(n <= 1, "neither true nor false")
	return n == 1
}

func (r *wireReader) number() uint64 {
	var n uint64
	for i := range min(len(r.rest), binary.MaxVarintLen64) {
		c := r.rest[i]
		if c >= 0x80 {
			n |= uint64(c&0x7f) << (7 * i)
			continue
		}
		shortest := i == 0 || c != 0
		if r.check(shortest && (i < 9 || c == 1), "not a number"); r.err != nil {
			return 0
		}
		r.rest = r.rest[i+1:]
		return n | uint64(c)<<(7*i)
	}
	r.check(false, "not a number")
	return 0
}

func (r *wireReader) signed() int64 {
	n := r.number()
	return int64(n>>1) ^ -int64(n&1)
}

func (r *wireReader) duration() time.Duration { return time.Duration(r.signed()) }

// age checks how long something is ago.
func (r *wireReader) age(d time.Duration) time.Duration {
	if r.check(0 <= d && d <= longestAge, "older than can be, or not yet made"); r.err != nil {
		return 0
	}
	return d
}
