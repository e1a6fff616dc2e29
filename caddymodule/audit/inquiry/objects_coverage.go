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
	sampled     float64 // the smallest share of serve records that was written, in percent; zero: all
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

// count takes note of a request that is part of the answer.
func (c *coverage) count(e *reading.Entry) {
	if e.ServesPct > 0 && e.ServesPct < 100 && (c.sampled == 0 || e.ServesPct < c.sampled) {
		c.sampled = e.ServesPct
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
	if other.sampled > 0 && (c.sampled == 0 || other.sampled < c.sampled) {
		c.sampled = other.sampled
	}
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
	if c.sampled > 0 {
		missing = append(missing, fmt.Sprintf("only a sample of the serve records was written (%s %% of them): most of those who were served are not here",
			humanize.Ftoa(c.sampled)))
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
