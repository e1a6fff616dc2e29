package incidents

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/integration/edge"
)

// policyInForce is the digest of the policy that a node has in force.
func policyInForce(t *testing.T, node *edge.Site) string {
	t.Helper()
	out, code := node.Run(t, "status", "--format", "json")
	var status control.Status
	if err := json.Unmarshal([]byte(out), &status); err != nil || len(status.Handlers) != 1 {
		t.Fatalf("status: exit %d, %v in %s", code, err, out)
	}
	return status.Handlers[0].Policy
}

// checkRepair: when a node has taken another policy, nothing that the old one stored is
// in anybody's reach; and a node that has not taken it can be told from one that has.
func checkRepair(t *testing.T, s *stage) {
	repaired := s.config(`
		route files {
			path *.png *.js *.css
			cache 5m
		}`)
	other := edge.StartSite(t, binary, s.config(s.policy))
	if policyInForce(t, s.site) != policyInForce(t, other) {
		t.Error("two nodes with one policy have different digests")
	}
	news := request{target: "/news"}
	s.untilHit(t, news)
	s.site.Reload(t, repaired)
	for range 5 {
		if a := s.ask(t, news); a.hit() {
			t.Error("what the old policy stored was served under the new one")
		}
	}
	if policyInForce(t, s.site) == policyInForce(t, other) {
		t.Error("nothing tells the node with the old policy from the one with the new one")
	}
	// With a rule that judges otherwise, the objects of the former one are of no use.
	s.site.Reload(t, s.config(s.policy+"\n\t\tidentity {\n\t\t\tcookie session\n\t\t}"))
	if a := s.ask(t, news); a.hit() {
		t.Error("what another policy stored was served")
	}
	s.site.Reload(t, s.config(s.policy))
}

// checkFaultyPolicy: a policy that cannot be loaded is refused aloud, and as a whole.
func checkFaultyPolicy(t *testing.T, s *stage) {
	before := policyInForce(t, s.site)
	config := filepath.Join(t.TempDir(), "Caddyfile")
	_, port := edge.SplitPort(t, s.address)
	text := "http://:" + port + " {\n\tcacheward {\n\t\troute news {\n\t\t\tpath /news\n\t\t\tcache 5 minutes\n\t\t}\n\t}\n}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, code := s.site.Run(t, "reload", "--force", "--config", config, "--adapter", "caddyfile"); code == 0 {
		t.Error("a policy with a fault in it was loaded")
	}
	if after := policyInForce(t, s.site); after != before {
		t.Errorf("policy %s is in force, and %s was before a policy that could not be loaded", after, before)
	}
}
