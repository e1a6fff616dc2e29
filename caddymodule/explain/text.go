package explain

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/policies"
)

// WriteText writes the explanation for people, a paragraph a step. Color is for
// terminals that have it.
func (e *Explanation) WriteText(w io.Writer, color bool) error {
	p := &printer{w: bufio.NewWriter(w), color: color}
	p.line(p.bold(printable(e.Request.Method + " " + e.Request.URL)))
	p.line("")
	e.writeRoute(p)
	p.step(2, "inspect", p.result(e.Inspect, "read in one way only"))
	p.reasons(e.Inspect.Reasons)
	p.step(3, "dispose", p.result(e.Dispose, "every input has a place"))
	p.reasons(e.Dispose.Reasons)
	e.writeInputs(p)
	e.writeAttribution(p)
	if e.Key != nil {
		e.writeKey(p)
		e.writeAdmission(p)
	}
	if e.Key == nil {
		p.line("")
		p.line(p.paint(red, e.ending()))
	}
	if e.Observed {
		p.line("The route only observes: nothing of this is in force, it is only recorded.")
	}
	e.writeProfiles(p)
	return p.w.Flush()
}

func (e *Explanation) ending() string {
	if e.Verdict.Action == ActionDeny {
		return "The request is refused with 400. Nothing is looked up, stored or sent to the origin."
	}
	how := "untouched"
	switch {
	case e.Delivery != nil && e.Delivery.HasCookie:
		how = "with what is delivered, if anything is"
	case e.Attribution != nil && e.Attribution.URL != e.Request.URL:
		how = "without what the attribution takes"
	}
	return "The request goes to the origin " + how + ", and its answer to this visitor alone. Nothing is looked up or stored."
}

// maxTold is how many of the routes that do not match people are told of: those that
// nearly do.
const maxTold = 5

func (e *Explanation) writeRoute(p *printer) {
	r := e.Route
	text := p.bold(r.Name) + ", cache " + r.Cache
	if r.Name == policies.DefaultRule {
		text = "no route matches; the policy's default is " + p.bold(r.Cache)
	}
	if r.Mode == string(policies.Observe) {
		text += ", observe"
	}
	if r.OnLeak == string(policies.LeakWarn) {
		text += ", on_leak warn"
	}
	p.step(1, "route", text+p.place(r.At))
	nearest := slices.SortedStableFunc(slices.Values(r.PassedOver), func(a, b PassedOver) int {
		return cmp.Compare(len(a.Misses), len(b.Misses))
	})
	nearest = nearest[:min(len(nearest), maxTold)]
	for _, over := range nearest {
		p.more("not " + over.Name + ": its " + strings.Join(over.Misses, " and its ") + " do not match" + p.place(over.At))
	}
	if n := r.PassedOverTotal - len(nearest); n > 0 {
		p.more(fmt.Sprintf("not %d others before it", n))
	}
}

func (e *Explanation) writeInputs(p *printer) {
	width := 0
	for _, in := range e.Inputs {
		width = max(width, utf8.RuneCountInString(in.label()))
	}
	width = min(width, 40)
	for _, in := range e.Inputs {
		label := in.label()
		verb := in.Disposition + strings.Repeat(" ", max(0, 7-len(in.Disposition)))
		text := label + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(label))) + "  " + p.verb(in.Disposition, verb)
		switch {
		case in.KeyedNothing:
			text += " as nothing: none of the declared values"
		case in.Keyed != "":
			text += " as " + printable(in.Keyed)
		}
		p.more(strings.TrimRight(text+"  "+p.dim(in.said()), " "))
	}
}

func (in Input) label() string { return printable(strings.TrimSpace(in.Kind + " " + in.Name)) }

// said is who says so, and where.
func (in Input) said() string {
	by := in.By
	switch by {
	case policies.ByDefault:
		by = "by default: nothing is said of it"
	case policies.ByBuiltin:
		by = "built-in list of headers"
	}
	if in.At != "" {
		by += " at " + in.At
	}
	return by
}

func (e *Explanation) writeKey(p *printer) {
	k := e.Key
	p.step(4, "key", k.Scheme+"://"+printable(k.Host+k.Path)+", route "+e.Route.Name)
	for _, param := range k.Params {
		p.more("param " + printable(param))
	}
	for _, part := range []struct {
		kind, when string
		fields     []Field
	}{{"cookie", "", k.Cookies}, {"header", "", k.Headers}, {"header", ", if the origin's Vary names it", k.Varying}} {
		for _, f := range part.fields {
			p.more(part.kind + " " + printable(f.Name+": "+f.Value) + p.dim(part.when))
		}
	}
	if k.Live {
		p.more(p.dim("key " + k.Digest[:16] + " in the audit log"))
	}
	p.more("the canonical request, which is all that the origin sees of it on a fill:")
	for line := range strings.SplitSeq(strings.TrimRight(e.Canonical.Text, "\r\n"), "\r\n") {
		p.more("  " + p.paint(cyan, printable(line)))
	}
	if len(e.Canonical.Forwarded) > 0 {
		p.more("not in the key, and sent all the same: " + strings.Join(e.Canonical.Forwarded, ", "))
	}
}

func (e *Explanation) writeAdmission(p *printer) {
	p.step(5, "look up", p.dim("a fresh object is served at once; only the running proxy knows what is stored"))
	p.step(6, "fill", p.dim("one at a time; other requests wait for its verdict"))
	if e.Response == nil {
		p.step(7, "gate", p.dim("not asked: give it a response (--origin URL, --response FILE)"))
		p.step(8, "admit", e.Admission.Rule+p.place(e.Admission.At))
		p.say(0, "", "", e.Admission.Sentence)
		p.step(9, "contract", e.contract(p))
		return
	}
	p.step(7, "gate", e.gate(p))
	p.reasons(e.Response.Reasons)
	e.Response.writeFound(p)
	p.step(8, "admit", e.Admission.Rule+p.place(e.Admission.At))
	p.say(0, "", "", e.Admission.Sentence)
	p.more(e.stored(p))
	for _, note := range e.Response.Notes {
		p.say(0, "", "", note)
	}
	p.step(9, "contract", e.contract(p))
	if len(e.Response.First) > 0 {
		p.more("this visitor gets:")
		p.fields(e.Response.First)
	}
	if e.Response.Stored {
		p.more("the next one gets the object, with:")
		p.fields(governing(e.Response.Hit))
	}
}

func (e *Explanation) gate(p *printer) string {
	r := e.Response
	text := fmt.Sprintf("status %d: ", r.Status)
	switch {
	case len(r.Reasons) > 0:
		return text + p.paint(red, "refused")
	case r.Compared:
		return text + p.paint(green, "nothing speaks against sharing it, and both answers are identical")
	}
	return text + p.paint(green, "nothing speaks against sharing it")
}

func (e *Explanation) stored(p *printer) string {
	r := e.Response
	if !r.Stored {
		return p.paint(red, "not stored")
	}
	by := map[string]string{byPolicy: "the policy", byOrigin: "the origin", byHeuristic: "a guess from its age (RFC 9111 §4.2.2)"}[r.LifetimeBy]
	text := fmt.Sprintf("for %s, given by %s", length(r.Lifetime), by)
	if r.Validated {
		text = "and the origin is asked each time whether it still holds"
	}
	if e.Admission.Rule == policies.Corroborated && !r.Compared {
		return p.paint(yellow, "stored "+text+", if a second answer of the origin is identical")
	}
	return p.paint(green, "stored "+text)
}

func (e *Explanation) contract(p *printer) string {
	text := "caches further on get no permission"
	switch e.Contract.Permits {
	case PermitsOrigin:
		text = "caches further on are told what the origin says to them"
	case PermitsTTL:
		text = "caches further on may keep admitted objects for " + length(e.Contract.TTL)
	}
	if e.Contract.Profile != policies.ProfileGeneric {
		text += ", said as " + e.Contract.Profile
	}
	return text + p.place(e.Contract.At)
}

func length(seconds int64) string {
	return policies.Duration(time.Duration(seconds) * time.Second).String()
}

// governing are the fields that caches go by.
func governing(fields []Field) []Field {
	return slices.DeleteFunc(slices.Clone(fields), func(f Field) bool {
		switch f.Name {
		case "Age", "Vary", "Etag", "Last-Modified":
			return false
		}
		return !httpcache.Governs(f.Name)
	})
}

func (j *Judgement) writeFound(p *printer) {
	for _, m := range j.Markers {
		p.more("marker " + p.bold(m.ID) + near(m.Near) + fmt.Sprintf(", at byte %d: %s", m.Offset, m.Finds))
		if m.Advice != "" {
			p.say(2, faint, "", m.Advice)
		}
	}
	for _, r := range j.Reflections {
		where := fmt.Sprintf("in the body at byte %d", r.Offset)
		if r.Field != "" {
			where = "in the field " + r.Field
		}
		p.more("value of " + p.bold(r.Input) + " " + where + near(r.Near) + ", written " + r.Coding)
	}
	if d := j.Divergence; d != nil {
		where := d.Part
		if d.Field != "" {
			where += " " + d.Field
		}
		if d.Part == "body" && d.Offset >= 0 {
			where += fmt.Sprintf(" at byte %d", d.Offset)
		}
		text := "the answers differ in the " + where + near(d.Near) + ": " + d.Class
		if d.Shape != "" {
			text += ", looks like " + d.Shape
		}
		if d.Input != "" {
			text += ", of " + d.Input
		}
		if d.Places > 1 {
			text += fmt.Sprintf("; %d places in all", d.Places)
		}
		p.more(text)
		p.say(2, faint, "", d.Sentence)
	}
}

func near(name string) string {
	if name == "" {
		return ""
	}
	return " near " + name
}

// WriteText writes the answer for people.
func (s Sharing) WriteText(w io.Writer, color bool) error {
	p := &printer{w: bufio.NewWriter(w), color: color}
	tint := green
	if !s.Shared {
		tint = yellow
	}
	p.line(p.paint(tint, s.Why))
	list := func(head string, all []Difference) {
		if len(all) == 0 {
			return
		}
		p.line(head)
		for _, d := range all {
			p.line("  " + printable(d.String()) + ": " + shown(d.First) + " or " + shown(d.Second) + "  " + p.dim(strings.TrimSpace(d.Disposition+" "+d.said())))
		}
	}
	list("They are told apart by", s.Apart)
	list("The origin's Vary may tell them apart by", s.Unless)
	list("They differ in this as well, and the origin does not see it when it makes that page:", s.Lost)
	return p.w.Flush()
}

func (d Difference) said() string {
	switch {
	case d.At != "":
		return "(" + d.By + " at " + d.At + ")"
	case d.By != "":
		return "(" + d.By + ")"
	}
	return ""
}

func shown(value string) string { return printable(cmp.Or(value, "(none)")) }

// printable is text as a terminal may have it: no control characters, not endless.
func printable(s string) string {
	const longest = 200
	if utf8.RuneCountInString(s) > longest {
		s = string([]rune(s)[:longest]) + "…"
	}
	return safe(s)
}

// safe is text as a terminal may have it, as long as it is.
func safe(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}
