package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/store/redis/redistest"
	"github.com/cacheward/cacheward/integration/edge"
)

// monitoring is the path of a file that is made for operators.
func monitoring(t *testing.T, file string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "caddymodule", "monitoring", file))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestAlertRules: Prometheus' own tool accepts the alert rules, and each alert fires for
// what it is for and for nothing else.
func TestAlertRules(t *testing.T) {
	promtool := edge.Need(t, "promtool", "prometheus")
	for _, args := range [][]string{{"check", "rules", monitoring(t, "alerts.yaml")}, {"test", "rules", monitoring(t, "alerts_test.yaml")}} {
		if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args[:2], " "), err, out)
		}
	}
}

const meteredCaddyfile = `{
	admin %s
}
http://:%s {
	bind 127.0.0.1
	cacheward {
		identity {
			cookie session
		}
		route page {
			path /page
			cache 1h
		}
		route cookie {
			path /cookie
			cache 1h
		}
		route counter {
			path /counter
			cache 1h
		}
		route landing {
			path /lp
			cache 1h
			attribution {
				params ref
				carry both
				deliver header /register
				beacon http://%[3]s/landings {
					every 100ms
				}
			}
		}
	}
	reverse_proxy %[3]s
}
http://:%[4]s {
	bind 127.0.0.1
	cacheward {
		id shared
		store redis %[5]s {
			edge metered
		}
	}
	reverse_proxy %[3]s
}
`

const prometheusConfig = `
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
scrape_configs:
  - job_name: caddy
    static_configs: [{targets: ["%s"]}]
rule_files: ["%s"]
`

// prometheus is a server that scrapes an edge.
type prometheus struct {
	t   *testing.T
	url string
}

// get asks the HTTP API, and decodes the data of its answer.
func (p prometheus) get(path string, query url.Values, into any) error {
	p.t.Helper()
	client := &http.Client{Timeout: edge.Patience}
	res, err := client.Get(p.url + path + "?" + query.Encode())
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	var answer struct {
		Status, Error string
		Data          json.RawMessage
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return fmt.Errorf("%s: %w", body, err)
	}
	if answer.Status != "success" {
		return fmt.Errorf("%s: %s", answer.Status, answer.Error)
	}
	return json.Unmarshal(answer.Data, into)
}

// value is that of an expression with one series; there is none yet if it is not found.
func (p prometheus) value(expr string) (value float64, found bool) {
	p.t.Helper()
	var data struct {
		Result []struct{ Value [2]any }
	}
	if err := p.get("/api/v1/query", url.Values{"query": {expr}}, &data); err != nil {
		p.t.Fatalf("%s: %v", expr, err)
	}
	if len(data.Result) == 0 {
		return 0, false
	}
	if len(data.Result) > 1 {
		p.t.Fatalf("%s: %d series", expr, len(data.Result))
	}
	value, err := strconv.ParseFloat(data.Result[0].Value[1].(string), 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return value, true
}

// becomes waits until the expression has the value.
func (p prometheus) becomes(expr string, want float64) {
	p.t.Helper()
	var last float64
	var found bool
	p.t.Cleanup(func() {
		if p.t.Failed() {
			p.t.Logf("%s was last %v, found %t; want %v", expr, last, found, want)
		}
	})
	edge.Eventually(p.t, fmt.Sprintf("%s == %v", expr, want), func() bool {
		last, found = p.value(expr)
		return found && last == want
	})
}

// TestPrometheus: a Prometheus as Debian has it scrapes the binary and sees what
// happened; the rules and the dashboard's expressions work on what it sees.
func TestPrometheus(t *testing.T) {
	server := edge.Need(t, "prometheus", "prometheus")
	var n atomic.Int64
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch r.URL.Path {
		case "/cookie":
			w.Header().Set("Set-Cookie", "sid=1")
		case "/counter":
			fmt.Fprintf(w, "visitor %d", n.Add(1))
		}
		fmt.Fprint(w, "page")
	}))
	t.Cleanup(origin.Close)
	dir := t.TempDir()
	addresses := edge.FreeAddresses(t, 4)
	site, admin := addresses[0], addresses[1]
	_, port, _ := strings.Cut(site, ":")
	_, second, _ := strings.Cut(addresses[3], ":")
	write(t, filepath.Join(dir, "Caddyfile"), fmt.Sprintf(meteredCaddyfile, admin, port, origin.Listener.Addr(), second, redistest.Start(t).Addr))
	edge.Start(t, binary, dir, addresses[:2], "run", "--config", "Caddyfile", "--adapter", "caddyfile")
	write(t, filepath.Join(dir, "prometheus.yml"), fmt.Sprintf(prometheusConfig, admin, monitoring(t, "alerts.yaml")))
	edge.Start(t, server, dir, addresses[2:3], "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb",
		"--web.listen-address="+addresses[2], "--log.level=warn")
	p := prometheus{t, "http://" + addresses[2]}
	edge.Eventually(t, "Prometheus to be ready", func() bool {
		res, err := http.Get(p.url + "/-/ready")
		return err == nil && res.Body.Close() == nil && res.StatusCode == http.StatusOK
	})
	p.becomes("up", 1)
	p.becomes(`caddy_cacheward_faults_total{reason="store-fault"}`, 0)

	ask := func(path string, fields ...string) answer {
		return visit(t, "http://"+site+path, "example.com", fields...)
	}
	hits := 0
	edge.Eventually(t, "a hit", func() bool {
		if strings.Contains(ask("/page").cacheward(), "; hit") {
			hits++
		}
		return hits == 5
	})
	ask("/page", "Cookie", "session=1")
	ask("/cookie")
	ask("/counter")
	carried, _, _ := strings.Cut(ask("/lp?ref=friend").Header.Get("Set-Cookie"), ";")
	ask("/register", "Cookie", carried)
	for expr, want := range map[string]float64{
		`caddy_cacheward_requests_total{route="page", outcome="hit"}`:                  float64(hits),
		`caddy_cacheward_hit_seconds_count{route="page"}`:                              float64(hits),
		`caddy_cacheward_refusals_total{route="page", reason="identity"}`:              1,
		`caddy_cacheward_requests_total{route="page", outcome="bypass"}`:               1,
		`caddy_cacheward_refusals_total{route="cookie", reason="set-cookie"} > bool 0`: 1,
		`sum(caddy_cacheward_divergences_total{route="counter"})`:                      1,
		`caddy_cacheward_landings_total{route="landing", result="both"}`:               1,
		`sum(caddy_cacheward_attributions_total{result="delivered"})`:                  1,
		`caddy_cacheward_beacons_sent_total{route="landing"}`:                          1,
		`sum(caddy_cacheward_fills_total) > bool 2`:                                    1,
		`sum(caddy_cacheward_origin_seconds_count) > bool 5`:                           1,
		`caddy_cacheward_withdrawn_total{route="page"}`:                                0,
		`caddy_cacheward_store_objects{store="memory:default"}`:                        2,
		`sum(caddy_cacheward_store_bytes < bool caddy_cacheward_store_limit_bytes)`:    2,
		`sum(caddy_cacheward_remembered_refusals) > bool 0`:                            1,
		`sum(caddy_cacheward_fills_in_flight)`:                                         0,
		`caddy_cacheward_fleet_trusted`:                                                1,
		`caddy_cacheward_fleet_edges`:                                                  1,
		`caddy_cacheward_audit_records_total{result="written"} > bool 5`:               1,
		`caddy_cacheward_audit_records_total{result="dropped"}`:                        0,
		`caddy_cacheward_build_info`:                                                   1,
		`absent(caddy_cacheward_tripped)`:                                              1,
	} {
		p.becomes(expr, want)
	}

	// A rate needs to see them rise.
	edge.Eventually(t, "a share of hits", func() bool {
		ask("/page")
		share, found := p.value(`instance_route:caddy_cacheward_hit_share:ratio_rate30m{route="page"}`)
		return found && share > 0
	})

	t.Run("a trip", func(t *testing.T) {
		res, err := http.Post("http://"+admin+"/cacheward/trip", "application/json", strings.NewReader(`{"route": "page", "why": "a test"}`))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			body, _ := io.ReadAll(res.Body)
			t.Fatalf("status %d: %s", res.StatusCode, body)
		}
		p := prometheus{t, p.url}
		p.becomes(`caddy_cacheward_tripped{route="page"}`, 1)
		p.becomes(`caddy_cacheward_trips_total{route="page"}`, 1)
		p.becomes(`ALERTS{alertname="CachewardTripped", alertstate="firing", route="page"}`, 1)
	})
	t.Run("rules", func(t *testing.T) { p.rulesWork(t) })
	t.Run("dashboard", func(t *testing.T) { p.dashboardWorks(t) })
}

// rulesWork checks that every rule has been evaluated without an error, and that nothing
// but what happened is reported.
func (p prometheus) rulesWork(t *testing.T) {
	var data struct {
		Groups []struct {
			Rules []struct {
				Name, Health, LastError, State, Type string
				LastEvaluation                       time.Time
			}
		}
	}
	if err := p.get("/api/v1/rules", nil, &data); err != nil {
		t.Fatal(err)
	}
	rules := 0
	for _, group := range data.Groups {
		for _, rule := range group.Rules {
			rules++
			if rule.Health != "ok" || rule.LastEvaluation.IsZero() {
				t.Errorf("%s: %s %s", rule.Name, rule.Health, rule.LastError)
			}
			if rule.Type == "alerting" && rule.State != "inactive" && rule.Name != "CachewardTripped" {
				t.Errorf("%s is %s", rule.Name, rule.State)
			}
		}
	}
	if rules < 8 {
		t.Errorf("%d rules", rules)
	}
}

// dashboardWorks asks what the panels ask.
func (p prometheus) dashboardWorks(t *testing.T) {
	data, err := os.ReadFile(monitoring(t, "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("$__rate_interval", "1m", "$job", ".*", "$instance", ".*", "$route", ".*")
	shown := 0
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			expr := fill.Replace(target.Expr)
			var answer struct{ Result []json.RawMessage }
			if err := p.get("/api/v1/query", url.Values{"query": {expr}}, &answer); err != nil {
				t.Errorf("panel %q: %s: %v", panel.Title, expr, err)
			}
			if len(answer.Result) > 0 {
				shown++
			}
			// Nobody was waited for, and nothing marked or rechecked.
			quiet := strings.Contains(expr, "waiters_total") || strings.Contains(expr, "markers") || strings.Contains(expr, "rechecks")
			if len(answer.Result) == 0 && !quiet {
				t.Errorf("panel %q shows nothing: %s", panel.Title, expr)
			}
		}
	}
	if shown == 0 {
		t.Error("the dashboard shows nothing")
	}
}
