// Package readingtest makes audit logs for tests and benchmarks.
package readingtest

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"time"
)

// Start is the time of the first record that is made.
var Start = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)

// Generate writes n records as Caddy writes them, one line each, in the order of time:
// mostly serve, of a few hundred objects on three routes (one observes), with the other
// events in between. Every object that is served has its store before, and its ID holds
// the time of its fill. The same seed gives the same log.
func Generate(w io.Writer, n int, seed uint64) error {
	g := generator{
		w: bufio.NewWriterSize(w, 1<<16), now: Start,
		random: rand.New(rand.NewPCG(seed, 0)), //nolint:gosec // a test's data
	}
	for range n {
		g.now = g.now.Add(time.Duration(g.random.IntN(20_000)) * time.Microsecond)
		g.record()
	}
	if err := g.w.Flush(); err != nil {
		return fmt.Errorf("writing a log: %w", err)
	}
	return nil
}

type generator struct {
	w      *bufio.Writer
	random *rand.Rand
	now    time.Time
	// objects that can be served.
	objects []object
	line    []byte
}

// object is a stored page.
type object struct {
	id, key, path string
	route         string
	size          int
	stored        time.Time
}

var (
	routes    = []string{"landing", "product"}
	campaigns = []string{"summer", "winter", "autumn-sale", "brand"}
	refusals  = []string{"set-cookie", "private", "divergent", "status", "not-fresh"}
	bypasses  = []string{"cookie-bypass", "param-bypass", "method", "authorization", "remembered-refusal"}
	inputs    = []string{"cookie session", "param preview", "", "header Authorization", ""}
)

func (g *generator) record() {
	chance := g.random.IntN(1000)
	switch {
	case len(g.objects) == 0 || chance < 20:
		g.store()
	case chance < 840:
		g.serve()
	case chance < 920:
		g.bypass()
	case chance < 950:
		g.refuse()
	case chance < 980:
		g.observe()
	case chance < 986:
		g.diverge()
	case chance < 989:
		g.withdraw()
	case chance < 998:
		g.gone()
	default:
		g.operator()
	}
}

func (g *generator) store() {
	o := object{
		id: g.objectID(), key: g.hex(16), route: pick(g, routes),
		path: fmt.Sprintf("/lp/%s/%d", pick(g, campaigns), g.random.IntN(300)),
		size: 4000 + g.random.IntN(60_000), stored: g.now,
	}
	if len(g.objects) < 300 {
		g.objects = append(g.objects, o)
	} else {
		g.objects[g.random.IntN(len(g.objects))] = o
	}
	g.begin("info", "store", o.route, "fill")
	g.text("mode", "enforce")
	g.object(o)
	g.request(o.path)
	g.number("status", 200)
	g.fraction("origin_ms", g.millis(180))
	g.end()
}

func (g *generator) serve() {
	o := g.objects[g.skewed(len(g.objects))]
	g.begin("info", "serve", o.route, pick(g, []string{"hit", "hit", "hit", "hit", "stale", "revalidated", "collapsed"}))
	g.text("mode", "enforce")
	g.object(o)
	g.request(o.path + g.query())
	g.number("status", 200)
	g.fraction("duration_ms", g.millis(0.2))
	g.text("visitor", g.visitor())
	g.end()
}

func (g *generator) bypass() {
	i := g.random.IntN(len(bypasses))
	g.begin("info", "bypass", pick(g, routes), pick(g, []string{"bypass", "pass"}))
	g.text("mode", "enforce")
	g.reasons(bypasses[i])
	g.request("/account/" + strconv.Itoa(g.random.IntN(40)) + g.query())
	g.number("status", 200)
	g.fraction("duration_ms", g.millis(200))
	if inputs[i] != "" {
		g.text("detail", inputs[i])
	}
	g.text("visitor", g.visitor())
	g.end()
}

func (g *generator) refuse() {
	g.begin("info", "refuse", pick(g, routes), "pass")
	g.text("mode", "enforce")
	g.reasons(pick(g, refusals))
	g.text("key", g.hex(16))
	g.number("size_bytes", 4000+g.random.IntN(60_000))
	g.request("/lp/" + pick(g, campaigns) + "/offer" + g.query())
	g.number("status", pick(g, []int{200, 200, 404, 503}))
	g.fraction("origin_ms", g.millis(180))
	g.text("detail", "set-cookie lead")
	g.end()
}

func (g *generator) observe() {
	g.begin("info", "bypass", "checkout", "observe")
	g.text("mode", "observe")
	g.text("would", pick(g, []string{"hit", "hit", "fill", "pass", "bypass", "deny"}))
	g.request("/checkout/start" + g.query())
	g.number("status", 200)
	g.fraction("duration_ms", g.millis(150))
	g.text("visitor", g.visitor())
	g.end()
}

func (g *generator) diverge() {
	g.begin("warn", "diverge", pick(g, routes), "pass")
	g.text("mode", "enforce")
	g.reasons("divergent")
	g.text("key", g.hex(16))
	g.request("/lp/" + pick(g, campaigns) + "/form")
	g.number("status", 200)
	g.line = append(g.line, `,"divergence":{"class":"token","part":"body","offset":4118,"length":24,"own_length":24,`+
		`"shape":"hex-24","entropy":"high","near":"input lead"}`...)
	g.end()
}

func (g *generator) withdraw() {
	i := g.random.IntN(len(g.objects))
	o := g.objects[i]
	g.begin("error", "withdraw", o.route, "pass")
	g.text("mode", "enforce")
	g.reasons("divergent")
	g.text("key", o.key)
	g.text("object", o.id)
	g.request(o.path)
	g.line = append(g.line, `,"divergence":{"class":"reflected-input","input":"cookie lead","part":"body","offset":912,"length":8,`+
		`"own_length":8,"shape":"decimal-8","entropy":"low","near":"a href"}`...)
	g.end()
	g.remove(i)
}

// gone is an object that expires or is dropped to make room.
func (g *generator) gone() {
	i := g.random.IntN(len(g.objects))
	o := g.objects[i]
	g.begin("info", pick(g, []string{"expire", "expire", "evict"}), o.route, "")
	g.text("key", o.key)
	g.text("object", o.id)
	g.fraction("age_s", g.now.Sub(o.stored).Seconds())
	g.number("size_bytes", o.size)
	g.end()
	g.remove(i)
}

// operator is what somebody or the log itself did.
func (g *generator) operator() {
	switch g.random.IntN(4) {
	case 0:
		g.begin("info", "purge", "", "")
		g.by("url https://www.example.com/lp/summer/1")
		g.number("removed", g.random.IntN(9))
		g.line = append(g.line, `,"soft":true`...)
	case 1:
		g.begin("error", "trip", "", "")
		g.by("route landing")
	case 2:
		g.begin("info", "reset", "", "")
		g.by("route landing")
	default:
		g.begin("warn", "drop", "", "")
		g.number("records", 1+g.random.IntN(500))
	}
	g.end()
}

func (g *generator) remove(i int) {
	g.objects[i] = g.objects[len(g.objects)-1]
	g.objects = g.objects[:len(g.objects)-1]
}

func (g *generator) begin(level, event, route, outcome string) {
	g.line = append(g.line[:0], `{"level":"`+level+`","ts":`...)
	g.line = strconv.AppendFloat(g.line, float64(g.now.UnixNano())/1e9, 'f', -1, 64)
	g.line = append(g.line, `,"logger":"http.handlers.cacheward.audit","msg":"cacheward","schema":1`...)
	g.text("event", event)
	g.text("route", route)
	g.text("outcome", outcome)
}

func (g *generator) end() {
	g.line = append(g.line, '}', '\n')
	_, _ = g.w.Write(g.line) // Flush tells
}

func (g *generator) object(o object) {
	g.text("key", o.key)
	g.text("object", o.id)
	age := g.now.Sub(o.stored).Seconds()
	g.fraction("ttl_s", 300-age)
	g.fraction("age_s", age)
	g.number("size_bytes", o.size)
}

func (g *generator) request(url string) {
	g.text("method", "GET")
	g.text("host", "www.example.com")
	g.text("url", "https://www.example.com"+url)
}

func (g *generator) by(scope string) {
	g.text("by", "ops")
	g.text("why", "names of others were seen")
	g.text("scope", scope)
}

// query is what campaigns send: a referral code that the policy calls plain, and others.
func (g *generator) query() string {
	if g.random.IntN(4) == 0 {
		return ""
	}
	return "?ref=P" + strconv.Itoa(1000+g.random.IntN(9000)) + "&utm_source=h:" + g.hex(12)
}

func (g *generator) visitor() string {
	return fmt.Sprintf("3f2a-%012x", g.skewed(20_000))
}

func (g *generator) reasons(reason string) {
	g.line = append(g.line, `,"reasons":["`+reason+`"]`...)
}

func (g *generator) text(name, value string) {
	if value != "" {
		g.line = append(g.line, `,"`+name+`":"`+value+`"`...)
	}
}

func (g *generator) number(name string, value int) {
	g.line = append(g.line, `,"`+name+`":`...)
	g.line = strconv.AppendInt(g.line, int64(value), 10)
}

func (g *generator) fraction(name string, value float64) {
	g.line = append(g.line, `,"`+name+`":`...)
	g.line = strconv.AppendFloat(g.line, value, 'f', 3, 64)
}

// millis are mostly near the mean, and sometimes far above.
func (g *generator) millis(mean float64) float64 { return mean * (0.5 + g.random.ExpFloat64()/2) }

// skewed is a number below n; small ones are more frequent.
func (g *generator) skewed(n int) int {
	x := g.random.Float64()
	return int(x * x * float64(n))
}

// objectID is a UUIDv7 of now (RFC 9562 section 5.7).
func (g *generator) objectID() string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(g.now.UnixMilli())<<16|0x7000|g.random.Uint64N(1<<12))
	binary.BigEndian.PutUint64(b[8:], 1<<63|g.random.Uint64()>>2)
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func (g *generator) hex(digits int) string {
	return fmt.Sprintf("%016x", g.random.Uint64())[:digits]
}

func pick[T any](g *generator, from []T) T { return from[g.random.IntN(len(from))] }
