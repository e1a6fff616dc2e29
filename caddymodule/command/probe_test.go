package command

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
	"github.com/cacheward/cacheward/caddymodule/probe"
)

// probes runs the command.
func probes(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := &cobra.Command{Use: "probe"}
	WireProbe(func(_ *cobra.Command, code int) error { return exitCode(code) })(cmd)
	var out, errOut bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&errOut)
	cmd.SetArgs(append([]string{"--rate", "1000000"}, args...))
	err := cmd.ExecuteContext(t.Context())
	if exit, ok := errors.AsType[exitCode](err); ok {
		code = int(exit)
	} else if err != nil {
		t.Fatal(err)
	}
	return out.String(), errOut.String(), code
}

// site shows each visitor where they come from; what leaks has the first answer of each
// path for everybody.
func site(t *testing.T, leaks bool) *httptest.Server {
	var mu sync.Mutex
	stored := make(map[string]string)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body := "you come from " + r.Referer()
		if leaks {
			if stored[r.URL.Path] == "" {
				stored[r.URL.Path] = body
			}
			body = stored[r.URL.Path]
		}
		w.Header().Set("Cache-Control", "private, no-store")
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s
}

// TestProbeExitStatus: 0 is for no leak, 1 for a leak, 2 where it could not be found out.
func TestProbeExitStatus(t *testing.T) {
	t.Setenv(secretVariable, "")
	fine, leaking := site(t, false), site(t, true)
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer broken.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, test := range []struct {
		name string
		args []string
		code int
		out  string
		err  string
	}{
		{"fine", []string{fine.URL}, 0, "SHARED: ", ""},
		{"a leak", []string{leaking.URL + "/lp"}, 1, "LEAK: ", ""},
		{"a leak, quick", []string{leaking.URL + "/quick", "--quick"}, 1, "LEAK: ", ""},
		{"one of two", []string{fine.URL, leaking.URL + "/other", "--quick"}, 1, "LEAK: ", ""},
		{"errors alone", []string{broken.URL}, 2, "status 502, which says nothing of the page", "nothing could be found out"},
		{"errors beside a page", []string{broken.URL, fine.URL, "--quick"}, 2, "UNKNOWN: ", "could not be found out whether there is a leak: " + broken.URL},
		{"nobody answers", []string{gone.URL}, 2, "UNKNOWN: ", "no URL could be reached: dial tcp"},
	} {
		t.Run(test.name, func(t *testing.T) {
			stdout, stderr, code := probes(t, test.args...)
			if code != test.code || !strings.Contains(stdout, test.out) || !strings.Contains(stderr, test.err) || test.err == "" && stderr != "" {
				t.Errorf("exit %d\n%s\n%s", code, stdout, stderr)
			}
		})
	}
}

// TestProbeUsage: what cannot be meant is refused before anything is sent.
func TestProbeUsage(t *testing.T) {
	t.Setenv(secretVariable, "")
	short := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(short, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty.yaml")
	if err := os.WriteFile(empty, []byte("routes: {"), 0o600); err != nil {
		t.Fatal(err)
	}
	const u = "http://a.invalid/"
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "a URL was expected"},
		{[]string{"a.invalid"}, `"a.invalid"; a URL such as https://example.com/ was expected`},
		{[]string{u, "--format", "xml"}, `--format "xml"`},
		{[]string{u, "--color", "blue"}, `--color "blue"; auto, always or never was expected`},
		{[]string{u, "--out", "junit"}, `--out "junit"; a format and a file were expected`},
		{[]string{u, "--edge", "10.0.0.7"}, `--edge "10.0.0.7"; an address such as 10.0.0.7:443 was expected`},
		{[]string{u, "--resolve", "a.invalid:10.0.0.7"}, `--resolve "a.invalid:10.0.0.7"; host:port:address was expected`},
		{[]string{u, "--resolve", "a.invalid:80:b.invalid"}, `--resolve "a.invalid:80:b.invalid"; host:port:address was expected`},
		{[]string{u, "--visitors", "1"}, "1 visitors; 2 to 16 were expected"},
		{[]string{u, "--rate", "0"}, "--rate and --timeout must be above 0"},
		{[]string{u, "--header", "Content-Length"}, "header Content-Length cannot be probed"},
		{[]string{u, "--param", "a=b"}, `param "a=b"`},
		{[]string{u, "--send", "Host: b"}, "--send: the host is that of the URL"},
		{[]string{u, "--send", "x\r\ny: z"}, "'Name: value' was expected"},
		{[]string{u, "--secret-file", short}, "the secret of probes has 5 bytes"},
		{[]string{u, "--secret-file", short + ".none"}, "no such file or directory"},
		{[]string{u, "--policy", empty}, "empty.yaml"},
		{[]string{u, "--secret", "x"}, "unknown flag: --secret"},
	} {
		stdout, stderr, code := probes(t, test.args...)
		if code != 2 || stdout != "" || !strings.Contains(stderr, test.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: exit %d, %s%s", test.args, code, stdout, stderr)
		}
	}
}

// TestProbeFormats: JSON and JUnit are what they are called, on standard output and in
// files.
func TestProbeFormats(t *testing.T) {
	t.Setenv(secretVariable, "")
	s := site(t, true)
	file := filepath.Join(t.TempDir(), "probe.xml")
	stdout, stderr, code := probes(t, s.URL+"/lp?ref=A1", "--format", "json", "--out", "junit="+file, "--cookie", "cart", "--header", "X-Device", "--param", "size")
	var r probe.Report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != 1 || stderr != "" || r.Verdict != probe.Leak || r.Schema != probe.Schema {
		t.Fatalf("%v, exit %d, %s", err, code, stderr)
	}
	var names []string
	for _, in := range r.URLs[0].Inputs {
		names = append(names, in.Input)
	}
	for _, want := range []string{"nothing", "everything", "param ref", "param size", "cookie cart", "header X-Device", "header Referer"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is missing in %q", want, names)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var suites probeSuites
	if err := xml.Unmarshal(data, &suites); err != nil || suites.Tests != len(names) || suites.Failures == 0 || len(suites.Suites) != 1 {
		t.Errorf("%v: %s", err, data)
	}
}

// TestProbeSends: the fields of --send, the secret of the file and the address of --resolve.
func TestProbeSends(t *testing.T) {
	t.Setenv(secretVariable, "of the environment, long enough")
	var mu sync.Mutex
	var seen []*http.Request
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r)
	}))
	defer s.Close()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(" a secret of the file, long enough\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := probes(t, "http://a.invalid:8080/lp", "--quick", "--resolve", "A.invalid:8080:"+s.Listener.Addr().String(), "--secret-file", file,
		"--send", "Authorization: Basic eDp5", "--send", "Cookie: consent=1")
	if code != 0 || len(seen) != 21 {
		t.Fatalf("exit %d, %d requests, %s", code, len(seen), stderr)
	}
	secret, err := probe.NewSecret("a secret of the file, long enough")
	if err != nil {
		t.Fatal(err)
	}
	verifier := probe.NewVerifier(secret)
	for _, r := range seen {
		if _, err := verifier.Verify(r.Header.Get(probe.SignatureField), time.Now()); err != nil {
			t.Error(err)
		}
		consent, err := r.Cookie("consent")
		if err != nil || consent.Value != "1" || r.Header.Get("Authorization") != "Basic eDp5" || r.Host != "a.invalid:8080" {
			t.Errorf("%v, %v", r.Header, err)
		}
	}
}

const probedPolicy = `
version: 1
identity: {cookies: [session, "remember_*"], headers: [X-Api-Key]}
routes:
  - name: landing
    match: {hosts: [a.example], paths: [/lp]}
    cache: 5m
    params: {key: [source, ref], strip: ["@analytics"], bypass: [preview], deny: [debug], others: bypass}
    cookies: {strip: ["@analytics"], key: [tier], others: bypass}
    headers: {key: [{name: Accept-Language, values: [ja, en]}], strip: [X-Device, X-Forwarded-Host], bypass: ["X-Ab-*"]}
`

// TestProbePolicy: the inputs that a policy names are probed, those excepted that would
// harm somebody or say nothing.
func TestProbePolicy(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(probedPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	policies, err := loadProbed(file)
	if err != nil {
		t.Fatal(err)
	}
	p := &probing{policies: policies}
	d := p.declared(&url.URL{Scheme: "https", Host: "A.example", Path: "/lp", RawQuery: "ref=A1&debug=1"})
	var got []string
	for _, in := range d.Inputs {
		got = append(got, in.String()+" "+in.Policy)
	}
	want := []string{
		"param ref key", "param debug deny", "cookie cacheward_probe bypass", "header Referer strip", "header User-Agent strip", "header Accept-Language key", "header From strip",
		"param source key", "param ref key", "param utm_cw strip", "param preview bypass", "cookie tier key", "cookie _gacw strip",
		"header Accept-Language key", "header X-Device strip", "header X-Ab-cw bypass", "cookie session bypass", "cookie remember_cw bypass",
	}
	if !slices.Equal(got, want) || d.Fresh != "source" {
		t.Errorf("fresh %q\n%q\n%q", d.Fresh, got, want)
	}
	if d := p.declared(&url.URL{Scheme: "https", Host: "b.example", Path: "/"}); d.Fresh != "" {
		t.Errorf("%+v", d)
	}
	p.fresh = "size"
	if d := p.declared(&url.URL{Scheme: "https", Host: "a.example", Path: "/lp"}); d.Fresh != "size" {
		t.Errorf("%+v", d)
	}
}

// TestProbeOfACaddyfile: of several sites, that of the URL's host counts.
func TestProbeOfACaddyfile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "Caddyfile")
	text := "a.example {\n\tcacheward {\n\t\troute one {\n\t\t\tpath /lp\n\t\t\tcache 5m\n\t\t\tparam key alpha\n\t\t}\n\t}\n}\n" +
		"b.example {\n\tcacheward {\n\t\troute two {\n\t\t\tpath /lp\n\t\t\tcache 5m\n\t\t\tparam key beta\n\t\t}\n\t}\n}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	policies, err := loadProbed(file)
	if err != nil {
		t.Fatal(err)
	}
	p := &probing{policies: policies}
	for host, want := range map[string]string{"a.example": "alpha", "b.example": "beta", "c.example": ""} {
		if d := p.declared(&url.URL{Scheme: "https", Host: host, Path: "/lp"}); d.Fresh != want {
			t.Errorf("%s: %+v", host, d)
		}
	}
}

// someReport has something of everything.
func someReport() *probe.Report {
	const u = "https://hapitas.example/register/lp?ref=A1"
	headers := map[string]string{"cache-control": "private, no-store", "x-varnish": "32778 32771", "age": "0", "via": "1.1 Caddy, 1.1 varnish (Varnish/7.1)"}
	receipt := &probe.Receipt{URI: "/register/lp?ref=A1", Route: "landing", Outcome: "pass", Reasons: []string{"divergent", "remembered-refusal"}}
	leak := probe.Evidence{
		Kind: probe.EvidenceReceipt, Who: probe.WhoCDN, Giver: "X", Receiver: "Y", Group: "nothing", URL: u, Sent: moment, Received: moment.Add(41 * time.Millisecond),
		Phase: "one after the other", Headers: headers, Receipt: receipt,
		Sentence: "Y was given the answer of X, which the edge had not permitted to be given to anybody else (outcome pass, divergent, remembered-refusal).",
	}
	again := leak
	again.Phase = "at once"
	canary := leak
	canary.Kind, canary.Giver, canary.Receiver, canary.Input, canary.Group = probe.EvidenceCanary, "X4", "Y4", "header Referer", "header Referer"
	canary.Sentence = "Y4 was given a page with X4's header Referer in it (body, byte 570, near input lead). Y4 has never sent that value."
	shared := leak
	shared.Kind, shared.Sent, shared.Giver = probe.EvidenceRefused, time.Time{}, ""
	shared.Receipt = &probe.Receipt{URI: "/register/lp?ref=B2", Route: "landing", Outcome: "hit", Shared: true, TTL: 60, Keyed: []string{"param ref"}}
	shared.Sentence = "Z was given an answer that was made for somebody else (x-varnish: 32778 32771; it has no receipt of the edge) and says that it must not be shared (private, no-store)."
	return &probe.Report{
		Schema: 1, Began: moment, Ended: moment.Add(6700 * time.Millisecond), Verdict: probe.Leak, Requests: 134, Receipts: true,
		URLs: []probe.URLReport{
			{
				URL: u, Verdict: probe.Leak, LeakCount: 31, Routes: []string{"landing"}, Leaks: []probe.Evidence{leak, again, canary, shared},
				Inputs: []probe.InputReport{
					{Input: "nothing", Verdict: probe.Leak, InKey: "?", Arrives: "?"},
					{Input: "param ref", Policy: "key", Verdict: probe.Leak, InKey: "no", Arrives: "yes", Reflected: true},
					{Input: "header Referer", Policy: "strip", Verdict: probe.Leak, InKey: "no", Arrives: "yes", Reflected: true},
					{Input: "cookie session", Policy: "bypass", Verdict: probe.Isolated, InKey: "yes", Arrives: "yes"},
					{Input: "header X-Device", Verdict: probe.Unknown, InKey: "?", Arrives: "no"},
				},
				Cache: probe.Behaviour{Names: []string{"Varnish"}, Stores: "yes", Query: "no", Obeys: "no", Coalesces: "?", Status: map[string]int{"x-varnish: hit": 31, "x-varnish: miss": 103}},
				Edge:  &probe.EdgeReport{Address: "10.0.0.7:443", Verdict: probe.Isolated},
				Notes: []string{"no parameter is known of which any value will do, so caches may have had the page before the probe asked for it"},
			},
			{
				URL: "https://hapitas.example/", Verdict: probe.Shared, Inputs: []probe.InputReport{{Input: "nothing", Verdict: probe.Shared, InKey: "?", Arrives: "?"}},
				Cache: probe.Behaviour{Stores: "?", Query: "?", Obeys: "?", Coalesces: "?"}, Errors: []string{"no answer within 10s (2 times)"},
			},
		},
		Notes: []string{"there is no secret, so no receipts: a leak is found only where a page repeats what a visitor has sent"},
	}
}

func TestProbeTexts(t *testing.T) {
	t.Run("leak", func(t *testing.T) { compare(t, "../probe/leak", probedText(plain100, someReport())) })
	t.Run("leak-color", func(t *testing.T) {
		wide := plain100
		wide.Color, wide.width, wide.terminal = true, 120, true
		compare(t, "../probe/leak-color", probedText(wide, someReport()))
	})
	t.Run("junit", func(t *testing.T) {
		text, err := probeJUnit(someReport())
		if err != nil {
			t.Fatal(err)
		}
		compare(t, "../probe/junit", text)
	})
}

// TestProbeTextsAreSafe: nothing of what a site has answered is obeyed by a terminal, or
// makes the XML unreadable.
func TestProbeTextsAreSafe(t *testing.T) {
	const evil = "\x1b[2J\x1b]0;x\a\u202e\r\n\u009b31m]]><x>&\x00"
	r := someReport()
	u := &r.URLs[0]
	u.URL, u.Errors, u.Notes, r.Notes = evil, []string{evil}, []string{evil}, []string{evil}
	u.Inputs[0].Input, u.Inputs[0].Policy, u.Inputs[0].InKey = evil, evil, evil
	u.Cache.Names, u.Cache.Status = []string{evil}, map[string]int{evil: 1}
	for i := range u.Leaks {
		e := &u.Leaks[i]
		e.Sentence, e.URL, e.Where, e.Phase, e.Giver, e.Group = evil, evil, evil, evil, evil, evil
		e.Headers, e.Receipt = map[string]string{evil: evil}, &probe.Receipt{URI: evil, Route: evil, Outcome: evil, Reasons: []string{evil}, Keyed: []string{evil}, Shared: true}
	}
	if text := probedText(plain100, r); strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
		t.Errorf("%q", text)
	}
	text, err := probeJUnit(r)
	if err != nil {
		t.Fatal(err)
	}
	var suites probeSuites
	if err := xml.Unmarshal([]byte(text), &suites); err != nil || suites.Suites[0].Name != show.Safe(evil) {
		t.Errorf("%v: %s", err, text)
	}
}

func TestProbeHelp(t *testing.T) {
	i := slices.IndexFunc(Verbs(), func(c *cobra.Command) bool { return c.Name() == "probe" })
	if i < 0 {
		t.Fatal("there is no verb probe")
	}
	v := Verbs()[i]
	if !strings.Contains(v.Long, "$ cacheward probe") || !strings.Contains(v.Long, "Exit status: 0") {
		t.Error("no example, or no exit status")
	}
	for line := range strings.Lines(v.Long) {
		if len([]rune(line)) > 96 {
			t.Errorf("a long line: %s", line)
		}
	}
}

func TestProbeProgress(t *testing.T) {
	var b strings.Builder
	now := moment
	p := &progress{w: &b, now: func() time.Time { return now }, started: moment}
	p.requests(1, 134)
	if b.Len() > 0 {
		t.Errorf("%q at once", b.String())
	}
	now = now.Add(2 * time.Second)
	p.requests(67, 134)
	p.end()
	if want := fmt.Sprintf("\r\x1b[K%s 50.0 %%, 67 of 134 requests\r\x1b[K", show.Bar(0.5, 30)); b.String() != want {
		t.Errorf("%q", b.String())
	}
}
