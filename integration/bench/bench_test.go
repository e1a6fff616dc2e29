package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/integration/edge"
)

func TestReadStat(t *testing.T) {
	line := "42 (a (b) c) S 7 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 5 0 100 1000000 256 18446744073709551615 1 1"
	pid, parent, u, err := readStat(line)
	if err != nil || pid != 42 || parent != 7 || u.cpu != 3*time.Second || u.rss != int64(256*os.Getpagesize()) {
		t.Errorf("got %d, %d, %+v, %v", pid, parent, u, err)
	}
	for _, broken := range []string{"", "42 S 7", "42 (a) S 7", "x (a) S 7 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", line[:40]} {
		if _, _, _, err := readStat(broken); err == nil {
			t.Errorf("no error for %q", broken)
		}
	}
}

func TestReadResult(t *testing.T) {
	o, err := readResult("Running 1s test\nRESULT 1000 3 2048 1000000 250 900\n")
	want := outcome{requests: 1000, errors: 3, bytes: 2048, elapsed: time.Second, p50: 250 * time.Microsecond, p99: 900 * time.Microsecond}
	if err != nil || o != want {
		t.Errorf("got %+v, %v", o, err)
	}
	for _, broken := range []string{"", "RESULT", "RESULT 1 2", "RESULT 0 0 0 1 0 0"} {
		if _, err := readResult(broken); err == nil {
			t.Errorf("no error for %q", broken)
		}
	}
}

func TestSpread(t *testing.T) {
	for _, tt := range []struct {
		figures []float64
		want    spread
	}{
		{nil, spread{}},
		{[]float64{3}, spread{3, 3, 3}},
		{[]float64{4, 1, 2}, spread{2, 1, 4}},
		{[]float64{4, 1, 2, 3}, spread{2.5, 1, 4}},
	} {
		if got := spreadOf(tt.figures); got != tt.want {
			t.Errorf("spreadOf(%v) = %v, want %v", tt.figures, got, tt.want)
		}
	}
}

func TestHitsThatAreNone(t *testing.T) {
	for _, tt := range []struct {
		origin          float64
		asked, requests int64
		good            bool
	}{
		{0, 0, 100_000, true},
		{0, 60, 100_000, true}, // the store was being warmed
		{0, 1_000, 100_000, false},
		{1, 100_010, 100_000, true},
		{1, 90_000, 100_000, false},
		{1, 0, 100, false},
	} {
		l := lane{name: "a", origin: tt.origin}
		if err := l.heldUp(tt.asked, tt.requests); (err == nil) != tt.good {
			t.Errorf("%v: %v", tt, err)
		}
	}
}

func TestBars(t *testing.T) {
	for _, tt := range []struct {
		r   result
		met bool
	}{
		{result{Value: one(2)}, true},
		{result{Value: one(1.1), Bar: 1.1}, true},
		{result{Value: one(1.2), Bar: 1.1}, false},
		{result{Value: one(400), Bar: 500, AtLeast: true}, false},
		{result{Value: one(600), Bar: 500, AtLeast: true}, true},
		{result{Value: one(1), Bar: 2, Err: "it fell over"}, false},
	} {
		if tt.r.met() != tt.met {
			t.Errorf("%+v: met is %v", tt.r, !tt.met)
		}
	}
}

func TestPage(t *testing.T) {
	for _, size := range []int{0, 1, 14, 15, 1 << 10, 64 << 10} {
		if p := page(size); len(p) != size || bytes.ContainsAny(p, "{}`") {
			t.Errorf("page(%d) has %d bytes, or bytes that a Caddyfile would take for its own", size, len(p))
		}
	}
}

func TestApp(t *testing.T) {
	a := new(app)
	for _, tt := range []struct {
		path   string
		status int
		size   int
		field  string
		value  string
	}{
		{pagePath(1<<10, kindShared, 0) + "x", 200, 1 << 10, "Cache-Control", "public, max-age=3600"},
		{pagePath(100, kindPrivate, 0), 200, 100, "Cache-Control", "private"},
		{pagePath(100, kindQuiet, 0), 200, 100, "Cache-Control", ""},
		{pagePath(100, kindVaries, 0), 200, 100, "Vary", "Accept-Language"},
		{"/big/100000", 200, 100_000, "Content-Length", "100000"},
		{"/page/many/shared", 404, -1, "", ""},
		{"/", 404, -1, "", ""},
	} {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequest("GET", tt.path, nil))
		if w.Code != tt.status || tt.size >= 0 && w.Body.Len() != tt.size || w.Header().Get(tt.field) != tt.value {
			t.Errorf("%s: %d, %d bytes, %v", tt.path, w.Code, w.Body.Len(), w.Header())
		}
	}
	if n := a.requests.Load(); n != 7 {
		t.Errorf("%d requests were counted", n)
	}
}

func TestReadmeKeepsTheRest(t *testing.T) {
	dir := t.TempDir()
	r := report{Date: "2026-01-02", Machine: "a machine", Rounds: 5, Seconds: 3, Results: []result{{What: "hit", Against: "respond", Unit: "× CPU", Value: spread{1.05, 1, 1.1}, Bar: 1.1, Detail: "1 µs"}}}
	if err := r.write(dir); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "README.md")
	text := "before\n" + readmeBegin + "\nold\n" + readmeEnd + "\nafter\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time changes nothing
		if err := writeReadme(dir, file); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"before\n" + readmeBegin, "| hit | respond | 1.05 × CPU (1.00–1.10) | ≤ 1.10 | 1 µs |", readmeEnd + "\nafter\n"} {
		if strings.Count(string(got), want) != 1 {
			t.Errorf("%q is not there once:\n%s", want, got)
		}
	}
	if strings.Contains(string(got), "old") {
		t.Errorf("the old table is still there:\n%s", got)
	}
	if err := writeReadme(dir, filepath.Join(dir, "bench.md")); err == nil {
		t.Error("no error for a file without the two lines")
	}
}

func TestFlags(t *testing.T) {
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--list"}, exitFine, "hit-1k"},
		{[]string{"--list", "--only", "("}, exitBroken, ""},
		{[]string{"--only", "nothing-like-it"}, exitBroken, ""},
		{[]string{"more"}, exitBroken, ""},
		{[]string{"--help"}, exitBroken, "--quick"},
	} {
		var out strings.Builder
		code, err := run(context.Background(), tt.args, &out)
		if code != tt.code || (err != nil) != (code == exitBroken) || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%q: %d, %v\n%s", tt.args, code, err, out.String())
		}
	}
}

// TestScenarios runs the command as its user does, on scenarios of each sort, for a moment
// each: whatever the figures, none of them may fail.
func TestScenarios(t *testing.T) {
	edge.Need(t, "wrk", "wrk")
	edge.Need(t, "taskset", "util-linux")
	dir := t.TempDir()
	binary, err := edge.Build(dir)
	if err != nil {
		t.Fatal(err)
	}
	command := filepath.Join(dir, "bench")
	if out, err := exec.Command("go", "build", "-o", command, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	results := filepath.Join(dir, "results")
	cmd := exec.Command(command, "--quick", "--rounds", "1", "--seconds", "1", "--binary", binary, "--out", results,
		"--only", "^(hit-params|miss-64k-gate|herd-visitor|latency|lint)$")
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != exitFine && code != exitMissed {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(results, "bench.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Results) < 5 {
		t.Errorf("%d results:\n%s", len(r.Results), out)
	}
	for _, row := range r.Results {
		if row.Err != "" {
			t.Errorf("%s: %s", row.Name, row.Err)
		}
	}
	if strings.HasPrefix(r.Machine, ",") || r.Date == "" {
		t.Errorf("the report does not say what was measured when: %+v", r)
	}
}

// TestComplete: a part of the scenarios takes the place of what was measured of them before,
// and of nothing else; and of nothing at all where that was another day or machine.
func TestComplete(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bench.json")
	last := report{Date: "2026-01-01", Machine: "m", Rounds: 3, Seconds: 2, Results: []result{{Name: "a", What: "old"}, {Name: "b", What: "old"}}}
	if err := last.write(filepath.Dir(file)); err != nil {
		t.Fatal(err)
	}
	whats := func(r report) string {
		r.complete(file)
		text := ""
		for _, result := range r.Results {
			text += result.Name + " " + result.What + "; "
		}
		return text
	}
	now := last
	now.Results = []result{{Name: "b", What: "new"}, {Name: "b", What: "new too"}}
	if got := whats(now); got != "a old; b new; b new too; " {
		t.Errorf("got %s", got)
	}
	now.Date = "2026-01-02"
	if got := whats(now); got != "b new; b new too; " {
		t.Errorf("on another day: %s", got)
	}
}
