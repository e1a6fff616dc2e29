package soak

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// kind is what a visitor does.
type kind string

const (
	browse      kind = "GET"
	conditional kind = "conditional"
	part        kind = "range"
	head        kind = "HEAD"
	post        kind = "POST"
	leave       kind = "leaves"
	member      kind = "member"
	land        kind = "lands"
	register    kind = "registers"
)

// kinds are all of them: how often each occurs, and on the pages of which families, with
// their weights.
var kinds = []struct {
	kind     kind
	weight   int
	families []weighted
}{
	{browse, 100, []weighted{
		{"page", 40}, {"file", 24}, {"coded", 10}, {"changing", 6}, {"slow", 4}, {"fragile", 5}, {"broken", 3},
		{"observed", 3}, {"mine", 4}, {"private", 3}, {"account", 2}, {"other", 2},
	}},
	{conditional, 10, []weighted{{"page", 2}, {"file", 4}, {"coded", 2}, {"account", 1}}},
	{part, 8, []weighted{{"file", 4}, {"page", 1}, {"broken", 1}}},
	{head, 6, []weighted{{"page", 2}, {"file", 2}, {"mine", 1}, {"changing", 1}}},
	// A slow page is nearly always being filled, which the change overtakes.
	{post, 3, []weighted{{"page", 1}, {"file", 2}, {"coded", 1}, {"slow", 4}}},
	{leave, 6, []weighted{{"slow", 2}, {"file", 4}, {"page", 1}, {"broken", 1}, {"mine", 1}}},
	{member, 6, []weighted{{"page", 2}, {"file", 1}, {"mine", 1}, {"landing", 1}}},
	{land, 6, []weighted{{"landing", 1}}},
	{register, 3, []weighted{{"landing", 1}}},
}

type weighted struct {
	name   string
	weight int
}

// step is one thing that a visitor does.
type step struct {
	kind   kind
	family string
	page   int
	// coding is the Accept-Encoding.
	coding string
	// tracked: with a parameter that is not the page's.
	tracked bool
	// patience is after how long who leaves does so.
	patience time.Duration
	// from and to are the part of the body that is asked for, of 1.
	from, to float64
}

// plan is what one visitor does, or one operator. It is a function of its seed.
type plan struct {
	random *rand.Rand
	pages  map[string]*rand.Zipf
}

func newPlan(seed uint64, number int, families map[string]*family) *plan {
	p := &plan{random: rand.New(rand.NewPCG(seed, uint64(number))), pages: make(map[string]*rand.Zipf)}
	for name, f := range families {
		p.pages[name] = rand.NewZipf(p.random, 1.1, 8, uint64(f.pages-1))
	}
	return p
}

// next is what the visitor does next.
func (p *plan) next() step {
	total := 0
	for _, k := range kinds {
		total += k.weight
	}
	n := p.random.IntN(total)
	i := 0
	for ; n >= kinds[i].weight; i++ {
		n -= kinds[i].weight
	}
	s := step{kind: kinds[i].kind, family: p.choose(kinds[i].families)}
	s.page = int(p.pages[s.family].Uint64())
	s.coding = []string{"", "", "gzip", "zstd", "gzip, br, zstd"}[p.random.IntN(5)]
	s.tracked = p.random.IntN(4) == 0
	s.patience = time.Duration(p.random.IntN(60)) * time.Millisecond
	s.from = p.random.Float64()
	s.to = s.from + p.random.Float64()*(1-s.from)
	return s
}

func (p *plan) choose(from []weighted) string {
	total := 0
	for _, w := range from {
		total += w.weight
	}
	n := p.random.IntN(total)
	i := 0
	for ; n >= from[i].weight; i++ {
		n -= from[i].weight
	}
	return from[i].name
}

// TestPlan: the same seed is the same plan, and other visitors have others.
func TestPlan(t *testing.T) {
	first := func(seed uint64, visitor int) (steps []step) {
		p := newPlan(seed, visitor, newFamilies())
		for range 1000 {
			steps = append(steps, p.next())
		}
		return steps
	}
	if !reflect.DeepEqual(first(7, 1), first(7, 1)) {
		t.Error("two plans of one seed differ")
	}
	if reflect.DeepEqual(first(7, 1), first(7, 2)) || reflect.DeepEqual(first(7, 1), first(8, 1)) {
		t.Error("two visitors, or two seeds, have one plan")
	}
	families := newFamilies()
	seen := make(map[string]bool)
	for _, s := range first(7, 1) {
		seen[fmt.Sprint(s.kind, " ", s.family)] = true
		if s.page < 0 || s.page >= families[s.family].pages {
			t.Fatalf("%+v is no page", s)
		}
	}
	for _, k := range kinds {
		for _, f := range k.families {
			if !seen[fmt.Sprint(k.kind, " ", f.name)] {
				t.Errorf("of 1000 steps, none is %s of %s", k.kind, f.name)
			}
		}
	}
}
