package inquiry

import (
	"hash/maphash"
	"strings"
	"sync"
)

// text is a string that a question holds once, however many records have it: the number
// by which its [textTable] knows it. Equal strings have equal numbers. Zero is the empty string.
type text uint32

// textTable has the strings of a question. All of its workers share it, so that a row can go
// from one to another as it is. It is safe for concurrent use.
//
// Of millions of visitors and URLs, nearly all different, a map of strings would take as
// much again as the strings do: here it is about 25 bytes beside each.
type textTable struct {
	seed   maphash.Seed
	shards [textShards]textShard
}

const (
	textShards = 16       // what two workers keep at once is mostly in different ones
	textChunk  = 32 << 10 // bytes that are allocated at once
)

type textShard struct {
	mu     sync.Mutex
	values []string
	slots  []uint32        // index in values plus one, at the hash or behind it; zero: free
	chunk  strings.Builder // has what the latest values refer to
}

func newTextTable() *textTable { return &textTable{seed: maphash.MakeSeed()} }

// keep is the number of a string, of which a copy is made if it is a new one.
func (t *textTable) keep(s string) text {
	if s == "" {
		return 0
	}
	hash := maphash.String(t.seed, s)
	number := hash % textShards
	shard := &t.shards[number]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if len(shard.values) >= len(shard.slots)/4*3 {
		shard.grow(t.seed)
	}
	at := shard.find(hash, s)
	if shard.slots[at] == 0 {
		shard.values = append(shard.values, shard.copied(s))
		shard.slots[at] = uint32(len(shard.values))
	}
	return text(shard.slots[at]*textShards + uint32(number))
}

// of is the string of a number.
func (t *textTable) of(x text) string {
	if x == 0 {
		return ""
	}
	shard := &t.shards[x%textShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	return shard.values[x/textShards-1]
}

// count is how many different strings there are, but for the empty one.
func (t *textTable) count() int {
	n := 0
	for i := range t.shards {
		n += len(t.shards[i].values)
	}
	return n
}

func (t *textTable) compare(a, b text) int {
	if a == b {
		return 0
	}
	return strings.Compare(t.of(a), t.of(b))
}

// least is the smaller of two, of which empty ones do not count.
func (t *textTable) least(a, b text) text {
	if b == 0 || a != 0 && t.compare(a, b) <= 0 {
		return a
	}
	return b
}

// find is the slot of a string, or the free one where it belongs.
func (s *textShard) find(hash uint64, value string) int {
	mask := len(s.slots) - 1
	at := int(hash/textShards) & mask
	for s.slots[at] != 0 && s.values[s.slots[at]-1] != value {
		at = (at + 1) & mask
	}
	return at
}

func (s *textShard) grow(seed maphash.Seed) {
	s.slots = make([]uint32, max(16, 2*len(s.slots)))
	for i, value := range s.values {
		s.slots[s.find(maphash.String(seed, value), value)] = uint32(i + 1)
	}
}

// copied is the string at the end of a chunk. What a builder gives out stays as it is when
// more is written behind it.
func (s *textShard) copied(value string) string {
	if len(value) > textChunk/8 {
		return strings.Clone(value)
	}
	if s.chunk.Cap()-s.chunk.Len() < len(value) {
		s.chunk = strings.Builder{}
		s.chunk.Grow(textChunk)
	}
	start := s.chunk.Len()
	s.chunk.WriteString(value)
	return s.chunk.String()[start:]
}
