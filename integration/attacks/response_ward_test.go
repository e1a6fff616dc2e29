package attacks

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/integration/edge"
)

// The kinds of route that responses are judged on. Each stands at the beginning of its
// paths.
const (
	// onDuration: the operator says for how long, and two answers must agree.
	onDuration = "duration"
	// onTrusted: the same, but one answer is enough, so that only the gate protects.
	onTrusted = "trusted"
	// onOrigin: the origin's headers govern.
	onOrigin = "origin"
	// onPlain: the same, with all that RFC 9111 permits and Cacheward by itself does not.
	onPlain = "plain"
	// onStripped: cookies that the origin sets are taken away.
	onStripped = "stripped"
	// onStale: the origin's headers govern, and each case has a route of its own, so that
	// one which trips it does not stop the others.
	onStale = "stale"
	// onNothing: no route is declared.
	onNothing = "nothing"
)

// everywhere is where a response may be refused.
var everywhere = []string{onDuration, onTrusted, onOrigin, onPlain, onNothing}

// A route with a duration is suspended when its pages keep diverging, so that each
// case has one of its own.
const durationRoutes = 1000

// ward is a site before a scripted origin, with routes of all kinds.
type ward struct {
	site   *edge.Site
	origin *scripted
	client *client

	mu    sync.Mutex
	paths map[string]int // how many there are on each kind
}

func wardPolicy() string {
	var b strings.Builder
	b.WriteString("\t\ton_leak warn\n\t\taudit {\n\t\t\tserves none\n\t\t}\n")
	route := func(name, lines string) {
		fmt.Fprintf(&b, "\t\troute %s {\n\t\t\tpath /%[1]s/*\n\t\t\tcookie strip track\n%s\t\t}\n", name, lines)
	}
	for i := range durationRoutes {
		route(fmt.Sprintf("%s-%d", onDuration, i), "\t\t\tcache 1h\n\t\t\tdownstream 60s\n")
	}
	for i := range durationRoutes / 4 {
		route(fmt.Sprintf("%s-%d", onStale, i), "\t\t\tcache origin\n\t\t\ton_leak trip\n\t\t\tdownstream 60s\n")
		route(fmt.Sprintf("%s-%d", onStripped, i), "\t\t\tcache 1h\n\t\t\tset_cookie strip \"it names a server\"\n")
	}
	route(onTrusted, "\t\t\tcache 1h\n\t\t\tadmission once \"to see the gate alone\"\n\t\t\tdownstream 60s\n")
	route(onOrigin, "\t\t\tcache origin\n\t\t\tdownstream 60s\n")
	route(onPlain, `			cache origin
			header others vary
			heuristic on
			error_ttl 60s
			targeted {
				order rfc9213
			}
`)
	return b.String()
}

func startWard(t testing.TB) *ward {
	t.Helper()
	origin := startScripted(t)
	site := edge.StartSite(t, binary, edge.SiteConfig{Origin: origin.address, Policy: wardPolicy()})
	return &ward{site: site, origin: origin, client: newClient(site.Address), paths: make(map[string]int)}
}

// What origins answer, on all kinds of route, on one site that all classes of attack
// share: what one of them does must not harm the others.
func TestResponses(t *testing.T) {
	w := startWard(t)
	for _, class := range []struct {
		name string
		run  func(t *testing.T, w *ward)
	}{
		{"state in head", testStateInHead},
		{"generated heads", testGeneratedHeads},
		{"harmless heads", testHarmlessHeads},
		{"stripped cookies", testStrippedCookies},
		{"refusals", testRefusals},
		{"silence", testSilence},
		{"state in body", testStateInBody},
		{"odd codings", testOddCodings},
		{"pages for all", testPagesForAll},
		{"differing bodies", testDifferingBodies},
		{"bodies that differ by visitor", testBodiesThatDifferByVisitor},
		{"credentials", testCredentials},
		{"signing in and out", testSigningInAndOut},
		{"cached errors", testCachedErrors},
		{"errors are forgotten", testErrorsAreForgotten},
		{"soft errors", testSoftErrors},
		{"errors replace nothing", testErrorsReplaceNothing},
		{"parts are not shared", testPartsAreNotShared},
		{"ranges poison nothing", testRangesPoisonNothing},
		{"floods", testFloods},
		{"broken messages", testBrokenMessages},
		{"broken once", testBrokenOnce},
		{"doubtful messages", testDoubtfulMessages},
		{"unsolicited answers", testUnsolicitedAnswers},
		{"nominated fields", testNominatedFields},
		{"close-delimited", testCloseDelimited},
		{"variants", testVariants},
		{"vary differs by answer", testVaryDiffersByAnswer},
		{"vary flood", testVaryFlood},
		{"leaders", testLeaders},
		{"convoy", testConvoy},
		{"updates", testUpdates},
		{"refreshes are nobodys", testRefreshesAreNobodys},
		{"nobody is given what is stale", testNobodyIsGivenWhatIsStale},
		{"conditions poison nothing", testConditionsPoisonNothing},
		{"lifetimes", testLifetimes},
		{"damaged directives", testDamagedDirectives},
		{"targeted fields", testTargetedFields},
		{"echoed control", testEchoedControl},
		{"flushes", testFlushes},
		{"controls from outside", testControlsFromOutside},
		{"invalidation of others", testInvalidationOfOthers},
		{"nothing is told of keys", testNothingIsToldOfKeys},
		{"nothing is told of the store", testNothingIsToldOfTheStore},
		{"only if cached elsewhere", testOnlyIfCachedElsewhere},
	} {
		t.Run(class.name, func(t *testing.T) { class.run(t, w) })
	}
}

// generated has a property hold of as many drawn cases as rapid has by default, and then,
// for as long as -attack.time says, of others on wards of their own.
func (w *ward) generated(t *testing.T, property func(r *rapid.T, w *ward)) {
	t.Helper()
	rapid.Check(t, func(r *rapid.T) { property(r, w) })
	for end := time.Now().Add(*attackTime); time.Now().Before(end) && !t.Failed(); {
		t.Run("more", func(t *testing.T) {
			w := startWard(t)
			for range 8 {
				rapid.Check(t, func(r *rapid.T) { property(r, w) })
			}
		})
	}
}

// path is a new one on a route of the kind.
func (w *ward) path(t testing.TB, kind string) string {
	t.Helper()
	w.mu.Lock()
	w.paths[kind]++
	n := w.paths[kind]
	w.mu.Unlock()
	switch kind {
	case onDuration, onStripped, onStale:
		routes := durationRoutes
		if kind != onDuration {
			routes /= 4
		}
		if n >= routes {
			t.Fatalf("more than %d cases on one site: raise durationRoutes", routes)
		}
		return fmt.Sprintf("/%s-%d/page", kind, n)
	}
	return fmt.Sprintf("/%s/%d", kind, n)
}

// visitor is how the n-th of them asks. What tells them apart is sent with an own
// request, and is in no key.
func visitor(n int, target string) call {
	over := overH1
	if n%2 == 1 {
		over = overH2
	}
	return call{over: over, target: target, fields: []string{
		"Accept-Encoding: gzip, br",
		fmt.Sprintf("User-Agent: visitor-%d", n),
		fmt.Sprintf("Referer: https://partner.example/?lead=visitor-%d", n),
		fmt.Sprintf("Cookie: track=visitor-%d", n),
	}}
}

// ask lets visitors ask for the target: some one after the other, the last four at once.
func (w *ward) ask(target string) []*answered {
	answers := make([]*answered, 8)
	for i := range 4 {
		answers[i] = w.client.ask(visitor(i, target))
	}
	var group sync.WaitGroup
	for i := 4; i < len(answers); i++ {
		group.Go(func() { answers[i] = w.client.ask(visitor(i, target)) })
	}
	group.Wait()
	return answers
}

// shared finds what visitors were given that another was given, too.
func shared(answers []*answered) (findings []string) {
	owners := make(map[string]*answered)
	for _, a := range answers {
		for _, m := range a.mints() {
			if other, taken := owners[m]; taken {
				findings = append(findings, fmt.Sprintf("%s: %s was given to two visitors\n  %s\n  %s", leak, m, other, a))
			}
			owners[m] = a
		}
	}
	return findings
}

// kept finds what came out of the store, or may get into one further on, where nothing may.
func kept(answers []*answered) (findings []string) {
	for _, a := range answers {
		if a.header == nil {
			continue
		}
		if a.hit() || strings.Contains(a.detail(), "collapsed") {
			findings = append(findings, fmt.Sprintf("%s: it was stored\n  %s", leak, a))
		}
		if field := a.permits(); field != "" {
			findings = append(findings, fmt.Sprintf("%s: caches further on may keep it (%s)\n  %s", leak, field, a))
		}
	}
	return findings
}

// denied finds visitors who did not get a whole answer with the status.
func denied(answers []*answered, status int) (findings []string) {
	for _, a := range answers {
		if a.broken != nil || a.status != status {
			findings = append(findings, fmt.Sprintf("%s: %d was expected\n  %s", denial, status, a))
		}
	}
	return findings
}

func statusOf(s script) int {
	status := http.StatusOK
	if s.status != "" {
		_, _ = fmt.Sscan(s.status, &status) // the tables are ours
	}
	return status
}

// report fails the test with the first few of the findings.
func report(t testing.TB, findings []string) {
	t.Helper()
	const most = 3
	for _, f := range findings[:min(len(findings), most)] {
		t.Error(f)
	}
	if more := len(findings) - most; more > 0 {
		t.Errorf("… and %d more", more)
	}
}

// each runs a case on each kind of route, on a path of its own that the origin answers so.
func (w *ward) each(t *testing.T, name string, with func(asked) script, kinds []string, run func(t *testing.T, path string)) {
	t.Helper()
	for _, kind := range kinds {
		t.Run(name+"/"+kind, func(t *testing.T) {
			t.Parallel()
			path := w.path(t, kind)
			w.origin.answer(path, with)
			run(t, path)
		})
	}
}

// refusedOn has what visitors of the kinds of route get shared with nobody.
func (w *ward) refusedOn(t *testing.T, s script, kinds ...string) {
	t.Helper()
	w.each(t, s.name, always(s), kinds, func(t *testing.T, path string) {
		answers := w.ask(path)
		report(t, refused(answers))
		report(t, denied(answers, statusOf(s)))
	})
}

// refused finds what was shared where nothing may be.
func refused(answers []*answered) []string { return append(shared(answers), kept(answers)...) }

// sharedOn has it stored and served on the kinds of route, without any minted value
// in what is shared.
func (w *ward) sharedOn(t *testing.T, s script, kinds ...string) {
	t.Helper()
	w.each(t, s.name, always(s), kinds, func(t *testing.T, path string) {
		w.settle(t, path)
		answers := w.ask(path)
		report(t, shared(answers))
		report(t, denied(answers, statusOf(s)))
		for _, a := range answers {
			if !a.hit() {
				t.Errorf("%s: no hit, for what can be shared\n  %s", denial, a)
			}
			if got := a.content(); !strings.Contains(s.body, mint) && got != s.body {
				t.Errorf("%s: %d bytes, and not the origin's %d\n  %s", poison, len(got), len(s.body), a)
			}
		}
	})
}

// settle asks until the store answers.
func (w *ward) settle(t testing.TB, target string) *answered {
	t.Helper()
	var last *answered
	for n := range 6 {
		if last = w.client.ask(visitor(n, target)); last.hit() {
			return last
		}
	}
	t.Fatalf("%s: never a hit: %s", denial, last)
	return nil
}
