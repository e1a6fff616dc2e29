package inquiry

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"strings"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

// MaxDistinct is how many distinct keys, places and the like a question holds at most.
const MaxDistinct = 100_000

// one record in the unit of weights. They are whole numbers, so that sums do not depend
// on the order.
const one = 1_000_000

// weightOf is how many requests a record stands for, times [one].
func weightOf(e *reading.Entry) int64 {
	if e.Event != audit.EventServe || !(e.ServesPct > 0 && e.ServesPct < 100) {
		return one
	}
	return int64(math.Round(one * 100 / max(e.ServesPct, 0.01))) // audit.Sampling has no smaller share
}

// whole is a sum of weights as a number of requests.
func whole(weights int64) int64 { return (weights + one/2) / one }

// weighted is n times the weight, without the unit: of a size, the bytes that it stands
// for. What does not fit is as much as does.
func weighted(n, weight int64) int64 {
	hi, lo := bits.Mul64(uint64(max(0, n)), uint64(weight))
	if hi >= one {
		return math.MaxInt64
	}
	if quotient, _ := bits.Div64(hi, lo, one); quotient <= math.MaxInt64 {
		return int64(quotient)
	}
	return math.MaxInt64
}

// plus is a sum that stays at the largest number instead of wrapping around.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// Count is how often something was.
type Count struct {
	// Name is a word of the records: an outcome, a reason's code, a class.
	Name string `json:"name"`
	N    int64  `json:"n"`
}

// words counts words that are of a small set as a rule. What comes when it is full, from
// a log that is none of ours, counts as others.
type words map[string]int64

const (
	maxWords = 256
	others   = "(others)"
)

func (w words) add(word string, n int64) {
	if _, known := w[word]; !known {
		if len(w) >= maxWords {
			word = others
		} else {
			word = strings.Clone(word)
		}
	}
	w[word] += n
}

func (w words) merge(other words) {
	for word, n := range other {
		w.add(word, n)
	}
}

// counts lists the words, the most frequent first. They were counted in weights.
func (w words) counts() []Count {
	list := make([]Count, 0, len(w))
	for word, n := range w {
		list = append(list, Count{word, whole(n)})
	}
	slices.SortFunc(list, func(a, b Count) int { return cmp.Or(cmp.Compare(b.N, a.N), strings.Compare(a.Name, b.Name)) })
	return list
}

// sum of all words, in weights.
func (w words) sum() int64 {
	total := int64(0)
	for _, n := range w {
		total += n
	}
	return total
}

// ordered is what a table counts: it can be a map's key and has an order.
type ordered[K any] interface {
	comparable
	compare(K) int
}

// table counts distinct things. When it has more than its limit, the rarest half goes.
type table[K ordered[K]] struct {
	limit int
	rows  map[K]*tally
	// low is by how much a count may be too low, for rows that were given up, and
	// folded the sum of what was counted in them.
	low, folded int64
}

// tally is what is counted of one thing, in weights, with the first and last time (in
// Unix nanoseconds) and a URL: that of the last record that has one.
type tally struct {
	n, served   int64
	first, last int64
	url         string
	urlAt       int64
}

func newTable[K ordered[K]](limit int) table[K] {
	return table[K]{limit: limit, rows: make(map[K]*tally)}
}

// row returns the tally of the key. clone makes a copy of a key that is to be kept.
func (t *table[K]) row(key K, clone func(K) K) *tally {
	if r := t.rows[key]; r != nil {
		return r
	}
	t.fold()
	r := &tally{first: math.MaxInt64, last: math.MinInt64, urlAt: math.MinInt64}
	t.rows[clone(key)] = r
	return r
}

func (r *tally) add(e *reading.Entry, n, served int64) {
	r.n += n
	r.served += served
	at, ok := moment(e.Time)
	if !ok {
		r.example(math.MinInt64, e.URL)
		return
	}
	r.first, r.last = min(r.first, at), max(r.last, at)
	r.example(at, e.URL)
}

// example keeps the latest URL, of several at once the first in order.
func (r *tally) example(at int64, url string) {
	switch {
	case url == "", r.url != "" && (at < r.urlAt || at == r.urlAt && url >= r.url):
		return
	}
	r.url, r.urlAt = strings.Clone(url), at
}

func (r *tally) merge(o *tally) {
	r.n += o.n
	r.served += o.served
	r.first, r.last = min(r.first, o.first), max(r.last, o.last)
	r.example(o.urlAt, o.url)
}

func (t *table[K]) merge(o *table[K]) {
	for key, other := range o.rows {
		t.row(key, func(k K) K { return k }).merge(other)
	}
	t.low += o.low
	t.folded += o.folded
}

// fold makes room if there is none.
func (t *table[K]) fold() {
	if len(t.rows) < t.limit {
		return
	}
	keys := t.keys()
	given := keys[len(keys)/2:]
	t.low += t.rows[given[0]].n // the largest of them
	for _, key := range given {
		t.folded += t.rows[key].n
		delete(t.rows, key)
	}
}

// keys lists what was counted, the most frequent first.
func (t *table[K]) keys() []K {
	keys := make([]K, 0, len(t.rows))
	for key := range t.rows {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b K) int { return cmp.Or(cmp.Compare(t.rows[b].n, t.rows[a].n), a.compare(b)) })
	return keys
}

// estimated says whether counts may be too low, because rows were given up.
func (t *table[K]) estimated() bool { return t.folded > 0 }
