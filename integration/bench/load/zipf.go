package load

import (
	"math"
	"math/rand/v2"
	"sort"
)

// Zipf returns a sequence of that length of numbers below keys, which must be at least 1.
// Number k is in it in proportion to 1/(k+1)^s: s is 0 for all alike, and about 0.8 to 1
// for the pages of a web site. It is the same for the same arguments. Request functions
// index it by i%length.
func Zipf(seed uint64, s float64, keys, length int) []uint32 {
	// rand.Zipf takes no s below 1.
	sums := make([]float64, keys)
	total := 0.0
	for k := range sums {
		total += math.Pow(float64(k+1), -s)
		sums[k] = total
	}
	source := rand.New(rand.NewPCG(seed, 0))
	sequence := make([]uint32, length)
	for i := range sequence {
		at := source.Float64() * total
		sequence[i] = uint32(sort.Search(keys-1, func(k int) bool { return sums[k] > at }))
	}
	return sequence
}
