package inquiry

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// coverage is what records themselves say of those that are missing.
type coverage struct {
	sampled     sampling // of the serve records that was written
	visitorKeys map[string]bool
	nameless    bool // some requests have no visitor
	lost        map[int64]int64
}

func newCoverage() coverage {
	return coverage{visitorKeys: make(map[string]bool), lost: make(map[int64]int64)}
}

// lose takes note of a record that tells of lost ones.
func (c *coverage) lose(e *reading.Entry) {
	if e.Event == audit.EventDrop {
		// Of one log there is at most one each second.
		c.lost[e.Time.UnixNano()] += max(1, e.Records)
	}
}

// sampling is how many of the serve records are written, and from when to when records say
// so. Other records say it as well: of an object of which no serve was drawn there is no
// serve record that could.
type sampling struct {
	percent     float64 // the smallest
	first, last int64   // Unix nanoseconds
	known       bool
}

// sample takes note of what any record says of those that are not written.
func (c *coverage) sample(e *reading.Entry) {
	if e.Unserved || e.ServesPct > 0 && e.ServesPct < 100 {
		at := e.Time.UnixNano()
		c.sampled.merge(sampling{e.ServesPct, at, at, true})
	}
}

func (s *sampling) merge(o sampling) {
	switch {
	case !o.known:
	case !s.known:
		*s = o
	default:
		*s = sampling{min(s.percent, o.percent), min(s.first, o.first), max(s.last, o.last), true}
	}
}

// during says whether that was so in a window.
func (s *sampling) during(since, until time.Time) bool {
	return s.known && !time.Unix(0, s.last).Before(since) && (until.IsZero() || time.Unix(0, s.first).Before(until))
}

// count takes note of a request that is part of the answer.
func (c *coverage) count(e *reading.Entry) {
	if e.Probe {
		return // it counts as no visitor
	}
	key, _, named := strings.Cut(e.Visitor, "-")
	switch {
	case !named:
		c.nameless = true
	case !c.visitorKeys[key]:
		c.visitorKeys[strings.Clone(key)] = true
	}
}

func (c *coverage) merge(other *coverage) {
	c.sampled.merge(other.sampled)
	for key := range other.visitorKeys {
		c.visitorKeys[key] = true
	}
	c.nameless = c.nameless || other.nameless
	for at, n := range other.lost {
		c.lost[at] += n
	}
}

// incomplete says what is missing from an answer about a window. A zero time leaves
// that side open.
func (c *coverage) incomplete(since, until time.Time, o AnswerOptions) []string {
	var missing []string
	if c.sampled.during(since, until) {
		if c.sampled.percent == 0 {
			missing = append(missing, "no serve records were written (serves none): of those who were served, nobody is here")
		} else {
			missing = append(missing, fmt.Sprintf("only a sample of the serve records was written (%s %% of them): most of those who were served are not here",
				humanize.Ftoa(c.sampled.percent)))
		}
	}
	var lost int64
	first, last := int64(math.MaxInt64), int64(0)
	for at, n := range c.lost {
		t := time.Unix(0, at)
		// A drop record tells of the time just before it.
		if t.Before(since) || !until.IsZero() && t.After(until.Add(dropReach)) {
			continue
		}
		lost += n
		first, last = min(first, at), max(last, at)
	}
	if lost > 0 {
		when := "at " + show.Time(o.time(first), o.Location)
		if last-first >= int64(time.Second) {
			when = show.Span(o.time(first), o.time(last), o.Location)
		}
		missing = append(missing, fmt.Sprintf("%s lost, because the queue of the log was full: %s",
			counted(int(lost), "record was", "records were"), when))
	}
	return append(missing, o.Unread...)
}

// dropReach is how long after losing records the log says so, at most.
const dropReach = 2 * time.Second

// notes say how to take the count of visitors.
func (c *coverage) notes() []string {
	var notes []string
	if len(c.visitorKeys) > 1 {
		notes = append(notes, fmt.Sprintf("visitors' pseudonyms were made with %d keys (they rotate): who came under two of them counts twice, so there may be fewer visitors than that",
			len(c.visitorKeys)))
	}
	if c.nameless {
		notes = append(notes, "some records name no visitor; they count as no one")
	}
	return notes
}

// counted is a number with the word for what it counts.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return humanize.Comma(int64(n)) + " " + many
}
