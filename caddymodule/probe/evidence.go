package probe

import (
	"fmt"
	"slices"
	"strings"
)

func (j *judge) evidence(out *judgement, kind, who string) Evidence {
	return Evidence{
		Kind: kind, Who: who, Receiver: out.visitor.name, Group: out.visitor.group.label,
		URL: out.asked.String(), Received: out.received, Phase: out.round.phase, Headers: tellingFields(out.header),
	}
}

// canaryEvidence is for a value in an answer that its visitor has not sent.
func (j *judge) canaryEvidence(out *judgement, f found) Evidence {
	e := j.evidence(out, EvidenceCanary, j.whoRepeats(out, f.canary))
	e.Where = f.where
	if foreign := out.foreign(); foreign != nil {
		e.Receipt = foreign
	} else {
		e.Receipt = out.own()
	}
	owner, known := j.p.canaries.owner[f.canary]
	if !known {
		e.Sentence = fmt.Sprintf("%s was given a page with a value of an earlier probe in it (%s).", e.Receiver, f.where)
		return e
	}
	v := j.p.canaries.values[f.canary]
	e.Giver, e.Input = owner.name, v.input.String()
	if giver := j.firstSent(f.canary); giver != nil {
		e.Sent = giver.sent
	}
	e.Sentence = fmt.Sprintf("%s was given a page with %s's %s in it (%s). %s has never sent that value.",
		e.Receiver, e.Giver, v.input, f.where, e.Receiver)
	return e
}

// firstSent is the first request that had the canary in it.
func (j *judge) firstSent(c canary) *answer {
	i := slices.IndexFunc(j.p.answers, func(a *answer) bool { return a.visitor.sent(c) })
	if i < 0 {
		return nil
	}
	return j.p.answers[i]
}

// whoRepeats says who is to blame for a value of another visitor in an answer.
func (j *judge) whoRepeats(out *judgement, c canary) string {
	if own := out.own(); own != nil {
		switch {
		case fromStore(own):
			return WhoEdge
		case !out.round.direct && len(j.frontSigns(out.answer)) > 0:
			return WhoCDN // it has been asked whether what it had still holds
		}
		return WhoApp
	}
	if foreign := out.foreign(); foreign != nil {
		giver := j.byNonce[foreign.Nonce]
		switch {
		case giver == nil || giver.visitor.sent(c):
			return j.front(out)
		case fromStore(foreign):
			return WhoEdge // it was in the giver's answer already
		}
		return WhoApp
	}
	if out.front == yes && j.expected(out.answer) {
		return j.front(out)
	}
	if !out.round.direct {
		return WhoUnknown
	}
	// Nobody is before the edge, so what it says of itself is of this answer.
	for _, s := range out.said {
		switch {
		case s.cache == ours && s.state == stateHit:
			return WhoEdge
		case s.cache == ours && s.state != stateUnsure:
			return WhoApp
		}
	}
	return WhoUnknown
}

// front is who gives one visitor the answer of another: the edge, where there is nobody
// before it.
func (j *judge) front(out *judgement) string {
	if out.round.direct {
		return WhoEdge
	}
	return WhoCDN
}

// receiptEvidence is for an answer that the edge had made for another.
func (j *judge) receiptEvidence(out *judgement, r *Receipt, input, what string) Evidence {
	e := j.evidence(out, EvidenceReceipt, j.front(out))
	e.Input, e.Receipt, e.Sent = input, r, r.Time()
	who := "somebody else, an earlier probe"
	if out.giver != nil {
		e.Giver, e.Sent = out.giver.visitor.name, out.giver.sent
		who = e.Giver
	}
	if e.Input == "" && len(out.visitor.group.inputs) > 0 {
		e.Input = out.visitor.group.label
	}
	e.Sentence = fmt.Sprintf("%s was given the answer of %s, which the edge %s.", e.Receiver, who, what)
	return e
}

// refusedEvidence is for an answer of a stranger that must not be shared.
func (j *judge) refusedEvidence(out *judgement, refused []string) Evidence {
	e := j.evidence(out, EvidenceRefused, WhoCDN)
	var came []string
	for _, s := range out.said {
		if s.state == stateHit && s.cache != ours {
			came = append(came, s.field+": "+s.value)
		}
	}
	if j.old[out.answer] {
		came = append(came, "date: "+out.header.Get("Date"))
	}
	if out.unopened {
		came = append(came, signSecret)
	}
	e.Where = "header"
	e.Sentence = fmt.Sprintf("%s was given an answer that was made for somebody else (%s; it has no receipt of the edge) and says that it must not be shared (%s).",
		e.Receiver, strings.Join(came, ", "), strings.Join(refused, ", "))
	return e
}
