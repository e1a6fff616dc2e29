package gate

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

var (
	errTooLong  = errors.New("body is longer than is allowed once decoded")
	errRatio    = errors.New("body grows more than is allowed when decoded")
	errTrailing = errors.New("bytes follow the end of the coded body")
	errSlow     = errors.New("body takes longer to decode than is allowed")
)

// maxCodings is how many content codings in a row are read. One is the rule; two
// happen where an app and a proxy both compress.
const maxCodings = 2

// maxZstdWindow is the largest window of the zstd content coding (RFC 9659 §3).
const maxZstdWindow = 8 << 20

// parseCodings reads Content-Encoding field lines (RFC 9110 §8.4) into the codings
// in the order in which they were applied. It returns false if there is one that
// cannot be decoded here, or too many.
func parseCodings(lines []string) (codings []string, ok bool) {
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			name = strings.ToLower(strings.Trim(name, " \t"))
			if name == "" || name == "identity" {
				continue
			}
			if decoders[name] == nil {
				return nil, false
			}
			codings = append(codings, name)
		}
	}
	return codings, len(codings) <= maxCodings
}

// decode reads src to its end, undoes the codings, and gives what comes out to t.
func decode(src io.Reader, codings []string, l Limits, t *tally) (err error) {
	defer func() {
		// A decoder that panics on a hostile body would end the process, since
		// this is a goroutine of its own. To the gate it is one more fault.
		if p := recover(); p != nil {
			err = fmt.Errorf("decoder panicked: %v", p)
		}
	}()
	encoded := &counter{src: src}
	var decoded io.Reader = encoded
	for i := len(codings) - 1; i >= 0; i-- {
		// What lies between two codings is bounded as well: a body can blow up
		// in the outer one and come to nothing in the inner one.
		s, err := newStage(codings[i], decoded, l.Decoded+ratioFloor)
		if err != nil {
			return err
		}
		defer s.close()
		decoded = s
	}

	buf := make([]byte, 16<<10)
	began := time.Now()
	for idle := 0; idle < 100; idle++ {
		n, err := decoded.Read(buf)
		if n > 0 {
			idle = 0
		}
		if err := t.add(buf[:n]); err != nil {
			return err
		}
		if l.Ratio > 0 && t.size > ratioFloor && t.size/l.Ratio > encoded.n {
			return errRatio
		}
		if l.Time > 0 && time.Since(began)-encoded.waited > l.Time {
			return errSlow
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// counter counts the bytes that are read through it, and how long they took to come.
type counter struct {
	src    io.Reader
	n      int64
	waited time.Duration
}

func (c *counter) Read(p []byte) (int, error) {
	began := time.Now()
	n, err := c.src.Read(p)
	c.waited += time.Since(began)
	c.n += int64(n)
	return n, err
}

// stage undoes one coding.
type stage struct {
	src  *bufio.Reader
	dec  io.Reader
	left int64 // bytes that may still come out
}

// newStage reads as much of src as the decoder needs to start.
func newStage(coding string, src io.Reader, limit int64) (*stage, error) {
	s := &stage{src: bufio.NewReader(src), left: limit}
	var err error
	s.dec, err = decoders[coding](s.src)
	return s, err
}

// close lets go of what the decoder holds besides memory.
func (s *stage) close() {
	if d, ok := s.dec.(*zstd.Decoder); ok {
		d.Close()
	}
}

// decoders are the content codings that can be undone.
var decoders = map[string]func(*bufio.Reader) (io.Reader, error){
	"gzip":    newGzip,
	"x-gzip":  newGzip, // RFC 9110 §8.4.1.3
	"deflate": newDeflate,
	"br":      newBrotli,
	"zstd":    newZstd,
}

func newGzip(src *bufio.Reader) (io.Reader, error) { return gzip.NewReader(src) }

func newBrotli(src *bufio.Reader) (io.Reader, error) { return brotli.NewReader(src), nil }

func newZstd(src *bufio.Reader) (io.Reader, error) {
	return zstd.NewReader(src,
		zstd.WithDecoderConcurrency(1), // decodes in Read, with no goroutines
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxZstdWindow))
}

// newDeflate reads the deflate coding, which is zlib's format (RFC 9110 §8.4.1.2)
// and which some servers send without the wrapper. Browsers read both.
func newDeflate(src *bufio.Reader) (io.Reader, error) {
	head, err := src.Peek(2)
	if err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	// RFC 1950 §2.2: compression method 8, and the two bytes are a multiple of 31.
	if head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
		return zlib.NewReader(src)
	}
	return flate.NewReader(src), nil
}

// Read returns decoded bytes. Bytes that follow the end of the coded body are an
// error: readers differ on whether they count.
func (s *stage) Read(p []byte) (int, error) {
	n, err := s.dec.Read(p)
	if s.left -= int64(n); s.left < 0 {
		return 0, errTooLong
	}
	if err == io.EOF {
		if _, more := s.src.ReadByte(); more == nil {
			return n, errTrailing
		} else if more != io.EOF {
			return n, more
		}
	}
	return n, err
}
