package beacon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.uber.org/zap"
)

const (
	tryFor   = 30 * time.Second // one request
	minPause = time.Second
	maxPause = time.Minute
	// Retry-After may ask for so much. What asks for a year has a wrong clock, or a typo.
	maxAsked = time.Hour
)

// clientOf is the client without redirects: they make another request than was meant (GET,
// without the body), whose success says nothing.
func clientOf(c *http.Client) *http.Client {
	var own http.Client
	if c != nil {
		own = *c
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// deliver sends batch after batch until the context ends.
func (q *Queue) deliver(ctx context.Context) {
	var next *batch
	for {
		b := next
		if b == nil {
			if !q.gather(ctx) {
				return
			}
			var ok bool
			if b, ok = q.insist(ctx, q.current); !ok {
				return
			}
		}
		if b == nil {
			continue
		}
		rejected, ok := q.send(ctx, b)
		if !ok {
			return
		}
		if next, ok = q.insist(ctx, func() (*batch, error) { return q.finish(b, rejected) }); !ok {
			return
		}
		if n := uint64(len(b.numbers)); rejected {
			q.rejected.Add(n)
			q.lost.Add(n)
		} else {
			q.sent.Add(n)
		}
	}
}

// gather waits until there is a batch in the file, or what there is has waited for long
// enough. False: the context has ended.
func (q *Queue) gather(ctx context.Context) bool {
	for q.inFile.Load() == 0 {
		select {
		case <-q.stored:
		case <-ctx.Done():
			return false
		}
	}
	// A clock that has been put right does not make it wait longer.
	enough := time.NewTimer(min(time.Until(q.oldest().Add(q.o.Every)), q.o.Every))
	defer enough.Stop()
	for q.inFile.Load() < int64(q.o.Batch) {
		select {
		case <-q.stored:
		case <-enough.C:
			return ctx.Err() == nil
		case <-ctx.Done():
			return false
		}
	}
	return ctx.Err() == nil
}

// insist does what changes the file until it works. False: the context has ended.
func (q *Queue) insist(ctx context.Context, change func() (*batch, error)) (*batch, bool) {
	for {
		b, err := change()
		if err == nil {
			q.unread.over(func(times int) {
				q.o.Logger.Info("the queue of landings can be used again", zap.String("file", q.path), zap.Int("times", times))
			})
			return b, true
		}
		q.unread.met(func(since time.Time, times int) {
			q.o.Logger.Error("landings are not sent: their queue cannot be used",
				zap.String("file", q.path), zap.Int("times", times), zap.Time("since", since), zap.Error(err))
		})
		if !wait(ctx, minPause) {
			return nil, false
		}
	}
}

// send sends the batch until it is delivered or rejected. False: the context has ended.
func (q *Queue) send(ctx context.Context, b *batch) (rejected, ok bool) {
	for try := 1; ; try++ {
		err := q.post(ctx, b)
		if err == nil {
			q.sending.over(func(times int) {
				q.o.Logger.Info("the app takes landings again", zap.String("url", q.endpoint), zap.Int("failures", times))
			})
			return false, true
		}
		if ctx.Err() != nil {
			return false, false
		}
		q.failures.Add(1)
		q.sending.met(func(since time.Time, times int) {
			q.o.Logger.Warn("landings cannot be sent: they wait", zap.String("url", q.endpoint),
				zap.Int("times", times), zap.Time("since", since), zap.Int64("waiting", q.waiting.Load()), zap.Error(err))
		})
		var answer *answerError
		if errors.As(err, &answer) && answer.final() {
			if _, ok := q.insist(ctx, func() (*batch, error) { return nil, q.refused(b) }); !ok {
				return false, false
			}
			if b.Refusals >= maxRefusals {
				q.o.Logger.Error("the app refuses landings: they are set aside in the file",
					zap.String("url", q.endpoint), zap.Int("status", answer.status), zap.Int("landings", len(b.numbers)),
					zap.Int("times", b.Refusals), zap.String("file", q.path), zap.String("bucket", string(bucketRejected)),
					zap.Uint64("first", b.First), zap.Uint64("last", b.Last))
				return true, true
			}
		}
		pause := pauseAfter(try)
		if answer != nil {
			pause = max(pause, answer.asked)
		}
		if !wait(ctx, pause) {
			return false, false
		}
	}
}

// post sends the batch once. What was answered other than 2xx is an *answerError.
func (q *Queue) post(ctx context.Context, b *batch) error {
	ctx, cancel := context.WithTimeout(ctx, tryFor)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, q.o.URL, bytes.NewReader(b.body))
	if err != nil {
		return withoutURL(err)
	}
	r.Header.Set("Content-Type", "application/json")
	// net/http knows the field, too: it sends the request once more, by itself, where a
	// connection that was kept open turns out to be closed.
	r.Header.Set("Idempotency-Key", b.key)
	answer, err := q.client.Do(r)
	if err != nil {
		return withoutURL(err)
	}
	// Some of it, as the connection can be used again then.
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10)
	_ = answer.Body.Close()
	if answer.StatusCode >= 200 && answer.StatusCode <= 299 {
		return nil
	}
	return &answerError{answer.StatusCode, askedFor(answer.Header.Get("Retry-After"), time.Now())}
}

// withoutURL leaves out the URL, which may have secrets in it.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// answerError is an answer that is not 2xx.
type answerError struct {
	status int
	asked  time.Duration // for which not to try again
}

func (e *answerError) Error() string {
	return fmt.Sprintf("the app answers %d %s", e.status, http.StatusText(e.status))
}

// final says that the answer would be the same next time.
func (e *answerError) final() bool {
	switch e.status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return e.status >= 400 && e.status <= 499
}

// askedFor is the time that a Retry-After field asks for, seconds or a date.
func askedFor(field string, now time.Time) time.Duration {
	var asked time.Duration
	if seconds, err := strconv.ParseUint(field, 10, 31); err == nil {
		asked = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(field); err == nil {
		asked = at.Sub(now)
	}
	return min(max(asked, 0), maxAsked)
}

// pauseAfter is how long to wait after so many tries: between a half and all of 2, 4, 8, …,
// 60 seconds, so that several who fail at once do not all come back at once.
func pauseAfter(try int) time.Duration {
	most := min(minPause<<min(try, 10), maxPause)
	return most/2 + rand.N(most/2+1)
}

// wait waits. False: the context has ended.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
