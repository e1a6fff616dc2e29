package report

import (
	"fmt"
	"io"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit/inquiry"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

// Options say what a report is about.
type Options struct {
	// Filter says which records count. Nil: all. Of those outside of its window only
	// what became of objects is read.
	Filter *reading.Filter
	// Room bounds how many visitors of objects are told apart; beyond, the objects are
	// left out of the report. Nil: no bound.
	Room *inquiry.Room
}

// Question is all that a report tells, asked at once. Add, Merge and Fork are those of
// the questions of package inquiry.
type Question struct {
	options     Options
	summary     *inquiry.Summary
	timeline    *inquiry.Timeline
	refusals    *inquiry.Reasons
	bypasses    *inquiry.Reasons
	divergences *inquiry.Reasons
	objects     *inquiry.Objects
	sampled     float64 // the smallest share of serve records that was written, in percent; 0: all
}

// New returns the question.
func New(o Options) *Question {
	objects := inquiry.ObjectsOptions{Room: o.Room}
	if f := o.Filter; f != nil {
		// The window is not for the objects' ends: these may come after it.
		anytime := *f
		anytime.Since, anytime.Until = time.Time{}, time.Time{}
		objects.Since, objects.Until, objects.Keep = f.Since, f.Until, anytime.Match
	}
	timeline, _ := inquiry.NewTimeline(0) // fails only for lengths that are no whole seconds
	return &Question{
		options: o, summary: inquiry.NewSummary(), timeline: timeline, refusals: inquiry.NewRefusals(),
		bypasses: inquiry.NewBypasses(), divergences: inquiry.NewDivergences(), objects: inquiry.NewObjects(objects),
	}
}

// Fork returns the same question with nothing read, for another worker.
func (q *Question) Fork() *Question {
	fork := New(q.options)
	fork.objects = q.objects.Fork()
	return fork
}

// Add takes note of a record.
func (q *Question) Add(e *reading.Entry) {
	q.objects.Add(e)
	if q.options.Filter != nil && !q.options.Filter.Match(e) {
		return
	}
	q.summary.Add(e)
	q.timeline.Add(e)
	q.refusals.Add(e)
	q.bypasses.Add(e)
	q.divergences.Add(e)
	q.sample(e.ServesPct)
}

func (q *Question) sample(percent float64) {
	if percent > 0 && percent < 100 && (q.sampled == 0 || percent < q.sampled) {
		q.sampled = percent
	}
}

// Merge adds what another worker has read.
func (q *Question) Merge(o *Question) {
	q.summary.Merge(o.summary)
	q.timeline.Merge(o.timeline)
	q.refusals.Merge(o.refusals)
	q.bypasses.Merge(o.bypasses)
	q.divergences.Merge(o.divergences)
	q.objects.Merge(o.objects)
	q.sample(o.sampled)
}

// PageOptions say how the page is written.
type PageOptions struct {
	// Title of the page. Default: Cacheward audit report.
	Title string
	// Files that were read, by name.
	Files []string
	// Stats of the reading.
	Stats *reading.Stats
	// Window that was asked for; a zero time leaves that side open.
	Since, Until time.Time
	// Asked says in words which records were asked for, beside the window.
	Asked string
	// Location of the times. Nil: UTC.
	Location *time.Location
	// Made is when the report was made. Zero: it does not say.
	Made time.Time
	// Limit is how many rows a list has at most. 0, or more than MaxRows: MaxRows.
	Limit int
}

// MaxRows is how many rows a list has, whatever was asked for: a browser must bear it.
const MaxRows = 1000

// Answer is all that was found.
type Answer struct {
	summary                         *inquiry.SummaryAnswer
	timeline                        *inquiry.TimelineAnswer
	refusals, bypasses, divergences *inquiry.ReasonsAnswer
	objects                         *inquiry.ObjectsAnswer
	noObjects                       string // why the objects are left out
	sampled                         float64
}

// Answer ends the question. Unread says in words what could not be read.
func (q *Question) Answer(unread []string) *Answer {
	a := &Answer{
		summary: q.summary.Answer(), timeline: q.timeline.Answer(), refusals: q.refusals.Answer(),
		bypasses: q.bypasses.Answer(), divergences: q.divergences.Answer(), sampled: q.sampled,
	}
	var err error
	if a.objects, err = q.objects.Answer(inquiry.AnswerOptions{Unread: unread}); err != nil {
		a.objects, a.noObjects = &inquiry.ObjectsAnswer{}, err.Error()
	}
	return a
}

// Records is how many records the report is made from.
func (a *Answer) Records() int64 { return a.summary.Records }

// Write writes the page.
func (a *Answer) Write(w io.Writer, o PageOptions) error {
	if err := document.Execute(w, newPage(a, o)); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}
