package tripwire

import (
	"flag"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/integration/cdn"
)

var probes = flag.Uint64("probes", 5, "how many probes of each URL are made of caches that obey; 0 of them may find a leak")

// TestObeyingCaches: caches in front that obey give nobody what belongs to another, keep
// what they are permitted to, and the watch is silent about them, with visitors all the
// while.
func TestObeyingCaches(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, profile string
		start         func(t *testing.T, origin string) string
	}{
		{"nginx", "nginx", func(t *testing.T, origin string) string {
			return cdn.StartNginx(t, cdn.NginxConfig{Origin: origin}).Address
		}},
		{"Varnish", "varnish", func(t *testing.T, origin string) string { return cdn.StartVarnish(t, origin, "").Address }},
		// It reads s-maxage, as Varnish does.
		{"Traffic Server", "varnish", func(t *testing.T, origin string) string {
			return cdn.StartTrafficServer(t, origin, nil, nil).Address
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			obeys(t, tt.profile, tt.start)
		})
	}
}

func obeys(t *testing.T, profile string, start func(t *testing.T, origin string) string) {
	_, s := newSite(t, profile)
	front := start(t, s.Address)
	s.watch(front, "\t\t\tparam ref lang", "/register/lp", "/news?lang=ja")

	var visits, wrong atomic.Int64
	var seen sync.Map // lead to the visitor who was given it
	var done atomic.Bool
	var crowd sync.WaitGroup
	for v := range 4 {
		crowd.Go(func() {
			for n := 0; n < 300 && !done.Load(); n++ {
				who := fmt.Sprintf("%d-%d", v, n)
				a := visit(t, front, fmt.Sprintf("/register/lp?ref=%d", n%3))
				visits.Add(1)
				if other, taken := seen.LoadOrStore(a.body, who); taken {
					wrong.Add(1)
					t.Errorf("%s and %s were given the same lead: %s", who, other, a.body)
				}
				for _, lang := range []string{"ja", "en"} {
					if a := visit(t, front, "/news?lang="+lang); a.body != "<h1>The news of "+lang+"</h1>" {
						wrong.Add(1)
						t.Errorf("the news in %s are %q", lang, a.body)
					}
				}
			}
		})
	}
	var w control.WatchStatus
	for range *probes {
		w = s.probed("/register/lp", 1)
	}
	n := s.watched("/news?lang=ja")
	done.Store(true)
	crowd.Wait()

	// What the cache in front did not answer, the edge has a record of.
	behind := 0
	for _, r := range append(s.records("serve"), s.records("bypass")...) {
		if r.Route == "news" && !r.Probe {
			behind++
		}
	}
	share := 1 - float64(behind)/float64(2*visits.Load())
	t.Logf("%d visits of the landing page and twice as many of the news, %d wrong, %.1f %% of the news from the cache in front; %d and %d probes",
		visits.Load(), wrong.Load(), 100*share, w.Probes, n.Probes)
	if visits.Load() < 50 || share < 0.8 {
		t.Errorf("%.1f %% of the news came from the cache in front, which is permitted to keep them", 100*share)
	}
	for _, w := range []control.WatchStatus{w, n} {
		if w.State != control.WatchClean || w.Leaks > 0 || w.Problem != "" {
			t.Errorf("%+v", w)
		}
	}
	if len(s.state().Tripped) > 0 || len(s.records("leak")) > 0 {
		t.Error("a false alarm")
	}
}
