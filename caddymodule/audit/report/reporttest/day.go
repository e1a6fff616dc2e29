// Package reporttest makes the audit log of a day with an incident in it, for tests of
// reports and for looking at them.
package reporttest

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Start is the midnight at which the day begins.
var Start = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// The hours of the incident: a recheck finds out that the landing page shows its visitor's
// code, and caching is stopped; the app is mended and caching goes on.
const (
	found   = 14*time.Hour + 9*time.Minute
	purged  = found + 95*time.Second
	lost    = 14*time.Hour + 25*time.Minute
	resumed = 15*time.Hour + 20*time.Minute
)

// Day writes the records of a day with so many requests, one line each, in the order of
// time. The same number gives the same log.
func Day(w io.Writer, requests int) error {
	d := &day{random: rand.New(rand.NewPCG(7, uint64(requests))), stored: make(map[string]*object)} //nolint:gosec // a test's data
	for _, at := range d.times(requests) {
		d.operators(at)
		d.now = at
		d.request()
	}
	d.operators(24 * time.Hour)
	slices.SortStableFunc(d.lines, func(a, b line) int { return int(a.at - b.at) })
	out := bufio.NewWriter(w)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for _, l := range d.lines {
		if err := encoder.Encode(l.record); err != nil {
			return fmt.Errorf("writing a log: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing a log: %w", err)
	}
	return nil
}

type day struct {
	random *rand.Rand
	now    time.Duration
	stored map[string]*object
	lines  []line
	done   int // of the operators' steps
}

type line struct {
	at     time.Duration
	record map[string]any
}

type object struct {
	id      string
	until   time.Duration
	fetched time.Duration
}

// times of requests: few at night, many in the evening, and a campaign's wave at noon.
func (d *day) times(n int) []time.Duration {
	times := make([]time.Duration, 0, n)
	for len(times) < n {
		hour := d.random.Float64() * 24
		wanted := 0.12 + 0.55*math.Pow(math.Max(0, math.Sin((hour-6)/18*math.Pi)), 1.2) + 0.33*math.Exp(-math.Pow((hour-12.2)/0.8, 2))
		if d.random.Float64() < wanted {
			times = append(times, time.Duration(hour*float64(time.Hour)).Truncate(time.Millisecond))
		}
	}
	slices.Sort(times)
	return times
}

const site = "https://shop.example"

// write adds a record.
func (d *day) write(at time.Duration, event string, fields map[string]any) {
	level := "info"
	switch event {
	case "withdraw", "trip", "fault":
		level = "error"
	case "diverge", "drop":
		level = "warn"
	}
	record := map[string]any{
		"level": level, "ts": float64(Start.Add(at).UnixMilli()) / 1000, "logger": "http.handlers.cacheward.audit",
		"msg": "cacheward", "schema": 1, "event": event,
	}
	for name, value := range fields {
		if value != "" && value != nil {
			record[name] = value
		}
	}
	d.lines = append(d.lines, line{at, record})
}

func (d *day) hex(digits int) string { return fmt.Sprintf("%016x", d.random.Uint64())[:digits] }

// visitor is one of those who come today; the key of the pseudonyms is today's.
func (d *day) visitor() string {
	return fmt.Sprintf("3f2a-%012x", 0x9bc0d1e20000+d.skewed(40_000)*7919)
}

func (d *day) skewed(n int) int { x := d.random.Float64(); return int(x * x * float64(n)) }

// objectID is a UUIDv7 of the moment (RFC 9562 section 5.7).
func (d *day) objectID(at time.Duration) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(Start.Add(at).UnixMilli())<<16|0x7000|d.random.Uint64N(1<<12))
	binary.BigEndian.PutUint64(b[8:], 1<<63|d.random.Uint64()>>2)
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// key of a page: always the same.
func key(page string) string {
	h := uint64(14695981039346656037)
	for i := range len(page) {
		h = (h ^ uint64(page[i])) * 1099511628211
	}
	return fmt.Sprintf("%016x", h)
}

func (d *day) request() {
	switch n := d.random.IntN(100); {
	case n < 46:
		d.landing()
	case n < 66:
		d.shared("product", fmt.Sprintf("/item/%d", 1000+d.skewed(50)), 30*time.Minute, 42_000)
	case n < 76:
		d.shared("news", []string{"/news", "/news/sale", "/news/autumn"}[d.random.IntN(3)], time.Minute, 12_500)
	case n < 84:
		d.cart()
	case n < 89:
		d.past("account", "/account", "identity", "cookie session")
	case n < 99:
		d.observed()
	default:
		d.odd()
	}
}

// landing is the page of campaigns: visitors come with a code that the page must not hold.
func (d *day) landing() {
	query := fmt.Sprintf("?ref=P%d&utm_source=h:%s", 1000+d.skewed(300), d.hex(12))
	if d.now > found && d.now < resumed {
		d.passed("landing", "/lp"+query, key("/lp"), 200, "tripped", "")
		return
	}
	switch n := d.random.IntN(100); {
	case n < 5:
		d.past("landing", "/lp"+query, "cookie-bypass", "cookie ab_test")
	case n < 7:
		d.past("landing", "/lp"+query+"&page=h:0c1f6fa2b7aa", "param-bypass", "param page")
	default:
		d.share("landing", "/lp", "/lp"+query, 5*time.Minute, 18_211)
	}
}

func (d *day) shared(route, path string, life time.Duration, size int) {
	if route == "product" && d.random.IntN(300) == 0 {
		d.write(d.now, "refuse", d.with(route, path, map[string]any{
			"outcome": "pass", "key": key(path), "status": 503, "reasons": []string{"status"}, "origin_ms": 30_000.0,
		}))
		d.passed(route, path, key(path), 503, "status", "")
		return
	}
	d.share(route, path, path, life, size)
}

// share serves a page that is stored, or stores it.
func (d *day) share(route, page, url string, life time.Duration, size int) {
	o := d.stored[page]
	outcome := "hit"
	switch {
	case o == nil || d.now >= o.until:
		if o != nil {
			d.write(o.until, "expire", map[string]any{"route": route, "key": key(page), "object": o.id, "age_s": life.Seconds(), "size_bytes": size})
		}
		o = &object{id: d.objectID(d.now), until: d.now + life, fetched: d.now}
		d.stored[page] = o
		d.write(d.now+60*time.Millisecond, "store", d.with(route, page, map[string]any{
			"key": key(page), "object": o.id, "ttl_s": life.Seconds(), "age_s": 0, "size_bytes": size, "status": 200, "origin_ms": 41.5,
		}))
		d.write(d.now, "bypass", d.with(route, url, map[string]any{"outcome": "fill", "key": key(page), "status": 200, "duration_ms": 44.1, "visitor": d.visitor()}))
		return
	case d.random.IntN(40) == 0:
		outcome = "stale"
	case d.random.IntN(70) == 0:
		outcome = "collapsed"
	}
	d.write(d.now, "serve", d.with(route, url, map[string]any{
		"outcome": outcome, "key": key(page), "object": o.id, "ttl_s": (o.until - d.now).Seconds(), "age_s": (d.now - o.fetched).Seconds(),
		"size_bytes": size, "status": 200, "duration_ms": 0.3, "visitor": d.visitor(),
	}))
}

// cart has a token in its form that differs for everybody.
func (d *day) cart() {
	if d.random.IntN(15) == 0 {
		d.write(d.now, "diverge", d.with("cart", "/cart", map[string]any{
			"outcome": "pass", "key": key("/cart"), "status": 200, "reasons": []string{"divergent"},
			"divergence": map[string]any{
				"class": "token", "part": "body", "offset": 4112, "length": 32, "own_length": 32, "shape": "hex-32", "entropy": "high",
				"near": "input csrf_token",
			},
		}))
		d.write(d.now, "bypass", d.with("cart", "/cart", map[string]any{"outcome": "fill", "key": key("/cart"), "status": 200, "visitor": d.visitor()}))
		return
	}
	d.passed("cart", "/cart", key("/cart"), 200, "remembered-refusal", "")
}

// observed is a part of the site on which nothing is shared yet.
func (d *day) observed() {
	fields := map[string]any{"outcome": "observe", "mode": "observe", "would": "hit", "status": 200, "key": key("/help"), "visitor": d.visitor()}
	switch n := d.random.IntN(100); {
	case n < 14:
		fields["would"], fields["reasons"], fields["detail"] = "pass", []string{"set-cookie"}, "Set-Cookie"
	case n < 20:
		fields["would"], fields["reasons"], fields["detail"] = "bypass", []string{"identity"}, "cookie session"
	case n < 24:
		fields["would"] = "fill"
	}
	d.write(d.now, "bypass", d.with("help", "/help", fields))
}

// odd is what no route expects, and what no visitor of good will sends.
func (d *day) odd() {
	switch d.random.IntN(4) {
	case 0:
		d.write(d.now, "deny", d.with("landing", "/lp;x", map[string]any{
			"outcome": "deny", "status": 400, "reasons": []string{"path-parameter"}, "visitor": d.visitor(),
		}))
	case 1:
		d.write(d.now, "refuse", d.with("news", "/news/sale", map[string]any{
			"outcome": "pass", "key": key("/news/sale"), "status": 200, "reasons": []string{"set-cookie", "private"}, "detail": "Set-Cookie",
		}))
		d.passed("news", "/news/sale", key("/news/sale"), 200, "set-cookie", "Set-Cookie")
	default:
		d.past("", "/wp-login.php", "no-route", "")
	}
}

func (d *day) past(route, url, reason, detail string) {
	d.write(d.now, "bypass", d.with(route, url, map[string]any{
		"outcome": "bypass", "status": 200, "reasons": []string{reason}, "detail": detail, "duration_ms": 61.7, "visitor": d.visitor(),
	}))
}

func (d *day) passed(route, url, key string, status int, reason, detail string) {
	d.write(d.now, "bypass", d.with(route, url, map[string]any{
		"outcome": "pass", "key": key, "status": status, "reasons": []string{reason}, "detail": detail, "duration_ms": 58.2, "visitor": d.visitor(),
	}))
}

func (d *day) with(route, url string, fields map[string]any) map[string]any {
	all := map[string]any{"route": route, "mode": "enforce", "method": "GET", "host": "shop.example", "url": site + url}
	for name, value := range fields {
		all[name] = value
	}
	return all
}

// operators does what is done by hand or by itself until the moment.
func (d *day) operators(until time.Duration) {
	for ; d.done < len(steps) && steps[d.done].at <= until; d.done++ {
		steps[d.done].do(d, steps[d.done].at)
	}
}

var steps = []struct {
	at time.Duration
	do func(d *day, at time.Duration)
}{
	{9*time.Hour + 31*time.Minute, func(d *day, at time.Duration) {
		d.write(at, "purge", map[string]any{"scope": "prefix shop.example/news", "by": "editor@cms-1", "why": "new prices", "removed": 3, "soft": true})
	}},
	{found, func(d *day, at time.Duration) {
		o := d.stored["/lp"]
		if o == nil {
			o = &object{id: d.objectID(at)}
		}
		delete(d.stored, "/lp")
		for _, event := range []string{"diverge", "withdraw"} {
			d.write(at, event, d.with("landing", "/lp?ref=P1004&utm_source=h:5c1df0aa9e21", map[string]any{
				"key": key("/lp"), "object": o.id, "status": 200, "reasons": []string{"divergent", "reflects-input"},
				"divergence": map[string]any{
					"class": "reflected-input", "input": "param ref", "part": "body", "offset": 2210, "length": 5, "own_length": 5,
					"shape": "letters-5", "entropy": "low", "near": "input lead",
				},
			}))
		}
		d.write(at+40*time.Millisecond, "trip", map[string]any{"scope": "route landing", "by": "cacheward", "why": "a stored page was found to differ from visitor to visitor"})
	}},
	{purged, func(d *day, at time.Duration) {
		d.write(at, "purge", map[string]any{"scope": "route landing", "by": "ops@edge-1", "why": "customers see other customers' codes", "removed": 1})
	}},
	{lost, func(d *day, at time.Duration) { d.write(at, "drop", map[string]any{"records": 1204}) }},
	{resumed, func(d *day, at time.Duration) {
		d.write(at, "reset", map[string]any{"scope": "route landing", "by": "ops@edge-1", "why": "release 812 rolled back"})
	}},
	{21*time.Hour + 4*time.Minute, func(d *day, at time.Duration) {
		d.write(at, "fault", d.with("product", "/item/1003", map[string]any{
			"outcome": "fault", "reasons": []string{"store-fault"}, "error": "dial tcp 10.0.0.7:6379: connect: connection refused",
		}))
	}},
}
