package reading

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Options for [Open]. The zero value is valid.
type Options struct {
	// NoRolled leaves out the rolled files beside a log that is named.
	NoRolled bool
}

// File is one file of a source.
type File struct {
	// Name as it was given or found; "-" is standard input.
	Name string
	// Size in bytes as it lies there, -1 if that is not known.
	Size int64
	// First is the time of the first record; zero if there is none near the file's
	// beginning, or the file is a stream.
	First time.Time

	info fs.FileInfo
	// firstLine is the first record's line: two files that begin with the same record
	// are one log, rolled or compressed in between.
	firstLine []byte
	// file stays open: by the time it is read, the log may have been rolled.
	file *os.File
	// stream is read once, from where it is.
	stream io.Reader
}

// Source is a set of log files, in the order of their first records.
type Source struct {
	files []*File
}

// Files of the source in the order of reading; streams come last.
func (s *Source) Files() []File {
	files := make([]File, len(s.files))
	for i, f := range s.files {
		files[i] = *f
	}
	return files
}

// Close closes the files.
func (s *Source) Close() error {
	var errs []error
	for _, f := range s.files {
		if f.file != nil {
			errs = append(errs, f.file.Close())
		}
	}
	return errors.Join(errs...)
}

// Open finds the logs that the patterns name: files, directories (the files in them
// whose name has .log or .json in it), globs, and "-" for stdin. Beside a log that is
// named, the files that Caddy rolled it into are read too. What is named twice is read
// once. The error has one line for each pattern that names nothing.
//
// The files stay open, so that one that is rolled in the meantime is read all the same.
// The caller closes the Source.
func Open(patterns []string, stdin io.Reader, o Options) (*Source, error) {
	f := finder{stdin: stdin, options: o}
	var errs []error
	for _, pattern := range patterns {
		if err := f.find(pattern); err != nil {
			errs = append(errs, err)
		}
	}
	s := &Source{files: f.files}
	for _, file := range f.files {
		if err := file.peek(); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		_ = s.Close()
		return nil, err
	}
	s.order()
	return s, nil
}

// order sorts the files by their first record and drops the second of two files of one
// log that begin with the same one: it was being rolled or compressed while it was
// looked for.
func (s *Source) order() {
	slices.SortStableFunc(s.files, func(a, b *File) int {
		return cmp.Compare(a.rank(), b.rank())
	})
	seen := map[string]bool{}
	s.files = slices.DeleteFunc(s.files, func(f *File) bool {
		id := logOf(f.Name) + "\n" + string(f.firstLine)
		twin := seen[id]
		if seen[id] = len(f.firstLine) > 0; twin {
			_ = f.file.Close()
		}
		return twin
	})
	slices.SortStableFunc(s.files, func(a, b *File) int {
		if a.stream != nil || b.stream != nil {
			return cmp.Compare(a.rank(), b.rank())
		}
		return a.First.Compare(b.First)
	})
}

// rank puts a log before the file that it was rolled into, and that before its
// compressed form: the former are sure to be whole. Streams come last.
func (f *File) rank() int {
	switch {
	case f.stream != nil:
		return 3
	case compressedName(f.Name):
		return 2
	case rolledName(f.Name):
		return 1
	}
	return 0
}

// finder collects files.
type finder struct {
	options Options
	stdin   io.Reader
	files   []*File
}

func (f *finder) find(pattern string) error {
	if pattern == "-" {
		if f.stdin == nil {
			return errors.New("-: there is no standard input to read")
		}
		if !slices.ContainsFunc(f.files, func(file *File) bool { return file.Name == "-" }) {
			f.files = append(f.files, &File{Name: "-", Size: -1, stream: f.stdin})
		}
		return nil
	}
	info, err := os.Stat(pattern)
	switch {
	case err == nil && info.IsDir():
		return f.directory(pattern)
	case err == nil:
		return f.log(pattern)
	case !errors.Is(err, fs.ErrNotExist):
		return plainError(pattern, err)
	case strings.ContainsAny(pattern, "*?["):
		return f.glob(pattern)
	}
	// It may be between the two steps of being rolled.
	if found, err := f.rolled(pattern); err != nil || found > 0 {
		return err
	}
	return fmt.Errorf("%s: no such file", pattern)
}

// log adds a file that is named, after those that it was rolled into. The file itself
// is opened first, so that it cannot be rolled away in between.
func (f *finder) log(name string) error {
	if err := f.add(name); err != nil {
		return err
	}
	_, err := f.rolled(name)
	return err
}

// rolled adds the files that the log was rolled into.
func (f *finder) rolled(name string) (found int, err error) {
	if f.options.NoRolled {
		return 0, nil
	}
	directory := filepath.Dir(name)
	entries, err := os.ReadDir(directory)
	if err != nil {
		return 0, nil //nolint:nilerr // the log is readable, its directory need not be
	}
	for _, entry := range entries {
		if entry.IsDir() || !rolledFrom(entry.Name(), filepath.Base(name)) {
			continue
		}
		if err := f.add(filepath.Join(directory, entry.Name())); err != nil {
			return found, err
		}
		found++
	}
	return found, nil
}

func (f *finder) directory(name string) error {
	entries, err := os.ReadDir(name)
	if err != nil {
		return plainError(name, err)
	}
	found := 0
	for _, entry := range entries {
		if entry.IsDir() || !logName(entry.Name()) {
			continue
		}
		path := filepath.Join(name, entry.Name())
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			continue // a link to one
		}
		if err := f.add(path); err != nil {
			return err
		}
		found++
	}
	if found == 0 {
		return fmt.Errorf("%s: no logs in this directory: no file with .log or .json in its name", name)
	}
	return nil
}

func (f *finder) glob(pattern string) error {
	names, err := filepath.Glob(pattern)
	if err != nil {
		return fmt.Errorf("%s: malformed pattern", pattern)
	}
	found := 0
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			continue
		}
		if err := f.add(name); err != nil {
			return err
		}
		found++
	}
	if found == 0 {
		return fmt.Errorf("%s: no file matches this pattern", pattern)
	}
	return nil
}

// add opens the file, unless it is there already under whatever name.
func (f *finder) add(name string) error {
	file, err := os.Open(name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) && rolledName(name) {
			return nil // compressed or removed since it was listed
		}
		return plainError(name, err)
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return plainError(name, err)
	}
	if slices.ContainsFunc(f.files, func(other *File) bool { return other.info != nil && os.SameFile(other.info, info) }) {
		return file.Close()
	}
	found := &File{Name: name, Size: info.Size(), info: info, file: file}
	if !info.Mode().IsRegular() { // a pipe
		found.Size, found.stream = -1, file
	}
	f.files = append(f.files, found)
	return nil
}

// peekLimit is how many bytes at the beginning of a file are searched for a record.
const peekLimit = 1 << 20

// peek looks for the file's first record.
func (f *File) peek() error {
	if f.stream != nil {
		return nil
	}
	in, err := newInput(f.reader(), nil)
	if err != nil {
		return plainError(f.Name, err)
	}
	defer in.close()
	lines := bufio.NewScanner(io.LimitReader(in.r, peekLimit))
	lines.Buffer(nil, peekLimit)
	var l line
	for lines.Scan() {
		if l.decode(lines.Bytes(), unmarshal).record() {
			f.First, f.firstLine = l.Time, bytes.Clone(lines.Bytes())
			break
		}
	}
	if in.raw.err != nil {
		return plainError(f.Name, in.raw.err)
	}
	return nil
}

// reader reads the file from its beginning, or the stream from where it is.
func (f *File) reader() io.Reader {
	if f.stream != nil {
		return f.stream
	}
	return io.NewSectionReader(f.file, 0, math.MaxInt64)
}

// plainError is the error without the operation, which says nothing to the user.
func plainError(name string, err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	return fmt.Errorf("%s: %w", name, err)
}
