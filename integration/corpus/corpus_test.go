package corpus

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

// The operator trusts the proxy before the edge, which is the test, for the visitor's
// address.
const caddyfile = `{
	admin off
	servers {
		trusted_proxies static 127.0.0.0/8
	}
	log audit {
		output file %s
		format json
		include http.handlers.cacheward.audit
	}
}
http://:%s {
	bind 127.0.0.1
	cacheward {
%s	}
	reverse_proxy %s
}
`

// Each page has a route of its own: one that keeps diverging must not spoil the others'.
const route = `		route %s {
			path %s
			cache %s
			param others strip
			cookie others strip
		}
`

// startEdge runs the binary before the origin, and returns its address and audit log.
func startEdge(t *testing.T, upstream string) (address, log string) {
	t.Helper()
	var routes strings.Builder
	for _, c := range cases() {
		fmt.Fprintf(&routes, route, c.page.route(c.kind, c.form), c.page.path(c.kind, c.form),
			map[string]string{ttl: "5m", once: "origin"}[c.kind])
	}
	dir := t.TempDir()
	address = edge.FreeAddresses(t, 1)[0]
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	log = filepath.Join(dir, "audit.log")
	config := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(config, fmt.Appendf(nil, caddyfile, log, port, routes.String(), upstream), 0o600); err != nil {
		t.Fatal(err)
	}
	edge.Start(t, binary, dir, []string{address}, "run", "--config", config, "--adapter", "caddyfile")
	return address, log
}

// visits is a page in one form on one kind of route, and what the visitors got there.
type visits struct {
	page       *page
	kind, form string
	rounds     [2][]answer
}

func cases() (all []*visits) {
	for _, p := range pages {
		for _, kind := range []string{ttl, once} {
			for _, form := range []string{shareable, perVisitor} {
				all = append(all, &visits{page: p, kind: kind, form: form})
			}
		}
	}
	return all
}

// ask lets all visitors ask: the first one alone, so that they are who is compared with
// the fill, then the others at once.
func (c *visits) ask(t *testing.T, address string, round int) {
	t.Helper()
	got, errs := make([]answer, len(visitors)), make([]error, len(visitors))
	ask := func(i int) {
		got[i], errs[i] = visitors[i].visit(c.page, address, c.page.path(c.kind, c.form))
	}
	ask(0)
	var wg sync.WaitGroup
	for i := 1; i < len(visitors); i++ {
		wg.Go(func() { ask(i) })
	}
	wg.Wait()
	for i, err := range errs {
		if err == nil && got[i].status != 200 {
			err = fmt.Errorf("status %d: %s", got[i].status, got[i].body)
		}
		if err != nil {
			t.Fatalf("%s for %s: %v", c.page.path(c.kind, c.form), visitors[i].name, err)
		}
	}
	c.rounds[round] = got
}

// answers are those of both rounds.
func (c *visits) answers() []answer { return slices.Concat(c.rounds[0], c.rounds[1]) }

// The gate tells shareable pages from pages with somebody's state, explains what it
// refuses, and whatever it takes a page for, nobody gets what is somebody else's.
func TestCorpus(t *testing.T) {
	o := newOrigin(t)
	address, log := startEdge(t, o.serve(t))
	all := cases()
	for _, c := range all {
		c.ask(t, address, 0)
	}
	// Verdicts are recorded after the visitor has been answered.
	var records map[string][]record
	edge.Eventually(t, "a verdict on every page", func() bool {
		records = readLog(t, log)
		for _, c := range all {
			if verdict(records[c.page.route(c.kind, c.form)]) == nil {
				return false
			}
		}
		return true
	})
	for _, c := range all {
		c.ask(t, address, 1)
	}

	var report results
	for _, c := range all {
		t.Run(c.page.route(c.kind, c.form), func(t *testing.T) {
			r := verdict(records[c.page.route(c.kind, c.form)])
			report.row(c, r)
			made := o.book.of(c.page)
			c.checkLeaks(t, made, &report)
			if c.form == shareable {
				c.checkAdmitted(t, r, &report)
			} else {
				c.checkRefused(t, r, made, &report)
			}
		})
	}
	t.Run("log", func(t *testing.T) { checkLog(t, log, o) })
	t.Log(report.String())
	if report.falseAlarms > 0 {
		t.Errorf("%d of %d shareable pages raised a false alarm; the bar is 0", report.falseAlarms, report.shareable)
	}
}

// checkLeaks holds the promise. Where the origin says that a page may be shared which
// was made for one request, and nothing in one answer tells, it is taken at its word.
func (c *visits) checkLeaks(t *testing.T, made map[string]bool, report *results) {
	t.Helper()
	if c.kind == once && c.form == perVisitor && c.page.once == unseen {
		return
	}
	found := leaks(c.answers(), made)
	if report.leaks += len(found); len(found) > 0 {
		t.Errorf("%d leaks: %s", len(found), found[0])
	}
}

// checkAdmitted is for shareable forms: the second round is served from the store, and
// everybody gets the same.
func (c *visits) checkAdmitted(t *testing.T, r *record, report *results) {
	t.Helper()
	report.shareable++
	if r.Event != "store" || len(r.Findings) > 0 {
		report.falseAlarms++
		t.Errorf("%s for %v, divergence %+v, findings %+v; want store, and nothing found", r.Event, r.Reasons, r.Divergence, r.Findings)
		return
	}
	for _, a := range c.rounds[1] {
		if !a.hit() {
			t.Errorf("%s, in the second round: Cache-Status %q", a.visitor.name, a.header.Get("Cache-Status"))
		}
	}
	for _, a := range c.answers() {
		if string(a.body) != string(c.rounds[0][0].body) {
			t.Errorf("%s got another page than %s", a.visitor.name, visitors[0].name)
		}
	}
}

// checkRefused is for per-visitor forms.
func (c *visits) checkRefused(t *testing.T, r *record, made map[string]bool, report *results) {
	t.Helper()
	report.perVisitor++
	if c.kind == once && !c.page.once.detector() {
		if r.Event == "store" && c.page.once == unseen {
			report.unseen = append(report.unseen, c.page.file)
		}
		return
	}
	if r.Event == "store" {
		t.Errorf("admitted; want a refusal")
		return
	}
	report.refused++
	if c.kind == ttl {
		c.page.explains(t, r)
	} else {
		c.page.finds(t, r)
	}
	for i, a := range c.answers() {
		switch {
		case a.hit():
			t.Errorf("%s was served from the store", a.visitor.name)
		// On a once route the first visitor may get the fill itself. Who has no session
		// may have nothing.
		case !c.page.anybodys && a.visitor.session != "" && (c.kind == ttl || i > 0) && !a.has(made):
			t.Errorf("%s got a page without anything of theirs", a.visitor.name)
		}
	}
}

// checkLog sees that no value of a visitor or of a page is in the audit log.
func checkLog(t *testing.T, log string, o *origin) {
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for i := range visitors {
		values = append(values, visitors[i].own()...)
	}
	for _, p := range pages {
		values = slices.AppendSeq(values, maps.Keys(o.book.of(p)))
	}
	for _, value := range values {
		if at := bytes.Index(data, []byte(value)); at >= 0 {
			line := data[bytes.LastIndexByte(data[:at], '\n')+1:]
			t.Errorf("%q is in the audit log: %.300s", value, line)
		}
	}
}
