package store

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestPurgesAreRemembered holds the memory against a list of everything that was ever
// purged: it refuses what it must, and what it need not only when there was more than it
// tells apart.
func TestPurgesAreRemembered(t *testing.T) {
	const limit = 3
	routes := []string{"a", "b", "c", "d", "e"}
	type purged struct {
		Selection
		soft   bool
		moment time.Time
	}
	rapid.Check(t, func(t *rapid.T) {
		p := purges{limit: limit}
		began := time.Now()
		now := began
		var all []purged
		over := false
		t.Repeat(map[string]func(*rapid.T){
			"time goes by": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, int(InvalidationMemory)).Draw(t, "for")))
			},
			"purge": func(t *rapid.T) {
				s := Selection{Route: rapid.SampledFrom(routes).Draw(t, "route")}
				if rapid.IntRange(0, 9).Draw(t, "all") == 0 {
					s = Selection{All: true}
				}
				m, err := s.compile()
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, purged{s, rapid.Bool().Draw(t, "soft"), now})
				p.remember(m, all[len(all)-1].soft, now)

				var needed []purged // each once
				for _, one := range all {
					if now.Sub(one.moment) <= InvalidationMemory && !slices.ContainsFunc(needed, func(other purged) bool {
						return other.String() == one.String() && other.soft == one.soft
					}) {
						needed = append(needed, one)
					}
				}
				over = over || len(needed) > limit
			},
			"": func(t *rapid.T) {
				if len(p.list) > limit {
					t.Fatalf("%d purges are remembered", len(p.list))
				}
				o := &Object{
					Route:     rapid.SampledFrom(routes).Draw(t, "route"),
					Requested: began.Add(time.Duration(rapid.Int64Range(-1, int64(now.Sub(began))+1).Draw(t, "requested"))),
				}
				for _, soft := range []bool{false, true} {
					must, may := false, false
					for _, one := range all {
						if o.Requested.After(one.moment) {
							continue
						}
						selected := one.Selects(o) && (soft || !one.soft)
						must = must || selected && now.Sub(one.moment) <= InvalidationMemory
						may = may || selected || over
					}
					if got := p.refuse(o, soft); got && !may || !got && must {
						t.Fatalf("soft %t: refused: %t; it must be: %t, it may be: %t", soft, got, must, may)
					}
				}
			},
		})
	})
}

// TestPurgesRepeated: whoever purges the same every second has the others remembered.
func TestPurgesRepeated(t *testing.T) {
	p := purges{limit: 2}
	now := time.Now()
	first, _ := Selection{Route: "first"}.compile()
	again, _ := Selection{Prefix: "example.com"}.compile()
	p.remember(first, false, now)
	for i := range 100 {
		p.remember(again, false, now.Add(time.Duration(i)*time.Second))
	}
	if len(p.list) != 2 || !p.floor.IsZero() {
		t.Errorf("%d are remembered, with the floor %v", len(p.list), p.floor)
	}
	if !p.refuse(&Object{Route: "first", Requested: now}, false) {
		t.Error("the first is forgotten")
	}
	// A hard purge of everything says all that can be said.
	all, _ := Selection{All: true}.compile()
	p.remember(all, false, now.Add(time.Hour))
	if len(p.list) != 0 || !p.refuse(&Object{Requested: now.Add(time.Hour)}, false) || p.refuse(&Object{Requested: now.Add(time.Hour + 1)}, true) {
		t.Errorf("after everything was purged: %+v", p)
	}
}
