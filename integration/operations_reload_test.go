package integration

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
)

// TestReloadLosesNoRecord: with full wait, each answer has its record, however often the
// configuration is loaded anew meanwhile.
func TestReloadLosesNoRecord(t *testing.T) {
	g := newGenerations(t)
	policy := func(queue int) string {
		return fmt.Sprintf(`
	route landing {
		path /lp
		cache origin
		param strip ref
		param plain ref
	}
	audit {
		full wait
		queue %d
	}
`, queue)
	}
	p := startProxy(t, proxySetup{origin: g.address(), policy: policy(64)})
	p.untilHit(t, "/lp")
	l := startLoad(t, 16, false, func(visitor, n int) string { return p.url(fmt.Sprintf("/lp?ref=%d-%d", visitor, n)) })
	for i := range 5 {
		l.more(t, &l.asked, 300)
		p.setup.policy = policy(65 + i)
		p.configure()
		p.reload(t)
	}
	l.more(t, &l.asked, 300)
	answers := l.end()
	p.settled(t)
	p.end(syscall.SIGTERM)

	found := make(map[string]int)
	for _, o := range p.operations(t) {
		if _, ref, ok := strings.Cut(o.URL, "ref="); ok && o.Event == "serve" {
			found[ref]++
		}
		if o.Event == "drop" {
			t.Errorf("%d records were dropped", o.Records)
		}
	}
	lost := 0
	for _, a := range answers {
		_, ref, _ := strings.Cut(a.url, "ref=")
		if found[ref] == 0 {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("of %d answers, %d have no record", len(answers), lost)
	}
	t.Logf("%d answers, %d records of them", len(answers), len(found))
}
