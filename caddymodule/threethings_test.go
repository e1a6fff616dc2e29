package caddymodule

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// moody is an origin whose pages change between shareable and made for one visitor.
// Every answer has a number. It is in X-Request-Id, which is never stored, and in
// the bodies of all pages that need not be corroborated or must not be shared.
type moody struct {
	numbers atomic.Int64
	moods   [6]atomic.Int64 // of each page
	version atomic.Int64    // of all pages that are the same for everybody

	mu   sync.Mutex
	made map[string]moodyAnswer // by number
}

type moodyAnswer struct {
	nonce, body string // nonce: of the visitor's request; empty for canonical ones
	personal    bool
}

const (
	moodPublic = iota
	moodToken
	moodCookie
	moodPrivate
	moodNoStore
	moodVaryStar
	moodError
	moodSlow // public, in pieces
	moodBroken
	moods
)

// ServeHTTP answers /page/<n> (corroborated) and /pub/<n> (once).
func (m *moody) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	number := fmt.Sprintf("n%d", m.numbers.Add(1))
	page := int(r.URL.Path[len(r.URL.Path)-1] - '0')
	mood := m.moods[page].Load()
	body := fmt.Sprintf("page %s v%d public ", r.URL.Path, m.version.Load())
	personal := mood != moodPublic && mood != moodSlow
	if personal {
		body = fmt.Sprintf("page %s PERSONAL ", r.URL.Path)
	}
	if personal || strings.HasPrefix(r.URL.Path, "/pub/") {
		body += "number " + number + " "
	}
	body += strings.Repeat("text ", 400)
	answer := moodyAnswer{nonce: r.Header.Get("X-Nonce"), body: body, personal: personal}
	if canonical(r) != (answer.nonce == "") {
		panic("a canonical request has a visitor's header, or a visitor's request lost it")
	}
	m.mu.Lock()
	m.made[number] = answer
	m.mu.Unlock()

	h := w.Header()
	h.Set("X-Request-Id", number)
	h.Set("Content-Type", "text/html")
	h.Set("Cache-Control", "public, max-age=60")
	m.headers(h, mood, number, strings.HasPrefix(r.URL.Path, "/pub/"))
	if mood == moodError {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	if mood == moodBroken {
		_, _ = io.WriteString(w, body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	for mood == moodSlow && len(body) > 300 {
		_, _ = io.WriteString(w, body[:300])
		_ = http.NewResponseController(w).Flush()
		body = body[300:]
	}
	_, _ = io.WriteString(w, body)
}

// headers are those by which a page says that it is for one visitor.
func (m *moody) headers(h http.Header, mood int64, number string, once bool) {
	switch mood {
	case moodToken:
		// Of corroborated pages it is in the body only, and they say public.
		if once {
			h.Set("X-Csrf-Token", number)
		}
	case moodCookie:
		h.Set("Set-Cookie", "sid="+number)
	case moodPrivate:
		h.Set("Cache-Control", "private, max-age=60")
	case moodNoStore:
		h.Set("Cache-Control", "no-store")
	case moodVaryStar:
		h.Set("Vary", "*")
	}
}

// TestThreeThings: under a random load every visitor is given a stored object, the
// answer to their own request, or on once routes the fill that they caused.
func TestThreeThings(t *testing.T) {
	m := &moody{made: make(map[string]moodyAnswer)}
	var routes strings.Builder
	for page := range m.moods {
		// A route each, for one whose pages keep diverging is suspended.
		_, _ = fmt.Fprintf(&routes, `
		route page%d {
			path /page/%d
			cache 1m {
				stale_if_error 1m
			}
		}`, page, page)
	}
	e := startEdge(t, `cacheward {
		store watched
		route pub {
			path /pub/*
			cache origin
			error_ttl 0s
		}`+routes.String()+`
	}
	reverse_proxy `+newOrigin(t, m.ServeHTTP))
	const visitors, requests = 30, 100
	var wg sync.WaitGroup
	w := &workload{edge: e, origin: m}
	for v := range visitors {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(v), 7))
			for i := range requests {
				w.step(random, fmt.Sprintf("visitor-%d-%d", v, i))
			}
		})
	}
	wg.Wait()
	settled(t)
	w.check(t)
	memoryGivenBack(t)
}

// workload is what the visitors did and got.
type workload struct {
	edge   *edge
	origin *moody

	mu  sync.Mutex
	got []visit
}

type visit struct {
	nonce, path string
	answer
}

// step changes the origin's mood now and then, drops what is remembered, and visits.
func (w *workload) step(random *rand.Rand, nonce string) {
	m := w.origin
	switch random.IntN(10) {
	case 0:
		m.moods[random.IntN(len(m.moods))].Store(int64(random.IntN(moods)))
	case 1, 2:
		m.moods[random.IntN(len(m.moods))].Store(moodPublic)
	case 3:
		m.version.Add(1)
	case 4:
		w.forget()
	}
	path := fmt.Sprintf("/%s/%d", []string{"page", "pub"}[random.IntN(2)], random.IntN(len(m.moods)))
	r, err := w.edge.request(http.MethodGet, path, "X-Nonce", nonce)
	if err != nil {
		panic(err)
	}
	if random.IntN(6) == 0 {
		// A visitor who goes away, at some moment or other.
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		go cancel()
		_ = w.edge.send(r.WithContext(ctx))
		return
	}
	a := w.edge.send(r)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.got = append(w.got, visit{nonce, path, a})
}

// forget empties the store and the memory of refusals, so that there is always
// something to be filled.
func (w *workload) forget() {
	pool.Range(func(_, value any) bool {
		s := value.(*shared)
		watched := s.store.(*watchedStore)
		for _, key := range watched.keys() {
			_ = s.store.Delete(key)
			s.refusals.Forget(key)
		}
		return true
	})
}

func (w *workload) check(t *testing.T) {
	// The request of a visitor who went away may still be on its way in.
	var admitted map[string]bool
	eventually(t, "as many store records as stored objects", func() bool {
		objects := len(lastWatched.Load().objects())
		admitted = make(map[string]bool)
		for _, r := range records("store") {
			admitted[r.Object] = true
		}
		return objects == len(admitted) && theShared(t).inFlight() == 0
	})
	stored := lastWatched.Load().bodies(admitted)
	for body := range stored {
		if strings.Contains(body, "PERSONAL") || !strings.HasSuffix(body, "text ") {
			t.Errorf("stored: %.80q … of %d bytes", body, len(body))
		}
	}
	fills := make(map[string]string) // number of a fill to who was given it
	counts := make(map[string]int)
	for _, v := range w.got {
		counts[w.checkVisit(t, v, stored, fills)]++
	}
	t.Logf("%d answers of the origin; visits: %v; %d objects", w.origin.numbers.Load(), counts, len(stored))
	for _, kind := range []string{"object", "own", "fill"} {
		if counts[kind] == 0 {
			t.Errorf("not one visitor was given: %s", kind)
		}
	}
}

// checkVisit says which of the things the visitor was given, and reports if it was
// another.
func (w *workload) checkVisit(t *testing.T, v visit, stored map[string]bool, fills map[string]string) string {
	status := v.header.Get("Cache-Status")
	number := v.header.Get("X-Request-Id")
	switch {
	case v.header == nil:
		if v.err == nil {
			t.Errorf("%s: neither an answer nor an error", v.nonce)
		}
		return "nothing" // broken off before there was a head
	case v.shared():
		if v.err != nil || !stored[v.body] {
			t.Errorf("%s got as an object of the store: %.80q (%s, error %v)", v.nonce, v.body, status, v.err)
		}
		if !strings.HasPrefix(v.body, "page "+v.path+" ") {
			t.Errorf("%s asked for %s and got %.40q", v.nonce, v.path, v.body)
		}
		return "object"
	case number != "":
		made := w.origin.made[number]
		if made.nonce != v.nonce || !strings.HasPrefix(made.body, v.body) || v.err == nil && made.body != v.body {
			t.Errorf("%s got the answer to %q: %.80q (%s)", v.nonce, made.nonce, v.body, status)
		}
		return "own"
	}
	// No number in the head: a fill, which must be in the body.
	_, rest, _ := strings.Cut(v.body, "number ")
	number, _, _ = strings.Cut(rest, " ")
	made, known := w.origin.made[number]
	switch {
	case v.err != nil && v.body == "":
		return "nothing"
	case !strings.HasPrefix(v.path, "/pub/") || !known || made.nonce != "" || !strings.HasPrefix(made.body, v.body):
		t.Errorf("%s got of %s: %.80q (%s, error %v)", v.nonce, v.path, v.body, status, v.err)
	case fills[number] != "":
		t.Errorf("%s and %s were both given the fill %s", v.nonce, fills[number], number)
	}
	fills[number] = v.nonce
	return "fill"
}
