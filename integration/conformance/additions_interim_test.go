package conformance

import (
	"errors"
	"fmt"
	"slices"
)

// interimAdditions ask what RFC 9110 §15.2 says: a proxy passes 1xx responses on, and
// a cache stores none.
func interimAdditions() []addition {
	link := fields{"Link", "</style.css>; rel=preload; as=style"}
	progress := fields{"Interim-Only", "yes"}
	return slices.Concat(
		interimPair(interim{102, progress}, "RFC 2518 §10.1"),
		interimPair(interim{103, link}, "RFC 8297 §2"),
	)
}

func interimPair(early interim, section string) []addition {
	name := early.fields[0]
	id := fmt.Sprintf("interim-%d", early.status)
	answers := []answer{{interim: []interim{early}, fields: fields{"Cache-Control", "max-age=3600"}}}
	first := visit{from: 1, interim: []interim{early}, check: without(name)}
	return []addition{
		{
			id: id, kind: "required", section: section,
			asks:    fmt.Sprintf("a %d is passed on with its fields, which do not get into the final response", early.status),
			answers: answers,
			visits:  []visit{first},
		},
		{
			id: id + "-reuse", kind: "optimal", section: section,
			asks:    fmt.Sprintf("the response after a %d is stored, and reused without it", early.status),
			answers: answers,
			visits:  []visit{{from: 1, interim: []interim{early}}, {from: 1, check: all(without(name), notInterim)}},
		},
	}
}

func notInterim(r *received) error {
	if len(r.interim) > 0 {
		return errors.New("an interim response came from the store")
	}
	return nil
}

// all asks for several things.
func all(checks ...func(*received) error) func(*received) error {
	return func(r *received) error {
		for _, check := range checks {
			if err := check(r); err != nil {
				return err
			}
		}
		return nil
	}
}
