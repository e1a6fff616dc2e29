package inquiry

import (
	"math"
	"time"
)

// series counts in buckets of time. How long these are follows from the first and the
// last time alone, so that it does not depend on the order of what is counted: each
// length is a multiple of the one before it.
type series struct {
	lengths func(level int) int64 // seconds
	room    int64                 // how many buckets at most
	rows    int                   // how many figures a bucket has

	level       int
	first, last int64   // buckets at that level; none if last < first
	cells       []int64 // of bucket b: from b modulo ring times rows on
	ring        int64
}

// roundLengths are those that people read well, up to a year or so.
var roundLengths = []int64{
	1, 5, 10, 30, 60, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600,
	7 * 24 * 3600, 28 * 24 * 3600, 364 * 24 * 3600,
}

func roundLength(level int) int64 {
	length := roundLengths[min(level, len(roundLengths)-1)]
	for ; level >= len(roundLengths) && length < math.MaxInt64/10; level-- {
		length *= 10
	}
	return length
}

// roundBuckets is how many buckets of a round length there are at most.
const roundBuckets = 60

func newRoundSeries(rows int) series { return newSeries(roundLength, roundBuckets, rows) }

func newSeries(lengths func(int) int64, room int64, rows int) series {
	ring := int64(1)
	for ring < room {
		ring *= 2
	}
	return series{lengths: lengths, room: room, ring: ring, rows: rows, first: 0, last: -1}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// moment is a time in Unix nanoseconds. Without one, or if it is centuries from now, as in
// a damaged record, it is not ok.
func moment(t time.Time) (ns int64, ok bool) {
	const bound = 1 << 33 // seconds; nanoseconds overflow a little later
	if seconds := t.Unix(); t.IsZero() || seconds < -bound || seconds > bound {
		return 0, false
	}
	return t.UnixNano(), true
}

// at returns the figures of the bucket that has the moment, to be added to. They are
// good until the next call. Without a time there are none.
func (s *series) at(t time.Time) []int64 {
	if _, ok := moment(t); !ok {
		return nil
	}
	return s.bucket(t.Unix(), t.Unix())
}

// bucket makes room from one moment to another, in Unix seconds, and returns the figures
// of the first one's bucket.
func (s *series) bucket(from, to int64) []int64 {
	if s.cells == nil {
		s.cells = make([]int64, s.ring*int64(s.rows))
	}
	length := s.lengths(s.level)
	first, last := floorDiv(from, length), floorDiv(to, length)
	if s.last >= s.first {
		first, last = min(first, s.first), max(last, s.last)
	}
	if last-first >= s.room {
		if s.last < s.first {
			s.level++
		} else {
			s.coarsen()
		}
		return s.bucket(from, to)
	}
	s.first, s.last = first, last
	return s.cell(floorDiv(from, length))
}

// cell is the figures of a bucket between first and last.
func (s *series) cell(bucket int64) []int64 {
	i := (bucket & (s.ring - 1)) * int64(s.rows)
	return s.cells[i : i+int64(s.rows)]
}

// coarsen goes to the next longer buckets.
func (s *series) coarsen() {
	next := series{lengths: s.lengths, room: s.room, ring: s.ring, rows: s.rows, level: s.level + 1, first: 0, last: -1}
	next.take(s)
	*s = next
}

// take adds another series whose buckets are no longer than the own ones.
func (s *series) take(o *series) {
	length := o.lengths(o.level)
	for b := o.first; b <= o.last; b++ {
		into := s.bucket(b*length, b*length)
		for i, n := range o.cell(b) {
			into[i] += n
		}
	}
}

// merge adds another series.
func (s *series) merge(o *series) {
	s.cover(o)
	s.take(o)
}

// cover makes the buckets as long as another's, and such that both fit.
func (s *series) cover(o *series) {
	if o.last < o.first {
		return
	}
	for s.level < o.level {
		s.coarsen()
	}
	length := o.lengths(o.level)
	s.bucket(o.first*length, o.last*length)
}

// span is the first bucket's beginning, the length of a bucket and how many there are.
func (s *series) span() (start time.Time, length time.Duration, buckets int) {
	if s.last < s.first {
		return time.Time{}, 0, 0
	}
	seconds := s.lengths(s.level)
	return time.Unix(s.first*seconds, 0), time.Duration(seconds) * time.Second, int(s.last - s.first + 1)
}

// figures is one row of all buckets.
func (s *series) figures(row int) []int64 {
	var figures []int64
	for b := s.first; b <= s.last; b++ {
		figures = append(figures, s.cell(b)[row])
	}
	return figures
}
