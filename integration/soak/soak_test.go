package soak

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cacheward/cacheward/integration/edge"
)

// rig is everything that takes part in a run.
type rig struct {
	t               *testing.T
	site            *site
	origin          *origin
	steady, fragile *server
	tally           *tally
	began           time.Time
	seed            uint64
	crowd           []*visitor // of the last round
	crowds          int        // so far
	draining        atomic.Bool

	mu      sync.Mutex
	samples []sample
}

// TestSoak: under full load, with everything going on at once, every visitor gets what is
// theirs, and nothing grows.
func TestSoak(t *testing.T) {
	t.Logf("-soak.seed %d", *soakSeed)
	r := newRig(t, *soakSeed)
	stop := r.sampleEachSecond()
	for _, round := range roundsIn(*soakDuration) {
		r.load(round)
		if !r.drain() {
			break
		}
	}
	stop()
	r.report()
	for _, wrong := range judge(r.samples) {
		t.Error(wrong)
	}
	r.judgeTally()
	if t.Failed() {
		r.explain()
	}
	if *soakSeries != "" {
		if err := r.write(*soakSeries); err != nil {
			t.Error(err)
		}
	}
}

// write writes the series to the file, and what is on the heap beside it.
func (r *rig) write(file string) error {
	profile, err := r.site.get("/debug/pprof/heap?gc=1")
	if err != nil {
		return err
	}
	return errors.Join(writeSeries(file, r.samples), os.WriteFile(file+".heap", profile, 0o600))
}

func newRig(t *testing.T, seed uint64) *rig {
	t.Helper()
	o := &origin{families: newFamilies()}
	addresses := edge.FreeAddresses(t, 2)
	r := &rig{t: t, origin: o, tally: newTally(), seed: seed, began: time.Now()}
	r.steady, r.fragile = newServer(t, addresses[0], o), newServer(t, addresses[1], o)
	r.site = startSite(t, addresses[0], addresses[1])
	return r
}

// longestRound is after how long the load pauses, for figures that are exact.
const longestRound = time.Minute

// roundsIn parts the time: a warm-up, and rounds with load. There are three at least.
func roundsIn(d time.Duration) []time.Duration {
	n := max(3, int(d/longestRound))
	rounds := make([]time.Duration, n+1)
	for i := range rounds {
		rounds[i] = d / time.Duration(n+1)
	}
	return rounds
}

// load has visitors and operators at work for so long, and on a slow machine until the
// store is full.
func (r *rig) load(d time.Duration) {
	var work sync.WaitGroup
	var stop atomic.Bool
	for i := range *soakVisitors {
		n := r.crowds**soakVisitors + i
		v := newVisitor(n, r.site, r.origin, newPlan(r.seed, n, r.origin.families), r.tally)
		r.crowd = append(r.crowd, v)
		work.Go(func() { v.visit(&stop) })
	}
	r.crowds++
	for i, acts := range [][]act{engineering, editing} {
		o := &operator{
			site: r.site, families: r.origin.families, fragile: r.fragile, tally: r.tally,
			plan: newPlan(r.seed, -r.crowds*2-i, r.origin.families), pause: min(time.Second, d/20),
		}
		work.Go(func() { o.work(acts, &stop) })
	}
	time.Sleep(d)
	for end := time.Now().Add(edge.Patience); !r.full() && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
	}
	stop.Store(true)
	work.Wait()
}

// full says whether the store has ever been.
func (r *rig) full() bool {
	figures, err := r.site.scrape()
	return err == nil && sample{figures: figures}.of("evictions") > 0
}

// drain waits until nothing is asked for and nothing is under way, and takes a sample
// then. What does not come to an end is for the judge, and ends the run.
func (r *rig) drain() (drained bool) {
	r.t.Helper()
	r.draining.Store(true)
	defer r.draining.Store(false)
	var last sample
	same := 0
	for end := time.Now().Add(edge.Patience); same < sameTimes && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		for _, v := range r.crowd {
			v.client.CloseIdleConnections() // one whose visitor left may have become idle just now
		}
		r.steady.closeIdle()
		r.fragile.closeIdle()
		r.site.client.CloseIdleConnections()
		before := last
		last = r.sample(true)
		same++
		if last.of("goroutines") != before.of("goroutines") || last.of("fds") != before.of("fds") ||
			len(judge(append(r.drained(), last))) > len(judge(r.drained())) {
			same = 0
		}
	}
	r.crowd = nil
	r.keep(last)
	return same == sameTimes
}

// sameTimes is how many times in a row the figures are the same when it is drained.
const sameTimes = 4

// drained are the samples of the times when nothing was asked for.
func (r *rig) drained() (all []sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.samples {
		if s.drained {
			all = append(all, s)
		}
	}
	return all
}

// sample asks the site what it has. Where it is drained, it collects its garbage before.
func (r *rig) sample(drained bool) sample {
	r.t.Helper()
	if drained {
		for range 2 { // what pools hold goes at the second
			if _, err := r.site.get("/debug/pprof/heap?gc=1"); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	figures, err := r.site.scrape()
	if err != nil {
		r.t.Error(err)
	}
	s := sample{at: time.Since(r.began), drained: drained, asked: r.tally.asked(), figures: figures}
	if drained {
		s.liveHeap = s.of("heap")
	}
	return s
}

func (r *rig) keep(s sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples = append(r.samples, s)
}

// sampleEachSecond goes on until the function is called that it returns.
func (r *rig) sampleEachSecond() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	ticker := time.NewTicker(time.Second)
	go func() {
		defer close(ended)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				if !r.draining.Load() { // it would show itself
					r.keep(r.sample(false))
				}
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// judgeTally says what visitors and operators have met with.
func (r *rig) judgeTally() {
	r.t.Helper()
	all := r.tally
	if all.failed > 0 {
		r.t.Errorf("%d faults; the first of them:\n%s", all.failed, strings.Join(all.faults, "\n"))
	}
	if made, seen := r.origin.broken.Load(), all.broken.Load(); seen > made {
		r.t.Errorf("%d bodies were broken off, %d by the origin", seen, made)
	}
	last := r.samples[len(r.samples)-1]
	if sent := last.of("beacons_sent"); sent < float64(all.landed.Load()) || r.origin.landings.Load() < all.landed.Load() {
		r.t.Errorf("of %d landings the app was told of %d, and %.0f are counted as sent", all.landed.Load(), r.origin.landings.Load(), sent)
	}
	for _, name := range []string{"evictions", "fills_total"} {
		if last.of(name) == 0 {
			r.t.Errorf("%s is 0: the run proves nothing", name)
		}
	}
	for _, k := range kinds {
		if all.of(k.kind).asked.Load() == 0 {
			r.t.Errorf("no visitor did this: %s", k.kind)
		}
	}
	if all.hits() == 0 {
		r.t.Error("there was no hit: the run proves nothing")
	}
}

// explain logs what the site is doing, for who has to find out why a run failed.
func (r *rig) explain() {
	r.t.Helper()
	var b strings.Builder
	b.WriteString("the series:\n")
	for _, s := range thinned(r.samples) {
		fmt.Fprintf(&b, "  %s\n", strings.Join(s.cells(), " "))
	}
	r.t.Log(b.String())
	dump, err := r.site.get("/debug/pprof/goroutine?debug=1")
	if err != nil {
		r.t.Log(err)
		return
	}
	r.t.Logf("the goroutines now:\n%s", topGroups(string(dump)))
	r.t.Logf("the file descriptors now:\n%s", files(r.site.process.Pid))
}
