package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/cacheward/cacheward/caddymodule/audit/inquiry"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// defaultLog is read when no file is named.
const defaultLog = "audit.log"

// question is what each worker of a scan has one of.
type question[Q any] interface {
	Add(*reading.Entry)
	Merge(Q)
	Fork() Q
}

// ask reads the files and puts what was found into q.
func ask[Q question[Q]](ctx context.Context, x *auditor, files []string, o reading.ScanOptions, q Q) (*reading.Stats, error) {
	source, err := x.open(files)
	if err != nil {
		return nil, err
	}
	var parts []Q
	stats, err := x.scan(ctx, source, o, func(int) func(*reading.Entry) {
		part := q.Fork()
		parts = append(parts, part)
		return part.Add
	})
	if err != nil {
		return nil, err
	}
	for i, part := range parts {
		q.Merge(part)
		var none Q
		parts[i] = none // it may be large
	}
	return stats, nil
}

// open finds the logs.
func (x *auditor) open(files []string) (*reading.Source, error) {
	if len(files) == 0 {
		log, err := x.defaultFile()
		if err != nil {
			return nil, err
		}
		files = []string{log}
	}
	return reading.Open(files, x.stdin, reading.Options{NoRolled: x.noRolled})
}

func (x *auditor) defaultFile() (string, error) {
	if _, err := os.Stat(defaultLog); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no %s here; name the log, a folder, a pattern, or - for standard input: cacheward audit %s /var/log/caddy/audit.log",
			defaultLog, x.verb)
	}
	return defaultLog, nil
}

// scan reads the files, with a progress bar, and says what was skipped.
func (x *auditor) scan(ctx context.Context, source *reading.Source, o reading.ScanOptions, start func(int) func(*reading.Entry)) (*reading.Stats, error) {
	if o.Workers == 0 {
		o.Workers = x.workers
	}
	bar := x.newProgress()
	o.Progress = bar.update
	stats, err := source.Scan(ctx, o, start)
	bar.end()
	if err != nil {
		return nil, err
	}
	x.tellSkipped(&stats)
	x.tellClocks(&stats)
	return &stats, nil
}

// tellClocks says on standard error whose clock is off, as far as the records of several
// edges tell: what they say of when is not changed.
func (x *auditor) tellClocks(stats *reading.Stats) {
	for _, k := range stats.Skews() {
		fmt.Fprintf(x.stderr, "cacheward audit %s: note: %s; its records have the times of its own\n", x.verb, show.Safe(skewWords(k)))
	}
}

// skewWords say whose clock is off, and by how much.
func skewWords(k reading.Skew) string {
	way, others, last := "behind", k.Others[:len(k.Others)-1], k.Others[len(k.Others)-1]
	if k.Ahead {
		way = "ahead of"
	}
	whose := "edge " + last + "'s"
	if len(others) > 0 {
		whose = "those of the edges " + strings.Join(others, ", ") + " and " + last
	}
	return fmt.Sprintf("edge %s's clock is at least %s %s %s", k.Edge, show.Duration(k.By), way, whose)
}

// few places of skipped lines are told without --verbose.
const few = 3

// tellSkipped says on standard error which lines were no records.
func (x *auditor) tellSkipped(stats *reading.Stats) {
	var kinds, places, more []string
	for _, k := range reading.AllKinds() {
		n := stats.Skipped(k)
		if n == 0 {
			continue
		}
		kinds = append(kinds, show.Count(n)+" "+k.String())
		for _, p := range stats.Positions(k) {
			place := fmt.Sprintf("%s:%d", p.File, p.Line)
			if len(places) < few {
				places = append(places, place)
			}
			more = append(more, fmt.Sprintf("  %s, byte %d: %s", place, p.Offset, k))
		}
	}
	if len(kinds) == 0 {
		return
	}
	defer x.tellForm(stats)
	if x.verbose {
		fmt.Fprintf(x.stderr, "cacheward audit %s: skipped or odd: %s\n", x.verb, strings.Join(kinds, ", "))
		for _, line := range more {
			fmt.Fprintln(x.stderr, "  "+show.Safe(strings.TrimSpace(line)))
		}
		return
	}
	hint := ""
	if len(more) > len(places) {
		hint = ", ...; --verbose tells more"
	}
	fmt.Fprintf(x.stderr, "cacheward audit %s: skipped or odd: %s (%s%s)\n", x.verb, strings.Join(kinds, ", "),
		show.Safe(strings.Join(places, ", ")), hint)
}

// tellForm says what to do about a log whose lines have another form than Caddy's JSON. A
// log may be other people's as well, so that most of its lines are no records; but some are.
func (x *auditor) tellForm(stats *reading.Stats) {
	unreadable := stats.Skipped(reading.NotJSON) + stats.Skipped(reading.Mistyped)
	if stats.Records == 0 {
		unreadable += stats.Skipped(reading.Foreign)
	}
	if 2*unreadable > stats.Lines {
		fmt.Fprintf(x.stderr, "cacheward audit %s: most lines cannot be read as records: the audit log must have format json in its options, with the default keys (ts, msg)\n", x.verb)
	}
}

// answerOptions are for questions that must say what they cannot know.
func (x *auditor) answerOptions(stats *reading.Stats) inquiry.AnswerOptions {
	o := inquiry.AnswerOptions{Location: x.location}
	for _, k := range reading.AllKinds() {
		if n := stats.Skipped(k); k.Damage() && n > 0 {
			o.Unread = append(o.Unread, fmt.Sprintf("%s of the log could not be read (%s): what was told there is missing", placesOf(n), k))
		}
	}
	if x.since == "" && x.until == "" {
		return o
	}
	for _, k := range stats.Skews() {
		o.Unread = append(o.Unread, skewWords(k)+", and --since and --until are taken by each edge's own: make the time longer by as much")
	}
	return o
}

func placesOf(n int64) string {
	if n == 1 {
		return "1 place"
	}
	return show.Count(n) + " places"
}
