package fleet

import (
	"fmt"
	"testing"

	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
	"pgregory.net/rapid"
)

// TestKnown holds what an edge knows against a list of all events: it refuses what one
// selects, and more only where it must.
func TestKnown(t *testing.T) {
	routes := []string{"a", "b", "c"}
	tags := []store.Tag{store.TagOf(store.TagName, "x"), store.TagOf(store.TagName, "y")}
	digest := policies.Digest([]byte("parts"))
	selections := []store.Selection{{All: true}, {Key: digest[:8]}, {Key: []byte("12345678")}}
	for _, r := range routes {
		selections = append(selections, store.Selection{Route: r})
	}
	for i := range tags {
		selections = append(selections, store.Selection{Tag: &tags[i]})
	}
	rapid.Check(t, func(t *rapid.T) {
		var k known
		o := &store.Object{
			Parts: rapid.SampledFrom([]string{"parts", "others"}).Draw(t, "parts"),
			Route: rapid.SampledFrom(routes).Draw(t, "route"),
			Tags:  tags[:rapid.IntRange(0, 2).Draw(t, "tags")],
		}
		floor := uint64(rapid.IntRange(0, 5).Draw(t, "floor"))
		last := floor
		event := func() Event {
			last++
			e := Event{Generation: last, Kind: KindPurge, Soft: rapid.Bool().Draw(t, "soft")}
			e.Selection = rapid.SampledFrom(selections).Draw(t, "selection")
			switch {
			case rapid.IntRange(0, 4).Draw(t, "trip") == 0:
				e.Kind, e.Selection = KindTrip, store.Selection{}
			case e.Selection.Tag != nil && rapid.Bool().Draw(t, "invalidate"):
				e.Kind = KindInvalidate
			}
			return e
		}
		var events []Event
		h := Heard{Lost: true, Floor: floor}
		for range rapid.IntRange(0, 5).Draw(t, "purges") {
			if e := event(); e.Kind == KindPurge {
				h.Purges, events = append(h.Purges, e), append(events, e)
			}
		}
		h.Generation = last
		if k.servable(&store.Object{Generation: last}) {
			t.Fatal("an object may be served before the log was heard")
		}
		k.begin(h)
		for range rapid.IntRange(0, 20).Draw(t, "events") {
			e := event()
			k.note(e)
			events = append(events, e)
		}
		for generation := range last + 3 {
			o.Generation = generation
			want := generation > 0 && generation >= floor && generation <= last
			for _, e := range events {
				if e.Generation > generation && e.Selection.Selects(o) {
					want = false
				}
			}
			if got := k.servable(o); got != want {
				t.Fatalf("object %+v after %d events: servable %v; %v was expected", o, last, got, want)
			}
		}
	})
}

// TestKnownIsBounded has more events come than are told apart, of each kind.
func TestKnownIsBounded(t *testing.T) {
	for name, event := range map[string]func(i int) Event{
		"route": func(i int) Event { return purgeRoute(fmt.Sprint(i)) },
		"url": func(i int) Event {
			return Event{Kind: KindPurge, Selection: store.Selection{URI: fmt.Sprintf("example.com/%d", i)}}
		},
		"tag": func(i int) Event {
			tag := store.TagOf(store.TagName, fmt.Sprint(i))
			return Event{Kind: KindPurge, Selection: store.Selection{Tag: &tag}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var k known
			k.begin(Heard{Generation: 1, Floor: 1})
			many := 3 * store.MaxPurges
			if name == "tag" {
				many = 3 * knownTags
			}
			for i := range many {
				e := event(i)
				e.Generation = uint64(i) + 2
				k.note(e)
				if kept := len(k.routes) + len(k.list) + len(k.young.last) + len(k.old.last); kept > 2*knownTags {
					t.Fatalf("%d are kept", kept)
				}
			}
			if k.servable(&store.Object{Generation: 1}) {
				t.Error("an object is served that what was forgotten may have selected")
			}
			if !k.servable(&store.Object{Generation: uint64(many) + 1}) {
				t.Error("an object of now is not served")
			}
		})
	}
	t.Run("the same again", func(t *testing.T) {
		var k known
		k.begin(Heard{Generation: 1, Floor: 1})
		for i := range 3 * store.MaxPurges {
			k.note(Event{Generation: uint64(i) + 2, Kind: KindPurge, Selection: store.Selection{URI: "example.com/"}})
		}
		if len(k.list) != 1 || !k.servable(&store.Object{Generation: 1}) {
			t.Errorf("%d are kept, floor %d", len(k.list), k.floor)
		}
	})
	t.Run("tags turn", func(t *testing.T) {
		var k known
		k.begin(Heard{Generation: 1, Floor: 1})
		first := store.TagOf(store.TagName, "0")
		for i := range knownTags + 10 {
			tag := store.TagOf(store.TagName, fmt.Sprint(i))
			k.note(Event{Generation: uint64(i) + 2, Kind: KindInvalidate, Selection: store.Selection{Tag: &tag}})
		}
		if k.servable(&store.Object{Generation: 1, Tags: []store.Tag{first}}) {
			t.Error("a tag is forgotten that is not among the oldest")
		}
		if !k.servable(&store.Object{Generation: 2, Tags: []store.Tag{first}}) {
			t.Error("an object is refused for what was before it")
		}
	})
	t.Run("invalidations are forgotten", func(t *testing.T) {
		var k known
		k.begin(Heard{Generation: 1, Floor: 1})
		for i := range 3 * knownTags {
			tag := store.TagOf(store.TagURI, fmt.Sprint(i))
			k.note(Event{Generation: uint64(i) + 2, Kind: KindInvalidate, Selection: store.Selection{Tag: &tag}})
		}
		if !k.servable(&store.Object{Generation: 1}) {
			t.Error("an object without tags is refused for invalidations of tags")
		}
	})
}

// TestKnownOfNewerEdges: what cannot be read may mean everything.
func TestKnownOfNewerEdges(t *testing.T) {
	for _, e := range []Event{
		{Generation: 2, Kind: "burn"},
		{Generation: 2, Kind: KindPurge},
		{Generation: 2, Kind: KindInvalidate, Selection: store.Selection{URI: "no host"}},
	} {
		var k known
		k.begin(Heard{Generation: 1})
		o := &store.Object{Generation: 1}
		if !k.servable(o) {
			t.Fatal("refused without any event")
		}
		if k.note(e); k.servable(o) {
			t.Errorf("served after %+v", e)
		}
	}
}

func BenchmarkKnown(b *testing.B) {
	for name, purges := range map[string]int{"none": 0, "1024 URLs": store.MaxPurges} {
		for _, when := range []string{"before", "after"} {
			b.Run(name+" "+when, func(b *testing.B) {
				var e Edge
				e.known.begin(Heard{Generation: 1})
				for i := range purges {
					e.known.note(Event{Generation: uint64(i) + 2, Kind: KindPurge, Selection: store.Selection{URI: fmt.Sprintf("example.com/%d", i)}})
				}
				o := &store.Object{Route: "r", Generation: 1, Tags: []store.Tag{{1}, {2}}}
				if when == "after" {
					o.Generation = uint64(purges) + 1
				}
				b.ReportAllocs()
				for b.Loop() {
					if !e.Known(o) {
						b.Fatal("refused")
					}
				}
			})
		}
	}
}
