package probe

import (
	"net/http"
	"net/url"
	"strings"
)

// learnArrivals notes which of a visitor's values have reached the edge.
func (j *judge) learnArrivals(giver *answer, r *Receipt) {
	for _, v := range giver.visitor.values {
		name := v.input.String()
		switch arrived := j.arrived(giver, v, r); {
		case arrived == unknown && j.arrives[name] != "":
		case j.arrives[name] == yes:
		default:
			j.arrives[name] = arrived
		}
	}
}

// arrived says whether a value is in what the edge received.
func (j *judge) arrived(giver *answer, v value, r *Receipt) string {
	if v.input.Kind == KindParam {
		if got, ok := paramOf(r.URI, v.input.Name); ok && same(got, v.text()) {
			return yes
		}
		return no
	}
	name := "cookie"
	if v.input.Kind == KindHeader {
		name = strings.ToLower(v.input.Name)
	}
	digest, ok := r.Received[name]
	switch {
	case ok && digest == j.p.o.Secret.Digest(joined(giver.fields[http.CanonicalHeaderKey(name)])):
		return yes
	case !ok && len(r.Received) < MaxReceived:
		return no
	}
	return unknown // something was received, or not told of
}

// joined is what receipts have a digest of: all lines of a field.
func joined(lines []string) string { return strings.Join(lines, ", ") }

// differs returns an input that the edge's key has in it, and of which the edge received
// another value for this receipt than the visitor sent who was given the answer. It is
// empty if there is none, or none can be shown: what does not reach the edge cannot have
// shaped its answer.
func (j *judge) differs(out *judgement, r *Receipt) string {
	for _, in := range j.keyed[r.Route] {
		kind, name, _ := strings.Cut(in, " ")
		differs := false
		switch Kind(kind) {
		case KindParam:
			differs = j.paramDiffers(out, r, name)
		case KindHeader:
			differs = j.headerDiffers(out, r, name)
		case KindCookie:
			differs = j.cookieDiffers(out, r, name)
		}
		if differs {
			return in
		}
	}
	return ""
}

func (j *judge) paramDiffers(out *judgement, r *Receipt, name string) bool {
	sent, has := paramOf(out.asked.RequestURI(), name)
	if out.giver != nil {
		if gave, had := paramOf(out.giver.asked.RequestURI(), name); had == has && same(gave, sent) {
			return false // whatever caches made of it, they made it of both
		}
	}
	received, arrived := paramOf(r.URI, name)
	arrives := j.arrivesNamed(KindParam, name)
	switch {
	case arrived && out.giver == nil:
		// Of an earlier probe it is not known what was sent: caches may add a parameter,
		// the visitor's country, say, or put theirs in its place.
		return has && !same(received, sent) && arrives != no
	case arrived:
		return !has || !same(received, sent)
	}
	return has && arrives == yes
}

func (j *judge) headerDiffers(out *judgement, r *Receipt, name string) bool {
	key := http.CanonicalHeaderKey(name)
	sent := out.fields[key]
	if out.giver != nil {
		gave := out.giver.fields[key]
		if joined(gave) == joined(sent) && len(gave) == len(sent) {
			return false
		}
		// It differs. It counts if what the giver sent is what was received.
		if digest, ok := r.Received[strings.ToLower(name)]; ok {
			return digest == j.p.o.Secret.Digest(joined(gave))
		}
		return len(gave) == 0 && j.arrivesNamed(KindHeader, name) == yes
	}
	digest, ok := r.Received[strings.ToLower(name)]
	arrives := j.arrivesNamed(KindHeader, name) == yes
	switch {
	case ok && len(sent) > 0:
		return arrives && digest != j.p.o.Secret.Digest(joined(sent))
	case ok:
		return false // caches may add it
	}
	return len(sent) > 0 && arrives && len(r.Received) < MaxReceived
}

func (j *judge) cookieDiffers(out *judgement, r *Receipt, name string) bool {
	if j.arrivesNamed(KindCookie, name) != yes {
		return false
	}
	sent := cookieOf(out.fields, name)
	if out.giver != nil {
		return sent != cookieOf(out.giver.fields, name)
	}
	_, had := r.Received["cookie"]
	return !had && sent != "" && len(r.Received) < MaxReceived
}

func (j *judge) arrivesNamed(kind Kind, name string) string {
	for in, arrives := range j.arrives {
		k, n, _ := strings.Cut(in, " ")
		if Kind(k) == kind && (n == name || kind == KindHeader && strings.EqualFold(n, name) || kind == KindParam && same(n, name)) {
			return arrives
		}
	}
	return unknown
}

// cookieOf is the value of a cookie in a request, empty if there is none.
func cookieOf(h http.Header, name string) string {
	for _, line := range h["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			if n, v, _ := strings.Cut(strings.TrimSpace(pair), "="); n == name {
				return v
			}
		}
	}
	return ""
}

// paramOf is the value of a parameter in a path and query, as it is written.
func paramOf(uri, name string) (value string, ok bool) {
	_, query, _ := strings.Cut(uri, "?")
	for n, v := range eachParam(query) {
		if same(n, name) {
			return v, true
		}
	}
	return "", false
}

// same compares names and values of parameters however they are escaped.
func same(a, b string) bool {
	if a == b {
		return true
	}
	plainA, errA := url.QueryUnescape(a)
	plainB, errB := url.QueryUnescape(b)
	return errA == nil && errB == nil && plainA == plainB
}
