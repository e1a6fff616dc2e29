package demo

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func startTestApp(t *testing.T, version pageVersion) *app {
	t.Helper()
	site, err := newApp(t.Context(), t.TempDir(), version)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := site.close(); err != nil {
			t.Error(err)
		}
	})
	return site
}

func get(h http.Handler, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func post(h http.Handler, target string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// token returns the record's token in a landing page of version 1.
func token(t *testing.T, page string) string {
	t.Helper()
	found, err := findForm(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range found.inputs {
		if in.name == "lead" && in.hidden && len(in.value) == 24 {
			return in.value
		}
	}
	t.Fatalf("no token in the form's inputs %+v", found.inputs)
	return ""
}

func countRows(t *testing.T, site *app, table string) int {
	t.Helper()
	var n int
	if err := site.db.reader.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestVersion1TiesTheMemberToTheTokensRecord(t *testing.T) {
	site := startTestApp(t, pageV1)
	ann := get(site, "http://hapitas.example/register/lp?ref=ann&source=mail")
	bob := get(site, "http://hapitas.example/register/lp?ref=bob&source=share")
	if token(t, ann.Body.String()) == token(t, bob.Body.String()) {
		t.Fatal("two visits got one token")
	}
	if n := countRows(t, site, "leads"); n != 2 {
		t.Errorf("leads: %d, want 2", n)
	}
	if got := site.renders.Load(); got != 2 {
		t.Errorf("renders: %d, want 2", got)
	}
	// Both send the token of the first: the incident, as the app sees it.
	for _, member := range []string{"a", "b"} {
		form := url.Values{"member": {member}, "lead": {token(t, ann.Body.String())}, "ref": {"bob"}, "source": {"share"}}
		w := post(site, "http://hapitas.example/register", form)
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `<dd id="referrer">ann</dd>`) {
			t.Errorf("POST of %q: status %d, body %s", member, w.Code, w.Body)
		}
	}
	recorded, err := site.db.members(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := attribution{"ann", "mail"}
	if recorded["a"] != want || recorded["b"] != want || len(recorded) != 2 {
		t.Errorf("members: %v, want a and b with %v", recorded, want)
	}
}

func TestVersion2WritesNothingOnGet(t *testing.T) {
	site := startTestApp(t, pageV2)
	ann := get(site, "http://hapitas.example/register/lp?ref=ann&source=mail", "Cookie", "session=1")
	bob := get(site, "http://hapitas.example/register/lp?ref=bob&source=share", "Accept-Language", "ja")
	if ann.Body.String() != bob.Body.String() {
		t.Error("the page differs between two visitors")
	}
	if n := countRows(t, site, "leads"); n != 0 {
		t.Errorf("leads: %d, want 0", n)
	}
	if got := site.renders.Load(); got != 2 {
		t.Errorf("renders: %d, want 2", got)
	}
	if w := post(site, "http://hapitas.example/register", url.Values{"member": {"b"}, "ref": {"bob"}, "source": {"share"}}); w.Code != http.StatusOK {
		t.Fatalf("POST: status %d, body %s", w.Code, w.Body)
	}
	recorded, err := site.db.members(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := (attribution{"bob", "share"}); recorded["b"] != want {
		t.Errorf("member b: %v, want %v", recorded["b"], want)
	}
}

func TestPagesDifferByHost(t *testing.T) {
	for _, version := range []pageVersion{pageV1, pageV2, pageV3} {
		site := startTestApp(t, version)
		for host, want := range map[string]string{
			"hapitas.example":         "PC edition",
			"hapitas.example:8080":    "PC edition",
			"sp.hapitas.example":      "smartphone edition",
			"SP.hapitas.example:8080": "smartphone edition",
			"127.0.0.1":               "PC edition",
		} {
			if page := get(site, "http://"+host+landingPath).Body.String(); !strings.Contains(page, want) {
				t.Errorf("version %d: the page at %s is not of the %s", version, host, want)
			}
		}
	}
}

func TestRegisterRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		form url.Values
		want int
	}{
		"no member":      {url.Values{"lead": {"x"}}, http.StatusBadRequest},
		"blank member":   {url.Values{"member": {"  "}}, http.StatusBadRequest},
		"taken member":   {url.Values{"member": {"taken"}}, http.StatusConflict},
		"too large form": {url.Values{"member": {strings.Repeat("x", maxForm+1)}}, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			site := startTestApp(t, pageV1)
			post(site, "http://hapitas.example/register", url.Values{"member": {"taken"}})
			w := post(site, "http://hapitas.example/register", test.form)
			if w.Code != test.want {
				t.Errorf("status %d, want %d", w.Code, test.want)
			}
			if got := w.Header().Get("Cache-Control"); got != "private, no-store" {
				t.Errorf("Cache-Control %q, want private, no-store", got)
			}
			if n := countRows(t, site, "members"); n != 1 {
				t.Errorf("members: %d, want 1", n)
			}
		})
	}
}

func TestUnknownTokenRegistersWithoutAttribution(t *testing.T) {
	site := startTestApp(t, pageV1)
	if w := post(site, "http://hapitas.example/register", url.Values{"member": {"m"}, "lead": {"nobody's"}}); w.Code != http.StatusOK {
		t.Fatalf("status %d, body %s", w.Code, w.Body)
	}
	recorded, err := site.db.members(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := recorded["m"]; !ok || got != (attribution{}) {
		t.Errorf("member: %v, %v; want one without attribution", got, ok)
	}
}

func TestCacheControlOfEveryPage(t *testing.T) {
	for _, test := range []struct {
		version      pageVersion
		path, cookie string
		status       int
		want         string
	}{
		{pageV1, "/register/lp", "", 200, ""}, // silence, as in the incident
		{pageV2, "/register/lp", "", 200, "public, max-age=300"},
		{pageV1, "/", "", 200, "public, max-age=60"},
		{pageV1, "/static/site.css", "", 200, "public, max-age=3600"},
		{pageV1, "/api/clock", "", 200, "no-store"},
		{pageV1, "/account", "session=mine", 200, "private"},
		{pageV1, "/account", "", 403, "private, no-store"},
		{pageV1, "/account", "session=", 403, "private, no-store"},
		{pageV1, "/healthz", "", 200, "no-store"},
	} {
		site := startTestApp(t, test.version)
		w := get(site, "http://hapitas.example"+test.path, "Cookie", test.cookie)
		if w.Code != test.status || w.Header().Get("Cache-Control") != test.want {
			t.Errorf("version %d, %s with cookie %q: status %d, Cache-Control %q; want %d, %q", test.version, test.path,
				test.cookie, w.Code, w.Header().Get("Cache-Control"), test.status, test.want)
		}
		if w.Body.Len() == 0 {
			t.Errorf("%s: the body is empty", test.path)
		}
		if got := w.Header().Get("Set-Cookie"); got != "" {
			t.Errorf("%s: Set-Cookie %q, want none", test.path, got)
		}
	}
}

func TestPagesEscapeWhatTheyShow(t *testing.T) {
	site := startTestApp(t, pageV2)
	w := post(site, "http://hapitas.example/register", url.Values{"member": {"<script>1"}, "ref": {"<b>"}})
	if strings.Contains(w.Body.String(), "<script>1") || strings.Contains(w.Body.String(), "<b>") {
		t.Errorf("the page shows input unescaped: %s", w.Body)
	}
}

func TestVersion3RemembersWhomTheAddressNames(t *testing.T) {
	site := startTestApp(t, pageV3)
	ann := get(site, "http://hapitas.example/register/lp?ref=ann&source=mail")
	bob := get(site, "http://hapitas.example/register/lp?ref=bob&source=share")
	nobody := get(site, "http://hapitas.example/register/lp")
	if ann.Body.String() != bob.Body.String() || ann.Body.String() != nobody.Body.String() {
		t.Error("the page differs between visitors")
	}
	if set := nobody.Result().Cookies(); len(set) > 0 {
		t.Errorf("a visitor whom nobody sent is given %v, want no cookie", set)
	}
	if n := countRows(t, site, "leads"); n != 2 {
		t.Errorf("leads: %d, want 2", n)
	}
	for _, test := range []struct {
		member, query, cookies string
		want                   attribution
	}{
		{"by-cookie", "", withNew("", ann.Header()), attribution{"ann", "mail"}},
		{"by-address", "?ref=carl&source=friend", "", attribution{"carl", "friend"}},
		{"address-before-cookie", "?ref=carl&source=friend", withNew("", bob.Header()), attribution{"carl", "friend"}},
		{"nobody", "", "", attribution{}},
		{"another-token", "", leadName + "=guessed", attribution{}},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://hapitas.example/register"+test.query, strings.NewReader("member="+test.member))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Cookie", test.cookies)
		w := httptest.NewRecorder()
		site.ServeHTTP(w, r)
		recorded, err := site.db.members(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := recorded[test.member]; !ok || got != test.want {
			t.Errorf("%s: status %d, recorded %v, want %v", test.member, w.Code, got, test.want)
		}
	}
}
