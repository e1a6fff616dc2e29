package command

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/cacheward/cacheward/caddymodule/audit/inquiry"
)

var updateAudit = flag.Bool("update-audit", false, "write the transcripts in testdata/audit anew")

// TestAuditTranscripts holds the texts to testdata/audit, as they are on a terminal
// without colours.
func TestAuditTranscripts(t *testing.T) {
	log := file(t, "audit.log", incident())
	lost := file(t, "audit.log", "torn {\n"+incident()+
		entry(97_000, "drop", "level", "warn", "records", 41)+serveEntry(98_000, "hit", leaked, "3f2a9bc0d1e2f3a4", "77aa-000000000001", "/x", "serves_pct", 10)+`{"level":"info","msg":"server running"}`+"\n")
	for _, test := range []struct {
		name string
		args []string
		code int
	}{
		{"served", []string{"served", "--url", "/register/lp", log}, 0},
		{"served-limit", []string{"served", "--object", leaked, "--object", harmless, "--limit", "2", log}, 0},
		{"served-incomplete", []string{"served", "--object", leaked, "--limit", "1", lost}, 0},
		{"served-csv", []string{"served", "--key", "3f2a9bc0d1e2f3a4", "--format", "csv", log}, 0},
		{"served-json", []string{"served", "--object", harmless, "--format", "json", log}, 0},
		{"attribution", []string{"attribution", log}, 0},
		{"attribution-csv", []string{"attribution", "--format", "csv", log}, 0},
		{"objects", []string{"objects", log}, 0},
		{"objects-csv", []string{"objects", "--format", "csv", log}, 0},
		{"tail", []string{"tail", "--follow=false", "-n", "20", log}, 0},
		{"verify", []string{"verify", log}, 0},
		{"verify-damaged", []string{"verify", lost}, 1},
		{"why", []string{"why", "/register/lp", log}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			transcript(t, test.name, test.code, test.args...)
		})
	}
}

// transcript holds what the command says to a file in testdata/audit. The log is the last of
// the arguments.
func transcript(t *testing.T, name string, want int, args ...string) {
	t.Helper()
	stdout, stderr, code := audits(t, nil, append(args, "--tz", "UTC")...)
	if code != want {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	got := strings.ReplaceAll(stdout+stderr, filepath.Dir(args[len(args)-1])+string(filepath.Separator), "")
	golden := filepath.Join("testdata", "audit", name+".txt")
	if *updateAudit {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	was, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(was) {
		t.Errorf("%s\nwas expected to be\n%s", got, was)
	}
}

// TestAuditFiles: however the log lies there, the answer is the same.
func TestAuditFiles(t *testing.T) {
	whole := incident()
	half := strings.Index(whole[len(whole)/2:], "\n") + len(whole)/2 + 1
	plain := file(t, "audit.log", whole)
	folder := filepath.Dir(file(t, "audit.log", whole[half:]))
	for name, data := range map[string]string{"older.log.gz": gzipped(t, whole[:half])} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, _, code := audits(t, nil, "served", "--object", leaked, "--format", "json", "--tz", "UTC", plain)
	if code != 0 {
		t.Fatal(code)
	}
	for _, test := range []struct {
		name, stdin string
		files       []string
		says        string
	}{
		{"gzip", "", []string{file(t, "audit.log.gz", gzipped(t, whole))}, ""},
		{"zstd", "", []string{file(t, "audit.log.zst", zstdPacked(t, whole))}, ""},
		{"standard input", whole, []string{"-"}, ""},
		{"a folder", "", []string{folder}, ""},
		{"a pattern", "", []string{filepath.Join(folder, "*.log*")}, ""},
		{"one worker", "", []string{plain, "--workers", "1"}, ""},
		{"foreign lines", "", []string{file(t, "a.log", `{"level":"info","ts":1,"msg":"hello"}`+"\n"+whole)}, "not an audit record"},
	} {
		t.Run(test.name, func(t *testing.T) {
			stdout, stderr, code := audits(t, strings.NewReader(test.stdin), append([]string{"served", "--object", leaked, "--format", "json", "--tz", "UTC"}, test.files...)...)
			if code != 0 || stdout != want || !strings.Contains(stderr, test.says) || test.says == "" && stderr != "" {
				t.Errorf("exit %d, %s\n%s", code, stderr, stdout)
			}
		})
	}
}

// TestAuditTorn: what could not be read is told, on standard error and in the answer.
func TestAuditTorn(t *testing.T) {
	text := incident()
	torn := file(t, "audit.log", text[:len(text)-20])
	for _, args := range [][]string{{"served", "--url", "/register/lp", torn}, {"served", "--url", "/register/lp", torn, "--verbose"}} {
		stdout, stderr, code := audits(t, nil, args...)
		if code != 0 || !strings.Contains(stdout, "THE LIST IS NOT COMPLETE") || !strings.Contains(stderr, "audit.log:12") || !strings.Contains(stderr, "torn") {
			t.Errorf("%q: exit %d, %s\n%s", args, code, stderr, stdout)
		}
		if verbose := strings.Contains(stderr, "byte"); verbose != (len(args) == 5) {
			t.Errorf("%q: %s", args, stderr)
		}
	}
}

func TestAuditExitStatus(t *testing.T) {
	log := file(t, "audit.log", incident())
	for _, test := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"no verb", nil, 2, "a verb was expected"},
		{"another verb", []string{"sumary"}, 2, `did you mean "summary"?`},
		{"an answer", []string{"summary", log}, 0, ""},
		{"nothing in the window", []string{"summary", "--until", "2020-01-01", log}, 1, "nothing matches"},
		{"nothing served", []string{"served", "--url", "/register/lp", "--route", "no", log}, 1, "nothing matches in 12 lines of 1 file"},
		{"nothing, as JSON", []string{"objects", "--route", "no", "--format", "json", log}, 1, ""},
		{"no such file", []string{"summary", log + "x"}, 2, "no such file"},
		{"no such zone", []string{"summary", log, "--tz", "Mars/Olympus"}, 2, "no time zone"},
		{"a time", []string{"summary", log, "--since", "soon"}, 2, "--since"},
		{"times the wrong way round", []string{"summary", log, "--since", "2026-11-23", "--until", "2026-11-22"}, 2, "is not before"},
		{"a filter", []string{"summary", log, "--where", "statsu > 3"}, 2, `did you mean "status"?`},
		{"a form", []string{"served", log, "--format", "xml"}, 2, "table, json, csv was expected"},
		{"a form that the verb lacks", []string{"summary", log, "--format", "csv"}, 2, "has no such form"},
		{"a colour", []string{"summary", log, "--color", "red"}, 2, "auto, always or never"},
		{"a limit", []string{"summary", log, "--limit", "-1"}, 2, "--limit -1"},
		{"a flag", []string{"summary", log, "--what"}, 2, "unknown flag"},
		{"an object", []string{"served", "--object", "x", log}, 2, "the ID of an object was expected"},
		{"nothing to look for", []string{"served", log}, 2, "--object, --key or --url was expected"},
		{"a route is nothing to look for", []string{"served", "--route", "landing", "--since", "2h", log}, 2, "cacheward audit objects"},
		{"a key", []string{"served", "--key", "x", log}, 2, "16 hexadecimal digits"},
		{"a URL", []string{"served", "--url", "x y", log}, 2, "a URL was expected"},
		{"no URL", []string{"why"}, 2, "a URL or a path was expected"},
		{"a bucket", []string{"timeline", log, "--bucket", "-1m"}, 2, "--bucket"},
		{"a gap", []string{"verify", log, "--gap", "1s"}, 2, "a minute or more"},
		{"a gap that counts", []string{"verify", log, "--gap", "1m"}, 0, ""},
		{"a filter of verify", []string{"verify", log, "--route", "landing"}, 2, "verify reads everything"},
		{"several to follow", []string{"tail", log, log}, 2, "one file can be followed"},
		{"a folder to follow", []string{"tail", filepath.Dir(log)}, 2, "is a folder"},
		{"nothing to follow", []string{"tail", log + "x"}, 2, "no such file"},
		{"how many", []string{"tail", "-n", "-1", log}, 2, "--last -1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			stdout, stderr, code := audits(t, nil, test.args...)
			if code != test.code || !strings.Contains(stderr, test.says) {
				t.Errorf("exit %d, %q; %d and %q were expected", code, stderr, test.code, test.says)
			}
			if code == 2 && (strings.Count(stderr, "\n") != 1 || stdout != "") {
				t.Errorf("%q and %q; one line was expected", stderr, stdout)
			}
		})
	}
}

// TestAuditSaysWhatIsMissing: wherever records were lost or left out, it is said, be it
// beside a list that has no room for it, or beside no answer at all.
func TestAuditSaysWhatIsMissing(t *testing.T) {
	lost := file(t, "audit.log", incident()+entry(97_000, "drop", "level", "warn", "records", 41))
	unserved := file(t, "audit.log", entry(0, "bypass", "route", "landing", "outcome", "bypass", "reasons", []string{"identity"},
		"url", "https://hapitas.example/lp", "serves_pct", 0))
	const told = "not complete: 41 records were lost"
	for _, test := range []struct {
		args []string
		code int
		says string // on standard error, or in the answer
	}{
		{[]string{"served", "--object", leaked, "--format", "csv", lost}, 0, told},
		{[]string{"attribution", "--format", "csv", lost}, 0, told},
		{[]string{"objects", "--format", "csv", lost}, 0, told},
		{[]string{"served", "--url", "/register/lp", "--route", "no", lost}, 1, told},
		{[]string{"served", "--object", "01890a5d-ac96-774b-bcce-b302099a8057", lost}, 1, told},
		{[]string{"served", "--object", leaked, "--until", "2026-11-23T03:01:00Z", "--format", "csv", lost}, 0, ""},
		{[]string{"summary", "--route", "landing", lost}, 0, "Not complete: 41 records were lost"},
		{[]string{"summary", "--where", "event == 'serve'", "--format", "json", lost}, 0, `"lost_records": 41`},
		{[]string{"summary", "--route", "no", lost}, 1, told},
		{[]string{"timeline", "--route", "landing", lost}, 0, told},
		{[]string{"timeline", lost}, 0, "records lost"},
		{[]string{"bypasses", lost}, 0, told},
		{[]string{"refusals", "--format", "json", lost}, 0, told},
		{[]string{"why", "/register/lp", lost}, 0, told},
		{[]string{"why", "/register/lp", "--until", "2026-11-23T03:01:00Z", lost}, 0, ""},
		{[]string{"summary", unserved}, 0, "no serve records were written"},
		{[]string{"timeline", unserved}, 0, "no serve records were written"},
		{[]string{"served", "--url", "/lp", unserved}, 1, "no serve records were written"},
		{[]string{"attribution", "--format", "csv", unserved}, 1, "no serve records were written"},
		{[]string{"verify", unserved}, 0, "none of them are written"},
	} {
		stdout, stderr, code := audits(t, nil, append(test.args, "--tz", "UTC")...)
		switch {
		case code != test.code:
			t.Errorf("%q: exit %d: %s", test.args, code, stderr)
		case test.says == "" && stderr != "":
			t.Errorf("%q says %s", test.args, stderr)
		case !strings.Contains(stdout+stderr, test.says):
			t.Errorf("%q does not say %q:\n%s%s", test.args, test.says, stdout, stderr)
		}
	}
}

func TestAuditDefaultFile(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, stderr, code := audits(t, nil, "summary"); code != 2 || !strings.Contains(stderr, "name the log") {
		t.Errorf("exit %d, %q", code, stderr)
	}
	if err := os.WriteFile("audit.log", []byte(incident()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"summary", "refusals", "divergences", "bypasses", "served --url /register/lp", "attribution", "objects", "timeline", "verify", "why /register/lp"} {
		schema := inquiry.AnswerSchema
		if verb == "verify" {
			schema = 1
		}
		stdout, stderr, code := audits(t, nil, append(strings.Fields(verb), "--tz", "UTC", "--format", "json")...)
		if code != 0 || !json.Valid([]byte(stdout)) || !strings.HasPrefix(stdout, fmt.Sprintf("{\n  \"schema\": %d,\n", schema)) {
			t.Errorf("%s: exit %d, %q\n%s", verb, code, stderr, stdout)
		}
	}
}

// TestAuditHostile: what visitors sent reaches neither the terminal nor a spreadsheet as
// anything but text.
func TestAuditHostile(t *testing.T) {
	const evil = "\x1b[2J\x1b]0;owned\a\u202e\u009b31m"
	log := file(t, "audit.log", incident()+
		serveEntry(99_000, "hit"+evil, leaked, "3f2a9bc0d1e2f3a4", "=1+1", "https://hapitas.example/register/lp?ref=%3DHYPERLINK(1)"+evil)+
		entry(99_100, "refuse"+evil, "route", "=landing"+evil, "reasons", []string{"private" + evil}, "url", evil, "detail", evil, "error", evil)+
		entry(99_200, "trip", "scope", evil, "why", evil, "by", evil)+
		entry(99_300, "leak", "route", evil, "scope", "url "+evil, "url", "https://hapitas.example/register/lp?"+evil, "why", evil, "by", evil,
			"until", "2026-11-23T03:01:39.000Z", "evidence", map[string]any{"kind": evil, "input": evil, "status": map[string]string{evil: evil}}))
	own := regexp.MustCompile("\x1b\\[[0-9;]*m")
	for _, verb := range [][]string{
		{"summary"}, {"refusals"}, {"divergences"}, {"bypasses"}, {"why", "/register/lp"}, {"served", "--url", "/register/lp"}, {"attribution"}, {"objects"},
		{"timeline"}, {"tail", "--follow=false", "-n", "99"}, {"tail", "--follow=false", "-n", "99", "--format", "json"}, {"verify"},
		{"served", "--url", "/register/lp", "--format", "json"}, {"attribution", "--format", "csv"},
	} {
		stdout, stderr, _ := audits(t, nil, append(verb, "--tz", "UTC", "--color", "always", log)...)
		if plain := own.ReplaceAllString(stdout, ""); strings.ContainsAny(plain+stderr, "\x1b\a\u202e\u009b") || strings.Contains(stdout, "\x1b[2J") || stdout == "" {
			t.Errorf("%q: %q", verb, stdout)
		}
	}
	stdout, _, _ := audits(t, nil, "served", "--url", "/register/lp", "--format", "csv", log)
	rows, err := csv.NewReader(strings.NewReader(stdout)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				t.Errorf("a formula: %q", cell)
			}
		}
	}
}

// TestAuditColour: colours are on only where they are wanted, and NO_COLOR is heard.
func TestAuditColour(t *testing.T) {
	log := file(t, "audit.log", incident())
	t.Setenv("NO_COLOR", "1")
	for color, want := range map[string]bool{"auto": false, "never": false, "always": true} {
		if stdout, _, _ := audits(t, nil, "served", "--object", leaked, "--color", color, log); strings.Contains(stdout, "\x1b[") != want {
			t.Errorf("%s: %q", color, stdout)
		}
	}
}

type closedPipe struct{ error }

func (p closedPipe) Write([]byte) (int, error) { return 0, p.error }

// TestAuditPager: a pager that was closed has seen enough; a disk that is full has not.
func TestAuditPager(t *testing.T) {
	log := file(t, "audit.log", incident())
	for _, args := range [][]string{{"served", "--object", leaked, log}, {"served", "--object", leaked, "--format", "json", log}, {"objects", "--format", "csv", log}, {"tail", "--follow=false", log}, {"tail", log}, {"verify", log}} {
		if stderr, code := auditsTo(t, nil, closedPipe{&os.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}}, args...); code != 0 || stderr != "" {
			t.Errorf("%q: exit %d, %q", args, code, stderr)
		}
		if stderr, code := auditsTo(t, nil, closedPipe{errors.New("no space")}, args...); code != 2 || !strings.Contains(stderr, "no space") {
			t.Errorf("%q: exit %d, %q", args, code, stderr)
		}
	}
}

// TestAuditServedJSON: it reads back as what is documented.
func TestAuditServedJSON(t *testing.T) {
	stdout, _, code := audits(t, nil, "served", "--object", leaked, "--format", "json", file(t, "audit.log", incident()))
	var a inquiry.ServedAnswer
	if err := json.Unmarshal([]byte(stdout), &a); err != nil || code != 0 {
		t.Fatalf("exit %d, %v", code, err)
	}
	if a.Schema != inquiry.AnswerSchema || a.Serves != 5 || a.Visitors != 4 || a.Objects.At(0).State != inquiry.Withdrawn || a.Objects.At(0).Cause.Visitor != "3f2a-9bc0d1e2f3a4" {
		t.Errorf("%s", stdout)
	}
}

// TestAuditTailFollows: it goes on with what is written, until it is interrupted.
func TestAuditTailFollows(t *testing.T) {
	log := file(t, "audit.log", incident())
	ctx, interrupt := context.WithCancel(t.Context())
	r, w := io.Pipe()
	defer func() { _ = r.Close() }()
	root, cmd := &cobra.Command{Use: "cacheward"}, &cobra.Command{Use: "audit"}
	WireAudit(func(_ *cobra.Command, code int) error { return exitCode(code) })(cmd)
	root.AddCommand(cmd)
	root.SetOut(w)
	root.SetArgs([]string{"audit", "tail", "-n", "1", "--tz", "UTC", "--where", `event != "serve"`, log})
	ended := make(chan error, 1)
	go func() { ended <- root.ExecuteContext(ctx) }()
	lines := bufio.NewScanner(r)
	if !lines.Scan() || !strings.Contains(lines.Text(), "03:01:36.000  trip") {
		t.Fatalf("%q", lines.Text())
	}
	f, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(serveEntry(99_000, "hit", leaked, "", "", "/") + entry(100_000, "reset", "scope", "route landing", "by", "sato")); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if !lines.Scan() || !strings.Contains(lines.Text(), "03:01:40.000  reset") {
		t.Fatalf("%q", lines.Text())
	}
	interrupt()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAuditProgress(t *testing.T) {
	now := incidentStart
	var b bytes.Buffer
	p := &progress{w: &b, now: func() time.Time { return now }, started: now}
	p.update(1<<20, 4<<20)
	p.end()
	if b.Len() > 0 {
		t.Errorf("%q after no time", b.String())
	}
	now = now.Add(2 * time.Second)
	p.update(1<<20, 4<<20)
	if got := b.String(); !strings.Contains(got, "25.0 %, 1.0 MiB of 4.0 MiB, 512 KiB/s") {
		t.Errorf("%q", got)
	}
	p.update(1<<20, 0)
	p.end()
	if got := b.String(); !strings.HasSuffix(got, "\r\x1b[K") || !strings.Contains(got, "1.0 MiB read") {
		t.Errorf("%q", got)
	}
}
