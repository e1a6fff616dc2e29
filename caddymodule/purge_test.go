package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
)

// purgeAll purges everything from the bubble's store.
func (c *ruled) purgeAll() {
	p := new(purger)
	if _, err := p.plan([]*Handler{c.Handler}, control.Purge{All: true}); err != nil {
		c.t.Error(err)
	}
	p.run()
	if !p.result.Verified {
		c.t.Errorf("the purge is not verified: %+v", p.result)
	}
}

const purgedRoutes = `cacheward {
		route lang {
			path /lang/*
			cache 5m
			param key page
			param strip ref
			header key Accept-Language ja en
		}
		route tagged {
			path /tagged/*
			cache origin
		}
		route a {
			path /a/*
			cache 5m
		}
		route b {
			path /b/*
			cache 5m
		}
	}
	reverse_proxy %s`

func TestPurge(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if strings.HasPrefix(r.URL.Path, "/tagged/") {
			h.Set("Cache-Control", "max-age=300")
			h.Set("Cache-Tag", "articles, "+strings.ReplaceAll(r.URL.Path, "/", ""))
			h.Set("Vary", "Accept-Language")
		}
		if io.WriteString(w, "the page "+r.URL.Path); !strings.Contains(r.URL.Path, "/a/") && !strings.Contains(r.URL.Path, "/b/") {
			io.WriteString(w, " in "+r.Header.Get("Accept-Language"))
		}
	})
	type page struct{ target, language string }
	pages := []page{
		{"/lang/x", "ja"}, {"/lang/x", "en"}, {"/lang/x?page=2", "ja"}, {"/lang/xy", "ja"},
		{"/tagged/1", "ja"}, {"/tagged/1", "en"}, {"/tagged/2", "ja"},
		{"/a/1", "ja"}, {"/a/1/2", "ja"}, {"/a/12", "ja"}, {"/b/1", "ja"},
	}
	const host = "example.com"
	for _, tt := range []struct {
		name  string
		purge func() control.Purge
		gone  []page
	}{
		{"a URL, with everything else in its keys", func() control.Purge { return control.Purge{URL: "https://" + host + "/lang/x?ref=mail"} }, []page{{"/lang/x", "ja"}, {"/lang/x", "en"}}},
		{"a URL with a keyed parameter", func() control.Purge { return control.Purge{URL: "http://" + host + "/lang/x?page=2"} }, []page{{"/lang/x?page=2", "ja"}}},
		{"a URL with variants", func() control.Purge { return control.Purge{URL: "http://" + host + "/tagged/1"} }, []page{{"/tagged/1", "ja"}, {"/tagged/1", "en"}}},
		{"a tag", func() control.Purge { return control.Purge{Tag: "articles"} }, []page{{"/tagged/1", "ja"}, {"/tagged/1", "en"}, {"/tagged/2", "ja"}}},
		{"a tag of one page", func() control.Purge { return control.Purge{Tag: "tagged2"} }, []page{{"/tagged/2", "ja"}}},
		{"a route", func() control.Purge { return control.Purge{Route: "a"} }, []page{{"/a/1", "ja"}, {"/a/1/2", "ja"}, {"/a/12", "ja"}}},
		{"a prefix", func() control.Purge { return control.Purge{Prefix: host + "/a/1"} }, []page{{"/a/1", "ja"}, {"/a/1/2", "ja"}}},
		{"a prefix with a star", func() control.Purge { return control.Purge{Prefix: "https://" + host + "/a/1*"} }, []page{{"/a/1", "ja"}, {"/a/1/2", "ja"}, {"/a/12", "ja"}}},
		{"a key", func() control.Purge {
			return control.Purge{Key: awaitRecord(t, "store", func(l logLine) bool { return strings.Contains(l.URL, "/tagged/1") }).Key}
		}, []page{{"/tagged/1", "ja"}, {"/tagged/1", "en"}}},
		{"everything", func() control.Purge { return control.Purge{All: true} }, pages},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := startEdge(t, fmt.Sprintf(purgedRoutes, origin))
			for _, p := range pages {
				eventually(t, p.target+" to be stored", func() bool { return e.ok(p.target, "Accept-Language", p.language).hit() })
			}
			settled(t)
			q := tt.purge()
			if err := q.Check(); err != nil {
				t.Fatal(err)
			}
			done, err := purge(theHandlers(t), q)
			if err != nil || !done.Verified || done.Removed < len(tt.gone) {
				t.Fatal(done, err)
			}
			if rec := awaitRecord(t, "purge", nil); rec.Event != "purge" {
				t.Error(rec)
			}
			gone := make(map[page]bool)
			for _, p := range tt.gone {
				gone[p] = true
			}
			for _, p := range pages {
				// HEAD first: it must not be answered from what was purged either.
				head := e.do(http.MethodHead, p.target, "Accept-Language", p.language, "Range", "bytes=0-3")
				if hit := head.hit(); hit == gone[p] {
					t.Errorf("%v: HEAD is a hit: %v", p, hit)
				}
				if !gone[p] && !e.ok(p.target, "Accept-Language", p.language).hit() {
					t.Errorf("%v: it is gone, and was not to be", p)
				}
			}
		})
	}
}

// TestPurgeWaitsForWhoLookedBefore: who is about to answer by what they saw stored has
// answered before the purge says that it is done; if they take too long, it says that.
func TestPurgeWaitsForWhoLookedBefore(t *testing.T) {
	withRoute(t, "cache: 5m", func(t *testing.T, c *ruled) {
		for _, stays := range []time.Duration{settleTime / 2, 2 * settleTime} {
			about := processSections.assign()
			about.inside.Add(1)
			began := time.Now()
			time.AfterFunc(stays, func() { about.inside.Add(-1) })
			done, err := purge([]*Handler{c.Handler}, control.Purge{All: true, Why: "a test"})
			if err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took < min(stays, settleTime) {
				t.Errorf("it was done after %s, and somebody answered after %s", took, stays)
			}
			if late := stays > settleTime; late != (len(done.Notes) == 1) {
				t.Errorf("somebody answered after %s, and it noted %q", stays, done.Notes)
			}
			time.Sleep(2 * settleTime)
		}
	})
}

func TestPurgeOfWhatIsNeverStored(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "the page") })
	startEdge(t, fmt.Sprintf(purgedRoutes, origin))
	done, err := purge(theHandlers(t), control.Purge{URL: "http://example.com/nothing"})
	if err != nil || done.Removed != 0 || len(done.Notes) != 1 || !strings.Contains(done.Notes[0], "explain") {
		t.Error(done, err)
	}
	if _, err := purge(theHandlers(t), control.Purge{Route: "lnag"}); err == nil || !strings.Contains(err.Error(), "lang") {
		t.Errorf("a route that is not there was purged: %v", err)
	}
	if _, err := purge(nil, control.Purge{All: true}); err == nil {
		t.Error("without a handler there is nothing to purge")
	}
}

func TestSoftPurge(t *testing.T) {
	var version atomic.Int64
	origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "version %d", version.Load()) })
	e := startEdge(t, fmt.Sprintf(twoRoutes, origin))
	stored(e, "/page", "/other")
	version.Add(1)
	done, err := purge(theHandlers(t), control.Purge{All: true, Soft: true})
	if err != nil || !done.Verified || done.Removed != 2 {
		t.Fatal(done, err)
	}
	// /page may be served stale while it is being refreshed; /other has no such window.
	a := e.ok("/page")
	if a.body != "version 0" || a.header.Get("Cdn-Cache-Control") != "no-store" {
		t.Errorf("%q %v", a.body, a.header)
	}
	if a := e.ok("/other"); a.body != "version 1" {
		t.Errorf("%q", a.body)
	}
	eventually(t, "the new page", func() bool { a := e.ok("/page"); return a.hit() && a.body == "version 1" })
}

// TestPurgeRacesWithFills: visitors ask all the time while the content changes and is
// purged, over and over. Once a purge has returned, nobody who comes after it is given
// what was before it, by whatever way: hit, stale, or the verdict on another's fill.
func TestPurgeRacesWithFills(t *testing.T) {
	for _, cache := range []string{"cache 5m", "cache origin"} {
		t.Run(cache, func(t *testing.T) {
			var version atomic.Int64
			origin := newOrigin(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Cache-Control", "max-age=300, stale-while-revalidate=60, stale-if-error=60")
				fmt.Fprintf(w, "version %d", version.Load())
			})
			e := startEdge(t, fmt.Sprintf("cacheward {\n on_leak warn\n route page {\n path /*\n %s\n }\n }\n reverse_proxy %s", cache, origin))
			var sure atomic.Int64 // nobody who asks from now on may be given less
			stop := make(chan struct{})
			var wg sync.WaitGroup
			var hits, answers atomic.Int64
			for i := range 8 {
				wg.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
						}
						least := sure.Load()
						a := e.get(fmt.Sprintf("/%d", i%3))
						var got int64
						if _, err := fmt.Sscanf(a.body, "version %d", &got); err != nil {
							t.Errorf("%d %q", a.status, a.body)
							return
						}
						if got < least {
							t.Errorf("version %d after the purge of %d: %v", got, least-1, a.header)
						}
						if answers.Add(1); a.hit() {
							hits.Add(1)
						}
					}
				})
			}
			for n := range int64(60) {
				before := answers.Load()
				eventually(t, "answers", func() bool { return answers.Load() > before+50 })
				version.Store(n + 1)
				q := control.Purge{Route: "page"} // forgets refusals: a page that changes while it is judged is one
				if n%4 == 0 {
					q = control.Purge{Prefix: "example.com/"}
				}
				done, err := purge(theHandlers(t), q)
				if err != nil || !done.Verified {
					t.Error(done, err)
				}
				sure.Store(n + 1)
			}
			close(stop)
			wg.Wait()
			if hits.Load() == 0 {
				t.Error("nothing was ever served from the store")
			}
			t.Logf("%d hits of %d", hits.Load(), answers.Load())
		})
	}
}
