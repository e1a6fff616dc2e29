package integration

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"github.com/cacheward/cacheward/integration/edge"
)

// attributed is who referred a visitor, and by which way they came.
type attributed struct{ referrer, source string }

// incidentVisit is one visitor's part in the incident.
type incidentVisit struct {
	member, host, address string
	cookie                string // that tells visitors behind one address apart
	session               string // of one who is signed in
	had                   attributed
	times                 int // how often they opened the page before they registered
	began, over           time.Time
	tokens                []string // of the pages that they were given
}

// person is what the visitor's pseudonym is made of.
func (v *incidentVisit) person() string { return v.address + " " + v.cookie }

// incidentVisitors are many. Each has a referrer of their own; most have an address of
// their own, some share one and have a cookie, some come twice, and a few are signed in.
func incidentVisitors() []*incidentVisit {
	var all []*incidentVisit
	for i := range 320 {
		v := &incidentVisit{
			member: fmt.Sprintf("member-%03d", i), host: "hapitas.example", times: 1,
			address: fmt.Sprintf("203.0.113.%d", i%200),
			had:     attributed{fmt.Sprintf("R%03d&=%%é", i), []string{"friend", "mail", "a b"}[i%3]},
		}
		if i >= 200 {
			v.cookie = fmt.Sprintf("v%d", i)
		}
		if i%3 == 1 {
			v.host = "sp.hapitas.example"
		}
		if i%7 == 2 {
			v.times = 2
		}
		if i%20 == 5 {
			v.session = "mine"
		}
		all = append(all, v)
	}
	return all
}

var leadField = regexp.MustCompile(`name="lead" value="([0-9a-f]{24})"`)

// visitIncident has all visitors come, many at once, and purges the page now and then,
// so that there are several. Between that the log grows until it is rolled.
func visitIncident(t *testing.T, p *proxy) []*incidentVisit {
	t.Helper()
	client := &http.Client{Timeout: edge.Patience, Transport: &http.Transport{
		MaxIdleConnsPerHost: 16, DisableCompression: true,
	}}
	t.Cleanup(client.CloseIdleConnections)
	visits := incidentVisitors()
	for batch := range slices.Chunk(visits, 80) {
		group, ctx := errgroup.WithContext(t.Context())
		group.SetLimit(16)
		for _, v := range batch {
			group.Go(func() error { return v.visit(ctx, client, p) })
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			group.Go(func() error {
				for range 40 {
					if _, err := batch[0].send(t.Context(), client, http.MethodGet, p.url("/static/site.css"), ""); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		p.must(t, "purge", "--route", "landing", "--reason", "a new page")
	}
	return visits
}

// visit opens the landing page, and registers with what the last page has in its form.
func (v *incidentVisit) visit(ctx context.Context, client *http.Client, p *proxy) error {
	query := url.Values{"ref": {v.had.referrer}, "source": {v.had.source}, "gclid": {v.member}}
	v.began = time.Now()
	for range v.times {
		page, err := v.send(ctx, client, http.MethodGet, p.url("/register/lp?"+query.Encode()), "")
		if err != nil {
			return err
		}
		lead := leadField.FindStringSubmatch(page)
		if lead == nil {
			return fmt.Errorf("no lead in %s", page)
		}
		v.tokens = append(v.tokens, lead[1])
	}
	v.over = time.Now()
	form := url.Values{"member": {v.member}, "lead": {v.tokens[len(v.tokens)-1]}}
	_, err := v.send(ctx, client, http.MethodPost, p.url("/register"), form.Encode())
	return err
}

func (v *incidentVisit) send(ctx context.Context, client *http.Client, method, address, form string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form))
	if err != nil {
		return "", err
	}
	req.Host = v.host
	req.Header.Set("X-Forwarded-For", v.address)
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range map[string]string{"vid": v.cookie, "session": v.session} {
		if value != "" {
			req.AddCookie(&http.Cookie{Name: name, Value: value})
		}
	}
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: status %d: %s", method, address, res.StatusCode, body)
	}
	return string(body), err
}

// incident is what the app's database says of it, and what the visitors saw.
type incident struct {
	visits     []*incidentVisit
	byReferrer map[string]*incidentVisit
	people     map[string]bool
	leads      map[string]attributed // by token
	recorded   map[string]attributed // by member
	wrong      map[string]bool       // members of whom something else was recorded than they had
	own        int                   // pages that were one visitor's alone, because they were signed in
}

func readIncident(t *testing.T, file string, visits []*incidentVisit) incident {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	truth := incident{
		visits: visits, byReferrer: make(map[string]*incidentVisit), people: make(map[string]bool),
		leads:    readAttributed(t, db, "SELECT token, referrer, source FROM leads"),
		recorded: readAttributed(t, db, "SELECT name, referrer, source FROM members"),
		wrong:    make(map[string]bool),
	}
	if len(truth.recorded) != len(visits) {
		t.Fatalf("%d members, %d registered", len(truth.recorded), len(visits))
	}
	for _, v := range visits {
		truth.byReferrer[v.had.referrer] = v
		truth.people[v.person()] = true
		if truth.recorded[v.member] != v.had {
			truth.wrong[v.member] = true
		}
		if v.session != "" {
			truth.own += len(v.tokens)
		}
	}
	return truth
}

func readAttributed(t *testing.T, db *sql.DB, query string) map[string]attributed {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := make(map[string]attributed)
	for rows.Next() {
		var name string
		var a attributed
		if err := rows.Scan(&name, &a.referrer, &a.source); err != nil {
			t.Fatal(err)
		}
		all[name] = a
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// tokenOf is the record that a page was made with which was shared: that of its referrer.
func (truth incident) tokenOf(referrer string) string {
	for token, lead := range truth.leads {
		if lead.referrer == referrer {
			return token
		}
	}
	return ""
}

// holders are the referrers of those who were given the page with the token, one for
// each time.
func (truth incident) holders(token string) []string {
	var referrers []string
	for _, v := range truth.visits {
		for _, given := range v.tokens {
			if given == token {
				referrers = append(referrers, v.had.referrer)
			}
		}
	}
	slices.Sort(referrers)
	return referrers
}

// logForms are the ways in which people have a log: the folder as it was rolled, one
// file, and that file compressed.
func logForms(t *testing.T, rolled string) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(rolled, "audit-*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	var whole bytes.Buffer
	for _, file := range append(files, filepath.Join(rolled, "audit.log")) {
		data := readAll(t, file)
		if strings.HasSuffix(file, ".gz") {
			r, err := gzip.NewReader(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if data, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
		whole.Write(data)
	}
	dir := t.TempDir()
	save := func(name string, data []byte) []string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return []string{file}
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write(whole.Bytes())
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]string{
		"as it was rolled": {filepath.Join(rolled, "audit.log")},
		"the folder":       {rolled},
		"one file":         save("plain.log", whole.Bytes()),
		"gzip":             save("zipped.log.gz", zipped.Bytes()),
		"zstd":             save("packed.log.zst", encoder.EncodeAll(whole.Bytes(), nil)),
	}
}
