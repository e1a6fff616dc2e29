package command

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
	"github.com/cacheward/cacheward/caddymodule/probe"
)

// tellProbe writes the report, to standard output and to the files of --out.
func (p *probing) tellProbe(r *probe.Report) error {
	for _, out := range p.outs {
		format, name, _ := strings.Cut(out, "=")
		plain := view{width: plainWidth, now: time.Now(), loc: time.Local}
		text, err := probeText(plain, format, r)
		if err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return fmt.Errorf("--out %s: %w", out, cause(err))
		}
	}
	text, err := probeText(p.view(), p.format, r)
	if err != nil {
		return err
	}
	return p.write(text)
}

func probeText(v view, format string, r *probe.Report) (string, error) {
	switch format {
	case "json":
		var b strings.Builder
		err := show.JSON(&b, r)
		return b.String(), err
	case "junit":
		return probeJUnit(r)
	}
	return probedText(v, r), nil
}

// verdictColors are how verdicts look.
var verdictColors = map[probe.Verdict]show.Color{
	probe.Isolated: show.Good, probe.Shared: show.Good, probe.Unknown: show.Warn, probe.Leak: show.Bad,
}

// probedText is the report for people.
func probedText(v view, r *probe.Report) string {
	p := page{view: v}
	for i := range r.URLs {
		if i > 0 {
			p.WriteByte('\n')
		}
		p.probedURL(&r.URLs[i])
	}
	p.WriteByte('\n')
	for _, note := range r.Notes {
		p.fact("note", note, show.Warn)
	}
	p.headline(verdictColors[r.Verdict], fmt.Sprintf("%s: %s in %s.", strings.ToUpper(string(r.Verdict)),
		plural(r.Requests, "request", "requests"), show.Duration(r.Ended.Sub(r.Began))))
	return p.String()
}

func (p *page) probedURL(u *probe.URLReport) {
	if u.Verdict == probe.Leak {
		p.alarm("LEAK: "+u.URL, plural(u.LeakCount, "answer", "answers")+" had in them what belongs to another visitor")
	} else {
		p.headline(show.Strong, u.URL)
	}
	t := show.Table{Indent: 2, Columns: []show.Column{
		{Title: "visitors differ in", Flexible: true}, {Title: "policy"}, {Title: "verdict"}, {Title: "in the caches' key"}, {Title: "reaches the edge"},
		{Title: "repeated"},
	}}
	for _, in := range u.Inputs {
		repeated := ""
		if in.Reflected {
			repeated = "to them"
		}
		key := show.Text(dash(in.InKey))
		if in.InKey == "no" && in.Policy == "key" {
			key.Color = show.Bad
		}
		t.Row(show.Text(in.Input), show.Text(in.Policy), show.Colored(verdictColors[in.Verdict], string(in.Verdict)), key,
			show.Text(dash(in.Arrives)), show.Text(repeated))
	}
	_ = t.Write(p, p.Style, p.width) // a builder never fails
	p.caches(&u.Cache)
	if e := u.Edge; e != nil {
		p.fact("edge", fmt.Sprintf("%s, asked itself: %s", e.Address, e.Verdict), verdictColors[e.Verdict])
	}
	for _, problem := range u.Errors {
		p.fact("problem", problem, show.Bad)
	}
	for _, note := range u.Notes {
		p.fact("note", note, show.Warn)
	}
	all := u.Leaks
	if u.Edge != nil {
		all = slices.Concat(all, u.Edge.Leaks)
	}
	told := tellingEvidence(all)
	for i, e := range told {
		p.WriteByte('\n')
		p.evidence(i+1, e)
	}
	if more := len(all) - len(told); more > 0 {
		p.fact("and", fmt.Sprintf("%d more of the kind; --format json has them", more), show.Dim)
	}
}

// tellingEvidence is the first of each kind.
func tellingEvidence(all []probe.Evidence) []*probe.Evidence {
	var told []*probe.Evidence
	for i := range all {
		e := &all[i]
		if !slices.ContainsFunc(told, func(have *probe.Evidence) bool { return have.Kind == e.Kind && have.Who == e.Who }) {
			told = append(told, e)
		}
	}
	return told
}

// dash stands where nothing is known.
func dash(s string) string {
	if s == "?" {
		return "–"
	}
	return s
}

// caches tells what those in front do.
func (p *page) caches(b *probe.Behaviour) {
	names := "none that says so"
	if len(b.Names) > 0 {
		names = strings.Join(b.Names, ", ")
	}
	p.fact("caches", names, show.Plain)
	var said []string
	for _, one := range []struct{ what, is string }{
		{"give stored answers", b.Stores}, {"have the query in their key", b.Query},
		{"obey private, no-store", b.Obeys}, {"give one answer to all who wait", b.Coalesces},
	} {
		said = append(said, one.what+": "+cmp.Or(one.is, "?"))
	}
	p.fact("", strings.Join(said, "; "), show.Plain)
	if len(b.Status) > 0 {
		var status []string
		for _, text := range slices.Sorted(maps.Keys(b.Status)) {
			status = append(status, fmt.Sprintf("%s ×%d", text, b.Status[text]))
		}
		p.fact("say", strings.Join(status, "; "), show.Dim)
	}
}

// who leaks, in words.
var who = map[string]string{
	probe.WhoCDN: "a cache in front of the edge", probe.WhoEdge: "the edge",
	probe.WhoApp: "the app, or a cache behind the edge", probe.WhoUnknown: "not known (--secret-file or --edge would tell)",
}

// evidence is one piece of it, readable by itself.
func (p *page) evidence(n int, e *probe.Evidence) {
	p.WriteString(p.Paint(show.Bad, fmt.Sprintf("evidence %d", n)) + "\n")
	p.fact("what", e.Sentence, show.Strong)
	p.fact("who leaks", who[e.Who], show.Plain)
	p.fact("asked for", e.URL, show.Plain)
	when := show.Time(e.Received, p.loc) + e.Received.In(p.loc).Format(".000 MST") + ", " + e.Phase
	if !e.Sent.IsZero() {
		when += fmt.Sprintf(", %s after %s had asked", show.Duration(max(0, e.Received.Sub(e.Sent))), cmp.Or(e.Giver, "somebody else"))
	}
	p.fact("when", when, show.Plain)
	if r := e.Receipt; r != nil {
		may := "must not be shared"
		if r.Shared {
			may = fmt.Sprintf("may be shared for %d s", r.TTL)
			if len(r.Keyed) > 0 {
				may += ", by " + strings.Join(r.Keyed, ", ")
			}
		}
		p.fact("receipt", fmt.Sprintf("route %s, outcome %s; it %s; made for %s", r.Route, strings.Join(append([]string{r.Outcome}, r.Reasons...), ", "), may, r.URI), show.Plain)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		p.fact("", name+": "+e.Headers[name], show.Dim)
	}
}
