package attacks

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// encoded is the text in a content coding (RFC 9110 §8.4). One that is unknown changes
// nothing.
func encoded(coding, text string) []byte {
	var b bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "br":
		w = brotli.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "zstd":
		w, _ = zstd.NewWriter(&b) // fails with wrong options only
	default:
		return []byte(text)
	}
	_, _ = io.WriteString(w, text) // never fails
	_ = w.Close()
	return b.Bytes()
}

// uncoded is the text of a body in a coding, as far as it can be read.
func uncoded(coding string, body []byte) []byte {
	var r io.Reader
	var err error
	switch coding {
	case "gzip":
		r, err = gzip.NewReader(bytes.NewReader(body))
	case "br":
		r = brotli.NewReader(bytes.NewReader(body))
	case "deflate":
		if r, err = zlib.NewReader(bytes.NewReader(body)); err != nil {
			r, err = flate.NewReader(bytes.NewReader(body)), nil
		}
	case "zstd":
		r, err = zstd.NewReader(bytes.NewReader(body))
	default:
		return body
	}
	if err != nil {
		return nil
	}
	text, _ := io.ReadAll(r) // what is broken ends there
	return text
}
