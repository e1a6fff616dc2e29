package policies

import (
	"strings"
	"testing"
	"time"
)

func mustYAML(t *testing.T, file, text string) *Policy {
	t.Helper()
	p, err := ParseYAML(file, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMerge(t *testing.T) {
	first := mustYAML(t, "a.yaml", "mode: observe\nidentity: {cookies: [session, a]}\nroutes:\n  - {name: one, match: {paths: [/1]}, cache: never}\n")
	second := mustYAML(t, "b.yaml", "mode: observe\ndefault: origin\nidentity:\n  cookies: [b*b, session, '**']\n  headers: [X-Api-Key]\nroutes:\n  - {name: two, match: {paths: [/2]}, cache: never}\n")
	before := string(mustJSON(t, first)) + string(mustJSON(t, second))
	got, err := Merge(first, second)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"mode":"observe","default":"origin","identity":{"cookies":["session","a","b*b","**"],"headers":["X-Api-Key"]},` +
		`"routes":[{"name":"one","match":{"paths":["/1"]},"cache":"never"},{"name":"two","match":{"paths":["/2"]},"cache":"never"}]}`
	if have := string(mustJSON(t, got)); have != want {
		t.Errorf("got  %s\nwant %s", have, want)
	}
	if string(mustJSON(t, first))+string(mustJSON(t, second)) != before {
		t.Error("Merge changed what it was given")
	}
	// Places go along: the third cookie of the result is the first of b.yaml.
	if err := got.Validate(); err == nil || !strings.HasPrefix(err.Error(), "b.yaml:4:27: identity.cookies.3:") {
		t.Errorf("got %v", err)
	}
}

func TestMergeConflicts(t *testing.T) {
	tests := []struct{ name, first, second, want string }{
		{"mode", "mode: observe", "mode: enforce", `b.yaml:1:7: mode: enforce contradicts observe at a.yaml:1:7; say it once`},
		{"default", "default: never", "default: origin", `b.yaml:1:10: default: origin contradicts never at a.yaml:1:10; say it once`},
		{"ambiguous", "ambiguous: deny", "mode: observe\nambiguous: bypass", `b.yaml:2:12: ambiguous: bypass contradicts deny at a.yaml:1:12; say it once`},
		{"on_leak", "on_leak: warn", "on_leak: trip", `b.yaml:1:10: on_leak: trip contradicts warn at a.yaml:1:10; say it once`},
		{"version", "version: 1", "version: 2", `b.yaml:1:10: version: 2 contradicts 1 at a.yaml:1:10; say it once`},
		{"route", "routes: [{name: x}]", "routes: [{name: y}, {name: x}]", `b.yaml:1:28: routes.x: route "x" is defined twice, first at a.yaml:1:17; rename one of them`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Merge(mustYAML(t, "a.yaml", tt.first), mustYAML(t, "b.yaml", tt.second))
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestMergeWithNothing(t *testing.T) {
	p := mustYAML(t, "a.yaml", "mode: observe\nidentity: {cookies: [session]}")
	for _, pair := range [][2]*Policy{{p, nil}, {nil, p}, {p, {}}, {{}, p}} {
		got, err := Merge(pair[0], pair[1])
		if err != nil || string(mustJSON(t, got)) != string(mustJSON(t, p)) {
			t.Errorf("got %s, %v", mustJSON(t, got), err)
		}
	}
	if got, err := Merge(nil, nil); err != nil || string(mustJSON(t, got)) != "{}" {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestValidateBuilt covers what only a policy built in Go can get wrong.
func TestValidateBuilt(t *testing.T) {
	second := Duration(time.Second)
	base := func() *Policy {
		return &Policy{Routes: []Route{{Name: "r", Match: Match{Paths: []string{"/"}}, Cache: Cache{Kind: CacheTTL, TTL: second}}}}
	}
	if err := base().Validate(); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(*Route)
		want   string
	}{
		{"no ttl", func(r *Route) { r.Cache.TTL = 0 }, "routes.r.cache.ttl: the duration is not longer than zero"},
		{"negative ttl", func(r *Route) { r.Cache.TTL = -1 }, "routes.r.cache.ttl: the duration is not longer than zero"},
		{"negative window", func(r *Route) { r.Cache.StaleIfError = -1 }, "routes.r.cache.stale_if_error: the duration is not"},
		{"negative other window", func(r *Route) { r.Cache.StaleWhileRevalidate = -1 }, "routes.r.cache.stale_while_revalidate: the duration"},
		{"status of zero", func(r *Route) { r.Cache.Statuses = map[int]Duration{404: 0} }, "routes.r.cache.statuses.404: the duration"},
		{"ttl on origin", func(r *Route) { r.Cache.Kind = CacheOrigin }, "routes.r.cache.ttl: the lifetime is the origin's"},
		{"negative window on origin", func(r *Route) { r.Cache = Cache{Kind: CacheOrigin, StaleIfError: -1} }, "routes.r.cache.stale_if_error: the duration is not"},
		{"negative error_ttl", func(r *Route) { r.Cache, r.ErrorTTL = Cache{Kind: CacheOrigin}, new(Duration); *r.ErrorTTL = -1 }, "routes.r.error_ttl: the duration is less than zero"},
		{"nothing targeted", func(r *Route) { r.Cache, r.Targeted = Cache{Kind: CacheOrigin}, &Targeted{} }, "routes.r.targeted: targeted says nothing"},
		{"nobody authorized", func(r *Route) { r.Cache, r.Authorization = Cache{Kind: CacheOrigin}, &Choice{} }, "routes.r.authorization: the rule is empty"},
		{"no field vouched for", func(r *Route) { r.Cache, r.Vouch = Cache{Kind: CacheOrigin}, &Vouch{Reason: "why"} }, "routes.r.vouch.fields: vouch names no fields"},
		{"nobody vouches", func(r *Route) { r.Cache, r.Vouch = Cache{Kind: CacheOrigin}, &Vouch{Fields: []string{"Refresh"}} }, "routes.r.vouch.reason: vouch gives everybody what is one visitor's as a rule, and needs a reason"},
		{"empty field", func(r *Route) {
			r.Cache, r.Vouch = Cache{Kind: CacheOrigin}, &Vouch{Fields: []string{""}, Reason: "why"}
		}, "routes.r.vouch.fields.0: a name is empty"},
		{"origin and ttl", func(r *Route) {
			r.Cache, r.Downstream = Cache{Kind: CacheOrigin}, &Downstream{TTL: second, Profile: ProfileOrigin}
		},
			"routes.r.downstream.profile: downstream: origin passes on"},
		{"ttl on never", func(r *Route) { r.Cache.Kind = CacheNever }, "routes.r.cache: cache: never takes no durations"},
		{"kind", func(r *Route) { r.Cache.Kind = "orign" }, `routes.r.cache: "orign" is no kind of cache; did you mean "origin"?`},
		{"downstream of zero", func(r *Route) { r.Downstream = &Downstream{} }, "routes.r.downstream.ttl: the duration"},
		{"negative browser", func(r *Route) { r.Downstream = &Downstream{TTL: second, Browser: -1} }, "routes.r.downstream.browser: the duration"},
		{"empty host", func(r *Route) { r.Match.Hosts = []string{""} }, "routes.r.match.hosts.0: the host is empty"},
		{"long host", func(r *Route) { r.Match.Hosts = []string{strings.Repeat("a.", 130) + "a"} }, "it is longer than 253 characters"},
		{"empty path", func(r *Route) { r.Match.Paths = []string{""} }, "routes.r.match.paths.0: the path is empty"},
		{"empty method", func(r *Route) { r.Match.Methods = []string{""} }, `routes.r.match.methods.0: "" is not a known method`},
		{"empty name", func(r *Route) { r.Params = &Inputs{Key: []string{""}} }, "routes.r.params.key.0: a name is empty"},
		{"empty header", func(r *Route) { r.Headers = &HeaderInputs{Key: []HeaderKey{{}}} }, "routes.r.headers.key.0: a name is empty"},
		{"empty rule", func(r *Route) { r.Admission = &Choice{} }, "routes.r.admission: the rule is empty"},
		{"long name", func(r *Route) { r.Name = strings.Repeat("r", 65) }, "is not a route name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := base()
			tt.change(&p.Routes[0])
			if err := p.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
