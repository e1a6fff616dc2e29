package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// writeVariantsJSON writes the results for programs.
func writeVariantsJSON(w io.Writer, results []variantResult) error {
	type row struct {
		Carrier string `json:"carrier"`
		Input   string `json:"input"`
		// CacheControl is what the app says; empty: nothing.
		CacheControl string `json:"cache_control"`
		Visitors     int    `json:"visitors"`
		// FromCache is how many landing pages came out of a cache.
		FromCache     int `json:"from_cache"`
		Misattributed int `json:"misattributed"`
		// Waited is how many landing pages were asked for while Cacheward had yet to
		// find out whether another visitor's could be shared.
		Waited int `json:"waited"`
		// WithoutCacheward is how many were misattributed by the CDN alone.
		WithoutCacheward int `json:"misattributed_without_cacheward"`
		// Why is null if the audit log has no record that says why.
		Why *explanation `json:"why"`
		// Unexplained are the hosts and ways without such a record.
		Unexplained []string `json:"unexplained,omitempty"`
	}
	var all struct {
		Variants      []row `json:"variants"`
		Visitors      int   `json:"visitors"`
		Misattributed int   `json:"misattributed"`
	}
	all.Variants = make([]row, 0, len(results))
	for _, r := range results {
		all.Variants = append(all.Variants, row{
			Carrier: string(r.carrier), Input: string(r.entrance), CacheControl: r.cacheControl,
			Visitors: r.behind.visitors, FromCache: r.behind.cached, Misattributed: r.behind.misattributed,
			Waited: r.behind.waited, WithoutCacheward: r.alone.misattributed,
			Why: r.behind.why, Unexplained: r.behind.unexplained,
		})
		all.Visitors += r.behind.visitors
		all.Misattributed += r.behind.misattributed
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(all)
}

var variantHeads = [][]string{
	{"", "", "", "", "misattributed", "misattributed", "from", ""},
	{"carrier", "input", "origin says", "visitors", "by CDN alone", "by Cacheward", "cache", "why it was not shared"},
}

// variantLeft are the columns of words.
var variantLeft = map[int]bool{0: true, 1: true, 2: true, 7: true}

// writeVariantsText writes the results for people: what was done, a table, and the sum
// of it in the last line.
func writeVariantsText(w io.Writer, results []variantResult, color bool) error {
	var b strings.Builder
	b.WriteByte('\n')
	b.WriteString(wrap("The operator's rule says: this page for five minutes, whatever the query, the cookies "+
		"and the origin say. Half of the visitors come one after another, half while the first is still waiting "+
		"for the app's answer, to each of two hosts. The CDN alone has the rule itself; behind Cacheward, the "+
		"rule is Cacheward's.", lineWidth))
	b.WriteByte('\n')
	var rows [][]cell
	visitors, alone, behind := 0, 0, 0
	for _, r := range results {
		rows = append(rows, r.row())
		visitors += r.behind.visitors
		alone += r.alone.misattributed
		behind += r.behind.misattributed
	}
	layOut(&b, variantHeads, rows, variantLeft, color)
	fmt.Fprintf(&b, "\nThe CDN alone: %s of %s visitors misattributed\n", count(alone), count(visitors))
	fmt.Fprintf(&b, "%s variants, %s visitors: %s misattributed\n", count(len(results)), count(visitors), count(behind))
	_, err := io.WriteString(w, b.String())
	return err
}

func (r variantResult) row() []cell {
	verdict, explained := green, ""
	if r.behind.misattributed > 0 {
		verdict = red
	}
	why := r.behind.why.String()
	if len(r.behind.unexplained) > 0 {
		explained = red
		if r.behind.why != nil {
			why += "; in part no record"
		}
	}
	return []cell{
		{string(r.carrier), ""},
		{string(r.entrance), ""},
		{r.originSays(), ""},
		{count(r.behind.visitors), ""},
		{count(r.alone.misattributed), ""},
		{count(r.behind.misattributed), verdict},
		{count(r.behind.cached), ""},
		{why, explained},
	}
}
