package reading

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Kind is why a line gave no record, or what was odd about it. The set is closed.
type Kind uint8

// The kinds.
const (
	none     Kind = iota // a record, or an empty line
	TooLong              // a line of more than [MaxLine] bytes
	Torn                 // the last line, not yet written to its end
	NotJSON              // no JSON: damaged
	Foreign              // JSON that is no audit record
	Mistyped             // an audit record in which a field is not what the schema says
	Newer                // a record of a newer schema: read as far as it is known
	CutOff               // not a line: the compressed file ends too early or is damaged from here on
	kinds
)

// AllKinds lists every kind.
func AllKinds() []Kind {
	return []Kind{TooLong, Torn, NotJSON, Foreign, Mistyped, Newer, CutOff}
}

// String says what lines of the kind are.
func (k Kind) String() string {
	switch k {
	case TooLong:
		return "too long"
	case Torn:
		return "torn last line"
	case NotJSON:
		return "not JSON"
	case Foreign:
		return "not an audit record"
	case Mistyped:
		return "record with a field of the wrong type"
	case Newer:
		return "record of a newer schema"
	case CutOff:
		return "compressed file cut off"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// record reports whether the line has a record all the same.
func (k Kind) record() bool { return k == none || k == Newer }

// Damage reports whether something that was written may be missing: of foreign lines
// and newer records, nothing is.
func (k Kind) Damage() bool { return k != Foreign && k != Newer }

// Position is where something was found.
type Position struct {
	Kind Kind
	File string
	// Line counts from 1, Offset, in bytes of the uncompressed file, from 0.
	Line, Offset int64
	// order of the file among those read.
	file int
}

// String writes the position as "file:line: what".
func (p Position) String() string { return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Kind) }

// MaxPositions is how many positions of one kind are kept.
const MaxPositions = 20

// Stats is what a scan came across.
type Stats struct {
	Files int
	// Bytes that were read, uncompressed.
	Bytes int64
	Lines int64
	// Records that were read, Matched those of them that the filter let through.
	Records, Matched int64
	// Lost is how many records the log itself says were lost in the filter's window,
	// whatever else the filter asks for: what they were nobody knows.
	Lost int64
	// First and Last time of the records that matched; zero without any.
	First, Last time.Time

	skipped   [kinds]int64
	positions [kinds][]Position
	clocks    clocks
}

// Skipped is how many lines of the kind there were. Those of the kind [Newer] are
// among the records all the same.
func (s *Stats) Skipped(k Kind) int64 { return s.skipped[k] }

// Positions are the first [MaxPositions] of the kind in the order of files and lines.
func (s *Stats) Positions(k Kind) []Position { return s.positions[k] }

// Damaged is how many places there were at which records may be missing.
func (s *Stats) Damaged() int64 {
	n := int64(0)
	for _, k := range AllKinds() {
		if k.Damage() {
			n += s.skipped[k]
		}
	}
	return n
}

// skip counts what was found at p.
func (s *Stats) skip(p Position) {
	s.skipped[p.Kind]++
	s.positions[p.Kind] = append(s.positions[p.Kind], p)
	if len(s.positions[p.Kind]) >= 2*MaxPositions {
		s.sortPositions(p.Kind)
	}
}

// sortPositions keeps the first: blocks come to a worker in their order, but those of
// other workers lie between them.
func (s *Stats) sortPositions(k Kind) {
	slices.SortFunc(s.positions[k], func(a, b Position) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.Offset, b.Offset))
	})
	if len(s.positions[k]) > MaxPositions {
		s.positions[k] = s.positions[k][:MaxPositions]
	}
}

// saw counts a record that matched.
func (s *Stats) saw(t time.Time) {
	s.Matched++
	if t.IsZero() {
		return
	}
	if s.First.IsZero() || t.Before(s.First) {
		s.First = t
	}
	if t.After(s.Last) {
		s.Last = t
	}
}

// merge adds what another worker came across.
func (s *Stats) merge(o *Stats) {
	s.Files += o.Files
	s.Bytes += o.Bytes
	s.Lines += o.Lines
	s.Records += o.Records
	s.Matched += o.Matched
	s.Lost += o.Lost
	if s.First.IsZero() || !o.First.IsZero() && o.First.Before(s.First) {
		s.First = o.First
	}
	if o.Last.After(s.Last) {
		s.Last = o.Last
	}
	s.clocks.merge(&o.clocks)
	for _, k := range AllKinds() {
		s.skipped[k] += o.skipped[k]
		s.positions[k] = append(s.positions[k], o.positions[k]...)
		s.sortPositions(k)
	}
}
