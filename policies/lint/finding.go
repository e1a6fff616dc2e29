package lint

import "github.com/cacheward/cacheward/policies"

// Severity says how bad a finding is.
type Severity string

// The severities, worst first.
const (
	Error   Severity = "error"   // a visitor's page or referrer goes to somebody else, or nothing works
	Warning Severity = "warning" // likely a mistake, or costs more than it needs to
	Info    Severity = "info"    // worth knowing
)

// AtLeast reports whether s is as bad as other, or worse.
func (s Severity) AtLeast(other Severity) bool { return rank[s] <= rank[other] }

var rank = map[Severity]int{Error: 0, Warning: 1, Info: 2}

// Finding is one thing that a rule has to say about a place.
type Finding struct {
	// Rule is the rule's id: CW101.
	Rule     string
	Severity Severity
	// Pos is where, End the place behind the last byte of it, on the same line. An End
	// without a column: to the end of the word at Pos.
	Pos, End policies.Position
	// Route is the name of the route that it is about. May be empty.
	Route string
	// Message names the input and what happens to a visitor, in a sentence without a
	// full stop at the end.
	Message string
	// Suggestion says what to write instead. May be empty.
	Suggestion string
	// Related are other places that belong to it.
	Related []Related
	// Counterexample are two requests that share a response and should not. Nil where
	// there are none to show.
	Counterexample []Request
	// Edits make it right, all together. Nil where a person has to decide.
	Edits []Edit
	// Suppressed is why the finding does not count. Nil if it does.
	Suppressed *Suppression
}

// Related is another place, and what it has to do with a finding.
type Related struct {
	Pos     policies.Position
	Message string
}

// Request is a request of a counterexample.
type Request struct {
	Method, URL string
	// Header has pairs of name and value.
	Header [][2]string
	// Note says who sends it: "Alice, sent by a friend".
	Note string
}

// Edit replaces the bytes [Start, End) of a file.
type Edit struct {
	File       string
	Start, End int
	New        string
}

// Suppression is why a finding does not count.
type Suppression struct {
	// Kind is inline or baseline.
	Kind string
	// Reason is the text behind --.
	Reason string
	Pos    policies.Position
}
