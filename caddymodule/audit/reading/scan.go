package reading

import (
	"context"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// MaxLine is how many bytes a line may have; longer ones are skipped.
const MaxLine = 1 << 20

// blockSize is how much a worker is given at once.
const blockSize = 2 << 20

// progressEvery is how often progress is told.
const progressEvery = 50 * time.Millisecond

// Fields names parts of an [Entry] that a brief scan leaves out unless asked.
type Fields uint8

// The fields that can be asked for.
const (
	FieldURL         Fields = 1 << iota // Entry.URL
	FieldHost                           // Entry.Host
	FieldAttribution                    // Entry.Attribution
)

// ScanOptions for [Source.Scan]. The zero value reads everything.
type ScanOptions struct {
	// Workers is how many goroutines decode. Default: GOMAXPROCS.
	Workers int

	// Brief leaves out of the entries what counting does not need: they have Time,
	// Schema, Edge, Event, Route, Outcome, Would, Reasons, Key, Object, Size, Status,
	// Duration, Visitor, Probe, ServesPct and Records, those that Fields names, and other
	// numbers and times. The filter sees all fields nevertheless.
	Brief  bool
	Fields Fields

	// Filter says which records are handed on. Nil: all.
	Filter *Filter

	// Progress, if set, is called by one goroutine, every 50 ms and once at the end,
	// with how many bytes of the files, as they lie there, are read, and of how many.
	// A file may have grown since it was opened. The total is 0 when it is not known,
	// as with standard input.
	Progress func(done, total int64)

	// for tests: smaller limits
	blockSize, maxLine int
}

func (o *ScanOptions) complete() {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.blockSize <= 0 {
		o.blockSize = blockSize
	}
	if o.maxLine <= 0 {
		o.maxLine = MaxLine
	}
}

// Scan reads all files. start is called for each worker, one after the other, and gives
// the function that this worker hands its records to, one at a time. Between workers
// there is no order; one worker alone hands them on as they lie in the files.
//
// Lines that are no records are counted and skipped. It fails when a file cannot be read
// or ctx ends; the Stats are then of what was read until then. Files can be scanned
// again, streams cannot.
func (s *Source) Scan(ctx context.Context, o ScanOptions, start func(worker int) func(*Entry)) (Stats, error) {
	o.complete()
	sc := scan{source: s, options: o, blocks: make(chan *block, o.Workers)}
	sc.free.New = func() any { return new(block) }
	stopped := sc.reportProgress()

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return sc.readAll(ctx) })
	for i := range o.Workers {
		found := start(i)
		group.Go(func() error { return sc.decodeAll(ctx, found) })
	}
	err := group.Wait()
	stopped()
	return sc.stats, err
}

// scan is one run over the files.
type scan struct {
	source  *Source
	options ScanOptions
	blocks  chan *block
	free    sync.Pool    // of *block
	next    atomic.Int64 // file to be read
	done    atomic.Int64 // bytes read

	mu    sync.Mutex
	stats Stats
}

// add counts what one goroutine came across.
func (sc *scan) add(stats *Stats) {
	sc.mu.Lock()
	defer sc.mu.Unlock()
	sc.stats.merge(stats)
}

// readAll cuts the files into blocks, several files at a time: one goroutine would
// decompress more slowly than the others decode.
func (sc *scan) readAll(ctx context.Context) error {
	defer close(sc.blocks)
	readers, ctx := errgroup.WithContext(ctx)
	for range min(sc.options.Workers, len(sc.source.files)) {
		readers.Go(func() error {
			var stats Stats
			defer sc.add(&stats)
			for {
				i := int(sc.next.Add(1)) - 1
				if i >= len(sc.source.files) {
					return nil
				}
				if err := sc.readFile(ctx, i, &stats); err != nil {
					return err
				}
			}
		})
	}
	return readers.Wait()
}

func (sc *scan) readFile(ctx context.Context, i int, stats *Stats) error {
	file := sc.source.files[i]
	r := file.reader()
	if file.stream != nil {
		r = untilDone(ctx, r)
	}
	in, err := newInput(r, &sc.done)
	if err != nil {
		return plainError(file.Name, err)
	}
	defer in.close()
	stats.Files++
	cut := cutter{
		file: i, name: file.Name, in: in, line: 1,
		size: sc.options.blockSize, maxLine: sc.options.maxLine,
	}
	for {
		b := sc.free.Get().(*block)
		more, err := cut.next(b, stats)
		if err != nil || !more {
			return err
		}
		select {
		case sc.blocks <- b:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// untilDone reads the stream until ctx ends: then it fails at once, also if the stream has
// nothing to read and will not say so.
func untilDone(ctx context.Context, stream io.Reader) io.Reader {
	r, w := io.Pipe()
	context.AfterFunc(ctx, func() { _ = w.CloseWithError(context.Cause(ctx)) })
	go func() {
		_, err := io.Copy(w, stream)
		_ = w.CloseWithError(err)
	}()
	return r
}

// decodeAll is a worker.
func (sc *scan) decodeAll(ctx context.Context, found func(*Entry)) error {
	w := worker{options: &sc.options, found: found}
	w.keeper.brief, w.keeper.asked = sc.options.Brief, sc.options.Fields
	defer func() { sc.add(&w.stats) }()
	for b := range sc.blocks {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		w.block(b)
		sc.free.Put(b)
	}
	return nil
}

// reportProgress tells how far the reading is until the function that it returns is
// called.
func (sc *scan) reportProgress() (stop func()) {
	tell := sc.options.Progress
	if tell == nil {
		return func() {}
	}
	total := sc.source.size()
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(progressEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				tell(sc.done.Load(), total)
			case <-quit:
				tell(sc.done.Load(), total)
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
	}
}

// size of all files as they lie there, 0 if it is not known of one.
func (s *Source) size() int64 {
	total := int64(0)
	for _, f := range s.files {
		if f.Size < 0 {
			return 0
		}
		total += f.Size
	}
	return total
}
