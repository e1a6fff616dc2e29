package inquiry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"math"
)

// rows are very many rows, in pieces: none is copied when there are more of them.
type rows[T any] struct{ pieces [][]T }

// A piece has twice the rows of the one before it, up to mostRows.
const (
	leastRows = 64
	mostRows  = 8192
)

func (r *rows[T]) add(row T) {
	last := len(r.pieces) - 1
	if last < 0 || len(r.pieces[last]) == cap(r.pieces[last]) {
		size := leastRows
		if last >= 0 {
			size = min(mostRows, 2*cap(r.pieces[last]))
		}
		r.pieces = append(r.pieces, make([]T, 0, size))
		last++
	}
	r.pieces[last] = append(r.pieces[last], row)
}

func (r *rows[T]) merge(other *rows[T]) { r.pieces = append(r.pieces, other.pieces...) }

// take is all of them in one. None is left.
func (r *rows[T]) take() []T {
	n := 0
	for _, piece := range r.pieces {
		n += len(piece)
	}
	all := make([]T, 0, n)
	for i, piece := range r.pieces {
		all = append(all, piece...)
		r.pieces[i] = nil
	}
	r.pieces = nil
	return all
}

// List is a list of an answer, as long as a log may be. Each row is made when it is asked
// for, and not kept. Lists are not safe for concurrent use.
type List[T any] struct {
	n  int
	at func(i int) T
}

// Len is how many rows there are.
func (l List[T]) Len() int { return l.n }

// At is a row, from 0. It panics where there is none.
func (l List[T]) At(i int) T {
	if i < 0 || i >= l.n {
		panic(fmt.Sprintf("row %d of %d", i, l.n))
	}
	return l.at(i)
}

// All are the rows in their order.
func (l List[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		for i := range l.n {
			if !yield(l.at(i)) {
				return
			}
		}
	}
}

// MarshalJSON makes all rows at once: of long lists, the answer's Document does not.
func (l List[T]) MarshalJSON() ([]byte, error) {
	all := make([]T, 0, l.n)
	for row := range l.All() {
		all = append(all, row)
	}
	// What to escape, the encoder that asks sees to.
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(all)
	return text.Bytes(), err
}

// UnmarshalJSON reads a list back.
func (l *List[T]) UnmarshalJSON(data []byte) error {
	var all []T
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	*l = List[T]{len(all), func(i int) T { return all[i] }}
	return nil
}

// narrow is a status as rows have it.
func narrow(status int) int32 { return int32(max(math.MinInt32, min(math.MaxInt32, status))) }
