// Package search finds many literals in a text at once, in linear time.
//
// Of every stride bytes of the text, only the block that begins there is looked at:
// an occurrence of a literal covers at least one such place, and with which blocks a
// literal can cover it is known beforehand. So the longer the shortest literal is,
// the less of the text is read; the cost of a text hardly depends on how many
// literals there are.
package search

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"slices"
	"strings"
)

const (
	// blockSize is how many bytes are looked at. Of 2, 3 and 4 bytes, 3 did best: two
	// are too often those of something else, four leave a smaller stride.
	blockSize = 3
	// maxStride is the width of the masks in Set.offsets.
	maxStride = 16
	// Hash values have at most so many bits: the table must stay in the processor's
	// nearest cache. At least so many go to the groups.
	maxHashBits  = 13
	groupBits    = 8
	hashMultiple = 0x9E3779B1 // Knuth's
)

// Set holds literals to look for. It does not change and may be used by many at once.
type Set struct {
	// A block is the first bytes at a place that mask leaves, with fold over them.
	fold, mask uint32
	size       int
	shift      uint
	stride     int
	// offsets has, by the hash of a block, one bit for each offset below the stride at
	// which a literal has such a block.
	offsets []uint16
	// literals are ordered by the hash of their first block, then by their bytes.
	literals []literal
	// Those whose hash begins with the bits g are literals[groups[g]:groups[g+1]].
	groups [1<<groupBits + 1]uint16
}

type literal struct {
	text  string // folded
	hash  uint32 // of its first block
	index int32  // among those given to New
	// prefix is the longest other literal that this one begins with, -1 for none.
	prefix int32
}

// New returns the set of the literals, of which there may be 65,535. With fold, ASCII
// letters match in both cases. Empty literals are never found.
//
// A search reads the text at every n-2nd byte, n being the length of the shortest
// literal and at most 18; with literals of one to three bytes at every byte, which
// is still correct. Each place at which the blocks of a literal's beginning occur
// costs a comparison, so literals should not begin with what is in every text.
func New(literals []string, fold bool) *Set {
	s := &Set{literals: make([]literal, 0, len(literals))}
	if fold {
		s.fold = 0x20202020 // maps some other bytes as well; the comparison does not
	}
	shortest := 0
	for i, text := range literals {
		if text == "" {
			continue
		}
		if len(s.literals) == 0 || len(text) < shortest {
			shortest = len(text)
		}
		if fold {
			text = lower(text)
		}
		s.literals = append(s.literals, literal{text: text, index: int32(i)})
	}
	if len(s.literals) == 0 {
		return s
	}
	s.size = min(shortest, blockSize)
	s.mask = 1<<(8*s.size) - 1
	s.stride = min(shortest-s.size+1, maxStride)
	width := min(maxHashBits, max(groupBits, bits.Len(uint(32*len(s.literals)*s.stride))))
	s.shift = uint(32 - width)
	s.offsets = make([]uint16, 1<<width)
	for i := range s.literals {
		l := &s.literals[i]
		l.hash = s.hashOf(l.text[:s.size])
		for offset := range s.stride {
			s.offsets[s.hashOf(l.text[offset:][:s.size])] |= 1 << offset
		}
	}
	s.order(width - groupBits)
	return s
}

// order sorts the literals and finds their groups and prefixes.
func (s *Set) order(drop int) {
	slices.SortFunc(s.literals, func(a, b literal) int {
		if a.hash != b.hash {
			return cmp.Compare(a.hash, b.hash)
		}
		return cmp.Or(strings.Compare(a.text, b.text), cmp.Compare(a.index, b.index))
	})
	for i := range s.literals {
		l := &s.literals[i]
		s.groups[l.hash>>drop+1]++
		l.prefix = int32(i) - 1
		for l.prefix >= 0 && !strings.HasPrefix(l.text, s.literals[l.prefix].text) {
			l.prefix = s.literals[l.prefix].prefix
		}
	}
	for g := range s.groups[1:] {
		s.groups[g+1] += s.groups[g]
	}
}

// hash is that of the block at a place, which is within the text.
func (s *Set) hash(text []byte, at int) uint32 {
	if at+4 > len(text) {
		return s.hashOf(string(text[at : at+s.size]))
	}
	return s.hashBlock(binary.LittleEndian.Uint32(text[at:]))
}

func (s *Set) hashOf(block string) uint32 {
	var b uint32
	for i := range len(block) {
		b |= uint32(block[i]) << (8 * i)
	}
	return s.hashBlock(b)
}

func (s *Set) hashBlock(block uint32) uint32 {
	return (block | s.fold) & s.mask * hashMultiple >> (s.shift & 31)
}

// Each calls yield for every occurrence of a literal, given by its index, in
// ascending order of place and at one place the longest first. Occurrences may
// overlap. It ends when yield returns false.
//
// It allocates nothing. Each byte of the text is compared with one group of literals
// at most, those that may begin there, by halving; so the worst text costs a
// multiple of its length that grows with the longest literal and the logarithm of
// the number of literals.
func (s *Set) Each(text []byte, yield func(literal, at int) bool) {
	if s == nil || len(s.literals) == 0 {
		return
	}
	offsets, fold, mask, shift := s.offsets, s.fold, s.mask, s.shift&31
	at := 0
	for ; at+4 <= len(text); at += s.stride { // hash, written out: this loop is the cost
		h := (binary.LittleEndian.Uint32(text[at:]) | fold) & mask * hashMultiple >> shift
		if found := offsets[h]; found != 0 && !s.before(text, at, found, yield) {
			return
		}
	}
	for ; at+s.size <= len(text); at += s.stride {
		if found := s.offsets[s.hash(text, at)]; found != 0 && !s.before(text, at, found, yield) {
			return
		}
	}
}

// before looks for literals that have the block at a place at one of the offsets.
func (s *Set) before(text []byte, at int, offsets uint16, yield func(literal, at int) bool) bool {
	for offsets != 0 {
		offset := bits.Len16(offsets) - 1
		offsets &^= 1 << offset
		start := at - offset
		if start < 0 {
			continue
		}
		h := s.hash(text, start)
		if s.offsets[h]&1 == 0 {
			continue // no literal begins like this
		}
		g := h >> (32 - groupBits - s.shift)
		if !s.compare(text[start:], start, h, int(s.groups[g]), int(s.groups[g+1]), yield) {
			return false
		}
	}
	return true
}

// compare finds those of the literals from lo to hi that stand at the start. All of
// them are prefixes of the last literal that does not come after the text.
func (s *Set) compare(rest []byte, start int, h uint32, lo, hi int, yield func(literal, at int) bool) bool {
	first := lo
	// What the text has in common with the literals before lo and from hi on: all
	// between them have as much.
	var low, high int
	for lo < hi {
		mid := (lo + hi) / 2
		l := &s.literals[mid]
		if l.hash != h {
			if l.hash < h {
				lo, low = mid+1, 0
			} else {
				hi, high = mid, 0
			}
			continue
		}
		same := s.common(l.text, rest, min(low, high))
		if same == len(l.text) || same < len(rest) && l.text[same] < s.foldByte(rest[same]) {
			lo, low = mid+1, same
		} else {
			hi, high = mid, same
		}
	}
	for i := lo - 1; i >= first; i = int(s.literals[i].prefix) {
		if l := &s.literals[i]; len(l.text) <= low && !yield(int(l.index), start) {
			return false
		}
	}
	return true
}

// common is the length of what a literal and a text begin with alike, known to be
// at least n.
func (s *Set) common(literal string, text []byte, n int) int {
	const step = 16
	end := min(len(literal), len(text))
	for s.fold == 0 && n+step <= end && literal[n:n+step] == string(text[n:n+step]) {
		n += step
	}
	for n < end && literal[n] == s.foldByte(text[n]) {
		n++
	}
	return n
}

func (s *Set) foldByte(c byte) byte {
	if s.fold != 0 {
		return lowerByte(c)
	}
	return c
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func lower(text string) string {
	b := []byte(text)
	for i, c := range b {
		b[i] = lowerByte(c)
	}
	return string(b)
}
