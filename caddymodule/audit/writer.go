package audit

import "time"

const (
	// linger is how long the writer waits for more after it has written something.
	// Waking a goroutine costs a request more than queueing its record does.
	linger = 5 * time.Millisecond
	// reportEvery is how often lost records are reported at most.
	reportEvery = time.Second
)

// run writes what is queued until the log is closed. It sleeps when there is nothing.
func (l *Log) run() {
	defer close(l.ended)
	var reported report
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var flushed chan struct{}
		closing := false
		select {
		case <-l.queue.wake:
		case <-timer.C:
		case flushed = <-l.flushes:
		case <-l.stop:
			closing = true
		}
		at := l.queue.take(closing)
		n := l.queue.drain(func(e *queued) { l.emit(&e.record, e.plain, e.at) })
		due := l.report(&reported, at, closing || flushed != nil)
		switch {
		case flushed != nil:
			close(flushed)
		case closing:
			return
		}
		switch {
		case n > 0, !l.queue.sleep(), due == 0 && l.dropped.Load() != reported.dropped:
			timer.Reset(linger)
		case due > 0:
			timer.Reset(due)
		default:
			timer.Stop()
		}
	}
}

// report is what was said last of lost records.
type report struct {
	at      time.Time
	dropped uint64
}

// report says in the log how many records were lost since it was said last. If it was
// said too short a time ago, and there is no haste, it returns when it is due.
func (l *Log) report(last *report, now time.Time, haste bool) (due time.Duration) {
	dropped := l.dropped.Load()
	if dropped == last.dropped {
		return 0
	}
	if wait := last.at.Add(reportEvery).Sub(now); wait > 0 && !haste {
		return wait
	}
	lost := Record{Event: EventDrop, Records: int64(dropped - last.dropped)}
	*last = report{now, dropped}
	if l.core.Enabled(EventDrop.level()) {
		_ = l.encode(&lost, nil, now)
	}
	return 0
}
