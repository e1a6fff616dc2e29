package integration

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/cacheward/cacheward/integration/edge"
)

// pressed is a site whose pages are worth compressing.
type pressed struct {
	*edge.Site
	t *testing.T
	// edition is that of the pages: another one has other bytes and another tag.
	edition *atomic.Int64
	client  *http.Client
}

// startPressed runs the binary with something in front of cacheward, and an option of it.
func startPressed(t *testing.T, before, option string) *pressed {
	t.Helper()
	p := &pressed{t: t, edition: new(atomic.Int64)}
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		edition := p.edition.Load()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "max-age=600")
		if r.URL.Path == "/still" {
			w.Header().Set("Cache-Control", "max-age=600, no-transform")
		}
		w.Header().Set("Etag", fmt.Sprintf(`"v%d"`, edition))
		_, _ = io.WriteString(w, pageOf(edition))
	}))
	t.Cleanup(origin.Close)
	p.Site = edge.StartSite(t, binary, edge.SiteConfig{
		Origin: origin.Listener.Addr().String(), Before: before,
		Policy: option + "\n\t\troute page {\n\t\t\tpath /*\n\t\t\tcache origin\n\t\t}",
	})
	transport := &http.Transport{DisableCompression: true} // what comes is looked at as it comes
	t.Cleanup(transport.CloseIdleConnections)
	p.client = &http.Client{Transport: transport, Timeout: edge.Patience}
	return p
}

// pageOf is long enough, when compressed, for net/http not to know its length if nobody says it.
func pageOf(edition int64) string {
	page := fmt.Sprintf("<!doctype html>\n<h1>Edition %d</h1>\n", edition)
	numbers := rand.New(rand.NewPCG(uint64(edition), 1))
	for range 500 {
		page += fmt.Sprintf("<p>One page for everybody, %016x.</p>\n", numbers.Uint64())
	}
	return page
}

// ask sends a request with the header fields, given as name, value, name, value …
func (p *pressed) ask(method, path string, fields ...string) answer {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, "http://"+p.Address+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	res, err := p.client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer{res, string(body)}
}

// page asks for a page in a coding, and fails the test unless it is the edition at hand.
func (p *pressed) page(path, coding string) answer {
	p.t.Helper()
	edition := p.edition.Load()
	a := p.ask(http.MethodGet, path, "Accept-Encoding", coding)
	tag := fmt.Sprintf(`"v%d"`, edition)
	if coded := a.Header.Get("Content-Encoding"); coded != "" {
		if coded != coding {
			p.t.Fatalf("%s was asked for, %s came", coding, coded)
		}
		tag = fmt.Sprintf(`"v%d-%s"`, edition, coding)
	}
	if body := unpressed(p.t, a); a.StatusCode != http.StatusOK || body != pageOf(edition) || a.Header.Get("Etag") != tag {
		p.t.Fatalf("%s: %s, Etag %s, Cache-Status %s, %.60q", coding, a.Status, a.Header.Get("Etag"), a.cacheward(), body)
	}
	return a
}

// hits asks until the page is served as the condition has it.
func (p *pressed) hits(path, coding string, condition func(answer) bool) (a answer) {
	p.t.Helper()
	edge.Eventually(p.t, "a hit in "+coding, func() bool {
		a = p.page(path, coding)
		return strings.Contains(a.cacheward(), "; hit") && condition(a)
	})
	return a
}

// made is how many compressed forms the edge has made.
func (p *pressed) made() string {
	p.t.Helper()
	res, err := p.client.Get("http://" + p.Admin + "/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), " "); strings.HasPrefix(name, "caddy_cacheward_forms_total{") && strings.Contains(name, `"made"`) {
			return value
		}
	}
	p.t.Fatal("there is no metric forms_total")
	return ""
}

// unpressed undoes the coding of an answer.
func unpressed(t *testing.T, a answer) string {
	t.Helper()
	var r io.Reader = strings.NewReader(a.body)
	switch coding := a.Header.Get("Content-Encoding"); coding {
	case "":
		return a.body
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		r = z
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(8<<20)) // what browsers take, RFC 9659 §3
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		r = z
	case "br":
		r = brotli.NewReader(r)
	default:
		t.Fatalf("no coding is called %q", coding)
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return body.String()
}

// varies says whether caches further on are told that there are several codings.
func varies(a answer) bool {
	return strings.Contains(strings.Join(a.Header["Vary"], ","), "Accept-Encoding")
}

// TestCompressedOnce: hits leave compressed, each page is compressed once a coding, and to a
// client that is all that there is to see.
func TestCompressedOnce(t *testing.T) {
	for _, site := range []struct {
		name, before, option string
		codings              []string
	}{
		{"encode in front", "\tencode", "", []string{"gzip", "zstd"}},
		{"option", "", "\t\tencode zstd br gzip", []string{"gzip", "zstd", "br"}},
		{"both", "\tencode", "\t\tencode zstd br gzip", []string{"gzip", "zstd", "br"}},
	} {
		t.Run(site.name, func(t *testing.T) {
			p := startPressed(t, site.before, site.option)
			once := func() {
				t.Helper()
				for _, coding := range site.codings {
					p.compressed(coding)
				}
			}
			once()
			if n := p.made(); n != fmt.Sprint(len(site.codings)) {
				t.Errorf("%s forms were made of one page in %d codings", n, len(site.codings))
			}
			if a := p.page("/", "identity"); a.Header.Get("Etag") != `"v0"` || !varies(a) || !strings.Contains(a.cacheward(), "; hit") {
				t.Errorf("as it is: %v", a.Header)
			}

			p.edition.Add(1)
			if out, code := p.Run(t, "purge", "--url", "http://"+p.Address+"/", "--reason", "a new edition"); code != 0 {
				t.Fatalf("purge: exit %d, %s", code, out)
			}
			once() // fails the test where anything is of the old edition
			if n := p.made(); n != fmt.Sprint(2*len(site.codings)) {
				t.Errorf("%s forms were made of two editions in %d codings", n, len(site.codings))
			}

			a := p.hits("/still", "gzip", func(answer) bool { return true })
			if a.Header.Get("Content-Encoding") != "" || !strings.HasSuffix(a.Header.Get("Cache-Control"), ", no-transform") {
				t.Errorf("what must not be transformed: %v", a.Header)
			}
			edge.Eventually(t, "records of what was served in a coding", func() bool {
				served := map[string]bool{}
				for _, r := range edge.Records[struct{ Event, Coding string }](t, p.Site) {
					if r.Coding != "" && r.Event != "serve" {
						t.Errorf("a record of %s has the coding %s", r.Event, r.Coding)
					}
					served[r.Coding] = true
				}
				delete(served, "")
				return slices.Equal(slices.Sorted(maps.Keys(served)), slices.Sorted(slices.Values(site.codings)))
			})
		})
	}
}

// compressed sees that the page comes in the coding, as a client may expect it.
func (p *pressed) compressed(coding string) {
	t := p.t
	t.Helper()
	// With a length: encode, which compresses on the way, does not know it.
	get := p.hits("/", coding, func(a answer) bool {
		return a.Header.Get("Content-Encoding") == coding && a.Header.Get("Content-Length") != ""
	})
	if again := p.page("/", coding); again.body != get.body || !varies(again) {
		t.Errorf("%s: %d bytes, then %d: %v", coding, len(get.body), len(again.body), again.Header)
	}
	head := p.ask(http.MethodHead, "/", "Accept-Encoding", coding)
	for _, h := range []http.Header{get.Header, head.Header} {
		delete(h, "Age") // a second may have passed
		delete(h, "Cache-Status")
	}
	if !maps.EqualFunc(get.Header, head.Header, slices.Equal) || head.StatusCode != http.StatusOK {
		t.Errorf("%s: HEAD has %v, GET %v", coding, head.Header, get.Header)
	}
	for _, tag := range []string{get.Header.Get("Etag"), fmt.Sprintf(`"v%d"`, p.edition.Load())} {
		a := p.ask(http.MethodGet, "/", "Accept-Encoding", coding, "If-None-Match", tag)
		if a.StatusCode != http.StatusNotModified || a.body != "" || !varies(a) || a.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s, If-None-Match: %s: %s %v", coding, tag, a.Status, a.Header)
		}
	}
	if a := p.ask(http.MethodGet, "/", "Accept-Encoding", coding, "If-None-Match", `"other"`); a.StatusCode != http.StatusOK || a.body != get.body {
		t.Errorf("%s, another tag: %s, %d bytes", coding, a.Status, len(a.body))
	}
	if a := p.ask(http.MethodGet, "/", "Accept-Encoding", coding, "Range", "bytes=4-19"); a.StatusCode != http.StatusPartialContent ||
		a.body != pageOf(p.edition.Load())[4:20] || a.Header.Get("Content-Encoding") != "" {
		t.Errorf("%s, a part: %s, %q", coding, a.Status, a.body)
	}
}

// TestEncodeOff: all of it is left to what is in front, each time.
func TestEncodeOff(t *testing.T) {
	p := startPressed(t, "\tencode", "\t\tencode off")
	for _, coding := range []string{"gzip", "zstd", "br"} {
		p.hits("/", coding, func(answer) bool { return true })
		for range 3 {
			a := p.page("/", coding)
			coded := a.Header.Get("Content-Encoding") == coding
			if coded != (coding != "br") || coded == (a.Header.Get("Content-Length") != "") {
				t.Errorf("%s: %v", coding, a.Header)
			}
			if a := p.ask(http.MethodGet, "/", "Accept-Encoding", coding, "If-None-Match", a.Header.Get("Etag")); a.StatusCode != http.StatusNotModified {
				t.Errorf("%s: %s", coding, a.Status)
			}
		}
	}
	if n := p.made(); n != "0" {
		t.Errorf("%s forms were made", n)
	}
}
