package store_test

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/store"
)

// TestFieldsRoundTrip: a header is the same after it was listed, lines in order.
func TestFieldsRoundTrip(t *testing.T) {
	name := rapid.OneOf(rapid.StringMatching(`[A-Z][a-z]{0,8}`), rapid.StringMatching(`X-[a-z]{60,80}`), rapid.Just(""))
	lines := rapid.SliceOfN(rapid.OneOf(rapid.String(), rapid.StringN(100, 300, -1)), 1, 4)
	rapid.Check(t, func(t *rapid.T) {
		h := http.Header(rapid.MapOf(name, lines).Draw(t, "header"))
		fields := store.FieldsOf(h)
		if got := fields.Header(); !reflect.DeepEqual(got, h) {
			t.Fatalf("%v became %v", h, got)
		}
		var listed []string
		for name := range fields.All() {
			listed = append(listed, name)
		}
		if !slices.IsSorted(listed) || len(listed) != fields.Len() {
			t.Fatalf("%q are %d names, %d by Len, and should be sorted", listed, len(listed), fields.Len())
		}
	})
}

func TestFieldsReadAllocatesNothing(t *testing.T) {
	fields := store.FieldsOf(http.Header{"Content-Type": {"text/html"}, "Link": {"</a>", "</b>"}, "X-" + strings.Repeat("a", 100): {"long"}})
	bytes := 0
	if n := testing.AllocsPerRun(1000, func() {
		for name, value := range fields.All() {
			bytes += len(name) + len(value)
		}
	}); n != 0 {
		t.Errorf("reading the lines allocates %v times", n)
	}
	if bytes == 0 {
		t.Error("nothing was read")
	}
}

// TestFieldsOfManyNames: more names than are numbered, by several at once, and each header
// is what it was.
func TestFieldsOfManyNames(t *testing.T) {
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 1000 {
				h := http.Header{fmt.Sprintf("X-%d", i*(g+1)): {fmt.Sprint(i)}, "Content-Type": {"text/plain"}}
				if got := store.FieldsOf(h).Header(); !reflect.DeepEqual(got, h) {
					t.Errorf("%v became %v", h, got)
					return
				}
			}
		})
	}
	all.Wait()
}

// TestPackKeepsWhatItMoves: an object says the same packed, and a copy of a packed one.
func TestPackKeepsWhatItMoves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.MapOf(rapid.StringMatching(`[A-Z][a-z]{0,3}`), rapid.SliceOfN(rapid.String(), 1, 2))
		header, control := lines.Draw(t, "header"), lines.Draw(t, "control")
		o := &store.Object{Parts: rapid.String().Draw(t, "parts"), ID: rapid.String().Draw(t, "id"), Header: store.FieldsOf(header), Control: store.FieldsOf(control)}
		before := *o
		o.Pack()
		if o.Parts != before.Parts || o.ID != before.ID || o.Header != before.Header || o.Control != before.Control || o.Size() != before.Size() {
			t.Fatalf("%+v became %+v", before, o)
		}
	})
}
