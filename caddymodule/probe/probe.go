package probe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/time/rate"
)

// Options say what is probed, and how much of it.
type Options struct {
	// URLs are asked through the public address: http or https, with a host.
	URLs []string
	// Inputs are what could tell visitors apart, besides those of [Inputs] for each URL.
	Inputs []Input
	// Declared, where given, is asked what else is known of a URL: by a policy, or because
	// somebody names it.
	Declared func(u *url.URL) Declared
	// Visitors is how many ask at once, from 2 to 16. Default: 4.
	Visitors int
	// Header has fields that all requests have, for sites that would not answer without.
	Header http.Header
	// Secret is what the edge knows too. Nil: answers are judged by what they show.
	Secret *Secret
	// Client's Transport sends the requests. Nil: one that makes a new connection for
	// each, and by Resolve and so on.
	Client *http.Client
	// EdgeGives says that the edge is known to give receipts, even if none arrives: then
	// an answer without one is none of the edge's. It is not for caches that take away
	// fields that they do not know. Otherwise the first receipt shows it.
	EdgeGives bool
	// Edge is the address (host:port) of an edge that is asked itself as well, past the
	// caches in front of it.
	Edge string
	// Resolve has addresses (host:port) to connect to in place of others. Insecure: any
	// certificate will do. HTTP1: no HTTP/2. They are for who gives no Client.
	Resolve  map[string]string
	Insecure bool
	HTTP1    bool
	// MaxRequests bounds the requests for all URLs. If it is too little for all inputs,
	// some are left out, and the report says which. Default: 300 for each URL.
	MaxRequests int
	// Rate bounds the requests a second; those that are sent at once count as that many.
	// Default: 20.
	Rate float64
	// Timeout bounds one request and its answer. Default: 10s.
	Timeout time.Duration
	// Quick leaves out what finds out about single inputs: for a watch that asks again
	// and again.
	Quick bool
	// Progress, where given, is told now and then how many requests of how many there have
	// been.
	Progress func(done, planned int)
}

// Declared is what is known of one URL beside what can be seen.
type Declared struct {
	// Inputs are probed besides those of [Options.Inputs].
	Inputs []Input
	// Fresh is a parameter of which any value will do. With one that nobody has sent
	// before, no cache can have an answer yet.
	Fresh string
}

// ErrRequests is for options that cannot be met with so few requests. What wraps it says how
// many are needed.
var ErrRequests = errors.New("more requests are needed than are permitted")

// ErrUnreachable is for a run that has had no answer at all.
var ErrUnreachable = errors.New("no URL could be reached")

// ErrTimeout is for a request that has had no answer in time.
var ErrTimeout = errors.New("no answer within")

// Run probes. An error means that nothing could be found out at all, or that ctx ended: then
// there is a report of what was found out until then. A leak is not an error.
func Run(ctx context.Context, o Options) (*Report, error) {
	p, err := newProber(o)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	for _, t := range p.targets {
		if err = p.probe(ctx, t); err != nil {
			break
		}
	}
	report := p.report(began)
	if err == nil {
		err = p.unreachable()
	}
	return report, err
}

// prober is one run.
type prober struct {
	o         Options
	transport http.RoundTripper
	edge      http.RoundTripper
	limiter   *rate.Limiter
	canaries  *canaries
	targets   []*target
	answers   []*answer
	planned   int
}

func newProber(o Options) (*prober, error) {
	if o.Visitors == 0 {
		o.Visitors = 4
	}
	if o.MaxRequests == 0 {
		o.MaxRequests = 300 * len(o.URLs)
	}
	if o.Rate == 0 {
		o.Rate = 20
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	p := &prober{
		o: o, canaries: newCanaries(o.Secret),
		limiter: rate.NewLimiter(rate.Limit(o.Rate), o.Visitors),
	}
	if o.Client != nil {
		p.transport = o.Client.Transport
		if p.transport == nil {
			p.transport = http.DefaultTransport
		}
	} else {
		p.transport = o.newTransport("")
	}
	p.edge = o.newTransport(o.Edge)
	if err := p.plan(); err != nil {
		return nil, err
	}
	return p, nil
}

// Check says what is wrong with the options, before anything is sent.
func (o *Options) Check() error {
	switch {
	case len(o.URLs) == 0:
		return errors.New("a URL was expected")
	case o.Visitors != 0 && (o.Visitors < 2 || o.Visitors > maxVisitors):
		return fmt.Errorf("%d visitors; 2 to %d were expected", o.Visitors, maxVisitors)
	case o.Rate < 0 || o.Timeout < 0 || o.MaxRequests < 0:
		return errors.New("a rate, a timeout and a number of requests above 0 were expected")
	}
	for _, text := range o.URLs {
		if _, err := parseURL(text); err != nil {
			return err
		}
	}
	for _, in := range o.Inputs {
		if err := in.Check(); err != nil {
			return err
		}
	}
	return nil
}

// parseURL reads one that can be asked.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q is no URL", text)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, fmt.Errorf("%q; a URL such as https://example.com/ was expected", text)
	case u.User != nil:
		return nil, fmt.Errorf("%q has a user name in it", u.Redacted())
	}
	u.Fragment, u.RawFragment = "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}

// probe asks for one URL. An error means that ctx ended.
func (p *prober) probe(ctx context.Context, t *target) error {
	if reached, err := p.begin(ctx, t); err != nil || !reached {
		return err
	}
	for _, g := range t.groups {
		if err := p.probeGroup(ctx, t, g, false); err != nil {
			return err
		}
	}
	if p.o.Edge == "" {
		return nil
	}
	inputs := t.inputs()
	for i, g := range (&Options{Quick: true}).together(inputs) {
		g.common, g.number = commonInputs(g, inputs), len(t.groups)+1+i
		if err := p.probeGroup(ctx, t, g, true); err != nil {
			return err
		}
	}
	return nil
}

// inputs are all that visitors of the URL differ in.
func (t *target) inputs() []Input {
	var all []Input
	for _, g := range t.groups {
		all = mergeInputs(all, g.inputs)
	}
	return all
}

// begin asks once. With a fresh value of the parameter, it asks for the URL as it is, too,
// to see whether both are pages of the same kind. It returns false if nobody answers.
func (p *prober) begin(ctx context.Context, t *target) (reached bool, err error) {
	// The first page may be what caches give to everybody. It has canaries in it.
	inputs := slices.DeleteFunc(t.inputs(), func(in Input) bool { return in.Kind != KindParam && !in.ofBrowsers() })
	as := func(inputs []Input) *round {
		g := &group{label: groupFirst, inputs: inputs}
		return &round{target: t, group: g, phase: phaseInTurn, visitors: []*visitor{{name: "W", group: g, values: p.o.values(inputs)}}}
	}
	first, err := p.send(ctx, as(inputs))
	if err != nil {
		return false, err
	}
	if first[0].err != nil {
		if first, err = p.send(ctx, as(inputs)); err != nil || first[0].err != nil {
			return false, err
		}
	}
	if t.fresh == "" {
		return true, nil
	}
	plain, err := p.send(ctx, as(commonInputs(new(group), inputs)))
	if err != nil {
		return false, err
	}
	if plain[0].status != first[0].status {
		t.fresh = ""
	}
	return true, nil
}

func (p *prober) probeGroup(ctx context.Context, t *target, g *group, direct bool) error {
	for _, r := range p.o.rounds(t, g, direct) {
		if _, err := p.send(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// send sends the requests of a round, as fast as they may be. An error means that ctx
// ended.
func (p *prober) send(ctx context.Context, r *round) ([]*answer, error) {
	p.canaries.add(r.visitors)
	var answers []*answer
	if r.atOnce {
		if err := p.wait(ctx, len(r.visitors)); err != nil {
			return nil, err
		}
		answers = p.together(ctx, r)
	} else {
		for _, v := range r.visitors {
			if err := p.wait(ctx, 1); err != nil {
				return nil, err
			}
			answers = append(answers, p.ask(ctx, r, v, nil))
		}
	}
	p.answers = append(p.answers, answers...)
	if p.o.Progress != nil {
		p.o.Progress(len(p.answers), max(p.planned, len(p.answers)))
	}
	return answers, ctx.Err()
}

func (p *prober) wait(ctx context.Context, n int) error {
	if err := p.limiter.WaitN(ctx, n); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return context.DeadlineExceeded // it would come too late
	}
	return nil
}

// unreachable is an error if nobody has answered.
func (p *prober) unreachable() error {
	var last error
	for _, a := range p.answers {
		if a.err == nil {
			return nil
		}
		last = a.err
	}
	if last == nil {
		return ErrUnreachable
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, last)
}
