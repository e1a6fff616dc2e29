package reading

import (
	"bytes"
	"errors"
	"io"
	"slices"
)

// block is a run of whole lines of one file.
type block struct {
	file int // its place in the source
	name string
	// line and offset of the first line.
	line, offset int64
	data         []byte
	// last: the file ends here; its last line may have no end.
	last bool
	// cut: the file's end is not where it should be.
	cut bool
}

// cutter cuts a file into blocks.
type cutter struct {
	file    int
	name    string
	in      *input
	size    int // of a block, about
	maxLine int

	line, offset int64  // of what comes next
	rest         []byte // the beginning of a line, read already
	ended, cut   bool   // nothing more can be read; for the file is damaged
	done         bool
}

// next reads the next lines into b and reports whether there are any. What was read and
// found on the way goes into stats. It fails only if the file cannot be read.
func (c *cutter) next(b *block, stats *Stats) (bool, error) {
	for !c.done {
		b.file, b.name, b.line, b.offset, b.last = c.file, c.name, c.line, c.offset, false
		b.data = append(b.data[:0], c.rest...)
		c.rest = c.rest[:0]
		tooLong, err := c.fill(b, stats)
		if err != nil {
			return false, err
		}
		c.took(b.data, stats)
		if tooLong {
			stats.skip(Position{Kind: TooLong, File: c.name, Line: b.line, Offset: b.offset, file: c.file})
			if err := c.discard(b, stats); err != nil {
				return false, err
			}
		}
		if c.done && c.cut {
			stats.skip(Position{Kind: CutOff, File: c.name, Line: c.line, Offset: c.offset, file: c.file})
		}
		if tooLong {
			continue
		}
		if len(b.data) > 0 {
			return true, nil
		}
	}
	return false, nil
}

var newline = []byte{'\n'}

// took counts what was read.
func (c *cutter) took(data []byte, stats *Stats) {
	lines := int64(bytes.Count(data, newline))
	c.line += lines
	c.offset += int64(len(data))
	stats.Lines += lines
	stats.Bytes += int64(len(data))
}

// fill reads at least one line to its end, or as much of it as a line may have: then it
// is too long, and b holds only its beginning.
func (c *cutter) fill(b *block, stats *Stats) (tooLong bool, err error) {
	for searched := 0; ; searched = len(b.data) {
		if err := c.read(b, max(c.size, 2*len(b.data))); err != nil {
			return false, err
		}
		if c.ended {
			c.end(b, stats)
			return false, nil
		}
		if end := bytes.LastIndexByte(b.data[searched:], '\n'); end >= 0 {
			end += searched + 1
			c.rest = append(c.rest[:0], b.data[end:]...)
			b.data = b.data[:end]
			return false, nil
		}
		if len(b.data) > c.maxLine {
			return true, nil
		}
	}
}

// end makes b the last block of the file.
func (c *cutter) end(b *block, stats *Stats) {
	b.last, b.cut, c.done = true, c.cut, true
	if len(b.data) > 0 && b.data[len(b.data)-1] != '\n' {
		stats.Lines++
	}
}

// discard reads on to the end of a line that is too long.
func (c *cutter) discard(b *block, stats *Stats) error {
	for !c.ended {
		b.data = b.data[:0]
		if err := c.read(b, c.size); err != nil {
			return err
		}
		if end := bytes.IndexByte(b.data, '\n') + 1; end > 0 {
			c.took(b.data[:end], stats)
			c.rest = append(c.rest[:0], b.data[end:]...)
			return nil
		}
		c.took(b.data, stats)
	}
	stats.Lines++
	c.done = true
	return nil
}

// read reads on until b has size bytes or the file has ended.
func (c *cutter) read(b *block, size int) error {
	b.data = slices.Grow(b.data, max(0, size-len(b.data)))
	for len(b.data) < size && !c.ended {
		n, err := c.in.r.Read(b.data[len(b.data):size])
		b.data = b.data[:len(b.data)+n]
		if c.in.raw.err != nil {
			return plainError(c.name, c.in.raw.err)
		}
		c.ended = err != nil
		c.cut = err != nil && !errors.Is(err, io.EOF)
	}
	return nil
}
