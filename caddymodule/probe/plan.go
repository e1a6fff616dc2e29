package probe

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Phases in which visitors ask, as evidence names them. "again" is after the first time:
// what can be stored is stored then.
const (
	phaseInTurn      = "one after the other"
	phaseInTurnAgain = "one after the other, again"
	phaseAtOnce      = "at once"
	phaseAtOnceAgain = "at once, again"
)

// Groups of visitors who differ in none or in several inputs. Others are called by their
// one input.
const (
	groupNothing    = "nothing"
	groupEverything = "everything"
	groupNoCookies  = "everything but cookies"
	groupParams     = "params"
	groupHeaders    = "headers"
	groupNoParams   = "headers and cookies"
	groupFirst      = "the first"
)

// group is visitors who differ in the same inputs, and in nothing else.
type group struct {
	label  string
	policy string
	inputs []Input
	// common are inputs in which all of them have the same value, that nobody else has.
	// So what was stored for one of them can be told from what was stored for others.
	common []Input
	// number tells its visitors from those of other groups of the same URL.
	number int
}

// visitor is one person that the probe plays. Nobody else has their values, but for what
// is the whole group's.
type visitor struct {
	name   string
	group  *group
	values []value
}

func (v *visitor) sent(c canary) bool {
	return slices.ContainsFunc(v.values, func(have value) bool { return have.canary == c })
}

// visitorNames are enough for one group: two in turn, and as many as there may be at once.
const visitorNames = "XYABCDEFGHIJKLMNOPQRSTUVWZ"

// maxVisitors is how many ask at once at most.
const maxVisitors = 16

// target is a URL and how it is to be probed.
type target struct {
	text   string // as it was given
	url    *url.URL
	groups []*group
	fresh  string
	// differ are the inputs that may tell visitors apart.
	differ []Input
	// left are inputs for which there were not enough requests.
	left []Input
}

// cost is how many requests one group takes.
func (o *Options) cost() int {
	if o.Quick {
		return 1 + o.Visitors
	}
	return 4 + 2*o.Visitors
}

// common gives all groups what their visitors have in common. It is in fields that every
// browser sends: many caches, and policies, have nothing to do with requests that have a
// cookie or an odd field.
func (t *target) common(inputs []Input) {
	for i, g := range t.groups {
		g.common, g.number = commonInputs(g, inputs), i+1
	}
}

func commonInputs(g *group, inputs []Input) []Input {
	return slices.DeleteFunc(slices.Clone(inputs), func(in Input) bool {
		return !in.ofBrowsers() || slices.ContainsFunc(g.inputs, in.Is)
	})
}

// plan shares the requests out among the URLs: each has what it needs at least, and a part of
// what is left. It returns an error that is [ErrRequests] if there are not enough.
func (p *prober) plan() error {
	for _, text := range p.o.URLs {
		u, err := parseURL(text)
		if err != nil {
			return err
		}
		t := p.o.newTarget(text, u)
		p.planned += t.planned(&p.o)
		p.targets = append(p.targets, t)
	}
	if p.planned > p.o.MaxRequests {
		noun := "URLs"
		if len(p.targets) == 1 {
			noun = "URL"
		}
		return fmt.Errorf("at least %d were expected for %d %s: %w", p.planned, len(p.targets), noun, ErrRequests)
	}
	for i, t := range p.targets {
		room := (p.o.MaxRequests - p.planned) / (len(p.targets) - i)
		p.planned += t.single(&p.o, room)
		t.common(t.differ)
	}
	return nil
}

// newTarget plans the most telling groups of a URL, without which there is no probe of it.
func (o *Options) newTarget(text string, u *url.URL) *target {
	t := &target{text: text, url: u}
	inputs := mergeInputs(Inputs(u), o.Inputs)
	if o.Declared != nil {
		declared := o.Declared(u)
		t.fresh = declared.Fresh
		inputs = mergeInputs(inputs, declared.Inputs)
	}
	// Denied requests would say nothing of caches, and a policy may name what no request
	// can have.
	t.differ = slices.DeleteFunc(inputs, func(i Input) bool { return i.Policy == "deny" || i.Check() != nil })
	t.groups = o.together(t.differ)
	return t
}

// single plans a group for each input, with so many requests, and returns how many of them it
// takes.
func (t *target) single(o *Options, room int) (planned int) {
	if o.Quick {
		return 0
	}
	// What is keyed first: a cache that has it not in its key does the greatest harm.
	singles := slices.Clone(t.differ)
	slices.SortStableFunc(singles, func(a, b Input) int { return cmp.Compare(rank(a), rank(b)) })
	for _, in := range singles {
		if planned+o.cost() > room {
			t.left = append(t.left, in)
			continue
		}
		planned += o.cost()
		t.groups = append(t.groups, &group{label: in.String(), policy: in.Policy, inputs: []Input{in}})
	}
	return planned
}

func rank(i Input) int {
	switch {
	case i.Policy == "key":
		return 0
	case i.Kind == KindParam, i.Policy == "":
		return 1
	}
	return 2
}

// together are the groups that differ in none or in several inputs. When there is little
// time it is by these that leaks are found: those differ in parameters, which most caches
// tell visitors apart by, and these do not.
func (o *Options) together(inputs []Input) []*group {
	of := func(kinds ...Kind) []Input {
		return slices.DeleteFunc(slices.Clone(inputs), func(i Input) bool { return !slices.Contains(kinds, i.Kind) })
	}
	groups := []*group{{label: groupNothing}}
	if o.Quick {
		return append(groups,
			&group{label: groupHeaders, inputs: of(KindHeader)},
			&group{label: groupNoParams, inputs: of(KindHeader, KindCookie)},
			&group{label: groupParams, inputs: of(KindParam)})
	}
	return append(groups,
		&group{label: groupEverything, inputs: of(KindParam, KindCookie, KindHeader)},
		&group{label: groupNoCookies, inputs: of(KindParam, KindHeader)})
}

// baseline is how many requests there are before the groups: the URL as it is, and with a
// fresh value.
func (t *target) baseline() int {
	if t.fresh != "" {
		return 2
	}
	return 1
}

// edgeCost is what it takes to ask the edge itself.
func (o *Options) edgeCost() int {
	if o.Edge == "" {
		return 0
	}
	return len((&Options{Quick: true}).together(nil)) * (1 + o.Visitors)
}

func (t *target) planned(o *Options) int {
	return t.baseline() + len(t.groups)*o.cost() + o.edgeCost()
}

// mergeInputs adds what is not there yet; the policy's word for an input is kept.
func mergeInputs(inputs, more []Input) []Input {
	for _, in := range more {
		i := slices.IndexFunc(inputs, in.Is)
		if i < 0 {
			inputs = append(inputs, in)
		} else if inputs[i].Policy == "" {
			inputs[i].Policy = in.Policy
		}
	}
	return inputs
}

// round is requests that are sent one after the other, or at once.
type round struct {
	target   *target
	group    *group
	phase    string
	visitors []*visitor
	atOnce   bool
	direct   bool // the edge is asked, not the public address
}

// rounds are those of a group: each visitor asks, then each of them again; then others at
// once, and again.
func (o *Options) rounds(t *target, g *group, direct bool) []*round {
	brief := o.Quick || direct
	visitors := o.visitors(g, t.fresh, brief)
	x, others := visitors[:2], visitors[2:]
	these := func(phase string, visitors []*visitor, atOnce bool) *round {
		return &round{target: t, group: g, phase: phase, visitors: visitors, atOnce: atOnce, direct: direct}
	}
	if brief {
		return []*round{these(phaseInTurn, x[:1], false), these(phaseAtOnce, others, true)}
	}
	return []*round{
		these(phaseInTurn, x, false), these(phaseInTurnAgain, x, false),
		these(phaseAtOnce, others, true), these(phaseAtOnceAgain, others, true),
	}
}

// visitors are two for asking in turn, and more for asking at once. Fresh is a parameter
// in which each kind has a value of its own; brief: one value for both, so that what the
// first has left can be given to those at once.
func (o *Options) visitors(g *group, fresh string, brief bool) []*visitor {
	all := make([]*visitor, 2+o.Visitors)
	common := o.values(g.common)
	var inTurn, atOnce []value
	if fresh != "" && !slices.ContainsFunc(g.inputs, Input{Kind: KindParam, Name: fresh}.Is) {
		in := []Input{{Kind: KindParam, Name: fresh}}
		inTurn = o.values(in)
		if atOnce = inTurn; !brief {
			atOnce = o.values(in)
		}
	}
	for i := range all {
		values := slices.Concat(o.values(g.inputs), common, inTurn)
		if i >= 2 {
			values = slices.Concat(o.values(g.inputs), common, atOnce)
		}
		name := visitorNames[i : i+1]
		if g.number > 1 {
			name += strconv.Itoa(g.number)
		}
		all[i] = &visitor{name: name, group: g, values: values}
	}
	return all
}

// values are some that nobody has sent before.
func (o *Options) values(inputs []Input) []value {
	values := make([]value, len(inputs))
	for i, in := range inputs {
		values[i] = value{in, newCanary(o.Secret)}
	}
	return values
}

// asked is the URL that a visitor asks for.
func (t *target) asked(v *visitor) *url.URL {
	u := *t.url
	for _, value := range v.values {
		if value.input.Kind == KindParam {
			u.RawQuery = withParam(u.RawQuery, value.input.Name, value.text())
		}
	}
	return &u
}

// cookies is the Cookie field of a visitor, empty if they have none.
func (v *visitor) cookies() string {
	var pairs []string
	for _, value := range v.values {
		if value.input.Kind == KindCookie {
			pairs = append(pairs, value.input.Name+"="+value.text())
		}
	}
	return strings.Join(pairs, "; ")
}
