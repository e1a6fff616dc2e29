package demo

import (
	"context"
	"errors"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// defaultMoment is how long the app holds the first answers back after the other
// visitors' requests have been sent. It is for those to get from the connection to
// where they are made to wait; nothing is wrong if it does not suffice.
const defaultMoment = 25 * time.Millisecond

var hosts = [...]string{pcHost, phoneHost}

// visitors makes n visitors, by turns to either host, who bring what the app reads
// and nothing else. The same seed makes the same ones.
func (v variant) visitors(n int, seed uint64) []visitor {
	visitors := newVisitors(n, seed)
	for i := range visitors {
		p := &visitors[i]
		p.host, p.query, p.cookies = hosts[i%len(hosts)], "", ""
		query := url.Values{referrerName: {p.had.Referrer}, sourceName: {p.had.Source}}.Encode()
		switch v.entrance {
		case byQuery:
			p.query = query
		case byCookie:
			p.cookies = referrerName + "=" + p.had.Referrer + "; " + sourceName + "=" + p.had.Source
		case byReferer:
			p.referer = "http://friend.example/recommended?" + query
		}
	}
	return visitors
}

// way is how the visitors come.
type way struct {
	name string
	// come makes the visits and returns how many pages came from a cache.
	come func(ctx context.Context, people *browser, app *variantApp, visitors []visitor, step func()) (int, error)
}

var ways = [...]way{
	{"one after another", inTurn},
	{"at once", atOnce},
}

// through starts a set-up, makes the visits, stops it, and reads what its audit log
// says.
func (w way) through(ctx context.Context, o Options, start setUp, app *variantApp, upstream string, visitors []visitor, step func()) (_ walked, err error) {
	var dirs, undo closers
	defer func() { err = errors.Join(err, dirs.close()) }()
	dir, err := tempDir(&dirs)
	if err != nil {
		return walked{}, err
	}
	address, auditLog, err := start(ctx, o, &undo, upstream, dir)
	if err != nil {
		return walked{}, errors.Join(err, undo.close())
	}
	people := newBrowser(address)
	cached, err := w.come(ctx, people, app, visitors, step)
	people.close()
	if err := errors.Join(err, undo.close()); err != nil {
		return walked{}, err
	}
	seen := walked{cached: cached}
	if auditLog == "" {
		return seen, nil
	}
	said, err := readAudit(auditLog)
	if err != nil {
		return walked{}, err
	}
	seen.waited = said.waited
	// Hosts that shared an entry would share its verdict, and one would have none.
	for _, host := range hosts {
		switch why := said.why[host]; {
		case why == nil:
			seen.unexplained = append(seen.unexplained, host+" "+w.name)
		case seen.why == nil:
			seen.why = why
		}
	}
	return seen, nil
}

// inTurn lets the visitors come one after another.
func inTurn(ctx context.Context, people *browser, _ *variantApp, visitors []visitor, step func()) (int, error) {
	cached := 0
	for _, v := range visitors {
		landed, err := people.visit(ctx, v)
		if err != nil {
			return 0, err
		}
		if landed.cached {
			cached++
		}
		step()
	}
	return cached, nil
}

// atOnce lets one visitor come to each host, and all others while the app has yet to
// answer that one.
func atOnce(ctx context.Context, people *browser, app *variantApp, visitors []visitor, step func()) (int, error) {
	groups, holds := make(map[string][]visitor), make(map[string]*hold)
	for _, v := range visitors {
		groups[v.host] = append(groups[v.host], v)
		if holds[v.host] == nil {
			holds[v.host] = newHold(app.moment)
		}
	}
	app.holds.Store(&holds)
	defer app.holds.Store(nil)

	var mu sync.Mutex
	cached := 0
	visit := func(ctx context.Context, v visitor) error {
		landed, err := people.visit(ctx, v)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if landed.cached {
			cached++
		}
		step()
		return nil
	}
	all, ctx := errgroup.WithContext(ctx)
	for host, group := range groups {
		all.Go(func() error { return crowd(ctx, group, holds[host], visit) })
	}
	err := all.Wait()
	return cached, err
}

// crowd makes the visits to one host.
func crowd(ctx context.Context, group []visitor, h *hold, visit func(context.Context, visitor) error) error {
	all, ctx := errgroup.WithContext(ctx)
	answered := make(chan struct{})
	all.Go(func() error {
		defer close(answered)
		return visit(ctx, group[0])
	})
	select {
	case <-h.asked:
	case <-answered: // by a cache, without the app
	case <-ctx.Done():
	}
	var sent sync.WaitGroup
	for _, v := range group[1:] {
		sent.Add(1)
		done := sync.OnceFunc(sent.Done)
		trace := &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { done() }}
		all.Go(func() error {
			defer done()
			return visit(httptrace.WithClientTrace(ctx, trace), v)
		})
	}
	sent.Wait()
	select {
	case <-time.After(h.moment):
	case <-ctx.Done():
	}
	close(h.release)
	return all.Wait()
}
