package inquiry

import (
	"fmt"
	"sync/atomic"
	"unique"

	"github.com/dustin/go-humanize"
)

// MaxRows is how many rows the questions about single requests hold at most.
const MaxRows = 5_000_000

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

// take says whether there is room for one more row.
func (r *Room) take() bool {
	if r == nil {
		return true
	}
	taken := r.taken.Add(1)
	if taken == r.limit+1 && r.full != nil {
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

// interned is a string that many records have, of which one copy is kept.
type interned = unique.Handle[string]

func intern(s string) interned { return unique.Make(s) }
