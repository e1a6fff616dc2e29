package caddymodule

import (
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/cacheward/cacheward/caddymodule/probe"
)

// lookout is what the probes of one URL have found so far. It outlives configurations, so
// that the window of a leak does not begin at a reload.
type lookout struct {
	mu sync.Mutex
	lookoutState
}

type lookoutState struct {
	// leaking since firstLeak, until clear times in a row nothing was found.
	leaking             bool
	firstLeak           time.Time
	lastClean           time.Time // before firstLeak where it is leaking
	cleanSince          time.Time // where it is leaking and the last probes were clean
	clean               int       // how many of them
	lastProbe           time.Time
	probes, leaks, lost uint64 // lost: nothing could be found out
	problem             string // why, of the last one
	evidence            *probe.Evidence
	routes              []string
}

// change is what a probe has changed.
type change int

const (
	changeNone  change = iota
	changeLeak         // it leaks, and did not before
	changeWorse        // it leaks still
	changeClear        // it leaks no more
)

// saw takes what a probe that began then has found. While what is probed is tripped, clean
// probes do not count: nothing is permitted to be shared then, and the fault may be there
// as before.
func (l *lookout) saw(v probe.Verdict, began time.Time, evidence *probe.Evidence, tripped bool, enough int) (change, lookoutState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.probes++
	l.lastProbe = began
	what := changeNone
	switch v {
	case probe.Leak:
		l.leaks++
		l.problem, l.evidence = "", evidence
		l.clean, l.cleanSince = 0, time.Time{}
		what = changeWorse
		if !l.leaking {
			l.leaking, l.firstLeak = true, began
			if evidence != nil && !evidence.Received.IsZero() {
				l.firstLeak = evidence.Received
			}
			what = changeLeak
		}
	case probe.Unknown:
		l.lost++
	default:
		l.problem = ""
		if !l.leaking {
			l.lastClean = began
			break
		}
		if tripped {
			break
		}
		if l.clean++; l.clean == 1 {
			l.cleanSince = began
		}
		if l.clean >= enough {
			what = changeClear
		}
	}
	state := l.lookoutState
	if what == changeClear {
		l.leaking, l.lastClean, l.clean, l.evidence = false, began, 0, nil
	}
	return what, state
}

// skipped takes that it was another edge's turn.
func (l *lookout) skipped(at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lastProbe = at
}

// failed takes why a probe has found out nothing.
func (l *lookout) failed(problem string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problem = problem
}

// visited takes the routes that receipts have named.
func (l *lookout) visited(routes []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(routes) > 0 {
		l.routes = routes
	}
}

func (l *lookout) state() lookoutState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lookoutState
}

// Destruct implements caddy.Destructor. There is nothing to let go of.
func (l *lookout) Destruct() error { return nil }

// lookouts are those of the configurations in force, by URL.
var lookouts = caddy.NewUsagePool()
