package soak

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// origin is the app behind the site. Its pages say what they were made for.
type origin struct {
	families map[string]*family
	changed  sync.Map // what a POST has changed, by its visitor's marker

	requests, broken, landings atomic.Int64
}

// ServeHTTP is the app.
func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.requests.Add(1)
	switch r.URL.Path {
	case "/landings":
		o.serveLandings(w, r)
		return
	case "/register":
		// Whom the visitor was sent by is what the site tells, and nothing else.
		c := content{path: r.URL.Path, who: cmp.Or(r.Header.Get("Cacheward-Attribution"), "nobody"), size: smallest}
		w.Header().Set("X-Page", c.String())
		_, _ = w.Write(c.body())
		return
	}
	f, page, ok := find(o.families, r.URL.Path)
	switch {
	case !ok:
		http.NotFound(w, r)
	case r.Method == http.MethodPost:
		o.serveChange(w, r, f, page)
	default:
		o.servePage(w, r, f, page)
	}
}

// serveLandings takes the reports of the route that has a beacon.
func (o *origin) serveLandings(w http.ResponseWriter, r *http.Request) {
	var report struct {
		Landings []json.RawMessage `json:"landings"`
	}
	if err := json.NewDecoder(r.Body).Decode(&report); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	o.landings.Add(int64(len(report.Landings)))
	w.WriteHeader(http.StatusNoContent)
}

// serveChange makes a new version of the page, and of its whole group where it has one and
// the page's number is even.
func (o *origin) serveChange(w http.ResponseWriter, r *http.Request, f *family, page int) {
	pages := []int{page}
	if f.tagged && page%2 == 0 {
		pages = f.shelf(page % shelves)
		w.Header().Set("Cache-Group-Invalidation", strconv.Quote(shelfName(f, page)))
	}
	o.changed.Store(r.Header.Get("X-Visitor"), f.change(pages...))
	w.WriteHeader(http.StatusNoContent)
}

// shelfName is the tag, and the group, of the page.
func shelfName(f *family, page int) string { return fmt.Sprintf("%s-%d", f.name, page%shelves) }

// servePage makes the page for who asks.
func (o *origin) servePage(w http.ResponseWriter, r *http.Request, f *family, page int) {
	c := content{path: r.URL.Path, version: f.versions[page].Load(), who: everyone, size: f.size(page)}
	session, err := r.Cookie("session")
	switch {
	case err == nil:
		c.who = session.Value
	case f.personal:
		// A request that has no visitor in it is a fill, whose page is nobody's.
		c.who = "nobody-" + strconv.FormatInt(o.requests.Load(), 10)
		if v := r.Header.Get("X-Visitor"); v != "" {
			c.who = v
		}
	}
	h := w.Header()
	h.Set("X-Page", c.String())
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("ETag", c.etag())
	if f.control != "" {
		h.Set("Cache-Control", f.control)
	}
	if f.tagged {
		h.Set("Cache-Tag", shelfName(f, page))
		h.Set("Cache-Groups", strconv.Quote(shelfName(f, page)))
	}
	if page%3 != 0 || r.Method == http.MethodHead {
		h.Set("Content-Length", strconv.Itoa(c.size))
	}
	if f.name == "slow" {
		time.Sleep(time.Duration(50*(1+page)) * time.Millisecond)
	}
	o.write(w, r, f, c)
}

// write writes the body, or a part of it.
func (o *origin) write(w http.ResponseWriter, r *http.Request, f *family, c content) {
	body := c.body()
	pieces := 1
	switch {
	case r.Method == http.MethodHead:
		return
	case f.name == "broken" && o.requests.Load()%3 == 0:
		o.broken.Add(1)
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case f.name == "slow":
		pieces = 4
	}
	for i := range pieces {
		_, _ = w.Write(body[len(body)*i/pieces : len(body)*(i+1)/pieces])
		if pieces > 1 {
			_ = http.NewResponseController(w).Flush()
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// server is an origin at an address, which can die and come back.
type server struct {
	address string
	handler http.Handler

	mu      sync.Mutex
	running *http.Server
	idle    map[net.Conn]bool // nothing is asked on them, or nothing has ever been
}

func newServer(t *testing.T, address string, handler http.Handler) *server {
	t.Helper()
	s := &server{address: address, handler: handler}
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.die)
	return s
}

func (s *server) start() error {
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running, s.idle = &http.Server{Handler: s.handler, ConnState: s.note}, make(map[net.Conn]bool)
	go func(srv *http.Server) {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic(err)
		}
	}(s.running)
	return nil
}

// die breaks all connections off, and refuses new ones.
func (s *server) die() {
	s.mu.Lock()
	running := s.running
	s.mu.Unlock()
	_ = running.Close() // tells note
}

func (s *server) note(conn net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case http.StateNew, http.StateIdle:
		s.idle[conn] = true
	default:
		delete(s.idle, conn)
	}
}

// closeIdle closes the connections that nothing is asked on. One that was opened for who
// left before they asked is among them.
func (s *server) closeIdle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.idle {
		_ = conn.Close()
	}
}
