package httpcache

import (
	"maps"
	"math"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestRelay: what the origin said to caches goes on, the most restrictive of it for all,
// but for permissions that were meant for this cache (RFC 9213 §2.2), and for silence.
func TestRelay(t *testing.T) {
	const etag = "Etag: \"1\""
	for _, test := range []struct {
		name     string
		in, want []string
	}{
		{"a permission", []string{"Cache-Control: public, max-age=60"}, []string{"Cache-Control: public, max-age=60"}},
		{"two lines", []string{"Cache-Control: public", "Cache-Control: max-age=60"}, []string{"Cache-Control: public", "Cache-Control: max-age=60"}},
		{"Expires alone", []string{"Expires: Thu, 31 Dec 2099 23:59:59 GMT"}, []string{"Expires: Thu, 31 Dec 2099 23:59:59 GMT"}},
		{"silence", nil, []string{"Cache-Control: private, no-store"}},
		{"an empty field", []string{"Cache-Control: , "}, []string{"Cache-Control: private, no-store"}},
		{"no time", []string{"Cdn-Cache-Control: max-age=60", "Cache-Control: public, must-revalidate"}, []string{"Cache-Control: private, no-store"}},
		{"Expires is over", []string{"Date: Sat, 01 Jan 2000 00:00:00 GMT", "Expires: Sat, 01 Jan 2000 00:00:00 GMT", etag}, []string{"Date: Sat, 01 Jan 2000 00:00:00 GMT", "Expires: Sat, 01 Jan 2000 00:00:00 GMT", etag, "Cache-Control: private, no-store"}},
		{"Expires is no date", []string{"Expires: 0", "Cache-Control: public", etag}, []string{"Expires: 0", "Cache-Control: private, no-store", etag}},
		{"Pragma alone", []string{"Pragma: no-cache"}, []string{"Pragma: no-cache", "Cache-Control: private, no-store"}},
		{"Pragma and Expires", []string{"Pragma: no-cache", "Expires: Thu, 31 Dec 2099 23:59:59 GMT"}, []string{"Pragma: no-cache", "Expires: Thu, 31 Dec 2099 23:59:59 GMT", "Cache-Control: private, no-store"}},
		{"another key", []string{"No-Vary-Search: params", "Netlify-Vary: query=private", "Cache-Control: max-age=60"}, []string{"Cache-Control: max-age=60"}},

		// What Cache-Control refuses, everybody is refused.
		{"no-store", []string{"Cache-Control: No-Store"}, []string{"Cache-Control: No-Store"}},
		{"no-store with a time", []string{"Cache-Control: no-store, max-age=60"}, []string{"Cache-Control: no-store, max-age=60", "Surrogate-Control: no-store"}},
		{"no-store in another's argument", []string{"Cache-Control: max-age=60, foo=\"no-store\""}, []string{"Cache-Control: private, no-store"}},
		{"private", []string{"Cache-Control: private, max-age=60, no-transform"}, []string{"Cache-Control: private, max-age=60, no-transform"}},
		{"private for some", []string{"Cache-Control: public, private=\"x\", s-maxage=60, max-age=5, foo=\"a, b\""}, []string{"Cache-Control: private, max-age=5, foo=\"a, b\""}},
		{"a target permits", []string{"Cdn-Cache-Control: max-age=60", "Cache-Control: no-store"}, []string{"Cache-Control: no-store"}},
		{"both refuse", []string{"Cdn-Cache-Control: no-cache", "Cache-Control: no-store"}, []string{"Cache-Control: no-store", "Cdn-Cache-Control: no-store"}},
		{"both refuse, one to some", []string{"Cdn-Cache-Control: no-cache", "Cache-Control: must-understand, no-store, max-age=60"}, []string{"Cache-Control: private, no-store", "Cdn-Cache-Control: no-store"}},
		{"all targets permit", []string{"Cdn-Cache-Control: max-age=60", "Surrogate-Control: max-age=60", "X-Accel-Expires: 60", "Edge-Control: max-age=60", "Cache-Control: private"}, []string{"Cache-Control: private"}},
		{"damaged", []string{"Cache-Control: max-age=60, ;"}, []string{"Cache-Control: private, no-store"}},
		{"to be asked about", []string{"Cache-Control: public, no-cache", etag}, []string{"Cache-Control: public, no-cache", etag}},
		{"no time, to be asked about", []string{"Cache-Control: max-age=0", "Last-Modified: Sat, 01 Jan 2000 00:00:00 GMT"}, []string{"Cache-Control: max-age=0", "Last-Modified: Sat, 01 Jan 2000 00:00:00 GMT"}},
		{"nothing to be asked about", []string{"Cache-Control: public, no-cache"}, []string{"Cache-Control: public, no-cache", "Surrogate-Control: no-store"}},
		{"no time, nothing to be asked about", []string{"Cache-Control: max-age=0, must-revalidate"}, []string{"Cache-Control: max-age=0, must-revalidate", "Surrogate-Control: no-store"}},

		// What a target refuses, everybody is refused; browsers keep what they were given.
		{"CDN-Cache-Control", []string{"Cdn-Cache-Control: no-store", "Cache-Control: public, max-age=60"}, []string{"Cdn-Cache-Control: no-store", "Cache-Control: private, max-age=60"}},
		{"Surrogate-Control", []string{"Surrogate-Control: no-store, content=\"ESI/1.0\"", "Cache-Control: public, max-age=60"}, []string{"Surrogate-Control: no-store", "Cache-Control: private, max-age=60"}},
		{"Cloudflare-CDN-Cache-Control", []string{"Cloudflare-Cdn-Cache-Control: private", "Cache-Control: public, s-maxage=60"}, []string{"Cloudflare-Cdn-Cache-Control: no-store", "Cache-Control: private"}},
		{"Vercel-CDN-Cache-Control", []string{"Vercel-Cdn-Cache-Control: max-age=0", "Cache-Control: public, max-age=60"}, []string{"Vercel-Cdn-Cache-Control: no-store", "Cache-Control: private, max-age=60"}},
		{"Netlify-CDN-Cache-Control", []string{"netlify-cdn-cache-control: no-cache", "cache-control: public", "CACHE-CONTROL: public"}, []string{"netlify-cdn-cache-control: no-store", "Cache-Control: private, no-store"}},
		{"Edge-Control", []string{"Edge-Control: bypass-cache", "Cache-Control: max-age=60"}, []string{"Edge-Control: no-store", "Cache-Control: private, max-age=60"}},
		{"X-Accel-Expires", []string{"X-Accel-Expires: 0", "Cache-Control: max-age=60"}, []string{"X-Accel-Expires: 0", "Cache-Control: private, max-age=60"}},
		{"CF-Edge-Cache", []string{"Cf-Edge-Cache: no-cache", "Cache-Control: max-age=60"}, []string{"Cf-Edge-Cache: no-cache", "Cache-Control: private, max-age=60"}},
		{"one target of two", []string{"Surrogate-Control: max-age=60", "Cdn-Cache-Control: private", "Cache-Control: max-age=60"}, []string{"Cdn-Cache-Control: no-store", "Cache-Control: private, max-age=60"}},
		{"a target, and Expires", []string{"Cdn-Cache-Control: no-store", "Expires: Thu, 31 Dec 2099 23:59:59 GMT"}, []string{"Cdn-Cache-Control: no-store", "Expires: Thu, 31 Dec 2099 23:59:59 GMT", "Cache-Control: private"}},
		{"a target alone", []string{"Cdn-Cache-Control: no-store"}, []string{"Cdn-Cache-Control: no-store", "Cache-Control: private, no-store"}},
		{"a target, damaged", []string{"Edge-Control: !no-store=1", "Cache-Control: max-age=60"}, []string{"Edge-Control: no-store", "Cache-Control: private, max-age=60"}},

		// The least lifetime counts for everybody.
		{"targets permit as long", []string{"Surrogate-Control: max-age=60", "X-Accel-Expires: 60", "Cache-Control: max-age=60, stale-if-error=9"}, []string{"Cache-Control: max-age=60, stale-if-error=9"}},
		{"a target is longer", []string{"Cdn-Cache-Control: max-age=600", "Cache-Control: max-age=60"}, []string{"Cache-Control: max-age=60"}},
		{"a target is shorter", []string{"Cdn-Cache-Control: max-age=6", "Cache-Control: public, max-age=60, stale-while-revalidate=60"}, []string{"Cache-Control: public, max-age=6"}},
		{"shorter than s-maxage", []string{"Edge-Control: cache-maxage=6", "Cache-Control: max-age=60", "Cache-Control: s-maxage=90, stale-if-error=9"}, []string{"Cache-Control: max-age=60, s-maxage=6"}},
		{"longer than s-maxage", []string{"Surrogate-Control: max-age=30+600", "Cache-Control: max-age=60, s-maxage=20"}, []string{"Cache-Control: max-age=60, s-maxage=20"}},
		{"the shortest of three", []string{"Surrogate-Control: max-age=8", "X-Accel-Expires: 7", "Cdn-Cache-Control: s-maxage=9", "Cache-Control: max-age=60"}, []string{"Cache-Control: max-age=7"}},
		{"shorter than Expires", []string{"X-Accel-Expires: 6", "Expires: Thu, 31 Dec 2099 23:59:59 GMT"}, []string{"Expires: Thu, 31 Dec 2099 23:59:59 GMT", "Cache-Control: max-age=6"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			in, want := header(append(test.in, "Content-Type: text/html")...), header(append(test.want, "Content-Type: text/html")...)
			got := in.Clone()
			if Relay(got); !reflect.DeepEqual(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
			stored, targets := StoredFields(in, nil), TargetedFields(in)
			for name, lines := range want { // names are stored in one spelling
				delete(want, name)
				want[http.CanonicalHeaderKey(name)] = lines
			}
			if RelayStored(stored, targets); !reflect.DeepEqual(stored, want) {
				t.Errorf("stored meanwhile: %v, want %v", stored, want)
			}
		})
	}
}

// times are the lifetimes in any field, and words what forbids a shared cache to store.
var (
	times = regexp.MustCompile(`(?i)max-?age *= *"?([0-9]+)`)
	words = regexp.MustCompile(`(?i)private|no-store|no-cache|bypass-cache|max-?age *= *"?0*([^0-9" \t=]|$)`)
)

// saidTo is what shared caches were told in the fields of a response: whether one of them
// may not store it, and the least time in a targeted field. It looks at the bare text and
// shares no code with what it judges.
func saidTo(h http.Header) (refused bool, least int) {
	least = math.MaxInt
	for name, values := range h {
		for _, value := range values {
			switch lower := strings.ToLower(name); {
			case lower == "cache-control":
				lower := strings.ToLower(value)
				refused = refused || strings.Contains(lower, "private") || strings.Contains(lower, "no-store")
			case lower == "x-accel-expires":
				seconds, err := strconv.Atoi(value)
				if refused = refused || err != nil || seconds == 0; err == nil {
					least = min(least, seconds)
				}
			case strings.HasSuffix(lower, "-control"), strings.HasSuffix(lower, "-edge-cache"):
				refused = refused || words.MatchString(value)
				for _, found := range times.FindAllStringSubmatch(value, -1) {
					seconds, _ := strconv.Atoi(found[1])
					least = min(least, seconds)
				}
			}
		}
	}
	return refused, least
}

// TestRelayRestrictsEverybody holds that whatever fields an app has sent, if one of them
// forbids a shared cache to store, all that leave do, and that none leaves to a shared
// cache more time than any other gave.
func TestRelayRestrictsEverybody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := anySent.Draw(t, "h")
		refused, least := saidTo(h)
		in := h.Clone()
		if rapid.Bool().Draw(t, "stored") {
			h = StoredFields(h, nil)
			RelayStored(h, TargetedFields(in))
		} else {
			Relay(h)
		}
		control := lines(h, "Cache-Control")
		if len(control) == 0 && !positiveExpires(h) {
			t.Fatalf("%v became silence: %v", in, h)
		}
		d := ResponseDirectives(http.Header{"Cache-Control": control})
		life, _ := Lifetime(h, d, time.Now())
		denied := d.NoStore && bare(control, "no-store")
		if byTarget := http.Header(maps.Clone(in)); denied && d.MustUnderstand {
			// Who understands the status ignores the no-store.
			delete(byTarget, "Cache-Control")
			for _, name := range []string{"cache-control", "CACHE-CONTROL"} {
				delete(byTarget, name)
			}
			denied, _ = saidTo(byTarget)
			denied = !denied
		}
		if refused && !denied && (!d.Private || d.HasSMaxAge || d.Public) {
			t.Fatalf("%v permits a shared cache to store, %v did not", h, in)
		}
		if !d.Private && !denied && int(life/time.Second) > least {
			t.Fatalf("%v gives %v, of which only %ds were given: %v", h, life, least, in)
		}
		for name, values := range h {
			if !targeted(name) {
				continue
			}
			for _, value := range values {
				if value != "no-store" && value != "no-cache" && value != "0" {
					t.Fatalf("%s: %s is left of %v", name, value, in)
				}
			}
			if !d.Private && !denied && (name != misread || life > 0 && !d.NoCache) {
				t.Fatalf("%s refuses, and Cache-Control does not: %v", name, h)
			}
		}
		// A second proxy behind this one says no more, and a third the same.
		second := h.Clone()
		Relay(second)
		third := second.Clone()
		if Relay(third); !reflect.DeepEqual(third, second) {
			t.Fatalf("relayed again %v is %v", second, third)
		}
		now := lines(second, "Cache-Control") // several spellings of the name have no order
		if slices.Sort(now); !slices.Equal(now, slices.Sorted(slices.Values(control))) && !ResponseDirectives(http.Header{"Cache-Control": now}).Private {
			t.Fatalf("relayed again %v is %v", h, second)
		}
	})
}

func positiveExpires(h http.Header) bool {
	life, _ := Lifetime(h, Directives{}, time.Now())
	return life > 0
}

// TestForwardedFields: a response that is one visitor's keeps all but the fields of
// the connection (RFC 9110 §7.6.1).
func TestForwardedFields(t *testing.T) {
	in := header("Set-Cookie: a=b", "Set-Cookie: c=d", "Connection: X-Hop", "X-Hop: 1", "Keep-Alive: 5", "Proxy-Authenticate: x",
		"Age: 3", "Cdn-Cache-Control: no-store", "X-Request-Id: 1", "Clear-Site-Data: \"cache\"")
	got := ForwardedFields(in)
	want := header("Set-Cookie: a=b", "Set-Cookie: c=d", "Cdn-Cache-Control: no-store", "X-Request-Id: 1", "Clear-Site-Data: \"cache\"")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	got["Set-Cookie"][0] = "changed"
	if in["Set-Cookie"][0] != "a=b" {
		t.Error("the copy shares lines with the original")
	}
	for name := range want {
		if !reflect.DeepEqual(want[name], ForwardedFields(http.Header{name: want[name]})[name]) {
			t.Errorf("%s does not stay", name)
		}
	}
}

// FuzzRelay: whatever stands in the fields, what a targeted field refuses no other gives,
// and what was private or no-store stays one of them.
func FuzzRelay(f *testing.F) {
	f.Add("public, max-age=60", "no-store")
	f.Add(`private="a, b", s-maxage=60, foo="x\"y"`, "max-age=6")
	f.Add("must-understand, no-store", "max-age=0")
	f.Add("max-age=60, stale-while-revalidate", `max-age="1`)
	f.Fuzz(func(t *testing.T, control, target string) {
		h := http.Header{"Cache-Control": {control}, "Cdn-Cache-Control": {target}}
		refused, _ := saidTo(h)
		Relay(h)
		if d := ResponseDirectives(http.Header{"Cache-Control": h["Cache-Control"]}); refused && !d.Private && !d.NoStore {
			t.Errorf("%q and %q became %v", control, target, h)
		}
		if got := h["Cdn-Cache-Control"]; len(got) > 0 && got[0] != "no-store" {
			t.Errorf("%q is left of %q", got, target)
		}
	})
}
