package markers

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/policies"
)

func htmlPage(body string) Page {
	return Page{http.Header{"Content-Type": {"text/html; charset=utf-8"}}, []byte(body)}
}

// A marker tells exactly where the value stands, however it is written there.
func TestPlaceOfTheValue(t *testing.T) {
	const token = "Zq3mT8vK1xY6bN4cR7wL2dJ5hS9gF0pA1eU8iO3k" // 40 characters
	for _, c := range []struct{ name, body, value, id, near string }{
		{"double quotes", `<p><input type="hidden" name="_token" value="` + token + `">`, token, "laravel-csrf", "_token"},
		{"single quotes, other order", `<input value='` + token + `' name='_token' type=hidden>`, token, "laravel-csrf", "_token"},
		{"no quotes", `<INPUT TYPE=hidden NAME=_token VALUE=` + token + `>`, token, "laravel-csrf", "_token"},
		{"blanks and lines", "<input\n\ttype = \"hidden\"\n name=\"_token\"\n value = \"" + token + "\" />", token, "laravel-csrf", "_token"},
		{"in a string", `<script>var f = "<input type=\"hidden\" name=\"_token\" value=\"` + token + `\">";</script>`, token, "laravel-csrf", "_token"},
		{"after references", `<input type="hidden" title="a &amp; b" name="_token" value="` + token + `">`, token, "laravel-csrf", "_token"},
		{"in a link with references", `<a href="/x?a=1&amp;_wpnonce=0a1b2c3d4e">x</a>`, "0a1b2c3d4e", "wordpress-nonce", "_wpnonce"},
		{"in an attribute of JSON", `<div data-page="{&quot;props&quot;:{&quot;auth&quot;:{&quot;user&quot;:{&quot;id&quot;:48213}}}}">`, "48213", "inertia-user", "user.id"},
		{"after another find in the tag", `<div id="csrf_token" data-page="{&quot;user&quot;:{&quot;id&quot;:48213}}" class="wide">`, "48213", "inertia-user", "user.id"},
		{"in an island", `<astro-island uid="a" props="{&quot;user&quot;:[0,{&quot;id&quot;:[0,48213]}]}" ssr>`, "48213", "astro-user", "user.id"},
		{"after a reference", `<script>$_TSR.router=($R=>$R[0]={user:$R[12]={id:48213}})</script>`, "48213", "tanstack-user", "user.id"},
		{"twice the attribute", `<input type="hidden" name="_token" value="` + token + `" value="">`, token, "laravel-csrf", "_token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			page := htmlPage(c.body)
			found, _ := Detect(page, nil)
			if len(found) != 1 {
				t.Fatalf("found %+v", found)
			}
			m := found[0]
			if got := string(page.Body[m.Offset : m.Offset+m.Length]); got != c.value || m.ID != c.id || m.Near != c.near {
				t.Errorf("found %+v", m)
			}
			checkMarkers(t, page, found)
		})
	}
}

func TestWhereItStandsMatters(t *testing.T) {
	const member = `"session_id":"8f14e45fceea167a5a36dedd4bea2543"`
	for _, c := range []struct {
		name, media, body string
		found             bool
	}{
		{"script", "text/html", `<script>x = {` + member + `}</script>`, true},
		{"script with a type", "text/html", `<script type="application/json" id="d">{` + member + `}</script>`, true},
		{"text", "text/html", `<p>{` + member + `}</p>`, false},
		{"text after a script", "text/html", `<script>a</script><pre>{` + member + `}</pre>`, false},
		{"attribute", "text/html", `<div data-x='{` + member + `}'></div>`, true},
		{"linked data", "text/html", `<script type="application/ld+json">{` + member + `}</script>`, false},
		{"import map", "text/html", `<script type=importmap>{` + member + `}</script>`, false},
		{"JSON", "application/json", `{` + member + `}`, true},
		{"JSON of some kind", "application/vnd.api+json", `{` + member + `}`, true},
		{"linked data as a body", "application/ld+json", `{` + member + `}`, false},
		{"JSON with another type", "text/html", ` {` + member + `}`, true},
		{"JSON without a type", "", `{` + member + `}`, true},
		{"JavaScript", "text/javascript", `x = {` + member + `}`, true},
		{"XML", "application/xml", `<a>{` + member + `}</a>`, true},
		{"text file", "text/plain", `see ` + member, false},
		{"unknown type", "application/x-whatever", `see ` + member, true},
		{"picture", "image/png", `{` + member + `}`, false},
		{"drawing", "image/svg+xml", `<svg><script>x = {` + member + `}</script></svg>`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			page := Page{http.Header{"Content-Type": {c.media}}, []byte(c.body)}
			found, whole := Detect(page, nil)
			if got := slices.Equal(ids(found), []string{"script-session-id"}); got != c.found || !got && len(found) > 0 || !whole {
				t.Errorf("found %+v, whole %v", found, whole)
			}
		})
	}
}

// CSP level 3 §2.3.1: a nonce-source; what is repeated is the attribute of that name.
func TestNonces(t *testing.T) {
	header := func(field, value string) http.Header { return http.Header{field: {value}} }
	for _, c := range []struct {
		name  string
		h     http.Header
		body  string
		found bool
	}{
		{"attribute", header("Content-Security-Policy", "script-src 'nonce-abc'"), `<script nonce="abc">`, true},
		{"second of two", header("Content-Security-Policy", "script-src 'nonce-abc'; style-src 'nonce-def'"), `<style nonce='def'>`, true},
		{"second line", http.Header{"Content-Security-Policy": {"default-src 'self'", "script-src 'nonce-abc'"}}, `<script nonce=abc>`, true},
		{"report only", header("Content-Security-Policy-Report-Only", "script-src 'nonce-abc'"), `<script nonce="abc">`, true},
		{"member of a script", header("Content-Security-Policy", "script-src 'nonce-abc'"), `<script>x = {"nonce": "abc"}</script>`, true},
		{"other value", header("Content-Security-Policy", "script-src 'nonce-abc'"), `<script nonce="xyz">abc</script>`, false},
		{"only in the text", header("Content-Security-Policy", "script-src 'nonce-abc'"), `<p>abc</p>`, false},
		{"no policy", http.Header{}, `<script nonce="abc">`, false},
		{"meta", http.Header{}, `<meta http-equiv="content-security-policy" content="script-src 'nonce-abc'"><script nonce="abc">`, true},
		{"meta alone", http.Header{}, `<meta http-equiv="content-security-policy" content="script-src 'nonce-abc'">`, false},
		{"meta of another kind", http.Header{}, `<meta name="content-security-policy" content="script-src 'nonce-abc'"><script nonce="abc">`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, _ := Detect(Page{c.h, []byte(c.body)}, nil)
			if got := slices.Equal(ids(found), []string{"csp-nonce"}); got != c.found || !got && len(found) > 0 {
				t.Errorf("found %+v", found)
			}
		})
	}
}

// A value belongs to the first detector that finds it, also if that one is off: who
// tolerates a mechanism need not tolerate what goes by its shape as well.
func TestTolerance(t *testing.T) {
	page := htmlPage(`<input type="hidden" name="authenticity_token" value="` + strings.Repeat("aB3dE6gH9kL2", 7) + `xy">` +
		`<a href="/x?sid=0a1b2c3d4e5f60718293a4b5c6d7e8f9">x</a>`)
	for _, c := range []struct{ off, found []string }{
		{nil, []string{"rails-authenticity-token", "session-link"}},
		{[]string{"rails-authenticity-token"}, []string{"session-link"}},
		{[]string{"hidden-token"}, []string{"rails-authenticity-token", "session-link"}},
		{[]string{"rails-authenticity-token", "session-link"}, nil},
	} {
		found, whole := Detect(page, func(id string) bool { return slices.Contains(c.off, id) })
		if got := ids(found); !slices.Equal(got, c.found) || !whole {
			t.Errorf("without %q: found %q, whole %v", c.off, got, whole)
		}
	}
}

// At most 16 markers are reported, and one of each name.
func TestBoundOfMarkers(t *testing.T) {
	var b strings.Builder
	for i := range 40 {
		for range 3 {
			fmt.Fprintf(&b, `<input type="hidden" name="token_%c%c" value="0a1b2c3d4e5f60718293a4b5c6d7e8f9">`, 'a'+i/20, 'a'+i%20)
		}
	}
	page := htmlPage(b.String())
	found, whole := Detect(page, nil)
	if len(found) != maxMarkers || !whole {
		t.Errorf("%d markers, whole %v", len(found), whole)
	}
	checkMarkers(t, page, found)
}

// Many places that look alike do not hide the one that matters.
func TestManyTemptations(t *testing.T) {
	for _, c := range []struct{ name, tempting, state, id string }{
		{"fields", `<input type="hidden" name="csrf_token" value="">`, `<input type="hidden" name="csrf_token" value="0a1b2c3d4e5f60718293a4b5c6d7e8f9">`, "csrf-field"},
		{"links", `<a href="/list?sid=12">12</a>`, `<a href="/list?sid=0a1b2c3d4e5f60718293a4b5c6d7e8f9">`, "session-link"},
		{"prose", `<p>"access_token": "0a1b2c3d4e5f60718293a4b5c6d7e8f9"</p>`, `<script>a = {access_token: "0a1b2c3d4e5f60718293a4b5c6d7e8f9"}</script>`, "script-access-token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, whole := Detect(htmlPage(strings.Repeat(c.tempting, 600)+c.state), nil)
			if got := ids(found); !slices.Equal(got, []string{c.id}) || !whole {
				t.Errorf("found %q, whole %v", got, whole)
			}
		})
	}
}

// hostile are bodies that are as dear to look at as can be: a piece that is repeated.
var hostile = []struct{ name, media, piece string }{
	{"fields", "text/html", `<input type="hidden" name="csrf_token" value="x">`},
	{"open tags", "text/html", `<input type="hidden" name=csrf_token `},
	{"open quotes", "text/html", `<a x='csrf_token`},
	{"open scripts", "text/html", `<script x="csrftoken`},
	{"script in script", "text/html", `<script>csrftoken</script `},
	{"members", "application/json", `"access_token":"x",`},
	{"objects", "application/json", `{"user":{"user":{`},
	{"found objects", "application/json", `{"user":{"email":"a@b.example"}},`},
	{"mails", "application/json", `"a@b.example",`},
	{"signs", "application/json", `@`},
	{"blobs", "text/html", `<script>__NUXT__ __INITIAL_STATE__ __APOLLO_STATE__ {user:{`},
	{"attributes", "text/html", `<div -page="{&quot;user&quot;:{&quot;id&quot;:1}}">`},
	{"flattened", "text/html", `<script id="__NUXT_DATA__">[{"user":0,"id":0}]</script>`},
	{"web tokens", "text/html", `eyJhbGciOiJIUzI1NiJ9.eyJzdWIi`},
	{"policies", "text/html", `<meta http-equiv="content-security-policy" content="'nonce-a'">`},
	{"linked data", "text/html", `<script type="application/ld+json">"csrfToken":"0a1b2c3d4e5f60718293a4b5c6d7e8f9"</script>`},
	{"short anchors", "text/html", `?sid=(S(&sid=`},
	{"never closed", "text/html", `<input type="hidden`},
	{"never closed, no quotes", "text/html", `<input type=hidden `},
	{"no addresses", "application/json", `"@",`},
	{"addresses of roles", "application/json", `"info@shop.example",`},
	{"islands", "text/html", `<astro-island props="{&quot;user&quot;:[0,{`},
	{"references", "text/html", `<script>$_TSR.router {user:$R[1]={user:$R[`},
	{"comments", "text/html", `<!--Blazor:{"type":"server",`},
}

// The work for a page is bounded, whatever is in it; and a page that was not looked
// at to its end is said to be so. What is counted is work, not time.
func TestWorkIsBounded(t *testing.T) {
	for _, c := range hostile {
		t.Run(c.name, func(t *testing.T) {
			const budget = workBytes / 32
			page := Page{http.Header{"Content-Type": {c.media}}, bytes.Repeat([]byte(c.piece), 2*budget/len(c.piece))}
			s := scan{table: builtin(), body: page.Body, kind: kindOf(page.Header, page.Body), budget: budget, whole: true}
			s.look(page.Header)
			if s.budget < 0 || s.budget == budget {
				t.Errorf("%d of %d bytes of work are left", s.budget, budget)
			}
			if len(s.finds) > maxFinds*len(s.table.detectors) {
				t.Errorf("%d finds", len(s.finds))
			}
			checkMarkers(t, page, s.markers())
		})
	}
	page := htmlPage(strings.Repeat(`<a href="?session_id=x">`, workBytes/500))
	if _, whole := Detect(page, nil); whole {
		t.Error("a page of anchors alone is said to have been looked at to its end")
	}
	var b strings.Builder
	for i := range 2 * maxFinds {
		fmt.Fprintf(&b, `"a%d@mail.example",`, i)
	}
	list := Page{http.Header{"Content-Type": {"application/json"}}, []byte("[" + b.String() + `""]`)}
	if found, whole := Detect(list, nil); len(found) == 0 || whole {
		t.Errorf("%d markers in a long list of mail addresses, whole %v", len(found), whole)
	}
	if found, whole := Detect(list, func(id string) bool { return id == "mail-address" }); len(found) > 0 || !whole {
		t.Errorf("tolerated, %d markers in a long list of mail addresses, whole %v", len(found), whole)
	}
}

// What ordinary pages have many of does not use up the work for a page.
func TestOrdinaryPagesAreLookedAtWhole(t *testing.T) {
	for _, c := range []struct {
		name, media, piece string
		times              int
	}{
		{"mail addresses of roles", "application/json", `"info@a.b.example",`, 21_000},
		{"packages", "application/json", `"@scope/package","a@1.0"`, 21_000},
		{"handles", "application/json", `{"text":"by @mika, mail to me@work"},`, 21_000},
		{"hidden fields", "text/html", `<form><input type="hidden" name="id" value="17"></form>`, 5_000},
		{"links", "text/html", `<a href="/list?a=1&amp;b=2&c=3">List</a>`, 5_000},
	} {
		page := Page{http.Header{"Content-Type": {c.media}}, []byte("[" + strings.Repeat(c.piece, c.times) + "]")}
		if found, whole := Detect(page, nil); len(found) > 0 || !whole {
			t.Errorf("%s, %d times: found %+v, whole %v", c.name, c.times, found, whole)
		}
	}
}

// State is found wherever it stands in a page.
func TestPlantedState(t *testing.T) {
	var plain []Page
	for _, path := range glob(t, "ordinary/*.html") {
		plain = append(plain, readPage(t, path))
	}
	planted := []struct{ id, text string }{
		{"django-csrf", `<form><input type="hidden" name="csrfmiddlewaretoken" value="%s"></form>`},
		{"hidden-token", `<input type="hidden" name="lead" value="%s">`},
		{"session-link", `<a href="/a?b=c&amp;sid=%s">a</a>`},
		{"script-session-id", `<script>var a = {sessionId: '%s'};</script>`},
	}
	rapid.Check(t, func(t *rapid.T) {
		page := plain[rapid.IntRange(0, len(plain)-1).Draw(t, "page")]
		p := planted[rapid.IntRange(0, len(planted)-1).Draw(t, "state")]
		var ends []int
		for i := range page.Body {
			if bytes.HasPrefix(page.Body[i:], []byte("</p>")) || bytes.HasPrefix(page.Body[i:], []byte("<h1>")) || bytes.HasPrefix(page.Body[i:], []byte("</form>")) {
				ends = append(ends, i)
			}
		}
		at := ends[rapid.IntRange(0, len(ends)-1).Draw(t, "place")]
		token := rapid.StringMatching(`([a-f][0-9]){16}`).Filter(func(s string) bool { return randomBits([]byte(s)) >= tokenBits }).Draw(t, "token")
		text := fmt.Sprintf(p.text, token)
		body := slices.Concat(page.Body[:at], []byte(text), page.Body[at:])
		found, whole := Detect(Page{page.Header, body}, nil)
		want := int64(at + strings.Index(text, token))
		if len(found) != 1 || found[0].ID != p.id || found[0].Offset != want || found[0].Length != int64(len(token)) || !whole {
			t.Fatalf("%s planted at %d: found %+v, whole %v", p.id, want, found, whole)
		}
	})
}

func TestNothingFoundAllocatesNothing(t *testing.T) {
	page := htmlPage(strings.Repeat("<p>Tea is served from three to five. <a href=\"/menu\">Menu</a></p>\n", 200))
	builtin()
	if n := testing.AllocsPerRun(10, func() { Detect(page, nil) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzDetect(f *testing.F) {
	f.Add("text/html", "", "<p>Hello</p>")
	f.Add("text/html", "", "astro-island user:{name:&quot0&quot;0")
	for _, path := range append(glob(f, "*/state-*"), glob(f, "*/plain-*")...) {
		page := readPage(f, path)
		f.Add(page.Header.Get("Content-Type"), page.Header.Get("Content-Security-Policy"), string(page.Body))
	}
	for _, c := range hostile {
		f.Add(c.media, "script-src 'nonce-a'", strings.Repeat(c.piece, 3))
	}
	f.Fuzz(func(t *testing.T, media, policy, body string) {
		page := Page{http.Header{"Content-Type": {media}, "Content-Security-Policy": {policy}}, []byte(body)}
		found, _ := Detect(page, nil)
		checkMarkers(t, page, found)
		if string(page.Body) != body {
			t.Error("the body was changed")
		}
		for _, m := range found {
			if d := policies.Detectors()[slices.Index(policies.DetectorIDs(), m.ID)]; d.ID != m.ID {
				t.Errorf("%q is no detector", m.ID)
			}
		}
		if all, _ := Detect(page, func(string) bool { return true }); len(all) > 0 {
			t.Errorf("found %+v with everything turned off", all)
		}
	})
}
