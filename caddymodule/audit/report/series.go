package report

import (
	"slices"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit/inquiry"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// group is a kind of answers to requests, as the chart shows them.
type group struct {
	ID     string // of its pattern in the page
	Words  string
	counts []int64
}

func (g group) at(bucket int) int64 { return at(g.counts, bucket) }

// Total of all buckets.
func (g group) Total() int64 {
	n := int64(0)
	for _, c := range g.counts {
		n += c
	}
	return n
}

// kinds of answers, from the bottom of the chart to its top, and the outcomes they take in.
var kinds = []struct {
	id, words string
	outcomes  []string
}{
	{"cache", "from the cache", []string{"hit", "stale", "revalidated", "collapsed"}},
	{"fill", "fetched for the cache", []string{"fill"}},
	{"pass", "to the app, not shareable then", []string{"pass"}},
	{"bypass", "to the app, by the policy", []string{"bypass"}},
	{"observe", "to the app, only observed", []string{"observe"}},
	{"deny", "refused with 400", []string{"deny"}},
	{"fault", "ended otherwise", []string{"fault", "other"}},
}

// groupsOf adds up the outcomes of each kind. A kind without any is left out.
func groupsOf(t *inquiry.TimelineAnswer) []group {
	var groups []group
	for _, k := range kinds {
		g := group{ID: k.id, Words: k.words, counts: make([]int64, t.Buckets)}
		for _, row := range t.Rows {
			if row.Kind != "outcome" || !slices.Contains(k.outcomes, row.Name) {
				continue
			}
			for i, n := range row.Counts {
				g.counts[i] += n
			}
		}
		if g.Total() > 0 {
			groups = append(groups, g)
		}
	}
	return groups
}

// sparkline is a small chart of a route: requests, and from the cache those of them that
// were answered from it.
type sparkline struct {
	Width, Height int
	Columns       []sparkColumn
	Describe      string
}

type sparkColumn struct{ X, W, Y, High, CacheY, CacheHigh string }

const (
	sparkWidth  = 180
	sparkHeight = 28
)

func newSparkline(a axis, served, all []int64, loc *time.Location) *sparkline {
	highest, peak := int64(0), 0
	for i, n := range all {
		if n > highest {
			highest, peak = n, i
		}
	}
	if highest == 0 || a.buckets == 0 {
		return nil
	}
	s := &sparkline{Width: sparkWidth, Height: sparkHeight}
	step := float64(sparkWidth) / float64(a.buckets)
	for i := range all {
		if all[i] <= 0 {
			continue
		}
		high := max(1, sparkHeight*float64(all[i])/float64(highest))
		cache := sparkHeight * float64(min(at(served, i), all[i])) / float64(highest)
		s.Columns = append(s.Columns, sparkColumn{
			px(float64(i) * step), px(step * 0.86), px(sparkHeight - high), px(high), px(sparkHeight - cache), px(cache),
		})
	}
	s.Describe = "At most " + requests(highest) + ", at " + show.Time(a.begins(peak), loc)
	return s
}

func requests(n int64) string { return counted(n, "request", "requests") }

func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return show.Count(n) + " " + many
}
