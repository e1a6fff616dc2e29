package command

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/inquiry"
	"github.com/cacheward/cacheward/policies"
)

// campaignLog is what the log itself writes of landings, conversions, and requests that are
// neither, with none of the serve records of the latter.
func campaignLog(t *testing.T, visitors int) string {
	t.Helper()
	var lines strings.Builder
	config := zap.NewProductionEncoderConfig()
	core := zapcore.NewCore(zapcore.NewJSONEncoder(config), zapcore.AddSync(&lines), zapcore.InfoLevel)
	none, err := audit.ParseSampling("none")
	if err != nil {
		t.Fatal(err)
	}
	log := audit.New(zap.New(core), audit.Options{Serves: none, Synchronous: true})
	plain := func(name string) bool { return name == "ref" }
	request := func(event audit.Event, outcome, method, path, query string, visitor int) *audit.Record {
		return &audit.Record{
			Event: event, Route: "landing", Outcome: outcome, Mode: "enforce", Method: method, Scheme: "https", Host: "hapitas.example",
			Path: path, Query: query, Status: 200, Address: fmt.Sprintf("192.0.2.%d", visitor), Object: leaked,
		}
	}
	for i := range visitors {
		id, query := fmt.Sprintf("landing-%d", i), fmt.Sprintf("ref=R%d&secret=s%d", i, i)
		landing := request(audit.EventServe, "hit", "GET", "/register/lp", query, i)
		landing.Attribution = &audit.Attribution{Landing: id, Params: []string{"ref"}, Model: "last", Carried: "cookie"}
		log.Write(landing, plain)
		log.Write(request(audit.EventServe, "hit", "GET", "/other", "", i), plain) // not written
		if i%2 == 0 {
			continue
		}
		converts := request(audit.EventBypass, "bypass", "POST", "/register", "", i)
		converts.Reasons, converts.Object = []policies.Reason{policies.ReasonAttributionDelivered}, ""
		converts.Attribution = &audit.Attribution{Delivered: id, Landed: time.Now().Add(-time.Minute), As: "header", Model: "last"}
		log.Write(converts, plain)
	}
	if log.Stats().Written != uint64(visitors+visitors/2) {
		t.Fatalf("%+v", log.Stats())
	}
	return lines.String()
}

// TestAuditRebuildsAttribution: from what the log writes, even where it writes no serve
// records at all, to who converted with which code.
func TestAuditRebuildsAttribution(t *testing.T) {
	const visitors = 20
	log := file(t, "audit.log", campaignLog(t, visitors))
	stdout, stderr, code := audits(t, nil, "attribution", "--since", "1h", "--format", "json", log)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	var a inquiry.AttributionAnswer
	if err := json.Unmarshal([]byte(stdout), &a); err != nil {
		t.Fatal(err)
	}
	l := a.Landings
	if l == nil || l.Landings != visitors || l.Carried != visitors || l.Codes != visitors || l.Visitors != visitors || l.HitShare != 1 || l.Delivered != visitors/2 || l.DeliveredUnknown != 0 {
		t.Errorf("%+v", l)
	}
	for v := range a.Visits.All() {
		if d := v.Attribution.Delivered; d != "" && (v.Attribution.DeliveredCodes.String() != "ref=R"+strings.TrimPrefix(d, "landing-") || v.Attribution.LandedBy != v.Visitor) {
			t.Errorf("%+v", v.Attribution)
		}
	}
	stdout, _, _ = audits(t, nil, "attribution", "--format", "csv", log)
	rows, err := csv.NewReader(strings.NewReader(stdout)).ReadAll()
	if err != nil || len(rows) != 1+visitors+visitors/2 {
		t.Fatalf("%v: %d rows", err, len(rows))
	}
	if strings.Contains(stdout, "secret") {
		t.Errorf("a parameter that is none of it is told:\n%s", stdout)
	}
	for _, args := range [][]string{
		{"attribution", "--where", `attribution.delivered != ""`}, {"why", "/register/lp"}, {"timeline"}, {"tail", "--follow=false"},
	} {
		stdout, stderr, code := audits(t, nil, append(args, log)...)
		if code != 0 || !strings.Contains(stdout, "landing") {
			t.Errorf("%q: exit %d, %s\n%s", args, code, stderr, stdout)
		}
	}
}

// TestAuditAttributionDroppedAlone: cookies that were not believed are an answer.
func TestAuditAttributionDroppedAlone(t *testing.T) {
	log := file(t, "audit.log", entry(0, "bypass", "route", "register", "outcome", "bypass", "method", "GET", "url", "https://hapitas.example/register",
		"attribution", map[string]any{"dropped": "forged"}))
	stdout, stderr, code := audits(t, nil, "attribution", log)
	if code != 0 || !strings.Contains(stdout, "1 forged") {
		t.Errorf("exit %d: %s\n%s", code, stderr, stdout)
	}
}
