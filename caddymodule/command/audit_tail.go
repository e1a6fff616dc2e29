package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

func auditTail() auditVerb {
	follow, last := true, 10
	return auditVerb{
		name:  "tail",
		usage: "[-n <records>] [--follow=false] [<file>|-]",
		short: "The latest decisions, and the next ones as they are taken, one line each",
		long: `
Shows the last records of a log and goes on with new ones as they are written, also when
the log is rolled: when, the outcome or the event, route, status, how long the object is
still fresh and how old it is, the visitor, the URL, and the reason with what it means.
A leak that a probe has found is told whole, in several lines on a narrow terminal.
Ctrl-C ends it. Standard input is read to its end, and not followed.

	$ cacheward audit tail
	$ cacheward audit tail -n 50 --follow=false
	$ cacheward audit tail --where 'outcome != "hit"' --route landing
	$ cacheward audit tail --format json | jq .url
	$ journalctl -u caddy -o cat --since today | cacheward audit tail -
`,
		formats: []string{"json"},
		flags: func(flags *pflag.FlagSet) {
			flags.BoolVarP(&follow, "follow", "f", true, "go on with new records; with a single file, uncompressed")
			flags.IntVarP(&last, "last", "n", 10, "begin with so many of the records that are there")
		},
		run: func(ctx context.Context, x *auditor, files []string) error {
			if last < 0 {
				return usageError{fmt.Errorf("--last %d; 0 or a positive number was expected", last)}
			}
			t := newTailer(x)
			switch {
			case !follow, slices.Equal(files, []string{"-"}):
				return t.latest(ctx, files, last)
			}
			return t.follow(ctx, files, last)
		},
	}
}

// tailer writes records as they come. The first error of writing ends it.
type tailer struct {
	x      *auditor
	line   func(*reading.Entry) string
	layout *tailLine // nil: records are told as they are
	err    error
	stop   context.CancelFunc
	told   int
}

func newTailer(x *auditor) *tailer {
	t := &tailer{x: x, stop: func() {}}
	if x.format == "json" {
		t.line = jsonLine
	} else {
		t.layout = newTailLine(x.style(), x.width(), x.location)
		t.line = t.layout.text
	}
	return t
}

func (t *tailer) tell(e *reading.Entry) {
	if t.err != nil {
		return
	}
	t.told++
	if _, t.err = fmt.Fprintln(t.x.stdout, t.line(e)); t.err != nil {
		t.stop()
	}
}

// follow shows the end of a file and what is written to it.
func (t *tailer) follow(ctx context.Context, files []string, last int) error {
	switch {
	case len(files) > 1:
		return usageError{fmt.Errorf("unexpected argument %q: one file can be followed; --follow=false shows the end of several", files[1])}
	case len(files) == 0:
		log, err := t.x.defaultFile()
		if err != nil {
			return err
		}
		files = []string{log}
	}
	if info, err := os.Stat(files[0]); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder: name the file to follow, or see its end with --follow=false", files[0])
	} else if errors.Is(err, fs.ErrNotExist) && strings.ContainsAny(files[0], "*?[") {
		return fmt.Errorf("%s: a pattern cannot be followed: name the file", files[0])
	}
	ctx, t.stop = context.WithCancel(ctx)
	defer t.stop()
	err := reading.Follow(ctx, files[0], reading.FollowOptions{Last: last, Filter: t.x.filter}, t.tell)
	if t.err != nil {
		return t.err
	}
	return err
}

// latest shows the last records of what is there.
func (t *tailer) latest(ctx context.Context, files []string, last int) error {
	source, err := t.x.open(files)
	if err != nil {
		return err
	}
	kept := latestOf{last: last, edges: make(map[string]*ring)}
	keep := kept.add
	// One worker keeps the order.
	_, err = t.x.scan(ctx, source, reading.ScanOptions{Workers: 1, Filter: t.x.filter}, func(int) func(*reading.Entry) { return keep })
	if err != nil {
		return err
	}
	if t.layout != nil {
		t.layout.edges = len(kept.edges) > 1
	}
	entries := kept.entries()
	for i := range entries {
		t.tell(&entries[i])
	}
	return t.ended(nil)
}

// ended is how a tail that has an end ends.
func (t *tailer) ended(err error) error {
	switch {
	case t.err != nil:
		return t.err
	case err != nil:
		return err
	case t.told == 0:
		return errNothing
	}
	return nil
}
