package command

import (
	"fmt"
	"io"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// progress is a bar on standard error, for readings that take a while.
type progress struct {
	w       io.Writer // nil: nobody would see it
	now     func() time.Time
	started time.Time
	shown   bool
}

// progressAfter is how long nothing is shown.
const progressAfter = time.Second

func (x *auditor) newProgress() *progress {
	p := &progress{now: x.now, started: x.now()}
	if isTerminal(x.stderr) {
		p.w = x.stderr
	}
	return p
}

// update says how far the reading is, in bytes. A total of 0 is not known.
func (p *progress) update(done, total int64) {
	took := p.now().Sub(p.started)
	if p.w == nil || took < progressAfter {
		return
	}
	p.shown = true
	rate := show.Bytes(int64(float64(done)/took.Seconds())) + "/s"
	if total <= 0 {
		fmt.Fprintf(p.w, "\r\x1b[K%s read, %s", show.Bytes(done), rate)
		return
	}
	share := float64(done) / float64(total)
	fmt.Fprintf(p.w, "\r\x1b[K%s %s, %s of %s, %s", show.Bar(share, 30), show.PercentOf(share), show.Bytes(done), show.Bytes(total), rate)
}

// end wipes the bar out.
func (p *progress) end() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
