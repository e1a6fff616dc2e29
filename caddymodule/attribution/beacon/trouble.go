package beacon

import "time"

// trouble is something that fails for a while. It is told of at once, then once a minute,
// and when it is over. One goroutine may use it.
type trouble struct {
	since, told time.Time
	times       int
}

const tellEvery = time.Minute

// met counts one more failure, and calls tell if it is time to.
func (t *trouble) met(tell func(since time.Time, times int)) {
	now := time.Now()
	if t.times++; t.times == 1 {
		t.since = now
	}
	if now.Sub(t.told) >= tellEvery {
		t.told = now
		tell(t.since, t.times)
	}
}

// over ends it, and calls tell if it has been told of.
func (t *trouble) over(tell func(times int)) {
	if t.times > 0 && !t.told.Before(t.since) {
		tell(t.times)
	}
	t.times = 0
}
