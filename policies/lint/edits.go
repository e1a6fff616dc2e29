package lint

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
)

// ApplyEdits returns a file with the edits made. Edits that overlap, or that reach
// beyond the data, are an error; then nothing is changed. The data is left as it is.
func ApplyEdits(data []byte, edits []Edit) ([]byte, error) {
	edits = inOrder(edits)
	var out []byte
	done := 0
	for _, e := range edits {
		if e.Start < done || e.End < e.Start || e.End > len(data) {
			return nil, fmt.Errorf("the edit of bytes %d to %d overlaps another, or is beyond the file", e.Start, e.End)
		}
		out = append(append(out, data[done:e.Start]...), e.New...)
		done = e.End
	}
	return append(out, data[done:]...), nil
}

// PickEdits are the edits that findings offer for a file and that can be made together:
// those of a finding all or not at all, and the earlier finding first. What is left over
// can be made in the next run. Suppressed findings stay as they are.
func PickEdits(file string, found []Finding) []Edit {
	var picked []Edit
	for _, f := range found {
		if f.Suppressed != nil || slices.ContainsFunc(f.Edits, func(e Edit) bool { return e.File != file }) {
			continue
		}
		more := slices.DeleteFunc(inOrder(f.Edits), func(e Edit) bool { return slices.Contains(near(picked, e), e) })
		if slices.ContainsFunc(more, func(e Edit) bool { return len(near(picked, e)) > 0 }) {
			continue
		}
		for _, e := range more {
			picked = slices.Insert(picked, rankOf(picked, e), e)
		}
	}
	return picked
}

// near are the edits, of some that are in order and apart, that an edit touches: those
// that it overlaps or that begin where it does.
func near(picked []Edit, e Edit) []Edit {
	first := rankOf(picked, e)
	for first > 0 && picked[first-1].End > e.Start {
		first--
	}
	last := first
	for last < len(picked) && (picked[last].Start < e.End || picked[last].Start == e.Start) {
		last++
	}
	return picked[first:last]
}

// rankOf is where an edit belongs among others that are in order.
func rankOf(picked []Edit, e Edit) int {
	return sort.Search(len(picked), func(i int) bool { return picked[i].Start >= e.Start })
}

func inOrder(edits []Edit) []Edit {
	edits = slices.Clone(edits)
	slices.SortStableFunc(edits, func(a, b Edit) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End), cmp.Compare(a.New, b.New))
	})
	return edits
}
