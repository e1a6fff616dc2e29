package policies

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// dispositions has one input of every kind and verb.
const dispositions = `
identity: {cookies: [session, "remember_*"], headers: [X-Member, "X-Real-*", "X-Sso-*"]}
routes:
  - name: page
    match: {paths: [/*]}
    cache: 5m
    params: {key: [ref, page, "k_*", "utm_id"], strip: ["@analytics", ad], bypass: [preview], deny: [debug], others: bypass}
    cookies: {key: [lang, "v_*"], strip: ["@analytics", consent], bypass: [cart], deny: [evil, "remember_evil"], others: bypass}
    headers:
      key: [X-Plan, "X-Ab-*", {name: Accept-Language, values: [ja, en]}, {name: X-Kind, values: [a, b]}]
      strip: [X-Noise, "X-Auth-Noise*"]
      bypass: [X-Slow]
      deny: [X-Bad, "X-Forwarded-S*"]
      forward: [{name: Traceparent, reason: links traces}]
`

func checkDispose(t *testing.T, rule *Rule, req *Request, action Action, want ...Reason) *Parts {
	t.Helper()
	p := new(Parts)
	checkReasons(t, rule.Dispose(req, p), action, want...)
	return p
}

func fields(pairs ...string) []Field {
	var out []Field
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, Field{pairs[i], pairs[i+1]})
	}
	return out
}

func TestDisposeParams(t *testing.T) {
	rule := compiled(t, dispositions).rules[0]
	for query, tt := range map[string]struct {
		action  Action
		reasons []Reason
		params  []string
	}{
		"ref=a":                          {params: []string{"ref=a"}},
		"ref":                            {params: []string{"ref"}},
		"ref=":                           {params: []string{"ref="}},
		"ref=a=b":                        {params: []string{"ref=a=b"}},
		"ref=%61+b":                      {params: []string{"ref=%61+b"}},
		"page=2&ref=a":                   {params: []string{"page=2", "ref=a"}},
		"k_1=a&k_2=b":                    {params: []string{"k_1=a", "k_2=b"}},
		"utm_source=x":                   {},
		"utm_source=x&ref=a&fbclid=y":    {params: []string{"ref=a"}},
		"utm_source=x&utm_source=y&ad=z": {},
		"utm_id=1":                       {params: []string{"utm_id=1"}}, // exact before the list
		"ref=a&ref=b":                    {ActBypass, []Reason{ReasonParamRepeated}, []string{"ref=a", "ref=b"}},
		"ref=a&ref=a":                    {ActBypass, []Reason{ReasonParamRepeated}, []string{"ref=a", "ref=a"}},
		"ref&page=1&ref=b":               {ActBypass, []Reason{ReasonParamRepeated}, []string{"ref", "page=1", "ref=b"}},
		"preview=1":                      {ActBypass, []Reason{ReasonParamBypass}, nil},
		"unknown=1":                      {ActBypass, []Reason{ReasonParamBypass}, nil},
		"ref2=1":                         {ActBypass, []Reason{ReasonParamBypass}, nil},
		"xref=1":                         {ActBypass, []Reason{ReasonParamBypass}, nil},
		"Ref=1":                          {ActBypass, []Reason{ReasonParamBypass}, nil},
		"r%65f=1":                        {ActBypass, []Reason{ReasonParamBypass}, nil},
		"utm%5Fsource=1":                 {ActBypass, []Reason{ReasonParamBypass}, nil},
		"UTM_SOURCE=1":                   {ActBypass, []Reason{ReasonParamBypass}, nil},
		"utm_source;ref=1":               {}, // stripped whole; Inspect bypasses it for the ;
		"debug=1":                        {ActDeny, []Reason{ReasonDenied}, nil},
		"preview=1&debug=1":              {ActDeny, []Reason{ReasonDenied, ReasonParamBypass}, nil},
	} {
		t.Run(query, func(t *testing.T) {
			p := checkDispose(t, rule, request("https://example.com/?"+query), tt.action, tt.reasons...)
			if !slices.Equal(p.Params, tt.params) {
				t.Errorf("got parameters %q, want %q", p.Params, tt.params)
			}
		})
	}
}

// TestDisposeLongQuery holds that a query of which the end is not read is not
// shared, even if nobody has inspected it.
func TestDisposeLongQuery(t *testing.T) {
	rule := compiled(t, dispositions).rules[0]
	pairs := slices.Repeat([]string{"ad=1"}, maxParams)
	checkDispose(t, rule, request("https://example.com/?"+strings.Join(pairs, "&")), ActCache)
	pairs = append(pairs, "ref=a")
	checkDispose(t, rule, request("https://example.com/?"+strings.Join(pairs, "&")), ActBypass, ReasonQueryLong)
}

func TestDisposeEmptyQuery(t *testing.T) {
	rule := compiled(t, dispositions).rules[0]
	for target, want := range map[string]bool{"/": false, "/?": true, "/?ad=1": false, "/?ref=1": false} {
		if p := checkDispose(t, rule, request("https://example.com"+target), ActCache); p.EmptyQuery != want {
			t.Errorf("%s: got EmptyQuery %v", target, p.EmptyQuery)
		}
	}
}

func TestDisposeCookies(t *testing.T) {
	rule := compiled(t, dispositions).rules[0]
	identity, bypass, malformed := []Reason{ReasonIdentity}, []Reason{ReasonCookieBypass}, []Reason{ReasonCookieMalformed}
	for name, tt := range map[string]struct {
		lines   []string
		action  Action
		reasons []Reason
		want    []Field
	}{
		"none":                       {},
		"empty":                      {lines: []string{""}},
		"only separators":            {lines: []string{"; ;"}},
		"keyed":                      {lines: []string{"lang=ja"}, want: fields("lang", "ja")},
		"keyed by glob":              {lines: []string{"v_1=a; v_2=b"}, want: fields("v_1", "a", "v_2", "b")},
		"keyed, empty":               {lines: []string{"lang="}, want: fields("lang", "")},
		"value with =":               {lines: []string{"lang=a=b=="}, want: fields("lang", "a=b==")},
		"quoted value":               {lines: []string{`lang="ja"`}, want: fields("lang", `"ja"`)},
		"ordered by name":            {lines: []string{"v_2=b; lang=ja; v_1=a"}, want: fields("lang", "ja", "v_1", "a", "v_2", "b")},
		"two lines":                  {lines: []string{"v_1=a", "lang=ja"}, want: fields("lang", "ja", "v_1", "a")},
		"crumbs without blanks":      {lines: []string{"lang=ja;v_1=a;"}, want: fields("lang", "ja", "v_1", "a")},
		"blanks around":              {lines: []string{"  lang=ja  ;\tv_1=a"}, want: fields("lang", "ja", "v_1", "a")},
		"stripped":                   {lines: []string{"_ga=GA1.1.2; consent=1; _gid=x; lang=ja"}, want: fields("lang", "ja")},
		"stripped twice":             {lines: []string{"_ga=1; _ga=2"}},
		"identity":                   {[]string{"session=1"}, ActBypass, identity, nil},
		"identity, no value":         {[]string{"session="}, ActBypass, identity, nil},
		"identity among others":      {[]string{"_ga=1; session=1; lang=ja"}, ActBypass, identity, fields("lang", "ja")},
		"identity in a second line":  {[]string{"_ga=1", "session=1"}, ActBypass, identity, nil},
		"identity by glob":           {[]string{"remember_me=1"}, ActBypass, identity, nil},
		"denied identity":            {[]string{"remember_evil=1"}, ActDeny, []Reason{ReasonDenied}, nil},
		"prefix of identity":         {[]string{"sessio=1"}, ActBypass, bypass, nil},
		"suffix":                     {[]string{"xsession=1"}, ActBypass, bypass, nil},
		"longer name":                {[]string{"session_id=1"}, ActBypass, bypass, nil},
		"other case":                 {[]string{"Session=1"}, ActBypass, bypass, nil},
		"keyed name in other case":   {[]string{"Lang=ja"}, ActBypass, bypass, nil},
		"stripped name, other case":  {[]string{"Consent=1"}, ActBypass, bypass, nil},
		"stripped name, longer":      {[]string{"consent2=1"}, ActBypass, bypass, nil},
		"stripped name with comma":   {[]string{"consent,session=1"}, ActBypass, bypass, nil},
		"bypass":                     {[]string{"cart=3"}, ActBypass, bypass, nil},
		"unknown":                    {[]string{"x=1"}, ActBypass, bypass, nil},
		"denied":                     {[]string{"evil=1"}, ActDeny, []Reason{ReasonDenied}, nil},
		"denied and identity":        {[]string{"evil=1; session=1"}, ActDeny, []Reason{ReasonDenied, ReasonIdentity}, nil},
		"repeated":                   {[]string{"lang=ja; lang=en"}, ActBypass, []Reason{ReasonCookieRepeated}, fields("lang", "ja", "lang", "en")},
		"repeated in two lines":      {[]string{"lang=ja", "_ga=1; lang=ja"}, ActBypass, []Reason{ReasonCookieRepeated}, fields("lang", "ja", "lang", "ja")},
		"no =":                       {[]string{"lang"}, ActBypass, malformed, nil},
		"no name":                    {[]string{"=ja"}, ActBypass, malformed, nil},
		"$Version":                   {[]string{"$Version=1; lang=ja"}, ActBypass, malformed, fields("lang", "ja")},
		"$Path":                      {[]string{"lang=ja; $Path=/"}, ActBypass, malformed, fields("lang", "ja")},
		"open quote hides a cookie":  {[]string{`lang="a; session=1; v_1=b"`}, ActBypass, []Reason{ReasonCookieMalformed, ReasonIdentity}, nil},
		"quote inside":               {[]string{`lang=a"b"`}, ActBypass, malformed, nil},
		"one quote":                  {[]string{`lang="`}, ActBypass, malformed, nil},
		"escaped quote":              {[]string{`lang="a\"b"`}, ActBypass, malformed, nil},
		"quoted name":                {[]string{`"lang"=ja`}, ActBypass, malformed, nil},
		"blank before =":             {[]string{"lang =ja"}, ActBypass, malformed, nil},
		"blank after =":              {[]string{"lang= ja"}, ActBypass, malformed, nil},
		"blank in the name":          {[]string{"la ng=ja"}, ActBypass, malformed, nil},
		"control byte":               {[]string{"lang=j\x01a"}, ActBypass, malformed, nil},
		"NUL":                        {[]string{"lang=j\x00a"}, ActBypass, malformed, nil},
		"DEL":                        {[]string{"lang=j\x7fa"}, ActBypass, malformed, nil},
		"tab":                        {[]string{"lang=j\ta"}, ActBypass, malformed, nil},
		"8 bit":                      {[]string{"lang=\xe6\x97\xa5"}, ActBypass, malformed, nil},
		"8 bit in a stripped cookie": {[]string{"_ga=\xff"}, ActBypass, malformed, nil},
	} {
		t.Run(name, func(t *testing.T) {
			req := request("https://example.com/")
			if tt.lines != nil {
				req.Header["Cookie"] = tt.lines
			}
			p := checkDispose(t, rule, req, tt.action, tt.reasons...)
			if !slices.Equal(p.Cookies, tt.want) {
				t.Errorf("got cookies %q, want %q", p.Cookies, tt.want)
			}
		})
	}
}

func TestDisposeHeaders(t *testing.T) {
	rule := compiled(t, dispositions).rules[0]
	for field, tt := range map[string]struct {
		action  Action
		reasons []Reason
		want    []Field
	}{
		"X-Plan: a":                               {want: fields("X-Plan", "a")},
		"x-pLAN: a":                               {want: fields("X-Plan", "a")},
		"X-Plan:":                                 {want: fields("X-Plan", "")},
		"X-Ab-Test: 1":                            {want: fields("X-Ab-Test", "1")},
		"Accept-Language: ja-JP":                  {want: fields("Accept-Language", "ja")},
		"Accept-Language: fr":                     {},
		"X-Kind: B":                               {want: fields("X-Kind", "b")},
		"X-Kind: c":                               {},
		"X-Noise: 1":                              {},
		"X-Whatever: 1":                           {},
		"X_Forwarded_Host: evil":                  {},
		"X-Slow: 1":                               {ActBypass, []Reason{ReasonHeaderBypass}, nil},
		"X-Bad: 1":                                {ActDeny, []Reason{ReasonDenied}, nil},
		"X-Member: 7":                             {ActBypass, []Reason{ReasonIdentity}, nil},
		"X-Member:":                               {ActBypass, []Reason{ReasonIdentity}, nil},
		"X-Sso-User: 7":                           {ActBypass, []Reason{ReasonIdentity}, nil},
		"X-Real-Ip: 192.0.2.1":                    {ActBypass, []Reason{ReasonIdentity}, nil}, // identity before the built-in strip
		"X-Forwarded-Ssl: on":                     {ActDeny, []Reason{ReasonDenied}, nil},     // declared before the built-in strip
		"X-Forwarded-Scheme: http":                {ActDeny, []Reason{ReasonDenied}, nil},     // and before the built-in bypass
		"X-Auth-Noise: 1":                         {ActBypass, []Reason{ReasonIdentity}, nil}, // no glob strips a credential
		"Authorization: Basic x":                  {ActBypass, []Reason{ReasonAuthorization}, nil},
		"Authorization:":                          {ActBypass, []Reason{ReasonAuthorization}, nil},
		"Proxy-Authorization: x":                  {ActBypass, []Reason{ReasonAuthorization}, nil},
		"X-Api-Key: x":                            {ActBypass, []Reason{ReasonIdentity}, nil},
		"X-Auth-Token: x":                         {ActBypass, []Reason{ReasonIdentity}, nil},
		"X-Forwarded-User: x":                     {ActBypass, []Reason{ReasonIdentity}, nil},
		"Cf-Access-Jwt-Assertion: x":              {ActBypass, []Reason{ReasonIdentity}, nil},
		"X-Forwarded-Client-Cert: x":              {ActBypass, []Reason{ReasonIdentity}, nil},
		"X-HTTP-Method-Override: POST":            {ActBypass, []Reason{ReasonMethodOverride}, nil},
		"X-Original-URL: /admin":                  {ActBypass, []Reason{ReasonRoutingOverride}, nil},
		"X-Rewrite-URL: /admin":                   {ActBypass, []Reason{ReasonRoutingOverride}, nil},
		"X-Forwarded-Prefix: /x":                  {ActBypass, []Reason{ReasonRoutingOverride}, nil},
		"X-Host: evil.example":                    {ActBypass, []Reason{ReasonRoutingOverride}, nil},
		"HX-Request: true":                        {ActBypass, []Reason{ReasonFragment}, nil},
		"Turbo-Frame: x":                          {ActBypass, []Reason{ReasonFragment}, nil},
		"X-Inertia: true":                         {ActBypass, []Reason{ReasonFragment}, nil},
		"X-PJAX: true":                            {ActBypass, []Reason{ReasonFragment}, nil},
		"RSC: 1":                                  {ActBypass, []Reason{ReasonFragment}, nil},
		"Next-Router-Prefetch: 1":                 {ActBypass, []Reason{ReasonFragment}, nil},
		"X-Nextjs-Data: 1":                        {ActBypass, []Reason{ReasonFragment}, nil},
		"X-Middleware-Subrequest: x":              {ActBypass, []Reason{ReasonFragment}, nil},
		"X-Requested-With: XMLHttpRequest":        {ActBypass, []Reason{ReasonFragment}, nil},
		"Service-Worker-Navigation-Preload: true": {ActBypass, []Reason{ReasonFragment}, nil},
		"Origin: https://evil.example":            {ActBypass, []Reason{ReasonCrossOrigin}, nil},
		"Origin: null":                            {ActBypass, []Reason{ReasonCrossOrigin}, nil},
		"Upgrade: websocket":                      {ActBypass, []Reason{ReasonUpgrade}, nil},
		"Accept: text/event-stream":               {ActBypass, []Reason{ReasonUpgrade}, nil},
		"Accept: Text/Event-Stream;q=1":           {ActBypass, []Reason{ReasonUpgrade}, nil},
		"Cache-Control: no-store":                 {ActBypass, []Reason{ReasonRequestNoStore}, nil},
		"Cache-Control: max-age=0, No-Store":      {ActBypass, []Reason{ReasonRequestNoStore}, nil},
		"Cache-Control: no-cache":                 {},
		"Pragma: no-cache":                        {},
		"Range: bytes=0-0":                        {},
		"If-Range: x":                             {},
		"If-None-Match: *":                        {},
		"If-Modified-Since: x":                    {},
		"Accept-Encoding: br":                     {},
		"Accept: text/html":                       {},
		"Referer: https://a.example/":             {},
		"X-Forwarded-For: 192.0.2.1":              {},
		"Forwarded: host=evil":                    {},
		"Te: trailers":                            {},
		"Connection: keep-alive":                  {},
	} {
		t.Run(field, func(t *testing.T) {
			p := checkDispose(t, rule, request("https://example.com/", field), tt.action, tt.reasons...)
			if !slices.Equal(p.Headers, tt.want) || len(p.Forwarded()) > 0 {
				t.Errorf("got headers %q, forwarded %q, want %q", p.Headers, p.Forwarded(), tt.want)
			}
		})
	}
	t.Run("several lines are one", func(t *testing.T) {
		two := checkDispose(t, rule, request("https://example.com/", "X-Plan: a", "X-Plan: b"), ActCache)
		one := checkDispose(t, rule, request("https://example.com/", "X-Plan: a, b"), ActCache)
		if !slices.Equal(two.Headers, one.Headers) {
			t.Errorf("got %q and %q", two.Headers, one.Headers)
		}
	})
	t.Run("forwarded", func(t *testing.T) {
		p := checkDispose(t, rule, request("https://example.com/", "Traceparent: 00-1"), ActCache)
		if !slices.Equal(p.Forwarded(), fields("Traceparent", "00-1")) || len(p.Headers) > 0 {
			t.Errorf("got %q, keyed %q", p.Forwarded(), p.Headers)
		}
	})
}

func TestDisposeRequest(t *testing.T) {
	c := compiled(t, dispositions+`
  - {name: never, match: {hosts: [never.example]}, cache: never}
`)
	page, never := c.rules[0], c.rules[1]
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "QUERY", "PROPFIND", "get", "Head", ""} {
		req := request("https://example.com/")
		req.Method = method
		checkDispose(t, page, req, ActBypass, ReasonMethod)
	}
	req := request("https://example.com/")
	req.Method = http.MethodConnect
	checkDispose(t, page, req, ActBypass, ReasonMethod, ReasonUpgrade)
	req.Method = http.MethodHead
	checkDispose(t, page, req, ActCache)
	checkDispose(t, never, request("https://never.example/"), ActBypass, ReasonRouteNever)
	checkDispose(t, c.rest, request("https://other.example/"), ActBypass, ReasonNoRoute)
}

// TestDisposeOrderOfReasons holds that reasons come in one order, however the
// request's header map is iterated.
func TestDisposeOrderOfReasons(t *testing.T) {
	rule := compiled(t, dispositions).rules[0]
	for range 200 {
		checkDispose(t, rule, request("https://example.com/?preview=1", "X-Slow: 1", "Authorization: x", "Origin: x", "X-Member: 7",
			"HX-Request: true", "X-Original-URL: /", "Cookie: cart=1"), ActBypass,
			ReasonRoutingOverride, ReasonFragment, ReasonCrossOrigin, ReasonIdentity, ReasonAuthorization,
			ReasonParamBypass, ReasonCookieBypass, ReasonHeaderBypass)
		if t.Failed() {
			return
		}
		checkDispose(t, rule, request("https://example.com/", "X-Bad: 1", "Authorization: x", "Origin: x"), ActDeny,
			ReasonDenied, ReasonCrossOrigin, ReasonAuthorization)
	}
}

// TestDisposeReuse holds that nothing of one request stays in the parts of the next.
func TestDisposeReuse(t *testing.T) {
	rule := compiled(t, dispositions).rules[0]
	full := request("https://example.com/a?ref=1&page=2", "Cookie: lang=ja; v_1=x", "X-Plan: p", "X-Ab-1: q", "Traceparent: 00")
	bare := request("http://example.org/b")
	var reused, fresh Parts
	rule.Dispose(full, &reused)
	reused.Server = "other"
	rule.Dispose(bare, &reused)
	rule.Dispose(bare, &fresh)
	if got, want := fmt.Sprintf("%+v", reused), fmt.Sprintf("%+v", fresh); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestOriginRouteDefaults holds what cache: origin keys when nothing is declared.
func TestOriginRouteDefaults(t *testing.T) {
	rule := compiled(t, `routes: [{name: page, match: {paths: [/*]}, cache: origin}]`).rules[0]
	p := checkDispose(t, rule, request("https://example.com/?b=1&A=2&b=3", "Accept: text/html", "Accept-Language: ja",
		"User-Agent: x", "Referer: y", "X-Forwarded-For: 192.0.2.1"), ActCache)
	if !slices.Equal(p.Params, []string{"b=1", "A=2", "b=3"}) || !slices.Equal(p.Varying, fields("Accept", "text/html", "Accept-Language", "ja")) || len(p.Headers) > 0 {
		t.Errorf("got %q %q %q", p.Params, p.Varying, p.Headers)
	}
	checkDispose(t, rule, request("https://example.com/", "Cookie: x=1"), ActBypass, ReasonCookieBypass)

	vary := compiled(t, `routes: [{name: page, match: {paths: [/*]}, cache: origin, headers: {others: vary}}]`).rules[0]
	kept := map[string]string{"User-Agent": "x", "Referer": "y", "Sec-Fetch-Mode": "navigate", "X-New": "1", "Accept": "*/*", "Dnt": "1"}
	header := http.Header{"X-Forwarded-For": {"192.0.2.1"}, "Range": {"bytes=0-1"}, "If-None-Match": {"x"}, "Accept-Encoding": {"br"}, "Cf-Ray": {"1"}}
	for name, value := range kept {
		header[name] = []string{value}
	}
	req := request("https://example.com/")
	req.Header = header
	p = checkDispose(t, vary, req, ActCache)
	got := make(map[string]string)
	for _, f := range p.Varying {
		got[f.Name] = f.Value
	}
	if !maps.Equal(got, kept) {
		t.Errorf("got %q, want %q", got, kept)
	}
	for field, reason := range map[string]Reason{
		"Authorization: x": ReasonAuthorization, "HX-Request: true": ReasonFragment, "X-Original-URL: /": ReasonRoutingOverride,
		"Origin: x": ReasonCrossOrigin, "X-Api-Key: x": ReasonIdentity,
	} {
		checkDispose(t, vary, request("https://example.com/", field), ActBypass, reason)
	}
}

// FuzzCookies holds that what is keyed of a Cookie field is read alike by
// net/http, which is one of the more lenient parsers.
func FuzzCookies(f *testing.F) {
	for _, line := range []string{"", "lang=ja", `lang="a; v_1=b"`, "lang=a; session=1", "$Version=1; lang=a", "v_1=a;lang=b", "lang=\xff"} {
		f.Add(line)
	}
	rule := compiled(f, dispositions).rules[0]
	f.Fuzz(func(t *testing.T, line string) {
		req := request("https://example.com/")
		req.Header["Cookie"] = []string{line}
		var p Parts
		if rule.Dispose(req, &p).Action != ActCache {
			return
		}
		for _, c := range (&http.Request{Header: req.Header}).Cookies() {
			if c.Name == "session" || strings.HasPrefix(c.Name, "remember_") {
				t.Errorf("%q has %s for net/http", line, c.Name)
			}
			keyed := c.Name == "lang" || strings.HasPrefix(c.Name, "v_")
			if keyed && !slices.Contains(p.Cookies, Field{c.Name, strings.Trim(c.Value, `"`)}) &&
				!slices.Contains(p.Cookies, Field{c.Name, `"` + c.Value + `"`}) {
				t.Errorf("%q has %s=%s for net/http, the key has %q", line, c.Name, c.Value, p.Cookies)
			}
		}
	})
}
