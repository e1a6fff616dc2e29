package integration

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

func TestExplainTranscripts(t *testing.T) { transcripts(t, "explain") }

// explained is the answer of cacheward explain --format json, as far as the tests look
// at it.
type explained struct {
	Reports []struct {
		Explanations []struct {
			Route   struct{ Name string }
			Verdict struct{ Action string }
			Key     struct {
				Digest string
				Live   bool
			}
			Response struct {
				Stored, Compared bool
				Reasons          []struct{ Code string }
				Divergence       struct{ Near string }
			}
		}
		Sharing struct{ Shared bool }
	}
}

func explain(t *testing.T, args ...string) explained {
	t.Helper()
	stdout, stderr, code := command(t, append([]string{"explain", "--format", "json"}, args...)...)
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	var answer explained
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil {
		t.Fatalf("%v in\n%s", err, stdout)
	}
	if len(answer.Reports) != 1 || len(answer.Reports[0].Explanations) == 0 {
		t.Fatalf("reports: %s", stdout)
	}
	return answer
}

// The running proxy explains what it then does, and with the origin at hand what it
// will do with its answers.
func TestExplainLive(t *testing.T) {
	const page = "http://hapitas.example/register/lp?ref=A1"
	for _, tt := range []struct {
		name    string
		version int
		stored  bool
	}{{"page with state", 0, false}, {"page without state", 1, true}} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			apps := edge.FreeAddresses(t, 2)
			ports := edge.FreeAddresses(t, 3)
			edge.Start(t, binary, dir, apps, "demo", "--serve", "--listen", ports[0], "--app", apps[0])
			config := example(t, dir, ports[1], apps[tt.version], ports[2])
			edge.Start(t, binary, dir, ports[1:], "run", "--config", config, "--adapter", "caddyfile")
			visit(t, "http://"+ports[1]+"/register/lp?ref=Z9", "hapitas.example")
			key := waitForRecord(t, filepath.Join(dir, "audit.log"), "the fill", func(r record) bool {
				return r.Event == "store" || r.Event == "diverge"
			}).Key

			live := explain(t, page, "--live", "--address", ports[2], "--origin", "http://"+apps[tt.version])
			e := live.Reports[0].Explanations[0]
			if e.Route.Name != "landing" || e.Verdict.Action != "cache" || !e.Key.Live || !strings.HasPrefix(e.Key.Digest, key) || key == "" {
				t.Errorf("live: %+v; the log has the key %q", e, key)
			}
			file := explain(t, page, strings.Replace(page, "A1", "B2", 1), "--config", config, "--origin", "http://"+apps[tt.version])
			if !file.Reports[0].Sharing.Shared {
				t.Error("two referrers do not share the landing page")
			}
			for name, r := range map[string]explained{"live": live, "by the file": file} {
				r := r.Reports[0].Explanations[0].Response
				if !r.Compared || r.Stored != tt.stored {
					t.Errorf("%s: %+v", name, r)
				}
				if !tt.stored && (r.Reasons[0].Code != "divergent" || !strings.Contains(r.Divergence.Near, "lead")) {
					t.Errorf("%s: %+v", name, r)
				}
			}
		})
	}
}
