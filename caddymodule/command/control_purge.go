package command

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
	"github.com/cacheward/cacheward/caddymodule/control"
)

// What cacheward purge --help says.
const (
	PurgeUsage = "(--url <url> | --key <key> | --route <name> | --tag <tag> | --prefix <prefix> | --all) [--soft] [--reason <text>] [--by <name>] " + adminFlagsUsage
	PurgeShort = "Drops stored responses of a running proxy"
	PurgeLong  = `
Drops what the running proxy has stored, and looks through the store again to see that it
is gone. What was asked of the origin before the purge is not stored after it. Exactly one
of these says what:

	$ cacheward purge --url https://example.com/page   every variant, on http and https
	$ cacheward purge --prefix example.com/shop/       a path and what is below it
	$ cacheward purge --prefix 'example.com/shop*'     /shopping as well
	$ cacheward purge --route landing                  what a route has stored
	$ cacheward purge --tag product-17                 a Cache-Tag or Surrogate-Key
	$ cacheward purge --key 0b1e55ed0badcafe           one key of the audit log
	$ cacheward purge --all --reason 'new release'

With --soft the objects are not dropped but made stale: each is validated before it is
served again, or served once more where the route allows stale responses. That is for
content that has changed, never for a leak.

Who purged and why is recorded in the audit log. Caches further on (a CDN, browsers) keep
the copies that they have been given: purge the CDN after this.
` + fleetLong + adminFlagsLong + `
Exit status: 0 if it is done and proved; 1 if only in part, or if that is not known, or if an
edge has not confirmed it that is not silent; 2 if nothing was done.
`
)

// WirePurge makes a command of the verb purge. Exit ends it with a code.
func WirePurge(exit func(cmd *cobra.Command, code int) error) func(*cobra.Command) {
	return func(cmd *cobra.Command) {
		var q control.Purge
		flags := cmd.Flags()
		flags.StringVar(&q.URL, "url", "", "drop what requests for this URL would be served")
		flags.StringVar(&q.Key, "key", "", "drop what is stored under this key of the audit log")
		flags.StringVar(&q.Route, "route", "", "drop what this route has stored")
		flags.StringVar(&q.Tag, "tag", "", "drop what the origin gave this tag")
		flags.StringVar(&q.Prefix, "prefix", "", "drop what is stored for URLs that begin so: example.com/shop/")
		flags.BoolVar(&q.All, "all", false, "drop everything")
		flags.BoolVar(&q.Soft, "soft", false, "make stale instead of dropping; not for leaks")
		flags.StringVar(&q.Why, "reason", "", "why, for the audit log")
		flags.StringVar(&q.By, "by", "", "who, for the audit log (default you@this-host)")
		wireControl(cmd, "purge", exit, func(ctx context.Context, c *controller, args []string) error {
			if err := noArguments(args); err != nil {
				return err
			}
			q.By = cmp.Or(q.By, whoami())
			if err := q.Check(); err != nil {
				return usageError{err}
			}
			var answer control.Purged
			if err := c.ask(ctx, http.MethodPost, "/cacheward/purge", q, &answer); err != nil {
				return err
			}
			if err := c.tell(answer, func(v view) string { return purgedText(v, q, answer) }); err != nil {
				return err
			}
			if !complete(answer) || !delivered(answer.Fleet) {
				return errPart
			}
			return nil
		})
	}
}

// complete says whether a purge did what was asked for, and proved it.
func complete(r control.Purged) bool {
	for _, s := range r.Stores {
		if s.Left > 0 {
			return false
		}
	}
	return r.Verified && len(r.Problems) == 0
}

func purgedText(v view, q control.Purge, r control.Purged) string {
	p := page{view: v}
	looked, left := 0, 0
	for _, s := range r.Stores {
		looked, left = looked+s.Looked, left+s.Left
	}
	done := "dropped"
	if r.Soft {
		done = "made stale"
	}
	counted := fmt.Sprintf("%s %s, %s looked at", plural(r.Removed, "stored response", "stored responses"), done, show.Count(int64(looked)))
	switch {
	case !complete(r):
		p.alarm("THE PURGE IS NOT COMPLETE: "+r.Scope, counted)
	case !delivered(r.Fleet):
		p.alarm("THE PURGE IS NOT CONFIRMED BY EVERY EDGE: "+r.Scope, counted+" on this one")
	case r.Removed == 0:
		p.headline(show.Strong, "Purged "+r.Scope+": nothing of it was stored")
		p.fact("looked at", plural(looked, "stored response", "stored responses"), show.Plain)
	default:
		p.headline(show.Strong, "Purged "+r.Scope)
		p.fact("done", counted, show.Plain)
	}
	switch {
	case left > 0:
		p.fact("proved", fmt.Sprintf("nothing: looked through again, %s left", show.Count(int64(left))), show.Bad)
	case !complete(r):
		p.fact("proved", "nothing", show.Bad)
	case r.Soft:
		p.fact("proved", "looked through again: none of them is fresh", show.Good)
	default:
		p.fact("proved", "looked through again: none left; what was asked of the origin before is not stored after", show.Good)
	}
	p.delivery(r.Fleet)
	p.notes(r.Notes, r.Problems)
	if len(r.Stores) > 1 || left > 0 {
		p.WriteByte('\n')
		p.purgedStores(r, done)
		p.WriteByte('\n')
	}
	p.afterPurge(q, r)
	return p.String()
}

func (p *page) purgedStores(r control.Purged, done string) {
	type row = control.PurgedStore
	writeTable(p, []column[row]{
		words("store", func(s row) show.Cell { return show.Text(s.Store) }).flexible(),
		figures("looked at", func(s row) show.Cell { return figure(s.Looked, show.Plain) }),
		figures(done, func(s row) show.Cell { return figure(s.Removed, show.Plain) }),
		figures("left", func(s row) show.Cell { return figure(s.Left, show.Bad) }),
	}, r.Stores)
}

// afterPurge says what is left to do.
func (p *page) afterPurge(q control.Purge, r control.Purged) {
	if !complete(r) {
		p.next("ask again; until it is complete, stop caching", append([]string{"cacheward", "trip"}, append(routeFlag(q.Route), "--reason", "…")...)...)
		return
	}
	if r.Removed == 0 && strings.Contains(q.URL+q.Prefix, "=h:") {
		p.next("h:… stands for a value in the audit log and is none: purge by the record's key, or the path", "cacheward", "purge", "--key", "…")
		return
	}
	if at, err := url.Parse(q.URL); err == nil && q.URL != "" && r.Removed == 0 {
		p.next("what is stored at this path", "cacheward", "objects", "--prefix", at.Host+at.EscapedPath())
	}
	p.next("purge the CDN as well: it and browsers keep the copies that they have been given")
	if r.Soft {
		return
	}
	const leak = "if it was a leak: who was served it"
	switch {
	case q.Key != "":
		p.next(leak, "cacheward", "audit", "served", "--key", q.Key)
	case q.URL != "":
		p.next(leak, "cacheward", "audit", "served", "--url", q.URL)
	case q.Route != "":
		p.next(leak, "cacheward", "audit", "objects", "--route", q.Route)
	default:
		p.next(leak, "cacheward", "audit", "objects")
	}
}
