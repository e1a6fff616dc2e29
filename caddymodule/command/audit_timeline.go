package command

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"

	"github.com/cacheward/cacheward/caddymodule/audit/inquiry"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

func auditTimeline() auditVerb {
	var bucket time.Duration
	return auditVerb{
		name:  "timeline",
		usage: "[--bucket <time>] [<files...>]",
		short: "When what happened, as a chart with a row for each outcome",
		long: `
Counts outcomes and events over time, and landings, conversions and beacons lost where
routes declare attribution. Requests of probes are left out, and counted: they are
no visitors.

	$ cacheward audit timeline --since 03:00 --until 05:00
	$ cacheward audit timeline --bucket 1m --route landing
`,
		formats: []string{"json"},
		flags: func(flags *pflag.FlagSet) {
			flags.DurationVar(&bucket, "bucket", 0, "how long one column is; 0: chosen")
		},
		run: func(ctx context.Context, x *auditor, files []string) error {
			q, err := inquiry.NewTimeline(bucket)
			if err != nil {
				return usageError{fmt.Errorf("--bucket: %w", err)}
			}
			stats, err := ask(ctx, x, files, reading.ScanOptions{Filter: x.filter}, q)
			if err != nil {
				return err
			}
			a := q.Answer()
			told := answer{json: a, table: func(w io.Writer) error { return a.Text(w, x.textOptions()) }, nothing: len(a.Rows) == 0 && a.Untimed == 0 && a.Probes == 0}
			if x.keep() != nil { // else the chart has a row for them
				told.untold = stats.Lost
			}
			return x.tell(told, stats)
		},
	}
}
