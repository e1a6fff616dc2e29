package attribution

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cacheward/cacheward/integration/edge"
	"github.com/cacheward/cacheward/policies"
)

// touch is a visit by which somebody came, as the test keeps it for them.
type touch struct {
	values  map[string]string
	referer string
	paid    bool
	posted  bool // on the URL of the form, not on that of a landing page
}

func (t touch) code() string { return row{Values: t.values, Referer: t.referer}.code() }

// counted is the touch that counts by the model. There is at least one.
func counted(model string, touches []touch) touch {
	switch policies.AttributionModel(model) {
	case policies.ModelFirst:
		return touches[0]
	case policies.ModelLastPaid:
		for i := len(touches) - 1; i >= 0; i-- {
			if touches[i].paid {
				return touches[i]
			}
		}
	}
	return touches[len(touches)-1]
}

// attempt is a landing that was asked for.
type attempt struct {
	visitor, number int
	outcome         outcome
}

type outcome int

const (
	unanswered outcome = iota // the connection broke: the edge may know of it, or not
	answered
	failed // 5xx
)

// crowd are visitors who land, look around, land again, and sign up, each on one of the
// sites. Several workers are one visitor after the other.
type crowd struct {
	address  string
	landings int // how many there are to be
	report   func(format string, args ...any)

	begun   atomic.Int64 // landings that are answered or will be
	visitor atomic.Int64
	landed  atomic.Int64 // answered
	hits    atomic.Int64
	failed  atomic.Int64
	shared  atomic.Int64 // hits of the other page, and its answers
	shown   atomic.Int64

	// pace is held by those who ask for a landing page, and by who has the crowd wait.
	pace sync.RWMutex

	mu       sync.Mutex
	attempts map[string]attempt // by code
	members  map[string]member  // by name
	misses   map[string]int     // landings that were not hits, by Cache-Status
	later    []func(*connection) bool
}

// member is a visitor who has been told that they have signed up.
type member struct {
	site site
	by   touch
}

func newCrowd(address string, landings int, report func(format string, args ...any)) *crowd {
	return &crowd{address: address, landings: landings, report: report, attempts: map[string]attempt{}, members: map[string]member{}, misses: map[string]int{}}
}

func (c *crowd) missed(a answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.misses[a.header.Get("Cache-Status")]++
}

// work is a visitor after the other until there have been enough landings.
func (c *crowd) work() {
	conn := &connection{address: c.address}
	defer conn.close()
	for int(c.begun.Load()) < c.landings {
		n := int(c.visitor.Add(1))
		all := sites()
		v := &visitor{crowd: c, conn: conn, n: n, site: all[n%len(all)], random: rand.New(rand.NewPCG(uint64(n), 8))}
		v.browser = newBrowser(v.site.host())
		if !v.visit() {
			return
		}
	}
}

// finish signs up those who could not be while the app was gone.
func (c *crowd) finish() {
	conn := &connection{address: c.address}
	defer conn.close()
	for _, signUp := range c.later {
		if !persist(func() bool { return signUp(conn) }) {
			c.report("nobody can sign up any more")
			return
		}
	}
}

// persist does something until it is done. If it never is, that is said.
func persist(do func() bool) bool {
	for end := time.Now().Add(edge.Patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if do() {
			return true
		}
	}
	return false
}

// visitor is one of them.
type visitor struct {
	*browser
	crowd  *crowd
	conn   *connection
	n      int
	site   site
	random *rand.Rand

	touches []touch
	number  int // attempts to land
}

func (v *visitor) chance(percent int) bool { return v.random.IntN(100) < percent }

func (v *visitor) visit() bool {
	for landings := 1 + v.random.IntN(3)/2; landings > 0; landings-- {
		v.crowd.begun.Add(1)
		paid, linked := v.chance(30), v.site.referers() && v.chance(10)
		if !persist(func() bool { return v.land(paid, linked) }) {
			v.crowd.report("visitor %d cannot land", v.n)
			return false
		}
		if v.chance(50) {
			v.lookAround()
		}
	}
	if v.chance(25) {
		v.signUp()
	}
	return true
}

// land asks for the landing page, with a code of its own or, where linked, from a site
// that has no code, and says whether it was answered.
func (v *visitor) land(paid, linked bool) bool {
	v.number++
	t := touch{values: map[string]string{}}
	query := url.Values{}
	switch code := fmt.Sprintf("v%d-%d", v.n, v.number); {
	case linked:
		t.referer = code + ".blog.example"
	default:
		t.values["ref"] = code
		if t.paid = paid; paid {
			t.values["utm_medium"] = "cpc"
		}
		for name, value := range t.values {
			query.Set(name, value)
		}
	}
	target, referer := "/lp", ""
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	if t.referer != "" {
		referer = "https://" + t.referer + "/posts/7"
	}
	r := v.request(target, referer, nil)
	v.crowd.pace.RLock()
	a, err := v.conn.ask(r)
	v.crowd.pace.RUnlock()
	result := answered
	switch {
	case err != nil:
		result = unanswered
	case a.status >= 500:
		result = failed
		v.crowd.failed.Add(1)
	}
	v.crowd.mu.Lock()
	v.crowd.attempts[t.code()] = attempt{v.n, v.number, result}
	v.crowd.mu.Unlock()
	if result == answered {
		v.landed(t, a)
		v.take(r, a)
	} else if len(a.carries()) > 0 {
		v.crowd.report("visitor %d was given a cookie with the status %d", v.n, a.status)
	}
	return result == answered
}

// landed checks the answer to a landing, and remembers the touch.
func (v *visitor) landed(t touch, a answer) {
	v.crowd.landed.Add(1)
	if a.hit() {
		v.crowd.hits.Add(1)
	} else {
		v.crowd.missed(a)
	}
	before := v.touches
	v.touches = append(v.touches, t)
	changed := len(before) == 0 || counted(v.site.model, before).code() != counted(v.site.model, v.touches).code()
	set := a.carries()
	switch {
	case a.status != 200 || a.body != landingPage:
		v.crowd.report("visitor %d landed on %d: %q", v.n, a.status, a.body)
	case changed && len(set) != 1, !changed && len(set) > 0:
		v.crowd.report("visitor %d of %s: after %+v landed with %+v, and was given the cookies %v", v.n, v.host, before, t, set)
	case changed && !a.private():
		v.crowd.report("visitor %d was given a cookie with Cache-Control %q", v.n, a.header["Cache-Control"])
	}
}

// lookAround goes to a page on which nobody lands, and back to the landing page, with
// nothing that says who sent the visitor.
func (v *visitor) lookAround() {
	for _, target := range []string{"/about", "/lp"} {
		r := v.request(target, "http://"+v.host+"/lp", nil)
		a, err := v.conn.ask(r)
		if err != nil || a.status >= 500 {
			return
		}
		v.crowd.shown.Add(1)
		if a.hit() {
			v.crowd.shared.Add(1)
		}
		if len(a.cookies) > 0 {
			v.crowd.report("visitor %d of %s was given a cookie on %s: %v", v.n, v.host, target, a.cookies)
		}
		v.take(r, a)
	}
}

// signUp sends the form; some come to it by a link that says who sent them.
func (v *visitor) signUp() {
	name, target := fmt.Sprintf("member-%d", v.n), "/register"
	touches := v.touches
	if v.chance(10) {
		own := touch{values: map[string]string{"ref": fmt.Sprintf("p%d", v.n)}, posted: true}
		touches, target = append(touches, own), target+"?ref="+own.values["ref"]
	}
	m := member{v.site, counted(v.site.model, touches)}
	try := func(conn *connection) bool {
		a, err := conn.ask(v.request(target, "http://"+v.host+"/lp", url.Values{"member": {name}}))
		if err != nil || a.status >= 500 {
			return false
		}
		if a.status != 200 || a.body != thanksPage || len(a.cookies) > 0 || a.hit() {
			v.crowd.report("visitor %d of %s signed up: %d %v %q", v.n, v.host, a.status, a.header, a.body)
		}
		v.crowd.mu.Lock()
		v.crowd.members[name] = m
		v.crowd.mu.Unlock()
		return true
	}
	if !try(v.conn) {
		v.crowd.mu.Lock()
		v.crowd.later = append(v.crowd.later, try)
		v.crowd.mu.Unlock()
	}
}

// wrong says what of a sign-up is not the member's own, if anything is. landings are what
// the app knows of, by code.
func (m member) wrong(got row, landings map[string]row) string {
	want := m.by
	switch {
	case got.Host != m.site.host():
		return "the site"
	case !maps.Equal(got.Values, want.values):
		return "the values"
	case m.site.as == string(policies.AsHeader) && got.Referer != want.referer:
		return "the Referer"
	case m.site.as == string(policies.AsHeader) && !want.posted && (got.Landing == "" || got.Landing != landings[want.code()].Landing):
		return "the landing"
	}
	return ""
}
