package conformance

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

const targeted = "CDN-Cache-Control"

// Staleness comes without waiting where it can: an Age of 2 is more than a max-age of
// 1 and less than one of 3600.

// targetedAdditions ask what RFC 9213 says of targeted fields, of which a proxy that
// belongs to the site obeys CDN-Cache-Control.
func targetedAdditions() []addition {
	now := time.Now()
	past, future := httpDate(now.Add(-time.Hour)), httpDate(now.Add(time.Hour))
	return slices.Concat(
		reusedOnce("§2.2",
			reuse{"targeted-max-age", "max-age alone makes a response fresh", fields{targeted, "max-age=3600"}},
			reuse{"targeted-max-age-2147483648", "a max-age of 2^31 is fresh", fields{targeted, "max-age=2147483648"}},
			reuse{"targeted-max-age-99999999999", "a max-age beyond 2^31 is fresh", fields{targeted, "max-age=99999999999"}},
			reuse{"targeted-extension", "an unknown directive does no harm", fields{targeted, "foobar, max-age=3600"}},
			reuse{"targeted-beside-past-expires", "max-age counts, not an Expires in the past", fields{targeted, "max-age=3600", "Expires", past}},
			reuse{"targeted-beside-invalid-expires", "max-age counts, not an invalid Expires", fields{targeted, "max-age=3600", "Expires", "0"}},
			reuse{"targeted-longer", "max-age counts, not a shorter one in Cache-Control", fields{targeted, "max-age=3600", "Cache-Control", "max-age=1", "Age", "2"}},
			reuse{"targeted-beside-no-store", "max-age counts, not a no-store in Cache-Control", fields{targeted, "max-age=3600", "Cache-Control", "no-store"}},
		),
		notReused("§2.2",
			reuse{"targeted-max-age-0", "max-age=0 is stale", fields{targeted, "max-age=0"}},
			reuse{"targeted-max-age-0-beside-expires", "max-age=0 counts, not an Expires in the future", fields{targeted, "max-age=0", "Expires", future}},
			reuse{"targeted-age", "Age is taken off max-age", fields{targeted, "max-age=3600", "Age", "7200"}},
			reuse{"targeted-shorter", "max-age counts, not a longer one in Cache-Control", fields{targeted, "max-age=1", "Cache-Control", "max-age=3600", "Age", "2"}},
			reuse{"targeted-private", "private is obeyed beside a fresh Cache-Control", fields{targeted, "private", "Cache-Control", "max-age=3600"}},
			reuse{"targeted-no-cache", "no-cache is obeyed beside a fresh Cache-Control", fields{targeted, "no-cache", "Cache-Control", "max-age=3600"}},
			reuse{"targeted-no-store", "no-store is obeyed beside a fresh Cache-Control", fields{targeted, "no-store", "Cache-Control", "max-age=3600"}},
		),
		// A field that does not parse is as good as absent, and Cache-Control counts.
		notReused("§2.1",
			reuse{"targeted-space-before-equals", "a space before = is no structured field", fields{targeted, "max-age =3600", "Cache-Control", "max-age=1", "Age", "2"}},
			reuse{"targeted-space-after-equals", "a space after = is no structured field", fields{targeted, "max-age= 3600", "Cache-Control", "max-age=1", "Age", "2"}},
			reuse{"targeted-invalid-beside-no-store", "an invalid member is no structured field", fields{targeted, "max-age=10000, &&&&&", "Cache-Control", "no-store"}},
			reuse{"targeted-string-beside-no-store", "a string is no number of seconds", fields{targeted, `max-age="10000"`, "Cache-Control", "no-store"}},
		),
		[]addition{
			keeps("targeted-keeps-date", "Date", httpDate(now.Add(-10*time.Second))),
			keeps("targeted-keeps-expires", "Expires", future),
			{
				id: "targeted-age-continues", kind: "required", section: "RFC 9111 §4.2.3",
				asks:      "Age goes on from the origin's when CDN-Cache-Control made the response fresh",
				dependsOn: []string{"targeted-max-age"},
				answers:   []answer{{fields: fields{targeted, "max-age=3600", "Age", "30"}}},
				visits:    []visit{{from: 1}, {from: 1, check: ageAtLeast(30)}},
			},
			{
				id: "targeted-consumed", kind: "check", section: "RFC 9213 §2.2",
				asks:    "the targeted field that was obeyed is not passed on",
				answers: []answer{{fields: fields{targeted, "max-age=3600"}}},
				visits:  []visit{{from: 1, check: without(targeted)}, {from: 1, check: without(targeted)}},
			},
		},
	)
}

// reuse is a response that is asked for twice.
type reuse struct {
	id, asks string
	fields   fields
}

// reusedOnce asks that the second visit gets the stored response.
func reusedOnce(section string, cases ...reuse) []addition {
	var all []addition
	for _, c := range cases {
		all = append(all, addition{
			id: c.id, kind: "optimal", section: "RFC 9213 " + section, asks: c.asks,
			answers: []answer{{fields: c.fields}},
			visits:  []visit{{from: 1}, {from: 1}},
		})
	}
	return all
}

// notReused asks that the second visit gets a new one. A cache that obeys no targeted
// field at all has not earned these.
func notReused(section string, cases ...reuse) []addition {
	all := reusedOnce(section, cases...)
	for i := range all {
		all[i].kind = "required"
		all[i].dependsOn = []string{"targeted-max-age"}
		all[i].visits[1].from = 2
	}
	return all
}

// keeps asks that a field leaves as it came, also from the store.
func keeps(id, name, value string) addition {
	return addition{
		id: id, kind: "required", section: "RFC 9111 §3.1",
		asks:      name + " is kept when CDN-Cache-Control made the response fresh",
		dependsOn: []string{"targeted-max-age"},
		answers:   []answer{{fields: fields{targeted, "max-age=3600", name, value}}},
		visits:    []visit{{from: 1}, {from: 1, check: has(name, value)}},
	}
}

// has asks for a field with just this value.
func has(name, value string) func(*received) error {
	return func(r *received) error {
		if got := r.Header.Values(name); len(got) != 1 || got[0] != value {
			return fmt.Errorf("%s: %q, want %q", name, got, value)
		}
		return nil
	}
}

// without asks that a field is absent.
func without(name string) func(*received) error {
	return func(r *received) error {
		if got := r.Header.Values(name); len(got) > 0 {
			return fmt.Errorf("%s: %q, want none", name, got)
		}
		return nil
	}
}

// ageAtLeast asks for an Age, in seconds.
func ageAtLeast(seconds int) func(*received) error {
	return func(r *received) error {
		if age, err := strconv.Atoi(r.Header.Get("Age")); err != nil || age < seconds {
			return fmt.Errorf("Age: %q, want at least %d", r.Header.Values("Age"), seconds)
		}
		return nil
	}
}

func httpDate(t time.Time) string { return t.UTC().Format(http.TimeFormat) }
