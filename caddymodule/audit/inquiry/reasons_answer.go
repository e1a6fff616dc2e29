package inquiry

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/policies"
)

// ReasonsAnswer is the answer to [Reasons].
type ReasonsAnswer struct {
	Schema int `json:"schema"`
	// Question is refusals, bypasses or divergences.
	Question string `json:"question"`
	// From and To are the times of the first and the last record that counts.
	From  time.Time `json:"from,omitzero"`
	To    time.Time `json:"to,omitzero"`
	Total int64     `json:"total"`
	// Silent are requests that went to the app although nothing spoke against sharing:
	// they caused a fill, or their route only observes. Only for bypasses.
	Silent int64 `json:"without_reason,omitempty"`
	// Probes is how many records were left out, for they are of probes and no visitors.
	Probes int64 `json:"probes_left_out,omitempty"`
	// Groups, the most frequent first.
	Groups []ReasonGroup `json:"groups"`
	// PlacesEstimated: there were so many places that some were given up; the count of
	// a place may be too low by up to PlacesLow. Those of groups are exact.
	PlacesEstimated bool  `json:"places_estimated,omitempty"`
	PlacesLow       int64 `json:"places_low,omitempty"`
}

// ReasonGroup is what was not shared on one route for one reason.
type ReasonGroup struct {
	Route string `json:"route"`
	// Code is that of the reason, or the class of the divergences.
	Code  string `json:"code"`
	Count int64  `json:"count"`
	// Observed: the route only observes, so this would have been the reason.
	Observed bool      `json:"observed,omitempty"`
	First    time.Time `json:"first,omitzero"`
	Last     time.Time `json:"last,omitzero"`
	// Example is the URL of the last one.
	Example string `json:"example,omitempty"`
	// Sentence says what it is, General what to do about it, whatever the place is.
	Sentence string `json:"sentence,omitempty"`
	General  string `json:"advice,omitempty"`
	// Also are the reasons that the same records gave beside this one.
	Also []Count `json:"also,omitempty"`
	// Withdrawn is how many pages had been shared before the difference was found.
	Withdrawn int64 `json:"withdrawn,omitempty"`
	// Places, the most frequent first, at most 20.
	Places []PlaceCount `json:"places,omitempty"`
}

// PlaceCount is how often something was found at a place.
type PlaceCount struct {
	Place
	Count   int64  `json:"count"`
	Example string `json:"example,omitempty"`
	// Change says what to write in the policy, or why nothing; see [Advice].
	Change string `json:"change,omitempty"`
}

// maxPlaces is how many places of a group are told.
const maxPlaces = 20

// Answer ends the question.
func (r *Reasons) Answer() *ReasonsAnswer {
	a := &ReasonsAnswer{
		Schema:   AnswerSchema,
		Question: [...]string{askRefusals: "refusals", askBypasses: "bypasses", askDivergences: "divergences"}[r.ask],
		Total:    whole(r.total), Silent: r.silent, Probes: r.probes, Groups: []ReasonGroup{},
		PlacesEstimated: r.places.estimated(), PlacesLow: whole(r.places.low),
	}
	a.From, a.To = r.window.times()
	places := make(map[group][]PlaceCount)
	for _, p := range r.places.keys() {
		if row := r.places.rows[p]; len(places[p.group]) < maxPlaces {
			places[p.group] = append(places[p.group], PlaceCount{
				Place: p.place, Count: whole(row.n), Example: row.url, Change: advise(p.code, p.place),
			})
		}
	}
	for g, f := range r.groups {
		a.Groups = append(a.Groups, g.answer(f, places[g], r.ask))
	}
	slices.SortFunc(a.Groups, func(a, b ReasonGroup) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Route, b.Route), strings.Compare(a.Code, b.Code),
			cmp.Compare(boolRank(a.Observed), boolRank(b.Observed)))
	})
	return a
}

func (g group) answer(f *groupFigures, places []PlaceCount, ask asked) ReasonGroup {
	out := ReasonGroup{
		Route: g.route, Code: g.code, Count: whole(f.n), Observed: g.observed, Example: f.url,
		Also: f.also.counts(), Withdrawn: f.withdrew, Places: places,
	}
	if f.first <= f.last {
		out.First, out.Last = time.Unix(0, f.first).UTC(), time.Unix(0, f.last).UTC()
	}
	if ask == askDivergences {
		info := policies.Class(g.code).Info()
		out.Sentence, out.General = info.Sentence, info.Advice
	} else {
		info := reasonInfo(g.code)
		out.Sentence, out.General = info.Sentence, info.Advice
	}
	return out
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}
