package tripwire

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/integration/edge"
)

// app has a landing page with a record of its own in every rendering of it, a page of
// news that is the same for everybody, and a member's page that says who they are.
type app struct {
	leads  atomic.Int64
	news   atomic.Int64 // how often the news were rendered
	server *httptest.Server
}

func newApp(t *testing.T) *app {
	a := new(app)
	a.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch r.URL.Path {
		case "/register/lp":
			fmt.Fprintf(w, `<form action="/register" method="post"><input type="hidden" name="lead" value="%d"></form>`, 1000+a.leads.Add(1))
		case "/news":
			a.news.Add(1)
			fmt.Fprintf(w, "<h1>The news of %s</h1>", r.URL.Query().Get("lang"))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(a.server.Close)
	return a
}

// policy shares what turns out to be shareable, with the cache in front as well, in the
// words that it understands.
const policy = `
	route landing {
		path /register/lp
		cache 5m
		param key ref
		downstream 1m {
			profile %[1]s
		}
	}
	route news {
		path /news
		cache 5m
		param key lang
		param strip utm_source
		downstream 1m {
			profile %[1]s
		}
	}
`

// host is the public name of the site: whoever asks for it connects to the cache in front.
const host = "hapitas.example"

// site is the edge, which watches once it is told to.
type site struct {
	*edge.Site
	t      *testing.T
	config edge.SiteConfig
}

func newSite(t *testing.T, profile string) (*app, *site) {
	t.Helper()
	a := newApp(t)
	s := &site{t: t, config: edge.SiteConfig{Origin: a.server.Listener.Addr().String(), Policy: fmt.Sprintf(policy, profile)}}
	s.Site = edge.StartSite(t, binary, s.config)
	return a, s
}

// watch has the edge watch these paths through a cache in front, once a second.
func (s *site) watch(front string, more string, paths ...string) {
	s.t.Helper()
	c := s.config
	c.Options = "\tcacheward {\n\t\twatch"
	for _, path := range paths {
		c.Options += " http://" + host + path
	}
	c.Options += " {\n\t\t\tinterval 1s\n\t\t\tclear_after 2\n\t\t\tresolve " + front + "\n" + more + "\n\t\t}\n\t}"
	s.Reload(s.t, c)
}

// state is the status of the running edge.
func (s *site) state() control.Status {
	s.t.Helper()
	out, _ := s.Run(s.t, "status", "--format", "json")
	var status control.Status
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		s.t.Fatalf("status: %v\n%s", err, out)
	}
	return status
}

// watched is what is known of a watched path.
func (s *site) watched(path string) control.WatchStatus {
	s.t.Helper()
	for _, w := range s.state().Watched {
		if strings.HasSuffix(w.URL, path) {
			return w
		}
	}
	s.t.Fatalf("%s is not watched", path)
	return control.WatchStatus{}
}

// probed waits for so many more probes of a path.
func (s *site) probed(path string, more uint64) control.WatchStatus {
	s.t.Helper()
	before := s.watched(path).Probes
	var w control.WatchStatus
	edge.Eventually(s.t, "more probes of "+path, func() bool { w = s.watched(path); return w.Probes >= before+more })
	return w
}

// record is one of the audit log, as far as these tests look at it.
type record struct {
	TS       float64  `json:"ts"`
	Event    string   `json:"event"`
	Route    string   `json:"route"`
	Outcome  string   `json:"outcome"`
	Reasons  []string `json:"reasons"`
	URL      string   `json:"url"`
	By       string   `json:"by"`
	Why      string   `json:"why"`
	From     string   `json:"from"`
	Until    string   `json:"until"`
	Probe    bool     `json:"probe"`
	Evidence struct {
		Kind     string `json:"kind"`
		Sentence string `json:"sentence"`
	} `json:"evidence"`
}

func (r record) at() time.Time { return time.UnixMicro(int64(r.TS * 1e6)) }

// records are those of an event.
func (s *site) records(event string) (found []record) {
	s.t.Helper()
	for _, r := range edge.Records[record](s.t, s.Site) {
		if r.Event == event {
			found = append(found, r)
		}
	}
	return found
}

// answer is one that a visitor was given.
type answer struct {
	status int
	header http.Header
	body   string
}

// visitors share their connections, as those behind one proxy do.
var visitors = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: edge.Patience}

// visit asks whoever listens at the address for a page of the site.
func visit(t *testing.T, address, target string, fields ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	for i := 0; i+1 < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	res, err := visitors.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}
