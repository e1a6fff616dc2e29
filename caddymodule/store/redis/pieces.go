package redis

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/cacheward/cacheward/caddymodule/store"
)

// The first piece of a body begins with how it is coded, one of these bytes, and with two
// unsigned varints: how many bytes all pieces together have beside that, and how many one
// has.
const (
	codingIdentity = 'i'
	codingZstd     = 'z'
)

const (
	pieceHead = 1 + 2*binary.MaxVarintLen64
	// maxPieces is how many pieces a body may have; what has more is not written.
	maxPieces = 4096
	// maxHead is how many bytes an object without its body may have in Redis.
	maxHead = 4 << 20
	// worthCoding is below which size a body is not compressed.
	worthCoding = 512
)

var coders = sync.OnceValues(func() (*zstd.Encoder, *zstd.Decoder) {
	// Both are asked for whole bodies only, by many goroutines at once. What is decoded may
	// not be larger than the room that it is given.
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // the options are constants
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic(err)
	}
	return encoder, decoder
})

// names are the keys of an object's values.
type names struct{ prefix string }

func (o *Options) namesOf(key store.Key) names {
	return names{"cw1:{" + o.Namespace + ":" + hex.EncodeToString(key[:]) + "}:"}
}

func (n names) head() string       { return n.prefix + "m" }
func (n names) lead() string       { return n.prefix + "lead" }
func (n names) no() string         { return n.prefix + "no" }
func (n names) piece(i int) string { return n.prefix + "b" + strconv.Itoa(i) }

// split returns the pieces that a body is written in: one at least.
func split(body []byte, piece int, compress bool) ([][]byte, error) {
	coding, stored := byte(codingIdentity), body
	if compress && len(body) >= worthCoding {
		encoder, _ := coders()
		if coded := encoder.EncodeAll(body, make([]byte, 0, len(body)/2)); len(coded) < len(body) {
			coding, stored = codingZstd, coded
		}
	}
	if piecesOf(len(stored), piece) > maxPieces {
		return nil, fmt.Errorf("body of %d bytes is too large for %d pieces of %d", len(stored), maxPieces, piece)
	}
	first := stored[:min(len(stored), piece)]
	head := binary.AppendUvarint(append(make([]byte, 0, pieceHead+len(first)), coding), uint64(len(stored)))
	head = binary.AppendUvarint(head, uint64(piece))
	pieces := [][]byte{append(head, first...)}
	for rest := stored[len(first):]; len(rest) > 0; {
		n := min(len(rest), piece)
		pieces, rest = append(pieces, rest[:n]), rest[n:]
	}
	return pieces, nil
}

func piecesOf(size, piece int) int { return max(1, (size+piece-1)/piece) }

// parcel is what the first piece says of all.
type parcel struct {
	coding byte
	stored int // bytes
	pieces int
	first  string
}

// open reads the first piece of a body that has size bytes once it is decoded.
func open(first string, size int64) (parcel, error) {
	if first == "" {
		return parcel{}, fmt.Errorf("%w: the body is missing", store.ErrDamaged)
	}
	coding, rest := first[0], first[1:]
	stored, n := binary.Uvarint([]byte(rest[:min(len(rest), binary.MaxVarintLen64)]))
	rest = rest[max(0, n):]
	piece, m := binary.Uvarint([]byte(rest[:min(len(rest), binary.MaxVarintLen64)]))
	rest = rest[max(0, m):]
	switch {
	case n <= 0 || m <= 0 || coding != codingIdentity && coding != codingZstd,
		stored > uint64(size), // what compression enlarged is not compressed
		coding == codingIdentity && stored != uint64(size),
		piece < MinPiece || piece > MaxPiece,
		uint64(len(rest)) != min(stored, piece):
		return parcel{}, fmt.Errorf("%w: the first piece of the body makes no sense", store.ErrDamaged)
	}
	p := parcel{coding: coding, stored: int(stored), pieces: piecesOf(int(stored), int(piece)), first: rest}
	if p.pieces > maxPieces {
		return parcel{}, fmt.Errorf("%w: the body has %d pieces", store.ErrDamaged, p.pieces)
	}
	return p, nil
}

// join puts the body together, of the first piece and the others. It is never more than
// body says; whether it is that body, the sum tells.
func (p *parcel) join(others []string, body store.Body) ([]byte, error) {
	stored := append(make([]byte, 0, p.stored), p.first...)
	for _, other := range others {
		if len(stored)+len(other) > p.stored {
			return nil, fmt.Errorf("%w: a piece of the body is too large", store.ErrDamaged)
		}
		stored = append(stored, other...)
	}
	if len(stored) != p.stored {
		return nil, fmt.Errorf("%w: a piece of the body is missing", store.ErrDamaged)
	}
	if p.coding == codingZstd {
		_, decoder := coders()
		decoded, err := decoder.DecodeAll(stored, make([]byte, 0, body.Size))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", store.ErrDamaged, err)
		}
		stored = decoded
	}
	if !body.Is(stored) {
		return nil, fmt.Errorf("%w: the body's sum is another one", store.ErrDamaged)
	}
	return stored, nil
}
