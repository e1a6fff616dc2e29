package incidents

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/cacheward/cacheward/integration/edge"
)

// rush is visitors who come at once, while the app has not answered the first of them.
type rush struct {
	// cache is the one in front, if there is one.
	cache *collapser

	mu   sync.Mutex
	held int
	open chan struct{} // nil: nobody is held
}

// hold has the app wait until all are there.
func (v *rush) hold() {
	v.mu.Lock()
	v.held++
	open := v.open
	v.mu.Unlock()
	if open != nil {
		<-open
	}
}

// come has n visitors send the request at once. The app answers when each of them has
// got as far as the app, or waits in a cache for the answer to another.
func (v *rush) come(t *testing.T, s *stage, n int, r request) []answer {
	t.Helper()
	open := make(chan struct{})
	release := sync.OnceFunc(func() { close(open) })
	defer release()
	v.set(open)
	var group errgroup.Group
	answers := make([]answer, n)
	for i := range answers {
		group.Go(func() (err error) {
			answers[i], err = s.try(t.Context(), r)
			return err
		})
	}
	edge.Eventually(t, fmt.Sprintf("%d visitors at once", n), func() bool { return v.there(t, s) >= n })
	v.set(nil)
	release()
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return answers
}

func (v *rush) set(open chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.held, v.open = 0, open
}

// there is how many requests are under way.
func (v *rush) there(t *testing.T, s *stage) int {
	v.mu.Lock()
	held := v.held
	v.mu.Unlock()
	if s.position == instead {
		return held + waiters(t, s.site)
	}
	return held + v.cache.waiting()
}

// waiters is how many requests wait in Cacheward, which its metrics say.
func waiters(t *testing.T, site *edge.Site) int {
	t.Helper()
	res, err := http.Get("http://" + site.Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if labels, found := strings.CutPrefix(lines.Text(), "caddy_cacheward_waiters{"); found {
			var n int
			if _, err := fmt.Sscanf(labels[strings.Index(labels, "}")+1:], "%d", &n); err != nil {
				t.Fatalf("%q: %v", lines.Text(), err)
			}
			return n
		}
	}
	t.Fatal("no gauge of waiters in the metrics")
	return 0
}

// expire makes all that is kept stale, without the time that it would take.
func (v *rush) expire(t *testing.T, s *stage) {
	t.Helper()
	v.cache.expire()
	if s.site == nil {
		return
	}
	if out, code := s.site.Run(t, "purge", "--all", "--soft", "--reason", "time passes"); code != 0 {
		t.Fatalf("purge --soft: exit code %d\n%s", code, out)
	}
}
