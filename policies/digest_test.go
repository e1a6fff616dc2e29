package policies

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// filled is a valid route in which nothing is left at its zero value.
func filled() Route {
	minute := Duration(time.Minute)
	return Route{
		Name:  "page",
		Match: Match{Hosts: []string{"example.com"}, Paths: []string{"/a"}, Methods: []string{"GET"}},
		Cache: Cache{Kind: CacheTTL, TTL: minute, StaleWhileRevalidate: minute, StaleIfError: minute, Statuses: map[int]Duration{404: minute}},
		Params: &Inputs{Key: []string{"ref"}, Strip: []string{"ad"}, Bypass: []string{"preview"}, Deny: []string{"debug"},
			Others: Strip, Plain: []string{"ref"}},
		Cookies: &Inputs{Key: []string{"lang"}, Strip: []string{"_ga"}, Bypass: []string{"cart"}, Deny: []string{"evil"},
			Others: Strip, Plain: []string{"lang"}},
		Headers: &HeaderInputs{
			Key:   []HeaderKey{{Name: "Accept-Language", Values: []string{"ja", "en"}}},
			Strip: []string{"X-A"}, Bypass: []string{"X-B"}, Deny: []string{"X-C"}, Vary: []string{"X-D"},
			Forward: []HeaderForward{{Name: "Traceparent", Reason: "links traces"}}, Others: Bypass,
		},
		Attribution: &Attribution{
			Params: []string{"code"}, Referer: RefererHost, Model: ModelLastPaid, Paid: []string{"gclid"}, Carry: CarryBoth,
			Window: minute, Encrypt: On,
			Deliver: &Deliver{Paths: []string{"/register"}, As: AsHeader},
			Beacon:  &Beacon{URL: "http://app/", Batch: 1, Every: minute, Queue: 1, Sync: SyncAlways},
			Consent: &Consent{Cookie: "consent", Matches: "*yes*"},
		},
		Admission:  &Choice{Rule: Corroborated, Reason: "why"},
		SetCookie:  &Choice{Rule: StripCookie, Reason: "why"},
		Downstream: &Downstream{TTL: minute, Browser: minute, Profile: "cloudfront", TagHeader: "Cache-Tag"},
		Mode:       Observe,
		Ambiguous:  Deny,
		OnLeak:     LeakWarn,

		Heuristic:         On,
		ErrorTTL:          &minute,
		Targeted:          &Targeted{Fields: []string{"X-Cache-Control"}, Order: TargetFirst},
		Authorization:     &Choice{Rule: AuthorizationRFC9111, Reason: "why"},
		Address:           &Choice{Rule: AddressForward, Reason: "why"},
		RequestDirectives: Obey,
		Vouch:             &Vouch{Fields: []string{"Refresh"}, Reason: "why"},
		Inspect:           &Choice{Rule: InspectOff, Reason: "why"},
		Ignore:            []Harmless{{HTML: "time", JSON: "$.at", Header: "X-Node", Matching: "a*", Reason: "why"}},
		Tolerate:          []Tolerance{{Detector: "jwt", Reason: "why"}},
		Recheck:           0.5,

		Identity: &Identity{Cookies: []string{"session"}, Headers: []string{"X-Person"}},
	}
}

// undigested are the fields that decide neither what is keyed nor what is admitted.
var undigested = []string{"Route.OnLeak", "Route.Downstream.Profile", "Route.Downstream.TagHeader"}

// carried says whether a field is of an attribution, where only what is taken off the
// URL is a matter of what is stored.
func carried(path string) bool {
	of, ok := strings.CutPrefix(path, "Route.Attribution.")
	return ok && !strings.HasPrefix(of, "Params")
}

// TestDigestCoversEveryField changes every field of a route, one at a time. Fields
// that are added to the model come under the test by themselves.
func TestDigestCoversEveryField(t *testing.T) {
	digest := func(r Route) string {
		d, err := ruleDigest(&r)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	seen := map[string]string{digest(filled()): "nothing"}
	n := 0
	for i := 0; ; i++ {
		r := filled()
		left := i
		path := mutate(t, reflect.ValueOf(&r).Elem(), "Route", &left)
		if path == "" {
			break
		}
		n++
		d := digest(r)
		if slices.Contains(undigested, path) || carried(path) {
			if seen[d] != "nothing" {
				t.Errorf("a change of %s empties the cache", path)
			}
			continue
		}
		if other, taken := seen[d]; taken {
			t.Errorf("after a change of %s the digest is that of %s changed", path, other)
		}
		seen[d] = path
	}
	if n < 50 {
		t.Errorf("only %d fields were changed", n)
	}
	if again := digest(filled()); seen[again] != "nothing" {
		t.Error("the digest of one route differs")
	}
}

// mutate changes the field at which left has come down to 0 and returns its path,
// or "" if there are not so many.
func mutate(t *testing.T, v reflect.Value, path string, left *int) string {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				if done := mutate(t, v.Field(i), path+"."+f.Name, left); done != "" {
					return done
				}
			}
		}
		return ""
	case reflect.Pointer:
		if v.IsNil() {
			t.Fatalf("%s is nil and was not tried", path)
		}
		if done := mutate(t, v.Elem(), path, left); done != "" {
			return done
		}
		return change(left, path+" removed", func() { v.SetZero() })
	case reflect.Slice:
		if v.Len() == 0 {
			t.Fatalf("%s is empty and was not tried", path)
		}
		for i := range v.Len() {
			if done := mutate(t, v.Index(i), path, left); done != "" {
				return done
			}
		}
		return change(left, path+" emptied", func() { v.SetZero() })
	case reflect.Map:
		return change(left, path, func() { v.Set(reflect.ValueOf(map[int]Duration{410: 1e9})) })
	case reflect.String:
		if v.Len() == 0 {
			t.Fatalf("%s is empty and was not tried", path)
		}
		if path == "Route.Cache.Kind" {
			return change(left, path, func() { v.SetString(string(CacheOrigin)) })
		}
		return change(left, path, func() { v.SetString(v.String() + "x") })
	case reflect.Float64:
		return change(left, path, func() { v.SetFloat(v.Float() / 2) })
	case reflect.Int, reflect.Int64:
		return change(left, path, func() { v.SetInt(v.Int() + int64(time.Millisecond)) })
	}
	t.Fatalf("%s: no change is known for a %s", path, v.Kind())
	return ""
}

func change(left *int, path string, do func()) string {
	if *left > 0 {
		*left--
		return ""
	}
	do()
	return path
}

// TestDigestCoversWhatIsAdded holds the same of what is added to a route that has
// little, where a shorter spelling could swallow it, and of what is inherited.
func TestDigestCoversWhatIsAdded(t *testing.T) {
	const route = `routes: [{name: page, match: {paths: [/a]}, `
	seen := make(map[string]string)
	for _, policy := range []string{
		route + `cache: 5m}]`,
		route + `cache: {ttl: 5m, stale_while_revalidate: 1s}}]`,
		route + `cache: {ttl: 5m, stale_if_error: 1s}}]`,
		route + `cache: {ttl: 5m, statuses: {404: 1s}}}]`,
		route + `cache: origin}]`,
		route + `cache: {ttl: origin, stale_while_revalidate: 1s}}]`,
		route + `cache: {ttl: origin, stale_if_error: 1s}}]`,
		route + `cache: {ttl: origin, statuses: {404: 1s}}}]`,
		route + `cache: origin, heuristic: on}]`,
		route + `cache: origin, error_ttl: 0s}]`,
		route + `cache: origin, error_ttl: 1s}]`,
		route + `cache: origin, targeted: {fields: [X-Cache-Control]}}]`,
		route + `cache: origin, targeted: {order: rfc9213}}]`,
		route + `cache: origin, authorization: {rule: rfc9111, reason: why}}]`,
		route + `cache: origin, address: {rule: forward, reason: why}}]`,
		route + `cache: origin, request_directives: ignore}]`,
		route + `cache: origin, vouch: {fields: [Refresh], reason: why}}]`,
		route + `cache: origin, vouch: {fields: [Refresh, Clear-Site-Data], reason: why}}]`,
		route + `cache: origin, downstream: origin}]`,
		route + `cache: 5m, request_directives: obey}]`,
		route + `cache: never}]`,
		route + `cache: 5m, downstream: 1m}]`,
		route + `cache: 5m, downstream: {ttl: 1m, browser: 1s}}]`,
		route + `cache: 5m, admission: corroborated}]`,
		route + `cache: 5m, admission: {rule: corroborated, reason: why}}]`,
		route + `cache: 5m, headers: {key: [X-Plan]}}]`,
		route + `cache: 5m, headers: {key: [{name: X-Plan, values: [a]}]}}]`,
		"mode: observe\n" + route + `cache: 5m}]`,
		"ambiguous: deny\n" + route + `cache: 5m}]`,
		"identity: {cookies: [session]}\n" + route + `cache: 5m}]`,
		"identity: {headers: [Session]}\n" + route + `cache: 5m}]`,
	} {
		digest := compiled(t, policy).rules[0].Digest
		if other, taken := seen[digest]; taken {
			t.Errorf("one digest for\n%s\n%s", policy, other)
		}
		seen[digest] = policy
	}
}

func TestDigestDoesNotCoverPlaces(t *testing.T) {
	const route = `{name: page, match: {paths: [/a]}, cache: 5m, params: {key: [ref]}}`
	one := compiled(t, "routes: ["+route+"]").rules[0]
	two := compiled(t, "# a comment\n\nmode: enforce\nroutes:\n  - "+route).rules[0]
	if one.Digest != two.Digest || one.Space != two.Space {
		t.Error("the digest changes with a comment")
	}
}

func TestSpacesAreApart(t *testing.T) {
	p := &Policy{Routes: []Route{
		{Name: "a", Match: Match{Paths: []string{"/a"}}, Cache: Cache{Kind: CacheOrigin}},
		{Name: "b", Match: Match{Paths: []string{"/b"}}, Cache: Cache{Kind: CacheOrigin}},
	}}
	seen := make(map[string]bool)
	for _, space := range []string{"", "x", "y"} {
		c, err := Compile(p, space)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range c.Rules() {
			if seen[r.Space] {
				t.Errorf("space %q, rule %q: its keys are another's too", space, r.Name)
			}
			seen[r.Space] = true
			if r.Space == "" || !strings.Contains(r.Space, r.Digest) {
				t.Errorf("space %q, rule %q: %q does not have the digest", space, r.Name, r.Space)
			}
		}
	}
	if len(seen) != 9 {
		t.Errorf("%d spaces", len(seen))
	}
}
