package incidents

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// collapser is the smallest cache with the fault of Squid with collapsed forwarding and
// of ocache: it keeps nothing that is private or sets a cookie, and then gives the answer
// that it does not keep to all who waited for it. It tells requests apart by host and
// target, and keeps what it keeps until it is told that it is stale. The caches that
// Debian has packages of do not have the fault any more.
type collapser struct {
	origin    string
	transport http.Transport

	mu      sync.Mutex
	kept    map[string]*kept
	flights map[string]*flight
}

// kept is an answer of the origin.
type kept struct {
	status int
	header http.Header
	body   []byte
	stale  bool
}

// flight is a request to the origin for whose answer others wait.
type flight struct {
	waiting int
	done    chan struct{}
	answer  *kept
}

// start puts it before the origin, with nothing kept.
func (c *collapser) start(t testing.TB, origin string) string {
	c.origin, c.kept, c.flights = origin, map[string]*kept{}, map[string]*flight{}
	c.transport.MaxIdleConnsPerHost = crowd
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	t.Cleanup(c.transport.CloseIdleConnections)
	return server.Listener.Addr().String()
}

func (c *collapser) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.Host + r.RequestURI
	c.mu.Lock()
	k, f := c.kept[key], c.flights[key]
	switch {
	case k != nil && !k.stale:
		c.mu.Unlock()
	case f != nil:
		f.waiting++
		c.mu.Unlock()
		<-f.done
		k = f.answer
	default:
		f = &flight{done: make(chan struct{})}
		c.flights[key] = f
		c.mu.Unlock()
		k = c.fetch(r, k)
		c.land(key, f, k)
	}
	maps.Copy(w.Header(), k.header)
	w.WriteHeader(k.status)
	_, _ = w.Write(k.body) // the visitor may have left
}

// land keeps the answer if it may be kept, and lets those go who waited for it: the
// fault is that they get it in either case.
func (c *collapser) land(key string, f *flight, answer *kept) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f.answer = answer
	delete(c.flights, key)
	if answer.header.Get("Set-Cookie") == "" && strings.Contains(answer.header.Get("Cache-Control"), "max-age") {
		c.kept[key] = answer
	}
	close(f.done)
}

// fetch asks the origin, whether stale holds still if there is one. The fields of a 304
// go into the answer.
func (c *collapser) fetch(r *http.Request, stale *kept) *kept {
	failed := func(err error) *kept {
		return &kept{status: http.StatusBadGateway, body: []byte(err.Error())}
	}
	out, err := http.NewRequest(http.MethodGet, "http://"+c.origin+r.RequestURI, nil)
	if err != nil {
		return failed(err)
	}
	out.Host, out.Header = r.Host, r.Header.Clone()
	if stale != nil {
		out.Header.Set("If-None-Match", stale.header.Get("ETag"))
	}
	res, err := c.transport.RoundTrip(out)
	if err != nil {
		return failed(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return failed(err)
	}
	if res.StatusCode != http.StatusNotModified || stale == nil {
		return &kept{status: res.StatusCode, header: res.Header, body: body}
	}
	header := stale.header.Clone()
	maps.Copy(header, res.Header)
	return &kept{status: stale.status, header: header, body: stale.body}
}

// waiting is how many wait for an answer to another's request.
func (c *collapser) waiting() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.flights {
		n += f.waiting
	}
	return n
}

// expire makes all that is kept stale.
func (c *collapser) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.kept {
		k.stale = true
	}
}
