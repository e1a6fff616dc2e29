package command

import (
	"context"
	"io"

	"github.com/cacheward/cacheward/caddymodule/audit/inquiry"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

func auditSummary() auditVerb {
	return auditVerb{
		name:  "summary",
		usage: "[<files...>]",
		short: "What became of all requests, by route: hit share, refusals, divergences, bytes saved",
		long: `
Sums up a time, by route: requests and how many of them were served from an object, how
often the app was asked, refusals by reason, what diverged, what was asked for most.
Leaks, trips, withdrawn pages and lost records come first. Of routes that only observe, it says
what enforcing would have made of the requests. Requests of probes are left out, and counted:
they are no visitors.

	$ cacheward audit summary --since 24h
	$ cacheward audit summary --route landing --format json
`,
		formats: []string{"json"},
		run: func(ctx context.Context, x *auditor, files []string) error {
			q := inquiry.NewSummary()
			stats, err := ask(ctx, x, files, reading.ScanOptions{Filter: x.filter}, q)
			if err != nil {
				return err
			}
			a := q.Answer()
			a.Lost = stats.Lost // records of losses have no route, and no expression is about them
			told := answer{json: a, table: func(w io.Writer) error { return a.Text(w, x.textOptions()) }, nothing: a.Records == 0}
			if told.nothing {
				told.untold = a.Lost
			}
			return x.tell(told, stats)
		},
	}
}

func auditRefusals() auditVerb {
	return auditReasons("refusals", inquiry.NewRefusals,
		"Why answers of the app were not stored, and the line of the policy to change",
		`
Groups what was refused by route and reason: how often, what the reason means, where in
the response it is, and what to write in the policy or change in the app. What was refused
when a probe had asked counts as well: it is the app's answer, and records of refusals do not
say who asked.

	$ cacheward audit refusals --since 24h
	$ cacheward audit refusals --route landing --where 'status == 200'
`)
}

func auditDivergences() auditVerb {
	return auditReasons("divergences", inquiry.NewDivergences,
		"Pages whose answers differ from visitor to visitor, and where in the page",
		`
Groups by route and by what kind of thing differs: a token, a counter, a value of the
visitor's own request. It tells the place in the page and never the value. What differed when
a probe had asked counts as well, as with refusals.

	$ cacheward audit divergences --since 7d
	$ cacheward audit divergences --route landing --format json
`)
}

func auditBypasses() auditVerb {
	return auditReasons("bypasses", inquiry.NewBypasses,
		"Why requests went past the cache, and the line of the policy to change",
		`
Groups the requests that went to the app as they were, or were refused with 400, by route
and reason: an undeclared parameter, a cookie, a way of writing the URL. Requests of probes
are left out, and counted: they send what no visitor does, and no policy needs a line for it.

	$ cacheward audit bypasses --since 24h
	$ cacheward audit bypasses --where '"param-bypass" in reasons'
`)
}

func auditReasons(name string, question func() *inquiry.Reasons, short, long string) auditVerb {
	return auditVerb{
		name: name, usage: "[<files...>]", short: short, long: long, formats: []string{"json"},
		run: func(ctx context.Context, x *auditor, files []string) error {
			q := question()
			stats, err := ask(ctx, x, files, reading.ScanOptions{Filter: x.filter}, q)
			if err != nil {
				return err
			}
			a := q.Answer()
			return x.tell(answer{
				json: a, table: func(w io.Writer) error { return a.Text(w, x.textOptions()) },
				nothing: a.Total == 0 && a.Silent == 0 && a.Probes == 0 && len(a.Groups) == 0,
				untold:  stats.Lost,
			}, stats)
		},
	}
}
