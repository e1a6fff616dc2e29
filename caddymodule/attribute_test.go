package caddymodule

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

const landingPolicy = `cacheward {
		route landing {
			path /lp
			cache 5m
			attribution {
				params ref utm_*
				model %s
				deliver %s /register
			}
		}
	}
	reverse_proxy %s`

// attributedSite is an edge in front of an app that notes what it is told.
type attributedSite struct {
	*edge
	renders atomic.Int64
	told    chan *http.Request // of /register
	landed  chan *http.Request // of /lp
}

func startAttributed(t *testing.T, model, as string) *attributedSite {
	t.Helper()
	s := &attributedSite{told: make(chan *http.Request, 100), landed: make(chan *http.Request, 100)}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch r.URL.Path {
		case "/lp":
			s.renders.Add(1)
			s.landed <- r
			fmt.Fprintf(w, "<h1>Welcome</h1><!-- %s -->", r.URL.Query().Get("ref"))
		case "/register":
			s.told <- r
			fmt.Fprint(w, "Thank you")
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(app.Close)
	s.edge = startEdge(t, fmt.Sprintf(landingPolicy, model, as, app.Listener.Addr()))
	return s
}

const browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

// land visits the landing page and returns the cookie that came with it.
func (s *attributedSite) land(t *testing.T, query string, fields ...string) (cookie string, a answer) {
	t.Helper()
	if !slices.Contains(fields, "User-Agent") {
		fields = append(fields, "User-Agent", browser)
	}
	a = s.get("/lp"+query, fields...)
	if a.err != nil || a.status != http.StatusOK {
		t.Fatalf("%+v", a)
	}
	for _, line := range a.header["Set-Cookie"] {
		cookie, _, _ = strings.Cut(line, ";")
		if cc := a.header.Get("Cache-Control"); !strings.Contains(cc, "no-store") || !strings.Contains(cc, "private") {
			t.Errorf("a visitor's cookie leaves with %q", cc)
		}
	}
	return cookie, a
}

// TestAttribution: the page is shared, and the code is each visitor's own.
func TestAttribution(t *testing.T) {
	s := startAttributed(t, "last", "header")
	for i := range 20 {
		code := fmt.Sprintf("code-%d", i)
		cookie, a := s.land(t, "?utm_source=mail&ref="+code)
		if cookie == "" || strings.Contains(a.body, code) {
			t.Fatalf("%q, %+v", cookie, a)
		}
		if i > 1 && !strings.Contains(a.header.Get("Cache-Status"), "; hit") {
			t.Errorf("landing %d: %v", i, a.header)
		}
		if a := s.get("/register", "Cookie", cookie+"; other=1", "Cacheward-Attribution", "ref=mine", "Cacheward_attribution", "ref=mine"); a.status != http.StatusOK {
			t.Fatal(a)
		}
		r := <-s.told
		if got := r.Header["Cacheward-Attribution"]; len(got) != 1 || got[0] != "utm_source=mail&ref="+code {
			t.Errorf("the app was told %q", got)
		}
		if got := r.Header.Get("Cookie"); got != "other=1" || r.Header["Cacheward_attribution"] != nil {
			t.Errorf("the app got the cookies %q, and %v", got, r.Header)
		}
	}
	for len(s.landed) > 0 {
		if r := <-s.landed; r.URL.RawQuery != "" {
			t.Errorf("the app was asked for %s", r.URL)
		}
	}
	if n := s.renders.Load(); n > 2 {
		t.Errorf("the page was rendered %d times", n)
	}
}

// TestAttributionDelivery: an app gets what it used to get.
func TestAttributionDelivery(t *testing.T) {
	for _, test := range []struct {
		as   string
		told func(r *http.Request) string
	}{
		{"header", func(r *http.Request) string { return r.Header.Get("Cacheward-Attribution") }},
		{"query", func(r *http.Request) string { return "ref=" + r.URL.Query().Get("ref") }},
		{"form-cookie", func(r *http.Request) string {
			c, err := r.Cookie("ref")
			if err != nil {
				return err.Error()
			}
			return "ref=" + c.Value
		}},
	} {
		s := startAttributed(t, "first", test.as)
		first, _ := s.land(t, "?ref=A")
		second, _ := s.land(t, "?ref=B", "Cookie", first)
		if second != "" {
			t.Errorf("the first counts, and the second sets %q", second)
		}
		s.do(http.MethodPost, "/register?x=1", "Cookie", first)
		r := <-s.told
		if got := test.told(r); got != "ref=A" || r.URL.Query().Get("x") != "1" {
			t.Errorf("%s: the app was told %q, %s", test.as, got, r.URL)
		}
	}
}

// TestAttributionUncarried: who is no visitor, and what is no landing, carries nothing.
func TestAttributionUncarried(t *testing.T) {
	s := startAttributed(t, "last", "header")
	for _, test := range []struct {
		name, query string
		fields      []string
	}{
		{"nothing to carry", "", nil},
		{"an empty value", "?ref=", nil},
		{"a prefetch", "?ref=A", []string{"Sec-Purpose", "prefetch;prerender"}},
		{"a crawler", "?ref=A", []string{"User-Agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}},
		{"a long value", "?ref=" + strings.Repeat("a", 10000), nil},
		{"a line break", "?ref=A%0d%0aSet-Cookie:x=1", nil},
	} {
		cookie, _ := s.land(t, test.query, test.fields...)
		if cookie != "" {
			t.Errorf("%s: %s", test.name, cookie)
		}
	}
	for _, cookie := range []string{"cacheward=forged", "cacheward=a; cacheward=b", "__Host-cacheward=x", "cacheward="} {
		s.get("/register", "Cookie", cookie)
		if r := <-s.told; r.Header.Get("Cacheward-Attribution") != "" || r.Header.Get("Cookie") != "" {
			t.Errorf("%s: %v", cookie, r.Header)
		}
	}
}

// TestAttributionOfTheConvertingRequest: its own values are in the record as the policy has
// them, in clear.
func TestAttributionOfTheConvertingRequest(t *testing.T) {
	s := startAttributed(t, "last", "header")
	s.do(http.MethodPost, "/register?ref=Z&other=1")
	if r := <-s.told; r.Header.Get("Cacheward-Attribution") != "ref=Z" {
		t.Errorf("the app was told %v", r.Header)
	}
	eventually(t, "the record", func() bool {
		for _, line := range caddyLog.lines("http.handlers.cacheward.audit") {
			if line.Event == "fault" {
				t.Fatalf("%+v", line)
			}
			if strings.Contains(line.URL, "ref=Z&other=h:") {
				return true
			}
		}
		return false
	})
}
