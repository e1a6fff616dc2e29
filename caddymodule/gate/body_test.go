package gate

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/blake3"
	"pgregory.net/rapid"
)

// rawDeflate is deflate without zlib's wrapper. It is no coding's name.
const rawDeflate = "deflate (raw)"

// encode applies codings, in order.
func encode(t testing.TB, body []byte, codings ...string) []byte {
	t.Helper()
	for _, coding := range codings {
		var out bytes.Buffer
		var w io.WriteCloser
		var err error
		switch coding {
		case "gzip":
			w = gzip.NewWriter(&out)
		case "deflate":
			w = zlib.NewWriter(&out)
		case rawDeflate:
			w, err = flate.NewWriter(&out, flate.DefaultCompression)
		case "br":
			w = brotli.NewWriter(&out)
		case "zstd":
			w, err = zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
		default:
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		body = out.Bytes()
	}
	return body
}

func fieldOf(codings []string) []string {
	names := make([]string, len(codings))
	for i, coding := range codings {
		names[i] = strings.TrimSuffix(coding, " (raw)")
	}
	return []string{strings.Join(names, ", ")}
}

var ample = Limits{Keep: 1 << 20, Decoded: 1 << 20}

func record(field []string, l Limits, chunks ...[]byte) Body {
	r := NewRecorder(field, l)
	defer r.Close()
	for _, chunk := range chunks {
		_, _ = r.Write(chunk)
	}
	return r.Close()
}

var codingSets = [][]string{
	nil, {"identity"}, {"gzip"}, {"deflate"}, {rawDeflate}, {"br"}, {"zstd"},
	{"gzip", "br"}, {"br", "gzip"}, {"gzip", "gzip"}, {"zstd", "deflate"}, {"deflate", "zstd"},
}

func TestRecorderReadsEveryCoding(t *testing.T) {
	for _, codings := range codingSets {
		t.Run(strings.Join(codings, " then "), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				body := rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(t, "body")
				if rapid.Bool().Draw(t, "repetitive") {
					body = bytes.Repeat(body, 20)
				}
				var coded []byte
				if len(body) > 0 {
					coded = encode(silent{}, body, codings...)
				}
				r := NewRecorder(fieldOf(codings), ample)
				for rest := coded; len(rest) > 0; {
					n := rapid.IntRange(1, len(rest)).Draw(t, "chunk")
					if m, err := r.Write(rest[:n]); m != n || err != nil {
						t.Fatalf("Write = %d, %v, want %d, nil", m, err, n)
					}
					rest = rest[n:]
				}
				got := r.Close()
				if !got.Readable || !got.Whole || got.Size != int64(len(body)) || !bytes.Equal(got.Kept, body) || got.Sum != [32]byte{} {
					t.Fatalf("body of %d bytes became readable=%v whole=%v size=%d", len(body), got.Readable, got.Whole, got.Size)
				}
			})
		})
	}
}

// silent makes encode usable where there is no test to fail: it never fails.
type silent struct{ testing.TB }

func (silent) Helper()           {}
func (silent) Fatal(args ...any) { panic(args) }

func TestRecorderFaults(t *testing.T) {
	page := []byte(strings.Repeat("<p>hello</p>\n", 100))
	zipped := encode(t, page, "gzip")
	tests := []struct {
		name  string
		field []string
		body  []byte
	}{
		{"unknown coding", []string{"compress"}, page},
		{"unknown coding, empty body", []string{"compress"}, nil},
		{"three codings", []string{"gzip, gzip", "gzip"}, encode(t, page, "gzip", "gzip", "gzip")},
		{"not gzip at all", []string{"gzip"}, page},
		{"gzip cut", []string{"gzip"}, zipped[:len(zipped)-1]},
		{"gzip cut in its header", []string{"gzip"}, zipped[:5]},
		{"gzip with a tail", []string{"gzip"}, append(bytes.Clone(zipped), "tail"...)},
		{"gzip with a wrong checksum", []string{"gzip"}, flip(zipped, len(zipped)-6)},
		{"deflate cut", []string{"deflate"}, cut(encode(t, page, "deflate"))},
		{"deflate with a tail", []string{"deflate"}, append(encode(t, page, "deflate"), 'x')},
		{"raw deflate cut", []string{"deflate"}, cut(encode(t, page, rawDeflate))},
		{"raw deflate with a tail", []string{"deflate"}, append(encode(t, page, rawDeflate), 'x')},
		{"deflate of one byte", []string{"deflate"}, []byte{0x78}},
		{"br cut", []string{"br"}, cut(encode(t, page, "br"))},
		{"br with a tail", []string{"br"}, append(encode(t, page, "br"), 'x')},
		{"zstd cut", []string{"zstd"}, cut(encode(t, page, "zstd"))},
		{"zstd with a tail", []string{"zstd"}, append(encode(t, page, "zstd"), "tail!"...)},
		{"inner coding cut", []string{"br, gzip"}, encode(t, cut(encode(t, page, "br")), "gzip")},
		{"inner coding with a tail", []string{"br, gzip"}, encode(t, append(encode(t, page, "br"), 'x'), "gzip")},
		{"codings in the wrong order", []string{"gzip, br"}, encode(t, page, "br", "gzip")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := record(tt.field, ample, tt.body, tt.body); got.Readable || got.Kept != nil || got.Size != 0 {
				t.Errorf("written twice: %+v, want nothing readable", got)
			}
			got := record(tt.field, ample, tt.body)
			if got.Readable || got.Kept != nil || got.Size != 0 {
				t.Errorf("got %+v, want nothing readable", got)
			}
		})
	}
}

func cut(b []byte) []byte { return b[:len(b)-1] }

func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

func TestRecorderLimits(t *testing.T) {
	zeros := make([]byte, 1<<20)
	page := []byte(strings.Repeat("0123456789", 10))
	tests := []struct {
		name     string
		codings  []string
		body     []byte
		limits   Limits
		readable bool
		kept     int
	}{
		{"just as long as allowed", nil, page, Limits{Decoded: 100, Keep: 100}, true, 100},
		{"one byte too long", nil, page, Limits{Decoded: 99, Keep: 100}, false, 0},
		{"coded, just as long as allowed", []string{"gzip"}, page, Limits{Decoded: 100, Keep: 100}, true, 100},
		{"coded, one byte too long", []string{"gzip"}, page, Limits{Decoded: 99, Keep: 100}, false, 0},
		{"kept in part", []string{"br"}, page, Limits{Decoded: 100, Keep: 7}, true, 7},
		{"kept with more room", nil, page, Limits{Decoded: 100, Keep: 7, More: grant(moreStep)}, true, 100},
		{"kept without more room", nil, page, Limits{Decoded: 100, Keep: 7, More: grant(moreStep - 1)}, true, 7},
		{"coded, kept with more room", []string{"zstd"}, zeros, Limits{Decoded: 1 << 20, More: grant(4 * moreStep)}, true, 1 << 20},
		{"coded, kept as far as there is room", []string{"zstd"}, zeros, Limits{Decoded: 1 << 20, More: grant(2 * moreStep)}, true, 2 * moreStep},
		{"decoded in no time at all", []string{"gzip"}, zeros, Limits{Decoded: 1 << 20, Time: 1}, false, 0},
		{"decoded in good time", []string{"gzip"}, zeros, Limits{Decoded: 1 << 20, Time: time.Hour}, true, 0},
		{"kept not at all", nil, page, Limits{Decoded: 100}, true, 0},
		{"zero limits", nil, page, Limits{}, false, 0},
		{"bomb by size", []string{"gzip"}, zeros, Limits{Decoded: 1 << 19}, false, 0},
		{"bomb by ratio", []string{"gzip"}, zeros, Limits{Decoded: 1 << 30, Ratio: 100}, false, 0},
		{"the same within the ratio", []string{"gzip"}, zeros, Limits{Decoded: 1 << 30, Ratio: 2000}, true, 0},
		{"short and repetitive", []string{"zstd"}, zeros[:ratioFloor], Limits{Decoded: 1 << 20, Ratio: 10}, true, 0},
		{"bomb between two codings", []string{"nothing", "gzip"}, encode(t, bytes.Repeat(encode(t, nil, "gzip"), 1<<15), "gzip"), Limits{Decoded: 1 << 10}, false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			field, body := fieldOf(tt.codings), encode(t, tt.body, tt.codings...)
			if tt.codings != nil && tt.codings[0] == "nothing" {
				field, body = []string{"gzip, gzip"}, tt.body
			}
			got := record(field, tt.limits, body)
			if got.Readable != tt.readable || len(got.Kept) != tt.kept {
				t.Errorf("readable=%v kept=%d, want %v and %d", got.Readable, len(got.Kept), tt.readable, tt.kept)
			}
			if got.Readable && got.Whole != (int64(tt.kept) == got.Size) {
				t.Errorf("whole=%v with %d of %d bytes kept", got.Whole, tt.kept, got.Size)
			}
			if got.Readable && !got.Whole && got.Sum != blake3.Sum256(tt.body) {
				t.Error("the hash is not the body's")
			}
		})
	}
}

// grant allows that many bytes to be kept, and no more.
func grant(n int64) func(int64) bool {
	return func(more int64) bool {
		n -= more
		return n >= 0
	}
}

func TestOpaque(t *testing.T) {
	page := []byte("never mind the coding")
	l := ample
	l.Opaque = true
	if got := record([]string{"aws-chunked"}, l, page); !got.Readable || !got.Opaque || !bytes.Equal(got.Kept, page) {
		t.Errorf("got %+v, want the bytes of the wire", got)
	}
	if got := record([]string{"gzip"}, l, encode(t, page, "gzip")); !got.Readable || got.Opaque || !bytes.Equal(got.Kept, page) {
		t.Errorf("got %+v, want what can be decoded decoded", got)
	}
	if got := record([]string{"gzip"}, l, page); got.Readable {
		t.Errorf("got %+v of what is no gzip", got)
	}
}

func TestEmptyBodyIsReadableInEveryCoding(t *testing.T) {
	for _, codings := range codingSets {
		got := record(fieldOf(codings), Limits{}, nil, []byte{})
		if !got.Readable || !got.Whole || got.Size != 0 || got.Sum != [32]byte{} {
			t.Errorf("%v: got %+v, want an empty body", codings, got)
		}
	}
}

// In the bubble a goroutine that outlives Close is a deadlock, and fails the test.
func TestCloseEndsTheGoroutine(t *testing.T) {
	page := []byte(strings.Repeat("<p>hello</p>\n", 10_000))
	for _, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		coded := encode(t, page, coding)
		for _, tt := range []struct {
			name string
			body []byte
			l    Limits
		}{
			{"whole", coded, ample},
			{"cut short", coded[:len(coded)/2], ample},
			{"one byte", coded[:1], ample},
			{"junk", page, ample},
			{"too long", coded, Limits{Decoded: 1000}},
		} {
			t.Run(coding+" "+tt.name, func(t *testing.T) {
				synctest.Test(t, func(*testing.T) {
					r := NewRecorder([]string{coding}, tt.l)
					_, _ = r.Write(tt.body)
					_, _ = r.Write(tt.body)
					r.Close()
				})
			})
		}
	}
}

func TestCloseIsFinal(t *testing.T) {
	r := NewRecorder([]string{"gzip"}, ample)
	_, _ = r.Write(encode(t, []byte("hello"), "gzip"))
	first := r.Close()
	if n, err := r.Write([]byte("more")); n != 4 || err != nil {
		t.Errorf("Write after Close = %d, %v, want 4, nil", n, err)
	}
	second := r.Close()
	if !first.Readable || first.Size != 5 || second.Size != 5 || second.Sum != first.Sum {
		t.Errorf("Close = %+v, then %+v, want the same twice", first, second)
	}
	if got := NewRecorder([]string{"gzip"}, ample).Close(); !got.Readable || got.Size != 0 {
		t.Errorf("Close without Write = %+v, want an empty body", got)
	}
}
