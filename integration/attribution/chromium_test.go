package attribution

import (
	"context"
	"maps"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/cacheward/cacheward/integration/edge"
	"github.com/cacheward/cacheward/policies"
)

// TestBrowser: the story of one visitor with a real browser, on http and on https. They
// land with a code, look around, sign up, and the app sees the code, while scripts see
// nothing of what carried it.
func TestBrowser(t *testing.T) {
	app, address, file := startApp(t)
	stories := []site{{"last", "header"}, {"last", "query"}, {"last", "form-cookie"}}
	var routes []string
	for _, s := range stories {
		routes = append(routes, s.route(beaconTo(address)...))
	}
	plain := startEdge(t, edge.SiteConfig{Origin: address}, routes...)
	secure := startEdge(t, withCertificate(t, edge.SiteConfig{Origin: address}), routes...)
	browser := startChromium(t, plain.Address, secure.Address)
	for _, scheme := range []string{"http", "https"} {
		for _, s := range stories {
			t.Run(scheme+"/"+s.as, func(t *testing.T) { story(t, newTab(t, browser), file, scheme, s) })
		}
	}
	for _, fault := range rowsOf(t, file, rowFault) {
		t.Errorf("the app: %s", fault.Text)
	}
	if asked := app.sightings(func(s sighting) bool { return s.method == http.MethodGet && strings.Contains(s.uri, "friend") }); len(asked) > 0 {
		t.Errorf("the app was asked for %+v", asked)
	}
}

func story(t *testing.T, x *tab, file, scheme string, s site) {
	base, who := scheme+"://"+s.host(), scheme+"-"+s.as
	name := policies.AttributionCookiePlain
	if scheme == "https" {
		name = policies.AttributionCookie
	}
	x.do(chromedp.Navigate(base + "/lp?ref=friend-of-" + who + "&utm_source=mail"))
	if got := x.text(`document.cookie`); got != "" {
		t.Errorf("scripts see the cookies %q", got)
	}
	if got := x.text(`location.search`); got != "?ref=friend-of-"+who+"&utm_source=mail" {
		t.Errorf("the visitor sees the query %q", got)
	}
	cookie := x.cookie(base, name)
	if !cookie.HTTPOnly || cookie.Secure != (scheme == "https") || cookie.SameSite != network.CookieSameSiteLax ||
		cookie.Path != "/" || cookie.Session || cookie.Domain != s.host() {
		t.Errorf("the cookie is %+v", cookie)
	}
	if until := time.Until(time.Unix(int64(cookie.Expires), 0)); until < 29*24*time.Hour || until > 31*24*time.Hour {
		t.Errorf("the cookie is good for %s, want 30 days", until)
	}

	x.follow("#about", `document.title === "About us"`)
	x.follow("#back", `document.title === "Points"`)
	if again := x.cookie(base, name); again.Value != cookie.Value {
		t.Error("the cookie was changed by a visit that says nothing of who sent the visitor")
	}
	x.do(chromedp.SendKeys("#member", who))
	x.follow("#join", `!!document.querySelector("#welcome")`)

	want := map[string]string{"ref": "friend-of-" + who, "utm_source": "mail"}
	if members := find(rowsOf(t, file, rowSignUp), func(r row) bool { return r.Member == who }); len(members) != 1 || !maps.Equal(members[0].Values, want) {
		t.Errorf("the app has the members %+v", members)
	}
	told := func() []row {
		return find(rowsOf(t, file, rowLanding), func(r row) bool { return maps.Equal(r.Values, want) })
	}
	edge.Eventually(t, "the landing that the app is told of", func() bool { return len(told()) > 0 })
	if landings := told(); len(landings) != 1 {
		t.Errorf("the app knows of the landings %+v", landings)
	}
}

// tab is a tab of the browser.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// startChromium starts the browser, for which every site is at one of these addresses.
func startChromium(t *testing.T, plain, secure string) context.Context {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(needChromium(t)), chromedp.Flag("headless", "new"), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("host-resolver-rules", "MAP *.example:80 "+plain+",MAP *.example:443 "+secure), chromedp.Flag("ignore-certificate-errors", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	return ctx
}

func needChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return edge.Need(t, "chromium", "chromium")
}

func newTab(t *testing.T, browser context.Context) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, time.Minute)
	t.Cleanup(cancel)
	return &tab{t, ctx}
}

func (x *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	x.t.Helper()
	if err := chromedp.Do(x.ctx, actions...); err != nil {
		x.t.Fatal(err)
	}
}

func (x *tab) text(script string) string {
	x.t.Helper()
	v, err := chromedp.Run(x.ctx, chromedp.Evaluate[string](script))
	if err != nil {
		x.t.Fatalf("%s: %v", script, err)
	}
	return v
}

// follow clicks, and waits until there is what is to come of it.
func (x *tab) follow(selector, there string) {
	x.t.Helper()
	x.do(chromedp.Click(selector))
	edge.Eventually(x.t, there, func() bool {
		// While a page gives way to the next, nothing can be asked of it.
		v, err := chromedp.Run(x.ctx, chromedp.Evaluate[bool](there))
		return err == nil && v
	})
}

// cookie is the one of that name that the browser sends to the site.
func (x *tab) cookie(site, name string) *network.Cookie {
	x.t.Helper()
	got, err := chromedp.Call(x.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{site + "/"}})
	if err != nil {
		x.t.Fatal(err)
	}
	at := slices.IndexFunc(got.Cookies, func(c *network.Cookie) bool { return c.Name == name })
	if at < 0 {
		x.t.Fatalf("the browser has the cookies %+v, none of the name %s", got.Cookies, name)
	}
	return got.Cookies[at]
}
