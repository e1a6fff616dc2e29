package reading

import (
	"bufio"
	"errors"
	"io"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// input is a file's content, decompressed if need be.
type input struct {
	r   io.Reader
	raw *rawReader
	// close releases what decompression holds; the file stays open.
	close func()
}

// newInput looks at the first bytes: names do not tell what is compressed. It fails only
// if those cannot be read. Bytes that were read are added to done, if that is not nil.
func newInput(r io.Reader, done *atomic.Int64) (*input, error) {
	raw := &rawReader{r: r, done: done}
	buffered := bufio.NewReaderSize(raw, 256<<10)
	in := &input{r: buffered, raw: raw, close: func() {}}
	magic, err := buffered.Peek(4)
	if raw.err != nil {
		return nil, err
	}
	switch {
	case gzipMagic(magic):
		unzipped, err := gzip.NewReader(buffered) // reads members that follow one another as one
		if err != nil {
			in.r = broken{err}
			break
		}
		in.r, in.close = unzipped, func() { _ = unzipped.Close() }
	case zstdMagic(magic):
		// One goroutine: the others decode lines meanwhile.
		unzipped, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1))
		if err != nil {
			in.r = broken{err}
			break
		}
		in.r, in.close = unzipped, unzipped.Close
	}
	return in, nil
}

func gzipMagic(b []byte) bool { return len(b) >= 2 && b[0] == 0x1f && b[1] == 0x8b }

// zstdMagic tells a frame, or one to be skipped (RFC 8878 section 3.1).
func zstdMagic(b []byte) bool {
	if len(b) < 4 {
		return false
	}
	return b[0] == 0x28 && b[1] == 0xb5 && b[2] == 0x2f && b[3] == 0xfd ||
		b[0]&0xf0 == 0x50 && b[1] == 0x2a && b[2] == 0x4d && b[3] == 0x18
}

// rawReader counts what is read and remembers what failed, so that a disk's fault can be
// told from a damaged file.
type rawReader struct {
	r    io.Reader
	done *atomic.Int64
	err  error
}

// Read implements io.Reader.
func (r *rawReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if r.done != nil {
		r.done.Add(int64(n))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// broken is a file whose head is damaged.
type broken struct{ err error }

// Read implements io.Reader.
func (b broken) Read([]byte) (int, error) { return 0, b.err }
