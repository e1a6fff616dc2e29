package inquiry

import (
	"fmt"
	"sync/atomic"

	"github.com/dustin/go-humanize"
)

// MaxRows is how many rows the questions about single requests hold at most: about 1.3 GB of
// memory where every visitor and every URL is another, and about half as much again where all
// are landings, each with an ID.
const MaxRows = 5_000_000

// objectRows is how many rows an object counts for: it takes so much more room than one.
const objectRows = 4

// Room bounds how many rows a question holds, over all of its workers. It is safe for
// concurrent use. A nil Room has no bound.
type Room struct {
	limit int64
	taken atomic.Int64
	full  func()
}

// NewRoom returns room for so many rows. full, where given, is called once, when there
// is none left: to stop the reading.
func NewRoom(rows int, full func()) *Room {
	return &Room{limit: int64(rows), full: full}
}

// take says whether there is room for so many rows more.
func (r *Room) take(rows int64) bool {
	if r == nil {
		return true
	}
	taken := r.taken.Add(rows)
	if taken > r.limit && taken-rows <= r.limit && r.full != nil {
		r.full()
	}
	return taken <= r.limit
}

// Err is nil as long as everything had room. An answer without some of its rows would
// be taken for the whole.
func (r *Room) Err() error {
	if r == nil || r.taken.Load() <= r.limit {
		return nil
	}
	return fmt.Errorf("the answer needs more than %s records at once; narrow it down with --since and --until, --route or --where",
		humanize.Comma(r.limit))
}
