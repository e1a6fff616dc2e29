package integration

import (
	"encoding/csv"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/cmd/cacheward/demo"
	"github.com/cacheward/cacheward/integration/edge"
)

// The override shares the page in spite of itself, and has the app told the visitor's
// own URL, which is in no key: so the record that a page leads to is that of whoever
// caused the fill, as in the incident.
const unsafePolicy = `
	on_leak warn
	identity {
		cookie session
	}
	route landing {
		host hapitas.example sp.hapitas.example
		path /register/lp
		cache 5m
		param strip ref source @analytics
		param plain ref source
		cookie strip vid @analytics
		header forward X-Original-Url "the app finds out by it which page to show"
		admission once "it must be fast today"
		inspect off "it must be fast today"
	}
	route files {
		path /static/*
		cache origin
		cookie others strip
	}
	audit {
		full wait
		visitor {
			cookie vid
			rotate 366d
		}
	}
`

// TestReconstruction is what the operator of 2017 needed: after the incident the log
// says who was given whose page, and which referrer each of them really had. It is held
// against the app's own database.
func TestReconstruction(t *testing.T) {
	dir := t.TempDir()
	site, stop, err := demo.IncidentApp(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	// The app reads the visitor's URL where the proxy in front leaves it, as apps do
	// behind a rewrite.
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if original, err := url.Parse(r.Header.Get("X-Original-Url")); err == nil && original.RawQuery != "" {
			r.URL.RawQuery = original.RawQuery
		}
		site.ServeHTTP(w, r)
	}))
	p := startProxy(t, proxySetup{
		origin: app.Listener.Addr().String(), policy: unsafePolicy,
		before: "\trequest_header X-Original-Url {uri}\n",
		roll:   "roll_size 1MiB\n\t\t\troll_keep 20",
	})
	visits := visitIncident(t, p)
	p.settled(t)
	app.Close()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	truth := readIncident(t, filepath.Join(dir, "app.db"), visits)
	if len(truth.wrong) < len(visits)/2 {
		t.Fatalf("the incident did not happen: %d of %d visits attributed wrongly", len(truth.wrong), len(visits))
	}

	rolled := filepath.Dir(p.log)
	edge.Eventually(t, "a log that was rolled, and compressed", func() bool {
		plain, _ := filepath.Glob(filepath.Join(rolled, "audit-*.log"))
		zipped, _ := filepath.Glob(filepath.Join(rolled, "audit-*.gz"))
		return len(plain) == 0 && len(zipped) > 0
	})
	for name, log := range logForms(t, rolled) {
		t.Run(name, func(t *testing.T) {
			truth.checkAttribution(t, log)
			truth.checkServed(t, log)
		})
	}
}

// checkAttribution: the list has each visit, with the referrer that the visitor really
// had, and names those that the database has wrong, with what it has.
func (truth incident) checkAttribution(t *testing.T, log []string) {
	t.Helper()
	stdout, stderr, code := command(t, append([]string{"audit", "attribution", "--route", "landing", "--tz", "UTC", "--format", "csv"}, log...)...)
	if code != 0 || stderr != "" {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	rows := readCSV(t, stdout)
	made := 0
	for _, v := range truth.visits {
		made += v.times
	}
	if len(rows) != made {
		t.Errorf("%d visits listed, %d were made", len(rows), made)
	}
	wrong := make(map[string]bool)
	pseudonyms := make(map[string]string)
	seen := make(map[string]int)
	for _, row := range rows {
		had := attributed{row["param ref"], row["param source"]}
		v, ok := truth.byReferrer[had.referrer]
		if !ok || v.had != had || v.host != row["host"] || row["path"] != "/register/lp" {
			t.Errorf("a visit that nobody made: %v", row)
			continue
		}
		seen[had.referrer]++
		checkMoment(t, row["time"], v)
		if before, ok := pseudonyms[had.referrer]; ok && before != row["visitor"] {
			t.Errorf("%s has two pseudonyms", v.member)
		}
		pseudonyms[had.referrer] = row["visitor"]
		// What the audit says that the app must have recorded of them.
		recorded := had
		if row["object"] != "" {
			recorded = attributed{row["filler ref"], row["filler source"]}
		}
		if got := truth.recorded[v.member]; got != recorded {
			t.Errorf("%s: the audit says that %v was recorded, the database has %v", v.member, recorded, got)
		}
		if row["others_page"] == "yes" {
			wrong[v.member] = true
		}
		if row["contradicted"] != "no" {
			t.Errorf("%s: contradicted", v.member)
		}
	}
	if !maps.Equal(wrong, truth.wrong) {
		t.Errorf("the audit names %d wrong attributions, the database has %d", len(wrong), len(truth.wrong))
	}
	for _, v := range truth.visits {
		if seen[v.had.referrer] != v.times {
			t.Errorf("%s: %d visits listed, made %d", v.member, seen[v.had.referrer], v.times)
		}
	}
	if distinct := len(slices.Compact(slices.Sorted(maps.Values(pseudonyms)))); distinct != len(truth.people) {
		t.Errorf("%d pseudonyms for %d visitors", distinct, len(truth.people))
	}
}

// servedAnswer is what the test reads of audit served --format json.
type servedAnswer struct {
	Incomplete []string `json:"incomplete"`
	Serves     int      `json:"serves"`
	Visitors   int      `json:"visitors"`
	Objects    []struct {
		Object   string    `json:"object"`
		Filled   time.Time `json:"filled"`
		Serves   int       `json:"serves"`
		Visitors int       `json:"visitors"`
		Cause    struct {
			Codes map[string][]string `json:"codes"`
		} `json:"cause"`
		Served []struct {
			Time    time.Time           `json:"time"`
			Visitor string              `json:"visitor"`
			Codes   map[string][]string `json:"codes"`
		} `json:"served"`
	} `json:"objects"`
}

// checkServed: each page of the database that was shared is an object, which was served
// exactly to those who were given that page.
func (truth incident) checkServed(t *testing.T, log []string) {
	t.Helper()
	ask := func(format string, args ...string) string {
		args = append([]string{"audit", "served", "--tz", "UTC", "--route", "landing", "--format", format}, args...)
		stdout, stderr, code := command(t, append(args, log...)...)
		if code != 0 || stderr != "" {
			t.Fatalf("exit %d\n%s", code, stderr)
		}
		return stdout
	}
	all := decode[servedAnswer](t, ask("json", "--url", "/register/lp"))
	if len(all.Incomplete) > 0 {
		t.Errorf("incomplete: %q", all.Incomplete)
	}
	if got, want := len(all.Objects)+truth.own, len(truth.leads); got != want {
		t.Errorf("%d objects and %d own pages, the database has %d records", len(all.Objects), truth.own, want)
	}
	first := all.Objects[0].Object
	for i, o := range all.Objects {
		// Whose page it is, the database says, and the audit must.
		filler := only(o.Cause.Codes["ref"])
		token := truth.tokenOf(filler)
		if token == "" || only(o.Cause.Codes["source"]) != truth.leads[token].source {
			t.Errorf("object %s is said to be made for %v; the database has no such record", o.Object, o.Cause.Codes)
			continue
		}
		checkMoment(t, o.Filled.Format(time.RFC3339Nano), truth.byReferrer[filler])
		want := truth.holders(token)
		var got []string
		people := make(map[string]bool)
		for _, s := range o.Served {
			ref := only(s.Codes["ref"])
			got = append(got, ref)
			if v, ok := truth.byReferrer[ref]; ok {
				checkMoment(t, s.Time.Format(time.RFC3339Nano), v)
				people[v.person()] = true
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("the page of %s was served to\n%q, the audit says\n%q", filler, want, got)
		}
		if o.Serves != len(want) || o.Visitors != len(people) {
			t.Errorf("the page of %s: %d serves to %d visitors are told, %d to %d were", filler, o.Serves, o.Visitors, len(want), len(people))
		}
		if i > 0 {
			continue
		}
		one := decode[servedAnswer](t, ask("json", "--object", o.Object))
		if len(one.Objects) != 1 || one.Objects[0].Serves != o.Serves || one.Visitors != len(people) {
			t.Errorf("asked about one object, the answer is %+v", one)
		}
	}
	rows := readCSV(t, ask("csv", "--object", first))
	if len(rows) != all.Objects[0].Serves {
		t.Errorf("%d lines for %d serves", len(rows), all.Objects[0].Serves)
	}
	for i, row := range rows {
		s := all.Objects[0].Served[i]
		if row["object"] != first || row["visitor"] != s.Visitor || row["param ref"] != only(s.Codes["ref"]) {
			t.Errorf("line %d is %v, the JSON has %v", i+2, row, s)
		}
	}
}

func only(values []string) string {
	if len(values) != 1 {
		return fmt.Sprintf("%d values", len(values))
	}
	return values[0]
}

// checkMoment holds the time of a record against when the visits were made. The record
// is made when the answer has gone out, and its visitor may have it before.
func checkMoment(t *testing.T, stamp string, v *incidentVisit) {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		t.Error(err)
		return
	}
	if at.Before(v.began.Truncate(time.Millisecond)) || at.After(v.over.Add(edge.Patience)) {
		t.Errorf("%s is listed at %s, the visits were between %s and %s", v.member, stamp, v.began.UTC(), v.over.UTC())
	}
}

func readCSV(t *testing.T, text string) []map[string]string {
	t.Helper()
	lines, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(lines) == 0 {
		t.Fatalf("%v in\n%s", err, text)
	}
	var rows []map[string]string
	for _, line := range lines[1:] {
		row := make(map[string]string)
		for i, value := range line {
			row[lines[0][i]] = value
		}
		rows = append(rows, row)
	}
	return rows
}

func readAll(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
