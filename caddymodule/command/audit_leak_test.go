package command

import (
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// watched is the log of an edge that watches a page whose CDN does not look at the query: a
// probe of every ten seconds finds a visitor's page in the hands of another.
func watched() string {
	const page, key = "https://hapitas.example/register/lp", "3f2a9bc0d1e2f3a4"
	own := func(ms int, visitor, query string, more ...any) string {
		return entry(ms, "bypass", append([]any{
			"route", "landing", "outcome", "fill", "mode", "enforce", "key", key, "method", "GET", "host", "hapitas.example", "url", page + query,
			"status", 200, "duration_ms", 120.5, "visitor", visitor,
		}, more...)...)
	}
	var b strings.Builder
	b.WriteString(own(100, "3f2a-0000000000cc", "?ref=cwX0001", "probe", true))
	b.WriteString(entry(120, "store", "route", "landing", "mode", "enforce", "key", key, "object", leaked, "ttl_s", 300, "age_s", 0,
		"size_bytes", 18432, "method", "GET", "host", "hapitas.example", "url", page, "status", 200, "origin_ms", 118.4))
	b.WriteString(serveEntry(200, "hit", leaked, key, "3f2a-0000000000dd", page+"?ref=cwY0001", "probe", true))
	b.WriteString(serveEntry(900, "hit", leaked, key, "3f2a-000000000b2b", page+"?ref=B2"))
	b.WriteString(serveEntry(10_100, "hit", leaked, key, "3f2a-0000000000cc", page+"?ref=cwX0002", "probe", true))
	b.WriteString(serveEntry(11_000, "hit", leaked, key, "3f2a-000000000c3c", page+"?ref=C3"))
	b.WriteString(entry(20_330, "leak", "level", "error", "route", "landing", "method", "GET", "host", "hapitas.example", "url", page, "by", "watch",
		"why", "A value that X had sent as param ref is in the answer that Y was given (body, byte 570, input lead).", "scope", "url "+page,
		"from", "2026-11-23T03:00:10.090Z", "until", "2026-11-23T03:00:20.310Z", "evidence", map[string]any{
			"kind": "canary", "giver": "X", "receiver": "Y", "input": "param ref", "where": "body, byte 570, input lead", "phase": "one after the other",
			"sentence": "A value that X had sent as param ref is in the answer that Y was given (body, byte 570, input lead).",
			"status":   map[string]string{"age": "7", "x-cache": "HIT"},
		}))
	b.WriteString(entry(20_331, "trip", "level", "error", "scope", "route landing", "by", "watch",
		"why", "a probe of "+page+" was given what belongs to another visitor"))
	b.WriteString(entry(25_000, "bypass", "route", "landing", "outcome", "pass", "mode", "enforce", "reasons", []string{"tripped"}, "method", "GET",
		"host", "hapitas.example", "url", page+"?ref=E5", "status", 200, "duration_ms", 88.1, "visitor", "3f2a-000000000e5e"))
	b.WriteString(entry(30_100, "bypass", "route", "landing", "outcome", "pass", "mode", "enforce", "reasons", []string{"tripped"}, "method", "GET",
		"host", "hapitas.example", "url", page+"?ref=cwX0004", "status", 200, "duration_ms", 88.1, "visitor", "3f2a-0000000000cc", "probe", true))
	b.WriteString(entry(600_000, "reset", "scope", "route landing", "by", "sato@ops1 via 127.0.0.1", "why", "the CDN has the query in its key now", "removed", 1))
	b.WriteString(entry(631_000, "clear", "route", "landing", "host", "hapitas.example", "url", page, "by", "watch", "scope", "url "+page,
		"from", "2026-11-23T03:00:20.310Z", "until", "2026-11-23T03:10:10.100Z"))
	return b.String()
}

// TestAuditLeakTranscripts is TestAuditTranscripts of a leak that probes have found.
func TestAuditLeakTranscripts(t *testing.T) {
	log := file(t, "audit.log", watched())
	// A page that is never stored leaks all the same if a cache in front stores it.
	var lines []string
	for line := range strings.Lines(watched()) {
		if strings.Contains(line, `"event":"leak"`) || strings.Contains(line, `"probe":true`) && strings.Contains(line, `"event":"bypass"`) {
			lines = append(lines, line)
		}
	}
	never := file(t, "audit.log", strings.Join(lines, ""))
	for _, test := range []struct {
		name string
		args []string
	}{
		{"leak-served", []string{"served", "--url", "/register/lp", log}},
		{"leak-served-csv", []string{"served", "--url", "/register/lp", "--format", "csv", log}},
		{"leak-served-json", []string{"served", "--url", "/register/lp", "--format", "json", never}},
		{"leak-served-nothing", []string{"served", "--url", "/register/lp?ref=E5", never}},
		{"leak-objects", []string{"objects", log}},
		{"leak-attribution", []string{"attribution", log}},
		{"leak-tail", []string{"tail", "--follow=false", "-n", "20", log}},
		{"leak-why", []string{"why", "/register/lp", "--limit", "2", log}},
		{"leak-summary", []string{"summary", log}},
		{"leak-timeline", []string{"timeline", log}},
		{"leak-bypasses", []string{"bypasses", log}},
	} {
		t.Run(test.name, func(t *testing.T) { transcript(t, test.name, 0, test.args...) })
	}
}

// TestAuditOfProbesAlone: probes are no visitors, and still not nothing. Where single requests
// are told, they are marked.
func TestAuditOfProbesAlone(t *testing.T) {
	log := file(t, "audit.log", watched())
	for _, test := range []struct{ verb, says string }{
		{"summary", "requests of probes left out"}, {"bypasses", "requests of probes left out"}, {"timeline", "requests of probes left out"},
		{"why /register/lp", "by a probe"}, {"served --url /register/lp", "of the times to probes"}, {"tail --follow=false", "probe"},
	} {
		stdout, stderr, code := audits(t, nil, append(strings.Fields(test.verb), "--where", "probe", log)...)
		if code != 0 || stderr != "" || !strings.Contains(stdout, test.says) {
			t.Errorf("%s: exit %d, %s, no %q in\n%s", test.verb, code, stderr, test.says, stdout)
		}
	}
}

// TestAuditHelpTellsOfProbes: of each verb that counts or lists requests.
func TestAuditHelpTellsOfProbes(t *testing.T) {
	for _, v := range auditVerbs() {
		if v.name != "verify" && v.name != "tail" && v.name != "report" && !strings.Contains(strings.ToLower(v.long), "probe") {
			t.Errorf("%s does not say what it does with probes", v.name)
		}
		for line := range strings.Lines(v.long) {
			if len([]rune(line)) > 120 {
				t.Errorf("%s: a long line: %s", v.name, line)
			}
		}
	}
	if !strings.Contains(AuditLong, "probes") {
		t.Error("audit does not say what it does with probes")
	}
}

// TestAuditTailTellsLeaksWhole: however narrow the terminal is, nothing is cut off. Only a
// word that is longer than it may be wider.
func TestAuditTailTellsLeaksWhole(t *testing.T) {
	e := &reading.Entry{
		Time: incidentStart, Event: audit.EventLeak, Route: "landing, product", Scope: "url https://hapitas.example/register/" + strings.Repeat("x", 100),
		Why: "The answer that Y was given is one that the edge had made for X, and had not permitted to be shared.", By: "watch",
		From: incidentStart.Add(-time.Minute), Until: incidentStart,
	}
	squeezed := func(s string) string { return strings.Join(strings.Fields(s), "") }
	whole := newTailLine(show.Style{}, 0, time.UTC).text(e)
	if strings.Contains(whole, "\n") {
		t.Errorf("several lines where there is no terminal: %q", whole)
	}
	for _, want := range []string{"LEAK", "landing, product", e.Scope[len("url "):], strings.TrimSuffix(e.Why, "."), "2026-11-23 02:59:00 – 03:00:00 UTC", "by watch"} {
		if !strings.Contains(whole, want) {
			t.Errorf("%q lacks %q", whole, want)
		}
	}
	for _, width := range []int{80, 100, 200} {
		got := newTailLine(show.Style{}, width, time.UTC).text(e)
		if squeezed(got) != squeezed(whole) {
			t.Errorf("in %d cells: %q", width, got)
		}
		for line := range strings.Lines(got) {
			if show.Width(strings.TrimSuffix(line, "\n")) > width && strings.Contains(strings.TrimSpace(line), " ") {
				t.Errorf("%d cells: %q", width, line)
			}
		}
	}
	e.Why, e.Evidence = "", &reading.Evidence{Sentence: "Y was given what X had sent."}
	if got := newTailLine(show.Style{}, 0, time.UTC).text(e); !strings.Contains(got, "Y was given what X had sent;") {
		t.Errorf("without a reason, not the evidence's sentence: %q", got)
	}
}
