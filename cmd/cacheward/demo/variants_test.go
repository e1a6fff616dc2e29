package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// recording is an edge that writes the lines to its audit log.
func recording(start EdgeFunc, lines ...string) EdgeFunc {
	return func(ctx context.Context, e Edge) (string, func() error, error) {
		if err := os.WriteFile(e.AuditLog, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			return "", nil, err
		}
		return start(ctx, e)
	}
}

const (
	pcRecord    = `{"event":"diverge","host":"hapitas.example","reasons":["divergent"],"divergence":{"part":"body","near":"input lead","shape":"hex-24"}}`
	phoneRecord = `{"event":"refuse","host":"sp.hapitas.example","reasons":["set-cookie","private"]}`
)

func TestVariants(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var stdout, stderr bytes.Buffer
	edge := recording(careful, pcRecord, phoneRecord)
	code := Run(t.Context(), Options{Variants: true, Visitors: 2, moment: 1, Format: "json", Edge: edge, Stdout: &stdout, Stderr: &stderr})
	if code != exitFine || stderr.String() != "variants: 576 visitors\n" {
		t.Fatalf("exit code %d, want 0; stderr: %s", code, &stderr)
	}
	var report struct {
		Variants []struct {
			Carrier      string       `json:"carrier"`
			Input        string       `json:"input"`
			CacheControl string       `json:"cache_control"`
			Visitors     int          `json:"visitors"`
			FromCache    int          `json:"from_cache"`
			Wrong        int          `json:"misattributed"`
			Without      int          `json:"misattributed_without_cacheward"`
			Why          *explanation `json:"why"`
		} `json:"variants"`
		Visitors int `json:"visitors"`
		Wrong    int `json:"misattributed"`
	}
	if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Variants) != 36 || report.Visitors != 288 || report.Wrong != 0 {
		t.Errorf("%d variants, %d visitors, %d wrong; want 36, 288, 0", len(report.Variants), report.Visitors, report.Wrong)
	}
	different := map[string]bool{}
	for _, row := range report.Variants {
		different[row.Carrier+row.Input+row.CacheControl] = true
		if row.Visitors != 8 || row.FromCache != 0 || row.Wrong != 0 || row.Without != 4 || row.Why == nil || row.Why.Reasons[0] != "divergent" {
			t.Errorf("%+v; want 8 visitors, 4 of them wrong without Cacheward only, and a reason", row)
		}
	}
	if len(different) != 36 {
		t.Errorf("%d different variants, want 36", len(different))
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary directory: %v, %v", left, err)
	}
}

func TestVariantsExitCode(t *testing.T) {
	two := []variant{{carrierInput, byQuery, silent}, {carrierCookie, byReferer, mistaken}}
	for name, test := range map[string]struct {
		edge        EdgeFunc
		want        int
		shows, says string // on stdout and stderr
	}{
		"nothing shared, all explained": {recording(careful, pcRecord, phoneRecord), exitFine, "", ""},
		"shared": {
			recording(careless, pcRecord, phoneRecord),
			exitFindings, "2 variants, 16 visitors: ", "",
		},
		"one host not explained": {
			recording(careful, pcRecord), exitFindings, "in part no record",
			"hidden input, query, origin says nothing: the audit log does not say why the page of sp.hapitas.example one after another was not shared",
		},
		"nothing explained": {
			recording(careful), exitFindings, "no record",
			"Set-Cookie, Referer, origin says public, max-age=300: the audit log does not say why the page of hapitas.example at once",
		},
		"no audit log":         {careful, exitFailed, "", "reading the audit log"},
		"audit log unreadable": {recording(careful, "{"), exitFailed, "", "audit log, line 1"},
		"edge fails": {func(context.Context, Edge) (string, func() error, error) {
			return "", nil, errors.New("no such directive")
		}, exitFailed, "", "no such directive"},
		"edge answers 502": {recording(standIn(func(*httputil.ReverseProxy, string) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		})), exitFailed, "", "behind Cacheward: one after another: GET"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			o := Options{Visitors: 2, Format: "text", Edge: test.edge, Stdout: &stdout, Stderr: &stderr}
			code, err := showVariants(t.Context(), o, two)
			if err != nil {
				fmt.Fprint(&stderr, err)
			}
			if code != test.want || !strings.Contains(stderr.String(), test.says) || !strings.Contains(stdout.String(), test.shows) {
				t.Errorf("exit code %d, want %d and %q in stderr; stderr:\n%s\nstdout:\n%s", code, test.want, test.says, &stderr, &stdout)
			}
		})
	}
}

func TestVariantsVisitors(t *testing.T) {
	for _, n := range []int{1, 51, -1} {
		var stderr bytes.Buffer
		code := Run(t.Context(), Options{Variants: true, Visitors: n, Edge: careful, Stderr: &stderr})
		if code != exitFailed || !strings.Contains(stderr.String(), "expected") {
			t.Errorf("%d visitors: exit code %d, stderr %q; want 2", n, code, &stderr)
		}
	}
}

// Each carrier takes each visitor's own attribution from the page to the registration.
func TestVariantAppAlone(t *testing.T) {
	for _, v := range allVariants() {
		if v.cacheControl != silent {
			continue
		}
		t.Run(v.String(), func(t *testing.T) {
			site := startTestApp(t, pageV1)
			front := httptest.NewServer(newVariantApp(site, v))
			defer front.Close()
			people := newBrowser(front.Listener.Addr().String())
			defer people.close()
			visitors := v.visitors(4, 1)
			for _, p := range visitors {
				if _, err := people.visit(t.Context(), p); err != nil {
					t.Fatal(err)
				}
			}
			recorded, err := site.db.members(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if wrong := misattributed(visitors, recorded); wrong != 0 || len(recorded) != 4 {
				t.Errorf("recorded %v, want what each of %+v had", recorded, visitors)
			}
		})
	}
}

// The token is in its carrier and nowhere else; without a referrer there is a page, too.
func TestVariantPages(t *testing.T) {
	site := startTestApp(t, pageV1)
	for c, want := range map[carrier][]string{
		carrierInput:  {`name="lead" value="`},
		carrierCookie: {},
		carrierLink:   {`href="/account?lead=`, `action="/register?lead=`},
		carrierScript: {`type="application/json">{"lead": "`},
	} {
		for _, cacheControl := range []string{silent, mistaken, overruled} {
			w := get(newVariantApp(site, variant{c, byQuery, cacheControl}), "http://hapitas.example/register/lp")
			header, page := w.Header(), w.Body.String()
			if w.Code != http.StatusOK || header.Get("Cache-Control") != cacheControl {
				t.Errorf("%s: status %d, Cache-Control %q, want 200 and %q", c, w.Code, header.Get("Cache-Control"), cacheControl)
			}
			tokens := map[string]bool{}
			for _, before := range want {
				_, after, found := strings.Cut(page, before)
				if !found || len(after) < 24 {
					t.Fatalf("%s: no %q in\n%s", c, before, page)
				}
				tokens[after[:24]] = true
			}
			for _, set := range w.Result().Cookies() {
				tokens[set.Value] = true
			}
			if len(tokens) != 1 || (header.Get("Set-Cookie") != "") != (c == carrierCookie) {
				t.Errorf("%s: tokens %v and Set-Cookie %q, want one token", c, tokens, header.Get("Set-Cookie"))
			}
			for token := range tokens {
				if strings.Count(page, token) != len(want) {
					t.Errorf("%s: token %s is elsewhere, too:\n%s", c, token, page)
				}
			}
		}
	}
}

func TestVariantVisitorsBringOneThing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SampledFrom(allVariants()).Draw(t, "variant")
		n := rapid.IntRange(1, 50).Draw(t, "visitors")
		addresses := map[string]bool{}
		for i, p := range v.visitors(n, rapid.Uint64().Draw(t, "seed")) {
			if p.host != hosts[i%2] {
				t.Fatalf("visitor %d comes to %s", i, p.host)
			}
			addresses[p.url()] = true
			brings := map[entrance]bool{byQuery: p.query != "", byCookie: p.cookies != "", byReferer: p.referer != ""}
			if want := map[entrance]bool{byQuery: false, byCookie: false, byReferer: false}; !reflect.DeepEqual(brings, with(want, v.entrance)) {
				t.Fatalf("brings %v, want %s only", brings, v.entrance)
			}
			r := httptest.NewRequest(http.MethodGet, p.url(), nil)
			r.Header.Set("Cookie", p.cookies)
			r.Header.Set("Referer", p.referer)
			if got := v.entrance.read(r); got != p.had {
				t.Fatalf("the app reads %v, want %v", got, p.had)
			}
		}
		if want := map[bool]int{true: n, false: min(n, 2)}[v.entrance == byQuery]; len(addresses) != want {
			t.Fatalf("%d addresses, want %d", len(addresses), want)
		}
	})
}

func with(brings map[entrance]bool, e entrance) map[entrance]bool {
	brings[e] = true
	return brings
}

// All visitors to a host have sent their requests before the app answers the first.
func TestAtOnce(t *testing.T) {
	v := variant{carrierScript, byQuery, silent}
	app := newVariantApp(startTestApp(t, pageV1), v)
	var undo closers
	defer func() {
		if err := undo.close(); err != nil {
			t.Error(err)
		}
	}()
	running, err := listen(anyPort, app)
	if err != nil {
		t.Fatal(err)
	}
	undo.add(running.cut)
	address, _, err := v.behindCDN(t.Context(), Options{}, &undo, running.addr, "")
	if err != nil {
		t.Fatal(err)
	}
	people := newBrowser(address)
	defer people.close()
	visitors := v.visitors(20, 1)
	steps := 0
	cached, err := atOnce(t.Context(), people, app, visitors, func() { steps++ })
	if err != nil {
		t.Fatal(err)
	}
	recorded, err := app.db.members(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if wrong := misattributed(visitors, recorded); cached != 18 || wrong != 18 || steps != 20 || app.renders.Load() != 2 {
		t.Errorf("%d from cache, %d wrong, %d steps, %d renders; want 18, 18, 20, 2", cached, wrong, steps, app.renders.Load())
	}
	// A second time no request reaches the app; nobody may wait for one that does.
	for i := range visitors {
		visitors[i].name += "-again"
	}
	if cached, err = atOnce(t.Context(), people, app, visitors, func() {}); err != nil || cached != 20 {
		t.Errorf("again: %d from cache, %v; want 20", cached, err)
	}
}

func TestAtOnceEndsWithAFailure(t *testing.T) {
	v := variant{carrierInput, byQuery, silent}
	app := newVariantApp(startTestApp(t, pageV1), v)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.RawQuery, "R00003") { // the second visitor to the first host
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		app.ServeHTTP(w, r)
	}))
	defer front.Close()
	people := newBrowser(front.Listener.Addr().String())
	defer people.close()
	if _, err := atOnce(t.Context(), people, app, v.visitors(8, 1), func() {}); err == nil || !strings.Contains(err.Error(), "status 502") {
		t.Errorf("error %v, want status 502", err)
	}
	if app.holds.Load() != nil {
		t.Error("the app would hold later answers, too")
	}
}

func TestBrowserKeepsCookies(t *testing.T) {
	header := http.Header{"Set-Cookie": {"lead=abc; Path=/; HttpOnly", "b=c", "=damaged"}}
	for before, want := range map[string]string{"": "lead=abc; b=c", "a=1": "a=1; lead=abc; b=c"} {
		if got := withNew(before, header); got != want {
			t.Errorf("%q became %q, want %q", before, got, want)
		}
	}
}

func TestPageData(t *testing.T) {
	const form = `<form method=post action=/r><input type=hidden name=lead value=own data-from-data=lead></form>`
	for script, want := range map[string]string{
		`<script type="application/json">{"lead": "abc"}</script>`:              "abc",
		`<script type="application/json">{"lead": "abc"`:                        "",
		`<script type="application/json">{"lead": 7}</script>`:                  "",
		`<script type="application/json"></script>`:                             "",
		`<script>{"lead": "abc"}</script>`:                                      "",
		`<script type="application/json">{"lead":"a\u003cb"}</script><script/>`: "a<b",
	} {
		found, err := findForm(form + script)
		if err != nil {
			t.Fatal(err)
		}
		if got := found.fill(someone)["lead"]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s: sent %q, want %q", script, got, want)
		}
	}
}

// A CDN whose rule overrides the origin keeps what another may not.
func TestCDNOverride(t *testing.T) {
	for override, want := range map[bool]string{false: "MISS", true: "HIT"} {
		c := newCDN("127.0.0.1:1", &origin{header: http.Header{"Cache-Control": {"private"}}})
		c.override = override
		get(c, "http://hapitas.example/")
		if got := get(c, "http://hapitas.example/").Header().Get("X-Cache"); got != want {
			t.Errorf("override %v: X-Cache %q, want %s", override, got, want)
		}
	}
}
