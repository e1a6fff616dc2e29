package incidents

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cacheward/cacheward/integration/edge"
	"github.com/cacheward/cacheward/policies"
)

// stage is a scene that is being played. It is safe for concurrent use.
type stage struct {
	form
	scene
	position position
	// address is where visitors ask, and origin the app; site is Cacheward, if there is
	// one.
	address, origin string
	site            *edge.Site

	client http.Client

	mu       sync.Mutex
	answers  []answer
	hurt, of int // visitors
}

// request is what a visitor sends.
type request struct {
	method string // GET if empty
	host   string // shop.test if empty
	target string // path and query, as they are sent
	cookie string
	header http.Header // more fields
	form   string      // the body, of a form
}

// answer is what a visitor got.
type answer struct {
	request
	status int
	header http.Header
	body   string

	began, ended time.Time
}

// hit says whether Cacheward answered out of its store.
func (a answer) hit() bool { return strings.HasPrefix(a.header.Get("Cache-Status"), "Cacheward; hit") }

// crowd is how many may come at once. So many connections are kept: each one that is
// closed occupies a port for a minute.
const crowd = 600

func (s *stage) open(t *testing.T) {
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: crowd}
	t.Cleanup(transport.CloseIdleConnections)
	s.client = http.Client{
		Transport:     transport,
		Timeout:       edge.Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// config is that of Cacheward in front of the app, with a policy.
func (s *stage) config(policy string) edge.SiteConfig {
	return edge.SiteConfig{
		Origin: s.origin, Policy: policy,
		Proxy: fmt.Sprintf("\t\ttransport http {\n\t\t\tkeepalive_idle_conns_per_host %d\n\t\t}", crowd),
	}
}

// ask sends a request to the front of the stage.
func (s *stage) ask(t testing.TB, r request) answer {
	t.Helper()
	a, err := s.try(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// askAll sends all requests at once. The answers are in the order of the requests.
func (s *stage) askAll(t testing.TB, all []request) []answer {
	t.Helper()
	answers, errs := make([]answer, len(all)), make([]error, len(all))
	var wg sync.WaitGroup
	for i, r := range all {
		wg.Go(func() { answers[i], errs[i] = s.try(t.Context(), r) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return answers
}

func (s *stage) try(ctx context.Context, r request) (answer, error) {
	method, host := cmp.Or(r.method, http.MethodGet), cmp.Or(r.host, "shop.test")
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.address+r.target, strings.NewReader(r.form))
	if err != nil {
		return answer{}, err
	}
	req.Host = host
	for name, values := range r.header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if r.cookie != "" {
		req.Header.Set("Cookie", r.cookie)
	}
	if r.form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	began := time.Now()
	res, err := s.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, fmt.Errorf("%s %s%s: %w", method, host, r.target, err)
	}
	a := answer{request: r, status: res.StatusCode, header: res.Header, body: string(body), began: began, ended: time.Now()}
	s.note(a)
	return a, nil
}

// note keeps the answer. Tests that do not ask with ask call it themselves.
func (s *stage) note(a answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = append(s.answers, a)
}

// given are all answers so far.
func (s *stage) given() []answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.answers)
}

// curable says whether Cacheward can keep anybody from being hurt here.
func (s *stage) curable() bool {
	return s.position == instead || s.position == behind && !s.cache.overrides
}

// count counts visitors, and those of them who were hurt. Each time that it is called is
// a case of its own: without Cacheward somebody must be hurt in it, or it shows nothing,
// and with it nobody, where that can be.
func (s *stage) count(t testing.TB, what string, hurt, of int) {
	t.Helper()
	s.mu.Lock()
	s.hurt += hurt
	s.of += of
	s.mu.Unlock()
	switch {
	case s.position == without && hurt == 0:
		t.Errorf("%s: nobody of %d was hurt without Cacheward: it is not the incident", what, of)
	case s.curable() && hurt > 0:
		t.Errorf("%s: %d of %d were hurt with Cacheward", what, hurt, of)
	}
}

// checkRefused sees that no cache that obeys could have kept anything, where the one in
// front does not obey.
func (s *stage) checkRefused(t *testing.T) {
	t.Helper()
	if !s.cache.overrides {
		return
	}
	for _, a := range s.given() {
		control := strings.Join(a.header.Values("Cache-Control"), ", ")
		if !strings.Contains(control, "private") || !strings.Contains(control, "no-store") {
			t.Errorf("%s left Cacheward as Cache-Control: %q", a.target, control)
		}
	}
}

// record is a line of the audit log, as far as the tests look at it.
type record struct {
	Event      string   `json:"event"`
	Route      string   `json:"route"`
	Outcome    string   `json:"outcome"`
	Reasons    []string `json:"reasons"`
	Key        string   `json:"key"`
	Method     string   `json:"method"`
	Object     string   `json:"object"`
	Host       string   `json:"host"`
	URL        string   `json:"url"`
	Status     int      `json:"status"`
	Visitor    string   `json:"visitor"`
	Detail     string   `json:"detail"`
	Error      string   `json:"error"`
	Divergence *struct {
		Part  string `json:"part"`
		Field string `json:"field"`
		Shape string `json:"shape"`
		Near  string `json:"near"`
		Class string `json:"class"`
		Input string `json:"input"`
	} `json:"divergence"`
	Findings []struct {
		Kind     string `json:"kind"`
		Detector string `json:"detector"`
		Input    string `json:"input"`
		Near     string `json:"near"`
	} `json:"findings"`
}

// records are those of Cacheward so far. A fault fails the test.
func (s *stage) records(t *testing.T) []record {
	t.Helper()
	all := edge.Records[record](t, s.site)
	for _, r := range all {
		if r.Event == "fault" {
			t.Fatalf("fault on %s for %v: %s", r.URL, r.Reasons, r.Error)
		}
	}
	return all
}

// reasons are the codes of the reasons for which something was not shared, without those
// that only say what the cache remembers of an earlier one. What is not asked with GET
// nobody wanted to share.
func (s *stage) reasons(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, r := range s.records(t) {
		if r.Method != http.MethodGet && r.Method != "" {
			continue
		}
		for _, code := range r.Reasons {
			if classes[code] != policies.InCache {
				all[code] = true
			}
		}
	}
	return all
}

// classes are those of all reasons, by code.
var classes = func() map[string]policies.ReasonClass {
	all := map[string]policies.ReasonClass{}
	for _, r := range policies.AllReasons() {
		all[r.Info().Code] = r.Info().Class
	}
	return all
}()

// checkReasons sees that nothing was refused for a reason that is not the form's.
func (s *stage) checkReasons(t *testing.T) {
	t.Helper()
	for code := range s.reasons(t) {
		if !slices.Contains(s.stopped, code) {
			t.Errorf("something was not shared for %s, which is not one of %v", code, s.stopped)
		}
	}
}

// awaitReasons waits until all of the form's reasons are in the audit log, which is
// written after the visitors have been answered.
func (s *stage) awaitReasons(t *testing.T) {
	t.Helper()
	missing := slices.Clone(s.stopped)
	defer func() {
		if len(missing) > 0 {
			t.Errorf("nothing was refused for %v", missing)
		}
	}()
	edge.Eventually(t, "all reasons in the audit log", func() bool {
		got := s.reasons(t)
		missing = slices.DeleteFunc(missing, func(code string) bool { return got[code] })
		return len(missing) == 0
	})
	s.checkReasons(t)
}

// tries is how often visitors come where a copy does not live long enough for the next
// one to be sure of it: without Cacheward until somebody was hurt, and otherwise a few
// times.
func (s *stage) tries() int {
	if s.position == without {
		return 50
	}
	return 3
}
