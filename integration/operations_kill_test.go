package integration

import (
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// killPolicy has few records on their way.
const killPolicy = `
	route landing {
		path /lp
		cache origin
		param key ref
	}
	route other {
		path /other
		cache origin
	}
	audit {
		full wait
		queue 128
	}
`

// TestKillNine: a process that is killed leaves its trips in force and its log whole, but
// for the records that were on their way.
func TestKillNine(t *testing.T) {
	const visitors, queue = 16, 128
	g := newGenerations(t)
	p := startProxy(t, proxySetup{origin: g.address(), policy: killPolicy})
	p.untilHit(t, "/other")
	l := startLoad(t, visitors, true, always(p.url("/lp")))
	l.more(t, &l.hits, 1000)
	p.must(t, "trip", "--route", "other", "--reason", "wrong prices")
	answered := l.asked.Load()
	p.end(syscall.SIGKILL)
	l.end()

	// Whoever was answered before the trip was set has a record, but for the queue's room.
	readable := func(when string, damaged int) {
		t.Helper()
		stdout, stderr := p.audit(t, "summary", "--format", "json", p.log)
		summary := decode[summaryAnswer](t, stdout)
		if got := summary.route("landing").Requests; got < answered-queue-visitors {
			t.Errorf("%s: %d requests are on record, %d were answered before the kill", when, got, answered)
		}
		if got := skippedLines(t, stderr); got > damaged {
			t.Errorf("%s: %d damaged lines, at most %d were expected: %s", when, got, damaged, stderr)
		}
		if trips := strings.Count(string(readAll(t, p.log)), `"event":"trip"`); trips != 1 {
			t.Errorf("%s: %d records of the trip", when, trips)
		}
	}
	readable("after the kill", 1)

	// A kill rarely tears a line, a full disk does.
	written := readAll(t, p.log)
	write(t, p.log, string(written)+string(written[:100]))
	readable("with a torn last line", 1)
	stdout, stderr := p.audit(t, "summary", "--format", "json", p.log)
	before := decode[summaryAnswer](t, stdout).route("other").Requests
	if skippedLines(t, stderr) != 1 || !strings.Contains(stderr, "1 torn last line (") {
		t.Errorf("of a torn last line is said: %s", stderr)
	}

	p.start()
	status, code := p.status(t)
	if code != 1 || len(status.Tripped) != 1 || status.Tripped[0].Route != "other" || status.Tripped[0].Why != "wrong prices" {
		t.Errorf("after the restart: exit %d, tripped %+v", code, status.Tripped)
	}
	for range 3 {
		if a := visit(t, p.url("/other"), p.site); !strings.Contains(a.cacheward(), "fwd=") {
			t.Errorf("after the restart: Cache-Status %q", a.cacheward())
		}
	}
	p.untilHit(t, "/lp")
	p.settled(t)
	readable("after the restart", 1)
	// The first record of the new process stands on the torn line.
	stdout, _ = p.audit(t, "summary", "--format", "json", p.log)
	if got := decode[summaryAnswer](t, stdout).route("other").Requests; got != before+3 {
		t.Errorf("%d requests of the tripped route are on record, %d were before the restart and 3 after it", got, before)
	}
}

// summaryAnswer is what the tests read of audit summary --format json.
type summaryAnswer struct {
	Routes []routeSummary `json:"routes"`
}

type routeSummary struct {
	Route    string       `json:"route"`
	Requests int64        `json:"requests"`
	Served   int64        `json:"served"`
	HitShare float64      `json:"hit_share"`
	Passed   []namedCount `json:"passed"`
	Refused  []namedCount `json:"refused"`
	WouldBe  struct {
		Requests int64        `json:"requests"`
		HitShare float64      `json:"hit_share"`
		Outcomes []namedCount `json:"outcomes"`
		Reasons  []namedCount `json:"reasons"`
	} `json:"would_be"`
}

type namedCount struct {
	Name  string `json:"name"`
	Count int64  `json:"n"`
}

func (a summaryAnswer) route(name string) routeSummary {
	for _, r := range a.Routes {
		if r.Route == name {
			return r
		}
	}
	return routeSummary{}
}

var skippedCount = regexp.MustCompile(`(\d+) [a-z]`)

// skippedLines is how many lines cacheward audit says that it skipped.
func skippedLines(t *testing.T, stderr string) int {
	t.Helper()
	_, told, found := strings.Cut(stderr, "skipped or odd: ")
	if !found {
		return 0
	}
	told, _, _ = strings.Cut(told, "(")
	sum := 0
	for _, m := range skippedCount.FindAllStringSubmatch(told, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
