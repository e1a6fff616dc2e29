package inquiry

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// SummaryAnswer is the answer to [Summary].
type SummaryAnswer struct {
	Schema int `json:"schema"`
	// From and To are the times of the first and the last record.
	From    time.Time `json:"from,omitzero"`
	To      time.Time `json:"to,omitzero"`
	Records int64     `json:"records"`
	// Lost is how many records were lost, as the log itself says: every count is too low.
	Lost int64 `json:"lost_records,omitempty"`
	// Unserved: of requests that were served from an object there are no records, for a
	// while at least (serves none). No figure has them in it.
	Unserved bool `json:"serves_not_written,omitempty"`
	// Bucket is the length of the buckets of time, in seconds; the first of them, of
	// every route, begins at Start.
	Start  time.Time `json:"bucket_start,omitzero"`
	Bucket float64   `json:"bucket_s"`
	// Total are the figures of all routes together, Routes those of each: the most
	// requested first.
	Total  RouteSummary   `json:"total"`
	Routes []RouteSummary `json:"routes"`
	// Edges are the figures of each edge, the busiest first; none if all records are of one.
	Edges []EdgeSummary `json:"edges,omitempty"`
	// Notable are leaks and their ends, trips, resets, purges, losses of records, withdrawals and faults, the
	// latest first; of each at most 100. Events counts them all.
	Notable []Notable `json:"notable"`
	Events  []Count   `json:"notable_events"`
	// Keys are those that were asked for most, at most 10 of a route.
	Keys []KeySummary `json:"keys"`
	// KeysEstimated: there were so many keys that some were given up. The requests of a
	// key may then be more than is said, by up to KeysLow.
	KeysEstimated bool  `json:"keys_estimated,omitempty"`
	KeysLow       int64 `json:"keys_low,omitempty"`
}

// RouteSummary are the figures of a route.
type RouteSummary struct {
	Route string `json:"route"`
	// Requests that were answered, by whoever.
	Requests int64 `json:"requests"`
	// Probes is how many requests were left out, for they were probes and no visitors'. They
	// are in no other figure; fills are, whoever caused them.
	Probes int64 `json:"probes_left_out,omitempty"`
	// Estimated: not every request that was served from an object has a record; those
	// there are stand for the others.
	Estimated bool `json:"estimated,omitempty"`
	// Outcomes of the requests.
	Outcomes []Count `json:"outcomes"`
	// Served are the requests that were answered with what was stored for an earlier
	// one: the outcomes hit, stale, revalidated and collapsed. HitShare is their share
	// in all, 0 to 1.
	Served   int64   `json:"served"`
	HitShare float64 `json:"hit_share"`
	// Origin counts what the app was asked: the requests that went to it untouched
	// (event bypass), and the fills whose end is on record (store, refuse, diverge, and
	// refresh with an object). Where two fills were compared they count as one.
	Origin int64 `json:"origin_requests"`
	// Fills are those of them that were fills, by event.
	Fills []Count `json:"fills"`
	// Passed are requests that went to the app, or were refused with 400, by the first
	// reason; Refused fills that were not stored, by the first reason.
	Passed  []Count `json:"passed"`
	Refused []Count `json:"refused"`
	// Divergences by class: answers that differed and were not shared.
	Divergences []Count `json:"divergences"`
	// Withdrawn is how many pages were shared and turned out not to be shareable.
	Withdrawn int64 `json:"withdrawn,omitempty"`
	// Saved is the size of the bodies of all objects that were served instead of being
	// made anew. What went over the wire is less where only a part was asked for.
	Saved int64 `json:"saved_bytes"`
	// RequestsOver and ServedOver count in buckets of time.
	RequestsOver []int64 `json:"requests_over_time"`
	ServedOver   []int64 `json:"served_over_time"`
	// WouldBe is what would have been, for requests on a route that only observes.
	WouldBe *WouldBe `json:"would_be,omitempty"`
}

// WouldBe is what would have become of requests on a route that only observes.
type WouldBe struct {
	Requests int64 `json:"requests"`
	// Outcomes that they would have had: hit, fill, pass, bypass, deny.
	Outcomes []Count `json:"outcomes"`
	// HitShare is the share of hits among them, 0 to 1.
	HitShare float64 `json:"hit_share"`
	// Reasons that spoke against sharing, by the first of each request.
	Reasons []Count `json:"reasons"`
}

// KeySummary are the figures of a key.
type KeySummary struct {
	Route string `json:"route"`
	Key   string `json:"key"`
	// URL is an example: that of the last request with the key.
	URL      string `json:"url"`
	Requests int64  `json:"requests"`
	Served   int64  `json:"served"`
}

// keysPerRoute is how many keys of a route are told.
const keysPerRoute = 10

// Answer ends the question.
func (s *Summary) Answer() *SummaryAnswer {
	a := &SummaryAnswer{
		Schema:  AnswerSchema,
		Records: s.records, Lost: s.lost, Unserved: s.unserved, Routes: []RouteSummary{},
		Notable: s.notable.list(), Events: s.notable.counts.counts(),
	}
	a.From, a.To = s.window.times()
	total := (&Summary{routes: make(map[string]*routeFigures)}).route("")
	for _, f := range s.routes {
		total.merge(f)
	}
	for _, f := range s.routes {
		f.over.cover(&total.over)
		a.Routes = append(a.Routes, f.answer())
	}
	slices.SortFunc(a.Routes, func(a, b RouteSummary) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), strings.Compare(a.Route, b.Route))
	})
	a.Total = total.answer()
	a.Edges = s.edgeSummaries()
	start, length, _ := total.over.span()
	a.Start, a.Bucket = start.UTC(), length.Seconds()
	if start.IsZero() {
		a.Start = time.Time{}
	}
	s.answerKeys(a)
	return a
}

func (f *routeFigures) answer() RouteSummary {
	requests := f.outcomes.sum()
	r := RouteSummary{
		Route: f.name, Requests: whole(requests), Probes: whole(f.probes), Estimated: f.sampled, Outcomes: f.outcomes.counts(), Served: whole(f.served),
		HitShare: share(f.served, requests), Origin: whole(f.asked + f.fills.sum()), Fills: f.fills.counts(), Passed: f.passed.counts(),
		Refused: f.refused.counts(), Divergences: f.classes.counts(), Withdrawn: f.withdrew, Saved: f.saved,
		RequestsOver: wholes(f.over.figures(seriesRequests)), ServedOver: wholes(f.over.figures(seriesServed)),
	}
	if observed := f.would.sum(); observed > 0 {
		r.WouldBe = &WouldBe{
			Requests: whole(observed), Outcomes: f.would.counts(), HitShare: share(f.would["hit"], observed),
			Reasons: f.wouldReasons.counts(),
		}
	}
	return r
}

func share(part, all int64) float64 {
	if all == 0 {
		return 0
	}
	return float64(part) / float64(all)
}

func wholes(weights []int64) []int64 {
	counts := make([]int64, len(weights))
	for i, n := range weights {
		counts[i] = whole(n)
	}
	return counts
}

func (s *Summary) answerKeys(a *SummaryAnswer) {
	a.Keys = []KeySummary{}
	a.KeysEstimated, a.KeysLow = s.keys.estimated(), whole(s.keys.low)
	told := make(map[string]int)
	for _, k := range s.keys.keys() {
		if told[k.route]++; told[k.route] > keysPerRoute {
			continue
		}
		row := s.keys.rows[k]
		a.Keys = append(a.Keys, KeySummary{k.route, k.key, row.url, whole(row.n), whole(row.served)})
	}
}
