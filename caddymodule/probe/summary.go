package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// maxEvidence is how much of it a URL has at most.
const maxEvidence = 50

// report judges what there is.
func (p *prober) report(began time.Time) *Report {
	j := newJudge(p)
	r := &Report{
		Schema: Schema, Began: began, Ended: time.Now(), Verdict: Isolated, Requests: len(p.answers),
		Receipts: len(j.gives) > 0, URLs: []URLReport{},
	}
	for _, t := range p.targets {
		u := j.target(t)
		r.Verdict = worse(r.Verdict, u.Verdict)
		r.URLs = append(r.URLs, u)
	}
	if !slices.ContainsFunc(p.answers, func(a *answer) bool { return a.err == nil }) {
		return r
	}
	unopened := slices.ContainsFunc(p.answers, func(a *answer) bool { return a.unopened })
	switch {
	case p.o.Secret == nil:
		r.Notes = append(r.Notes, "there is no secret, so no receipts: a leak is found only where a page repeats what a visitor has sent")
	case unopened:
		r.Notes = append(r.Notes, "receipts were made with another secret than the one given here")
	case !r.Receipts:
		r.Notes = append(r.Notes, "no answer had a receipt: no Cacheward that knows the secret stands behind, or everything came from caches before it. A leak is found only where a page repeats what a visitor has sent")
	}
	return r
}

func worse(a, b Verdict) Verdict {
	return verdicts[max(slices.Index(verdicts, a), slices.Index(verdicts, b))]
}

// target is the report on one URL.
func (j *judge) target(t *target) URLReport {
	u := URLReport{URL: t.text, Verdict: Isolated}
	var public, direct []*judgement
	for _, a := range j.p.answers {
		switch {
		case a.round.target != t || errors.Is(a.err, context.Canceled):
		case a.round.direct:
			direct = append(direct, j.answer(a))
		default:
			public = append(public, j.answer(a))
		}
	}
	compareBodies(public)
	compareBodies(direct)
	doubtState(public)
	for _, g := range t.groups {
		in := j.group(g, public)
		u.Verdict = worse(u.Verdict, in.Verdict)
		u.Inputs = append(u.Inputs, in)
	}
	if j.p.o.Edge != "" {
		u.Edge = j.edge(direct)
		u.Verdict = worse(u.Verdict, u.Edge.Verdict)
	}
	u.Leaks, u.LeakCount = evidenceOf(public)
	if u.LeakCount > 0 {
		u.Verdict = Leak // the first answers belong to no group
	}
	j.blame(&u)
	u.Cache = behaviour(t, u.Inputs, public)
	u.Failure = failure(public)
	u.Errors = errorsOf(append(slices.Clone(public), direct...))
	u.Routes, u.Notes = j.routes(public), j.notes(t, public)
	return u
}

// compareBodies finds out what was given to several visitors where nothing else tells.
func compareBodies(all []*judgement) {
	for _, a := range all {
		if a.err != nil || a.own() != nil || a.verdict != Isolated || a.front != unknown && a.front != no {
			continue
		}
		if slices.ContainsFunc(all, func(b *judgement) bool {
			return b.err == nil && b.visitor != a.visitor && b.visitor.group == a.visitor.group && b.sum == a.sum
		}) {
			a.verdict = Shared
		}
	}
}

// doubtState finds the pages that several visitors were given and that look as if they were
// made for one: a hidden token tells nobody whose it is, and only a receipt would.
func doubtState(all []*judgement) {
	for _, a := range all {
		if a.verdict != Shared || a.doubtful || len(a.receipts) > 0 || len(a.state) == 0 {
			continue
		}
		if slices.ContainsFunc(all, func(b *judgement) bool { return b.err == nil && b.visitor != a.visitor && b.sum == a.sum }) {
			a.doubtful = true
			a.note = "several visitors were given one page with what looks like the state of one in it (" + strings.Join(a.state, ", ") +
				"): if the app makes it anew for each, this is a leak; ask the app itself twice, and compare"
		}
	}
}

// group is the report on visitors who differ in the same inputs.
func (j *judge) group(g *group, all []*judgement) InputReport {
	r := InputReport{Input: g.label, Policy: g.policy, Verdict: Unknown, InKey: unknown, Arrives: unknown}
	var known []*judgement
	for _, a := range all {
		if a.visitor.group == g && a.verdict != Unknown {
			known = append(known, a)
		}
	}
	if countVisitors(known) >= 2 {
		r.Verdict = Isolated
	}
	for _, a := range known {
		if a.verdict == Leak || r.Verdict != Unknown {
			r.Verdict = worse(r.Verdict, a.verdict)
		}
		r.Reflected = r.Reflected || slices.ContainsFunc(a.found, func(f found) bool {
			return slices.ContainsFunc(g.inputs, func(in Input) bool { return a.visitor.sent(f.canary) && j.p.canaries.values[f.canary].input.Is(in) })
		})
	}
	if r.Verdict == Shared && slices.ContainsFunc(known, func(a *judgement) bool { return a.doubtful }) {
		r.Verdict = Unknown
	}
	r.InKey = inKey(g, known, all)
	if len(g.inputs) == 1 {
		r.Arrives = cmp.Or(j.arrives[g.inputs[0].String()], unknown)
		if r.Arrives == unknown && r.Reflected {
			r.Arrives = yes
		}
	}
	return r
}

func countVisitors(all []*judgement) int {
	seen := make(map[*visitor]bool)
	for _, a := range all {
		seen[a.visitor] = true
	}
	return len(seen)
}

// edge is the report on what the edge itself gave.
func (j *judge) edge(direct []*judgement) *EdgeReport {
	e := &EdgeReport{Address: j.p.o.Edge, Verdict: Unknown}
	for _, a := range direct {
		switch {
		case a.verdict == Unknown:
		case e.Verdict == Unknown:
			e.Verdict = a.verdict
		default:
			e.Verdict = worse(e.Verdict, a.verdict)
		}
	}
	e.Leaks, _ = evidenceOf(direct)
	e.Failure = failure(direct)
	return e
}

// blame says of leaks whose place is not known where they are, if the edge was asked too.
func (j *judge) blame(u *URLReport) {
	if u.Edge == nil || u.Edge.Verdict == Unknown {
		return
	}
	for i := range u.Leaks {
		if u.Leaks[i].Who != WhoUnknown {
			continue
		}
		if u.Leaks[i].Who = WhoCDN; u.Edge.Verdict == Leak {
			u.Leaks[i].Who = u.Edge.Leaks[0].Who
		}
	}
}

// evidenceOf is the first of each kind in each group and phase, and for how many answers
// there is some.
func evidenceOf(all []*judgement) (told []Evidence, count int) {
	for _, a := range all {
		if len(a.evidence) > 0 {
			count++
		}
		for _, e := range a.evidence {
			if len(told) < maxEvidence && !slices.ContainsFunc(told, func(have Evidence) bool {
				return have.Kind == e.Kind && have.Group == e.Group && have.Phase == e.Phase && have.Who == e.Who
			}) {
				told = append(told, e)
			}
		}
	}
	slices.SortStableFunc(told, func(a, b Evidence) int { return a.Received.Compare(b.Received) })
	return told, count
}

// failure is the last error where there was no answer at all.
func failure(all []*judgement) error {
	var last error
	for _, a := range all {
		if a.err == nil {
			return nil
		}
		last = a.err
	}
	return last
}

// errorsOf are what went wrong, each once.
func errorsOf(all []*judgement) []string {
	count := make(map[string]int)
	for _, a := range all {
		switch {
		case a.err != nil:
			count[a.err.Error()]++
		case !ofTheSite(a.answer) && a.own() == nil:
			count[fmt.Sprintf("status %d, which says nothing of the page", a.status)]++
		}
	}
	return counted(count)
}

// counted is each text and how often it was said.
func counted(count map[string]int) []string {
	var all []string
	for _, text := range slices.Sorted(maps.Keys(count)) {
		if n := count[text]; n > 1 {
			text += fmt.Sprintf(" (%d times)", n)
		}
		all = append(all, text)
	}
	return all
}

func (j *judge) routes(all []*judgement) []string {
	names := make(map[string]bool)
	for _, a := range all {
		for _, r := range a.receipts {
			names[r.Route] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// notes are what is to be known about the verdict on a URL.
func (j *judge) notes(t *target, all []*judgement) []string {
	count := make(map[string]int)
	for _, a := range all {
		if a.note != "" {
			count[a.note]++
		}
		switch {
		case a.status >= 300 && a.status < 400 && a.status != 304:
			count[fmt.Sprintf("status %d: redirects are not followed; probe the URL that it leads to as well", a.status)]++
		case a.err == nil && a.cut:
			count["a body was broken, longer than is looked at, or in an unknown coding"]++
		}
	}
	notes := counted(count)
	if len(t.left) > 0 {
		var names []string
		for _, in := range t.left {
			names = append(names, in.String())
		}
		notes = append(notes, "there were not enough requests to probe by itself: "+strings.Join(names, ", "))
	}
	if reached := slices.ContainsFunc(all, func(a *judgement) bool { return a.err == nil }); reached && t.fresh == "" && !j.p.o.Quick {
		notes = append(notes, "no parameter is known of which any value will do, so caches may have had the page before the probe asked for it")
	}
	return notes
}
