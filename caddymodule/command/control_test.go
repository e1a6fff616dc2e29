package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/cacheward/cacheward/caddymodule/control"
)

// controls runs a verb of those that ask a running proxy.
func controls(ctx context.Context, t *testing.T, verb string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	exit := func(_ *cobra.Command, code int) error { return exitCode(code) }
	wire := map[string]func(*cobra.Command){
		"purge": WirePurge(exit), "trip": WireTrip(exit), "reset": WireReset(exit), "status": WireStatus(exit), "objects": WireObjects(exit),
	}[verb]
	cmd := &cobra.Command{Use: verb}
	wire(cmd)
	var out, errOut bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&errOut)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if exit, ok := errors.AsType[exitCode](err); ok {
		code = int(exit)
	} else if err != nil {
		t.Fatal(err)
	}
	return out.String(), errOut.String(), code
}

// endpoint plays the admin endpoint of a proxy: it answers whatever it is asked.
type endpoint struct {
	*httptest.Server
	requests []*http.Request
	bodies   []string
}

func newEndpoint(t *testing.T, status int, answer any) *endpoint {
	t.Helper()
	text, isText := answer.(string)
	if !isText {
		data, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		text = string(data)
	}
	e := new(endpoint)
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		e.requests, e.bodies = append(e.requests, r), append(e.bodies, body.String())
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) address() string { return strings.TrimPrefix(e.URL, "http://") }

var (
	purged   = control.Purged{Schema: 1, Scope: "route landing", Removed: 2, Verified: true, Stores: []control.PurgedStore{{Store: "memory", Looked: 3, Removed: 2}}}
	switched = control.Switched{Schema: 1, Done: "tripped route landing", Saved: true, Settled: true, Tripped: []control.Tripped{}}
	running  = control.Status{Schema: 1, Tripped: []control.Tripped{}, Handlers: []control.HandlerStatus{}, Stores: []control.StoreStatus{}}
	anID     = "01890a5d-ac96-774b-bcce-b302099a8057"
)

// TestControlAsks: what the endpoint is asked for a command line.
func TestControlAsks(t *testing.T) {
	for _, test := range []struct {
		verb   string
		args   []string
		answer any
		want   string
		body   string
	}{
		{"purge", []string{"--url", "https://a.example/?q=%20", "--by", "ops@host"}, purged, "POST /cacheward/purge", `{"url":"https://a.example/?q=%20","by":"ops@host"}`},
		{"purge", []string{"--route", "landing", "--soft", "--reason", "new prices", "--by", "ops"}, purged, "POST /cacheward/purge", `{"route":"landing","soft":true,"by":"ops","why":"new prices"}`},
		{"purge", []string{"--all", "--by", "ops"}, purged, "POST /cacheward/purge", `{"all":true,"by":"ops"}`},
		{"trip", []string{"--route", "landing", "--reason", "wrong", "--by", "ops"}, switched, "POST /cacheward/trip", `{"route":"landing","why":"wrong","by":"ops"}`},
		{"trip", []string{"--reason", "wrong", "--by", "ops"}, switched, "POST /cacheward/trip", `{"why":"wrong","by":"ops"}`},
		{"reset", []string{"--all", "--keep", "--reason", "false alarm", "--by", "ops"}, switched, "POST /cacheward/reset", `{"all":true,"keep":true,"why":"false alarm","by":"ops"}`},
		{"status", nil, running, "GET /cacheward/status", ""},
		{"objects", nil, control.ObjectList{Schema: 1}, "GET /cacheward/objects?limit=100", ""},
		{"objects", []string{"--prefix", "a.example/b&c", "--route", "r", "--limit", "3"}, control.ObjectList{Schema: 1}, "GET /cacheward/objects?limit=3&prefix=a.example%2Fb%26c&route=r", ""},
		{"objects", []string{anID}, control.Object{ID: anID}, "GET /cacheward/objects/" + anID, ""},
		{"objects", []string{anID, "--body"}, control.Object{ID: anID}, "GET /cacheward/objects/" + anID + "?body=1", ""},
		{"objects", []string{"a/b?c"}, control.Object{}, "GET /cacheward/objects/a%2Fb%3Fc", ""},
	} {
		t.Run(test.verb+" "+strings.Join(test.args, " "), func(t *testing.T) {
			e := newEndpoint(t, http.StatusOK, test.answer)
			_, stderr, code := controls(t.Context(), t, test.verb, append(slices.Clone(test.args), "--address", e.address())...)
			if code != 0 || stderr != "" || len(e.requests) != 1 {
				t.Fatalf("exit %d, %d requests, %s", code, len(e.requests), stderr)
			}
			r := e.requests[0]
			if got := r.Method + " " + r.RequestURI; got != test.want || e.bodies[0] != test.body {
				t.Errorf("%s %s", got, e.bodies[0])
			}
			if r.Header.Get("Origin") != e.URL || (r.Header.Get("Content-Type") == "application/json") != (test.body != "") {
				t.Errorf("header %v", r.Header)
			}
		})
	}
}

// TestControlExitStatus: 0 is for what is done and proved.
func TestControlExitStatus(t *testing.T) {
	with := func(change func(*control.Purged)) control.Purged {
		p := purged
		p.Stores = slices.Clone(purged.Stores)
		change(&p)
		return p
	}
	tripped := []control.Tripped{{Why: "wrong"}}
	for _, test := range []struct {
		name, verb string
		answer     any
		code       int
	}{
		{"done", "purge", purged, 0},
		{"not proved", "purge", with(func(p *control.Purged) { p.Verified = false }), 1},
		{"a problem", "purge", with(func(p *control.Purged) { p.Problems = []string{"x"} }), 1},
		{"something left", "purge", with(func(p *control.Purged) { p.Stores[0].Left = 1 }), 1},
		{"a note", "purge", with(func(p *control.Purged) { p.Notes = []string{"x"} }), 0},
		{"an empty answer", "purge", "{}", 1},
		{"tripped", "trip", control.Switched{Schema: 1, Saved: true, Settled: true, Tripped: tripped}, 0},
		{"not saved", "trip", control.Switched{Schema: 1, Settled: true, Tripped: tripped}, 1},
		{"not settled", "trip", control.Switched{Schema: 1, Saved: true, Tripped: tripped}, 1},
		{"a trip with a problem", "trip", control.Switched{Schema: 1, Saved: true, Settled: true, Problems: []string{"x"}}, 1},
		{"an empty answer to a trip", "trip", "{}", 1},
		{"reset", "reset", switched, 0},
		{"another trip is in force", "reset", control.Switched{Schema: 1, Saved: true, Settled: true, Tripped: tripped}, 0},
		{"a reset that is not saved", "reset", control.Switched{Schema: 1, Settled: true}, 1},
		{"fine", "status", running, 0},
		{"something is tripped", "status", control.Status{Schema: 1, Tripped: tripped}, 1},
		{"there are problems", "status", control.Status{Schema: 1, Problems: []string{"x"}}, 1},
		{"nothing stored", "objects", control.ObjectList{Schema: 1}, 0},
	} {
		for _, format := range []string{"text", "json"} {
			t.Run(test.verb+" "+test.name+" "+format, func(t *testing.T) {
				e := newEndpoint(t, http.StatusOK, test.answer)
				args := map[string][]string{"purge": {"--all"}, "trip": {"--reason", "x"}, "reset": {"--reason", "x"}}[test.verb]
				stdout, stderr, code := controls(t.Context(), t, test.verb, append(args, "--format", format, "--address", e.address())...)
				if code != test.code || stdout == "" || stderr != "" {
					t.Errorf("exit %d, want %d; %s%s", code, test.code, stderr, stdout)
				}
				if format == "json" && !json.Valid([]byte(stdout)) {
					t.Errorf("no JSON: %s", stdout)
				}
			})
		}
	}
}

// TestControlRefusesCommandLines: nothing is asked.
func TestControlRefusesCommandLines(t *testing.T) {
	for _, test := range []struct {
		verb string
		args []string
		says string
	}{
		{"purge", nil, "one of url, key, route, tag, prefix and all was expected"},
		{"purge", []string{"--all", "--tag", "a"}, "exclude each other"},
		{"purge", []string{"--url", "example.com"}, "an absolute URL was expected"},
		{"purge", []string{"everything"}, `unexpected argument "everything"`},
		{"purge", []string{"--all", "--format", "xml"}, "text or json was expected"},
		{"purge", []string{"--all", "--color", "red"}, "auto, always or never was expected"},
		{"purge", []string{"--al"}, "unknown flag"},
		{"purge", []string{"--route", "\x1b[2J"}, `'\x1b' is in no name of a route`},
		{"trip", nil, "--reason is missing"},
		{"trip", []string{"--reason", "a\nb"}, "one line of text was expected"},
		{"reset", []string{"--reason", " "}, "--reason is missing"},
		{"reset", []string{"--reason", "x", "--all", "--route", "a"}, "exclude each other"},
		{"status", []string{"now"}, "unexpected argument"},
		{"status", []string{"--limit", "-1"}, "--limit"},
		{"objects", []string{"--limit", "0x"}, "invalid argument"},
		{"objects", []string{"--limit", "10001"}, "1 to 10000 was expected"},
		{"objects", []string{"--body"}, "--body needs the ID"},
		{"objects", []string{anID, anID}, "one ID was expected"},
		{"objects", []string{anID, "--route", "a"}, "exclude each other"},
	} {
		t.Run(test.verb+" "+strings.Join(test.args, " "), func(t *testing.T) {
			e := newEndpoint(t, http.StatusOK, "{}")
			stdout, stderr, code := controls(t.Context(), t, test.verb, append(slices.Clone(test.args), "--address", e.address())...)
			if code != 2 || !strings.Contains(stderr, test.says) || stdout != "" || len(e.requests) != 0 {
				t.Errorf("exit %d, %d requests, %q; %q was expected", code, len(e.requests), stderr, test.says)
			}
			if strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "see cacheward "+test.verb+" --help") {
				t.Errorf("%q is not one line that says where there is help", stderr)
			}
		})
	}
}

// TestControlWithoutAnAnswer: what is said, and whether the order may have been carried
// out.
func TestControlWithoutAnAnswer(t *testing.T) {
	for _, test := range []struct {
		name   string
		verb   string
		status int
		answer any
		says   string
		code   int
	}{
		{"the question is wrong", "trip", 400, `{"error":"no such thing"}`, "cacheward trip: no such thing\n", 2},
		{"there is no such route", "trip", 404, `{"error":"no running handler has a route \"x\""}`, `no running handler has a route "x"`, 2},
		{"it could not be done", "trip", 500, `{"error":"the disk is full"}`, "the disk is full", 2},
		{"a hostile error", "trip", 400, `{"error":"\u001b[2Jgone\nfine"}`, `\x1b[2Jgone\nfine`, 2},
		{"a Caddy without the plugin", "trip", 404, "404 page not found\n", "has no /cacheward/trip: it is a Caddy without Cacheward", 2},
		{"a redirect", "trip", 301, "", "301 Moved Permanently", 2},
		{"another server", "trip", 403, "<html>", "403 Forbidden, which no proxy with Cacheward does", 2},
		{"another schema", "trip", 200, `{"schema": 2}`, "has done something, but it answers in version 2 of the schema", 1},
		{"no JSON", "trip", 200, "done!", "has done something, but its answer cannot be read", 1},
		{"another schema of a list", "objects", 200, `{"schema": 2}`, "version 2 of the schema", 2},
		{"a status that is none", "status", 200, "<html>", "its answer cannot be read", 2},
		{"another shape", "status", 200, `{"schema": 1, "tripped": "yes"}`, "its answer cannot be read", 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEndpoint(t, test.status, test.answer)
			args := map[string][]string{"trip": {"--reason", "x"}}[test.verb]
			stdout, stderr, code := controls(t.Context(), t, test.verb, append(args, "--address", e.address())...)
			if code != test.code || !strings.Contains(stderr, test.says) || stdout != "" || strings.Count(stderr, "\n") != 1 {
				t.Errorf("exit %d, %q; %d and %q were expected", code, stderr, test.code, test.says)
			}
		})
	}
}

// TestControlFindsNoProxy: one line with the address that was tried and what to do.
func TestControlFindsNoProxy(t *testing.T) {
	e := newEndpoint(t, http.StatusOK, running)
	address := e.address()
	e.Close()
	for _, at := range []string{address, "unix/" + filepath.Join(t.TempDir(), "no.sock")} {
		_, stderr, code := controls(t.Context(), t, "status", "--address", at)
		if code != 2 || !strings.Contains(stderr, "no proxy answers at "+at) || !strings.Contains(stderr, "--address or --config says where") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("exit %d, %q", code, stderr)
		}
	}
	for _, at := range []string{"localhost:1-9", "http://localhost:2019", "localhost:x"} {
		if _, stderr, code := controls(t.Context(), t, "status", "--address", at); code != 2 || !strings.Contains(stderr, "is no admin address") {
			t.Errorf("%s: exit %d, %q", at, code, stderr)
		}
	}
	if _, stderr, code := controls(t.Context(), t, "status", "--config", "missing.Caddyfile"); code != 2 || !strings.Contains(stderr, "finding the admin endpoint") {
		t.Errorf("exit %d, %q", code, stderr)
	}
}

// TestControlAddressOfAConfig: the admin endpoint is looked up in the configuration.
func TestControlAddressOfAConfig(t *testing.T) {
	e := newEndpoint(t, http.StatusOK, running)
	file := filepath.Join(t.TempDir(), "caddy.json")
	if err := os.WriteFile(file, []byte(`{"admin": {"listen": "`+e.address()+`"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if stdout, stderr, code := controls(t.Context(), t, "status", "--config", file); code != 0 || len(e.requests) != 1 {
		t.Errorf("exit %d, %s%s", code, stderr, stdout)
	}
}

// TestControlOverASocket: as Caddy accepts it, without an origin.
func TestControlOverASocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Skip(err)
	}
	var host, origin string
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, origin = r.Host, r.Header.Get("Origin")
		_ = json.NewEncoder(w).Encode(running)
	})}}
	server.Start()
	defer server.Close()
	for _, address := range []string{"unix/" + path, "unix/" + path + "|0220"} {
		stdout, stderr, code := controls(t.Context(), t, "status", "--address", address)
		if code != 0 || host != "127.0.0.1" || origin != "" {
			t.Errorf("%s: exit %d, host %q, origin %q, %s%s", address, code, host, origin, stderr, stdout)
		}
	}
}

// TestControlIsInterrupted: it ends, and says that the order may have been carried out.
func TestControlIsInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	over := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		interrupt()
		<-over
	}))
	defer server.Close()
	defer close(over)
	_, stderr, code := controls(ctx, t, "purge", "--all", "--address", strings.TrimPrefix(server.URL, "http://"))
	if code != 1 || !strings.Contains(stderr, "interrupted: whether it was done is not known") {
		t.Errorf("exit %d, %q", code, stderr)
	}
}

// TestControlConnectionBreaks: after the order was sent, before the answer was whole.
func TestControlConnectionBreaks(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cacheward/purge" {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("{"))
		}
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	for verb, args := range map[string][]string{"purge": {"--all"}, "trip": {"--reason", "x"}} {
		_, stderr, code := controls(t.Context(), t, verb, append(args, "--address", strings.TrimPrefix(server.URL, "http://"))...)
		if code != 1 || !strings.Contains(stderr, "whether it was done is not known") {
			t.Errorf("%s: exit %d, %q", verb, code, stderr)
		}
	}
}

// TestControlHelp: the usage of each verb names all of its flags, and there are examples.
func TestControlHelp(t *testing.T) {
	for _, v := range Verbs() {
		if !slices.Contains([]string{"purge", "trip", "reset", "status", "objects"}, v.Name()) {
			continue
		}
		if !strings.Contains(v.Long, "$ cacheward "+v.Name()) || !strings.Contains(v.Long, "Exit status: 0") {
			t.Errorf("%s: no example, or no exit status", v.Name())
		}
		for line := range strings.Lines(v.Long) {
			if len([]rune(line)) > 96 {
				t.Errorf("%s: a long line: %s", v.Name(), line)
			}
		}
	}
}

func TestWhoami(t *testing.T) {
	t.Setenv("SUDO_USER", "ali\x1bce"+strings.Repeat("é", 200))
	by := whoami()
	if err := (control.Purge{All: true, By: by}).Check(); err != nil || !strings.HasPrefix(by, "ali?ce") {
		t.Errorf("%q: %v", by, err)
	}
}

func TestShellLine(t *testing.T) {
	if got := shellLine([]string{"cacheward", "purge", "--url", "https://a.example/?a=1&b='$(x)", ""}); got != `cacheward purge --url 'https://a.example/?a=1&b='\''$(x)' ''` {
		t.Error(got)
	}
}
