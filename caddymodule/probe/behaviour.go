package probe

import (
	"slices"
	"strings"
)

// inKey says whether caches in front tell visitors apart by what a group differs in.
//
// Each value is sent by one visitor alone. So an answer from a cache to the first request
// with it has been stored without regard to it; and where only later requests with the
// same value are answered so, or only those of visitors who do not differ, it is regarded.
func inKey(g *group, known, all []*judgement) string {
	if len(g.inputs) == 0 {
		return unknown
	}
	asked := make(map[*visitor]bool)
	repeated, isolated := false, len(known) > 0
	for _, a := range known {
		others := a.giver != nil && a.giver.visitor != a.visitor || a.giver == nil && !asked[a.visitor]
		repeats := slices.ContainsFunc(a.evidence, func(e Evidence) bool {
			return e.Kind == EvidenceCanary && (e.Who == WhoCDN || e.Who == WhoUnknown && a.front != no)
		})
		if repeats || a.front == yes && others {
			return no
		}
		repeated = repeated || a.front == yes
		isolated = isolated && a.front == no
		asked[a.visitor] = true
	}
	alike := slices.ContainsFunc(all, func(a *judgement) bool {
		return a.visitor.group.label == groupNothing && a.front == yes
	})
	if repeated || isolated && alike {
		return yes
	}
	return unknown
}

// behaviour is what the caches in front of a URL do.
func behaviour(t *target, inputs []InputReport, all []*judgement) Behaviour {
	b := Behaviour{Stores: unknown, Query: unknown, Obeys: unknown, Coalesces: coalesces(all), Status: make(map[string]int)}
	refusals, again, stored := false, false, false
	disobeyed := false
	asked := make(map[string]bool) // what caches could have stored
	for _, a := range all {
		if a.err != nil {
			continue
		}
		for _, name := range cacheNames(a.header, a.said) {
			if !slices.Contains(b.Names, name) {
				b.Names = append(b.Names, name)
			}
		}
		for _, s := range a.said {
			if s.field != "age" || s.state == stateHit {
				b.Status[s.String()]++
			}
		}
		what := a.asked.String() + a.visitor.cookies()
		stored = stored || a.front == yes && !a.coalesced()
		disobeyed = disobeyed || a.front == yes && a.disobeyed || a.leaksRefused()
		if asked[what] && a.front == no {
			again = true
			refusals = refusals || a.refused()
		}
		asked[what] = true
	}
	switch {
	case stored:
		b.Stores = yes
	case again:
		b.Stores = no
	}
	switch {
	case disobeyed:
		b.Obeys = no
	case refusals:
		b.Obeys = yes
	}
	for i, g := range t.groups {
		if i < len(inputs) && len(g.inputs) > 0 && !slices.ContainsFunc(g.inputs, func(in Input) bool { return in.Kind != KindParam }) {
			switch inputs[i].InKey {
			case no:
				b.Query = no
			case yes:
				if b.Query == unknown {
					b.Query = yes
				}
			}
		}
	}
	slices.Sort(b.Names)
	return b
}

// refused says whether the answer must not be given to others.
func (a *judgement) refused() bool {
	if own := a.own(); own != nil {
		return !own.Shared && !own.Later
	}
	return len(refusals(a.header)) > 0
}

// leaksRefused says whether the answer has another visitor's value in it, says that it must
// not be shared, and may have come from a cache in front.
func (a *judgement) leaksRefused() bool {
	return slices.ContainsFunc(a.evidence, func(e Evidence) bool {
		return e.Kind == EvidenceCanary && (e.Who == WhoCDN || e.Who == WhoUnknown)
	}) && a.own() == nil && a.front != no && len(refusals(a.header)) > 0
}

// coalesces says whether visitors who asked at once, when nothing could be stored yet,
// were given one answer.
func coalesces(all []*judgement) string {
	separate := make(map[*round]int)
	for _, a := range all {
		if !a.round.atOnce || a.round.phase != phaseAtOnce || a.err != nil {
			continue
		}
		if a.coalesced() {
			return yes
		}
		if slices.ContainsFunc(a.evidence, func(e Evidence) bool {
			return e.Kind == EvidenceCanary && e.Who != WhoApp && e.Who != WhoEdge && e.Group == a.visitor.group.label && a.fromRound(e)
		}) {
			return yes
		}
		// Who asks for another URL has nothing to wait for; and who has a cookie may be
		// passed.
		if a.front == no && !slices.ContainsFunc(a.visitor.group.inputs, func(in Input) bool { return in.Kind != KindHeader }) {
			separate[a.round]++
		}
	}
	for _, n := range separate {
		if n > 1 {
			return no
		}
	}
	return unknown
}

// coalesced says whether it is the answer to somebody who asked at the same time.
func (a *judgement) coalesced() bool {
	return a.round.atOnce && a.giver != nil && a.giver.round == a.round && a.giver.visitor != a.visitor
}

// fromRound says whether the giver is one of those who asked at the same time.
func (a *judgement) fromRound(e Evidence) bool {
	return slices.ContainsFunc(a.round.visitors, func(v *visitor) bool { return v.name == e.Giver })
}

// String is a status for counting: numbers that are another each time are left out.
func (s said) String() string {
	switch s.field {
	case "age", "x-varnish", "x-cache-hits":
		return s.field + ": " + string(s.state)
	case "cache-status":
		return s.field + ": " + strings.TrimSpace(s.cache+" "+s.value)
	}
	value := s.value
	if len(value) > 60 {
		value = value[:60] + "…"
	}
	return s.field + ": " + value
}
