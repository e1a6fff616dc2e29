package probe

import (
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// frontCache is a CDN.
type frontCache struct {
	Query     bool     // the key has the query in it
	Cookies   bool     // the key has the cookies in it
	Headers   []string // the key has these in it
	Passes    bool     // requests with cookies are passed
	Deaf      bool     // it stores whatever the answer says
	Coalesces bool     // it gives one answer to all who wait for it
	Strips    bool     // it does not send the query on
	Says      string   // the field in which it tells what it did, "" for none, "age" for Age

	origin string
	client *http.Client
	// inFlight are the requests that the prober has sent.
	inFlight *atomic.Int64
	waiting  atomic.Int64

	mu      sync.Mutex
	stored  map[string]*copied
	flights map[string]*flight
}

type copied struct {
	status int
	header http.Header
	body   []byte
}

type flight struct {
	done chan struct{}
	got  *copied
}

func (c *frontCache) key(r *http.Request) string {
	key := r.Host + r.URL.Path
	if c.Query {
		key += "?" + r.URL.RawQuery
	}
	if c.Cookies {
		key += "\n" + r.Header.Get("Cookie")
	}
	for _, name := range c.Headers {
		key += "\n" + r.Header.Get(name)
	}
	return key
}

func (c *frontCache) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.waiting.Add(1)
	defer c.waiting.Add(-1)
	key := c.key(r)
	passes := c.Passes && r.Header.Get("Cookie") != ""
	c.mu.Lock()
	got, hit := c.stored[key], false
	if passes {
		got = nil
	}
	switch flying := c.flights[key]; {
	case got != nil:
		c.mu.Unlock()
		hit = true
	case passes || !c.Coalesces:
		c.mu.Unlock()
		got = c.fetch(r)
		if !passes {
			c.store(key, got)
		}
	case flying != nil:
		c.mu.Unlock()
		<-flying.done
		got = flying.got
	default:
		flying = &flight{done: make(chan struct{})}
		c.flights[key] = flying
		c.mu.Unlock()
		// A slow app: everybody who asks at this time has asked.
		for c.waiting.Load() < c.inFlight.Load() {
			time.Sleep(100 * time.Microsecond)
		}
		got = c.fetch(r)
		c.store(key, got)
		c.mu.Lock()
		flying.got = got
		close(flying.done)
		delete(c.flights, key)
		c.mu.Unlock()
	}
	maps.Copy(w.Header(), got.header.Clone())
	switch {
	case c.Says == "age":
		if hit {
			w.Header().Set("Age", "3")
		}
	case c.Says != "" && hit:
		w.Header().Set(c.Says, "HIT")
	case c.Says != "":
		w.Header().Set(c.Says, "MISS")
	}
	w.WriteHeader(got.status)
	_, _ = w.Write(got.body)
}

func (c *frontCache) fetch(r *http.Request) *copied {
	target := c.origin + r.URL.Path
	if r.URL.RawQuery != "" && !c.Strips {
		target += "?" + r.URL.RawQuery
	}
	request, err := http.NewRequest(r.Method, target, nil)
	if err != nil {
		panic(err)
	}
	request.Header, request.Host = r.Header.Clone(), r.Host
	response, err := c.client.Do(request)
	if err != nil {
		return &copied{status: http.StatusBadGateway, header: http.Header{}}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return &copied{status: http.StatusBadGateway, header: http.Header{}}
	}
	return &copied{response.StatusCode, response.Header, body}
}

func (c *frontCache) store(key string, got *copied) {
	refused := strings.Contains(got.header.Get("Cache-Control"), "no-store")
	if got.status >= 500 || refused && !c.Deaf {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stored[key] == nil {
		c.stored[key] = got
	}
}
