package command

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cacheward/cacheward/caddymodule/probe"
)

// TestProbeUnreached: where nobody answers, or nobody who is trusted, the command says what
// can be done, of each URL that it is about.
func TestProbeUnreached(t *testing.T) {
	t.Setenv(secretVariable, "")
	gone := httptest.NewServer(nil)
	gone.Close()
	trusted := site(t, false)
	untrusted := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0) // who does not trust it breaks off
	untrusted.StartTLS()
	defer untrusted.Close()
	address := func(text string) string {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return u.Host
	}
	resolve := func(text string) string { return "--resolve " + address(text) + ":ADDRESS" }
	const insecure = "--insecure accepts any certificate"
	const host = "nowhere.invalid" // no name server has it (RFC 6761 §6.4)
	for _, test := range []struct {
		name        string
		args        []string
		code        int
		says, lacks []string
	}{
		{"nobody listens", []string{gone.URL}, 2, []string{"no URL could be reached: dial tcp", resolve(gone.URL)}, []string{insecure}},
		{"nobody has the name", []string{"https://" + host + "/"}, 2, []string{"--resolve " + host + ":443:ADDRESS"}, []string{insecure}},
		{"resolved to nobody", []string{"http://" + host + "/", "--resolve", host + ":80:" + address(gone.URL)}, 2, []string{"--resolve " + host + ":80:ADDRESS"}, nil},
		{"nobody trusts it", []string{untrusted.URL}, 2, []string{"certificate", insecure, resolve(untrusted.URL)}, nil},
		{"beside one that answers", []string{trusted.URL, gone.URL, "--quick"}, 2, []string{"could not be found out", resolve(gone.URL)}, []string{resolve(trusted.URL)}},
		{"any certificate", []string{untrusted.URL, "--insecure"}, 0, nil, []string{"--resolve", "--insecure"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, stderr, code := probes(t, append(test.args, "--timeout", "5s")...)
			if code != test.code || strings.Count(stderr, "\n") > 1 {
				t.Errorf("exit %d, %s", code, stderr)
			}
			for _, want := range test.says {
				if !strings.Contains(stderr, want) {
					t.Errorf("no %q in %s", want, stderr)
				}
			}
			for _, not := range test.lacks {
				if strings.Contains(stderr, not) {
					t.Errorf("%q is in %s", not, stderr)
				}
			}
		})
	}
}

// TestProbeNextStep: of each failure there is said what helps, and nothing that does not.
func TestProbeNextStep(t *testing.T) {
	untrusted := &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	reset := &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}
	const resolve = "--resolve shop.example:443:ADDRESS connects to another address"
	for _, test := range []struct {
		url          string
		failed, edge error
		want         string
	}{
		{"https://shop.example/", nil, nil, ""},
		{"https://SHOP.example/", refused, nil, resolve},
		{"http://shop.example/", refused, nil, "--resolve shop.example:80:ADDRESS connects to another address"},
		{"https://shop.example/", fmt.Errorf("%w 10s", probe.ErrTimeout), nil, "--timeout waits longer; " + resolve},
		{"https://shop.example/", untrusted, nil, "--insecure accepts any certificate, if this is the right server; " + resolve},
		{"https://shop.example/", reset, nil, ""},
		{"https://[2001:db8::1]/", refused, nil, ""}, // --resolve cannot name it
		{"https://shop.example/", nil, untrusted, "--insecure accepts any certificate of the edge"},
		{"https://shop.example/", nil, refused, ""}, // --edge has the address
	} {
		r := &probe.Report{URLs: []probe.URLReport{{URL: test.url, Failure: test.failed, Edge: &probe.EdgeReport{Failure: test.edge}}}}
		r.URLs = append(r.URLs, r.URLs[0]) // what was said is not said again
		if got := nextStep(r); got != test.want {
			t.Errorf("%s, %v, %v: %q, want %q", test.url, test.failed, test.edge, got, test.want)
		}
	}
}

// counting is a site that counts what it is asked.
func counting(t *testing.T) (url string, asked *atomic.Int64) {
	asked = new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(s.Close)
	return s.URL, asked
}

// TestProbeTooFewRequests: it is said how many are needed at least, and as many are enough.
func TestProbeTooFewRequests(t *testing.T) {
	t.Setenv(secretVariable, "")
	u, asked := counting(t)
	for _, test := range []struct {
		args  []string
		least int
	}{
		{[]string{u}, 37},
		{[]string{u, "--quick"}, 21},
		{[]string{u, u + "/other"}, 74},
		{[]string{u, u + "/other?a=1", u + "/third", "--fresh", "a", "--visitors", "2"}, 78},
		{[]string{u, "--edge", strings.TrimPrefix(u, "http://")}, 57},
	} {
		for _, permitted := range []int{3, test.least - 1} {
			_, stderr, code := probes(t, append(test.args, "--max-requests", fmt.Sprint(permitted))...)
			want := fmt.Sprintf("--max-requests %d; at least %d", permitted, test.least)
			if code != 2 || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 || asked.Load() > 0 {
				t.Errorf("%q: exit %d after %d requests, no %q in %s", test.args, code, asked.Load(), want, stderr)
			}
		}
		if _, stderr, code := probes(t, append(test.args, "--max-requests", fmt.Sprint(test.least))...); code != 0 {
			t.Errorf("%q: exit %d with as many as are needed: %s", test.args, code, stderr)
		}
		if n := asked.Swap(0); n == 0 || n > int64(test.least) {
			t.Errorf("%q: %d requests, at most %d were permitted", test.args, n, test.least)
		}
	}
}

// TestProbeOutUnwritable: a report that could not be written is refused before anything is
// sent, and nothing is left where one could be.
func TestProbeOutUnwritable(t *testing.T) {
	t.Setenv(secretVariable, "")
	u, asked := counting(t)
	folder := t.TempDir()
	is := filepath.Join(folder, "is.xml")
	if err := os.WriteFile(is, []byte("an older report"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		filepath.Join(folder, "none", "x"): "no such file or directory", filepath.Join(is, "x"): "not a directory", folder: "is a directory",
	} {
		fresh := filepath.Join(folder, "fresh.json")
		_, stderr, code := probes(t, u, "--out", "json="+fresh, "--out", "json="+is, "--out", "junit="+name)
		if code != 2 || !strings.Contains(stderr, "--out junit="+name+": "+want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: exit %d, %s", name, code, stderr)
		}
		if asked.Load() > 0 {
			t.Fatalf("%s: %d requests were sent", name, asked.Load())
		}
		files, err := os.ReadDir(folder)
		if err != nil || len(files) != 1 {
			t.Errorf("%s: left %v, %v", name, files, err)
		}
		if data, err := os.ReadFile(is); err != nil || string(data) != "an older report" {
			t.Errorf("%s: the older report is %q, %v", name, data, err)
		}
	}
	if _, stderr, code := probes(t, u, "--quick", "--out", "json="+is); code != 0 || stderr != "" {
		t.Errorf("exit %d, %s", code, stderr)
	}
	if data, err := os.ReadFile(is); err != nil || !strings.HasPrefix(string(data), "{") {
		t.Errorf("%q, %v", data, err)
	}
	// What is no file is not tried: a pipe would wait for a reader.
	if _, stderr, code := probes(t, u, "--quick", "--out", "json="+os.DevNull); code != 0 {
		t.Errorf("exit %d, %s", code, stderr)
	}
}
