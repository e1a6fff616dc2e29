package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/cobra"

	"github.com/cacheward/cacheward/caddymodule/explain"
)

const explainPolicy = `identity: {cookies: [session]}
routes:
  - name: landing
    match: {hosts: [shop.example], paths: [/lp]}
    cache: 5m
    params: {strip: [ref]}
`

// explains runs the command.
func explains(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := &cobra.Command{Use: "explain"}
	WireExplain(func(_ *cobra.Command, code int) error { return exitCode(code) })(cmd)
	var out, errOut bytes.Buffer
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&out)
	cmd.SetErr(&errOut)
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	if exit, ok := errors.AsType[exitCode](err); ok {
		code = int(exit)
	} else if err != nil {
		t.Fatal(err)
	}
	return out.String(), errOut.String(), code
}

type exitCode int

func (e exitCode) Error() string { return "exit " + strconv.Itoa(int(e)) }

func policyFileOf(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestExplainCommand(t *testing.T) {
	file := policyFileOf(t, explainPolicy)
	for _, test := range []struct {
		name, stdin string
		args        []string
		want        []string
	}{
		{"one URL", "", []string{"http://shop.example/lp?ref=A1", "--policy", file}, []string{"1 route     landing, cache 5m", "param ref  strip", "GET /lp HTTP/1.1"}},
		{"a method", "", []string{"post", "http://shop.example/lp", "--policy", file}, []string{"POST http", "method: The method"}},
		{"two URLs", "", []string{"http://shop.example/lp?ref=A", "http://shop.example/lp?ref=B", "--policy", file}, []string{"One object serves both", "param ref: A or B"}},
		{"a cookie", "", []string{"http://shop.example/lp", "--cookie", "session=1", "-p", file}, []string{"identity: The request has a cookie"}},
		{"a header", "", []string{"http://127.0.0.1/lp", "-H", "Host: shop.example", "-p", file}, []string{"GET http://shop.example/lp"}},
		{"a response", "HTTP/1.1 200 OK\nSet-Cookie: a=b\n\n", []string{"http://shop.example/lp", "-p", file, "--response", "-"}, []string{"status 200: refused", "set-cookie: The response sets a cookie", "not stored"}},
		{"a policy from standard input", explainPolicy, []string{"http://shop.example/lp", "-p", "-"}, []string{"landing, cache 5m at <stdin>:3:5"}},
		{"a profile", "", []string{"http://shop.example/lp", "-p", file, "--profile", "fastly,nginx"}, []string{"fastly  Fastly", "Surrogate-Control: no-store", "X-Accel-Expires: 0", "nothing is shared with it"}},
		{"all profiles", "", []string{"http://shop.example/lp", "-p", file, "--profile", "all"}, []string{"generic, which the route speaks", "Vercel-Cdn-Cache-Control: no-store"}},
		{"colours", "", []string{"http://shop.example/lp", "-p", file, "--color", "always"}, []string{"\x1b[1mlanding\x1b[0m"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			stdout, stderr, code := explains(t, test.stdin, test.args...)
			if code != 0 || stderr != "" {
				t.Fatalf("exit %d, %s", code, stderr)
			}
			for _, want := range test.want {
				if !strings.Contains(stdout, want) {
					t.Errorf("%q is not in\n%s", want, stdout)
				}
			}
		})
	}
}

func TestExplainCommandJSON(t *testing.T) {
	stdout, _, code := explains(t, "", "http://shop.example/lp?ref=A", "http://shop.example/lp?ref=B", "-p", policyFileOf(t, explainPolicy), "--format", "json")
	var answer explain.Answer
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil || code != 0 {
		t.Fatalf("exit %d, %v: %s", code, err, stdout)
	}
	if answer.Schema != 1 || len(answer.Reports) != 1 || len(answer.Reports[0].Explanations) != 2 || !answer.Reports[0].Sharing.Shared {
		t.Errorf("%s", stdout)
	}
}

func TestExplainCommandRefuses(t *testing.T) {
	file := policyFileOf(t, explainPolicy)
	bad := policyFileOf(t, "routes: [{name: a, match: {paths: [/]}, cache: 5}]")
	for _, test := range []struct {
		name string
		args []string
		says string
	}{
		{"no URL", nil, "a URL was expected"},
		{"three URLs", []string{"a", "b", "c"}, "unexpected argument"},
		{"a header without a colon", []string{"http://a/", "-H", "x"}, "'Name: value' was expected"},
		{"a header with a line break", []string{"http://a/", "-H", "x: a\nb: c"}, "line break"},
		{"a cookie without =", []string{"http://a/", "--cookie", "x"}, "name=value was expected"},
		{"a format", []string{"http://a/", "--format", "xml"}, "text or json"},
		{"a flag", []string{"http://a/", "--what"}, "unknown flag"},
		{"two policies", []string{"http://a/", "-p", file, "-c", file}, "exclude each other"},
		{"origin and response", []string{"http://a/", "--origin", "x", "--response", "y"}, "exclude each other"},
		{"address without live", []string{"http://a/", "--address", "x"}, "needs --live"},
		{"standard input twice", []string{"http://a/", "-p", "-", "--response", "-"}, "standard input"},
		{"a profile", []string{"http://a/", "-p", file, "--profile", "cloudfare"}, "did you mean \"cloudflare\"?"},
		{"no file", []string{"http://a/", "-p", file + ".missing"}, "no such file"},
		{"a policy that is wrong", []string{"http://a/", "-p", bad}, "no policy can be judged"},
		{"no URL that a server accepts", []string{"http://a/%zz", "-p", file}, "no server accepts"},
		{"no response", []string{"http://a/", "-p", file, "--response", file}, "status line"},
		{"an origin that is none", []string{"http://shop.example/lp", "-p", file, "--origin", "localhost"}, "was expected"},
	} {
		t.Run(test.name, func(t *testing.T) {
			stdout, stderr, code := explains(t, "", test.args...)
			if code != 2 || !strings.Contains(stderr, test.says) || stdout != "" {
				t.Errorf("exit %d, %q; %q was expected", code, stderr, test.says)
			}
		})
	}
}

// TestExplainCommandAsksTheOrigin: it is sent what the proxy would send, and nothing for
// a request that is not for the cache.
func TestExplainCommandAsksTheOrigin(t *testing.T) {
	file := policyFileOf(t, explainPolicy)
	var mu sync.Mutex
	var asked []*http.Request
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Clone(t.Context()))
		mu.Unlock()
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<input name=ref value='" + r.FormValue("ref") + "'>"))
	}))
	defer origin.Close()
	stdout, stderr, code := explains(t, "", "http://shop.example/lp?ref=ALICE-8f7e6d5c", "-p", file, "--origin", origin.URL, "-H", "X-Mine: 1", "--client", "203.0.113.9")
	if code != 0 || !strings.Contains(stdout, "divergent: Two answers") || !strings.Contains(stdout, "reflected-input") || !strings.Contains(stdout, "not stored") {
		t.Errorf("exit %d, %s\n%s", code, stderr, stdout)
	}
	if strings.Contains(stdout, "value='ALICE") {
		t.Error("the page itself is told")
	}
	if len(asked) != 2 {
		t.Fatalf("the origin was asked %d times", len(asked))
	}
	fill, own := asked[0], asked[1]
	if fill.RequestURI != "/lp" || fill.Host != "shop.example" || fill.UserAgent() != "Cacheward" || fill.Header.Get("X-Mine") != "" || fill.Header.Get("X-Forwarded-For") != explain.FillAddress {
		t.Errorf("fill: %s %s %v", fill.Host, fill.RequestURI, fill.Header)
	}
	if own.RequestURI != "/lp?ref=ALICE-8f7e6d5c" || own.Header.Get("X-Mine") != "1" || own.Header["User-Agent"] != nil || own.Header.Get("X-Forwarded-For") != "203.0.113.9" {
		t.Errorf("own: %s %v", own.RequestURI, own.Header)
	}

	asked = nil
	stdout, stderr, code = explains(t, "", "http://shop.example/lp", "--cookie", "session=1", "-p", file, "--origin", origin.URL)
	if code != 0 || len(asked) != 0 || !strings.Contains(stderr, "not asked") || !strings.Contains(stdout, "identity") {
		t.Errorf("exit %d, asked %d times, %s", code, len(asked), stderr)
	}
}

// TestExplainCommandSeesTheWholeAnswer: 1xx responses, trailers that are announced, and
// that a part is missing.
func TestExplainCommandSeesTheWholeAnswer(t *testing.T) {
	file := policyFileOf(t, explainPolicy)
	for _, test := range []struct {
		name, reason string
		answer       http.HandlerFunc
	}{
		{"a cookie in a 103 (RFC 8297)", "set-cookie: ", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Set-Cookie", "a=b")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Set-Cookie")
			w.WriteHeader(http.StatusOK)
		}},
		{"a trailer (RFC 9110 §6.6.2)", "incremental: ", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			w.WriteHeader(http.StatusOK)
			w.Header().Set("X-Sum", "1")
		}},
		{"a part is missing (RFC 9112 §8)", "truncated: ", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			_, _ = w.Write([]byte("hello"))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			origin := httptest.NewServer(test.answer)
			defer origin.Close()
			stdout, stderr, code := explains(t, "", "http://shop.example/lp", "-p", file, "--origin", origin.URL)
			if code != 0 || !strings.Contains(stdout, test.reason) {
				t.Errorf("exit %d, %s\n%s", code, stderr, stdout)
			}
		})
	}
}

// TestExplainLiveLeavesNoHandlerOut: a handler whose policy names no hosts governs
// everything, so it must not hide the one that the request reaches.
func TestExplainLiveLeavesNoHandlerOut(t *testing.T) {
	one := `{"policy": "%s", "explanations": [{"schema": 1, "route": {"name": "%s"}, "verdict": {"action": "cache"}}]}`
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"schema": 1, "reports": [`+one+`,`+one+`]}`, "handler one", "default", "handler two", "page")
	}))
	defer admin.Close()
	stdout, stderr, code := explains(t, "", "http://shop.example/lp", "--live", "--address", strings.TrimPrefix(admin.URL, "http://"))
	if code != 0 || !strings.Contains(stdout, "By handler one") || !strings.Contains(stdout, "By handler two") || !strings.Contains(stderr, "several handlers") {
		t.Errorf("exit %d, %s\n%s", code, stderr, stdout)
	}
}

func TestForHost(t *testing.T) {
	for _, test := range []struct {
		hosts []string
		host  string
		want  bool
	}{
		{nil, "a.example", true},
		{[]string{"a.example"}, "a.example:8080", true},
		{[]string{"A.example:443"}, "a.example", true},
		{[]string{"*.example"}, "a.example", true},
		{[]string{"*.example"}, "b.a.example", false},
		{[]string{"b.example", "c.example"}, "a.example", false},
	} {
		if got := forHost(test.hosts, test.host); got != test.want {
			t.Errorf("%v and %s: %t", test.hosts, test.host, got)
		}
	}
}

func TestMethodWord(t *testing.T) {
	for word, want := range map[string]bool{"GET": true, "post": true, "PURGE": true, "localhost": false, "http://a": false, "a.example": false} {
		if methodWord.MatchString(word) != want {
			t.Errorf("%q", word)
		}
	}
}
