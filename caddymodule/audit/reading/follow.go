package reading

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"
)

// FollowOptions for [Follow]. The zero value begins at the end of the file.
type FollowOptions struct {
	// Last is how many of the records that are there already come first.
	Last int
	// Filter says which records are handed on, and counted for Last. Nil: all.
	Filter *Filter
	// Skipped, if set, is called for each line that is no record.
	Skipped func(Kind)
	// Interval of looking for more. Default: 200 ms.
	Interval time.Duration
}

// followEvery is the default interval.
const followEvery = 200 * time.Millisecond

// Follow hands on the records of a log as they are written, until ctx ends, over
// rotation: when the file is renamed and made anew, or truncated. A line that is half
// written is waited for; if it never ends, for the file was rolled, it is [Torn].
//
// It returns nil when ctx ended, and an error when the file cannot be read or is
// compressed. found and Skipped are called by the caller's goroutine.
func Follow(ctx context.Context, path string, o FollowOptions, found func(*Entry)) error {
	if o.Interval <= 0 {
		o.Interval = followEvery
	}
	f := follower{path: path, options: o, found: found}
	if err := f.begin(); err != nil {
		return plainError(path, err)
	}
	defer func() { _ = f.file.Close() }()
	ticker := time.NewTicker(o.Interval)
	defer ticker.Stop()
	for {
		if err := f.turn(ctx); err != nil {
			return plainError(path, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// follower is where the following of a log has got to.
type follower struct {
	path    string
	options FollowOptions
	found   func(*Entry)

	file   *os.File
	offset int64
	// rest is the beginning of a line; tooLong: of one whose beginning was dropped.
	rest    []byte
	tooLong bool

	buffer []byte
	line   line
	keeper keeper
}

// begin opens the file and finds where to start.
func (f *follower) begin() error {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("no such file")
	}
	if err != nil {
		return err
	}
	f.file, f.buffer = file, make([]byte, 64<<10)
	if err = f.start(); err != nil {
		_ = file.Close()
	}
	return err
}

func (f *follower) start() error {
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("only a file can be followed")
	}
	magic := make([]byte, 4)
	n, _ := f.file.ReadAt(magic, 0)
	if magic = magic[:n]; zstdMagic(magic) || gzipMagic(magic) {
		return errors.New("a compressed file cannot be followed; only the log that is being written can")
	}
	f.offset, err = f.lastLines(info.Size())
	return err
}

// turn reads what is new, and goes over to the new file if there is one.
func (f *follower) turn(ctx context.Context) error {
	// Asked before the old file is read to its end: whoever rolls it has done with it
	// before the new one is there.
	now, err := os.Stat(f.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	gone := err != nil // being rolled: the new one is not there yet
	if err := f.read(ctx); err != nil {
		return err
	}
	if gone || ctx.Err() != nil {
		return nil
	}
	held, err := f.file.Stat()
	if err != nil {
		return err
	}
	switch {
	case !os.SameFile(held, now):
		return f.reopen(ctx)
	case held.Size() < f.offset:
		f.restart()
		return f.read(ctx)
	}
	return nil
}

// reopen goes on with the file that has taken the log's name.
func (f *follower) reopen(ctx context.Context) error {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // rolled once more: the next turn sees
	}
	if err != nil {
		return err
	}
	_ = f.file.Close()
	f.file = file
	f.restart()
	return f.read(ctx)
}

// restart goes to the beginning of the file. A line that was begun will not be ended.
func (f *follower) restart() {
	if len(f.rest) > 0 && !f.tooLong && f.one(f.rest) == NotJSON {
		f.skipped(Torn)
	}
	f.offset, f.rest, f.tooLong = 0, f.rest[:0], false
}

// read hands on all lines that are there.
func (f *follower) read(ctx context.Context) error {
	for ctx.Err() == nil {
		n, err := f.file.ReadAt(f.buffer, f.offset)
		f.offset += int64(n)
		f.take(f.buffer[:n])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
