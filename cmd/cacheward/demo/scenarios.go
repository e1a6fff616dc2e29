package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"

	"golang.org/x/sync/errgroup"
)

// concurrency is how many visitors are on their way at once.
const concurrency = 16

// MistakenPolicy is the operator's mistake of the incident in Cacheward's words:
// the landing page for five minutes, whatever the query and the cookies say.
const MistakenPolicy = `identity {
	cookie session
}
route landing {
	host hapitas.example sp.hapitas.example
	path /register/lp
	cache 5m
	param others strip
	cookie others strip
}
`

// RightPolicy is a policy for a landing page without state: it names what may be
// left out, and whatever it does not name is not shared.
const RightPolicy = `identity {
	cookie session
}
route landing {
	host hapitas.example sp.hapitas.example
	path /register/lp
	cache 5m {
		stale_while_revalidate 30s
		stale_if_error 1h
	}
	param strip ref source @analytics
	param others bypass
	param plain ref source
	cookie strip @analytics
	cookie others bypass
	downstream 60s
}
`

// AttributionPolicy is a policy for a landing page of an app that reads from the address
// who sent a visitor: Cacheward takes that off, carries it with the visitor, and puts it
// back when they register.
const AttributionPolicy = `route landing {
	host hapitas.example sp.hapitas.example
	path /register/lp
	cache 5m {
		stale_while_revalidate 30s
		stale_if_error 1h
	}
	attribution {
		params  ref source
		deliver query /register
	}
	param strip @analytics
	param others bypass
	# cacheward:ignore CW206 -- the page shows nothing of who is signed in
	cookie strip session @analytics
	cookie others bypass
	header strip Referer
}
route register {
	host hapitas.example sp.hapitas.example
	path /register
	cache never
}
`

// scenario is one set-up: visitor → (CDN) → (Cacheward) → app.
type scenario struct {
	name    string
	version pageVersion
	cdn     bool
	policy  string // empty: without Cacheward
}

var scenarios = []scenario{
	{name: "no-cache", version: pageV1},
	{name: "naive-cdn", version: pageV1, cdn: true},
	{name: "cacheward-mistaken-rule", version: pageV1, cdn: true, policy: MistakenPolicy},
	{name: "cacheward-right-policy", version: pageV2, cdn: true, policy: RightPolicy},
	{name: "cacheward-attribution", version: pageV3, cdn: true, policy: AttributionPolicy},
}

// nameWidth is the width of the longest scenario's name.
const nameWidth = len("cacheward-mistaken-rule")

// result is what was seen in one scenario. It is also the JSON form.
type result struct {
	Name     string `json:"name"`
	Visitors int    `json:"visitors"`
	// Misattributed visitors: the app recorded another attribution than they
	// had, or none.
	Misattributed int `json:"misattributed"`
	// OriginRenders is how often the app rendered the landing page.
	OriginRenders int64 `json:"origin_renders"`
	// ServedFromCache is the share of landing pages that came out of a cache, 0 to 1;
	// those that were waited for until they were there are among them.
	ServedFromCache float64 `json:"served_from_cache"`
	// Refusals counts landing pages that Cacheward did not share, by reason.
	Refusals map[string]int `json:"refusals"`

	cacheward bool
}

// runScenarios sends the same visitors through every scenario, one after another.
func runScenarios(ctx context.Context, o Options) ([]result, error) {
	visitors := newVisitors(o.Visitors, o.Seed)
	var results []result
	for _, s := range scenarios {
		shown := newProgress(o, s.name)
		r, err := s.run(ctx, o, visitors, shown.step)
		shown.end(err)
		if err != nil {
			return nil, fmt.Errorf("scenario %s: %w", s.name, err)
		}
		results = append(results, r)
	}
	// Without any cache the app cannot mix people up. If it does, the demo is
	// at fault, and the other figures mean nothing.
	if wrong := results[0].Misattributed; wrong > 0 {
		return nil, fmt.Errorf("scenario %s: %d visitors were attributed wrongly, 0 were expected", results[0].Name, wrong)
	}
	return results, nil
}

// run starts everything that the scenario needs, makes the visits, asks the app's
// database, and stops everything again.
func (s scenario) run(ctx context.Context, o Options, visitors []visitor, step func()) (_ result, err error) {
	var undo closers
	defer func() { err = errors.Join(err, undo.close()) }()

	site, address, err := startApp(ctx, &undo, orAny(o.AppListen), s.version)
	if err != nil {
		return result{}, err
	}
	if s.policy != "" {
		edge, stop, err := startEdge(ctx, o.Edge, Edge{Listen: o.Listen, Upstream: address, Policy: s.policy})
		if err != nil {
			return result{}, err
		}
		undo.add(stop)
		address = edge
	}
	if s.cdn {
		if address, err = startCDN(&undo, anyPort, address); err != nil {
			return result{}, err
		}
	}
	r, err := visitAll(ctx, address, visitors, step)
	if err != nil {
		return result{}, err
	}
	recorded, err := site.db.members(ctx)
	if err != nil {
		return result{}, err
	}
	r.Name = s.name
	r.cacheward = s.policy != ""
	r.Misattributed = misattributed(visitors, recorded)
	r.OriginRenders = site.renders.Load()
	return r, nil
}

func orAny(address string) string {
	if address == "" {
		return anyPort
	}
	return address
}

// startApp starts an app with an empty database.
func startApp(ctx context.Context, undo *closers, address string, version pageVersion) (*app, string, error) {
	site, err := openApp(ctx, undo, version)
	if err != nil {
		return nil, "", err
	}
	running, err := listen(address, site)
	if err != nil {
		return nil, "", fmt.Errorf("starting the app: %w", err)
	}
	undo.add(running.stop)
	return site, running.addr, nil
}

// openApp makes an app with an empty database in a directory of its own.
func openApp(ctx context.Context, undo *closers, version pageVersion) (*app, error) {
	dir, err := tempDir(undo)
	if err != nil {
		return nil, err
	}
	site, err := newApp(ctx, dir, version)
	if err != nil {
		return nil, err
	}
	undo.add(site.close)
	return site, nil
}

func tempDir(undo *closers) (string, error) {
	dir, err := os.MkdirTemp("", "cacheward-demo-")
	if err != nil {
		return "", fmt.Errorf("making a temporary directory: %w", err)
	}
	undo.add(func() error { return os.RemoveAll(dir) })
	return dir, nil
}

// startCDN starts a CDN with an empty cache before upstream.
func startCDN(undo *closers, address, upstream string) (string, error) {
	transport := cdnTransport(maxConnections)
	return serveCDN(undo, address, newCDN(upstream, transport), transport)
}

// serveCDN starts serving what a CDN made of the transport has.
func serveCDN(undo *closers, address string, cdn http.Handler, transport *http.Transport) (string, error) {
	running, err := listen(address, cdn)
	if err != nil {
		return "", fmt.Errorf("starting the CDN: %w", err)
	}
	undo.add(func() error {
		err := running.stop()
		transport.CloseIdleConnections()
		return err
	})
	return running.addr, nil
}

// visitAll makes all visits to address. The first that cannot be completed ends
// them: figures of which some are missing would prove nothing.
func visitAll(ctx context.Context, address string, visitors []visitor, step func()) (result, error) {
	people := newBrowser(address)
	defer people.close()

	var mu sync.Mutex
	cached, refusals := 0, make(map[string]int)
	visits, ctx := errgroup.WithContext(ctx)
	visits.SetLimit(concurrency)
	for _, v := range visitors {
		visits.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			seen, err := people.visit(ctx, v)
			if err != nil {
				return fmt.Errorf("%s: %w", v.name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if seen.cached {
				cached++
			}
			if seen.refusal != "" {
				refusals[seen.refusal]++
			}
			step()
			return nil
		})
	}
	if err := visits.Wait(); err != nil {
		return result{}, err
	}
	return result{
		Visitors:        len(visitors),
		ServedFromCache: float64(cached) / float64(len(visitors)),
		Refusals:        refusals,
	}, nil
}

// misattributed counts the visitors of whom the app did not record what they
// really had, those whom it does not know included.
func misattributed(visitors []visitor, recorded map[string]attribution) int {
	wrong := 0
	for _, v := range visitors {
		if got, ok := recorded[v.name]; !ok || got != v.had {
			wrong++
		}
	}
	return wrong
}
