package demo

import (
	"net/http"
	"sync"
)

// collapsing is a CDN that, while it fetches a page, lets those who want the same
// page wait for it, as most do. Safe for concurrent use.
type collapsing struct {
	cdn *cdn

	mu    sync.Mutex
	pages map[string]*sync.Mutex
}

func (c *collapsing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		page := c.page(copyKey(r))
		page.Lock()
		defer page.Unlock()
	}
	c.cdn.ServeHTTP(w, r)
}

// page returns the lock of one page. The demo has few pages, so none is dropped.
func (c *collapsing) page(key string) *sync.Mutex {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pages == nil {
		c.pages = make(map[string]*sync.Mutex)
	}
	if c.pages[key] == nil {
		c.pages[key] = new(sync.Mutex)
	}
	return c.pages[key]
}
