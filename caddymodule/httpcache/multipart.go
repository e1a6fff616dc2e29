package httpcache

import (
	"crypto/rand"
	"fmt"
	"io"
	"strings"
)

// Multipart is a multipart/byteranges body (RFC 9110 §14.6) of several parts of
// one body. It belongs to one response; it does not change once made and may be
// used by several goroutines.
type Multipart struct {
	boundary string
	size     int64
	ranges   []ByteRange
	heads    []string // what stands before each part
	tail     string   // what stands after the last
}

// NewMultipart prepares the answer to a request for several ranges of a
// representation of size bytes, which [SelectRanges] has chosen. ContentType is
// the representation's, and stands in each part; where it is empty the parts have
// none (RFC 9110 §15.3.7.2). The ranges must not be changed afterwards.
//
// A request for one range must not be answered with it (§15.3.7.2).
func NewMultipart(contentType string, ranges []ByteRange, size int64) *Multipart {
	// A boundary that can be foreseen could be put into the body by who writes it.
	boundary := rand.Text()
	typeLine := ""
	if contentType != "" {
		typeLine = "Content-Type: " + newlines.Replace(contentType) + "\r\n"
	}
	m := &Multipart{
		boundary: boundary,
		size:     size,
		ranges:   ranges,
		heads:    make([]string, len(ranges)),
		tail:     "\r\n--" + boundary + "--\r\n",
	}
	for i, r := range ranges {
		m.heads[i] = "\r\n--" + boundary + "\r\n" + typeLine + "Content-Range: " + r.ContentRange(size) + "\r\n\r\n"
	}
	if len(ranges) > 0 {
		// The line end before a delimiter belongs to it (RFC 2046 §5.1.1), and
		// before the first there is no line to end.
		m.heads[0] = m.heads[0][len("\r\n"):]
	}
	return m
}

// newlines makes one line of a field value, as net/http does when it writes it.
var newlines = strings.NewReplacer("\r", " ", "\n", " ")

// ContentType is the Content-Type of the response:
// multipart/byteranges; boundary=….
func (m *Multipart) ContentType() string {
	return "multipart/byteranges; boundary=" + m.boundary
}

// Length is the Content-Length of the response: how many bytes Write writes.
func (m *Multipart) Length() int64 {
	total := int64(len(m.tail))
	for i, r := range m.ranges {
		total += int64(len(m.heads[i])) + r.Length
	}
	return total
}

// Write writes the parts of body, which is the whole representation, to w and
// returns how many bytes it wrote. It stops at the first error of w and returns
// it. A body of another size than the ranges were chosen for is an error, and
// nothing of it is written.
func (m *Multipart) Write(w io.Writer, body []byte) (int64, error) {
	if int64(len(body)) != m.size {
		return 0, fmt.Errorf("the ranges are of %d bytes, the body has %d", m.size, len(body))
	}
	var written int64
	for i, r := range m.ranges {
		n, err := io.WriteString(w, m.heads[i])
		written += int64(n)
		if err != nil {
			return written, err
		}
		n, err = w.Write(body[r.Start : r.Start+r.Length])
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	n, err := io.WriteString(w, m.tail)
	return written + int64(n), err
}
