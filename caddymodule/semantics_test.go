package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// page answers with a page of a type, a date and a validator.
func page(w http.ResponseWriter, body string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Etag", `"v1"`)
	h.Set("Last-Modified", "Sat, 01 Aug 2026 10:00:00 GMT")
	h.Set("Cache-Control", "public, max-age=300")
	_, _ = io.WriteString(w, body)
}

// stored asks for a target until its answer is in the store.
func (e *edge) stored(target string, headers ...string) {
	e.t.Helper()
	before := len(records("store"))
	if a := e.get(target, headers...); a.err != nil {
		e.t.Fatalf("GET %s: %v", target, a.err)
	}
	eventually(e.t, "the object of "+target, func() bool { return len(records("store")) > before })
}

// refused asks for a target and waits for the refusal of its fill.
func (e *edge) refused(target string, headers ...string) (answer, logLine) {
	e.t.Helper()
	before := len(records("refuse")) + len(records("diverge"))
	a := e.get(target, headers...)
	if a.err != nil {
		e.t.Fatalf("GET %s: %v", target, a.err)
	}
	var all []logLine
	eventually(e.t, "the refusal of "+target, func() bool {
		all = append(records("refuse"), records("diverge")...)
		return len(all) > before
	})
	return a, all[len(all)-1]
}

// TestAnswersFromTheStore: what a hit says, to every kind of request that a stored
// object answers, in both admissions.
func TestAnswersFromTheStore(t *testing.T) {
	for _, admission := range admissions {
		t.Run(admission.name, func(t *testing.T) {
			var own atomic.Int64
			e := start(t, admission.site, newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
				if !canonical(r) {
					own.Add(1)
				}
				page(w, "the page")
			}))
			first := e.get("/")
			e.awaitObject(1)
			asked := own.Load()
			for _, c := range []struct {
				name, method string
				headers      []string
				status       int
				body         string
			}{
				{"GET", "GET", nil, 200, "the page"},
				{"HEAD", "HEAD", nil, 200, ""},
				{"one of several tags", "GET", []string{"If-None-Match", `"v0", W/"v1"`}, 304, ""},
				{"any tag", "HEAD", []string{"If-None-Match", "*"}, 304, ""},
				{"another tag", "GET", []string{"If-None-Match", `"v2"`}, 200, "the page"},
				{"modified since", "GET", []string{"If-Modified-Since", "Fri, 31 Jul 2026 10:00:00 GMT"}, 200, "the page"},
				{"not modified since", "GET", []string{"If-Modified-Since", "Sat, 01 Aug 2026 10:00:00 GMT"}, 304, ""},
				{"the tag decides", "GET", []string{"If-None-Match", `"v2"`, "If-Modified-Since", "Sat, 01 Aug 2026 10:00:00 GMT"}, 200, "the page"},
				{"unless a tag matches", "GET", []string{"If-Match", `"v1", "v2"`}, 200, "the page"},
				{"any range unit but bytes", "GET", []string{"Range", "pages=0-1"}, 200, "the page"},
				{"a range of another version", "GET", []string{"Range", "bytes=0-1", "If-Range", `"v0"`}, 200, "the page"},
				{"asked for what is not here", "GET", []string{"Cache-Control", "nothing-to-see-here", "Pragma", "foo"}, 200, "the page"},
				{"young enough", "GET", []string{"Cache-Control", "max-age=250, min-fresh=1"}, 200, "the page"},
			} {
				t.Run(c.name, func(t *testing.T) {
					a := e.do(c.method, "/", c.headers...)
					if a.err != nil || !a.hit() || a.status != c.status || a.body != c.body {
						t.Fatalf("%d %q, %s, error %v", a.status, a.body, a.header.Get("Cache-Status"), a.err)
					}
					checkHitHeader(t, a, first)
				})
			}
			if own.Load() != asked {
				t.Errorf("%d hits reached the origin", own.Load()-asked)
			}
		})
	}
}

func (e *edge) awaitObject(n int) {
	e.t.Helper()
	eventually(e.t, fmt.Sprintf("%d objects", n), func() bool { return len(records("store")) >= n })
}

// checkHitHeader holds a hit's fields against the first answer's.
func checkHitHeader(t *testing.T, a, first answer) {
	t.Helper()
	for _, name := range []string{"Etag", "Last-Modified", "Content-Type", "Via", "Server"} {
		if name == "Content-Type" && a.status == http.StatusNotModified {
			continue // net/http leaves it out
		}
		if got, want := a.header.Values(name), first.header.Values(name); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s is %q, the origin's was %q", name, got, want)
		}
	}
	if age, err := strconv.Atoi(a.header.Get("Age")); err != nil || age < 0 || len(a.header["Age"]) != 1 {
		t.Errorf("Age is %q", a.header["Age"])
	}
	if _, err := http.ParseTime(a.header.Get("Date")); err != nil || len(a.header["Date"]) != 1 {
		t.Errorf("Date is %q", a.header["Date"])
	}
	length := a.header.Get("Content-Length")
	if a.status == http.StatusNotModified {
		if length != "" {
			t.Errorf("a 304 has Content-Length %s", length)
		}
	} else if length != strconv.Itoa(len("the page")) {
		t.Errorf("Content-Length is %q", length)
	}
	if got := a.header.Values("Cache-Control"); len(got) != 1 || got[0] != "private, no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
}

// TestHeadFirst: a HEAD is no object. With corroboration it causes fills by GET, and
// else it goes to the origin as a HEAD that nobody caused.
func TestHeadFirst(t *testing.T) {
	for _, admission := range admissions {
		t.Run(admission.name, func(t *testing.T) {
			e := start(t, admission.site, newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
				if once := admission.name == "once"; canonical(r) && (r.Method == http.MethodHead) != once {
					t.Errorf("a fill by %s", r.Method)
				}
				page(w, "the page")
			}))
			if a := e.do("HEAD", "/"); a.err != nil || a.status != 200 || a.body != "" {
				t.Fatalf("%d %q %v", a.status, a.body, a.err)
			}
			if admission.name == "once" {
				settled(t)
				nothingStored(t)
				return
			}
			e.awaitObject(1)
			if a := e.ok("/"); !a.hit() || a.body != "the page" {
				t.Errorf("%q, %s", a.body, a.header.Get("Cache-Status"))
			}
		})
	}
}

// TestFirstRequestIsSpecial: the request that causes the fill is conditional or
// asks for a range. The origin, which knows both, answers it; the object is whole.
func TestFirstRequestIsSpecial(t *testing.T) {
	for _, c := range []struct {
		name, header, value string
		status              map[string]int // by admission
	}{
		{"range", "Range", "bytes=0-1", map[string]int{"corroborated": 206, "once": 206}},
		{"condition", "If-None-Match", `"v1"`, map[string]int{"corroborated": 304, "once": 304}},
	} {
		for _, admission := range admissions {
			t.Run(c.name+" "+admission.name, func(t *testing.T) {
				e := start(t, admission.site, newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Etag", `"v1"`)
					w.Header().Set("Content-Type", "text/html")
					w.Header().Set("Cache-Control", "public, max-age=300")
					http.ServeContent(w, r, "", time.Time{}, strings.NewReader("the page"))
				}))
				if a := e.get("/", c.header, c.value); a.err != nil || a.status != c.status[admission.name] {
					t.Errorf("%d, error %v", a.status, a.err)
				}
				e.awaitObject(1)
				if a := e.ok("/"); !a.hit() || a.body != "the page" {
					t.Errorf("%q, %s", a.body, a.header.Get("Cache-Status"))
				}
			})
		}
	}
}

// TestStatuses: what is not 200 is stored where the policy or, on cache: origin
// routes, RFC 9111 allows it.
func TestStatuses(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		status, err := strconv.Atoi(r.URL.Path[1+strings.LastIndexByte(r.URL.Path, '/'):])
		if err != nil {
			status = 500
		}
		h := w.Header()
		h.Set("Cache-Control", "max-age=60")
		if status >= 300 && status < 400 {
			h.Set("Location", "/elsewhere")
		}
		if status == 204 {
			w.WriteHeader(status)
			return
		}
		h.Set("Content-Type", "text/html")
		w.WriteHeader(status)
		fmt.Fprintf(w, "status %d", status)
	})
	e := startEdge(t, `cacheward {
		route declared {
			path /declared/*
			cache 5m {
				status 404 10s
				status 301 1h
				status 302 1m
			}
		}
		route plain {
			path /plain/*
			cache 5m
		}
		route origin {
			path /origin/*
			cache origin
		}
	}
	reverse_proxy `+origin)
	for route, statuses := range map[string]map[int]bool{
		"declared": {200: true, 404: true, 301: true, 302: true, 204: false, 203: false, 410: false, 500: false, 503: false, 429: false, 403: false},
		"plain":    {200: true, 404: false, 301: false, 204: false, 500: false},
		"origin": {
			200: true, 203: true, 301: true, 302: true, 307: true, 308: true, 404: true, 410: true,
			// for a few seconds
			204: true, 400: true, 403: true, 405: true, 500: true, 503: true, 599: true,
			401: false, 407: false, 416: false, 429: false,
		},
	} {
		for status, stores := range statuses {
			target := fmt.Sprintf("/%s/%d", route, status)
			for i := range 2 {
				a := e.get(target)
				if a.err != nil || a.status != status {
					t.Fatalf("%s: %d, %v", target, a.status, a.err)
				}
				if status != 204 && a.body != fmt.Sprintf("status %d", status) {
					t.Errorf("%s: body %q", target, a.body)
				}
				settled(t)
				if i == 1 && a.hit() != stores {
					t.Errorf("%s: %s", target, a.header.Get("Cache-Status"))
				}
				if i == 1 && stores && status/100 == 3 && a.header.Get("Location") != "/elsewhere" {
					t.Errorf("%s: Location %q", target, a.header.Get("Location"))
				}
			}
		}
	}
	// A condition is about a 200, never about another status.
	if a := e.get("/declared/404", "If-None-Match", "*"); !a.hit() || a.status != 404 {
		t.Errorf("%d, %s", a.status, a.header.Get("Cache-Status"))
	}
}

// TestOnceOnADuration: one answer is trusted where the route says why.
func TestOnceOnADuration(t *testing.T) {
	var asked atomic.Int64
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		if !canonical(r) {
			t.Errorf("the visitor's own request went out: %v", r.Header)
		}
		asked.Add(1)
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "the page")
	})
	e := startEdge(t, `cacheward {
		route page {
			path /*
			cache 5m
			admission once "static files, the same for everybody"
		}
	}
	reverse_proxy `+origin)
	if a := e.ok("/"); a.body != "the page" || a.header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("%q %v", a.body, a.header)
	}
	e.awaitObject(1)
	if a := e.ok("/"); !a.hit() || asked.Load() != 1 {
		t.Errorf("%s, origin asked %d times", a.header.Get("Cache-Status"), asked.Load())
	}
}
