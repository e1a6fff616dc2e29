package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cacheward/cacheward/caddymodule/store"
)

func init() { caddy.RegisterModule(faultyProvider{}) }

// faultyProvider is a memory store that can be told to fail.
type faultyProvider struct{ Memory }

func (faultyProvider) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "cacheward.stores.faulty",
		New: func() caddy.Module { return new(faultyProvider) },
	}
}

// storeFails makes every look-up in a faulty store fail.
var storeFails atomic.Bool

func (p *faultyProvider) StoreKey() string { return "faulty" }

func (p *faultyProvider) OpenStore() (store.Store, error) {
	memory, err := store.NewMemory(p.Size)
	return faultyStore{memory}, err
}

func (p *faultyProvider) TuneStore(store.Store) error { return nil }
func (p *faultyProvider) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return p.Memory.UnmarshalCaddyfile(d)
}

type faultyStore struct{ *store.Memory }

func (s faultyStore) Get(key store.Key, parts []byte) (*store.Object, error) {
	if storeFails.Load() {
		return nil, errors.New("the disk is on fire")
	}
	return s.Memory.Get(key, parts)
}

// auditFile is the log file that a `log` option has written.
type auditFile struct {
	t    *testing.T
	path string
}

// entry is a record as it stands in the file, every field.
type entry map[string]any

func (f auditFile) entries() []entry {
	f.t.Helper()
	text, err := os.ReadFile(f.path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		f.t.Fatal(err)
	}
	var all []entry
	for line := range strings.Lines(string(text)) {
		var e entry
		if !strings.HasSuffix(line, "\n") {
			break // it is being written
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			f.t.Fatalf("%v: %s", err, line)
		}
		all = append(all, e)
	}
	return all
}

// next waits for the entry of an event after the first n.
func (f auditFile) next(n int, event string) entry {
	f.t.Helper()
	var found entry
	eventually(f.t, "a record of "+event, func() bool {
		all := f.entries()
		if i := slices.IndexFunc(all[min(n, len(all)):], func(e entry) bool { return e["event"] == event }); i >= 0 {
			found = all[n+i]
			return true
		}
		return false
	})
	return found
}

const auditSite = `cacheward {
		%[2]s
		identity {
			cookie session
			header X-Account
		}
		route landing {
			path /page/*
			cache 5m
			param key ref source
			param plain source
			param strip @analytics
			param deny attack
			cookie key theme
			cookie strip @analytics
			header key X-Edition
		}
		route news {
			path /news/*
			cache origin
			param plain page
		}
	}
	reverse_proxy %[1]s`

// startAudited starts an edge whose audit records go to a file.
func startAudited(t *testing.T, origin string, extra ...string) (*edge, auditFile) {
	t.Helper()
	f := auditFile{t, filepath.Join(t.TempDir(), "audit.log")}
	e := startEdgeWith(t, "log cacheward_audit {\noutput file "+f.path+"\nformat json\ninclude http.handlers.cacheward.audit\n}",
		fmt.Sprintf(auditSite, origin, strings.Join(extra, "\n")))
	return e, f
}

var (
	keyDigits  = regexp.MustCompile(`^[0-9a-f]{16}$`)
	objectName = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	digest     = regexp.MustCompile(`h:[0-9a-f]{12}`)
)

// check holds an entry against the fields that it must have.
func (e entry) check(t *testing.T, want entry) {
	t.Helper()
	for name, value := range want {
		if got := e[name]; fmt.Sprint(got) != fmt.Sprint(value) {
			t.Errorf("%s of %s is %v, want %v", name, e["event"], got, value)
		}
	}
	if e["schema"] != 1.0 || e["msg"] != "cacheward" || e["logger"] != "http.handlers.cacheward.audit" {
		t.Errorf("record: %v", e)
	}
}

// TestRecords: an entry for every decision, in the file.
func TestRecords(t *testing.T) {
	var n atomic.Int64
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/private"):
			w.Header().Set("Cache-Control", "private")
		case strings.HasPrefix(r.URL.Path, "/news/"):
			w.Header().Set("Cache-Control", "max-age=60")
		}
		w.Header().Set("Content-Type", "text/html")
		if strings.HasSuffix(r.URL.Path, "/token") {
			fmt.Fprintf(w, `<input name="csrf" value="%032x">`, n.Add(1))
			return
		}
		fmt.Fprint(w, "the page")
	})
	storeFails.Store(false)
	e, f := startAudited(t, origin, "store faulty")

	e.ok("/page/1?ref=a&source=mail")
	fill, stored := f.next(0, "bypass"), f.next(0, "store")
	fill.check(t, entry{
		"level": "info", "outcome": "fill", "route": "landing", "mode": "enforce", "method": "GET",
		"host": "example.com", "status": 200, "size_bytes": 8, "reasons": nil, "object": nil,
	})
	stored.check(t, entry{"level": "info", "route": "landing", "status": 200, "size_bytes": 8, "key": fill["key"], "ttl_s": 300})
	if !keyDigits.MatchString(fmt.Sprint(fill["key"])) || !objectName.MatchString(fmt.Sprint(stored["object"])) {
		t.Errorf("key %v, object %v", fill["key"], stored["object"])
	}
	url := fmt.Sprint(fill["url"])
	if !strings.HasPrefix(url, "http://example.com/page/1?ref=h:") || !strings.HasSuffix(url, "&source=mail") || stored["url"] != url {
		t.Errorf("url %s, of the fill %v", url, stored["url"])
	}

	seen := len(f.entries())
	e.ok("/page/1?ref=a&source=mail&utm_source=newsletter")
	hit := f.next(seen, "serve")
	hit.check(t, entry{"level": "info", "outcome": "hit", "route": "landing", "object": stored["object"], "key": stored["key"], "status": 200, "size_bytes": 8})
	if ttl := hit["ttl_s"].(float64); ttl <= 0 || ttl > 300 {
		t.Errorf("ttl_s is %v", ttl)
	}
	if digest.FindString(fmt.Sprint(hit["url"])) != digest.FindString(url) {
		t.Errorf("equal values have the digests %s and %s", hit["url"], url)
	}

	for _, c := range []struct {
		name, event, target string
		headers             []string
		status              int
		want                entry
	}{
		{"bypass", "bypass", "/page/1?ref=a&x=1", nil, 200, entry{"outcome": "bypass", "reasons": []string{"param-bypass"}, "level": "info"}},
		{"identity", "bypass", "/page/1", []string{"Cookie", "session=1"}, 200, entry{"outcome": "bypass", "reasons": []string{"identity"}}},
		{"no route", "bypass", "/elsewhere", nil, 200, entry{"outcome": "bypass", "route": "default", "reasons": []string{"no-route"}}},
		{"deny", "deny", "/page/1?attack=1", nil, 400, entry{"outcome": "deny", "reasons": []string{"denied"}, "level": "info", "status": 400}},
		{"refuse", "refuse", "/page/private", nil, 200, entry{"reasons": []string{"private"}, "level": "info"}},
		{"remembered", "bypass", "/page/private", nil, 200, entry{"outcome": "pass", "reasons": []string{"private", "remembered-refusal"}}},
		{"diverge", "diverge", "/page/token", nil, 200, entry{"reasons": []string{"divergent"}, "level": "warn"}},
		{"once", "serve", "/news/1?page=2", nil, 200, entry{"outcome": "fill", "route": "news", "url": "http://example.com/news/1?page=2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen := len(f.entries())
			if a := e.get(c.target, c.headers...); a.err != nil || a.status != c.status {
				t.Errorf("%d, %v", a.status, a.err)
			}
			f.t = t
			f.next(seen, c.event).check(t, c.want)
			settled(t)
		})
	}
	divergence := f.next(0, "diverge")["divergence"].(map[string]any)
	if divergence["part"] != "body" || divergence["near"] != "input csrf" || !strings.HasPrefix(fmt.Sprint(divergence["shape"]), "decimal-") && !strings.HasPrefix(fmt.Sprint(divergence["shape"]), "hex-") {
		t.Errorf("divergence: %v", divergence)
	}

	storeFails.Store(true)
	defer storeFails.Store(false)
	e.ok("/page/1?ref=a&source=mail")
	f.next(0, "fault").check(t, entry{"level": "error", "outcome": "fault", "route": "landing", "reasons": []string{"store-fault"}, "error": "the disk is on fire"})
	if n := len(records("")); n != 0 {
		t.Errorf("%d records are in the default log as well", n)
	}
}

// TestServesNone: of the decisions only the hits are left out.
func TestServesNone(t *testing.T) {
	e, f := startAudited(t, newOrigin(t, func(w http.ResponseWriter, _ *http.Request) { page(w, "the page") }),
		"audit {\nserves none\n}")
	e.ok("/page/1")
	f.next(0, "store")
	for range 5 {
		if a := e.ok("/page/1"); !a.hit() {
			t.Fatal(a.header.Get("Cache-Status"))
		}
	}
	e.ok("/elsewhere")
	eventually(t, "the record after the hits", func() bool {
		return slices.ContainsFunc(f.entries(), func(e entry) bool { return e["route"] == "default" })
	})
	for _, e := range f.entries() {
		if e["event"] == "serve" {
			t.Errorf("record: %v", e)
		}
	}
}

// TestNoSecretsInRecords: what visitors send and what the origin answers is not in
// the log, whatever becomes of the request. Names and plain values are.
func TestNoSecretsInRecords(t *testing.T) {
	const secret = "s3cr3t"
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Secret", secret)
		h.Set("Content-Type", "text/html")
		h.Set("Cache-Control", "max-age=60")
		switch {
		case strings.HasSuffix(r.URL.Path, "/cookie"):
			h.Set("Set-Cookie", "session="+secret)
		case strings.HasSuffix(r.URL.Path, "/broken"):
			h.Set("Content-Length", "1000")
		case strings.HasSuffix(r.URL.Path, "/500"):
			w.WriteHeader(500)
		case strings.HasSuffix(r.URL.Path, "/varies"):
			h.Set("Vary", secret)
		case strings.HasSuffix(r.URL.Path, "/different"):
			fmt.Fprint(w, secret, r.UserAgent())
		case strings.HasSuffix(r.URL.Path, "/head"):
			h.Set("X-Secret", secret+r.UserAgent())
		}
		fmt.Fprint(w, "<p>", secret, "</p>")
	})
	storeFails.Store(false)
	e, f := startAudited(t, origin, "store faulty")
	queries := []string{
		"", "?ref=" + secret, "?ref=" + secret + "&source=plain-value", "?x=" + secret, "?attack=" + secret, "?" + secret,
		"?ref=%73" + secret[1:], "?a=1;b=" + secret, "?ref=1&ref=" + secret, "?utm_source=" + secret, "?ref=" + secret + "%zz",
	}
	headers := [][]string{
		nil,
		{"Cookie", "session=" + secret}, {"Cookie", "theme=" + secret}, {"Cookie", "_ga=" + secret}, {"Cookie", secret},
		{"Cookie", "other=" + secret}, {"Authorization", "Bearer " + secret}, {"X-Account", secret}, {"X-Edition", secret},
		{"Referer", "https://example.com/?t=" + secret}, {"User-Agent", secret}, {"X-Forwarded-For", secret},
		{"X-Original-Url", "/" + secret}, {"Origin", "https://" + secret}, {"Range", secret}, {"If-None-Match", `"` + secret + `"`},
		{"Traceparent", secret},
	}
	for _, failing := range []bool{false, true} {
		storeFails.Store(failing)
		for _, path := range []string{"/page/1", "/news/1", "/elsewhere", "/page/cookie", "/page/broken", "/page/500", "/page/varies", "/page/different", "/page/head", "/news/broken", "/a//b"} {
			for _, query := range queries {
				e.get(path+query, "X-Other", secret)
			}
			for _, h := range headers {
				e.get(path+"?ref="+secret, h...)
			}
		}
	}
	storeFails.Store(false)
	e.ok("/last")
	eventually(t, "the last record", func() bool {
		return slices.ContainsFunc(f.entries(), func(e entry) bool { return strings.HasSuffix(fmt.Sprint(e["url"]), "/last") })
	})
	settled(t)
	outcomes, events := make(map[any]int), make(map[any]int)
	for _, entry := range f.entries() {
		outcomes[entry["outcome"]]++
		events[entry["event"]]++
		line, err := json.Marshal(entry)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(line), secret) {
			t.Errorf("record: %s", line)
		}
	}
	for _, line := range caddyLog.lines("http.handlers.cacheward") {
		if strings.Contains(fmt.Sprint(line), secret) {
			t.Errorf("log: %+v", line)
		}
	}
	for _, outcome := range []string{"hit", "fill", "pass", "bypass", "deny", "fault"} {
		if outcomes[outcome] == 0 {
			t.Errorf("no request ended as %s: %v", outcome, outcomes)
		}
	}
	for _, event := range []string{"store", "refuse", "serve", "bypass", "deny", "diverge", "fault"} {
		if events[event] == 0 {
			t.Errorf("no record of %s: %v", event, events)
		}
	}
	if !slices.ContainsFunc(f.entries(), func(e entry) bool { return strings.Contains(fmt.Sprint(e["url"]), "source=plain-value") }) {
		t.Error("the plain value is in no record")
	}
}
