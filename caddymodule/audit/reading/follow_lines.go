package reading

import (
	"bytes"
	"errors"
	"io"
	"slices"
)

// take splits what was read into lines.
func (f *follower) take(data []byte) {
	for {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			f.begun(data)
			return
		}
		raw := data[:end]
		if len(f.rest) > 0 {
			f.rest = append(f.rest, raw...)
			raw = f.rest
		}
		if !f.tooLong {
			f.skipped(f.one(raw))
		}
		f.tooLong = false
		f.rest = f.rest[:0]
		data = data[end+1:]
	}
}

// begun keeps the beginning of a line, as long as it may become a record.
func (f *follower) begun(data []byte) {
	if f.tooLong {
		return
	}
	f.rest = append(f.rest, data...)
	if len(f.rest) > MaxLine {
		f.skipped(TooLong)
		f.tooLong, f.rest = true, f.rest[:0]
	}
}

// one hands on the record in the line, if there is one that matters.
func (f *follower) one(raw []byte) Kind {
	if len(raw) > MaxLine {
		return TooLong
	}
	if raw = bytes.TrimSpace(raw); len(raw) == 0 {
		return none
	}
	kind := f.line.decode(raw, unmarshal)
	whole := kind.record()
	if next := behind(raw); kind == NotJSON && next != nil {
		whole = f.line.decode(next, unmarshal).record()
	}
	if whole && f.matters() {
		f.keeper.keep(&f.line.Entry)
		f.found(&f.line.Entry)
	}
	return kind
}

func (f *follower) matters() bool {
	return f.options.Filter == nil || f.options.Filter.Match(&f.line.Entry)
}

func (f *follower) skipped(kind Kind) {
	if kind != none && f.options.Skipped != nil {
		f.options.Skipped(kind)
	}
}

// lastLines finds where the last options.Last records that matter begin, reading the
// file from its end. A line that has no end yet is not one of them, but follows them.
func (f *follower) lastLines(end int64) (int64, error) {
	var lines []byte // what is read and not looked at: it begins at end
	wanted := f.options.Last
	for whole := false; end > 0; {
		step := min(end, int64(len(f.buffer)))
		if _, err := f.file.ReadAt(f.buffer[:step], end-step); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		lines = slices.Concat(f.buffer[:step], lines)
		end -= step
		for {
			last := bytes.LastIndexByte(lines, '\n')
			if last < 0 {
				break
			}
			// What follows the last line's end is no line yet.
			if whole && wanted > 0 && f.counts(lines[last+1:]) {
				wanted--
			}
			if wanted == 0 {
				return end + int64(last) + 1, nil
			}
			whole, lines = true, lines[:last]
		}
		// Of a line that is too long, no more is kept than shows that.
		lines = lines[:min(len(lines), MaxLine+1)]
	}
	return 0, nil
}

// counts reports whether the line is a record that matters.
func (f *follower) counts(raw []byte) bool {
	if len(raw) > MaxLine || len(bytes.TrimSpace(raw)) == 0 {
		return false
	}
	return f.line.decode(bytes.TrimSpace(raw), unmarshal).record() && f.matters()
}
