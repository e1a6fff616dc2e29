package attribution

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cacheward/cacheward/integration/edge"
)

var landings = flag.Int("attribution.landings", 12_000, "how many landings the simulation has")

// workers is how many visitors there are at a time.
const workers = 12

// TestSimulation: with edge and app killed in the middle, the landing page comes out of
// the store, everybody who signs up is tied to who sent them, and the app has been told of
// every landing.
func TestSimulation(t *testing.T) {
	s := newSimulation(t)
	c := newCrowd(s.site.Address, *landings, s.errorf)
	var crowd sync.WaitGroup
	for range workers {
		crowd.Go(c.work)
	}
	ended := make(chan struct{})
	go func() { crowd.Wait(); close(ended) }()
	s.disturb(c, ended)
	<-ended
	c.finish()
	s.untilTold(c.landed.Load())
	s.check(c)
}

// simulation is the edge, and the app as a process of its own.
type simulation struct {
	t       *testing.T
	site    *edge.Site
	address string // the app's
	file    string // its database
	app     *os.Process
	faults  atomic.Int64
}

// errorf reports what is wrong. Of everything that goes wrong everywhere, the first few
// are enough.
func (s *simulation) errorf(format string, args ...any) {
	if s.faults.Add(1) <= 20 {
		s.t.Errorf(format, args...)
	}
}

func newSimulation(t *testing.T) *simulation {
	s := &simulation{t: t, address: edge.FreeAddresses(t, 1)[0], file: filepath.Join(t.TempDir(), "app.db")}
	s.startApp()
	var routes []string
	for _, site := range sites() {
		routes = append(routes, site.route(beaconTo(s.address)...))
	}
	s.site = startEdge(t, edge.SiteConfig{Origin: s.address}, routes...)
	return s
}

func (s *simulation) startApp() {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	s.app = edge.Start(s.t, self, filepath.Dir(s.file), []string{s.address}, appVerb, s.address, s.file)
}

func (s *simulation) killApp() {
	s.t.Helper()
	if err := s.app.Kill(); err != nil {
		s.t.Fatal(err)
	}
	edge.Eventually(s.t, "the end of the app", func() bool { return s.app.Signal(syscall.Signal(0)) != nil })
}

// disturb kills and restarts while the crowd is there.
func (s *simulation) disturb(c *crowd, ended <-chan struct{}) {
	s.t.Helper()
	until := func(what string, done func() bool) {
		came := moving(func() int64 { return c.landed.Load() + c.failed.Load() }, func() bool {
			select {
			case <-ended:
				s.t.Fatalf("the crowd had gone before this: %s", what)
			default:
			}
			return done()
		})
		if !came {
			s.t.Fatalf("never came to pass: %s", what)
		}
	}
	landed := func(share float64) {
		n := int64(share * float64(c.landings))
		until(fmt.Sprintf("%d landings", n), func() bool { return c.landed.Load() >= n })
	}
	landed(0.2)
	s.site.Kill(s.t)
	s.site.Restart(s.t)
	landed(0.4)
	s.killApp()
	landed(0.5) // out of the store
	s.site.Kill(s.t)
	s.site.Restart(s.t)
	until("landings that fail, without store and app", func() bool { return c.failed.Load() >= 10 })
	s.startApp()
	s.warm(c)
	landed(0.7)
	s.site.Kill(s.t)
	s.killApp()
	s.startApp()
	s.site.Restart(s.t)
	landed(0.8)
	s.killApp()
	s.startApp()
}

// warm has the crowd wait until the pages are in the store again. That an app has failed is
// remembered for a second, in which here thousands land.
func (s *simulation) warm(c *crowd) {
	s.t.Helper()
	c.pace.Lock()
	defer c.pace.Unlock()
	conn := &connection{address: s.site.Address}
	defer conn.close()
	for _, site := range sites() {
		for _, page := range []string{"/lp", "/about"} {
			edge.Eventually(s.t, page+" of "+site.host()+" in the store", func() bool {
				a, err := conn.ask(newBrowser(site.host()).request(page, "", nil))
				return err == nil && a.hit()
			})
		}
	}
}

// moving waits until it is done, for as long as things move, and says whether it is.
func moving(measure func() int64, done func() bool) bool {
	at, since := measure(), time.Now()
	for !done() {
		if now := measure(); now != at {
			at, since = now, time.Now()
		}
		if time.Since(since) > edge.Patience {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return true
}

// untilTold waits until the app knows of as many landings as were answered.
func (s *simulation) untilTold(n int64) {
	s.t.Helper()
	var known int64
	told := moving(func() int64 { return known }, func() bool {
		res, err := http.Get("http://" + s.address + "/landings")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		if _, err := fmt.Fscan(res.Body, &known); err != nil {
			s.t.Fatal(err)
		}
		return known >= n
	})
	if !told {
		s.t.Errorf("the app knows of %d landings, want %d", known, n)
	}
}

func (s *simulation) check(c *crowd) {
	for _, fault := range rowsOf(s.t, s.file, rowFault) {
		s.errorf("the app: %s", fault.Text)
	}
	byCode, duplicates := s.checkLandings(c)
	wrong := s.checkSignUps(c, byCode)
	share := float64(c.hits.Load()) / float64(c.landed.Load())
	if share < 0.99 {
		s.t.Errorf("%.2f %% of the landings came out of the store; the others: %v", 100*share, c.misses)
	}
	if shared := float64(c.shared.Load()) / float64(c.shown.Load()); shared < 0.95 {
		s.t.Errorf("%.2f %% of the other pages came out of the store", 100*shared)
	}
	s.t.Logf("%d landings, %.2f %% from the store, %d failed; %d members, %d attributed wrongly; %d duplicates; %d batches and %d landings came again",
		c.landed.Load(), 100*share, c.failed.Load(), len(c.members), wrong, duplicates, len(rowsOf(s.t, s.file, rowAgain)), len(rowsOf(s.t, s.file, rowRepeat)))
}

// checkLandings: the app knows of each landing that was answered once, of none that
// failed, and of each visitor's in their order.
func (s *simulation) checkLandings(c *crowd) (byCode map[string]row, duplicates int) {
	byCode = map[string]row{}
	last := map[int]int{}
	for _, r := range rowsOf(s.t, s.file, rowLanding) {
		code := r.code()
		a, known := c.attempts[code]
		if _, twice := byCode[code]; twice {
			duplicates++
		}
		switch {
		case !known:
			s.errorf("the app knows of a landing that nobody made: %+v", r)
		case a.outcome == failed:
			s.errorf("the app knows of a landing that failed: %+v", r)
		case a.number <= last[a.visitor]:
			s.errorf("of visitor %d, landing %d came after landing %d", a.visitor, a.number, last[a.visitor])
		}
		byCode[code], last[a.visitor] = r, a.number
	}
	if duplicates > 0 {
		s.t.Errorf("%d landings are known twice", duplicates)
	}
	lost := 0
	for code, a := range c.attempts {
		if _, told := byCode[code]; a.outcome == answered && !told {
			lost++
		}
	}
	if lost > 0 {
		s.t.Errorf("of %d landings that were answered the app does not know", lost)
	}
	return byCode, duplicates
}

// checkSignUps: who signed up is a member, and tied to who sent them.
func (s *simulation) checkSignUps(c *crowd, landings map[string]row) (wrong int) {
	rows := map[string][]row{}
	for _, r := range rowsOf(s.t, s.file, rowSignUp) {
		rows[r.Member] = append(rows[r.Member], r)
	}
	for name, m := range c.members {
		if len(rows[name]) == 0 {
			s.errorf("%s signed up, and is no member", name)
		}
		for _, r := range rows[name] {
			if what := m.wrong(r, landings); what != "" {
				wrong++
				s.errorf("%s of %s: %s: %+v, want %+v", name, m.site.host(), what, r, m.by)
			}
		}
	}
	if len(c.members) < c.landings/20 {
		s.errorf("only %d members", len(c.members))
	}
	return wrong
}
