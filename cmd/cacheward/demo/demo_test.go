package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestRunAsJSON(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var stdout, stderr bytes.Buffer
	const visitors = 200
	code := Run(t.Context(), Options{Visitors: visitors, Seed: 1, Format: "json", Edge: careful, Stdout: &stdout, Stderr: &stderr})
	if code != exitFine {
		t.Fatalf("exit code %d, want 0; stderr: %s", code, &stderr)
	}
	var report struct {
		Scenarios []result `json:"scenarios"`
	}
	decoder := json.NewDecoder(&stdout)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&report); err != nil {
		t.Fatal(err)
	}
	if len(report.Scenarios) != 5 {
		t.Fatalf("%d scenarios, want 5", len(report.Scenarios))
	}
	// Up to 16 visitors may be on their way before the CDN has its first copy
	// of a host's page.
	const cold = 2 * concurrency
	for i, want := range []struct {
		name               string
		wrongMin, wrongMax int
		renders            [2]int64
		cached             [2]float64
		refused            int
	}{
		{"no-cache", 0, 0, [2]int64{visitors, visitors}, [2]float64{0, 0}, 0},
		{"naive-cdn", visitors - cold, visitors - 2, [2]int64{2, cold}, [2]float64{1 - cold/200.0, 1 - 2/200.0}, 0},
		{"cacheward-mistaken-rule", 0, 0, [2]int64{visitors, visitors}, [2]float64{0, 0}, visitors},
		{"cacheward-right-policy", 0, 0, [2]int64{2, 2}, [2]float64{0.99, 0.99}, 0},
		{"cacheward-attribution", 0, 0, [2]int64{2, 2}, [2]float64{0.99, 0.99}, 0},
	} {
		got := report.Scenarios[i]
		if got.Name != want.name || got.Visitors != visitors {
			t.Errorf("scenario %d: %q with %d visitors, want %q with %d", i, got.Name, got.Visitors, want.name, visitors)
		}
		if got.Misattributed < want.wrongMin || got.Misattributed > want.wrongMax {
			t.Errorf("%s: %d misattributed, want %d to %d", got.Name, got.Misattributed, want.wrongMin, want.wrongMax)
		}
		if got.OriginRenders < want.renders[0] || got.OriginRenders > want.renders[1] {
			t.Errorf("%s: %d renders, want %v", got.Name, got.OriginRenders, want.renders)
		}
		if got.ServedFromCache < want.cached[0] || got.ServedFromCache > want.cached[1] {
			t.Errorf("%s: %v served from cache, want %v", got.Name, got.ServedFromCache, want.cached)
		}
		if got.Refusals == nil || got.Refusals["divergent"] != want.refused {
			t.Errorf("%s: refusals %v, want %d divergent", got.Name, got.Refusals, want.refused)
		}
	}
	// The databases are in the temporary directory, and gone.
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary directory: %v, %v", left, err)
	}
}

// The keys are an interface; a decoder with the same struct would not notice a
// change of them.
func TestJSONKeys(t *testing.T) {
	var out bytes.Buffer
	if err := writeJSON(&out, []result{{Name: "n", Visitors: 4, Refusals: map[string]int{"divergent": 2}, cacheward: true}}); err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, out.Bytes()); err != nil {
		t.Fatal(err)
	}
	const want = `{"scenarios":[{"name":"n","visitors":4,"misattributed":0,"origin_renders":0,"served_from_cache":0,"refusals":{"divergent":2}}]}`
	if compact.String() != want {
		t.Errorf("got  %s\nwant %s", &compact, want)
	}
}

func TestRunAsText(t *testing.T) {
	for name, terminal := range map[string]bool{"terminal": true, "plain": false} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code := Run(t.Context(), Options{Visitors: 50, Edge: careful, Stdout: &stdout, Stderr: &stderr, Terminal: terminal, Color: terminal})
			if code != exitFine {
				t.Fatalf("exit code %d, want 0; stderr: %s", code, &stderr)
			}
			for _, s := range scenarios {
				if !strings.Contains(stdout.String(), s.name) || !strings.Contains(stderr.String(), s.name) {
					t.Errorf("%s is not in the table and in the progress", s.name)
				}
			}
			if lines := strings.Count(stderr.String(), "\n"); lines != len(scenarios) {
				t.Errorf("progress has %d lines, want one a scenario:\n%s", lines, &stderr)
			}
			if got := strings.Contains(stdout.String(), "\x1b["); got != terminal {
				t.Errorf("colours: %v, want %v", got, terminal)
			}
			if got := strings.Contains(stderr.String(), "\r\x1b[K"); got != terminal {
				t.Errorf("rewritten lines: %v, want %v", got, terminal)
			}
			if terminal && !strings.Contains(stderr.String(), strings.Repeat("█", barWidth)+" 100 %\n") {
				t.Errorf("no line ends at 100 %%: %q", stderr.String())
			}
		})
	}
}

func TestExitCodeOfACarelessEdge(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := Run(t.Context(), Options{Visitors: 50, Edge: careless, Stdout: &stdout, Stderr: &stderr}); code != exitFindings {
		t.Errorf("exit code %d, want 1; stderr: %s", code, &stderr)
	}
	if !strings.Contains(stdout.String(), "That must never happen") {
		t.Errorf("the words do not say what happened:\n%s", &stdout)
	}
}

// An edge that takes the codes off and carries nothing shares the page and loses everybody's
// referrer: the demo says so.
func TestExitCodeOfAnEdgeThatForgets(t *testing.T) {
	forgets := func(ctx context.Context, e Edge) (string, func() error, error) {
		if e.Policy != AttributionPolicy {
			return careful(ctx, e)
		}
		return standIn(func(app *httputil.ReverseProxy, _ string) http.Handler {
			shared := &oneCopy{app: app, pages: make(map[string][]byte)}
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.URL.RawQuery = ""
				shared.ServeHTTP(w, r)
			})
		})(ctx, e)
	}
	var stdout, stderr bytes.Buffer
	if code := Run(t.Context(), Options{Visitors: 50, Edge: forgets, Stdout: &stdout, Stderr: &stderr}); code != exitFindings {
		t.Errorf("exit code %d, want 1; stderr: %s", code, &stderr)
	}
	if words := strings.Join(strings.Fields(stdout.String()), " "); !strings.Contains(words, "cacheward-attribution: 50 of 50 new members (100.0 %) were recorded under somebody else's referrer, or under none") {
		t.Errorf("the words do not say what happened:\n%s", &stdout)
	}
}

func TestCouldNotRun(t *testing.T) {
	taken, err := net.Listen("tcp", anyPort)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	broken := standIn(func(*httputil.ReverseProxy, string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	})
	failing := func(context.Context, Edge) (string, func() error, error) {
		return "", nil, errors.New("no such directive")
	}
	unstoppable := func(ctx context.Context, e Edge) (string, func() error, error) {
		addr, stop, err := careful(ctx, e)
		return addr, func() error { return errors.Join(stop(), errors.New("still there")) }, err
	}
	for name, test := range map[string]struct {
		options Options
		want    string
	}{
		"too few visitors":   {Options{Visitors: -1, Edge: careful}, "-1 is too few"},
		"unknown format":     {Options{Format: "xml", Edge: careful}, `"xml" is unknown`},
		"no edge":            {Options{}, "no function"},
		"address of edge":    {Options{Listen: "9080", Edge: careful}, `listen: "9080" is not an address`},
		"address of app":     {Options{AppListen: "x", Edge: careful}, `app: "x" is not an address`},
		"app's port taken":   {Options{AppListen: taken.Addr().String(), Edge: careful}, "scenario no-cache: starting the app"},
		"edge's port taken":  {Options{Listen: taken.Addr().String(), Edge: careful}, "scenario cacheward-mistaken-rule: starting the edge at"},
		"edge fails":         {Options{Edge: failing}, "no such directive"},
		"edge answers 502":   {Options{Edge: broken}, "status 502, 200 was expected"},
		"edge does not stop": {Options{Edge: unstoppable}, "still there"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			test.options.Stdout, test.options.Stderr = &stdout, &stderr
			if test.options.Visitors == 0 {
				test.options.Visitors = 5
			}
			if code := Run(t.Context(), test.options); code != exitFailed {
				t.Errorf("exit code %d, want 2", code)
			}
			if !strings.Contains(stderr.String(), "cacheward demo: ") || !strings.Contains(stderr.String(), test.want) {
				t.Errorf("stderr %q, want %q in it", &stderr, test.want)
			}
			if stdout.Len() > 0 {
				t.Errorf("stdout %q, want nothing", &stdout)
			}
		})
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	edge := func(context.Context, Edge) (string, func() error, error) {
		cancel()
		return careful(ctx, Edge{Listen: anyPort, Upstream: anyPort, Policy: MistakenPolicy})
	}
	var stderr bytes.Buffer
	if code := Run(ctx, Options{Visitors: 20, Edge: edge, Stdout: io.Discard, Stderr: &stderr}); code != exitFailed {
		t.Errorf("exit code %d, want 2", code)
	}
	if !strings.Contains(stderr.String(), context.Canceled.Error()) {
		t.Errorf("stderr %q, want it to say that the run was cancelled", &stderr)
	}
}

func TestResultsThatCannotBeWritten(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var stderr bytes.Buffer
		code := Run(t.Context(), Options{Visitors: 1, Format: format, Edge: careful, Stdout: full{}, Stderr: &stderr})
		if code != exitFailed || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%s: exit code %d, stderr %q; want 2 and the reason", format, code, &stderr)
		}
	}
}

// full is a writer without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestEdgeGetsAnotherPortWhenItsOwnIsLost(t *testing.T) {
	lost := fmt.Errorf("loading: %w", syscall.EADDRINUSE)
	for name, test := range map[string]struct {
		address  string
		failures []error
		ok       bool
		attempts int
	}{
		"at once":            {"", nil, true, 1},
		"second attempt":     {"", []error{lost}, true, 2},
		"by its text":        {"", []error{errors.New("listen: bind: address already in use")}, true, 2},
		"lost each time":     {"", []error{lost, lost, lost}, false, 3},
		"another error":      {"", []error{errors.New("bad policy")}, false, 1},
		"a port of its own":  {"127.0.0.1:1", []error{lost}, false, 1},
		"that port is there": {"127.0.0.1:1", nil, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			attempts := 0
			edge := func(_ context.Context, e Edge) (string, func() error, error) {
				attempts++
				if attempts <= len(test.failures) {
					return "", nil, test.failures[attempts-1]
				}
				return e.Listen, func() error { return nil }, nil
			}
			_, _, err := startEdge(t.Context(), edge, Edge{Listen: test.address, Upstream: "127.0.0.1:2"})
			if (err == nil) != test.ok || attempts != test.attempts {
				t.Errorf("error %v after %d attempts, want ok %v after %d", err, attempts, test.ok, test.attempts)
			}
		})
	}
}

func TestClosersUndoInReverseAndAll(t *testing.T) {
	var order []int
	var undo closers
	for i := range 3 {
		undo.add(func() error {
			order = append(order, i)
			return fmt.Errorf("error %d", i)
		})
	}
	err := undo.close()
	if !slices.Equal(order, []int{2, 1, 0}) || err == nil || err.Error() != "error 2\nerror 1\nerror 0" {
		t.Errorf("order %v, error %v; want 2, 1, 0 and all errors", order, err)
	}
}

func TestMisattributed(t *testing.T) {
	a, b := attribution{"R-1", "mail"}, attribution{"R-2", "mail"}
	visitors := []visitor{{name: "v1", had: a}, {name: "v2", had: b}}
	for name, test := range map[string]struct {
		recorded map[string]attribution
		want     int
	}{
		"each their own":   {map[string]attribution{"v1": a, "v2": b}, 0},
		"both the first's": {map[string]attribution{"v1": a, "v2": a}, 1},
		"swapped":          {map[string]attribution{"v1": b, "v2": a}, 2},
		"one without":      {map[string]attribution{"v1": a, "v2": {}}, 1},
		"one unknown":      {map[string]attribution{"v1": a}, 1},
		"another source":   {map[string]attribution{"v1": {"R-1", "share"}, "v2": b}, 1},
	} {
		if got := misattributed(visitors, test.recorded); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}

// The policies name the same hosts and path as the visitors use.
func TestPoliciesCoverTheVisits(t *testing.T) {
	for _, policy := range []string{MistakenPolicy, RightPolicy, AttributionPolicy} {
		for _, want := range []string{"host " + pcHost + " " + phoneHost + "\n", "path " + landingPath + "\n", " session"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%q is not in the policy:\n%s", want, policy)
			}
		}
	}
}

// The app of the scenario with attribution is one that works as ever: by itself it
// attributes everybody rightly, and a CDN that is blind to the query makes the incident
// of it.
func TestAppOfTheAttributionWithoutCacheward(t *testing.T) {
	visitors := newVisitors(100, 1)
	for _, test := range []struct {
		cdn                bool
		wrongMin, wrongMax int
	}{
		{false, 0, 0},
		{true, len(visitors) - 2*concurrency, len(visitors) - 2},
	} {
		r, err := scenario{version: pageV3, cdn: test.cdn}.run(t.Context(), Options{}, visitors, func() {})
		if err != nil {
			t.Fatal(err)
		}
		if r.Misattributed < test.wrongMin || r.Misattributed > test.wrongMax {
			t.Errorf("CDN %v: %d of %d misattributed, want %d to %d", test.cdn, r.Misattributed, len(visitors), test.wrongMin, test.wrongMax)
		}
	}
}
