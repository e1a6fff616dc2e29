package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // --tz must work on machines that have no time zones

	"github.com/mattn/go-isatty"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/cacheward/cacheward/caddymodule/audit/inquiry"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// auditor is a question as it was asked on the command line.
type auditor struct {
	verb                string
	formats             []string
	since, until, where string
	routes, edges       []string
	format, zone, color string
	limit, workers      int
	noRolled, verbose   bool
	stdin               io.Reader
	stdout, stderr      io.Writer
	now                 func() time.Time

	// What check made of it.
	filter   *reading.Filter
	location *time.Location
}

func (x *auditor) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&x.since, "since", "", "leave out what was before: 2h, 03:00, '2026-11-23 03:00'")
	flags.StringVar(&x.until, "until", "", "leave out this moment and what was after it")
	flags.StringVar(&x.where, "where", "", "an expression over the fields of a record: 'status >= 500'")
	flags.StringArrayVar(&x.routes, "route", nil, "only this route; again for more")
	flags.StringArrayVar(&x.edges, "edge", nil, "only records of this edge; again for more")
	flags.StringVar(&x.format, "format", "table", strings.Join(x.formats, ", "))
	flags.StringVar(&x.zone, "tz", "local", "time zone: local, UTC, Asia/Tokyo")
	flags.IntVar(&x.limit, "limit", 20, "how many rows a list has in a table; 0: all")
	flags.StringVar(&x.color, "color", "auto", "auto, always or never")
	flags.BoolVar(&x.noRolled, "no-rolled", false, "do not read the rolled files beside a log")
	flags.IntVar(&x.workers, "workers", 0, "how many goroutines read; 0: one for each processor")
	flags.BoolVarP(&x.verbose, "verbose", "v", false, "tell the places of all lines that were skipped, of each kind the first 20")
}

// check refuses flags that cannot be meant, and reads the others.
func (x *auditor) check() error {
	switch {
	case !slices.Contains(x.formats, x.format) && slices.Contains([]string{"json", "csv"}, x.format):
		return fmt.Errorf("--format %s: %s has no such form, only %s", x.format, x.verb, strings.Join(x.formats, ", "))
	case !slices.Contains(x.formats, x.format):
		return fmt.Errorf("--format %q; %s was expected", x.format, strings.Join(x.formats, ", "))
	case !slices.Contains([]string{"auto", "always", "never"}, x.color):
		return fmt.Errorf("--color %q; auto, always or never was expected", x.color)
	case x.limit < 0:
		return fmt.Errorf("--limit %d; 0 or a positive number was expected", x.limit)
	case x.workers < 0:
		return fmt.Errorf("--workers %d; 0 or a positive number was expected", x.workers)
	}
	var err error
	switch x.zone {
	case "local", "Local":
		x.location = time.Local
	case "":
		return errors.New("--tz is empty; local, UTC or a name such as Asia/Tokyo was expected")
	default:
		if x.location, err = time.LoadLocation(x.zone); err != nil {
			return fmt.Errorf("--tz %q is no time zone that is known here; local, UTC or a name such as Asia/Tokyo was expected", x.zone)
		}
	}
	if x.filter, err = reading.CompileFilter(x.where); err != nil {
		return fmt.Errorf("--where: %w", err)
	}
	x.filter.Routes, x.filter.Edges = x.routes, x.edges
	for _, bound := range []struct {
		flag, text string
		to         *time.Time
	}{{"--since", x.since, &x.filter.Since}, {"--until", x.until, &x.filter.Until}} {
		if bound.text == "" {
			continue
		}
		if *bound.to, err = reading.ParseTime(bound.text, x.now(), x.location); err != nil {
			return fmt.Errorf("%s: %w", bound.flag, err)
		}
	}
	if !x.filter.Until.IsZero() && !x.filter.Since.Before(x.filter.Until) {
		return fmt.Errorf("--since %s is not before --until %s", show.Time(x.filter.Since, x.location), show.Time(x.filter.Until, x.location))
	}
	return nil
}

// keep is what --where, --route and --edge say; nil: they say nothing. Questions about objects
// see to the window themselves: what became of an object may be told outside of it.
func (x *auditor) keep() func(*reading.Entry) bool {
	if x.where == "" && len(x.routes)+len(x.edges) == 0 {
		return nil
	}
	filter := *x.filter
	filter.Since, filter.Until = time.Time{}, time.Time{}
	return filter.Match
}

func (x *auditor) style() show.Style {
	if x.color != "auto" {
		return show.Style{Color: x.color == "always"}
	}
	return show.Style{Color: isTerminal(x.stdout) && os.Getenv("NO_COLOR") == ""}
}

// width of the terminal in cells, 0 where there is none.
func (x *auditor) width() int {
	f, ok := x.stdout.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return max(width, leastWidth)
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

func (x *auditor) textOptions() inquiry.TextOptions {
	return inquiry.TextOptions{Style: x.style(), Width: x.width(), Location: x.location, Limit: x.limit}
}

// answer is an answer with its forms. One that is nil, the verb does not offer.
type answer struct {
	json  any // a [show.Document] is written row by row
	table func(io.Writer) error
	csv   func(io.Writer) error
	// nothing: there is nothing to tell.
	nothing bool
	// incomplete says why there may be more than is told. The table and the JSON have it.
	incomplete []string
	// untold is how many records were lost of which the answer says nothing.
	untold int64
}

// tell writes the answer in the form that was asked for.
func (x *auditor) tell(a answer, stats *reading.Stats) error {
	x.tellMissing(a)
	var err error
	switch {
	case x.format == "json":
		document, ok := a.json.(show.Document)
		if !ok {
			document.Head = a.json
		}
		err = document.Write(x.stdout)
	case x.format == "csv":
		err = a.csv(x.stdout)
	case a.nothing:
		fmt.Fprintf(x.stderr, "cacheward audit %s: nothing matches in %s\n", x.verb, x.read(stats))
	default:
		var out bytes.Buffer
		if err = a.table(&out); err == nil {
			_, err = x.stdout.Write(out.Bytes())
		}
	}
	if err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	if a.nothing {
		return errNothing
	}
	return nil
}

// tellMissing says on standard error that there may be more than the answer tells, where
// the answer cannot: a list without a word beside it is taken for the whole, and so is none.
func (x *auditor) tellMissing(a answer) {
	if x.format == "csv" || a.nothing && x.format == "table" {
		for _, why := range a.incomplete {
			fmt.Fprintf(x.stderr, "cacheward audit %s: not complete: %s\n", x.verb, show.Safe(why))
		}
	}
	if a.untold > 0 {
		records := "records were"
		if a.untold == 1 {
			records = "record was"
		}
		fmt.Fprintf(x.stderr, "cacheward audit %s: not complete: %s %s lost in that time, because the queue of the log was full\n",
			x.verb, show.Count(a.untold), records)
	}
}

// read says what was.
func (x *auditor) read(stats *reading.Stats) string {
	lines, files := "lines", "files"
	if stats.Lines == 1 {
		lines = "line"
	}
	if stats.Files == 1 {
		files = "file"
	}
	return fmt.Sprintf("%s %s of %d %s", show.Count(stats.Lines), lines, stats.Files, files)
}
