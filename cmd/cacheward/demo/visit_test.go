package demo

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var someone = visitor{
	name: "visitor-00007", host: pcHost, had: attribution{"R-7", "mail"}, query: "ref=R-7&source=mail&gclid=1",
	cookies: "_ga=1", language: "ja", agent: "browser",
}

func TestVisitorFillsTheForm(t *testing.T) {
	for name, test := range map[string]struct {
		page   string
		action string
		want   url.Values
	}{
		"hidden inputs as they are": {
			`<form method=post action=/register><input type=hidden name=lead value=abc><input name=member></form>`,
			"/register", url.Values{"lead": {"abc"}, "member": {"visitor-00007"}},
		},
		"inputs that the script fills": {
			`<form method="POST" action="/register"><input type=hidden name=ref data-from-query=ref value=other>
			 <input type=hidden name=source data-from-query=source><input name=member></form>`,
			"/register", url.Values{"ref": {"R-7"}, "source": {"mail"}, "member": {"visitor-00007"}},
		},
		"a parameter that the visit lacks": {
			`<form method=post action=/r><input type=hidden name=x data-from-query=absent></form>`,
			"/r", url.Values{"x": {""}},
		},
		"the form that is sent by POST, not a search form": {
			`<form action=/search><input name=q type=hidden value=1></form>
			 <form method=post action=/r><input type=hidden name=a value=b></form>`,
			"/r", url.Values{"a": {"b"}},
		},
		"inputs without a name, and those it knows nothing of": {
			`<form method=post action=/r><input type=submit><input name=phone></form>`,
			"/r", url.Values{},
		},
		"damaged html": {
			`<form method=post action=/r><div><input type=hidden name=a value="&lt;b"><p></form></div>`,
			"/r", url.Values{"a": {"<b"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := findForm(test.page)
			if err != nil {
				t.Fatal(err)
			}
			if found.action != test.action {
				t.Errorf("action %q, want %q", found.action, test.action)
			}
			if got := found.fill(someone); !reflect.DeepEqual(got, test.want) {
				t.Errorf("filled %v, want %v", got, test.want)
			}
		})
	}
}

func TestVisitorWithoutAForm(t *testing.T) {
	for _, page := range []string{"", "<p>hello", "<form action=/search><input name=q></form>"} {
		if _, err := findForm(page); err == nil {
			t.Errorf("page %q: no error, one was expected", page)
		}
	}
}

func TestVisitAgainstEachVersion(t *testing.T) {
	for _, version := range []pageVersion{pageV1, pageV2, pageV3} {
		site := startTestApp(t, version)
		front := httptest.NewServer(site)
		people := newBrowser(front.Listener.Addr().String())
		seen, err := people.visit(t.Context(), someone)
		people.close()
		front.Close()
		if err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		if seen != (landed{}) {
			t.Errorf("version %d: landed %+v, want no cache and no refusal", version, seen)
		}
		recorded, err := site.db.members(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if recorded[someone.name] != someone.had {
			t.Errorf("version %d: recorded %v, want %v", version, recorded[someone.name], someone.had)
		}
	}
}

func TestVisitSendsWhatTheVisitorHas(t *testing.T) {
	var got []*http.Request
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r)
		_, _ = w.Write([]byte(`<form method=post action=/register></form>`))
	}))
	defer front.Close()
	people := newBrowser(front.Listener.Addr().String())
	defer people.close()
	if _, err := people.visit(t.Context(), someone); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Method != http.MethodGet || got[1].Method != http.MethodPost {
		t.Fatalf("%d requests, want a GET and a POST", len(got))
	}
	if uri := got[0].RequestURI; uri != landingPath+"?"+someone.query {
		t.Errorf("target %q, want the visitor's query", uri)
	}
	for _, r := range got {
		if r.Host != someone.host || r.Header.Get("Cookie") != someone.cookies || r.Header.Get("User-Agent") != someone.agent ||
			r.Header.Get("Accept-Language") != someone.language {
			t.Errorf("%s: host %q, header %v; want what %+v has", r.Method, r.Host, r.Header, someone)
		}
	}
}

func TestVisitThatCannotBeCompleted(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"error status": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, "status 502, 200 was expected"},
		"no form":      {func(w http.ResponseWriter, _ *http.Request) {}, "no form"},
		"form elsewhere": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`<form method=post action=http://example.com/></form>`))
		}, "another host"},
		"registration refused": {func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				w.WriteHeader(409)
			}
			_, _ = w.Write([]byte(`<form method=post action=/register></form>`))
		}, "status 409"},
	} {
		t.Run(name, func(t *testing.T) {
			front := httptest.NewServer(test.answer)
			defer front.Close()
			people := newBrowser(front.Listener.Addr().String())
			defer people.close()
			if _, err := people.visit(t.Context(), someone); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestWhereAPageCameFrom(t *testing.T) {
	for name, test := range map[string]struct {
		header http.Header
		want   landed
	}{
		"no cache":           {http.Header{}, landed{}},
		"CDN hit":            {http.Header{"X-Cache": {"HIT"}}, landed{cached: true}},
		"CDN hit, old words": {http.Header{"X-Cache": {"HIT"}, "Cache-Status": {"Cacheward; fwd=bypass; detail=identity"}}, landed{cached: true}},
		"Cacheward hit":      {http.Header{"X-Cache": {"MISS"}, "Cache-Status": {"Cacheward; hit; ttl=290"}}, landed{cached: true}},
		"named by a string":  {http.Header{"Cache-Status": {`"Cacheward"; hit`}}, landed{cached: true}},
		"waited for it":      {http.Header{"Cache-Status": {"Cacheward; fwd=uri-miss; collapsed; ttl=300"}}, landed{cached: true}},
		"hit false":          {http.Header{"Cache-Status": {"Cacheward; hit=?0"}}, landed{}},
		"miss":               {http.Header{"Cache-Status": {"Cacheward; fwd=uri-miss; stored"}}, landed{}},
		"refusal":            {http.Header{"Cache-Status": {"Cacheward; fwd=uri-miss; detail=divergent"}}, landed{refusal: "divergent"}},
		"several reasons":    {http.Header{"Cache-Status": {`Cacheward; fwd=bypass; detail="identity, no-store"`}}, landed{refusal: "identity"}},
		"another cache":      {http.Header{"Cache-Status": {"Other; hit", "Cacheward; fwd=bypass; detail=identity"}}, landed{refusal: "identity"}},
		"only another cache": {http.Header{"Cache-Status": {"Other; hit"}}, landed{}},
		"unreadable":         {http.Header{"Cache-Status": {"Cacheward; hit; ="}}, landed{}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := readLanded(test.header); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestVisitors(t *testing.T) {
	visitors := newVisitors(2000, 1)
	if !reflect.DeepEqual(visitors, newVisitors(2000, 1)) {
		t.Error("the same seed made other visitors")
	}
	if reflect.DeepEqual(visitors, newVisitors(2000, 2)) {
		t.Error("another seed made the same visitors")
	}
	returning, signedIn, phones := 0, 0, 0
	for _, v := range visitors {
		if strings.Contains(v.cookies, "_ga=") {
			returning++
		}
		if strings.Contains(v.cookies, "session=") {
			signedIn++
		}
		if v.host == phoneHost {
			phones++
		}
	}
	if returning < 900 || returning > 1100 || phones < 900 || phones > 1100 || signedIn < 30 || signedIn > 90 {
		t.Errorf("of 2000: %d returning, %d on phones, %d signed in; want about 1000, 1000 and 60", returning, phones, signedIn)
	}
}

func TestVisitorsAreTheirOwn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		n := rapid.IntRange(1, 200).Draw(t, "visitors")
		visitors := newVisitors(n, seed)
		if more := newVisitors(n+10, seed); !reflect.DeepEqual(visitors, more[:n]) {
			t.Fatal("more visitors do not begin with the same ones")
		}
		referrers, names := map[string]bool{}, map[string]bool{}
		for _, v := range visitors {
			query, err := url.ParseQuery(v.query)
			if err != nil || query.Get("ref") != v.had.Referrer || query.Get("source") != v.had.Source {
				t.Fatalf("query %q does not carry %v: %v", v.query, v.had, err)
			}
			if _, err := http.ParseCookie(v.cookies); v.cookies != "" && err != nil {
				t.Fatalf("cookies %q: %v", v.cookies, err)
			}
			referrers[v.had.Referrer], names[v.name] = true, true
		}
		if len(referrers) != n || len(names) != n {
			t.Fatalf("%d visitors have %d referrers and %d names", n, len(referrers), len(names))
		}
	})
}

func FuzzFindForm(f *testing.F) {
	f.Add(`<form method=post action=/register><input type=hidden name=lead value=abc></form>`)
	f.Add(`<form method=post><form><input name=a data-from-query=ref>`)
	f.Add("<svg><form method=post>\x00")
	f.Fuzz(func(t *testing.T, page string) {
		found, err := findForm(page)
		if err != nil {
			return
		}
		for name := range found.fill(someone) {
			if name == "" {
				t.Error("an input without a name was sent")
			}
		}
		if address, err := resolve(someone.url(), found.action); err == nil {
			if target, err := url.Parse(address); err != nil || target.Host != someone.host {
				t.Errorf("action %q leads to %q, want the visitor's host", found.action, address)
			}
		}
	})
}

func FuzzCacheStatus(f *testing.F) {
	f.Add("Cacheward; hit")
	f.Add(`Other; hit, Cacheward; fwd=uri-miss; detail="divergent, state-in-body"`)
	f.Add("(a b); hit")
	f.Fuzz(func(t *testing.T, value string) {
		got := readLanded(http.Header{"Cache-Status": {value}})
		if got.cached && got.refusal != "" {
			t.Errorf("%q: cached and refused at once: %+v", value, got)
		}
		if got != (landed{}) && !strings.Contains(value, "Cacheward") {
			t.Errorf("%q: read %+v out of another cache's words", value, got)
		}
	})
}
