package demo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// How many visitors come to each host in each way. With one there would be nobody to
// mix them up with.
const (
	defaultGroup = 6
	minGroup     = 2
	maxGroup     = 50
)

// carrier is how a page hands its visitor the token of the record made for them.
type carrier string

const (
	carrierInput  carrier = "hidden input" // a hidden input of the form
	carrierCookie carrier = "Set-Cookie"   // a cookie
	carrierLink   carrier = "link"         // a link, and the address that the form is sent to
	carrierScript carrier = "script JSON"  // data for the page's script
)

// entrance is what tells the app who referred a visitor. None of them is in the key
// of the operator's rule.
type entrance string

const (
	byQuery   entrance = "query"   // parameters of the address
	byCookie  entrance = "cookie"  // cookies; all visitors come to one address
	byReferer entrance = "Referer" // the page that led here; all visitors come to one address
)

// The Cache-Control of the landing page; silent is none.
const (
	silent    = ""
	mistaken  = "public, max-age=300"
	overruled = "private" // the operator's rule says five minutes all the same
)

// variant is one way in which the incident can have happened: its notice does not
// say how the page carried the token, how the referrer came to it, and what the app
// said about caching.
type variant struct {
	carrier      carrier
	entrance     entrance
	cacheControl string
}

// allVariants is every combination.
func allVariants() []variant {
	var all []variant
	for _, c := range []carrier{carrierInput, carrierCookie, carrierLink, carrierScript} {
		for _, e := range []entrance{byQuery, byCookie, byReferer} {
			for _, cacheControl := range []string{silent, mistaken, overruled} {
				all = append(all, variant{c, e, cacheControl})
			}
		}
	}
	return all
}

// originSays is the variant's Cache-Control in words.
func (v variant) originSays() string {
	if v.cacheControl == silent {
		return "nothing"
	}
	return v.cacheControl
}

func (v variant) String() string {
	return fmt.Sprintf("%s, %s, origin says %s", v.carrier, v.entrance, v.originSays())
}

// variantResult is what was seen of one variant.
type variantResult struct {
	variant
	// behind is with Cacheward between the CDN and the app, alone is without.
	behind, alone walked
}

// walked is what was seen of a variant in one set-up.
type walked struct {
	visitors, cached, misattributed int
	// waited counts landing pages that were asked for while Cacheward had yet to
	// find out whether another visitor's could be shared.
	waited int
	// why is the first record that says why Cacheward shared nothing; nil: there is
	// none.
	why *explanation
	// unexplained are the hosts and ways without such a record.
	unexplained []string
}

// showVariants runs the variants, writes the results, and says what it thinks of them
// in the exit code.
func showVariants(ctx context.Context, o Options, variants []variant) (int, error) {
	results, err := runVariants(ctx, o, variants)
	if err != nil {
		return exitFailed, err
	}
	if o.Format == "json" {
		err = writeVariantsJSON(o.Stdout, results)
	} else {
		err = writeVariantsText(o.Stdout, results, o.Color)
	}
	if err != nil {
		return exitFailed, fmt.Errorf("writing the results: %w", err)
	}
	code := exitFine
	for _, r := range results {
		if r.behind.misattributed > 0 {
			code = exitFindings
		}
		for _, missing := range r.behind.unexplained {
			fmt.Fprintf(o.Stderr, "cacheward demo: %s: the audit log does not say why the page of %s was not shared\n", r.variant, missing)
			code = exitFindings
		}
	}
	return code, nil
}

// runVariants sends the same visitors through every variant, each first without and
// then with Cacheward.
func runVariants(ctx context.Context, o Options, variants []variant) ([]variantResult, error) {
	total := o
	total.Visitors = len(variants) * 2 * len(ways) * len(hosts) * o.Visitors
	shown := newProgress(total, "variants")
	results := make([]variantResult, 0, len(variants))
	for _, v := range variants {
		r, err := v.run(ctx, o, shown.step)
		if err != nil {
			err = fmt.Errorf("variant %s: %w", v, err)
			shown.end(err)
			return nil, err
		}
		results = append(results, r)
	}
	shown.end(nil)
	return results, nil
}

func (v variant) run(ctx context.Context, o Options, step func()) (variantResult, error) {
	alone, err := v.walk(ctx, o, v.behindCDN, step)
	if err != nil {
		return variantResult{}, fmt.Errorf("the CDN alone: %w", err)
	}
	// With this CDN everybody but the first of each group goes wrong. If not, the
	// visits do not put anything to the test.
	if want := len(ways) * len(hosts) * (o.Visitors - 1); alone.misattributed != want {
		return variantResult{}, fmt.Errorf("the CDN alone: %d visitors were attributed wrongly, %d were expected", alone.misattributed, want)
	}
	behind, err := v.walk(ctx, o, v.behindCacheward, step)
	if err != nil {
		return variantResult{}, fmt.Errorf("behind Cacheward: %w", err)
	}
	return variantResult{v, behind, alone}, nil
}

// setUp starts what stands between the visitors and the app. It returns the address,
// and the file of the audit log if there is one, which is complete once undo is done.
type setUp func(ctx context.Context, o Options, undo *closers, app, dir string) (address, auditLog string, err error)

// behindCDN is a CDN with a rule that overrides whatever the origin says.
func (v variant) behindCDN(_ context.Context, _ Options, undo *closers, app, _ string) (string, string, error) {
	transport := cdnTransport(maxConnections)
	deaf := newCDN(app, transport)
	deaf.override = true
	address, err := serveCDN(undo, anyPort, &collapsing{cdn: deaf}, transport)
	return address, "", err
}

// behindCacheward is Cacheward with that rule, behind a CDN that obeys it.
func (v variant) behindCacheward(ctx context.Context, o Options, undo *closers, app, dir string) (string, string, error) {
	auditLog := filepath.Join(dir, "audit.log")
	edge, stop, err := startEdge(ctx, o.Edge, Edge{Upstream: app, Policy: MistakenPolicy, AuditLog: auditLog})
	if err != nil {
		return "", "", err
	}
	undo.add(stop)
	address, err := startCDN(undo, anyPort, edge)
	return address, auditLog, err
}

// walk makes all visits of the variant, each way through a set-up with nothing in its
// caches, and asks the app's database.
func (v variant) walk(ctx context.Context, o Options, start setUp, step func()) (_ walked, err error) {
	var undo closers
	defer func() { err = errors.Join(err, undo.close()) }()
	site, err := openApp(ctx, &undo, pageV1)
	if err != nil {
		return walked{}, err
	}
	app := newVariantApp(site, v)
	app.moment = o.moment
	running, err := listen(anyPort, app)
	if err != nil {
		return walked{}, fmt.Errorf("starting the app: %w", err)
	}
	undo.add(running.cut)
	visitors := v.visitors(len(ways)*len(hosts)*o.Visitors, o.Seed)
	total := walked{visitors: len(visitors)}
	for i, w := range ways {
		part := len(visitors) / len(ways)
		seen, err := w.through(ctx, o, start, app, running.addr, visitors[i*part:][:part], step)
		if err != nil {
			return walked{}, fmt.Errorf("%s: %w", w.name, err)
		}
		total.add(seen)
	}
	recorded, err := site.db.members(ctx)
	if err != nil {
		return walked{}, err
	}
	total.misattributed = misattributed(visitors, recorded)
	return total, nil
}

func (w *walked) add(more walked) {
	w.cached += more.cached
	w.waited += more.waited
	w.unexplained = append(w.unexplained, more.unexplained...)
	if w.why == nil {
		w.why = more.why
	}
}
