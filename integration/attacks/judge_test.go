package attacks

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// verdict is what an attack achieved. There must be none.
type verdict string

const (
	// leak: somebody got what was made for somebody else.
	leak verdict = "LEAK"
	// poison: somebody got what an attacker's request made, and not their own.
	poison verdict = "POISON"
	// denial: somebody got an error, or nothing, because of an attacker.
	denial verdict = "DENIAL"
	// desync: an answer belongs to another request, or the origin saw a request that nobody
	// sent.
	desync verdict = "DESYNC"
	// unmarked: what the edge itself refused did not tell caches to keep out of it.
	unmarked verdict = "STORABLE REFUSAL"
)

// change is one thing that an attacker does to an ordinary request.
type change struct {
	class string // of the catalogue
	name  string
	apply func(r *request, mark string)
}

// attempt is one case: an ordinary request, and how the attacker changes it.
type attempt struct {
	route       string
	personality *personality
	h2          bool
	changes     []change
	// lured has the attacker make somebody who is signed in send the request, and
	// then asks for the same.
	lured *field
	seed  uint64 // of a generated one
}

// by names the changes.
func (a attempt) by() string {
	names := make([]string, len(a.changes))
	for i, c := range a.changes {
		names[i] = c.class + " " + c.name
	}
	return strings.Join(names, " + ")
}

func (a attempt) String() string {
	protocol := "HTTP/1.1"
	if a.h2 {
		protocol = "HTTP/2"
	}
	text := fmt.Sprintf("/%s of the %s origin, %s: %s", a.route, a.personality.name, protocol, a.by())
	if a.lured != nil {
		text += ", by a member with " + a.lured.name
	}
	return text
}

// finding is a verdict with its evidence.
type finding struct {
	verdict verdict
	attempt attempt
	by      string // the changes
	what    string
	// sent is what the attacker sent, asked the victim's request, got its answer, want what it
	// should have been.
	sent, asked, got, want string
	// saw is what reached the origin.
	saw []string
}

func (f finding) String() string {
	return fmt.Sprintf("%s: %s\n  attacker: %s\n  victim:   %s\n  got:      %s\n  want:     %s\n  the origin saw:\n    %s",
		f.verdict, f.what, f.sent, f.asked, f.got, f.want, shorten(strings.Join(quoted(f.saw), "\n    ")))
}

func quoted(texts []string) []string {
	out := make([]string, len(texts))
	for i, s := range texts {
		out[i] = fmt.Sprintf("%q", s)
	}
	return out
}

// outcome is what came of a case.
type outcome struct {
	findings []finding
	hit      bool // a victim was served from the store
	refused  bool // the edge itself refused the attacker
}

// agent is that of everybody: pages are not to differ by it.
const agent = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"

// ordinary is the request that an attacker begins with, and that a victim sends.
func ordinary(a attempt, name string) *request {
	return &request{
		method: http.MethodGet, target: "/" + a.route + "/" + name + "/page?ref=plain", h2: a.h2,
		fields: []field{{"Host", host(a.personality)}, {"User-Agent", agent}, {"Accept", "*/*"}},
	}
}

// victims are the requests that the attack may be aimed at.
func victims(a attempt, name string) []*request {
	page := ordinary(a, name)
	bare := page.clone()
	bare.setQuery("")
	return []*request{page, bare}
}

const tries = 2 // so often each of them sends what they send, so that corroboration can pass

// run carries a case out.
func (s *stage) run(a attempt) (out outcome) {
	name := newCase()
	mark := "evil-" + name
	attack := ordinary(a, name)
	for _, c := range a.changes {
		c.apply(attack, mark)
	}
	note := func(v verdict, what string, asked *request, got answer, want string) {
		text := "nothing"
		if asked != nil {
			text = asked.String()
		}
		out.findings = append(out.findings, finding{
			verdict: v, attempt: a, by: a.by(), what: a.String() + ": " + what, sent: attack.String(), asked: text, got: got.String(), want: want,
		})
	}
	sentinel := ordinary(attempt{route: "nowhere", personality: a.personality}, name)
	sentinel.add("Connection", "close")

	secret := ""
	if a.lured != nil {
		secret = "member-" + name
		member := attack.clone()
		member.add(a.lured.name, strings.ReplaceAll(a.lured.value, "SECRET", secret))
		for range tries {
			provoke(s.address, member, sentinel)
		}
	}
	for range tries {
		answers := provoke(s.address, attack, sentinel)
		for _, got := range answers {
			if secret != "" && got.contains(secret) {
				note(leak, "the attacker got what a member was shown", attack, got, "nothing of "+secret)
			}
		}
		s.judgeConnection(a, attack, answers, note)
		out.refused = s.judgeRefusal(a, answers, note) || out.refused
	}
	for _, victim := range victims(a, name) {
		out.hit = s.judgeVictim(a, victim, mark, secret, note) || out.hit
	}
	saw := s.origins[a.personality.name].take(name)
	if i := slices.IndexFunc(saw, smuggled); i >= 0 {
		note(desync, "the origin saw a request that was hidden in another: "+fmt.Sprintf("%q", saw[i]), nil, answer{}, "one request")
	}
	for i := range out.findings {
		out.findings[i].saw = saw
	}
	return out
}

// contains says whether the text is anywhere in the answer.
func (a answer) contains(text string) bool {
	if bytes.Contains(a.body, []byte(text)) {
		return true
	}
	for _, lines := range a.header {
		if slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, text) }) {
			return true
		}
	}
	return false
}

type noting func(v verdict, what string, asked *request, got answer, want string)

// judgeVictim has an ordinary visitor ask, several times on one connection.
func (s *stage) judgeVictim(a attempt, victim *request, mark, secret string, note noting) (hit bool) {
	want := s.right(a.personality, victim)
	p, err := dial(s.address, victim.h2)
	if err != nil {
		note(denial, "no connection", victim, answer{err: err}, want.String())
		return false
	}
	defer p.close()
	for range tries + 1 {
		got := p.ask(victim)
		hit = hit || got.hit()
		if v, what := judge(got, want, mark, secret, victim); v != "" {
			note(v, what, victim, got, want.String())
			return hit
		}
	}
	return hit
}

// judge compares what a victim got with what the origin itself answers them.
func judge(got, want answer, mark, secret string, victim *request) (v verdict, what string) {
	path, _ := victim.parts()
	switch {
	case got.err != nil:
		return denial, "no answer"
	case secret != "" && got.contains(secret):
		return leak, "the victim got what a member was shown"
	case got.contains(mark):
		return poison, "the victim got what the attacker sent"
	case got.status >= 400 && want.status < 400:
		return denial, "an error"
	case got.status != want.status:
		return poison, "another status"
	case !bytes.Equal(got.body, want.body):
		if !bytes.Contains(got.body, []byte(strings.ToLower(path))) && bytes.Contains(want.body, []byte(strings.ToLower(path))) {
			return desync, "a page of another request"
		}
		return poison, "another body"
	}
	for _, name := range []string{"Content-Type", "Location", "ETag", "Access-Control-Allow-Origin", "Content-Range", "Content-Encoding"} {
		if !slices.Equal(got.header.Values(name), want.header.Values(name)) {
			return poison, "another " + name
		}
	}
	return "", ""
}

// hidden is the path of requests that attackers hide in others.
const hidden = "/hidden/"

func smuggled(head string) bool {
	line, _, _ := strings.Cut(head, "\r\n")
	return strings.Contains(line, hidden)
}

// judgeConnection looks at what came back on the attacker's own connection.
func (s *stage) judgeConnection(a attempt, attack *request, answers []answer, note noting) {
	for _, got := range answers {
		if bytes.Contains(got.body, []byte("path: "+hidden)) {
			note(desync, "what was hidden in a request was answered", attack, got, "one answer")
		}
	}
	if len(answers) > 2 {
		note(desync, fmt.Sprintf("%d answers to two requests", len(answers)), attack, answers[2], "two answers at most")
	}
}

// judgeRefusal holds what the edge itself refuses to telling caches so. It says whether
// there was a refusal.
func (s *stage) judgeRefusal(a attempt, answers []answer, note noting) bool {
	if len(answers) == 0 || answers[0].err != nil || answers[0].status < 400 || answers[0].header.Get("ETag") != "" {
		return false
	}
	got := answers[0]
	if got.header.Get("Cache-Status") == "" && got.header.Get("Via") != "" {
		return false // the origin's
	}
	refusal := strings.ToLower(got.header.Get("Cache-Control"))
	if strings.Contains(refusal, "private") && strings.Contains(refusal, "no-store") {
		return true
	}
	// What the server refuses before any of our handlers has no fields. Without a
	// lifetime no cache may keep these (RFC 9111 §4.2.2), but for 501: that is for transfer
	// codings which the server does not know, and no request comes through a cache with those.
	if refusal == "" && (got.status == 400 || got.header.Get("Server") == "" && !slices.Contains([]int{404, 405, 410, 414}, got.status)) {
		return true
	}
	note(unmarked, "a refusal", nil, got, "private, no-store")
	return true
}
