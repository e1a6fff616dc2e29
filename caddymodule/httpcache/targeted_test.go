package httpcache

import (
	"testing"
	"time"
)

// RFC 9213 §2.2
func TestTargets(t *testing.T) {
	const s = time.Second
	of := func(d time.Duration) Directives { return Directives{Targeted: true, SMaxAge: d, HasSMaxAge: true} }
	with := func(d Directives, change func(*Directives)) Directives { change(&d); return d }
	noStore := func(d *Directives) { d.NoStore = true }
	tests := []struct {
		name  string
		lines []string
		// united is the reading where a refusal in any field wins, first the
		// one of RFC 9213.
		united, first Directives
	}{
		{"nothing", nil, Directives{}, Directives{}},
		{"alone", []string{"Cdn-Cache-Control: max-age=60"}, of(60 * s), of(60 * s)},
		{"lower-case field name", []string{"cdn-cache-control: max-age=60"}, of(60 * s), of(60 * s)},
		{"over Cache-Control", []string{"Cdn-Cache-Control: max-age=60", "Cache-Control: max-age=1, s-maxage=2, public"}, of(60 * s), of(60 * s)},
		{"shorter than Cache-Control", []string{"Cdn-Cache-Control: max-age=1", "Cache-Control: max-age=60"}, of(1 * s), of(1 * s)},
		{"no-store in Cache-Control", []string{"Cdn-Cache-Control: max-age=60", "Cache-Control: no-store"}, with(of(60*s), noStore), of(60 * s)},
		{"damage in Cache-Control", []string{"Cdn-Cache-Control: max-age=60, public", "Cache-Control: max-age=x"},
			Directives{Malformed: true}, with(of(60*s), func(d *Directives) { d.Public = true })},
		{"Pragma", []string{"Cdn-Cache-Control: max-age=60", "Pragma: no-cache"}, with(of(60*s), func(d *Directives) { d.NoCache = true }), of(60 * s)},
		{"refusal in the target", []string{"Cdn-Cache-Control: private", "Cache-Control: max-age=60"},
			Directives{Private: true, MaxAge: 60 * s, HasMaxAge: true}, Directives{Targeted: true, Private: true}},
		{"refusal in a foreign field", []string{"Cdn-Cache-Control: max-age=60", "Surrogate-Control: no-store"}, with(of(60*s), noStore), with(of(60*s), noStore)},
		{"no lifetime", []string{"Cdn-Cache-Control: foo", "Cache-Control: max-age=60"}, Directives{MaxAge: 60 * s, HasMaxAge: true}, Directives{Targeted: true}},
		{"no lifetime, nought in Cache-Control", []string{"Cdn-Cache-Control: public", "Cache-Control: max-age=0"}, Directives{HasMaxAge: true}, Directives{Targeted: true, Public: true}},
		{"nought in Cache-Control", []string{"Cdn-Cache-Control: max-age=60", "Cache-Control: max-age=0"}, of(60 * s), of(60 * s)},

		// the target list
		{"most specific", []string{"Cacheward-Cache-Control: max-age=1", "Cdn-Cache-Control: max-age=60"}, of(1 * s), of(1 * s)},
		{"less specific refuses", []string{"Cacheward-Cache-Control: max-age=1", "Cdn-Cache-Control: no-store"}, with(of(1*s), noStore), of(1 * s)},
		{"empty is passed over", []string{"Cacheward-Cache-Control: ", "Cdn-Cache-Control: max-age=60"}, of(60 * s), of(60 * s)},
		{"damaged is passed over", []string{"Cacheward-Cache-Control: max-age=90, &", "Cdn-Cache-Control: max-age=60"},
			with(of(60*s), func(d *Directives) { d.capped, d.limit = true, 90*s }), with(of(60*s), func(d *Directives) { d.capped, d.limit = true, 90*s })},
		{"damaged refuses", []string{"Cacheward-Cache-Control: &, no-store", "Cdn-Cache-Control: max-age=60"}, with(of(60*s), noStore), with(of(60*s), noStore)},

		// §2.1, RFC 9651 §3.2
		{"all", []string{"Cdn-Cache-Control: public, immutable, max-age=60, stale-while-revalidate=5, stale-if-error=6, must-revalidate, proxy-revalidate, must-understand"},
			with(of(60*s), allTargeted), with(of(60*s), allTargeted)},
		{"s-maxage before max-age", []string{"Cdn-Cache-Control: max-age=90, s-maxage=60"}, of(60 * s), of(60 * s)},
		{"s-maxage before a shorter max-age", []string{"Cdn-Cache-Control: max-age=0, s-maxage=60"}, of(60 * s), of(60 * s)},
		{"nought", []string{"Cdn-Cache-Control: max-age=0"}, of(0), of(0)},
		{"large", []string{"Cdn-Cache-Control: max-age=99999999999"}, of(maxDelta), of(maxDelta)},
		{"leading noughts", []string{"Cdn-Cache-Control: max-age=0060"}, of(60 * s), of(60 * s)},
		{"extension", []string{"Cdn-Cache-Control: foobar, a=(1 2), max-age=60"}, of(60 * s), of(60 * s)},
		{"parameter", []string{"Cdn-Cache-Control: max-age=60;x=1"}, of(60 * s), of(60 * s)},
		{"two lines", []string{"Cdn-Cache-Control: foo", "Cdn-Cache-Control: max-age=60"}, of(60 * s), of(60 * s)},
		{"qualified private", []string{`Cdn-Cache-Control: max-age=60, private=("x" "y")`},
			with(of(60*s), func(d *Directives) { d.Private = true }), with(of(60*s), func(d *Directives) { d.Private = true })},
		{"qualified no-cache", []string{`Cdn-Cache-Control: max-age=60, no-cache="x"`},
			with(of(60*s), func(d *Directives) { d.NoCache = true }), with(of(60*s), func(d *Directives) { d.NoCache = true })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			targets := []string{"Cacheward-Cache-Control", "Cdn-Cache-Control"}
			if got := (Reader{Targets: targets}).Directives(header(tt.lines...), 200); got != tt.united {
				t.Errorf("united\n got %+v\nwant %+v", got, tt.united)
			}
			if got := (Reader{Targets: targets, TargetFirst: true}).Directives(header(tt.lines...), 200); got != tt.first {
				t.Errorf("target first\n got %+v\nwant %+v", got, tt.first)
			}
		})
	}
}

func allTargeted(d *Directives) {
	d.Public, d.Immutable = true, true
	d.StaleWhileRevalidate, d.StaleIfError = 5*time.Second, 6*time.Second
	d.MustRevalidate, d.ProxyRevalidate, d.MustUnderstand = true, true, true
}

// RFC 9213 §2.2: a field that is no Dictionary, or of another type, is as if absent.
func TestDamagedTarget(t *testing.T) {
	for _, damaged := range []string{
		"max-age=10000, &&&&&", `max-age="10000"`, "max-age=10000.0", "max-age=-1", "max-age", "max-age=?1", "max-age=(60)",
		"MaX-aGe=10000", "max-age =10000", "max-age= 10000", "max-age=10000,", ",max-age=10000", "max-age=10000;", "\tmax-age=10000",
		"max-age=99999999999999999", "max-age=1, max-age=10000", `foo="max-age=1", max-age=10000`, `foo="a`, "public=?0, max-age=60", "immutable=1, max-age=60",
		"s-maxage=a, max-age=60", "max-age=60, stale-if-error=a", "max-age=60, stale-while-revalidate=1.5", "é",
	} {
		for _, first := range []bool{false, true} {
			r := Reader{Targets: []string{"Cdn-Cache-Control"}, TargetFirst: first}
			alone := r.Directives(header("Cdn-Cache-Control: "+damaged), 200)
			if lifetime, _ := Lifetime(nil, alone, received); alone.Targeted || lifetime > 0 || alone.Public || alone.Immutable || alone.StaleIfError > 0 {
				t.Errorf("%s permits: %+v", damaged, alone)
			}
			if d := r.Directives(header("Cdn-Cache-Control: "+damaged, "Cache-Control: no-store"), 200); !d.NoStore {
				t.Errorf("%s hides no-store", damaged)
			}
			if d := r.Directives(header("Cdn-Cache-Control: "+damaged+", private", "Cache-Control: max-age=60"), 200); !d.Private {
				t.Errorf("%s hides private", damaged)
			}
		}
	}
}

// A short lifetime that is damaged does not become the long one of another field.
func TestDamagedTargetLimits(t *testing.T) {
	r := Reader{Targets: []string{"Cdn-Cache-Control"}, TargetFirst: true}
	for _, tt := range []struct {
		lines []string
		want  time.Duration
	}{
		{[]string{"Cdn-Cache-Control: max-age=10;;", "Cache-Control: max-age=3600"}, 10 * time.Second},
		{[]string{"Cdn-Cache-Control: max-age=10;;", "Cache-Control: max-age=5"}, 5 * time.Second},
		{[]string{"Cdn-Cache-Control: max-age=10;;", "Expires: " + at(time.Hour)}, 10 * time.Second},
		{[]string{`Cdn-Cache-Control: max-age="10"`, "Cache-Control: s-maxage=3600"}, 10 * time.Second},
		{[]string{"Cdn-Cache-Control: max-age=x", "Cache-Control: s-maxage=3600"}, 0},
		{[]string{"Cdn-Cache-Control: max-age=10, max-age=20", "Cache-Control: max-age=3600"}, 10 * time.Second},
		{[]string{"Cdn-Cache-Control: &", "Cache-Control: max-age=3600"}, time.Hour},
		{[]string{"Cdn-Cache-Control: max-age=10", "Expires: " + at(-time.Hour)}, 10 * time.Second},
		{[]string{"Cdn-Cache-Control: foo", "Expires: " + at(time.Hour)}, 0},
	} {
		h := header(tt.lines...)
		if got, _ := Lifetime(h, r.Directives(h, 200), received); got != tt.want {
			t.Errorf("%q: %v, want %v", tt.lines, got, tt.want)
		}
	}
	h := header("Cdn-Cache-Control: max-age=10;;", "Last-Modified: "+at(-time.Hour))
	if got, ok := Heuristic(h, r.Directives(h, 200), 200, received); !ok || got != 10*time.Second {
		t.Errorf("heuristic: %v, %t", got, ok)
	}
	h = header("Cdn-Cache-Control: foo", "Last-Modified: "+at(-time.Hour))
	if got, ok := Heuristic(h, r.Directives(h, 200), 200, received); ok {
		t.Errorf("heuristic beside a target: %v", got)
	}
}

// RFC 9111 §5.2.2.3
func TestMustUnderstand(t *testing.T) {
	tests := []struct {
		name    string
		status  int
		lines   []string
		noStore bool
	}{
		{"understood", 200, []string{"Cache-Control: max-age=60, no-store, must-understand"}, false},
		{"two lines", 200, []string{"Cache-Control: no-store", "Cache-Control: must-understand"}, false},
		{"letter case", 404, []string{"Cache-Control: No-Store, MUST-understand"}, false},
		{"not understood", 599, []string{"Cache-Control: max-age=60, no-store, must-understand"}, true},
		{"206", 206, []string{"Cache-Control: no-store, must-understand"}, true},
		{"not understood, without no-store", 299, []string{"Cache-Control: max-age=60, must-understand"}, true},
		{"without must-understand", 200, []string{"Cache-Control: no-store"}, true},
		{"neither", 599, []string{"Cache-Control: max-age=60"}, false},
		{"no-store with an argument", 200, []string{"Cache-Control: no-store=x, must-understand"}, true},
		{"must-understand with an argument", 200, []string{"Cache-Control: no-store, must-understand=1"}, true},
		{"no-store in quotes", 200, []string{`Cache-Control: foo="no-store", must-understand`}, true},
		{"no-store in quotes, too", 200, []string{`Cache-Control: foo="no-store", no-store, must-understand`}, true},
		{"must-understand in quotes", 200, []string{`Cache-Control: no-store, foo="must-understand"`}, true},
		{"longer name", 200, []string{"Cache-Control: no-store, must-understand-this"}, true},
		{"another line is damaged", 200, []string{"Cache-Control: no-store, must-understand", "Cache-Control: max-age=x"}, true},
		{"foreign field", 200, []string{"Cache-Control: no-store, must-understand", "Surrogate-Control: no-store"}, true},
		{"in the target", 200, []string{"Cdn-Cache-Control: max-age=60, no-store, must-understand"}, false},
		{"in the target, not understood", 599, []string{"Cdn-Cache-Control: max-age=60, no-store, must-understand"}, true},
		{"in the target, for Cache-Control", 200, []string{"Cdn-Cache-Control: max-age=60, must-understand", "Cache-Control: no-store"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Reader{Targets: []string{"Cdn-Cache-Control"}, MustUnderstand: true}
			if got := r.Directives(header(tt.lines...), tt.status).NoStore; got != tt.noStore {
				t.Errorf("no-store is %t", got)
			}
		})
	}
	for _, status := range []int{0, 100, 201, 202, 206, 299, 304, 400, 416, 451, 500, 503} {
		if Understood(status) {
			t.Errorf("%d is understood", status)
		}
	}
}
