package command

import (
	"context"
	"errors"
	"io"

	"github.com/cacheward/cacheward/caddymodule/audit/inquiry"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

func auditWhy() auditVerb {
	return auditVerb{
		name:  "why",
		usage: "<url> [<files...>]",
		short: "The latest decisions on a page, in plain words",
		long: `
Says of a URL or a path what was decided on requests for it, the latest first, and why.
Values of parameters are compared as far as records have them in clear. Leaks of the page
that probes have found are told whatever came after them. Requests of probes are told and
marked; --where '!probe' leaves them out. Of a landing it says what was taken and carried,
of a conversion which landing the app was told of.

	$ cacheward audit why /register/lp
	$ cacheward audit why 'https://shop.example/lp?ref=A1' --since 1h --limit 5
`,
		formats: []string{"json"},
		run: func(ctx context.Context, x *auditor, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("a URL or a path was expected")}
			}
			q, err := inquiry.NewWhy(args[0], x.limit)
			if err != nil {
				return usageError{err}
			}
			stats, err := ask(ctx, x, args[1:], reading.ScanOptions{Filter: x.filter}, q)
			if err != nil {
				return err
			}
			a := q.Answer()
			return x.tell(answer{
				json: a, table: func(w io.Writer) error { return a.Text(w, x.textOptions()) }, nothing: a.Found == 0,
				untold: stats.Lost,
			}, stats)
		},
	}
}
