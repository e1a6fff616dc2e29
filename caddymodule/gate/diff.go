package gate

import (
	"bytes"
	"sort"
)

const (
	// maxSpans is how many spans of a text are told apart. Whatever differs after
	// them is in one more.
	maxSpans = 64
	// block is how many equal bytes in a row, and nowhere else, show that two texts
	// go on alike; and after a token, that only the token differs.
	block = 32
	// apart is how far apart the blocks are that are looked for: texts must be alike
	// for that much more than a block to be seen to be.
	apart = 16
	// maxBlocks bounds the memory for an index of a text's blocks. In texts that have
	// more of them they are farther apart.
	maxBlocks = 1 << 15
)

// diff returns all spans in which own and fill differ, in order, widened to whole
// tokens. If not whole, the texts are the beginnings of longer ones: nothing is
// known of what follows them, and one that is the beginning of the other does not
// differ from it.
//
// Equal texts before, between and after the spans make up what own and fill have in
// common. It need not be all that they have: where much was inserted, moved or
// repeated, a span may take in equal parts. The time is linear in the length of the
// texts, the memory bounded.
func diff(own, fill []byte, whole bool) []span {
	d := differ{own: own, fill: fill, whole: whole}
	d.run()
	return widened(d.spans, own, fill)
}

// differ finds the spans of two texts, not yet widened.
type differ struct {
	own, fill []byte
	whole     bool
	spans     []span
	end       place // where the last difference ends
	work      int   // bytes looked at, for tests of how it grows
}

// place is a place in each of the two texts, up to which they correspond.
type place struct{ own, fill int }

func (d *differ) run() {
	from := d.forward(place{}, place{len(d.own), len(d.fill)})
	d.end = place{len(d.own), len(d.fill)}
	if d.whole {
		d.end = d.backward(from, d.end)
	}
	for _, a := range d.anchors(from, d.end) {
		if a.own < from.own || a.fill < from.fill {
			continue // in what the last one went on to
		}
		if !d.between(from, a) {
			return
		}
		from = d.forward(place{a.own + block, a.fill + block}, d.end)
	}
	if d.whole {
		d.between(from, d.end)
		return
	}
	d.beyond(from)
}

// between enters the spans between two places. It returns false when there are too
// many: then the last one reaches to the end.
func (d *differ) between(from, to place) bool {
	to = d.backward(from, to)
	for {
		if from = d.forward(from, to); from == to {
			return true
		}
		if len(d.spans) == maxSpans {
			d.add(from, d.end)
			return false
		}
		end := place{d.tokenEnd(d.own[:to.own], from.own), d.tokenEnd(d.fill[:to.fill], from.fill)}
		if !sameBlock(d.own[end.own:to.own], d.fill[end.fill:to.fill]) {
			d.add(from, to)
			return true
		}
		d.add(from, end)
		from = end
	}
}

// beyond enters the spans after a place in texts that go on where they were not kept.
// The last one is a token, or a byte: where it ends cannot be known.
func (d *differ) beyond(from place) {
	for {
		from = d.forward(from, d.end)
		if from.own == d.end.own || from.fill == d.end.fill {
			return
		}
		if len(d.spans) == maxSpans {
			d.add(from, d.end)
			return
		}
		end := place{d.tokenEnd(d.own, from.own), d.tokenEnd(d.fill, from.fill)}
		d.add(from, end)
		if !sameBlock(d.own[end.own:], d.fill[end.fill:]) {
			return
		}
		from = end
	}
}

func (d *differ) add(from, to place) {
	d.spans = append(d.spans, span{from.own, to.own, from.fill, to.fill})
}

// sameBlock reports whether two texts begin with the same block.
func sameBlock(own, fill []byte) bool {
	return len(own) >= block && len(fill) >= block && bytes.Equal(own[:block], fill[:block])
}

// tokenEnd returns where the token at from ends. What is no token is one byte, if
// there is one.
func (d *differ) tokenEnd(text []byte, from int) int {
	end := tokenEnd(text, from)
	d.work += end - from
	if end == from && from < len(text) {
		return from + 1
	}
	return end
}

// forward returns the place after from up to which the texts are the same.
func (d *differ) forward(from, to place) place {
	n := commonPrefix(d.own[from.own:to.own], d.fill[from.fill:to.fill])
	d.work += n + 1
	return place{from.own + n, from.fill + n}
}

// backward returns the place before to from which on the texts are the same.
func (d *differ) backward(from, to place) place {
	n := commonSuffix(d.own[from.own:to.own], d.fill[from.fill:to.fill])
	d.work += n + 1
	return place{to.own - n, to.fill - n}
}

// anchors returns places between from and to, ascending in both texts, at which
// there is a block that either text has once only. What is repeated, as the rows of a
// table are, says nothing about what corresponds to what.
func (d *differ) anchors(from, to place) []place {
	own, fill := d.own[from.own:to.own], d.fill[from.fill:to.fill]
	if len(own) < block || len(fill) < block {
		return nil
	}
	x := indexBlocks(own)
	d.work += len(own) + len(fill)
	roll(fill, func(at int, hash uint64) {
		if b := x.find(hash); b != nil && b.seen < 2 {
			d.work += block
			if bytes.Equal(own[b.own:b.own+block], fill[at:at+block]) {
				b.seen++
				b.fill = at
			}
		}
	})
	var found []place
	for _, b := range x.all {
		if !b.repeated && b.seen == 1 {
			found = append(found, place{from.own + b.own, from.fill + b.fill})
		}
	}
	return aligned(ascending(found))
}

// aligned returns the places but for those before and after which the texts
// correspond in another way, and in the same one: such a place is there by chance.
func aligned(places []place) []place {
	var out []place
	shift := func(p place) int { return p.fill - p.own }
	for i, p := range places {
		if i > 0 && i+1 < len(places) && shift(places[i-1]) == shift(places[i+1]) && shift(p) != shift(places[i-1]) {
			continue
		}
		out = append(out, p)
	}
	return out
}

// ascending returns the most of the places, which ascend in own, that ascend in fill
// as well.
func ascending(places []place) []place {
	var ends []int                     // of each length, the place that ends it the earliest
	before := make([]int, len(places)) // the place before each one
	for i, p := range places {
		n := sort.Search(len(ends), func(k int) bool { return places[ends[k]].fill >= p.fill })
		if n == len(ends) {
			ends = append(ends, i)
		}
		ends[n] = i
		if n > 0 {
			before[i] = ends[n-1]
		}
	}
	if len(ends) == 0 {
		return nil
	}
	chosen := make([]place, len(ends))
	at := ends[len(ends)-1]
	for n := len(ends) - 1; n >= 0; n-- {
		chosen[n] = places[at]
		at = before[at]
	}
	return chosen
}

// blocks is an index of some of a text's blocks.
type blocks struct {
	all    []indexed
	byHash map[uint64]int32 // into all
	// filter has a bit set for each hash that is in the index, so that most of the
	// others need no look into it.
	filter [filterWords]uint64
}

// indexed is a block of own, and where fill has it.
type indexed struct {
	own      int
	repeated bool // own has it more than once, among those that are in the index
	seen     int  // how often it is in fill: 0, 1, or 2 for more
	fill     int  // where, the last time
}

const (
	filterBits  = 20
	filterWords = 1 << (filterBits - 6)
)

func indexBlocks(text []byte) *blocks {
	step := max(apart, (len(text)+maxBlocks-1)/maxBlocks)
	count := (len(text)-block)/step + 1
	x := &blocks{all: make([]indexed, count), byHash: make(map[uint64]int32, count)}
	for i := range x.all {
		b := &x.all[i]
		b.own = i * step
		hash := hashOf(text[b.own : b.own+block])
		if first, had := x.byHash[hash]; had {
			b.repeated, x.all[first].repeated = true, true
			continue
		}
		x.byHash[hash] = int32(i)
		bit := hash >> (64 - filterBits)
		x.filter[bit/64] |= 1 << (bit % 64)
	}
	return x
}

// find returns the block with the hash, or nil if there is none or it is repeated.
func (x *blocks) find(hash uint64) *indexed {
	bit := hash >> (64 - filterBits)
	if x.filter[bit/64]&(1<<(bit%64)) == 0 {
		return nil
	}
	i, ok := x.byHash[hash]
	if !ok || x.all[i].repeated {
		return nil
	}
	return &x.all[i]
}

// factor is what the bytes of a block are weighted by, to the power of how many
// bytes follow. It is odd, so that no byte's weight vanishes.
const factor = 0x9e3779b97f4a7c15

// outgoing is the weight of a block's first byte.
var outgoing = func() uint64 {
	weight := uint64(1)
	for range block - 1 {
		weight *= factor
	}
	return weight
}()

func hashOf(text []byte) uint64 {
	var hash uint64
	for _, c := range text {
		hash = hash*factor + uint64(c) + 1
	}
	return hash
}

// roll calls yield with the hash of each block of a text.
func roll(text []byte, yield func(at int, hash uint64)) {
	hash := hashOf(text[:block])
	yield(0, hash)
	for at := block; at < len(text); at++ {
		hash = (hash-(uint64(text[at-block])+1)*outgoing)*factor + uint64(text[at]) + 1
		yield(at-block+1, hash)
	}
}
