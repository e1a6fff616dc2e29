package policies

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// compiled reads a policy in YAML and compiles it for the space "test".
func compiled(t testing.TB, yaml string) *Compiled {
	t.Helper()
	p, err := ParseYAML("test.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Compile(p, "test")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// request is what a server makes of a GET for the target with the fields, each
// "Name: value". It takes targets that net/url would refuse.
func request(target string, fields ...string) *Request {
	scheme, rest, _ := strings.Cut(target, "://")
	host, path := rest, ""
	if slash := strings.IndexAny(rest, "/?"); slash >= 0 {
		host, path = rest[:slash], rest[slash:]
	}
	req := &Request{Method: http.MethodGet, Scheme: scheme, Host: strings.ToLower(host), Header: make(http.Header)}
	var query bool
	req.EscapedPath, req.RawQuery, query = strings.Cut(path, "?")
	req.ForceQuery = query && req.RawQuery == ""
	req.Path = req.EscapedPath
	if decoded, err := url.PathUnescape(req.EscapedPath); err == nil {
		req.Path = decoded
	}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ":")
		req.Header.Add(name, strings.TrimSpace(value))
	}
	return req
}

// onePage is a route without a host, so that tests of other things need not care.
const onePage = `
routes:
  - name: page
    match: {paths: [/*]}
    cache: 5m
    params: {key: [ref, user.id], bypass: [preview], strip: [utm_*, fbclid], others: strip}
`

func checkReasons(t *testing.T, got Verdict, action Action, want ...Reason) {
	t.Helper()
	if got.Action != action || !slices.Equal(got.Reasons, want) {
		t.Errorf("got action %d for %v, want action %d for %v", got.Action, got.Reasons, action, want)
	}
}

// checkInspect expects a bypass for the reasons, or nothing to be found.
func checkInspect(t *testing.T, rule *Rule, req *Request, want ...Reason) {
	t.Helper()
	action := ActCache
	if len(want) > 0 {
		action = ActBypass
	}
	checkReasons(t, rule.Inspect(req), action, want...)
}

func TestInspectPath(t *testing.T) {
	rule := compiled(t, onePage).rules[0]
	for path, want := range map[string][]Reason{
		// 8.1 suffixes and directories behind which another page stands
		"/account%2Fx.css":           {ReasonPathEncodedSlash},
		"/static/../account":         {ReasonPathDotSegment},
		"/share/%2F..%2Fapi/session": {ReasonPathEncodedSlash},
		"/assets/..%2faccount":       {ReasonPathEncodedSlash},
		"/assets/..%5caccount":       {ReasonPathEncodedSlash},
		"/%2f":                       {ReasonPathEncodedSlash},
		"/static/%2e%2e/account":     {ReasonPathNeedlessEncoding, ReasonPathDotSegment},
		"/static/.%2E/account":       {ReasonPathNeedlessEncoding, ReasonPathDotSegment},
		"/static/%2e./account":       {ReasonPathNeedlessEncoding, ReasonPathDotSegment},
		"/a/.":                       {ReasonPathDotSegment},
		"/a/..":                      {ReasonPathDotSegment},
		"/.":                         {ReasonPathDotSegment},
		"/..":                        {ReasonPathDotSegment},
		"/./a":                       {ReasonPathDotSegment},
		"/a/%2e":                     {ReasonPathNeedlessEncoding, ReasonPathDotSegment},
		"/account;x.css":             {ReasonPathParameter},
		"/account%3Bx.css":           {ReasonPathParameter},
		"/a/..;/b":                   {ReasonPathParameter},
		"/account%00.css":            {ReasonPathControl},
		"/account%0a.css":            {ReasonPathControl},
		"/account%0D%0A.css":         {ReasonPathControl},
		"/account%09.css":            {ReasonPathControl},
		"/account%7f.css":            {ReasonPathControl},
		"/account%23.css":            {ReasonPathDelimiter},
		"/account%3f.css":            {ReasonPathDelimiter},
		"/account#.css":              {ReasonPathDelimiter},
		`/account\x.css`:             {ReasonPathBackslash},
		`/static\..\account`:         {ReasonPathBackslash},
		"/account\x01":               {ReasonPathControl},
		"/a b":                       {ReasonPathControl},
		"/caf\xc3\xa9":               {ReasonPathControl},
		"//a":                        {ReasonPathDoubleSlash},
		"/a//b":                      {ReasonPathDoubleSlash},
		"/a//":                       {ReasonPathDoubleSlash},
		"//":                         {ReasonPathDoubleSlash},
		"/%252e%252e/a":              {ReasonPathDoubleEncoding},
		"/%252fa":                    {ReasonPathDoubleEncoding},
		"/a%25%32%66":                {ReasonPathNeedlessEncoding},
		"/%41":                       {ReasonPathNeedlessEncoding},
		"/%7euser":                   {ReasonPathNeedlessEncoding},
		"/%u0061":                    {ReasonPathInvalidEscape},
		"/100%":                      {ReasonPathInvalidEscape},
		"/100%2":                     {ReasonPathInvalidEscape},
		"/%zz":                       {ReasonPathInvalidEscape},
		"/%c0%ae%c0%ae/a":            {ReasonPathInvalidEscape},
		"/%e0%80%af":                 {ReasonPathInvalidEscape},
		"/%ff":                       {ReasonPathInvalidEscape},
		"/%ed%a0%80":                 {ReasonPathInvalidEscape},
		"":                           {ReasonPathForm},
		"/a/../%2f;\\":               {ReasonPathDotSegment, ReasonPathEncodedSlash, ReasonPathParameter, ReasonPathBackslash},
	} {
		t.Run(path, func(t *testing.T) {
			checkInspect(t, rule, request("https://example.com"+path), want...)
		})
	}
	t.Run("asterisk form", func(t *testing.T) {
		checkInspect(t, rule, &Request{Method: "GET", Host: "example.com", Path: "*", EscapedPath: "*"}, ReasonPathForm)
	})
	t.Run("absolute form", func(t *testing.T) {
		req := request("https://example.com/a")
		req.AbsoluteForm = true
		checkInspect(t, rule, req, ReasonPathForm)
	})
}

func TestInspectOrdinaryPaths(t *testing.T) {
	rule := compiled(t, onePage).rules[0]
	for _, path := range []string{
		"/", "/register/lp", "/register/lp/", "/a.css", "/a.min.js", "/.well-known/acme-challenge/x_Y-z", "/...", "/..a",
		"/a..b", "/a.", "/.git", "/@user", "/~user", "/a,b", "/a:b", "/a+b", "/a=b", "/a&b", "/a!b", "/a$b", "/a'b", "/(a)", "/a*",
		"/a%20b", "/100%25", "/100%25/x", "/50%25off", "/%E6%A4%9C%E7%B4%A2/%E6%A5%BD%E5%A4%A9", "/%e3%81%82", "/caf%C3%A9",
		"/cafe%CC%81", "/%5Bid%5D", "/a%40b", "/a%7Cb", "/%F0%9F%98%80", "/a%22b%3C%3E",
		"/wp-content/uploads/2024/01/IMG_0001%20(1).jpg", "/item/123_456-789~0", "/_next/static/chunks/%5Bslug%5D-0a1b.js",
	} {
		t.Run(path, func(t *testing.T) {
			checkInspect(t, rule, request("https://example.com"+path))
		})
	}
}

// TestInspectPathEncodings writes every byte in every way at every place of a
// segment.
func TestInspectPathEncodings(t *testing.T) {
	rule := compiled(t, onePage).rules[0]
	for b := range 256 {
		for _, spelling := range []string{fmt.Sprintf("%%%02X", b), fmt.Sprintf("%%%02x", b)} {
			for _, place := range []string{"/%s", "/%sab", "/a%sb", "/ab%s", "/a/%s/b", "/a/%sc/b"} {
				path := fmt.Sprintf(place, spelling)
				want := escapedByte(byte(b))
				if b == '.' && !strings.ContainsAny(path, "abc") || b == '.' && place == "/a/%s/b" {
					want = append(want, ReasonPathDotSegment)
				}
				if b == '%' && place == "/%sab" {
					want = []Reason{ReasonPathDoubleEncoding} // %25ab
				}
				v := rule.Inspect(request("https://example.com" + path))
				if !slices.Equal(v.Reasons, want) || (v.Action == ActCache) != (want == nil) {
					t.Errorf("%s: got action %d for %v, want %v", path, v.Action, v.Reasons, want)
				}
			}
		}
	}
}

// escapedByte says what a percent-encoded byte that stands alone is found to be.
func escapedByte(b byte) []Reason {
	switch {
	case b == '/' || b == '\\':
		return []Reason{ReasonPathEncodedSlash}
	case b == ';':
		return []Reason{ReasonPathParameter}
	case b == '?' || b == '#':
		return []Reason{ReasonPathDelimiter}
	case b < 0x20 || b == 0x7f:
		return []Reason{ReasonPathControl}
	case b > 0x7f:
		return []Reason{ReasonPathInvalidEscape} // a lone byte is not UTF-8
	case strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", b) >= 0:
		return []Reason{ReasonPathNeedlessEncoding}
	}
	return nil
}

// TestInspectPathRawBytes holds that a byte is accepted unencoded only if RFC 3986
// or the browsers send it so.
func TestInspectPathRawBytes(t *testing.T) {
	rule := compiled(t, onePage).rules[0]
	const accepted = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@/\"<>[]^`{|}"
	for b := range 256 {
		req := &Request{Method: "GET", Scheme: "https", Host: "example.com", EscapedPath: "/a" + string([]byte{byte(b)}) + "b"}
		req.Path = req.EscapedPath
		v := rule.Inspect(req)
		if want := strings.IndexByte(accepted, byte(b)) >= 0; (v.Action == ActCache) != want {
			t.Errorf("%q: got action %d for %v, want accepted: %v", req.EscapedPath, v.Action, v.Reasons, want)
		}
	}
}

func TestInspectQuery(t *testing.T) {
	rule := compiled(t, onePage).rules[0]
	long := strings.Repeat("a=1&", maxParams)
	for query, want := range map[string][]Reason{
		"a=1;b=2":                    {ReasonQuerySemicolon},
		"utm_content=x;ref=evil":     {ReasonQuerySemicolon},
		"a=b c":                      {ReasonQueryControl},
		"a=\xe3\x81\x82":             {ReasonQueryControl},
		"a=\x7f":                     {ReasonQueryControl},
		"a=%00":                      {ReasonQueryControl},
		"a=%0d%0aX:1":                {ReasonQueryControl},
		"a=1#&ref=2":                 {ReasonQueryControl},
		"a=%":                        {ReasonQueryInvalidEscape},
		"a=%2":                       {ReasonQueryInvalidEscape},
		"a=%u0061":                   {ReasonQueryInvalidEscape},
		"&":                          {ReasonQueryEmptyPair},
		"a=1&":                       {ReasonQueryEmptyPair},
		"&a=1":                       {ReasonQueryEmptyPair},
		"a=1&&b=2":                   {ReasonQueryEmptyPair},
		"=1":                         {ReasonQueryEmptyPair},
		long + "a=1":                 {ReasonQueryLong},
		long:                         {ReasonQueryLong},
		strings.Repeat("&", 5000):    {ReasonQueryEmptyPair, ReasonQueryLong},
		"_method=DELETE":             {ReasonMethodOverride},
		"a=1&_method=PUT":            {ReasonMethodOverride},
		"_METHOD=PUT":                {ReasonMethodOverride},
		"%5Fmethod=PUT":              {ReasonMethodOverride},
		"_method[]=PUT":              {ReasonMethodOverride},
		"Ref=1":                      {ReasonParamAlias},
		"REF=1":                      {ReasonParamAlias},
		"r%65f=1":                    {ReasonParamAlias},
		"%72%65%66=1":                {ReasonParamAlias},
		"%2572ef=1":                  {ReasonParamAlias},
		"ref[]=1":                    {ReasonParamAlias},
		"ref[0]=1":                   {ReasonParamAlias},
		"ref[a][b]=1":                {ReasonParamAlias},
		"ref%5B%5D=1":                {ReasonParamAlias},
		"[ref]=1":                    {ReasonParamAlias},
		"%5Bref%5D=1":                {ReasonParamAlias},
		"ref%20=1":                   {ReasonParamAlias},
		"+ref=1":                     {ReasonParamAlias},
		"%20ref=1":                   {ReasonParamAlias},
		"ref%00x=1":                  {ReasonQueryControl, ReasonParamAlias},
		"user_id=1":                  {ReasonParamAlias},
		"user%20id=1":                {ReasonParamAlias},
		"user+id=1":                  {ReasonParamAlias},
		"User.ID=1":                  {ReasonParamAlias},
		"user%2Eid=1":                {ReasonParamAlias},
		"Preview":                    {ReasonParamAlias},
		"preview[]=1":                {ReasonParamAlias},
		"ref=1&Ref=2;_method=x&%=%0": {ReasonQuerySemicolon, ReasonQueryInvalidEscape, ReasonParamAlias},
	} {
		t.Run(query[:min(len(query), 40)], func(t *testing.T) {
			checkInspect(t, rule, request("https://example.com/?"+query), want...)
		})
	}
}

func TestInspectOrdinaryQueries(t *testing.T) {
	rule := compiled(t, onePage).rules[0]
	for _, query := range []string{
		"", "a", "a=", "a=1", "a=1&b=2", "ref=abc&ref=def", "user.id=7", "preview=1", "q=%E6%A4%9C%E7%B4%A2", "q=a+b", "q=a%20b",
		"q=%82%A0", "q=100%25", "next=/a?b=c", "url=https://example.com/x", "a=%26", "a=%3B", "a=%23", "a=%3D", "filter[a]=1",
		"filter%5Ba%5D=1", "utm_source=x&utm_medium=y&fbclid=IwAR0-_x", "a==", "a=b=c", "a.b=1", "A=1&a=2", "reference=1", "xref=1",
		"ref2=1", "re=1&f=2", "user=1", "userid=1", "utm_Source=1", "FBCLID=1", "method=1", "a={}|^`\"<>\\",
		strings.TrimSuffix(strings.Repeat("a=1&", maxParams), "&"),
	} {
		t.Run(query[:min(len(query), 40)], func(t *testing.T) {
			checkInspect(t, rule, request("https://example.com/?"+query))
		})
	}
}

// TestInspectQueryEncodedNames writes every byte of a keyed name in every way.
func TestInspectQueryEncodedNames(t *testing.T) {
	rule := compiled(t, onePage).rules[0]
	for i, b := range []byte("ref") {
		for _, spelling := range []string{
			fmt.Sprintf("%%%02X", b), fmt.Sprintf("%%%02x", b), fmt.Sprintf("%%%02X", b-32),
			fmt.Sprintf("%%25%02X", b), string(rune(b - 32)),
		} {
			query := "ref"[:i] + spelling + "ref"[i+1:] + "=1"
			checkInspect(t, rule, request("https://example.com/?"+query), ReasonParamAlias)
		}
	}
}

func TestInspectHost(t *testing.T) {
	named := compiled(t, `
routes:
  - name: page
    match: {hosts: [hapitas.example, "*.cdn.example", "api.example:8443", "[2001:db8::1]"], paths: [/*]}
    cache: 5m
`).rules[0]
	any := compiled(t, onePage).rules[0]
	for _, tt := range []struct {
		host, port string
		rule       *Rule
		want       []Reason
	}{
		{"hapitas.example", "", named, nil},
		{"hapitas.example:443", "", named, nil},
		{"hapitas.example:8080", "8080", named, nil},
		{"a.cdn.example", "", named, nil},
		{"a.b.cdn.example", "", named, nil},
		{"api.example:8443", "", named, nil},
		{"[2001:db8::1]", "", named, nil},
		{"[2001:db8::1]:443", "", named, nil},
		{"evil.example", "", named, []Reason{ReasonHostUnknown}},
		{"cdn.example", "", named, []Reason{ReasonHostUnknown}},
		{"api.example", "", named, []Reason{ReasonHostUnknown}},
		{"hapitas.example.evil.example", "", named, []Reason{ReasonHostUnknown}},
		{"xhapitas.example", "", named, []Reason{ReasonHostUnknown}},
		{"hapitas.example:80", "", named, []Reason{ReasonHostPort}},
		{"hapitas.example:8081", "8080", named, []Reason{ReasonHostPort}},
		{"hapitas.example:0443", "", named, []Reason{ReasonHostPort}},
		{"hapitas.example:99999", "", named, []Reason{ReasonHostPort}},
		{"hapitas.example.", "", named, []Reason{ReasonHostTrailingDot, ReasonHostUnknown}},
		{"anything.example", "", any, nil},
		{"under_score.example", "", any, nil},
		{"192.0.2.1", "", any, nil},
		{"localhost:3000", "3000", any, nil},
		{"anything.example:444", "", any, []Reason{ReasonHostPort}},
		{"anything.example.", "", any, []Reason{ReasonHostTrailingDot}},
		{"", "", any, []Reason{ReasonHostMalformed}},
		{".", "", any, []Reason{ReasonHostMalformed}},
		{".example.com", "", any, []Reason{ReasonHostMalformed}},
		{"a..example.com", "", any, []Reason{ReasonHostMalformed}},
		{"example.com..", "", any, []Reason{ReasonHostMalformed}},
		{":80", "", any, []Reason{ReasonHostMalformed}},
		{"example.com:", "", any, []Reason{ReasonHostMalformed}},
		{"example.com:evil", "", any, []Reason{ReasonHostMalformed}},
		{"example.com:80:80", "", any, []Reason{ReasonHostMalformed}},
		{"example.com:+80", "", any, []Reason{ReasonHostMalformed}},
		{"example.com:123456", "", any, []Reason{ReasonHostMalformed}},
		{"user@example.com", "", any, []Reason{ReasonHostMalformed}},
		{"example.com, evil.example", "", any, []Reason{ReasonHostMalformed}},
		{"example.com/x", "", any, []Reason{ReasonHostMalformed}},
		{"example.com\x00", "", any, []Reason{ReasonHostMalformed}},
		{"ex%41mple.com", "", any, []Reason{ReasonHostMalformed}},
		{"検索.example", "", any, []Reason{ReasonHostMalformed}},
		{"EXAMPLE.com", "", any, []Reason{ReasonHostMalformed}}, // the caller lowers it
		{"[::1", "", any, []Reason{ReasonHostMalformed}},
		{"[]", "", any, []Reason{ReasonHostMalformed}},
		{"[::1]x", "", any, []Reason{ReasonHostMalformed}},
		{"[::1%25eth0]", "", any, []Reason{ReasonHostMalformed}},
	} {
		t.Run(tt.host+" "+tt.rule.Digest[:4], func(t *testing.T) {
			req := request("https://example.com/")
			req.Host, req.Port = tt.host, tt.port
			checkInspect(t, tt.rule, req, tt.want...)
		})
	}
}

func TestInspectFraming(t *testing.T) {
	rule := compiled(t, onePage).rules[0]
	body := func(method string) *Request {
		req := request("https://example.com/")
		req.Method, req.HasBody = method, true
		return req
	}
	get := func(fields ...string) *Request { return request("https://example.com/", fields...) }
	post := request("https://example.com/?_method=DELETE")
	post.Method = http.MethodPost
	for name, tt := range map[string]struct {
		req  *Request
		want []Reason
	}{
		"GET with a body":           {body("GET"), []Reason{ReasonBodyOnGet}},
		"HEAD with a body":          {body("HEAD"), []Reason{ReasonBodyOnGet}},
		"POST with a body":          {body("POST"), nil},
		"POST with _method":         {post, nil}, // never cached, and what forms send
		"keep-alive":                {get("Connection: keep-alive"), nil},
		"close":                     {get("Connection: close"), nil},
		"Keep-Alive, Upgrade":       {get("Connection: Keep-Alive, Upgrade, HTTP2-Settings"), nil},
		"TE":                        {get("Connection: TE,close,"), nil},
		"nominates Cookie":          {get("Connection: close, Cookie"), []Reason{ReasonConnectionNominates}},
		"nominates in second line":  {get("Connection: close", "Connection: x-forwarded-for"), []Reason{ReasonConnectionNominates}},
		"nominates Host":            {get("Connection: Host"), []Reason{ReasonConnectionNominates}},
		"nominates Cache-Control":   {get("Connection: keep-alive,cache-control"), []Reason{ReasonConnectionNominates}},
		"nominates Content-Length":  {get("Connection: Content-Length"), []Reason{ReasonConnectionNominates}},
		"nominates with a blank":    {get("Connection: close Cookie"), []Reason{ReasonConnectionNominates}},
		"same forwarded host":       {get("X-Forwarded-Host: example.com"), nil},
		"same host, other case":     {get("X-Forwarded-Host: Example.COM"), nil},
		"other forwarded host":      {get("X-Forwarded-Host: evil.example"), []Reason{ReasonRoutingOverride}},
		"two forwarded hosts":       {get("X-Forwarded-Host: example.com, evil.example"), []Reason{ReasonRoutingOverride}},
		"forwarded host twice":      {get("X-Forwarded-Host: example.com", "X-Forwarded-Host: example.com"), []Reason{ReasonRoutingOverride}},
		"empty forwarded host":      {get("X-Forwarded-Host:"), []Reason{ReasonRoutingOverride}},
		"forwarded host and a port": {get("X-Forwarded-Host: example.com:1"), []Reason{ReasonRoutingOverride}},
	} {
		t.Run(name, func(t *testing.T) { checkInspect(t, rule, tt.req, tt.want...) })
	}
	t.Run("a forwarded host that the route declares", func(t *testing.T) {
		rule := compiled(t, `routes: [{name: page, match: {paths: [/*]}, cache: 5m, headers: {key: [X-Forwarded-Host]}}]`).rules[0]
		checkInspect(t, rule, get("X-Forwarded-Host: brand.example"))
	})
}

func TestAmbiguousDenies(t *testing.T) {
	const routes = `
routes:
  - {name: page, match: {paths: [/*]}, cache: 5m, params: {key: [ref]}, cookies: {key: [lang]}}
`
	bypass, deny := compiled(t, routes).rules[0], compiled(t, "ambiguous: deny"+routes).rules[0]
	for target, want := range map[string]Reason{
		"https://example.com/a//b":      ReasonPathDoubleSlash,
		"https://example.com/?a=1;b":    ReasonQuerySemicolon,
		"https://example.com./":         ReasonHostTrailingDot,
		"https://example.com/?Ref=1":    ReasonParamAlias,
		"https://example.com/a%2F..%2F": ReasonPathEncodedSlash,
	} {
		checkReasons(t, bypass.Inspect(request(target)), ActBypass, want)
		checkReasons(t, deny.Inspect(request(target)), ActDeny, want)
	}
	checkReasons(t, deny.Inspect(request("https://example.com/?ref=1")), ActCache)
	for name, tt := range map[string]struct {
		req  *Request
		want Reason
	}{
		"repeated parameter": {request("https://example.com/?ref=1&ref=2"), ReasonParamRepeated},
		"repeated cookie":    {request("https://example.com/", "Cookie: lang=ja; lang=en"), ReasonCookieRepeated},
		"malformed cookie":   {request("https://example.com/", "Cookie: lang"), ReasonCookieMalformed},
		"another method":     {request("https://example.com/", "X-HTTP-Method-Override: POST"), ReasonMethodOverride},
		"another URL":        {request("https://example.com/", "X-Original-URL: /admin"), ReasonRoutingOverride},
	} {
		t.Run(name, func(t *testing.T) {
			var p Parts
			checkReasons(t, bypass.Dispose(tt.req, &p), ActBypass, tt.want)
			checkReasons(t, deny.Dispose(tt.req, &p), ActDeny, tt.want)
			// Other methods are never looked up, so nothing can be mistaken.
			tt.req.Method = http.MethodPost
			if v := deny.Dispose(tt.req, &p); v.Action != ActBypass {
				t.Errorf("POST: got action %d for %v", v.Action, v.Reasons)
			}
		})
	}
	var p Parts
	checkReasons(t, deny.Dispose(request("https://example.com/", "Authorization: x"), &p), ActBypass, ReasonAuthorization)
}

// danger finds what a decoded path must not have.
func danger(path string) string {
	for segment := range strings.SplitSeq(path[1:], "/") {
		if segment == "." || segment == ".." {
			return "dot segment"
		}
	}
	for _, s := range []string{"//", `\`, ";", "?", "#", "\x00", "\r", "\n", "\t", "\x7f"} {
		if strings.Contains(path, s) {
			return fmt.Sprintf("%q", s)
		}
	}
	return ""
}

// FuzzInspectPath holds that what passes reads the same to whoever decodes it
// once or twice.
func FuzzInspectPath(f *testing.F) {
	for _, path := range []string{"/", "/a/b", "/%E3%81%82", "/100%25", "/%252e", "/a/%2e%2e/b", "/a%2Fb", "/..;/", "//", "/%25%32%65", "/\xff"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		req := request("https://example.com/")
		req.EscapedPath, req.Path = path, path
		decoded, err := url.PathUnescape(path)
		if err == nil {
			req.Path = decoded
		}
		var v Verdict
		inspectPath(req, &v)
		if v.Action != ActCache {
			return
		}
		if err != nil {
			t.Fatalf("%q cannot be decoded and passed", path)
		}
		if found := danger(decoded); found != "" {
			t.Errorf("%q has a %s once decoded", path, found)
		}
		if strings.Count(decoded, "/") != strings.Count(path, "/") {
			t.Errorf("%q has more segments once decoded", path)
		}
		twice, err := url.PathUnescape(decoded)
		if err == nil && twice != decoded {
			t.Errorf("%q is %q once decoded and %q twice", path, decoded, twice)
		}
	})
}

// FuzzInspectQuery holds that what passes is taken apart alike by parsers that
// split at & and by those that split at & and ;.
func FuzzInspectQuery(f *testing.F) {
	for _, query := range []string{"", "a=1", "ref=1&Ref=2", "a;b", "a=%", "&&", "%5Bref%5D[]=%00", "a=1#b", "_method=x"} {
		f.Add(query)
	}
	rule := compiled(f, onePage).rules[0]
	f.Fuzz(func(t *testing.T, query string) {
		req := request("https://example.com/")
		req.RawQuery = query
		if rule.Inspect(req).Action != ActCache {
			return
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatalf("%q passed: %v", query, err)
		}
		split := func(c rune) bool { return c == '&' || c == ';' || c == '#' }
		if query != "" && !reflect.DeepEqual(strings.FieldsFunc(query, split), strings.Split(query, "&")) {
			t.Errorf("%q can be taken apart in two ways", query)
		}
		for name := range values {
			if folded := strings.ToLower(strings.Trim(name, "[] ")); (folded == "ref" || folded == "preview") && name != folded {
				t.Errorf("%q has the alias %q", query, name)
			}
		}
	})
}

// FuzzHost holds that a host that passes is one that net/url reads alike.
func FuzzHost(f *testing.F) {
	for _, host := range []string{"example.com", "example.com:80", "[::1]:80", "a..b", "user@host", "a:b:c"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		name, port, ok := splitHost(host)
		if !ok {
			return
		}
		u, err := url.Parse("https://" + host + "/")
		if err != nil {
			if strings.HasPrefix(host, "[") {
				return // not an address; no certificate and no route names it
			}
			t.Fatalf("%q passed: %v", host, err)
		}
		if u.Host != host || u.Port() != port || u.Hostname() != strings.Trim(name, "[]") || strings.ToLower(host) != host {
			t.Errorf("%q is %q and %q to us, %q and %q to net/url", host, name, port, u.Hostname(), u.Port())
		}
	})
}
