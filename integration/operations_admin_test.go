package integration

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

// TestAdminRefuses: what is asked wrongly is answered with one sentence, and nothing is
// done.
func TestAdminRefuses(t *testing.T) {
	g := newGenerations(t)
	p := startProxy(t, proxySetup{origin: g.address(), policy: pagesPolicy})
	p.untilHit(t, "/lp")
	large := `{"all": true, "why": "` + strings.Repeat("x", 10<<20) + `"}`
	const object = "/cacheward/objects/01890a5d-ac96-774b-bcce-b302099a8057"
	for _, tt := range []struct {
		name, method, path, kind, body string
		status                         int
		want                           string
	}{
		{"malformed JSON", "POST", "/cacheward/purge", "application/json", `{"all": tru`, 400, ""},
		{"no JSON", "POST", "/cacheward/trip", "application/json", ``, 400, ""},
		{"more than one value", "POST", "/cacheward/purge", "application/json", `{"all": true} {"all": true}`, 400, ""},
		{"an unknown member", "POST", "/cacheward/purge", "application/json", `{"all": true, "rout": "landing"}`, 400, "rout"},
		{"a member twice", "POST", "/cacheward/purge", "application/json", `{"route": "landing", "route": "other"}`, 400, "route"},
		{"a wrong type", "POST", "/cacheward/purge", "application/json", `{"all": "yes"}`, 400, "all"},
		{"nothing to purge", "POST", "/cacheward/purge", "application/json", `{}`, 400, ""},
		{"two selections", "POST", "/cacheward/purge", "application/json", `{"all": true, "route": "landing"}`, 400, ""},
		{"an unknown route", "POST", "/cacheward/purge", "application/json", `{"route": "landin"}`, 404, "landin"},
		{"a bad key", "POST", "/cacheward/purge", "application/json", `{"key": "xyz"}`, 400, "xyz"},
		{"a short key", "POST", "/cacheward/purge", "application/json", `{"key": "3f2a"}`, 400, "3f2a"},
		{"a bad URL", "POST", "/cacheward/purge", "application/json", `{"url": "http://"}`, 400, ""},
		{"a trip without a reason", "POST", "/cacheward/trip", "application/json", `{"route": "landing"}`, 400, ""},
		{"a trip of no route", "POST", "/cacheward/trip", "application/json", `{"route": "nowhere", "why": "x"}`, 404, "nowhere"},
		{"a reset of nothing", "POST", "/cacheward/reset", "application/json", `{"why": "x"}`, 404, ""},
		{"plain text", "POST", "/cacheward/purge", "text/plain", `{"all": true}`, 415, "application/json"},
		{"a form", "POST", "/cacheward/trip", "application/x-www-form-urlencoded", `why=x`, 415, "application/json"},
		{"10 MiB", "POST", "/cacheward/purge", "application/json", large, 413, ""},
		{"a GET that orders", "GET", "/cacheward/purge", "", "", 405, ""},
		{"a DELETE", "DELETE", "/cacheward/trip", "application/json", `{"why": "x"}`, 405, ""},
		{"an order to status", "POST", "/cacheward/status", "application/json", `{}`, 405, ""},
		{"an unknown parameter", "GET", "/cacheward/objects?rout=landing", "", "", 400, "rout"},
		{"a limit of none", "GET", "/cacheward/objects?limit=many", "", "", 400, "many"},
		{"an unknown object", "GET", object, "", "", 404, "01890a5d"},
		{"a bad object", "GET", "/cacheward/objects/1", "", "", 400, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), tt.method, "http://"+p.admin+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Origin", "http://"+p.admin)
			if tt.kind != "" {
				req.Header.Set("Content-Type", tt.kind)
			}
			// With Connection: close, net/http would cut the connection while the client
			// still sends.
			client := &http.Client{Timeout: edge.Patience, Transport: new(http.Transport)}
			defer client.CloseIdleConnections()
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			text, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != tt.status {
				t.Errorf("status %d, want %d: %s", res.StatusCode, tt.status, text)
			}
			if tt.status == http.StatusMethodNotAllowed { // net/http's own words
				if string(text) != "Method Not Allowed\n" || res.Header.Get("Allow") == "" {
					t.Errorf("%q, Allow %q", text, res.Header.Get("Allow"))
				}
				return
			}
			said := decode[struct {
				Error string `json:"error"`
			}](t, string(text)).Error
			if said == "" || strings.Contains(said, "\n") || len(said) > 400 || !strings.Contains(said, tt.want) {
				t.Errorf("the answer is not one sentence with %q: %q", tt.want, said)
			}
		})
	}
	status, code := p.status(t)
	if code != 0 || len(status.Tripped) > 0 {
		t.Errorf("something is tripped: %+v", status.Tripped)
	}
	if a := visit(t, p.url("/lp"), p.site); !strings.Contains(a.cacheward(), "; hit") {
		t.Errorf("the page is no more in the store: %q", a.cacheward())
	}
	p.settled(t)
	for _, o := range p.operations(t) {
		if o.Event == "purge" || o.Event == "trip" || o.Event == "reset" {
			t.Errorf("a record of what was not done: %+v", o)
		}
	}
}

// TestControlWithoutProxy: commands that reach nobody say so in one line.
func TestControlWithoutProxy(t *testing.T) {
	nobody := edge.FreeAddresses(t, 1)[0]
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	for _, args := range [][]string{
		{"purge", "--all"}, {"trip", "--reason", "x"}, {"reset", "--reason", "x"}, {"status"}, {"objects"},
	} {
		for what, address := range map[string]string{"no proxy": nobody, "something else": other.Listener.Addr().String()} {
			stdout, stderr, code := command(t, append(args, "--address", address)...)
			if code != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, address) {
				t.Errorf("%s, %q: exit %d, stdout %q, stderr %q", what, args, code, stdout, stderr)
			}
		}
		stdout, stderr, code := command(t, append(args, "--adress", nobody)...)
		if code != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 {
			t.Errorf("a wrong flag, %q: exit %d, stdout %q, stderr %q", args, code, stdout, stderr)
		}
	}
}

// TestControlRefused: a mistake is told in one line, with exit status 2.
func TestControlRefused(t *testing.T) {
	g := newGenerations(t)
	p := startProxy(t, proxySetup{origin: g.address(), policy: pagesPolicy})
	for _, tt := range []struct{ want, args string }{
		{"landin", "purge --route landin"},
		{"key", "purge --key xyz"},
		{"", "purge"},
		{"", "purge --all --tag pages"},
		{"reason", "trip --route landing"},
		{"landin", "trip --route landin --reason x"},
		{"not tripped", "reset --reason x"},
		{"extra", "status extra"},
	} {
		args := strings.Fields(tt.args)
		stdout, stderr, code := p.run(t, args[0], args[1:]...)
		if code != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", tt.args, code, stdout, stderr)
		}
	}
}

// TestNothingOnThePublicListener: there, the admin endpoint's paths are the app's.
func TestNothingOnThePublicListener(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "the app: %s %s %s", r.Method, r.URL.Path, body)
	}))
	t.Cleanup(origin.Close)
	p := startProxy(t, proxySetup{origin: origin.Listener.Addr().String(), policy: pagesPolicy})
	for _, path := range []string{"purge", "trip", "reset", "status", "objects", "explain"} {
		path = "/cacheward/" + path
		body := []byte(`{"all":true,"why":"x"}`)
		res, err := http.Post(p.url(path), "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if want := fmt.Sprintf("the app: POST %s %s", path, body); err != nil || string(text) != want {
			t.Errorf("POST %s: %q, %v", path, text, err)
		}
		if a := visit(t, p.url(path), p.site); a.body != "the app: GET "+path+" " {
			t.Errorf("GET %s: %q", path, a.body)
		}
	}
	if status, code := p.status(t); code != 0 {
		t.Errorf("tripped: %+v", status.Tripped)
	}
}
