package integration

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cacheward/cacheward/integration/edge"
)

// load is visitors who ask for the same pages over and over, each on a connection of
// their own that is kept.
type load struct {
	stop    atomic.Bool
	visits  sync.WaitGroup
	asked   atomic.Int64 // answers so far
	hits    atomic.Int64
	mu      sync.Mutex
	answers []loadAnswer
}

// loadAnswer is one answer as its visitor saw it.
type loadAnswer struct {
	url          string
	asked, began time.Time // before it was asked for, and when its head was there
	hit          bool
	body         string
}

// startLoad has that many visitors ask, until end is called or the test ends. The URL
// is of the visitor's n-th request. What fails is an error of the test, unless broken
// connections are expected.
func startLoad(t *testing.T, visitors int, mayBreak bool, url func(visitor, n int) string) *load {
	t.Helper()
	l := new(load)
	for i := range visitors {
		l.visits.Go(func() {
			client := &http.Client{Timeout: edge.Patience, Transport: &http.Transport{MaxConnsPerHost: 1}}
			defer client.CloseIdleConnections()
			var own []loadAnswer
			for n := 0; !l.stop.Load(); n++ {
				a, err := ask(client, url(i, n))
				if err != nil {
					if !mayBreak {
						t.Error(err)
					}
					break
				}
				own = append(own, a)
				l.asked.Add(1)
				if a.hit {
					l.hits.Add(1)
				}
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			l.answers = append(l.answers, own...)
		})
	}
	t.Cleanup(func() { l.end() })
	return l
}

func ask(client *http.Client, url string) (loadAnswer, error) {
	a := loadAnswer{url: url, asked: time.Now()}
	res, err := client.Get(url)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	a.began = time.Now()
	body, err := io.ReadAll(res.Body)
	a.body = string(body)
	a.hit = strings.Contains(res.Header.Get("Cache-Status"), "; hit")
	return a, err
}

// always is the same URL each time.
func always(url string) func(visitor, n int) string {
	return func(int, int) string { return url }
}

// more waits until so many more answers are there, as the counter says.
func (l *load) more(t *testing.T, counter *atomic.Int64, n int64) {
	t.Helper()
	until := counter.Load() + n
	edge.Eventually(t, "more answers under load", func() bool { return counter.Load() >= until })
}

// end has the visitors go, and returns what they were answered.
func (l *load) end() []loadAnswer {
	l.stop.Store(true)
	l.visits.Wait()
	return l.answers
}
