package command

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/spf13/cobra"
)

// audits runs the command.
func audits(t *testing.T, stdin io.Reader, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out bytes.Buffer
	stderr, code = auditsTo(t, stdin, &out, args...)
	return out.String(), stderr, code
}

func auditsTo(t *testing.T, stdin io.Reader, stdout io.Writer, args ...string) (stderr string, code int) {
	t.Helper()
	cmd := &cobra.Command{Use: "audit"}
	WireAudit(func(_ *cobra.Command, code int) error { return exitCode(code) })(cmd)
	root := &cobra.Command{Use: "cacheward"}
	root.AddCommand(cmd)
	var errOut bytes.Buffer
	if stdin == nil {
		stdin = strings.NewReader("")
	}
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(&errOut)
	root.SetArgs(append([]string{"audit"}, args...))
	err := root.ExecuteContext(t.Context())
	if exit, ok := errors.AsType[exitCode](err); ok {
		code = int(exit)
	} else if err != nil {
		t.Fatal(err)
	}
	return errOut.String(), code
}

// The incident of the tests: at three, a page was stored that one visitor's request had
// made, and served to others until it was found out.
const (
	leaked   = "01a20658-9b80-7000-8000-000000000001" // its fill began at three
	harmless = "01a20658-e9a0-7000-8000-000000000002" // 20 seconds later
)

var incidentStart = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

// entry is a record of the log, so many milliseconds after three.
func entry(ms int, event string, fields ...any) string {
	record := map[string]any{
		"level": "info", "ts": float64(incidentStart.UnixMilli()+int64(ms)) / 1000, "logger": "http.handlers.cacheward.audit",
		"msg": "cacheward", "schema": 1, "event": event,
	}
	for i := 0; i < len(fields); i += 2 {
		record[fields[i].(string)] = fields[i+1]
	}
	line, err := json.Marshal(record)
	if err != nil {
		panic(err)
	}
	return string(line) + "\n"
}

func serveEntry(ms int, outcome, object, key, visitor, url string, more ...any) string {
	return entry(ms, "serve", append([]any{
		"route", "landing", "outcome", outcome, "mode", "enforce", "key", key, "object", object, "ttl_s", 300 - float64(ms)/1000,
		"age_s", float64(ms) / 1000, "size_bytes", 18432, "method", "GET", "host", "hapitas.example", "url", url, "status", 200,
		"duration_ms", 0.4, "visitor", visitor,
	}, more...)...)
}

// incident is the log.
func incident() string {
	const page = "https://hapitas.example/register/lp"
	const key, other = "3f2a9bc0d1e2f3a4", "00112233445566aa"
	var b strings.Builder
	b.WriteString(entry(120, "store", "route", "landing", "mode", "enforce", "key", key, "object", leaked, "ttl_s", 300, "age_s", 0,
		"size_bytes", 18432, "method", "GET", "host", "hapitas.example", "url", page, "status", 200, "origin_ms", 118.4))
	b.WriteString(serveEntry(121, "fill", leaked, key, "3f2a-9bc0d1e2f3a4", page+"?ref=A1&gclid=h:0a1b2c3d4e5f"))
	b.WriteString(serveEntry(900, "collapsed", leaked, key, "3f2a-000000000b2b", page+"?ref=B2"))
	b.WriteString(serveEntry(61_250, "hit", leaked, key, "3f2a-000000000c3c", page+"?ref=C3&gclid=h:5e4d3c2b1a00"))
	b.WriteString(serveEntry(93_007, "hit", leaked, key, "3f2a-000000000b2b", page))
	b.WriteString(serveEntry(93_900, "hit", leaked, key, "3f2a-000000000d4d", page+"?ref=A1"))
	b.WriteString(entry(20_100, "store", "route", "landing", "mode", "enforce", "key", other, "object", harmless, "ttl_s", 300, "age_s", 0,
		"size_bytes", 2048, "method", "GET", "host", "hapitas.example", "url", "https://hapitas.example/help", "status", 200, "origin_ms", 30))
	b.WriteString(serveEntry(20_200, "hit", harmless, other, "3f2a-000000000c3c", "https://hapitas.example/help"))
	b.WriteString(entry(70_000, "bypass", "route", "landing", "outcome", "bypass", "mode", "enforce", "reasons", []string{"param-bypass"}, "method", "GET",
		"host", "hapitas.example", "url", page+"?ref=E5&preview=h:1234567890ab", "status", 200, "duration_ms", 88.1, "visitor", "3f2a-000000000e5e", "detail", "param preview"))
	b.WriteString(entry(95_000, "diverge", "level", "warn", "route", "landing", "mode", "enforce", "reasons", []string{"divergent", "reflects-input"}, "key", key,
		"method", "GET", "host", "hapitas.example", "url", page, "status", 200,
		"divergence", map[string]any{"class": "reflected-input", "input": "param ref", "part": "body", "offset": 812, "length": 2, "near": "input lead"}))
	b.WriteString(entry(95_001, "withdraw", "level", "error", "route", "landing", "mode", "enforce", "reasons", []string{"divergent", "reflects-input"}, "key", key,
		"object", leaked, "method", "GET", "host", "hapitas.example", "url", page, "status", 200))
	b.WriteString(entry(96_000, "trip", "level", "error", "scope", "route landing", "why", "others' names were seen", "by", "sato@ops1 via 127.0.0.1"))
	return b.String()
}

func file(t *testing.T, name string, data string) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstdPacked(t *testing.T, text string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(w.EncodeAll([]byte(text), nil))
}

func ExampleWireAudit() {
	cmd := &cobra.Command{Use: "audit"}
	WireAudit(Exit)(cmd)
	for _, verb := range cmd.Commands() {
		fmt.Println(verb.Name())
	}
	// Output:
	// attribution
	// bypasses
	// divergences
	// objects
	// refusals
	// report
	// served
	// summary
	// tail
	// timeline
	// verify
	// why
}
