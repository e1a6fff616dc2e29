package attacks

import (
	"bytes"
	"strings"
	"testing"
)

// seeds is one in how many of the tables' changes a fuzzer begins with. All of them are
// tried by TestRequests.
const seeds = 5

// FuzzRequest takes the bytes that an attacker sends over HTTP/1. NAME in them is
// replaced by that of the case, so that each has a page of its own.
func FuzzRequest(f *testing.F) {
	s := startEdge(f)
	p := personalities[len(personalities)-1]
	for i, c := range tables() {
		r := ordinary(attempt{route: routes[i%len(routes)], personality: p}, "NAME")
		c.apply(r, "evil-NAME")
		if b := r.bytes(); i%seeds == 0 && len(b) < 4000 {
			f.Add(uint8(i%len(routes)), b)
		}
	}
	f.Fuzz(func(t *testing.T, route uint8, message []byte) {
		a := attempt{route: routes[int(route)%len(routes)], personality: p, changes: []change{{"fuzz", "bytes", func(r *request, mark string) {
			name := []byte(strings.TrimPrefix(mark, "evil-"))
			r.raw = bytes.ReplaceAll(message, []byte("NAME"), name)
		}}}}
		s.report(t, a)
	})
}

// FuzzHeaderList takes the header list that an attacker sends over HTTP/2, a line for each
// name and value, with a blank between them.
func FuzzHeaderList(f *testing.F) {
	s := startEdge(f)
	p := personalities[len(personalities)-1]
	for i, c := range tables() {
		r := ordinary(attempt{route: routes[i%len(routes)], personality: p, h2: true}, "NAME")
		c.apply(r, "evil-NAME")
		var lines strings.Builder
		for _, field := range r.headerList() {
			lines.WriteString(field.name + " " + field.value + "\x1e")
		}
		if i%seeds == 0 && lines.Len() < 4000 {
			f.Add(uint8(i%len(routes)), lines.String(), r.body)
		}
	}
	f.Fuzz(func(t *testing.T, route uint8, lines, body string) {
		a := attempt{route: routes[int(route)%len(routes)], personality: p, h2: true, changes: []change{{"fuzz", "header list", func(r *request, mark string) {
			name := strings.TrimPrefix(mark, "evil-")
			r.list = []field{}
			for line := range strings.SplitSeq(strings.ReplaceAll(lines, "NAME", name), "\x1e") {
				name, value, _ := strings.Cut(line, " ")
				r.list = append(r.list, field{name, value})
			}
			r.body = strings.ReplaceAll(body, "NAME", name)
		}}}}
		s.report(t, a)
	})
}

// report fails the test for what the case finds. A hidden request is not looked for: where a
// message ends is for its bytes to say, and any of them may be a pipeline.
func (s *stage) report(t *testing.T, a attempt) {
	for _, finding := range s.run(a).findings {
		if finding.verdict != desync {
			t.Errorf("%s", finding)
		}
	}
}
