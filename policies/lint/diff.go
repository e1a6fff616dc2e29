package lint

import (
	"bytes"
	"fmt"
)

// context is how many lines a diff shows around a change.
const context = 3

// hunk is lines of a file, counted from 0, and what stands in their place afterwards.
type hunk struct {
	first, last int // [first, last)
	text        []byte
}

// Diff shows what the edits change in a file, as a unified diff that patch and git apply
// take. It is empty where nothing changes.
func Diff(name string, data []byte, edits []Edit) ([]byte, error) {
	if _, err := ApplyEdits(data, edits); err != nil {
		return nil, err
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	if n := len(lines); len(lines[n-1]) == 0 {
		lines = lines[:n-1]
	}
	changes := changed(data, lines, inOrder(edits))
	if len(changes) == 0 {
		return nil, nil
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "--- a/%s\n+++ b/%s\n", name, name)
	for shift := 0; len(changes) > 0; {
		n := 1 // changes that are near each other are shown together
		for n < len(changes) && changes[n].first-changes[n-1].last <= 2*context {
			n++
		}
		shift = writeHunk(&out, lines, changes[:n], shift)
		changes = changes[n:]
	}
	return out.Bytes(), nil
}

// changed are the lines that the edits touch, those that touch together as one.
func changed(data []byte, lines [][]byte, edits []Edit) []hunk {
	var out []hunk
	line, start := 0, 0 // a line and where it begins
	for i := 0; i < len(edits); {
		for line < len(lines) && start+len(lines[line]) <= edits[i].Start && (line+1 < len(lines) || bytes.HasSuffix(lines[line], []byte("\n"))) {
			start += len(lines[line])
			line++
		}
		last, end := line, start
		n := i
		for ; n < len(edits) && (n == i || edits[n].Start < end); n++ {
			for last < len(lines) && end < max(edits[n].End, edits[n].Start+1) {
				end += len(lines[last])
				last++
			}
		}
		local := make([]Edit, 0, n-i)
		for _, e := range edits[i:n] {
			local = append(local, Edit{Start: e.Start - start, End: e.End - start, New: e.New})
		}
		if text, err := ApplyEdits(data[start:end], local); err == nil && !bytes.Equal(text, data[start:end]) {
			out = append(out, hunk{first: line, last: last, text: text})
		}
		line, start, i = last, end, n
	}
	return out
}

func writeHunk(out *bytes.Buffer, lines [][]byte, changes []hunk, shift int) int {
	first := max(0, changes[0].first-context)
	last := min(len(lines), changes[len(changes)-1].last+context)
	var body bytes.Buffer
	grown, at := 0, first
	for _, c := range changes {
		writeLines(&body, " ", lines[at:c.first])
		writeLines(&body, "-", lines[c.first:c.last])
		now := bytes.SplitAfter(c.text, []byte("\n"))
		if n := len(now); len(now[n-1]) == 0 {
			now = now[:n-1]
		}
		writeLines(&body, "+", now)
		grown += len(now) - (c.last - c.first)
		at = c.last
	}
	writeLines(&body, " ", lines[at:last])
	fmt.Fprintf(out, "@@ -%s +%s @@\n", span(first, last-first), span(first+shift, last-first+grown))
	out.Write(body.Bytes())
	return shift + grown
}

// span is a range of lines as diffs write it: none is named by the line before it.
func span(first, n int) string {
	switch n {
	case 0:
		return fmt.Sprintf("%d,0", first)
	case 1:
		return fmt.Sprint(first + 1)
	}
	return fmt.Sprintf("%d,%d", first+1, n)
}

func writeLines(out *bytes.Buffer, sign string, lines [][]byte) {
	for _, line := range lines {
		out.WriteString(sign)
		out.Write(line)
		if !bytes.HasSuffix(line, []byte("\n")) {
			out.WriteString("\n\\ No newline at end of file\n")
		}
	}
}
