package httpcache

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/policies"
)

// everyPermission is a header that permits in all ways known, in all spellings.
func everyPermission() http.Header {
	return header(
		"Content-Type: text/html",
		"Cache-Control: public, max-age=60",
		"Cache-Control: s-maxage=60",
		"cache-control: immutable",
		"CACHE-CONTROL: max-age=1",
		"Expires: Fri, 31 Dec 9999 23:59:59 GMT",
		"expires: never",
		"Pragma: cache",
		"Cdn-Cache-Control: max-age=60",
		"CDN-Cache-Control: max-age=60",
		"Cloudflare-CDN-Cache-Control: max-age=60",
		"netlify-cdn-cache-control: max-age=60",
		"X-LiteSpeed-Cache-Control: public",
		"Surrogate-Control: max-age=60",
		"fastly-surrogate-control: max-age=60",
		"Edge-Control: max-age=60",
		"X-Accel-Expires: 60",
		"No-Vary-Search: params",
		"Netlify-Vary: query=a",
		"Cache-Tag: a,b",
		"Age: 3",
		"Vary: Accept",
	)
}

func TestForbid(t *testing.T) {
	h := everyPermission()
	Forbid(h)
	want := header("Content-Type: text/html", "Cache-Control: private, no-store", "Cache-Tag: a,b", "Age: 3", "Vary: Accept")
	if !reflect.DeepEqual(h, want) {
		t.Errorf("\n got %v\nwant %v", h, want)
	}
}

func TestForbidSharesNothing(t *testing.T) {
	one, other := http.Header{}, http.Header{}
	Forbid(one)
	Forbid(other)
	one["Cache-Control"][0] = "public"
	one.Add("Cache-Control", "max-age=60")
	third := http.Header{}
	Forbid(third)
	for _, h := range []http.Header{other, third} {
		if got := h["Cache-Control"]; len(got) != 1 || got[0] != Forbidden {
			t.Errorf("rewriting one header changed another: %q", got)
		}
	}
}

func TestPermit(t *testing.T) {
	tests := []struct {
		name         string
		p            Permission
		control, cdn string
	}{
		{"CDN only", Permission{CDN: time.Minute}, "public, max-age=0, must-revalidate", "max-age=60"},
		{"both", Permission{CDN: time.Minute, Browser: 5 * time.Second}, "public, max-age=5", "max-age=60"},
		{"parts of a second", Permission{CDN: 1999 * time.Millisecond, Browser: 999 * time.Millisecond}, "public, max-age=0, must-revalidate", "max-age=1"},
		{"negative browser", Permission{CDN: time.Minute, Browser: -time.Minute}, "public, max-age=0, must-revalidate", "max-age=60"},
		{"nothing", Permission{}, Forbidden, ""},
		{"browser only", Permission{Browser: time.Minute}, Forbidden, ""},
		{"less than a second", Permission{CDN: time.Second - 1, Browser: time.Minute}, Forbidden, ""},
		{"negative", Permission{CDN: -time.Minute, Browser: time.Minute}, Forbidden, ""},
		{"no-transform", Permission{CDN: time.Minute, NoTransform: true}, "public, max-age=0, must-revalidate, no-transform", "max-age=60"},
		{"no-transform, and nothing", Permission{NoTransform: true}, Forbidden + ", no-transform", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := everyPermission()
			Permit(h, tt.p)
			want := header("Content-Type: text/html", "Cache-Control: "+tt.control, "Cache-Tag: a,b", "Age: 3", "Vary: Accept")
			if tt.cdn != "" {
				want["Cdn-Cache-Control"] = []string{tt.cdn}
			}
			if !reflect.DeepEqual(h, want) {
				t.Errorf("\n got %v\nwant %v", h, want)
			}
		})
	}
}

// anyHeader draws headers whose names may be spelled in any case.
var anyHeader = rapid.Custom(func(t *rapid.T) http.Header {
	known := []string{
		"cache-control", "expires", "pragma", "cdn-cache-control", "x-cdn-cache-control", "surrogate-control",
		"edge-control", "x-accel-expires", "no-vary-search", "netlify-vary", "content-type", "etag",
	}
	spelled := rapid.Custom(func(t *rapid.T) string {
		name := []byte(rapid.SampledFrom(known).Draw(t, "name"))
		for i, upper := range rapid.SliceOfN(rapid.Bool(), len(name), len(name)).Draw(t, "case") {
			if upper && name[i] >= 'a' && name[i] <= 'z' {
				name[i] -= 'a' - 'A'
			}
		}
		return string(name)
	})
	return rapid.MapOf(rapid.OneOf(spelled, rapid.String()), rapid.SliceOfN(piecesOfText, 0, 3)).Draw(t, "header")
})

func TestForbidLeavesNoPermission(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := anyHeader.Draw(t, "h")
		if h == nil {
			h = http.Header{}
		}
		others := 0
		for name := range h {
			if !Governs(name) {
				others++
			}
		}
		Forbid(h)
		if len(h) != others+1 {
			t.Fatalf("%d fields are left, expected %d: %v", len(h), others+1, h)
		}
		for name, values := range h {
			switch lower := strings.ToLower(name); {
			case name == "Cache-Control":
				if len(values) != 1 || values[0] != Forbidden {
					t.Fatalf("Cache-Control is %q", values)
				}
			case strings.Contains(lower, "cache-control") && strings.HasSuffix(lower, "-control"),
				strings.HasSuffix(lower, "surrogate-control"),
				lower == "edge-control", lower == "expires", lower == "pragma",
				lower == "x-accel-expires", lower == "no-vary-search", lower == "netlify-vary":
				t.Fatalf("%s is left", name)
			}
		}
		if permits(h) {
			t.Fatalf("%v permits", h)
		}
	})
}

// What Permit writes is what ResponseDirectives reads.
func TestPermitIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Permission{
			CDN:     time.Duration(rapid.Int64Range(-5e9, 5e12).Draw(t, "cdn")),
			Browser: time.Duration(rapid.Int64Range(-5e9, 5e12).Draw(t, "browser")),

			NoTransform: rapid.Bool().Draw(t, "no-transform"),
		}
		h := everyPermission()
		Permit(h, p)
		d := ResponseDirectives(h)
		if NoTransform(h) != p.NoTransform {
			t.Fatalf("%v: %v", p, h)
		}
		if p.CDN < time.Second {
			if !d.Private || !d.NoStore || d.HasMaxAge {
				t.Fatalf("%v: %v", p, h)
			}
			return
		}
		want := Directives{Public: true, HasMaxAge: true, MaxAge: max(0, p.Browser.Truncate(time.Second))}
		want.MustRevalidate = want.MaxAge == 0
		if p.Browser > p.CDN {
			want.HasSMaxAge, want.SMaxAge = true, p.CDN.Truncate(time.Second)
		}
		if d != want {
			t.Fatalf("%v: %+v, want %+v", p, d, want)
		}
	})
}

// TestNoTransform: who may not change the content is told so, once, in every dialect.
func TestNoTransform(t *testing.T) {
	for _, p := range append(policies.Profiles(), nil) {
		for name, permission := range map[string]Permission{
			"permitted": {CDN: time.Minute, Browser: time.Hour, NoTransform: true},
			"forbidden": {NoTransform: true},
		} {
			with, without := everyPermission(), everyPermission()
			PermitAs(with, permission, p)
			permission.NoTransform = false
			PermitAs(without, permission, p)
			without["Cache-Control"][0] += ", no-transform"
			if !reflect.DeepEqual(with, without) {
				t.Errorf("%s, profile %v:\n got %v\nwant %v", name, p, with, without)
			}
			ForbidTransform(with)
			if !reflect.DeepEqual(with, without) {
				t.Errorf("%s, profile %v: said twice: %v", name, p, with)
			}
		}
		room := make([]byte, 0, 256)
		if n := testing.AllocsPerRun(100, func() { Permission{CDN: time.Minute, NoTransform: true}.Append(room, p) }); n > 0 {
			t.Errorf("profile %v: %v allocations", p, n)
		}
	}
	for _, tt := range []struct {
		h    http.Header
		want bool
	}{
		{nil, false},
		{header("Cache-Control: max-age=60"), false},
		{header("Cdn-Cache-Control: no-transform"), false},
		{header("Cache-Control: max-age=60, No-Transform"), true},
		{header("Cache-Control: max-age=60", "Cache-Control: no-transform"), true},
		{http.Header{"cache-control": {"no-transform"}}, true},
	} {
		if got := NoTransform(tt.h); got != tt.want {
			t.Errorf("%v: %v", tt.h, got)
		}
	}
	h := header("Cache-Control: a", "Cache-Control: b")
	if ForbidTransform(h); !reflect.DeepEqual(h, header("Cache-Control: a, b, no-transform")) {
		t.Errorf("%v", h)
	}
}

func BenchmarkForbid(b *testing.B) {
	base := header("Content-Type: text/html", "Cache-Control: max-age=60", "Date: x", "Vary: Accept", "Etag: x", "Server: Caddy", "Last-Modified: x", "Content-Length: 1")
	b.ReportAllocs()
	for b.Loop() {
		Forbid(base)
	}
}

func BenchmarkPermit(b *testing.B) {
	base := header("Content-Type: text/html", "Cache-Control: max-age=60", "Date: x", "Vary: Accept", "Etag: x", "Server: Caddy", "Last-Modified: x", "Content-Length: 1")
	b.ReportAllocs()
	for b.Loop() {
		Permit(base, Permission{CDN: time.Minute})
	}
}
