package caddymodule

import (
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/cacheward/cacheward/policies"
)

// attributionChapter is the README's chapter on attribution, and the block of options in it.
func attributionChapter(t *testing.T) (chapter, block string) {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, found := strings.Cut(string(readme), "\n## Landing pages that keep their referrers\n")
	if !found {
		t.Fatal("the README has no chapter on attribution")
	}
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	_, block, found = strings.Cut(chapter, "<!-- attribution -->\n```caddyfile\n")
	if !found {
		t.Fatal("the README has no block of an attribution")
	}
	block, _, _ = strings.Cut(block, "```")
	return chapter, block
}

// TestReadmeAttribution: the README's attribution has everything that there is, is a valid
// one, and where a comment does not say otherwise, its values are the defaults.
func TestReadmeAttribution(t *testing.T) {
	_, block := attributionChapter(t)
	tokens, err := caddyfile.Tokenize([]byte("cacheward {\n"+block+"}\n"), "README.md")
	if err != nil {
		t.Fatal(err)
	}
	h := new(Handler)
	if err := h.UnmarshalCaddyfile(caddyfile.NewDispenser(tokens)); err != nil {
		t.Fatal(err)
	}
	if err := h.Policy.Validate(); err != nil {
		t.Fatal(err)
	}
	if len(h.Policy.Routes) != 2 || h.Policy.Routes[0].Attribution == nil {
		t.Fatalf("routes %+v, want one with an attribution, and the one that it delivers to", h.Policy.Routes)
	}
	route := h.Policy.Routes[0]
	if route.Downstream != nil {
		t.Errorf("the route permits caches further on to keep its pages: %+v", route.Downstream)
	}
	// A visitor who has agreed, and comes with codes, is one of those who share the page.
	compiled, err := policies.Compile(h.Policy, "readme")
	if err != nil {
		t.Fatal(err)
	}
	request := policies.Request{
		Method: http.MethodGet, Scheme: "https", Host: "hapitas.example", Path: "/register/lp", EscapedPath: "/register/lp",
		RawQuery: "ref=A1&utm_source=mail", Header: http.Header{"Cookie": {"_ga=GA1.1.1.2; cookie_consent=marketing"}},
	}
	var parts policies.Parts
	if v := compiled.Route(&request).Dispose(&request, &parts); v.Action != policies.ActCache {
		t.Errorf("a landing is a bypass: %v", v.Reasons)
	}

	given := *route.Attribution
	for _, part := range []any{given, *given.Deliver, *given.Beacon, *given.Consent} {
		value := reflect.ValueOf(part)
		for i := range value.NumField() {
			if value.Field(i).IsZero() {
				t.Errorf("%s of %s is not in the README", value.Type().Field(i).Name, value.Type())
			}
		}
	}

	bare := policies.Attribution{
		Deliver: &policies.Deliver{Paths: given.Deliver.Paths},
		Beacon:  &policies.Beacon{URL: given.Beacon.URL},
	}
	defaults := bare.WithDefaults()
	if given.Model != defaults.Model || given.Window != defaults.Window || given.Encrypt != defaults.Encrypt ||
		!reflect.DeepEqual(given.Deliver, defaults.Deliver) || !reflect.DeepEqual(given.Beacon, defaults.Beacon) {
		t.Errorf("the README has %+v, the defaults are %+v", given, defaults)
	}
	for _, sign := range given.Paid {
		if !slices.Contains(defaults.Paid, sign) {
			t.Errorf("the README has %q among what is paid, and the defaults are %q", sign, defaults.Paid)
		}
	}
}

// TestReadmeAttributionNames: the README calls the cookies and fields by their names, and by
// no others.
func TestReadmeAttributionNames(t *testing.T) {
	chapter, _ := attributionChapter(t)
	names := []string{
		policies.AttributionCookie, policies.AttributionCookiePlain,
		policies.AttributionField, policies.AttributionAtField, policies.AttributionRefererField, policies.AttributionLandingField,
	}
	for _, name := range names {
		if !regexp.MustCompile(`(?m)[^\w-]` + regexp.QuoteMeta(name) + `[^\w-]`).MatchString(chapter) {
			t.Errorf("the README does not name %s", name)
		}
	}
	for _, name := range regexp.MustCompile(`(?:__Host-|Cacheward-)[\w-]+`).FindAllString(chapter, -1) {
		if !slices.Contains(names, name) {
			t.Errorf("the README names %s, which is none of %q", name, names)
		}
	}
}
