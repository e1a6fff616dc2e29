package command

import (
	"context"
	"errors"
	"io"
	"runtime/debug"

	"github.com/spf13/pflag"

	"github.com/cacheward/cacheward/caddymodule/audit/inquiry"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

func auditServed() auditVerb {
	var o inquiry.ServedOptions
	return auditVerb{
		name:  "served",
		usage: "--object <id> | --key <key> | --url <url> ... [<files...>]",
		short: "Who was served a stored page: every visitor, when, and with which codes",
		long: `
Says of stored objects when they were filled and for whom, what became of them, and every
visitor who was served them. An object is named by its ID, its key or a URL; all three may
be given several times. A URL with parameters means the objects of which a request with
these parameters was served, and everybody else who was served the same. Which objects
there were in a time or on a route, cacheward audit objects tells.

The CSV has one line for each time that an object was served, and a column for each
parameter, several values of it joined by |; a | in a value stands as %7C.

Probes, with which the edge watches its pages from outside, are marked and count as no
visitors: in the CSV, people are the lines with "no" in the column probe. If one was given
what belongs to another, caches in front may have given these pages to more people than
records can tell: that is said first, like all that is missing.

If records are missing, because the queue was full, because only a sample of the serves is
written, or because lines are damaged, that is said before all else.

	$ cacheward audit served --object 019345c2-8f3a-7c11-9d0e-5f2b6a7c8d90
	$ cacheward audit served --url 'https://shop.example/lp?ref=A1' --since 03:00 --until 05:00
	$ cacheward audit served --key 3f2a9bc0d1e2f3a4 /var/log/caddy --format csv > served.csv
`,
		formats: []string{"json", "csv"},
		flags: func(flags *pflag.FlagSet) {
			flags.StringArrayVar(&o.Objects, "object", nil, "the ID of an object; again for more")
			flags.StringArrayVar(&o.Keys, "key", nil, "a key, as records have it or longer; again for more")
			flags.StringArrayVar(&o.URLs, "url", nil, "a URL or a path, with or without parameters; again for more")
		},
		run: func(ctx context.Context, x *auditor, files []string) error {
			if len(o.Objects)+len(o.Keys)+len(o.URLs) == 0 {
				return usageError{errors.New("--object, --key or --url was expected; cacheward audit objects lists the objects of a --since, --until or --route")}
			}
			o.Since, o.Until, o.Keep = x.filter.Since, x.filter.Until, x.keep()
			ctx, room, stop := withRoom(ctx)
			defer stop()
			o.Room = room
			q, err := inquiry.NewServed(o)
			if err != nil {
				return usageError{err}
			}
			stats, err := ask(ctx, x, files, reading.ScanOptions{}, q)
			if full := room.Err(); full != nil {
				return full
			}
			if err != nil {
				return err
			}
			a, err := q.Answer(x.answerOptions(stats))
			if err != nil {
				return err
			}
			return x.tell(answer{
				json: a.Document(), table: func(w io.Writer) error { return a.Text(w, x.textOptions()) }, csv: a.CSV,
				nothing: a.Objects.Len() == 0 && len(a.Leaks) == 0, incomplete: a.Incomplete,
			}, stats)
		},
	}
}

func auditAttribution() auditVerb {
	var o inquiry.AttributionOptions
	return auditVerb{
		name:  "attribution",
		usage: "[--param <name> ...] [<files...>]",
		short: "Who came with which code, whose page they were given, and what the app was told",
		long: `
Lists every request that had a parameter whose values records have in clear (the policy
calls it plain): when, which visitor, with which codes, and which stored object they were
served, if any. Of the object, it says with which codes the origin was asked for it and
with which codes the visitor came who caused that, so that it can be seen who was given
a page that was made for somebody else's code. Requests without a code are listed where
they were given such a page. With --param, values of that parameter
count that records have only as digests: equal digests are equal values. Probes are left
out, and counted: their codes are made up.

Of routes that declare attribution it rebuilds all of it. Landings: when, which visitor,
with which values and from which site, whether that counts as paid, which page, whether
a stored object was served, and whether the values were carried (cookie, beacon, both)
or why not. Conversions, the requests with which the app was told: of which landing, when
that was, and how. And the sums: landings, carried, left out by reason, cookies that were
not believed by reason, conversions, different codes, the share of landings that a stored
object was served, beacons lost. These records are all written, whatever share of the
serve records is. The landing of a conversion is looked for before --since, too.

The CSV is the whole list, one line a request and one column a parameter. Several values
of one parameter are joined by |; a | in a value stands as %7C. Where any route declares
attribution, there are more columns: kind is landing, conversion or request.

	$ cacheward audit attribution --since '2026-11-22 00:00' --format csv > attribution.csv
	$ cacheward audit attribution --param ref --route landing --limit 50
	$ cacheward audit attribution --where 'attribution.beacon_lost' --since 24h
`,
		formats: []string{"json", "csv"},
		flags: func(flags *pflag.FlagSet) {
			flags.StringArrayVar(&o.Params, "param", nil, "a parameter that has a code; again for more (default: all that records have in clear)")
		},
		run: func(ctx context.Context, x *auditor, files []string) error {
			o.Since, o.Until, o.Keep = x.filter.Since, x.filter.Until, x.keep()
			ctx, room, stop := withRoom(ctx)
			defer stop()
			o.Room = room
			q := inquiry.NewAttribution(o)
			stats, err := ask(ctx, x, files, reading.ScanOptions{}, q)
			if full := room.Err(); full != nil {
				return full
			}
			if err != nil {
				return err
			}
			a, err := q.Answer(x.answerOptions(stats))
			if err != nil {
				return err
			}
			return x.tell(answer{
				json: a.Document(), table: func(w io.Writer) error { return a.Text(w, x.textOptions()) }, csv: a.CSV,
				nothing: a.Visits.Len() == 0 && a.Landings == nil, incomplete: a.Incomplete,
			}, stats)
		},
	}
}

func auditObjects() auditVerb {
	return auditVerb{
		name:  "objects",
		usage: "[<files...>]",
		short: "Every stored page of a time: how often it was served, to how many, and what became of it",
		long: `
Lists the objects that were stored or served, those that were served most first. Probes
count as serves, not as visitors. Leaked are those of whose page a probe from outside was
given what belongs to another, at a time when they were stored or may have been in a cache
in front.

	$ cacheward audit objects --since 03:00 --route landing
	$ cacheward audit objects --where 'url.contains("/lp")' --format csv
`,
		formats: []string{"json", "csv"},
		run: func(ctx context.Context, x *auditor, files []string) error {
			ctx, room, stop := withRoom(ctx)
			defer stop()
			q := inquiry.NewObjects(inquiry.ObjectsOptions{
				Since: x.filter.Since, Until: x.filter.Until, Keep: x.keep(), Room: room,
			})
			stats, err := ask(ctx, x, files, reading.ScanOptions{}, q)
			if full := room.Err(); full != nil {
				return full
			}
			if err != nil {
				return err
			}
			a, err := q.Answer(x.answerOptions(stats))
			if err != nil {
				return err
			}
			return x.tell(answer{
				json: a.Document(), table: func(w io.Writer) error { return a.Text(w, x.textOptions()) }, csv: a.CSV,
				nothing: len(a.Objects) == 0, incomplete: a.Incomplete,
			}, stats)
		},
	}
}

// withRoom is room for what a question may hold, and a context that ends when there is
// none left. It is to be stopped.
func withRoom(ctx context.Context) (context.Context, *inquiry.Room, context.CancelFunc) {
	ctx, stop := context.WithCancel(ctx)
	// Of a gigabyte of rows, as much again must not lie about as garbage.
	before := debug.SetGCPercent(gcPercent)
	return ctx, inquiry.NewRoom(inquiry.MaxRows, stop), func() {
		stop()
		debug.SetGCPercent(before)
	}
}

// gcPercent is how much garbage there may be, in percent of what is held.
const gcPercent = 40
