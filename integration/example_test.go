package integration

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

// example is Caddyfile.example with its addresses replaced by free ones.
func example(t *testing.T, dir, listen, upstream, admin string) string {
	t.Helper()
	data, err := os.ReadFile("../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listen)
	text := string(data)
	for _, edit := range [][2]string{
		{"http://:8080 {", "http://:" + port + " {\n\tbind 127.0.0.1"},
		{"127.0.0.1:9201", upstream},
		{"output file audit.log", "output file " + filepath.Join(dir, "audit.log")},
		{"\tlog audit {", "\tadmin " + admin + "\n\tlog audit {"},
	} {
		if !strings.Contains(text, edit[0]) {
			t.Fatalf("Caddyfile.example has no %q", edit[0])
		}
		text = strings.Replace(text, edit[0], edit[1], 1)
	}
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// The example runs as it stands in front of the demo's app, and shows a
// corroborated hit, a bypass and, before the first version of the app, a refusal.
func TestExampleInFrontOfTheDemo(t *testing.T) {
	for _, tt := range []struct {
		name    string
		version int
	}{{"page with state", 0}, {"page without state", 1}} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			apps := edge.FreeAddresses(t, 2)
			ports := edge.FreeAddresses(t, 3)
			edge.Start(t, binary, dir, apps, "demo", "--serve", "--listen", ports[0], "--app", apps[0])
			config := example(t, dir, ports[1], apps[tt.version], ports[2])
			for _, verb := range []string{"validate", "adapt"} {
				if _, stderr, code := command(t, verb, "--config", config, "--adapter", "caddyfile"); code != 0 {
					t.Fatalf("cacheward %s: exit %d\n%s", verb, code, stderr)
				}
			}
			edge.Start(t, binary, dir, ports[1:], "run", "--config", config, "--adapter", "caddyfile")
			url, log := "http://"+ports[1], filepath.Join(dir, "audit.log")

			first := visit(t, url+"/register/lp?ref=A1", "hapitas.example")
			if first.StatusCode != 200 || first.Header.Get("Cache-Control") != "private, no-store" {
				t.Fatalf("first visit: %s, Cache-Control %q", first.Status, first.Header.Get("Cache-Control"))
			}
			if tt.version == 0 {
				checkRefusal(t, url, log, first)
			} else {
				checkHit(t, url, log, first)
			}
			bypass := visit(t, url+"/register/lp?ref=A1", "hapitas.example", "Cookie", "session=mine")
			if !strings.Contains(bypass.cacheward(), "fwd=bypass") || !strings.Contains(bypass.cacheward(), "detail=identity") {
				t.Errorf("visit with a session: Cache-Status %q", bypass.cacheward())
			}
			r := waitForRecord(t, log, "the bypass", func(r record) bool { return r.Outcome == "bypass" })
			if r.Event != "bypass" || r.Route != "landing" || len(r.Reasons) != 1 || r.Reasons[0] != "identity" || r.Schema != 1 {
				t.Errorf("record of the bypass: %+v", r)
			}
		})
	}
}

func checkHit(t *testing.T, url, log string, first answer) {
	t.Helper()
	stored := waitForRecord(t, log, "the store", func(r record) bool { return r.Event == "store" })
	hit := visit(t, url+"/register/lp?ref=B2&gclid=secret-click", "hapitas.example", "Cookie", "_ga=GA1.1")
	if !strings.HasPrefix(hit.cacheward(), "Cacheward; hit") {
		t.Errorf("second visit: Cache-Status %q", hit.cacheward())
	}
	if hit.body != first.body {
		t.Error("the second visitor got another page than the first")
	}
	if got := hit.Header.Get("CDN-Cache-Control"); got == "" {
		t.Error("an admitted object on a downstream route left without CDN-Cache-Control")
	}
	served := waitForRecord(t, log, "the hit", func(r record) bool { return r.Outcome == "hit" })
	if served.Object != stored.Object || served.Object == "" {
		t.Errorf("served object %q, stored %q", served.Object, stored.Object)
	}
	if !strings.Contains(served.URL, "ref=B2") || strings.Contains(served.URL, "secret-click") {
		t.Errorf("URL in the record: %q; ref is plain, gclid is not", served.URL)
	}
	if other := visit(t, url+"/register/lp?ref=A1", "sp.hapitas.example"); strings.Contains(other.cacheward(), "hit") {
		t.Errorf("the other host's first visit: Cache-Status %q", other.cacheward())
	}
}

func checkRefusal(t *testing.T, url, log string, first answer) {
	t.Helper()
	r := waitForRecord(t, log, "the divergence", func(r record) bool { return r.Event == "diverge" })
	if len(r.Reasons) == 0 || r.Reasons[0] != "divergent" || r.Divergence.Part != "body" ||
		!strings.Contains(r.Divergence.Near, "lead") {
		t.Errorf("record of the divergence: %+v", r)
	}
	second := visit(t, url+"/register/lp?ref=B2", "hapitas.example")
	if !strings.Contains(second.cacheward(), "detail=divergent") {
		t.Errorf("second visit: Cache-Status %q", second.cacheward())
	}
	if second.body == first.body {
		t.Error("the second visitor got the first one's page")
	}
}
