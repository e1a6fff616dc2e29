package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
	"github.com/cacheward/cacheward/caddymodule/control"
)

// What cacheward objects --help says.
const (
	ObjectsUsage = "[<id> [--body]] [--route <name>] [--prefix <prefix>] [--key <key>] [--limit <number>] " + adminFlagsUsage
	ObjectsShort = "Lists what a running proxy has stored, or shows one object"
	ObjectsLong  = `
Lists the objects that the running proxy has stored, the newest first; with an ID, shows
one: its header and the digest of its body, and with --body the body itself and nothing
else.

	$ cacheward objects --route landing
	$ cacheward objects --prefix example.com/shop/ --limit 1000 --format json
	$ cacheward objects 01890a5d-ac96-774b-bcce-b302099a8057
	$ cacheward objects 01890a5d-ac96-774b-bcce-b302099a8057 --body > page.html

IDs are those of the audit log. Where a route is tripped its objects are still listed;
nobody is served them.
` + adminFlagsLong + `
Exit status: 0 if it is shown, also if nothing is stored; 2 if there is no such object, or
the proxy could not be asked.
`
)

// WireObjects makes a command of the verb objects. Exit ends it with a code.
func WireObjects(exit func(cmd *cobra.Command, code int) error) func(*cobra.Command) {
	return func(cmd *cobra.Command) {
		var q control.Objects
		flags := cmd.Flags()
		flags.StringVar(&q.Route, "route", "", "of this route")
		flags.StringVar(&q.Prefix, "prefix", "", "for URLs that begin so: example.com/shop/")
		flags.StringVar(&q.Key, "key", "", "under this key of the audit log")
		flags.IntVar(&q.Limit, "limit", control.DefaultObjects, fmt.Sprintf("how many are listed, at most %d", control.MaxObjects))
		body := flags.Bool("body", false, "with an ID: write the body and nothing else")
		wireControl(cmd, "objects", exit, func(ctx context.Context, c *controller, args []string) error {
			listing := flags.Changed("route") || flags.Changed("prefix") || flags.Changed("key") || flags.Changed("limit")
			switch {
			case len(args) > 1:
				return usageError{fmt.Errorf("unexpected argument %q: one ID was expected", args[1])}
			case len(args) == 1 && listing:
				return usageError{errors.New("an ID and --route, --prefix, --key or --limit exclude each other")}
			case len(args) == 1:
				return c.object(ctx, args[0], *body)
			case *body:
				return usageError{errors.New("--body needs the ID of an object")}
			}
			if err := q.Check(); err != nil {
				return usageError{err}
			}
			var answer control.ObjectList
			if err := c.ask(ctx, http.MethodGet, "/cacheward/objects"+listQuery(q), nil, &answer); err != nil {
				return err
			}
			return c.tell(answer, func(v view) string { return objectsText(v, answer) })
		})
	}
}

// listQuery is the question as the endpoint takes it.
func listQuery(q control.Objects) string {
	values := make(url.Values)
	for name, value := range map[string]string{"route": q.Route, "prefix": q.Prefix, "key": q.Key} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if q.Limit > 0 {
		values.Set("limit", strconv.Itoa(q.Limit))
	}
	return "?" + values.Encode()
}

// object asks for one object and shows it.
func (c *controller) object(ctx context.Context, id string, body bool) error {
	path := "/cacheward/objects/" + url.PathEscape(id)
	if body {
		path += "?body=1"
	}
	var answer control.Object
	if err := c.ask(ctx, http.MethodGet, path, nil, &answer); err != nil {
		return err
	}
	if !body || c.format == "json" {
		return c.tell(answer, func(v view) string { return objectText(v, answer) })
	}
	if len(answer.Body) == 0 && answer.Size > 0 {
		return fmt.Errorf("object %s has a body of %s, which the proxy did not give", id, show.Bytes(answer.Size))
	}
	text := string(answer.Body)
	if c.onTerminal(c.stdout) {
		text = onScreen(text)
	}
	return c.write(text)
}

// onScreen is a page as a terminal may have it: its lines, and nothing that is obeyed.
func onScreen(text string) string {
	if !utf8.ValidString(text) {
		return "(no text: write it to a file with > file)\n"
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(show.Safe(strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\t", "    ")))
		b.WriteByte('\n')
	}
	return b.String()
}

func objectsText(v view, list control.ObjectList) string {
	p := page{view: v}
	if len(list.Objects) == 0 {
		p.headline(show.Strong, "Nothing is stored that was asked for")
		return p.String()
	}
	p.objects(list.Objects)
	if list.Total > len(list.Objects) {
		p.headline(show.Dim, fmt.Sprintf("the newest %s of %s: --limit, --route, --prefix and --key choose others",
			show.Count(int64(len(list.Objects))), show.Count(int64(list.Total))))
	} else {
		p.headline(show.Dim, plural(list.Total, "object", "objects"))
	}
	return p.String()
}

// objects writes a line for each, or two where a terminal has no room for the URL.
func (p *page) objects(list []control.Object) {
	type row = control.Object
	columns := []column[row]{
		words("object", func(o row) show.Cell { return show.Colored(show.Info, o.ID) }),
		words("route", func(o row) show.Cell { return show.Text(o.Route) }),
		figures("status", func(o row) show.Cell { return show.Text(strconv.Itoa(o.Status)) }),
		figures("size", func(o row) show.Cell { return show.Text(show.Bytes(o.Size)) }),
		figures("age", func(o row) show.Cell { return show.Text(age(o)) }),
		figures("fresh for", fresh),
		words("", func(o row) show.Cell {
			if o.Unreachable {
				return show.Colored(show.Warn, "unreachable")
			}
			return show.Text("")
		}).unlessEmpty(),
	}
	address := func(o row) show.Cell {
		if o.Variants > 0 {
			return show.Text(fmt.Sprintf("%s (%s)", o.URL, plural(o.Variants, "variant", "variants")))
		}
		return show.Text(o.URL)
	}
	if whole := append(columns, words("url", address)); !p.terminal || tableWidth(whole, list) <= p.width {
		writeTable(p, whole, list)
		return
	}
	rows := page{view: p.view}
	writeTable(&rows, columns, list)
	const titles = 2
	i := -titles
	for line := range strings.Lines(rows.String()) {
		p.WriteString(line)
		if i >= 0 {
			p.WriteString("    " + show.Safe(address(list[i]).Text) + "\n")
		}
		i++
	}
}

// age is how old a response is. An index of variants has no age of its own.
func age(o control.Object) string {
	if o.Variants > 0 {
		return "–"
	}
	return show.Seconds(wholeSeconds(o.Age))
}

// fresh is for how long an object is fresh, from now.
func fresh(o control.Object) show.Cell {
	left := wholeSeconds(o.TTL)
	switch {
	case o.Variants > 0:
		return show.Text("–")
	case left <= 0:
		return show.Colored(show.Dim, "stale")
	}
	return show.Text(show.Seconds(left))
}

// wholeSeconds is what people want of more than a second.
func wholeSeconds(s float64) float64 {
	if s > 1 || s < -1 {
		return float64(int64(s))
	}
	return s
}

func objectText(v view, o control.Object) string {
	p := page{view: v}
	p.headline(show.Strong, "Object "+o.ID)
	p.fact("url", o.URL, show.Plain)
	p.fact("route", o.Route+", store "+o.Store, show.Plain)
	p.fact("key", o.Key, show.Plain)
	if o.Unreachable {
		p.fact("", "nobody is served it: its route is tripped, or is no more as it was when it was stored", show.Warn)
	}
	p.fact("fetched", p.ago(o.Fetched), show.Plain)
	left := wholeSeconds(o.TTL)
	switch {
	case o.Variants > 0:
		p.fact("variants", plural(o.Variants, "variant", "variants")+"; this is the index of them", show.Plain)
	case left > 0:
		p.fact("fresh", "for "+show.Seconds(left)+" more", show.Good)
	default:
		p.fact("fresh", "no: stale for "+show.Seconds(-left), show.Plain)
	}
	if o.Variants == 0 {
		p.fact("body", fmt.Sprintf("%s (%s bytes), BLAKE3 %s", show.Bytes(o.Size), show.Count(o.Size), o.Digest), show.Plain)
	}
	if len(o.Selecting) > 0 {
		p.fact("chosen by", strings.Join(o.Selecting, ", "), show.Plain)
	}
	p.WriteString(fmt.Sprintf("\n  %s\n", p.Paint(show.Strong, strconv.Itoa(o.Status))))
	for _, name := range slices.Sorted(maps.Keys(o.Header)) {
		for _, line := range o.Header[name] {
			p.WriteString("  " + p.Paint(show.Info, name) + ": " + show.Safe(line) + "\n")
		}
	}
	p.WriteByte('\n')
	p.next("who was served it", "cacheward", "audit", "served", "--object", o.ID)
	p.next("drop it", "cacheward", "purge", "--key", o.Key)
	return p.String()
}
