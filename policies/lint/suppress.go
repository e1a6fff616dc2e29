package lint

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/cacheward/cacheward/policies"
)

// Inline and Baseline are the kinds of [Suppression].
const (
	Inline   = "inline"
	Baseline = "baseline"
)

// Suppress marks the findings that a comment in the file speaks of, and adds what is
// wrong with those comments: no reason (CW002), nothing to suppress (CW003), no such
// rule (CW004), a date that is over (CW005). The first and the last of these suppress
// nothing. With allowInline false comments are as if they were not there.
//
// A comment at the end of a line speaks of this line; one on a line of its own of the
// next line, and if a route begins there of the whole route.
//
// What a rule would find is not known where Run was told to leave it out, nor where the
// unit could not all be read: comments that name it are not told to be unused then. CW001 to CW005 cannot be suppressed.
func Suppress(u *Unit, found []Finding, now time.Time, allowInline bool) []Finding {
	if !allowInline {
		return found
	}
	marks := newMarks(u, now)
	found = slices.Clone(found)
	for i := range found {
		if m := marks.find(found[i].Rule, found[i].Pos); m != nil && found[i].Suppressed == nil {
			m.used = true
			found[i].Suppressed = &Suppression{Kind: Inline, Reason: m.from.reason, Pos: m.from.pos}
		}
	}
	marks.unused(u)
	found = append(found, marks.told...)
	slices.SortStableFunc(found, byPlace)
	return found
}

// mark is one rule that one comment suppresses, on the lines from first to last.
type mark struct {
	from        *ignore
	rule        ignoredRule
	id          string
	first, last int
	used        bool
}

// marks are all that are in force, by file and rule: those of one line, and those of
// routes in the order of their first lines.
type marks struct {
	all    []*mark
	lines  map[markKey][]*mark
	routes map[markKey][]*mark
	told   []Finding
}

type markKey struct {
	file, rule string
	line       int // 0: routes
}

func newMarks(u *Unit, now time.Time) *marks {
	m := &marks{lines: make(map[markKey][]*mark), routes: make(map[markKey][]*mark)}
	for _, file := range slices.Sorted(maps.Keys(u.Files)) {
		data := u.Files[file]
		if !hasComments(file) || !bytes.Contains(data, []byte(ignoreWord)) {
			continue
		}
		source, starts, yaml := u.source(file), u.routeStarts(file), u.isYAML(file)
		found := ignores(file, yaml, source)
		// Several comments may stand above one route: it is measured once.
		measured, first, last := 0, 0, 0
		for i := range found {
			ig := &found[i]
			if !m.inForce(u, ig, now) {
				continue
			}
			from, to := ig.pos.Line, ig.pos.Line
			if ig.own {
				if from < measured || from >= first {
					measured = from
					first, last = below(source, from, yaml, starts)
				}
				from, to = first, last
			}
			for _, rule := range ig.rules {
				m.add(u, &mark{from: ig, rule: rule, first: from, last: to})
			}
		}
	}
	for _, list := range m.routes {
		slices.SortStableFunc(list, func(a, b *mark) int { return cmp.Compare(a.first, b.first) })
	}
	return m
}

func (m *marks) tell(u *Unit, id string, f Finding) {
	if rule, ok := Find(id); ok && u.judgedBy(id) {
		f.Rule, f.Severity = id, rule.Severity
		m.told = append(m.told, f)
	}
}

// inForce says whether the comment suppresses anything, and tells why not.
func (m *marks) inForce(u *Unit, ig *ignore, now time.Time) bool {
	names := "a rule"
	if len(ig.rules) > 0 {
		names = ig.rules[0].name
	}
	if len(ig.rules) == 0 {
		m.tell(u, "CW004", Finding{Pos: ig.pos, End: ig.end,
			Message:    "the comment names no rule, so it suppresses nothing",
			Suggestion: "name the rule: # cacheward:ignore CW103 -- why"})
	}
	if ig.reason == "" {
		m.tell(u, "CW002", Finding{Pos: ig.pos, End: ig.end,
			Message:    fmt.Sprintf("the comment suppresses %s and does not say why, so it is not in force", names),
			Suggestion: fmt.Sprintf("write the reason behind two dashes: # cacheward:ignore %s -- the page shows nobody's name", names)})
		return false
	}
	if !ig.dated {
		return true
	}
	day, err := time.Parse(time.DateOnly, ig.until)
	if err != nil {
		m.tell(u, "CW005", Finding{Pos: ig.pos, End: ig.end,
			Message:    fmt.Sprintf("%q is no date, so the comment is not in force", ig.until),
			Suggestion: "write until=2027-01-31"})
		return false
	}
	if !now.Before(day.AddDate(0, 0, 1)) {
		m.tell(u, "CW005", Finding{Pos: ig.pos, End: ig.end,
			Message:    fmt.Sprintf("the comment suppressed %s until %s, which is over", names, ig.until),
			Suggestion: fmt.Sprintf("correct what %s finds here, or decide on a new date", names)})
		return false
	}
	return true
}

// general are the rules on files and comments themselves. Nobody can suppress them: a
// comment that is wrong would hide itself.
func general(id string) bool { return id >= "CW001" && id <= "CW005" }

func (m *marks) add(u *Unit, k *mark) {
	rule, ok := Find(k.rule.name)
	switch {
	case !ok:
		m.tell(u, "CW004", Finding{Pos: k.rule.pos, End: k.rule.end,
			Message:    fmt.Sprintf("there is no rule %q, so nothing is suppressed", k.rule.name),
			Suggestion: "cacheward lint --list shows all rules"})
		return
	case general(rule.ID):
		m.tell(u, "CW004", Finding{Pos: k.rule.pos, End: k.rule.end,
			Message:    fmt.Sprintf("%s (%s) cannot be suppressed", rule.ID, rule.Name),
			Suggestion: "take it out of the comment"})
		return
	}
	k.id = rule.ID
	m.all = append(m.all, k)
	key := markKey{file: k.from.pos.File, rule: k.id}
	if k.first != k.last {
		m.routes[key] = append(m.routes[key], k)
		return
	}
	key.line = k.first
	m.lines[key] = append(m.lines[key], k)
}

// find returns the mark that suppresses a finding of the rule at the place; of several
// the nearest.
func (m *marks) find(rule string, pos policies.Position) *mark {
	key := markKey{file: pos.File, rule: rule, line: pos.Line}
	if list := m.lines[key]; len(list) > 0 {
		return list[0]
	}
	key.line = 0
	list := m.routes[key]
	i := sort.Search(len(list), func(i int) bool { return list[i].first > pos.Line })
	if i == 0 || list[i-1].last < pos.Line {
		return nil
	}
	return list[i-1]
}

// unused tells the marks that suppressed nothing. A comment with which all is over can
// be removed.
func (m *marks) unused(u *Unit) {
	if len(u.Faults) > 0 {
		return
	}
	idle := make(map[*ignore]int)
	for _, k := range m.all {
		if !k.used && u.judgedBy(k.id) {
			idle[k.from]++
		}
	}
	for _, k := range m.all {
		if k.used || !u.judgedBy(k.id) {
			continue
		}
		f := Finding{Pos: k.rule.pos, End: k.rule.end,
			Message:    fmt.Sprintf("%s finds nothing here, so there is nothing to suppress", k.rule.name),
			Suggestion: "remove it: it would hide the next mistake"}
		if idle[k.from] == len(k.from.rules) {
			f.Edits = []Edit{k.from.removal(u.Files[k.from.pos.File])}
		}
		m.tell(u, "CW003", f)
	}
}

// removal takes the comment out of the file, with its line if that is its own.
func (ig *ignore) removal(data []byte) Edit {
	start, end := ig.start, ig.start+ig.len
	for start > 0 && (data[start-1] == ' ' || data[start-1] == '\t') {
		start--
	}
	if ig.own {
		if end < len(data) && data[end] == '\r' {
			end++
		}
		if end < len(data) && data[end] == '\n' {
			end++
		}
	}
	return Edit{File: ig.pos.File, Start: start, End: end}
}
