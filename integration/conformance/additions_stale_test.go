package conformance

import "time"

// stale is how long after a response with a max-age of one second it has certainly
// gone stale: its Date may be from the end of a second.
const stale = 2200 * time.Millisecond

// staleAdditions ask when a stale response may be served: RFC 9111 §4.2.4, §5.2.2 and
// RFC 5861; and what becomes of no-store beside other directives.
func staleAdditions() []addition {
	return []addition{
		{
			id: "stale-while-revalidate", kind: "optimal", section: "RFC 5861 §3",
			asks:    "a stale response is served at once while it is revalidated",
			answers: []answer{{fields: fields{"Cache-Control", "max-age=1, stale-while-revalidate=3600"}}},
			visits:  []visit{{from: 1}, {after: stale, from: 1}},
		},
		{
			id: "stale-while-revalidate-window", kind: "required", section: "RFC 5861 §3",
			asks:      "it is not served after the window",
			dependsOn: []string{"stale-while-revalidate"},
			answers:   []answer{{fields: fields{"Cache-Control", "max-age=1, stale-while-revalidate=1"}}},
			visits:    []visit{{from: 1}, {after: stale + time.Second, from: 2}},
		},
		closed("must-revalidate", "max-age=1, must-revalidate", "§5.2.2.2"),
		closed("proxy-revalidate", "max-age=1, proxy-revalidate", "§5.2.2.8"),
		closed("no-cache", "max-age=1, no-cache", "§5.2.2.4"),
		closed("s-maxage", "s-maxage=1", "§5.2.2.10"),
		{
			id: "must-understand", kind: "optimal", section: "RFC 9111 §5.2.2.3",
			asks:    "must-understand with a status that is understood outranks no-store",
			answers: []answer{{fields: fields{"Cache-Control", "max-age=3600, no-store, must-understand"}}},
			visits:  []visit{{from: 1}, {from: 1}},
		},
		{
			id: "must-understand-unknown-status", kind: "required", section: "RFC 9111 §5.2.2.3",
			asks:      "must-understand with a status that nobody knows is not stored",
			dependsOn: []string{"must-understand"},
			answers:   []answer{{status: 599, fields: fields{"Cache-Control", "max-age=3600, must-understand"}}},
			visits:    []visit{{from: 1}, {from: 2}},
		},
		{
			id: "no-store-new", kind: "required", section: "RFC 9111 §5.2.2.5",
			asks:      "a response with no-store does not take the place of a stale one",
			dependsOn: []string{"freshness-max-age"},
			answers: []answer{
				{fields: fields{"Cache-Control", "max-age=1"}},
				{fields: fields{"Cache-Control", "max-age=3600, no-store"}},
				{fields: fields{"Cache-Control", "max-age=3600"}},
			},
			visits: []visit{{from: 1}, {after: stale, from: 2}, {from: 3}},
		},
		{
			id: "no-store-old", kind: "check", section: "RFC 9111 §5.2.2.5",
			asks: "the fresh response that was stored before one with no-store is used further on",
			answers: []answer{
				{fields: fields{"Cache-Control", "max-age=3600"}},
				{fields: fields{"Cache-Control", "no-store"}},
				{fields: fields{"Cache-Control", "max-age=3600"}},
			},
			visits: []visit{{from: 1}, {from: 2, fields: fields{"Cache-Control", "no-cache"}}, {from: 1}},
		},
	}
}

// closed asks that a directive forbids what stale-close of the suite shows: serving
// stale when the origin hangs up. The suite asks it too, but of a response with a
// field of its server's, which no proxy can have then.
func closed(directive, cacheControl, section string) addition {
	return addition{
		id: "closed-" + directive, kind: "required", section: "RFC 9111 " + section,
		asks:      "with " + directive + ", nothing stale is served when the origin hangs up",
		dependsOn: []string{"stale-close"},
		answers:   []answer{{fields: fields{"Cache-Control", cacheControl}}, {hangUp: true}},
		visits:    []visit{{from: 1}, {after: stale, notFrom: 1}},
	}
}
