package caddymodule

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"
)

// What a description says of itself: its name and its labels.
var (
	descName   = regexp.MustCompile(`fqName: "([^"]+)"`)
	descLabels = regexp.MustCompile(`variableLabels: \{([^}]*)\}`)
	constLabel = regexp.MustCompile(`constLabels: \{([^}]*)\}`)
	labelName  = regexp.MustCompile(`[a-z_]+`)
)

// metricLabels are all our metrics, by name, with their labels. Of a histogram the three
// series that it is scraped as are there.
func metricLabels(t *testing.T) (byName map[string][]string, families []string) {
	t.Helper()
	m := newMetrics()
	byName = make(map[string][]string)
	for _, c := range []prometheus.Collector{m.faults, m.purges, m.trips, m.probes, m.origin, m.hits, m.build, m, liveMetrics{m}} {
		descs := make(chan *prometheus.Desc, 100)
		c.Describe(descs)
		close(descs)
		for d := range descs {
			text := d.String()
			name := descName.FindStringSubmatch(text)[1]
			labels := labelName.FindAllString(descLabels.FindStringSubmatch(text)[1], -1)
			if constant := constLabel.FindStringSubmatch(text)[1]; constant != "" {
				labels = append(labels, constant[:strings.Index(constant, "=")])
			}
			families = append(families, name)
			if c == m.origin || c == m.hits {
				byName[name+"_bucket"] = append(slices.Clone(labels), "le")
				byName[name+"_sum"], byName[name+"_count"] = labels, labels
				continue
			}
			byName[name] = labels
		}
	}
	return byName, families
}

// Names and labels in PromQL, as far as our expressions go.
var (
	usedMetric   = regexp.MustCompile(`\b(caddy_cacheward_[a-z0-9_]+)(?:\{([^}]*)\})?`)
	usedMatcher  = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)`)
	usedGrouping = regexp.MustCompile(`\b(?:by|on)\s*\(([^)]*)\)`)
	usedLegend   = regexp.MustCompile(`\{\{([a-z_]+)\}\}|\$labels\.([a-z_]+)`)
	recordedName = regexp.MustCompile(`\b[a-z_]+:caddy_cacheward_[a-z_]+:[a-z0-9_]+`)
)

// scraped are the labels that Prometheus adds.
var scraped = []string{"job", "instance"}

// checkExpr checks that all metrics of an expression exist, with the labels that it uses
// of them, and returns their names.
func checkExpr(t *testing.T, where, expr string, known map[string][]string, legends ...string) (used []string) {
	t.Helper()
	labels := slices.Clone(scraped)
	if recordedName.MatchString(expr) {
		labels = append(labels, "route")
	}
	for _, m := range usedMetric.FindAllStringSubmatch(recordedName.ReplaceAllString(expr, ""), -1) {
		have, ok := known[m[1]]
		if !ok {
			t.Errorf("%s: there is no metric %s", where, m[1])
			continue
		}
		used = append(used, m[1])
		labels = append(labels, have...)
		for _, matcher := range usedMatcher.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(have, matcher[1]) && !slices.Contains(scraped, matcher[1]) {
				t.Errorf("%s: %s has no label %s", where, m[1], matcher[1])
			}
		}
	}
	var mentioned []string
	for _, m := range usedGrouping.FindAllStringSubmatch(expr, -1) {
		mentioned = append(mentioned, labelName.FindAllString(m[1], -1)...)
	}
	for _, legend := range legends {
		for _, m := range usedLegend.FindAllStringSubmatch(legend, -1) {
			mentioned = append(mentioned, m[1]+m[2])
		}
	}
	for _, label := range mentioned {
		if !slices.Contains(labels, label) {
			t.Errorf("%s: no metric in it has the label %s: %s", where, label, expr)
		}
	}
	return used
}

// panel is a panel of a dashboard, as far as it is looked at.
type panel struct {
	ID      int
	Type    string
	Title   string
	GridPos struct{ H, W, X, Y int }
	Targets []struct {
		Expr, LegendFormat, RefID string
		Datasource                struct{ UID string }
	}
}

// TestDashboard: the dashboard shows metrics that exist, and all of them.
func TestDashboard(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("monitoring", "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		UID        string
		Panels     []panel
		Templating struct {
			List []struct{ Name, Type, Definition string }
		}
		Annotations struct {
			List []struct{ Name, Expr, TextFormat string }
		}
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	known, families := metricLabels(t)
	shown := make(map[string]bool)
	look := func(where, expr string, legends ...string) {
		for _, name := range checkExpr(t, where, expr, known, legends...) {
			shown[name] = true
		}
	}
	ids := make(map[int]bool)
	for _, p := range dashboard.Panels {
		if p.ID == 0 || ids[p.ID] {
			t.Errorf("panel %q has the id %d, and another has it too", p.Title, p.ID)
		}
		ids[p.ID] = true
		if p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %q stands out of the grid", p.Title)
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			look(p.Title, target.Expr, target.LegendFormat)
			if target.Datasource.UID != "${datasource}" {
				t.Errorf("panel %q asks %q, not the variable", p.Title, target.Datasource.UID)
			}
		}
	}
	for i, p := range dashboard.Panels {
		for _, q := range dashboard.Panels[:i] {
			a, b := p.GridPos, q.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("panels %q and %q stand in one place", p.Title, q.Title)
			}
		}
	}
	variables := []string{"__rate_interval", "__all"}
	for _, v := range dashboard.Templating.List {
		variables = append(variables, v.Name)
		look("variable "+v.Name, v.Definition)
	}
	for _, a := range dashboard.Annotations.List {
		look("annotation "+a.Name, a.Expr, a.TextFormat)
	}
	for _, m := range regexp.MustCompile(`\$\{?([a-z_]+)`).FindAllStringSubmatch(string(data), -1) {
		if !slices.Contains(variables, m[1]) {
			t.Errorf("the variable %s is not declared", m[1])
		}
	}
	for _, name := range families {
		if !shown[name] && !shown[name+"_bucket"] {
			t.Errorf("%s is on no panel", name)
		}
	}
}

// TestAlerts: the alert rules watch metrics that exist, say what to do, and are tried.
func TestAlerts(t *testing.T) {
	read := func(name string, into any) {
		t.Helper()
		data, err := os.ReadFile(filepath.Join("monitoring", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(data, into); err != nil {
			t.Fatal(err)
		}
	}
	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Record, Expr string
				Labels              map[string]string
				Annotations         map[string]string
			}
		}
	}
	read("alerts.yaml", &rules)
	var tests struct{ Tests []struct{ Name string } }
	read("alerts_test.yaml", &tests)
	tried := make(map[string]bool)
	for _, test := range tests.Tests {
		tried[test.Name] = true
	}
	known, _ := metricLabels(t)
	seen := make(map[string]bool)
	records := make(map[string]bool)
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			name := rule.Alert + rule.Record
			checkExpr(t, name, rule.Expr, known, slices.Collect(maps.Values(rule.Annotations))...)
			for _, m := range recordedName.FindAllString(rule.Expr, -1) {
				if !records[m] {
					t.Errorf("%s: %s is not recorded before it", name, m)
				}
			}
			if rule.Record != "" {
				records[rule.Record] = true
				continue
			}
			seen[name] = true
			switch {
			case !tried[name]:
				t.Errorf("alerts_test.yaml has no test that is called %s", name)
			case rule.Labels["severity"] == "", rule.Annotations["summary"] == "":
				t.Errorf("%s has no severity, or no summary", name)
			case !strings.Contains(rule.Annotations["description"], "`cacheward "):
				t.Errorf("%s does not say what command helps", name)
			}
		}
	}
	if len(seen) == 0 {
		t.Error("there is no alert")
	}
	for name := range tried {
		if !seen[name] {
			t.Errorf("alerts_test.yaml tests %s, which is no alert", name)
		}
	}
}

// TestMetricsAreDocumented: the page about monitoring names every metric.
func TestMetricsAreDocumented(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("monitoring", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	known, families := metricLabels(t)
	for _, name := range families {
		if !strings.Contains(string(data), "`"+strings.TrimPrefix(name, "caddy_cacheward_")+"`") {
			t.Errorf("README.md does not name %s", name)
		}
	}
	for _, m := range regexp.MustCompile(`caddy_cacheward_[a-z_]*[a-z]`).FindAllString(string(data), -1) {
		if _, ok := known[m]; !ok {
			t.Errorf("README.md names %s, which does not exist", m)
		}
	}
}
