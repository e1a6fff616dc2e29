package attribution

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
	"github.com/cacheward/cacheward/policies"
)

// site is one of the app's, told from the others by host: one for each model and each way
// to deliver.
type site struct{ model, as string }

func (s site) host() string { return s.model + "." + s.as + ".example" }

// siteOf is the site that a host is of; a port does not matter.
func siteOf(host string) site {
	host, _, _ = strings.Cut(host, ":")
	model, rest, _ := strings.Cut(host, ".")
	return site{model, strings.TrimSuffix(rest, ".example")}
}

// sites are all of them.
func sites() (all []site) {
	for _, model := range []policies.AttributionModel{policies.ModelFirst, policies.ModelLast, policies.ModelLastPaid} {
		for _, as := range []policies.DeliverAs{policies.AsHeader, policies.AsQuery, policies.AsCookie} {
			all = append(all, site{string(model), string(as)})
		}
	}
	return all
}

// referers says whether the site takes them: in parameters and cookies there is no place
// for one.
func (s site) referers() bool { return s.as == string(policies.AsHeader) }

// route is the site's landing page in a policy; more are lines of its attribution.
func (s site) route(more ...string) string {
	if s.referers() {
		more = append(more, "referer: external")
	}
	lines := []string{
		"name: " + strings.NewReplacer(".", "-").Replace(strings.TrimSuffix(s.host(), ".example")),
		"match: {hosts: [" + s.host() + "], paths: [/lp, /lp/*]}",
		"cache: 5m",
		"attribution:",
		`  params: [ref, gclid, "utm_*"]`,
		"  model: " + s.model,
		"  deliver: {paths: [/register, /register/*], as: " + s.as + "}",
	}
	for _, line := range more {
		lines = append(lines, "  "+line)
	}
	return "  - " + strings.Join(lines, "\n    ") + "\n"
}

// beaconTo has landings carried with the visitor, and reported to the app.
func beaconTo(app string) []string {
	return []string{"carry: both", "beacon: {url: http://" + app + "/beacons, batch: 50, every: 50ms}"}
}

// about is the route of the page that is shared and on which nobody lands.
const about = `  - name: about
    match: {paths: [/about]}
    cache: 5m
`

// startEdge runs the binary with these routes in front of the app.
func startEdge(t testing.TB, c edge.SiteConfig, routes ...string) *edge.Site {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	text := "version: 1\nroutes:\n" + strings.Join(routes, "") + about
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Policy = fmt.Sprintf("\t\tpolicy %s", file)
	return edge.StartSite(t, binary, c)
}
