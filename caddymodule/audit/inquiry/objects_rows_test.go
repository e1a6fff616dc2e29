package inquiry

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// TestTextTable: equal strings have equal numbers, and come back as they were.
func TestTextTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := newTextTable()
		known := map[string]text{"": 0}
		for _, s := range rapid.SliceOf(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "a", strings.Repeat("x", textChunk)}))).Draw(t, "strings") {
			x := table.keep(s)
			if before, ok := known[s]; ok && before != x {
				t.Fatalf("%q was %d and is %d", s, before, x)
			}
			known[s] = x
		}
		if table.count() != len(known)-1 {
			t.Fatalf("%d of %d", table.count(), len(known)-1)
		}
		for s, x := range known {
			if table.of(x) != s {
				t.Fatalf("%q came back as %q", s, table.of(x))
			}
			for other, y := range known {
				if table.compare(x, y) != strings.Compare(s, other) {
					t.Fatalf("%q and %q", s, other)
				}
			}
		}
	})
}

// TestTextTableOfSeveralWorkers: more strings than a chunk holds, from all sides.
func TestTextTableOfSeveralWorkers(t *testing.T) {
	table := newTextTable()
	name := func(i int) string {
		return strings.Repeat("v", i%50) + string(rune('a'+i%26)) + strings.Repeat("0", i/26%200)
	}
	numbers := make([][]text, 4)
	var workers sync.WaitGroup
	for w := range numbers {
		workers.Go(func() {
			for i := range 20_000 {
				numbers[w] = append(numbers[w], table.keep(name(i)))
			}
		})
	}
	workers.Wait()
	for w := range numbers {
		if !slices.Equal(numbers[w], numbers[0]) {
			t.Fatalf("worker %d has other numbers", w)
		}
	}
	for i, x := range numbers[0] {
		if table.of(x) != name(i) {
			t.Fatalf("%q came back as %q", name(i), table.of(x))
		}
	}
}

func TestRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all, part rows[int]
		n, m := rapid.IntRange(0, 30_000).Draw(t, "n"), rapid.IntRange(0, 300).Draw(t, "m")
		for i := range n {
			all.add(i)
		}
		for i := range m {
			part.add(n + i)
		}
		all.merge(&part)
		all.add(n + m)
		got := all.take()
		for i, row := range got {
			if row != i {
				t.Fatalf("row %d is %d", i, row)
			}
		}
		if len(got) != n+m+1 || len(all.take()) != 0 {
			t.Fatalf("%d rows", len(got))
		}
	})
}

func TestListJSON(t *testing.T) {
	list := List[string]{3, func(i int) string { return strings.Repeat("&", i) }}
	data, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	var back List[string]
	if err := json.Unmarshal(data, &back); err != nil || !slices.Equal(slices.Collect(back.All()), []string{"", "&", "&&"}) {
		t.Errorf("%s, %v", data, err)
	}
	if err := json.Unmarshal([]byte("{}"), &back); err == nil {
		t.Error("an object was taken for a list")
	}
}

func TestCodesColumns(t *testing.T) {
	codes := codesOf("/lp?ref=a%7Cb&ref=c&x=1", nil)
	if got := codes.columns([]string{"ref", "no", "x"}); !slices.Equal(got, []string{"a%7Cb|c", "", "1"}) {
		t.Errorf("%q", got)
	}
}
