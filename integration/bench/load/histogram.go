package load

import (
	"math"
	"math/bits"
	"slices"
	"time"
)

// Histogram counts durations, to within a hundredth of their value. The zero value is
// empty and ready. It is not for concurrent use.
type Histogram struct {
	counts []uint64 // by bucket
	n      int
	sum    time.Duration
	max    time.Duration
}

// Every power of two is divided into as many buckets of equal width, so that none is wider
// than the 128th part of what it holds. Below twice that number, each value is a bucket.
const divisionBits, divisions = 7, 1 << divisionBits

func bucket(d time.Duration) int {
	shift := max(0, bits.Len64(uint64(d))-divisionBits-1)
	return shift*divisions + int(d>>shift)
}

// longest is the longest duration in a bucket.
func longest(bucket int) time.Duration {
	shift := max(0, bucket/divisions-1)
	return time.Duration(bucket-shift*divisions+1)<<shift - 1
}

// Add counts a duration. A negative one counts as zero.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	b := bucket(d)
	h.reach(b + 1)
	h.counts[b]++
	h.n++
	h.sum += d
	h.max = max(h.max, d)
}

func (h *Histogram) reach(buckets int) {
	if missing := buckets - len(h.counts); missing > 0 {
		h.counts = slices.Grow(h.counts, missing)[:buckets]
	}
}

// Merge counts all that the other has counted.
func (h *Histogram) Merge(other *Histogram) {
	h.reach(len(other.counts))
	for b, n := range other.counts {
		h.counts[b] += n
	}
	h.n += other.n
	h.sum += other.sum
	h.max = max(h.max, other.max)
}

// Count is how many durations were added.
func (h *Histogram) Count() int { return h.n }

// Mean is their mean, exactly; 0 if there are none.
func (h *Histogram) Mean() time.Duration {
	if h.n == 0 {
		return 0
	}
	return h.sum / time.Duration(h.n)
}

// Max is the longest, exactly; 0 if there are none.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile returns the duration that the share q of them, from 0 to 1, does not exceed, or
// up to a hundredth more; 0 if there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := uint64(math.Ceil(q * float64(h.n)))
	seen := uint64(0)
	for b, n := range h.counts {
		if seen += n; n > 0 && seen >= rank {
			return min(longest(b), h.max)
		}
	}
	return h.max
}
