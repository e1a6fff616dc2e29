package conformance

import (
	"slices"
	"time"
)

// ageAdditions ask what RFC 9111 §5.1 says of Age: a number of seconds, of several the
// first; what is none is ignored.
func ageAdditions() []addition {
	now := time.Now()
	aged := func(id, asks string, ages ...string) reuse {
		f := fields{"Cache-Control", "max-age=3600"}
		for _, age := range ages {
			f = append(f, "Age", age)
		}
		return reuse{id, asks, f}
	}
	fresh := reusedOnce("",
		aged("age-list-first-fresh", "the first member of a list counts: 0", "0, 7200"),
		aged("age-lines-first-fresh", "the first of two lines counts: 0", "0", "7200"),
		aged("age-word", "a word is ignored", "abc"),
		aged("age-negative", "a negative number is ignored", "-7200"),
		aged("age-decimal", "a decimal fraction is ignored", "7200.0"),
	)
	stale := notReused("",
		aged("age-list-first-stale", "the first member of a list counts: 7200", "7200, 0"),
		aged("age-lines-first-stale", "the first of two lines counts: 7200", "7200", "0"),
		aged("age-2147483647", "2^31-1 is a long time", "2147483647"),
		aged("age-2147483648", "2^31 is a long time", "2147483648"),
		aged("age-2147483649", "2^31+1 is a long time", "2147483649"),
	)
	parsed := slices.Concat(fresh, stale)
	for i := range parsed {
		parsed[i].section, parsed[i].dependsOn = "RFC 9111 §5.1", []string{"freshness-max-age"}
	}
	return append(parsed,
		addition{
			id: "age-of-a-delayed-response", kind: "required", section: "RFC 9111 §4.2.3",
			asks:    "the time that the origin took is part of Age",
			answers: []answer{{fields: fields{"Cache-Control", "max-age=3600"}, delay: 2 * time.Second}},
			visits:  []visit{{from: 1}, {from: 1, check: ageAtLeast(2)}},
		},
		addition{
			id: "date-not-updated", kind: "required", section: "RFC 9110 §6.6.1",
			asks:    "Date is that of the origin's answer, also on reuse",
			answers: []answer{{fields: fields{"Cache-Control", "max-age=3600", "Date", httpDate(now.Add(-30 * time.Second))}}},
			visits:  []visit{{from: 1}, {from: 1, check: has("Date", httpDate(now.Add(-30*time.Second)))}},
		},
	)
}
