package probe

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/httpcache"
)

// judge looks at the answers of a run when all of them are there.
type judge struct {
	p       *prober
	byNonce map[Nonce]*answer
	// gives has the hosts whose edge gave a receipt, and signs those whose edge is known by
	// what it says in Cache-Status: no cache takes that away.
	gives, signs map[string]bool
	// old are answers with the Date of an earlier one that was the same: nobody made them
	// anew.
	old map[*answer]bool
	// arrives says of an input whether the edge receives it: yes, no or unknown.
	arrives map[string]string
	// keyed are the inputs that the key has in it on a route, of all of its answers: one
	// that a request has not is in the key as well.
	keyed map[string][]string
	// ordinary are, for each URL, the signs of a cache in front that answers have which
	// were not from one, and the refusals in those that were permitted to be shared.
	// Nothing follows from them.
	ordinary map[*target]map[string]bool
	// offset is by how much this clock is ahead of the edge's, and the way from there.
	offset   time.Duration
	measured bool
}

// judgement is what one answer comes to.
type judgement struct {
	*answer
	verdict  Verdict
	evidence []Evidence
	// front says whether the answer came from a cache in front: yes, no or unknown.
	front string
	// giver is whose answer it is, if it is another's of this run.
	giver *answer
	// disobeyed: it says, or its receipt does, that it must not be given again.
	disobeyed bool
	// doubtful: several visitors were given it, and whether they may be is not known.
	doubtful bool
	note     string
}

func newJudge(p *prober) *judge {
	j := &judge{
		p: p, byNonce: make(map[Nonce]*answer), gives: make(map[string]bool), signs: make(map[string]bool),
		arrives: make(map[string]string), keyed: make(map[string][]string), ordinary: make(map[*target]map[string]bool), old: oldAnswers(p.answers),
	}
	for _, a := range p.answers {
		if a.nonce != "" {
			j.byNonce[a.nonce] = a
		}
	}
	for _, a := range p.answers {
		t := a.round.target
		if j.ordinary[t] == nil {
			j.ordinary[t] = make(map[string]bool)
		}
		for i := range a.receipts {
			r := &a.receipts[i]
			j.gives[t.url.Host] = true
			for _, in := range r.Keyed {
				if !slices.Contains(j.keyed[r.Route], in) {
					j.keyed[r.Route] = append(j.keyed[r.Route], in)
				}
			}
			if giver := j.byNonce[r.Nonce]; giver != nil {
				j.learnArrivals(giver, r)
			}
			if r.Shared {
				for _, refusal := range refusals(a.header) {
					j.ordinary[t][refusal] = true
				}
			}
		}
		if own := a.own(); own != nil {
			if _, said := oursSaid(a); said {
				j.signs[t.url.Host] = true
			}
			for _, sign := range j.frontSigns(a) {
				j.ordinary[t][sign] = true
			}
			if d := a.received.Sub(own.Time()); !j.measured || d < j.offset {
				j.offset, j.measured = d, true
			}
		}
	}
	return j
}

// answer judges one. The worst that can be shown of it counts.
func (j *judge) answer(a *answer) *judgement {
	out := &judgement{answer: a, verdict: Unknown, front: unknown}
	if a.err != nil {
		return out
	}
	own, foreign := a.own(), a.foreign()
	switch {
	case own != nil:
		out.front, out.verdict = no, Isolated
		if fromStore(own) {
			out.verdict = Shared
		}
	case foreign != nil:
		out.front = yes
		j.foreign(out, foreign)
	case j.expected(a):
		j.withoutReceipt(out)
	default:
		j.plain(out)
	}
	for _, f := range a.found {
		switch _, known := j.p.canaries.owner[f.canary]; {
		case a.visitor.sent(f.canary):
		case !known && len(a.receipts) > 0:
			// Receipts tell whose answer it is. The app may keep what visitors send, and
			// whoever has seen an old canary may plant it.
			out.note = "a page has a value of an earlier probe in it"
		default:
			out.evidence = append(out.evidence, j.canaryEvidence(out, f))
		}
	}
	if len(out.evidence) > 0 {
		out.verdict = Leak
	}
	return out
}

// expected says whether the edge would have given the answer a receipt.
func (j *judge) expected(a *answer) bool {
	return j.p.o.Secret != nil && (j.p.o.EdgeGives || j.gives[a.round.target.url.Host])
}

// fromStore says whether the edge gave an object that it had admitted.
func fromStore(r *Receipt) bool {
	switch r.Outcome {
	case "hit", "stale", "collapsed", "revalidated":
		return true
	}
	return false
}

// staleMargin is by how much an answer may be older than was permitted, for clocks and
// ways.
const staleMargin = 5 * time.Second

// foreign judges an answer that has another request's receipt.
func (j *judge) foreign(out *judgement, r *Receipt) {
	out.giver = j.byNonce[r.Nonce]
	out.disobeyed = !r.Shared && !r.Later
	out.verdict = Shared
	if out.giver != nil && out.giver.visitor == out.visitor {
		// Their own, from before. Whether others would be given it, the others tell.
		out.verdict = Isolated
		return
	}
	if out.disobeyed && !ofTheSite(out.answer) {
		// CDNs keep errors for some seconds whatever they are told, by default: the site
		// was down, and nothing of anybody's page is in it. If there is, its values tell.
		out.verdict = Unknown
		out.note = fmt.Sprintf("a cache in front keeps errors that it must not keep (status %d)", out.status)
		return
	}
	if out.disobeyed {
		out.evidence = append(out.evidence, j.receiptEvidence(out, r, "", "had not permitted to be given to anybody else ("+outcome(r)+")"))
		return
	}
	if in := j.differs(out, r); in != "" {
		out.evidence = append(out.evidence, j.receiptEvidence(out, r, in, "had made for another value of "+in+", which is in its key"))
		return
	}
	if !r.Shared {
		out.note = "an answer was given to others that had to be asked about first; whether it was cannot be told"
		return
	}
	if age := out.received.Sub(r.Time()) - j.offset; j.measured && age > time.Duration(r.TTL)*time.Second+staleMargin {
		out.note = fmt.Sprintf("an answer was given %v after the edge had permitted it for %d s", age.Round(time.Second), r.TTL)
	}
}

func outcome(r *Receipt) string {
	text := "outcome " + r.Outcome
	if len(r.Reasons) > 0 {
		text += ", " + strings.Join(r.Reasons, ", ")
	}
	return text
}

// withoutReceipt judges an answer that has none although the edge gives some: it was made
// for somebody who is no probe, or not by the edge.
func (j *judge) withoutReceipt(out *judgement) {
	if !ofTheSite(out.answer) {
		return
	}
	ordinary := j.ordinary[out.round.target]
	unusual := func(s string) bool { return !ordinary[s] }
	signs := slices.DeleteFunc(j.frontSigns(out.answer), func(s string) bool { return ordinary[s] })
	if len(signs) == 0 {
		if len(refusals(out.header)) == 0 && slices.ContainsFunc(out.said, func(s said) bool { return s.cache == ours && s.state == stateHit }) {
			out.verdict = Shared // the edge gave it to somebody out of its store, and permitted it
			return
		}
		out.note = "some answers had no receipt, and nothing said why"
		return
	}
	state, ofEdge := oursSaid(out.answer)
	if !ofEdge && !out.unopened && j.signs[out.round.target.url.Host] {
		out.note = "some answers were not the edge's, but those of a cache in front itself"
		return
	}
	out.front, out.verdict = yes, Shared
	if state == stateHit {
		return // the edge had admitted it; Cache-Control may be what the cache tells browsers
	}
	if refused := refusals(out.header); slices.ContainsFunc(refused, unusual) {
		out.disobeyed = true
		out.evidence = append(out.evidence, j.refusedEvidence(out, refused))
	}
}

// plain judges an answer where there are no receipts.
func (j *judge) plain(out *judgement) {
	if !ofTheSite(out.answer) {
		return
	}
	out.verdict = Isolated // the bodies of others may say more: see group
	switch signs := j.frontSigns(out.answer); {
	case slices.Contains(signs, signAfter) && len(refusals(out.header)) > 0:
		out.front, out.disobeyed = yes, true
		out.evidence = append(out.evidence, j.refusedEvidence(out, refusals(out.header)))
	case len(signs) > 0:
		out.front, out.verdict = yes, Shared
		if len(refusals(out.header)) > 0 {
			out.doubtful = true
			if j.p.o.Secret != nil {
				out.verdict = Unknown
			}
			out.note = "some answers came from a cache and say that they must not be shared; without any receipt it cannot be told who keeps them"
		}
	case slices.ContainsFunc(out.said, func(s said) bool {
		return s.cache != ours && (s.state == stateMiss || s.state == stateBypass)
	}):
		out.front = no
	}
}

// ofTheSite says whether an answer is a page, and not what a cache or a guard before the
// site says itself.
func ofTheSite(a *answer) bool {
	switch {
	case a.status == http.StatusForbidden, a.status == http.StatusTooManyRequests, a.status >= 500:
		return false
	}
	return a.header.Get("Cf-Mitigated") == ""
}

// oursSaid is what the edge says of an answer in Cache-Status.
func oursSaid(a *answer) (what state, said bool) {
	for _, s := range a.said {
		if s.cache == ours && s.field == "cache-status" {
			return s.state, true
		}
	}
	return stateUnsure, false
}

// frontSigns are the signs that an answer came from a cache in front of the edge, or of
// the app where there is no edge. What Cacheward says of itself is none; and with a hit of
// its own, Age is no sign of another cache.
func (j *judge) frontSigns(a *answer) []string {
	var signs []string
	if j.old[a] {
		signs = append(signs, "date")
	}
	if a.unopened && len(a.receipts) == 0 {
		signs = append(signs, signSecret)
	}
	hit := slices.ContainsFunc(a.said, func(s said) bool { return s.cache == ours && s.state == stateHit })
	behind := false
	for _, s := range a.said {
		if behind = behind || s.cache == ours && strings.HasPrefix(s.value, "fwd="); behind && s.field == "cache-status" && s.state == stateHit {
			signs = append(signs, signAfter)
		}
		switch {
		case s.state != stateHit, s.cache == ours, s.field == "age" && hit:
		case s.field == "age":
			signs = append(signs, "age")
		default:
			signs = append(signs, s.field+" of "+s.cache)
		}
	}
	return signs
}

// signAfter is a cache that says in Cache-Status that it gave what it had, after the edge
// said that it had asked the app. The order there is that of the way (RFC 9211 §2).
const signAfter = "cache-status after " + ours

// signSecret is a receipt that another secret has made: the edge of before a restart, or
// one of several, gave it to another probe. To this one, it would have given none.
const signSecret = "a receipt that was made with another secret"

// oldAnswers are those of which an equal one with the same Date was there at least two
// seconds before. What Cacheward itself had stored has a Date of that time, too.
func oldAnswers(all []*answer) map[*answer]bool {
	type twin struct {
		url, date string
		sum       [32]byte
	}
	first := make(map[twin]time.Time)
	old := make(map[*answer]bool)
	for _, a := range all {
		date := a.header.Get("Date")
		hit := slices.ContainsFunc(a.said, func(s said) bool { return s.cache == ours && s.state == stateHit })
		if a.err != nil || date == "" || hit {
			continue
		}
		t := twin{a.asked.String(), date, a.sum}
		switch before, have := first[t]; {
		case !have:
			first[t] = a.received
		case a.sent.Sub(before) >= 2*time.Second:
			old[a] = true
		}
	}
	return old
}

// cdnReader reads the field that speaks to caches in front and outranks Cache-Control.
var cdnReader = httpcache.Reader{Targets: []string{"Cdn-Cache-Control"}, TargetFirst: true}

// refusals are the words in an answer by which it must not be given to others. No-cache is
// none: what is stored may be given after having asked.
func refusals(h http.Header) []string {
	var words []string
	d := cdnReader.Directives(h, 0)
	if d.Private {
		words = append(words, "private")
	}
	if d.NoStore {
		words = append(words, "no-store")
	}
	for _, s := range readCacheStatus(h["Cache-Status"]) {
		// What is given on before it has been judged never has a permission with it.
		if s.cache == ours && strings.HasPrefix(s.value, "fwd=") && !strings.Contains(s.value, "stored") && !strings.Contains(s.value, "collapsed") {
			words = append(words, ours+"; fwd")
		}
	}
	return words
}
