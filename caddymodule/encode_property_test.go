package caddymodule

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// encoding is a handler without Caddy around it that serves compressed hits, before an origin whose
// pages tell where they belong.
type encoding struct {
	*Handler
	served atomic.Int64 // answers of the origin
}

func newEncoding(t testing.TB, size int64, codings ...string) *encoding {
	h := benchedUnder(t, "none", &policies.Policy{Routes: []policies.Route{{
		Name:   "page",
		Match:  policies.Match{Paths: []string{"/*"}},
		Cache:  policies.Cache{Kind: policies.CacheOrigin},
		Params: &policies.Inputs{Strip: []string{"visitor"}},
	}}})
	h.Encode = codings
	if err := h.shared.store.(*store.Memory).SetLimit(size); err != nil {
		t.Fatal(err)
	}
	return &encoding{Handler: h}
}

// pageOf is the page at a path in one of its editions.
func pageOf(path string, edition int64) string {
	line := fmt.Sprintf("this is %s in edition %d\n", path, edition)
	return strings.Repeat(line, 100)
}

func (e *encoding) origin(w http.ResponseWriter, r *http.Request) error {
	edition := e.served.Add(1)
	h := w.Header()
	h["Content-Type"] = []string{"text/plain"}
	h["Cache-Control"] = []string{"max-age=600"}
	h["Etag"] = []string{fmt.Sprintf(`"%s-%d"`, r.URL.Path[1:], edition)}
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write([]byte(pageOf(r.URL.Path, edition)))
	return err
}

// ask sends a request through the handler, in the way that Caddy does.
func (e *encoding) ask(method, target string, fields http.Header) (*http.Response, []byte, error) {
	rec := httptest.NewRecorder()
	r := httptest.NewRequest(method, target, nil)
	for name, lines := range fields {
		r.Header[name] = lines
	}
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), rec, nil)
	if err := e.ServeHTTP(rec, r, caddyhttp.HandlerFunc(e.origin)); err != nil {
		return nil, nil, err
	}
	res := rec.Result()
	return res, rec.Body.Bytes(), nil
}

// check says what is wrong with the answer to a GET of the path.
func check(path string, accept []string, res *http.Response, body []byte) error {
	coding := res.Header.Get("Content-Encoding")
	if coding != "" && httpcache.NegotiateCoding(accept, []string{coding}) != coding {
		return fmt.Errorf("%q was given %s", accept, coding)
	}
	if n := res.Header.Get("Content-Length"); n != "" && n != fmt.Sprint(len(body)) {
		return fmt.Errorf("%d bytes, Content-Length %s", len(body), n)
	}
	plain, err := decodeBody(coding, body)
	if err != nil {
		return fmt.Errorf("decoding %s: %w", coding, err)
	}
	// The entity tag tells the edition: body, head and coding belong together.
	var name string
	var edition int64
	tag := strings.TrimSuffix(strings.Trim(res.Header.Get("Etag"), `"`), "-"+coding)
	if _, err := fmt.Sscanf(strings.ReplaceAll(tag, "-", " "), "%s %d", &name, &edition); err != nil {
		return fmt.Errorf("Etag %q: %w", res.Header.Get("Etag"), err)
	}
	if "/"+name != path || string(plain) != pageOf(path, edition) {
		return fmt.Errorf("%s, %s: was given %.40q", path, tag, plain)
	}
	return nil
}

var accepts = []string{"gzip, deflate, br, zstd", "gzip", "br;q=0.5, zstd;q=0.4", "zstd", "*", "identity", "gzip;q=0", "deflate", ""}

// TestCompressedProperty: whatever clients accept, and whatever becomes of the objects meanwhile, what
// they decode is the page that they asked for, in the edition that its entity tag names.
func TestCompressedProperty(t *testing.T) {
	e := newEncoding(t, 1<<20, "br", "zstd", "gzip")
	rapid.Check(t, func(t *rapid.T) {
		path := rapid.SampledFrom([]string{"/a", "/b", "/c"})
		t.Repeat(map[string]func(*rapid.T){
			"ask": func(t *rapid.T) {
				target := path.Draw(t, "path")
				fields := http.Header{}
				if accept := rapid.SampledFrom(accepts).Draw(t, "accept"); accept != "" {
					fields["Accept-Encoding"] = []string{accept}
				}
				method := rapid.SampledFrom([]string{"GET", "GET", "HEAD"}).Draw(t, "method")
				if rapid.Bool().Draw(t, "range") {
					fields["Range"] = []string{"bytes=10-19"}
				}
				res, body, err := e.ask(method, target+"?visitor="+fmt.Sprint(rapid.Byte().Draw(t, "visitor")), fields)
				switch {
				case err != nil:
					t.Fatal(err)
				case res.StatusCode == http.StatusPartialContent:
					if res.Header.Get("Content-Encoding") != "" || !strings.HasPrefix(pageOf(target, 1)[10:], string(body[:5])) {
						t.Fatalf("%q, %v", body, res.Header)
					}
				case method == http.MethodGet:
					if err := check(target, fields["Accept-Encoding"], res, body); err != nil {
						t.Fatal(err)
					}
				case len(body) > 0:
					t.Fatalf("HEAD was given %d bytes", len(body))
				}
			},
			"purge": func(t *rapid.T) {
				if _, err := e.shared.store.Purge(store.Selection{Prefix: "example.com" + path.Draw(t, "path")}, false); err != nil {
					t.Fatal(err)
				}
			},
		})
	})
	if e.shared.forming.made.Load() == 0 {
		t.Error("no form was made")
	}
}

// TestCompressedUnderway is that with many at once, and a store in which not all has room.
func TestCompressedUnderway(t *testing.T) {
	e := newEncoding(t, 24<<10, "br", "zstd", "gzip")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 400 {
				path := fmt.Sprintf("/%c", 'a'+rand.IntN(8))
				accept := []string{accepts[rand.IntN(len(accepts))]}
				res, body, err := e.ask(http.MethodGet, path, http.Header{"Accept-Encoding": accept})
				if err == nil {
					err = check(path, accept, res, body)
				}
				if err != nil {
					t.Error(err)
					return
				}
				if rand.IntN(50) == 0 {
					if _, err := e.shared.store.Purge(store.Selection{All: true}, false); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	// What is being put at that very moment may exceed the bound; once nothing is, nothing does.
	if err := e.workers.stop(patience); err != nil {
		t.Fatal(err)
	}
	if s := e.shared.store.Stats(); s.Bytes > s.Limit {
		t.Errorf("%d bytes of at most %d", s.Bytes, s.Limit)
	}
	if e.shared.forming.made.Load() == 0 {
		t.Error("no form was made")
	}
}

// TestFormsEndWithTheirObject: after a purge the form is gone, and what is served is the new edition.
func TestFormsEndWithTheirObject(t *testing.T) {
	e := newEncoding(t, 1<<20, "gzip")
	gzip := http.Header{"Accept-Encoding": {"gzip"}}
	coded := func(want bool) string {
		t.Helper()
		var tag string
		eventually(t, fmt.Sprintf("an answer with gzip %v", want), func() bool {
			res, body, err := e.ask(http.MethodGet, "/a", gzip)
			if err == nil {
				err = check("/a", gzip["Accept-Encoding"], res, body)
			}
			if err != nil {
				t.Fatal(err)
			}
			tag = res.Header.Get("Etag")
			return want == (res.Header.Get("Content-Encoding") == "gzip")
		})
		return tag
	}
	first := coded(true)
	if _, err := e.shared.store.Purge(store.Selection{All: true}, false); err != nil {
		t.Fatal(err)
	}
	if s := e.shared.store.Stats(); s.Forms != 0 {
		t.Errorf("%d forms after the purge", s.Forms)
	}
	if second := coded(false); second == first {
		t.Errorf("%s is served after the purge", second)
	}
	if third := coded(true); third == first {
		t.Errorf("%s is served after the purge", third)
	}
}

// TestFormIsMadeOnce: of many hits at once, and of none that saves too little again.
func TestFormIsMadeOnce(t *testing.T) {
	e := newEncoding(t, 1<<20, "gzip")
	gzip := http.Header{"Accept-Encoding": {"gzip"}}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if _, _, err := e.ask(http.MethodGet, "/a", gzip); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	eventually(t, "the form", func() bool {
		_, _, _ = e.ask(http.MethodGet, "/a", gzip)
		return e.shared.store.Stats().Forms == 1
	})
	if n := e.shared.forming.made.Load(); n != 1 {
		t.Errorf("the form was made %d times", n)
	}

	noise := make([]byte, 4000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header()["Content-Type"] = []string{"text/plain"}
		w.Header()["Cache-Control"] = []string{"max-age=600"}
		_, err := w.Write(noise)
		return err
	})
	for range 2 {
		eventually(t, "the judgement", func() bool {
			rec := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodGet, "/noise", nil)
			r.Header.Set("Accept-Encoding", "gzip")
			r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), rec, nil)
			if err := e.ServeHTTP(rec, r, next); err != nil || rec.Header().Get("Content-Encoding") != "" {
				t.Fatalf("%v, %v", err, rec.Header())
			}
			return e.shared.forming.useless.Load() == 1
		})
	}
	if s := e.shared.store.Stats(); s.Forms != 1 {
		t.Errorf("%d forms", s.Forms)
	}
}

// TestFormingIsBounded: one form an object, and so many at once.
func TestFormingIsBounded(t *testing.T) {
	var f forming
	most := formsAtOnce()
	for i := range most {
		if !f.begin(fmt.Sprint(i)) {
			t.Fatalf("form %d of %d was refused", i, most)
		}
	}
	if f.begin("0") || f.begin("one more") {
		t.Error("more forms than there may be")
	}
	f.end("0")
	if !f.begin("one more") || f.begin("0") {
		t.Error("the place of a form that is made was not given to another")
	}
}

// TestEncodeBody: what an encoder makes decodes to what it was made of, however long that is.
func TestEncodeBody(t *testing.T) {
	for _, size := range []int{0, 1, 511, 64 << 10, 5 << 20} {
		body := []byte(strings.Repeat("a page with some words in it, ", size/30+1)[:size])
		for _, coding := range []string{"gzip", "zstd", "br"} {
			coded, err := encodeBody(coding, body)
			if err != nil {
				t.Fatal(err)
			}
			if plain, err := decodeBody(coding, coded); err != nil || string(plain) != string(body) || cap(coded)-len(coded) > 1024 {
				t.Errorf("%s of %d bytes: %d bytes, %v", coding, size, len(plain), err)
			}
		}
	}
	if _, err := encodeBody("compress", nil); err == nil {
		t.Error("compress is a coding")
	}
}

// TestEncodeOption: the spellings of the option, and what it cannot be.
func TestEncodeOption(t *testing.T) {
	for _, c := range []struct {
		codings []string
		ok      bool
	}{
		{nil, true},
		{[]string{"gzip"}, true},
		{[]string{"zstd", "br", "gzip"}, true},
		{[]string{"off"}, true},
		{[]string{"off", "gzip"}, false},
		{[]string{"gzip", "gzip"}, false},
		{[]string{"deflate"}, false},
		{[]string{"GZIP"}, false},
	} {
		if err := checkEncode(c.codings); (err == nil) != c.ok {
			t.Errorf("%q: %v", c.codings, err)
		}
		if len(c.codings) == 0 {
			continue
		}
		h := new(Handler)
		err := h.UnmarshalCaddyfile(caddyfile.NewTestDispenser("cacheward {\nencode " + strings.Join(c.codings, " ") + "\n}"))
		if (err == nil) != c.ok || c.ok && fmt.Sprint(h.Encode) != fmt.Sprint(c.codings) {
			t.Errorf("encode %q: %v, %q", c.codings, err, h.Encode)
		}
	}
	if err := new(Handler).UnmarshalCaddyfile(caddyfile.NewTestDispenser("cacheward {\nencode\n}")); err == nil {
		t.Error("encode without a coding was accepted")
	}
}

// BenchmarkStepHitEncoded is the handler alone, for a client that takes the coding; identity is what the
// others are held against.
func BenchmarkStepHitEncoded(b *testing.B) {
	body := []byte(strings.Repeat(longPage, 9)[:64<<10])
	for _, coding := range []string{"identity", "gzip", "zstd", "br"} {
		b.Run(coding, func(b *testing.B) {
			h := benched(b, "none")
			if coding != "identity" {
				h.Encode = []string{coding}
			}
			w := &discard{make(http.Header)}
			r := browserRequest(b, "/page?ref=mail", w)
			next := benchPage(body)
			vars := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
			eventually(b, "the form", func() bool {
				clear(w.header)
				clear(vars)
				if err := h.ServeHTTP(w, r, next); err != nil {
					b.Fatal(err)
				}
				return w.header.Get("Age") != "" && (coding == "identity" || w.header.Get("Content-Encoding") == coding)
			})
			bench(b, h, r, w, next)
		})
	}
}
