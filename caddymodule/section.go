package caddymodule

import (
	"runtime"
	"sync/atomic"
	"time"
)

// sections count the requests that are between their look at what is stored or
// tripped and the head of their answer. Who stops caching waits until each of them has
// been empty once: from then on nobody answers by what they saw before. A request
// enters its own section, so that requests do not meet in one counter; it stays there
// for microseconds, and never while it waits for the origin.
type sections struct {
	slots [sectionCount]section
	next  atomic.Uint32
}

const sectionCount = 64

// section is as large as two cache lines, so that no two share one.
type section struct {
	inside atomic.Int64
	_      [120]byte
}

var processSections sections

// assign returns the section of a new exchange.
func (s *sections) assign() *section {
	return &s.slots[s.next.Add(1)%sectionCount]
}

// settle waits until everyone who was inside when it was called has left, or for the
// limit; settled says which. Who comes in meanwhile and stays only for a moment does
// not keep it waiting.
func (s *sections) settle(limit time.Duration) (settled bool) {
	end := time.Now().Add(limit)
	for i := range s.slots {
		for n := 0; s.slots[i].inside.Load() != 0; n++ {
			if !time.Now().Before(end) {
				return false
			}
			if n < 100 {
				runtime.Gosched()
				continue
			}
			time.Sleep(50 * time.Microsecond)
		}
	}
	return true
}

// enter begins the time in which the request answers by what it sees stored. What it
// sees must be looked at after it.
func (x *exchange) enter() {
	if !x.inside {
		x.inside = true
		x.section.inside.Add(1)
	}
}

// leave ends it, if it has begun: the head is written, or nothing stored is served.
func (x *exchange) leave() {
	if x.inside {
		x.inside = false
		x.section.inside.Add(-1)
	}
}

// writeHead writes the head of an answer.
func (x *exchange) writeHead(status int) {
	x.w.WriteHeader(status)
	x.leave()
}
