package command

import (
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// TestAuditForeignForm: where hardly a line can be read, it is said how the log has to be
// written, but not of a log in which others write as well.
func TestAuditForeignForm(t *testing.T) {
	console := strings.Repeat("2026/11/23 03:00:00.121\tINFO\thttp.handlers.cacheward.audit\tcacheward\t{\"schema\": 1, \"event\": \"serve\"}\n", 5)
	for _, test := range []struct {
		name, log string
		says      bool
	}{
		{"console", console, true},
		{"console, then JSON", strings.Repeat(console, 5) + incident(), true},
		{"msg is called otherwise", strings.ReplaceAll(incident(), `"msg":`, `"message":`), true},
		{"ts is called otherwise", strings.ReplaceAll(incident(), `"ts":`, `"time":`), true},
		{"torn", "{" + incident(), false},
		{"an access log as well", strings.Repeat(`{"level":"info","ts":1,"msg":"handled request"}`+"\n", 50) + incident(), false},
		{"nothing", "", false},
	} {
		for _, args := range [][]string{{"summary"}, {"served", "--url", "/lp", "--verbose"}, {"tail", "--follow=false"}} {
			_, stderr, _ := audits(t, nil, append(args, file(t, "audit.log", test.log))...)
			if says := strings.Contains(stderr, "must have format json in its options, with the default keys"); says != test.says {
				t.Errorf("%s, %s: %q", test.name, args[0], stderr)
			}
		}
	}
}

// TestAuditTailFits: no line of a tail is wider than the terminal.
func TestAuditTailFits(t *testing.T) {
	entries := []reading.Entry{
		{Event: audit.EventServe, Outcome: "revalidated", Route: "a-route-of-a-long-name", Status: 200, Object: leaked, TTL: 3599, Visitor: "3f2a-9bc0d1e2f3a4",
			URL: "https://shop.example/" + strings.Repeat("x", 300)},
		{Event: audit.EventBypass, Outcome: "bypass", Route: "landing", Status: 503, Visitor: "3f2a-9bc0d1e2f3a4", URL: "/lp?preview=h:123456789abc",
			Reasons: []string{"param-bypass"}, Detail: strings.Repeat("param preview ", 20)},
		{Event: audit.EventTrip, Scope: "everything", Why: "others' names", By: "sato@ops1 via 127.0.0.1"},
	}
	for _, width := range []int{80, 100, 120, 200} {
		line := newTailLine(show.Style{}, width, time.UTC)
		for i := range entries {
			if got := line.text(&entries[i]); show.Width(got) > width || !strings.Contains(got, "…") && i == 0 {
				t.Errorf("%d cells, of %d: %q", show.Width(got), width, got)
			}
		}
	}
}
