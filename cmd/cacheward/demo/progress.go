package demo

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/dustin/go-humanize"
)

// barWidth is the width of a full progress bar, in characters.
const barWidth = 30

// progress tells how far one scenario is: on a terminal in one line that is
// rewritten, elsewhere in one plain line at the end. Safe for concurrent use.
type progress struct {
	out      io.Writer
	terminal bool
	name     string
	total    int

	mu    sync.Mutex
	done  int
	shown int // percent
}

func newProgress(o Options, name string) *progress {
	p := &progress{out: o.Stderr, terminal: o.Terminal, name: name, total: o.Visitors, shown: -1}
	p.draw()
	return p
}

// step counts one visit.
func (p *progress) step() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	p.draw()
}

// draw rewrites the line when the percentage has changed.
func (p *progress) draw() {
	percent := p.done * 100 / p.total
	if !p.terminal || percent == p.shown {
		return
	}
	p.shown = percent
	full := percent * barWidth / 100
	fmt.Fprintf(p.out, "\r\x1b[K%-*s  %s%s %3d %%", nameWidth, p.name,
		strings.Repeat("█", full), strings.Repeat("░", barWidth-full), percent)
}

// end ends the line; err is why the scenario failed, or nil.
func (p *progress) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.terminal:
		fmt.Fprintln(p.out)
	case err == nil:
		fmt.Fprintf(p.out, "%s: %s visitors\n", p.name, humanize.Comma(int64(p.done)))
	}
}
