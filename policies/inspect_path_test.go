package policies

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

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
