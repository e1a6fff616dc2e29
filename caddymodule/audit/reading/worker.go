package reading

import (
	"bytes"

	"github.com/cacheward/cacheward/caddymodule/audit"
)

// worker decodes blocks.
type worker struct {
	options *ScanOptions
	found   func(*Entry)
	stats   Stats
	keeper  keeper
	line    line
}

func (w *worker) block(b *block) {
	at := Position{File: b.name, Line: b.line, Offset: b.offset, file: b.file}
	for data := b.data; len(data) > 0; at.Line++ {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			w.last(data, at, b.cut)
			return
		}
		w.skip(w.read(data[:end]), at)
		data = data[end+1:]
		at.Offset += int64(end) + 1
	}
}

// last reads a line without an end. Only if it is whole is it a record.
func (w *worker) last(raw []byte, at Position, cut bool) {
	kind := w.read(raw)
	if kind == NotJSON {
		if cut {
			return // the file is cut off: that is told already
		}
		kind = Torn
	}
	w.skip(kind, at)
}

// read hands on the record in a line, if there is one that the filter lets through.
// Every line is decoded, also where its bytes tell that the filter will not: decoding
// costs hardly more than finding out whether the line is damaged, which must be known.
func (w *worker) read(raw []byte) Kind {
	if len(raw) > w.options.maxLine {
		return TooLong
	}
	if raw = bytes.TrimSpace(raw); len(raw) == 0 {
		return none
	}
	kind := w.line.decode(raw, unmarshal)
	if kind == NotJSON {
		if next := behind(raw); next != nil && w.line.decode(next, unmarshal).record() {
			w.take()
		}
		return kind
	}
	if kind.record() {
		w.take()
	}
	return kind
}

// take hands on the record that was decoded, if the filter lets it through.
func (w *worker) take() {
	w.stats.Records++
	entry, filter := &w.line.Entry, w.options.Filter
	if entry.Event == audit.EventDrop && (filter == nil || filter.inWindow(entry)) {
		w.stats.Lost += max(1, entry.Records)
	}
	w.stats.clocks.add(entry) // whatever is asked for: a clock is off for all of it
	if filter != nil && !filter.Match(entry) {
		return
	}
	w.stats.saw(entry.Time)
	w.keeper.keep(entry)
	w.found(entry)
}

func (w *worker) skip(kind Kind, at Position) {
	if kind == none {
		return
	}
	at.Kind = kind
	w.stats.skip(at)
}
