package attribution

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const window = 30 * 24 * time.Hour

func visit(ref string, paid bool, ago time.Duration) Touch {
	return Touch{Landing: newLanding(), At: noon.Add(-ago), Values: values("ref", ref), Paid: paid}
}

func TestMerge(t *testing.T) {
	none := Touch{}
	for _, test := range []struct {
		name, model string
		have, came  Touch
		came_       bool // it is the one that came that counts
		changed     bool
	}{
		{"nothing", "last", none, none, false, false},
		{"the first visit", "first", none, visit("B", false, 0), true, true},
		{"the first visit", "last", none, visit("B", false, 0), true, true},
		{"the first visit", "last-paid", none, visit("B", false, 0), true, true},
		{"no visit", "last", visit("A", false, day), none, false, false},
		{"first keeps", "first", visit("A", false, day), visit("B", true, 0), false, false},
		{"first, at the window's end", "first", visit("A", false, window-1), visit("B", false, 0), false, false},
		{"first, after the window", "first", visit("A", false, window), visit("B", false, 0), true, true},
		{"last takes", "last", visit("A", true, day), visit("B", false, 0), true, true},
		{"last, the same", "last", visit("A", false, day), visit("A", false, 0), false, false},
		{"last, the same after a tenth", "last", visit("A", false, window/10), visit("A", false, 0), true, true},
		{"last, the same just before", "last", visit("A", false, window/10-1), visit("A", false, 0), false, false},
		{"last, the same but paid", "last", visit("A", false, day), visit("A", true, 0), true, true},
		{"last-paid keeps a paid one", "last-paid", visit("A", true, day), visit("B", false, 0), false, false},
		{"last-paid takes a paid one", "last-paid", visit("A", true, day), visit("B", true, 0), true, true},
		{"last-paid takes the first paid one", "last-paid", visit("A", false, day), visit("B", true, 0), true, true},
		{"last-paid without any", "last-paid", visit("A", false, day), visit("B", false, 0), true, true},
		{"last-paid after the window", "last-paid", visit("A", true, window), visit("B", false, 0), true, true},
	} {
		t.Run(test.model+": "+test.name, func(t *testing.T) {
			counts, changed := Merge(test.model, test.have, test.came, window, noon)
			want := test.have
			if test.came_ {
				want = test.came
			}
			if !reflect.DeepEqual(counts, want) || changed != test.changed {
				t.Errorf("%+v, %t; %+v, %t was expected", counts, changed, want, test.changed)
			}
		})
	}
	if counts, changed := Merge("last", visit("A", false, window), none, window, noon); counts.Landing != "" || changed {
		t.Errorf("a visit before the window: %+v, %t", counts, changed)
	}
}

// TestMergeStories holds the models against what they say, over visits at any time.
func TestMergeStories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		model := rapid.SampledFrom([]string{"first", "last", "last-paid"}).Draw(t, "model")
		now, have := noon, Touch{}
		for range rapid.IntRange(1, 12).Draw(t, "visits") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(window)/2).Draw(t, "later")))
			came := Touch{
				Landing: newLanding(), At: now, Paid: rapid.Bool().Draw(t, "paid"),
				Values: values("ref", rapid.SampledFrom([]string{"A", "B"}).Draw(t, "ref")),
			}
			counts, changed := Merge(model, have, came, window, now)
			if again, more := Merge(model, counts, came, window, now); more || !sameTouch(again, counts) {
				t.Fatalf("once more it is %+v instead of %+v", again, counts)
			}
			within := have.Landing != "" && now.Before(have.At.Add(window))
			kept := counts.Landing == have.Landing
			switch {
			case counts.Landing != came.Landing && !kept:
				t.Fatalf("%+v is neither", counts)
			case changed == kept:
				t.Fatalf("changed is %t, and kept %t", changed, kept)
			case !within && kept:
				t.Fatalf("%+v counts after its window", counts)
			case within && model == "first" && !kept:
				t.Fatal("the first visit was replaced")
			case within && model == "last-paid" && have.Paid && !came.Paid && !kept:
				t.Fatal("an unpaid visit replaced a paid one")
			case within && model == "last-paid" && !have.Paid && came.Paid && kept:
				t.Fatal("a paid visit did not replace an unpaid one")
			case within && model == "last" && !counts.says(came):
				t.Fatal("the last visit does not count")
			}
			have = counts
		}
	})
}
