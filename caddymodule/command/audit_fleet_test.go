package command

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

// twoEdges is a folder with the logs of two edges, and the pattern for both. Edge osaka-1
// serves the page that tokyo-1 has stored; what it writes is off by so many milliseconds.
func twoEdges(t *testing.T, off int) string {
	t.Helper()
	const key, page = "3f2a9bc0d1e2f3a4", "https://hapitas.example/register/lp"
	folder := t.TempDir()
	tokyo, osaka := []any{"edge", "tokyo-1"}, []any{"edge", "osaka-1"}
	write := func(name string, lines ...string) {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(strings.Join(lines, "")), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("tokyo-1.log",
		entry(120, "store", append(tokyo, "route", "landing", "mode", "enforce", "key", key, "object", leaked, "ttl_s", 300, "age_s", 0,
			"size_bytes", 18432, "method", "GET", "host", "hapitas.example", "url", page, "status", 200, "origin_ms", 118.4)...),
		serveEntry(121, "fill", leaked, key, "3f2a-9bc0d1e2f3a4", page, tokyo...),
		serveEntry(61_250, "hit", leaked, key, "3f2a-000000000c3c", page, tokyo...),
		entry(95_000, "purge", append(tokyo, "scope", "route landing", "by", "sato@ops1", "why", "wrong prices", "removed", 1)...),
	)
	write("osaka-1.log",
		serveEntry(2_120+off, "hit", leaked, key, "3f2a-000000000b2b", page, append(osaka, "age_s", 2, "ttl_s", 298)...),
		serveEntry(93_007+off, "hit", leaked, key, "3f2a-000000000b2b", page, append(osaka, "age_s", 93, "ttl_s", 207)...),
		entry(94_990+off, "purge", append(osaka, "scope", "route landing", "by", "edge tokyo-1")...),
		entry(400_000+off, "bypass", append(slices.Clone(osaka), "route", "landing", "outcome", "bypass", "mode", "enforce", "reasons", []string{"method"}, "method", "POST",
			"host", "hapitas.example", "url", page, "status", 200, "visitor", "3f2a-000000000b2b")...),
	)
	return filepath.Join(folder, "*.log")
}

// TestAuditOfTwoEdges holds the texts to testdata/audit.
func TestAuditOfTwoEdges(t *testing.T) {
	logs := twoEdges(t, -300_000)
	for name, args := range map[string][]string{
		"served-window": {"served", "--url", "/register/lp", "--since", "2026-11-23 03:00"}, "tail": {"tail", "--follow=false", "-n", "6"}, "why": {"why", "/register/lp"}, "timeline": {"timeline"}, "summary": {"summary"},
		"served": {"served", "--url", "/register/lp"}, "verify": {"verify", "--gap", "2m"},
	} {
		t.Run(name, func(t *testing.T) {
			transcript(t, "fleet-"+name, map[string]int{"verify": 1}[name], append(args, logs)...)
		})
	}
}

// TestAuditEdge: --edge leaves out the others, and what of one edge is told has no word of
// it; clocks that agree are not spoken of.
func TestAuditEdge(t *testing.T) {
	agree, off := twoEdges(t, 0), twoEdges(t, 300_000)
	for _, logs := range []string{agree, off} {
		if _, stderr, code := audits(t, nil, "summary", logs); code != 0 || stderr != "" {
			t.Errorf("exit %d: %s", code, stderr)
		}
	}
	const note = "cacheward audit summary: note: edge osaka-1's clock is at least 4 min 58 s behind edge tokyo-1's; its records have the times of its own\n"
	for _, args := range [][]string{{}, {"--edge", "osaka-1"}, {"--format", "json"}, {"--workers", "1", "--since", "2026-11-22 00:00"}} {
		if _, stderr, code := audits(t, nil, append(slices.Concat([]string{"summary"}, args), twoEdges(t, -300_000))...); code != 0 || stderr != note {
			t.Errorf("%q: exit %d: %s", args, code, stderr)
		}
	}
	for edge, want := range map[string]int{"tokyo-1": 4, "osaka-1": 4, "kyoto-1": 0} {
		stdout, _, code := audits(t, nil, "summary", "--format", "json", "--edge", edge, agree)
		var a struct {
			Records int
			Edges   []any
		}
		if err := json.Unmarshal([]byte(stdout), &a); err != nil || a.Records != want || a.Edges != nil || (code == 1) != (want == 0) {
			t.Errorf("%s: exit %d, %v: %s", edge, code, err, stdout)
		}
		stdout, _, code = audits(t, nil, "objects", "--format", "json", "--edge", edge, agree)
		if served := strings.Contains(stdout, `"serves": 2`) || strings.Contains(stdout, `"serves":2`); served != (want > 0) {
			t.Errorf("%s: exit %d: %s", edge, code, stdout)
		}
	}
	stdout, _, _ := audits(t, nil, "why", "/register/lp", "--edge", "osaka-1", agree)
	if strings.Contains(stdout, "edge osaka-1") {
		t.Error(stdout)
	}
	stdout, _, _ = audits(t, nil, "summary", "--where", `edge == "tokyo-1" && event == "serve"`, "--format", "json", agree)
	if !strings.Contains(stdout, `"records": 2`) && !strings.Contains(stdout, `"records":2`) {
		t.Error(stdout)
	}
}

// TestTailOfManyEdges: the last of all, in the order of time, whosever they are, and of one
// log as they lie there.
func TestTailOfManyEdges(t *testing.T) {
	folder := t.TempDir()
	var want []string
	for edge := range 3 {
		var log strings.Builder
		for i := range 200 {
			ms := 1000*i + edge
			log.WriteString(entry(ms, "bypass", "edge", fmt.Sprint("edge-", edge), "detail", fmt.Sprint(ms)))
		}
		if err := os.WriteFile(filepath.Join(folder, fmt.Sprint(edge, ".log")), []byte(log.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for ms := 196_002; len(want) < 10; ms++ {
		if ms%1000 < 3 {
			want = append(want, fmt.Sprint(ms))
		}
	}
	stdout, stderr, code := audits(t, nil, "tail", "--follow=false", "--format", "json", folder)
	var got []string
	for line := range strings.Lines(stdout) {
		var r struct{ Detail string }
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		got = append(got, r.Detail)
	}
	if code != 0 || stderr != "" || !slices.Equal(got, want) {
		t.Errorf("exit %d, %s: %q", code, stderr, got)
	}
	stdout, _, _ = audits(t, nil, "tail", "--follow=false", filepath.Join(folder, "1.log"))
	if strings.Contains(stdout, "edge-1") {
		t.Error(stdout)
	}
	// As records come: the name stands there from the second edge on.
	line := newTailLine(plain100.Style, 0, plain100.loc)
	for i, edge := range []string{"", "a", "a", "b", "a", ""} {
		e := follow(edge)
		if text := line.text(&e); strings.Contains(text, "  "+edge+"  ") != (i >= 3) && edge != "" {
			t.Errorf("record %d of edge %q: %s", i, edge, text)
		}
	}
}

func follow(edge string) reading.Entry {
	return reading.Entry{Time: moment, Edge: edge, Event: "bypass", Outcome: "pass", URL: "https://shop.example/"}
}
