package gate

import (
	"io"
	"time"

	"github.com/zeebo/blake3"
)

// Limits bound what a [Recorder] takes. The zero value takes empty bodies only.
type Limits struct {
	// Keep is how many decoded bytes are kept. Memory for them grows as they
	// arrive.
	Keep int64
	// More, where given, is asked when Keep is not enough: may n more bytes be
	// kept? It is called from the goroutine that decodes, and no more once it has
	// said no.
	More func(n int64) bool
	// Decoded is how many bytes a body may have once it is decoded. A longer one
	// is unreadable.
	Decoded int64
	// Ratio is how many decoded bytes one encoded byte may become, once there
	// are more than 64 KiB of them. Beyond it the body is unreadable: it is a
	// decompression bomb, not a page. 0 leaves it to Decoded alone.
	Ratio int64
	// Time is how long decoding may take, the waiting for bytes not counted. Beyond
	// it the body is unreadable. 0: no bound but those on bytes.
	Time time.Duration
	// Opaque says that a body in a coding that cannot be decoded is taken as the
	// bytes that it is on the wire.
	Opaque bool
}

// ratioFloor is from how many decoded bytes on Limits.Ratio counts. A short body
// of blanks compresses a thousandfold and hurts nobody.
const ratioFloor = 64 << 10

// Body is what a [Recorder] found out about a body. The zero value is an
// unreadable body, which is equal to nothing.
type Body struct {
	// Sum is the BLAKE3 hash of the decoded body. It is there only where the body is
	// not Whole: what is kept can be compared itself, for less.
	Sum [32]byte
	// Size is the length of the decoded body in bytes.
	Size int64
	// Kept is the beginning of the decoded body, up to Limits.Keep bytes.
	Kept []byte
	// Whole says that Kept is all of it.
	Whole bool
	// Opaque says that the bytes are those on the wire, in a coding that nobody here
	// knows (Limits.Opaque).
	Opaque bool
	// Readable says that the body could be decoded to its end within the
	// limits. If not, nothing else here is set.
	Readable bool
}

// Recorder takes a response body down as it is written: it decodes its content
// coding, hashes and counts the decoded bytes and keeps the first of them.
// It is an [io.Writer] that can stand beside the visitor's own, for it never fails.
//
// Besides what Limits.Keep allows it holds the windows of the decoders: 32 KiB
// for gzip and deflate, at most 16 MiB for br and zstd, for up to two codings.
//
// A Recorder belongs to one goroutine. Close must be called in every case.
type Recorder struct {
	limits  Limits
	codings []string // in the order in which they were applied
	tally   tally

	pipe *io.PipeWriter // to the decoding goroutine; nil until the first write
	done chan error     // receives one value when that goroutine ends

	faulty bool
	opaque bool
	closed bool
	body   Body
}

// NewRecorder makes a Recorder for a body with the given Content-Encoding field
// lines (RFC 9110 §8.4). It reads identity, gzip, deflate (with and without zlib's
// wrapper), br and zstd, and two of them in a row; with others the body is unreadable.
//
// An empty body is an empty body in every coding: redirects often name one and
// send nothing.
func NewRecorder(contentEncoding []string, l Limits) *Recorder {
	codings, ok := parseCodings(contentEncoding)
	r := &Recorder{limits: l, codings: codings, tally: tally{limits: l}}
	switch {
	case ok:
	case l.Opaque:
		r.opaque, r.codings = true, nil
	default:
		r.faulty = true
	}
	return r
}

// Write takes the next bytes of the body as they are on the wire. It always
// returns len(p) and nil: after a fault it swallows the rest.
func (r *Recorder) Write(p []byte) (int, error) {
	switch {
	case r.closed || r.faulty || len(p) == 0:
	case len(r.codings) == 0:
		r.faulty = r.tally.add(p) != nil
	default:
		if r.pipe == nil {
			r.startDecoding()
		}
		_, err := r.pipe.Write(p)
		r.faulty = err != nil
	}
	return len(p), nil
}

// Close ends the body, releases everything that the Recorder started, and returns
// what it found out. Further calls return the same.
//
// Close cannot know whether the body was complete: a caller that saw it break off
// must not use the result. (A coded body that broke off is unreadable.)
func (r *Recorder) Close() Body {
	if r.closed {
		return r.body
	}
	r.closed = true
	if r.pipe != nil {
		_ = r.pipe.Close() // never fails
		if err := <-r.done; err != nil {
			r.faulty = true
		}
	}
	if !r.faulty {
		r.body = r.tally.body()
		r.body.Opaque = r.opaque
	}
	r.tally = tally{}
	return r.body
}

// startDecoding starts the one goroutine that a coded body needs, because
// decoders pull and a body is pushed. It ends when the pipe is closed by Close,
// or at the first fault, and then sends its error.
func (r *Recorder) startDecoding() {
	src, pipe := io.Pipe()
	r.pipe, r.done = pipe, make(chan error, 1)
	go func() {
		err := decode(src, r.codings, r.limits, &r.tally)
		// With a fault this lets go of a writer that waits, and of all later ones.
		_ = src.CloseWithError(err)
		r.done <- err
	}()
}

// tally is what is known of the decoded bytes so far.
type tally struct {
	limits Limits
	size   int64
	kept   []byte
	room   int64 // that has been granted beyond Limits.Keep
	// hash of all bytes, from where they were no longer kept.
	hash *blake3.Hasher
}

// moreStep is how many bytes are asked for at once when Limits.Keep is not enough.
const moreStep = 256 << 10

// add takes decoded bytes, or none of them if they would exceed Limits.Decoded.
func (t *tally) add(p []byte) error {
	n := int64(len(p))
	if n > t.limits.Decoded-t.size {
		return errTooLong
	}
	t.size += n
	if t.hash == nil {
		if t.fits(n) {
			t.kept = append(t.kept, p...)
			return nil
		}
		t.hash = blake3.New()
		_, _ = t.hash.Write(t.kept) // never fails
		room := t.limits.Keep + t.room - int64(len(t.kept))
		t.kept = append(t.kept, p[:max(0, room)]...)
	}
	_, _ = t.hash.Write(p)
	return nil
}

// fits says whether n more bytes may be kept, and asks for room if need be.
func (t *tally) fits(n int64) bool {
	for {
		missing := int64(len(t.kept)) + n - t.limits.Keep - t.room
		if missing <= 0 {
			return true
		}
		step := max(missing, moreStep)
		if t.limits.More == nil || !t.limits.More(step) {
			return false
		}
		t.room += step
	}
}

func (t *tally) body() Body {
	b := Body{Size: t.size, Kept: t.kept, Whole: t.hash == nil, Readable: true}
	if t.hash != nil {
		t.hash.Sum(b.Sum[:0])
	}
	return b
}
