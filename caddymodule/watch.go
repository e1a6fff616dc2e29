package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/probe"
)

// Watch has the edge probe some of its own URLs, from outside, through whatever caches
// stand in front of it: no header can say what those have been configured to. On a leak it
// stops caching on the route.
type Watch struct {
	// URLs are the public ones that are probed, whole: https://www.example.com/register/lp.
	URLs []string `json:"urls"`
	// Interval is the time from the beginning of one probe of a URL to that of the next.
	// A probe is about a dozen requests. At least 1s. Default: 1m.
	Interval caddy.Duration `json:"interval,omitempty"`
	// OnLeak is trip or warn: whether a leak stops caching on the route, or is recorded
	// only. Default: trip.
	OnLeak string `json:"on_leak,omitempty"`
	// ClearAfter is after how many probes in a row without a leak one is over, of those
	// while nothing is tripped. Default: 10.
	ClearAfter int `json:"clear_after,omitempty"`
	// Params, Cookies and Headers are inputs in which the visitors are to differ, besides
	// those of the policy and those that every probe has.
	Params  []string `json:"params,omitempty"`
	Cookies []string `json:"cookies,omitempty"`
	Headers []string `json:"headers,omitempty"`
	// Resolve is an address (host:port) to connect to, whatever the URL's host is.
	Resolve string `json:"resolve,omitempty"`
	// Timeout bounds one request. Default: 10s.
	Timeout caddy.Duration `json:"timeout,omitempty"`
}

const (
	defaultInterval   = time.Minute
	shortestInterval  = time.Second
	defaultClearAfter = 10
	// watchedURLs bounds how many are watched: each has a goroutine, and is a load.
	watchedURLs = 256
	// watchRate is how many requests a second one URL's probe makes at most.
	watchRate = 100
)

// What is done on a leak.
const (
	onLeakTrip = "trip"
	onLeakWarn = "warn"
)

// check says what is wrong with it, and fills in what is left out.
func (w *Watch) check() error {
	if len(w.URLs) == 0 {
		return errors.New("watch: no URL is given")
	}
	for _, text := range w.URLs {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.Fragment != "" {
			return fmt.Errorf("watch %q: a whole public URL was expected, https://www.example.com/page", text)
		}
	}
	switch {
	case w.Interval == 0:
		w.Interval = caddy.Duration(defaultInterval)
	case time.Duration(w.Interval) < shortestInterval:
		return fmt.Errorf("watch: interval %s is less than %s", time.Duration(w.Interval), shortestInterval)
	}
	switch w.OnLeak {
	case "":
		w.OnLeak = onLeakTrip
	case onLeakTrip, onLeakWarn:
	default:
		return fmt.Errorf("watch: on_leak %q; trip or warn was expected", w.OnLeak)
	}
	switch {
	case w.ClearAfter == 0:
		w.ClearAfter = defaultClearAfter
	case w.ClearAfter < 0:
		return fmt.Errorf("watch: clear_after %d; a positive number was expected", w.ClearAfter)
	}
	if w.Resolve != "" {
		if _, port, err := net.SplitHostPort(w.Resolve); err != nil || port == "" {
			return fmt.Errorf("watch: resolve %q; an address was expected, 203.0.113.7:443", w.Resolve)
		}
	}
	if w.Timeout < 0 {
		return fmt.Errorf("watch: timeout %s is negative", time.Duration(w.Timeout))
	}
	for _, input := range w.inputs() {
		if err := input.Check(); err != nil {
			return fmt.Errorf("watch: %w", err)
		}
	}
	return nil
}

// watcher probes one URL at its interval.
type watcher struct {
	*Watch
	url  string
	look *lookout
	// probe is probe.Run, save in tests.
	probe func(context.Context, probe.Options) (*probe.Report, error)
	// mine says whether it is this edge's turn. Where several edges share a store, one of
	// them is to watch; one alone always is.
	mine     func() bool
	options  probe.Options
	handlers *handlers
	logger   *zap.Logger
}

// watchers are those of one configuration.
type watchers struct {
	all    []*watcher
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// provisionWatch makes the watchers; they begin at start.
func (a *App) provisionWatch(secret *probe.Secret) error {
	for i := range a.Watch {
		w := &a.Watch[i]
		if err := w.check(); err != nil {
			return err
		}
		for _, u := range w.URLs {
			if slices.ContainsFunc(a.watchers.all, func(other *watcher) bool { return other.url == u }) {
				return fmt.Errorf("watch: %s is given twice", u)
			}
			if len(a.watchers.all) == watchedURLs {
				return fmt.Errorf("watch: more than %d URLs", watchedURLs)
			}
			look, _, err := lookouts.LoadOrNew(u, func() (caddy.Destructor, error) { return new(lookout), nil })
			if err != nil {
				return err
			}
			a.watchers.all = append(a.watchers.all, &watcher{
				Watch: w, url: u, look: look.(*lookout), probe: probe.Run, mine: func() bool { return leads(a.handlers.list()) },
				handlers: a.handlers, logger: a.logger,
				options: w.options(u, secret),
			})
		}
	}
	return nil
}

// inputs are the declared ones.
func (w *Watch) inputs() []probe.Input {
	var inputs []probe.Input
	add := func(kind probe.Kind, names []string) {
		for _, name := range names {
			inputs = append(inputs, probe.Input{Kind: kind, Name: name})
		}
	}
	add(probe.KindParam, w.Params)
	add(probe.KindCookie, w.Cookies)
	add(probe.KindHeader, w.Headers)
	return inputs
}

// options are those of a probe of the URL.
func (w *Watch) options(text string, secret *probe.Secret) probe.Options {
	o := probe.Options{
		URLs: []string{text}, Inputs: w.inputs(), Secret: secret, Rate: watchRate, Timeout: time.Duration(w.Timeout), Quick: true, EdgeGives: true,
	}
	if u, err := url.Parse(text); err == nil && w.Resolve != "" {
		port := u.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
		o.Resolve = map[string]string{net.JoinHostPort(u.Hostname(), port): w.Resolve}
	}
	return o
}

// start begins to watch.
func (ws *watchers) start(panicked func(*watcher, any)) {
	ctx, cancel := context.WithCancel(context.Background())
	ws.cancel = cancel
	for _, w := range ws.all {
		ws.wg.Go(func() {
			for w.next(ctx) {
				w.once(ctx, panicked)
			}
		})
	}
}

// next waits for the next turn.
func (w *watcher) next(ctx context.Context) bool {
	interval := time.Duration(w.Interval)
	wait := interval
	if last := w.look.state().lastProbe; !last.IsZero() {
		// Not at a reload's pace, and not the later for what a probe takes.
		wait = min(interval, max(0, time.Until(last.Add(interval))))
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// once probes once. A panic of the prober's ends this probe and not the watch.
func (w *watcher) once(ctx context.Context, panicked func(*watcher, any)) {
	defer func() {
		if v := recover(); v != nil {
			panicked(w, v)
		}
	}()
	if !w.mine() {
		w.look.skipped(time.Now())
		return
	}
	began := time.Now()
	report, err := w.probe(ctx, w.inputsOfPolicy())
	if ctx.Err() != nil {
		return
	}
	w.judge(began, report, err)
}

// stop ends the watch and waits until no probe is under way.
func (ws *watchers) stop() {
	if ws != nil && ws.cancel != nil {
		ws.cancel()
		ws.wg.Wait()
		ws.cancel = nil
	}
}

// letGo forgets what was found, where no other configuration watches it.
func (ws *watchers) letGo() error {
	var errs []error
	for _, w := range ws.all {
		_, err := lookouts.Delete(w.url)
		errs = append(errs, err)
	}
	ws.all = nil
	return errors.Join(errs...)
}

// inputsOfPolicy adds what the governing routes declare: those are the inputs in which
// visitors differ here. What no request can have, or what would harm others if a cache gave
// it to them, is left out, unless the watch itself names it.
func (w *watcher) inputsOfPolicy() probe.Options {
	o := w.options
	o.Inputs = slices.Clone(o.Inputs)
	for _, route := range routesFor(w.handlers.list(), w.url) {
		for _, input := range route.DeclaredInputs() {
			i := probe.Input{Kind: probe.Kind(input.Kind), Name: input.Name, Policy: string(input.Verb)}
			if i.Check() != nil || !i.Safe() && !slices.ContainsFunc(o.Inputs, i.Is) {
				continue
			}
			if at := slices.IndexFunc(o.Inputs, i.Is); at >= 0 {
				o.Inputs[at].Policy = i.Policy
			} else {
				o.Inputs = append(o.Inputs, i)
			}
		}
	}
	return o
}

// watched describes the URLs that configurations in force watch, by URL.
func watched() map[string]lookoutState {
	states := make(map[string]lookoutState)
	lookouts.Range(func(key, value any) bool {
		if l, ok := value.(*lookout); ok {
			states[key.(string)] = l.state()
		}
		return true
	})
	return states
}

// watchStatus describes what is watched, in the order of the configuration.
func (a *handlers) watchStatus() []control.WatchStatus {
	if a.watchers == nil {
		return nil
	}
	var list []control.WatchStatus
	for _, w := range a.watchers.all {
		list = append(list, w.status())
	}
	return list
}

func (w *watcher) status() control.WatchStatus {
	l := w.look.state()
	s := control.WatchStatus{
		URL: w.url, State: control.WatchUnknown, Routes: l.routes, OnLeak: w.OnLeak, Interval: time.Duration(w.Interval).Seconds(),
		Probes: l.probes, Leaks: l.leaks, LastProbe: l.lastProbe, LastClean: l.lastClean, Problem: l.problem,
	}
	switch {
	case l.leaking:
		s.State, s.FirstLeak, s.Clean, s.ClearAfter = control.WatchLeaking, l.firstLeak, l.clean, w.ClearAfter
		if l.evidence != nil {
			s.Evidence = l.evidence.Sentence
		}
	case !l.lastClean.IsZero() && l.problem == "":
		s.State = control.WatchClean
	}
	return s
}
