package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/integration/edge"
)

// binary is the cacheward binary under test, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "cacheward-integration")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer os.RemoveAll(dir)
	if binary, err = edge.Build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	return m.Run()
}

// command runs the binary to its end.
func command(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out.String(), errOut.String(), exit.ExitCode()
	}
	if err != nil {
		t.Fatalf("cacheward %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), errOut.String(), 0
}

// answer is what a visitor got.
type answer struct {
	*http.Response
	body string
}

// cacheward is our member of Cache-Status.
func (a answer) cacheward() string { return a.Header.Get("Cache-Status") }

// visit sends a GET with the header fields, given as name, value, name, value …
func visit(t *testing.T, url, host string, fields ...string) answer {
	t.Helper()
	a, err := tryVisit(t.Context(), url, host, fields...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// tryVisit is visit where there may be no answer.
func tryVisit(ctx context.Context, url, host string, fields ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	req.Host = host
	for i := 0; i+1 < len(fields); i += 2 {
		req.Header.Add(fields[i], fields[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: edge.Patience}
	res, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res, string(body)}, err
}

// record is a line of the audit log, as far as the tests look at it.
type record struct {
	Schema     int      `json:"schema"`
	Event      string   `json:"event"`
	Route      string   `json:"route"`
	Outcome    string   `json:"outcome"`
	Reasons    []string `json:"reasons"`
	Object     string   `json:"object"`
	Key        string   `json:"key"`
	URL        string   `json:"url"`
	Divergence struct {
		Part  string `json:"part"`
		Shape string `json:"shape"`
		Near  string `json:"near"`
	} `json:"divergence"`
}

// records reads the audit log.
func records(t *testing.T, file string) []record {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all []record
	for line := range bytes.Lines(data) {
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("audit record %s: %v", line, err)
		}
		all = append(all, r)
	}
	return all
}

// waitForRecord returns the first record that fits; records are written after the
// visitor has been answered.
func waitForRecord(t *testing.T, file, what string, fits func(record) bool) record {
	t.Helper()
	var found record
	edge.Eventually(t, "a record of "+what, func() bool {
		for _, r := range records(t, file) {
			if fits(r) {
				found = r
				return true
			}
		}
		return false
	})
	return found
}
