package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/cacheward/cacheward/caddymodule/audit/inquiry"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/caddymodule/audit/report"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

func auditReport() auditVerb {
	var file, title string
	return auditVerb{
		name:  "report",
		usage: "--html <file> [<files...>] [<flags>]",
		short: "A page with charts and tables of all that, in one HTML file",
		long: `
Writes one HTML file with charts and tables: what happened, requests over time, routes,
refusals, bypasses and divergences with what to change, the pages that were served most.
It needs no network, no other file and no script, so it can be mailed, attached to a
ticket and kept. --limit says how many rows a list has. Requests of probes are left out, as
by the verbs that have these figures. A file that is there already is replaced.

	$ cacheward audit report --html report.html --since 24h
	$ cacheward audit report --html incident.html --title 'Incident of 22 November' --since 13:00 --until 16:00
	$ cacheward audit report --html - /var/log/caddy/audit.log > report.html
`,
		flags: func(flags *pflag.FlagSet) {
			flags.StringVar(&file, "html", "", "the file to write; -: standard output")
			flags.StringVar(&title, "title", "", "title of the page")
		},
		run: func(ctx context.Context, x *auditor, files []string) error {
			if file == "" {
				return usageError{errors.New("--html is missing; the name of the file to write was expected, or -")}
			}
			return x.report(ctx, file, title, files)
		},
	}
}

func (x *auditor) report(ctx context.Context, file, title string, files []string) error {
	source, err := x.open(files)
	if err != nil {
		return err
	}
	defer source.Close()
	q := report.New(report.Options{Filter: x.filter, Room: inquiry.NewRoom(inquiry.MaxRows, nil)})
	var parts []*report.Question
	stats, err := x.scan(ctx, source, reading.ScanOptions{}, func(int) func(*reading.Entry) {
		part := q.Fork()
		parts = append(parts, part)
		return part.Add
	})
	if err != nil {
		return err
	}
	for _, part := range parts {
		q.Merge(part)
	}
	a := q.Answer(x.answerOptions(stats).Unread)
	if a.Records() == 0 {
		fmt.Fprintf(x.stderr, "cacheward audit %s: nothing matches in %s; nothing was written\n", x.verb, x.read(stats))
		return errNothing
	}
	o := report.PageOptions{
		Title: title, Stats: stats, Since: x.filter.Since, Until: x.filter.Until, Asked: x.asked(), Location: x.location,
		Made: x.now(), Limit: x.limit,
	}
	for _, f := range source.Files() {
		o.Files = append(o.Files, f.Name)
	}
	var page bytes.Buffer
	if err := a.Write(&page, o); err != nil {
		return err
	}
	if file == "-" {
		if _, err := x.stdout.Write(page.Bytes()); err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
		return nil
	}
	if err := replaceFile(file, page.Bytes()); err != nil {
		return err
	}
	fmt.Fprintf(x.stdout, "%s: %s, from %s records\n", show.Safe(file), show.Bytes(int64(page.Len())), show.Count(a.Records()))
	return nil
}

// asked says which records were asked for, beside the window.
func (x *auditor) asked() string {
	var parts []string
	if len(x.routes) > 0 {
		parts = append(parts, "route "+strings.Join(x.routes, ", "))
	}
	if len(x.edges) > 0 {
		parts = append(parts, "edge "+strings.Join(x.edges, ", "))
	}
	if x.where != "" {
		parts = append(parts, "where "+x.where)
	}
	return strings.Join(parts, ", ")
}

// replaceFile writes a file whole or not at all: into another one beside it, which then
// takes its place.
func replaceFile(name string, content []byte) (err error) {
	mode := os.FileMode(0o600) // which pages were shown with which codes is not for everybody
	info, err := os.Stat(name)
	switch {
	case err != nil:
	case info.IsDir():
		return fmt.Errorf("--html %s is a folder; the name of a file was expected", name)
	case info.Mode().IsRegular():
		mode = info.Mode().Perm()
	default: // /dev/stdout, a pipe
		if err := os.WriteFile(name, content, 0o666); err != nil { //nolint:gosec // it is there already
			return fmt.Errorf("writing the report: %w", err)
		}
		return nil
	}
	if target, err := filepath.EvalSymlinks(name); err == nil {
		name = target // the link is to stay one
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		if path, ok := errors.AsType[*fs.PathError](err); ok {
			err = path.Err // the other file's name says nothing to anybody
		}
		return fmt.Errorf("writing %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
			err = fmt.Errorf("writing %s: %w", name, err)
		}
	}()
	if _, err = f.Write(content); err != nil {
		return err
	}
	if err = f.Chmod(mode); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
