package httpcache

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/policies"
)

// shared is a header after it was permitted to the CDN of the profile for a minute.
func shared(t *testing.T, profile string, lines ...string) (http.Header, bool) {
	t.Helper()
	p, err := policies.FindProfile(profile)
	if err != nil {
		t.Fatal(err)
	}
	if p.Tags != nil && p.Tags.Chosen {
		chosen, tags := *p, *p.Tags
		tags.Field, chosen.Tags = "My-Tags", &tags
		p = &chosen
	}
	h := header(lines...)
	return h, PermitAs(h, Permission{CDN: time.Minute}, p)
}

// tagsOf are the fields of h that speak of tags, as they are sent.
func tagsOf(h http.Header) []string {
	var out []string
	for name, values := range h {
		if isTagField(name, "My-Tags") {
			for _, v := range values {
				out = append(out, http.CanonicalHeaderKey(name)+": "+v)
			}
		}
	}
	slices.Sort(out)
	return out
}

// TestTagsPerProfile: the app's tags stand in the field that the CDN reads, and in no
// other.
func TestTagsPerProfile(t *testing.T) {
	sent := []string{"Cache-Tag: Page-1, list", "surrogate-key: list Shop", "my-tags: own"}
	for profile, want := range map[string][]string{
		"generic":    {"Cache-Tag: Page-1, list", "My-Tags: own", "Surrogate-Key: list Shop"},
		"cloudflare": {"Cache-Tag: page-1,list,shop", "My-Tags: own"},
		"fastly":     {"My-Tags: own", "Surrogate-Key: page-1 list shop"},
		"cloudfront": {"My-Tags: page-1,list,shop,own"},
		"akamai":     {"Edge-Cache-Tag: page-1,list,shop", "My-Tags: own"},
		"google":     {"Cache-Tag: page-1,list,shop", "My-Tags: own"},
		"azure":      {"My-Tags: own"},
		"bunny":      {"Cdn-Tag: page-1,list,shop", "My-Tags: own"},
		"vercel":     {"My-Tags: own", "Vercel-Cache-Tag: page-1,list,shop"},
		"netlify":    {"My-Tags: own", "Netlify-Cache-Tag: page-1,list,shop"},
		"varnish":    {"My-Tags: own", "Xkey: page-1 list shop"},
		"nginx":      {"My-Tags: own"},
	} {
		h, ok := shared(t, profile, sent...)
		if got := tagsOf(h); !ok || !slices.Equal(got, want) {
			t.Errorf("%s: %q (%t), want %q", profile, got, ok, want)
		}
	}
	for _, profile := range policies.ProfileNames() {
		if h, ok := shared(t, profile, "Content-Type: text/html"); !ok || len(tagsOf(h)) > 0 {
			t.Errorf("%s: %q (%t) of a response without tags", profile, tagsOf(h), ok)
		}
		if h, ok := shared(t, profile, "Cache-Tag: , ,"); !ok || profile != policies.ProfileGeneric && len(tagsOf(h)) > 0 {
			t.Errorf("%s: %q (%t) of a field without tags", profile, tagsOf(h), ok)
		}
	}
}

// TestTooManyTags: what the CDN would drop is not shared with it.
func TestTooManyTags(t *testing.T) {
	tags := func(n, length int) string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf("t%0*d", length-1, i)
		}
		return strings.Join(all, ",")
	}
	for _, p := range policies.Profiles() {
		if p.Tags == nil {
			if h, ok := shared(t, p.Name, "Cache-Tag: "+tags(900, 20)); !ok || p.Name != policies.ProfileGeneric && len(tagsOf(h)) > 0 {
				t.Errorf("%s takes no tags, and is told %d", p.Name, len(tagsOf(h)))
			}
			continue
		}
		short := 4
		fit := min(p.Tags.Count, (p.Tags.Bytes+1)/(short+1))
		inAll := p.Tags.Bytes / (p.Tags.Length + 1)
		for name, tt := range map[string]struct {
			line string
			ok   bool
		}{
			"as many as it takes":        {tags(fit, short), true},
			"one more":                   {tags(fit+1, short), false},
			"as many bytes as it takes":  {tags(min(inAll, p.Tags.Count), p.Tags.Length), true},
			"more than it takes in all":  {tags(p.Tags.Bytes/p.Tags.Length+1, p.Tags.Length), false},
			"the same one, again":        {"a" + strings.Repeat(",a", p.Tags.Count), true},
			"one that differs by case":   {tags(fit-1, short) + ",T000", true},
			"more than the proxy counts": {tags(1001, 4), false},
		} {
			h, ok := shared(t, p.Name, "Cache-Tag: "+tt.line, "Content-Type: text/html")
			if ok != tt.ok {
				t.Errorf("%s, %s: %t, want %t", p.Name, name, ok, tt.ok)
			}
			if !ok && (!permitsNothing(h) || len(tagsOf(h)) > 0) {
				t.Errorf("%s, %s: it was refused, and left is %v", p.Name, name, h)
			}
		}
	}
}

func permitsNothing(h http.Header) bool {
	_, shared := Permitted(h)
	return !shared && h.Get("Cache-Control") == Forbidden
}

func TestShortTag(t *testing.T) {
	digest := func(s string) string { return fmt.Sprintf("h-%x", sha256.Sum256([]byte(s)))[:34] }
	limits := &policies.ProfileTags{Length: 40}
	narrow := &policies.ProfileTags{Length: 40, Characters: "!#$%'+./^_`|~-"}
	long := strings.Repeat("A", 41)
	for _, tt := range []struct {
		tag    string
		limits *policies.ProfileTags
		want   string
	}{
		{"Page-1", limits, "page-1"},
		{"product:electronics", limits, "product:electronics"},
		{"product:Electronics", narrow, digest("product:electronics")},
		{"a_b.c/d", narrow, "a_b.c/d"},
		{strings.Repeat("A", 40), limits, strings.Repeat("a", 40)},
		{long, limits, digest(strings.ToLower(long))},
		{"a b", limits, digest("a b")},
		{"a,b", limits, digest("a,b")},
		{"紹介", limits, digest("紹介")},
		{"A\xffB", limits, digest("a\xffb")},
		{"Ä", limits, digest("Ä")},
		{"a\x7f", limits, digest("a\x7f")},
	} {
		if got := ShortTag(tt.tag, tt.limits); got != tt.want {
			t.Errorf("%q became %q, want %q", tt.tag, got, tt.want)
		}
	}
	// As the reference has people compute it: printf %s abc,def | sha256sum | cut -c1-32.
	if got, want := ShortTag("Abc,Def", limits), "h-1b82fc6e2b78845919a76f04e42df936"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// checkTags holds that what a CDN is told is within its limits, and has every tag that the
// app sent in h, or none.
func checkTags(t testing.TB, h http.Header, p *policies.Profile) {
	all, counted := Tags(h)
	if !PermitAs(h, Permission{CDN: time.Minute}, p) {
		if counted && len(all) <= 20 && p.Tags.Bytes > 20*(p.Tags.Length+1) {
			t.Fatalf("%d tags fit, and were refused", len(all))
		}
		if len(h[p.Tags.Field]) > 0 || !permitsNothing(h) {
			t.Fatalf("it was refused, and left is %v", h)
		}
		return
	}
	list := strings.Join(h[p.Tags.Field], "\n")
	var told []string
	if list != "" {
		told = strings.Split(list, p.Tags.Separator)
	}
	if len(told) > p.Tags.Count || len(list) > p.Tags.Bytes {
		t.Fatalf("more than %+v: %q", p.Tags, list)
	}
	for _, tag := range told {
		if tag == "" || len(tag) > p.Tags.Length || tag != ShortTag(tag, p.Tags) || strings.ContainsAny(tag, ",\r\n ") {
			t.Fatalf("%q is no tag of %s", tag, p.Name)
		}
	}
	for _, tag := range all {
		if !slices.Contains(told, ShortTag(tag, p.Tags)) {
			t.Fatalf("%q cannot be purged by, it is told %q", tag, told)
		}
	}
}

// takers are the profiles of CDNs that take tags in a field of their own.
func takers() []*policies.Profile {
	return slices.DeleteFunc(policies.Profiles(), func(p *policies.Profile) bool { return p.Tags == nil || p.Tags.Chosen })
}

func TestTagsFit(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		h := http.Header{}
		for range rapid.IntRange(1, 4).Draw(r, "lines") {
			name := rapid.SampledFrom([]string{"Cache-Tag", "surrogate-key", "EDGE-CACHE-TAG", "xkey", "Vercel-Cache-Tag"}).Draw(r, "name")
			tags := rapid.SliceOfN(rapid.OneOf(rapid.StringMatching(`[a-zA-Z0-9:,_ -]{1,30}`), rapid.StringN(1, 300, 400)), 0, 60).Draw(r, "tags")
			h[name] = append(h[name], strings.Join(tags, ", "))
		}
		checkTags(t, h, rapid.SampledFrom(takers()).Draw(r, "profile"))
	})
}

func FuzzTagsTold(f *testing.F) {
	f.Add("a, B,b", "x y", uint8(0))
	f.Add("\x80,\xff\n,,", "\t", uint8(1))
	f.Add(strings.Repeat("t", 1025), strings.Repeat("k ", 600), uint8(5))
	f.Fuzz(func(t *testing.T, tags, keys string, profile uint8) {
		all := takers()
		checkTags(t, http.Header{"Cache-Tag": {tags}, "Surrogate-Key": {keys}}, all[int(profile)%len(all)])
	})
}
