package fleet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/store/redis/redistest"
	"github.com/cacheward/cacheward/integration/edge"
)

// node is an edge, as visitors and operators see it.
type node struct {
	number         int
	address, admin string
	host           string       // that is asked for; empty: host
	client         *http.Client // of the admin endpoint

	// site is the binary, and link leads it to Redis; nil where the edge is a planted one.
	site *edge.Site
	link *redistest.Relay

	// down are the times at which it may close connections, away those at which its link
	// does not work, or did not a moment ago.
	down, away spans
}

func (n *node) name() string { return fmt.Sprintf("edge-%d", n.number+1) }

// setup is how the edges of a fleet are configured.
type setup struct {
	redis     string // address
	namespace string
	lease     time.Duration
	// partition is on_partition; empty: the default.
	partition string
	// store is what else stands in the store block, policy in the cacheward block.
	store, policy string
	// binary is what is run; empty: the one that the tests are of.
	binary string
}

// routes are the policy of the tests.
const routes = `
		route news {
			path /p/news/*
			cache origin
			param others strip
			%s
		}
		route shop {
			path /p/shop/*
			cache 1h
			# Its pages change while they are asked for: what counts up then is a version.
			on_leak warn
		}
		route calm {
			path /p/calm/*
			cache origin
		}
		route brief {
			path /p/brief/*
			cache origin
		}
		route private {
			path /v/private/*
			cache origin
		}
		route mine {
			path /v/mine/*
			cache 1h
			on_leak warn
		}
`

// config is that of one edge.
func (s setup) config(n *node, origin string) edge.SiteConfig {
	var b strings.Builder
	fmt.Fprintf(&b, "\t\tstore redis %s {\n\t\t\tmemory 64MiB\n\t\t\tedge %s\n\t\t\tlease %s\n\t\t\ttimeout %s\n\t\t\tpiece 16KiB\n",
		n.link.Addr, n.name(), s.lease, min(250*time.Millisecond, s.lease/3))
	if s.namespace != "" {
		fmt.Fprintf(&b, "\t\t\tnamespace %s\n", s.namespace)
	}
	if s.partition != "" {
		fmt.Fprintf(&b, "\t\t\ton_partition %s\n", s.partition)
	}
	fmt.Fprintf(&b, "%s\n\t\t}\n", s.store)
	policy := s.policy
	if policy == "" {
		policy = fmt.Sprintf(routes, "")
	}
	b.WriteString(policy)
	return edge.SiteConfig{Origin: origin, Policy: b.String()}
}

// startNode runs the binary as an edge of the fleet, until the test ends.
func startNode(t testing.TB, number int, s setup, origin string) *node {
	t.Helper()
	n := &node{number: number, link: redistest.Proxy(t, s.redis)}
	n.client = &http.Client{Timeout: edge.Patience, Transport: &http.Transport{DisableKeepAlives: true}}
	if s.binary == "" {
		s.binary = binary(t)
	}
	n.site = edge.StartSite(t, s.binary, s.config(n, origin))
	n.address, n.admin = n.site.Address, n.site.Admin
	n.ready(t)
	return n
}

// startNodes runs several.
func startNodes(t testing.TB, number int, s setup, origin string) []*node {
	t.Helper()
	var nodes []*node
	for i := range number {
		nodes = append(nodes, startNode(t, i, s, origin))
	}
	together(t, nodes)
	return nodes
}

// together waits until all know of each other.
func together(t testing.TB, nodes []*node) {
	t.Helper()
	for _, n := range nodes {
		edge.Eventually(t, n.name()+" knows of all edges", func() bool {
			f, err := n.fleet()
			return err == nil && f.Trusted && len(f.Members) >= len(nodes)
		})
	}
}

// ready waits until the configuration is in force: it listens a moment before.
func (n *node) ready(t testing.TB) {
	t.Helper()
	edge.Eventually(t, n.name()+" is ready", func() bool {
		s, err := n.status()
		return err == nil && len(s.Handlers) > 0 && len(s.Fleets) > 0
	})
}

func (n *node) status() (s control.Status, err error) {
	res, err := n.client.Get("http://" + n.admin + "/cacheward/status")
	if err != nil {
		return s, err
	}
	return s, n.read(res, &s)
}

// fleet is the fleet as the edge knows it.
func (n *node) fleet() (control.FleetStatus, error) {
	s, err := n.status()
	if err == nil && len(s.Fleets) != 1 {
		err = fmt.Errorf("%s knows of %d fleets", n.name(), len(s.Fleets))
	}
	if err != nil {
		return control.FleetStatus{}, err
	}
	return s.Fleets[0], nil
}

// order has the edge's admin endpoint do something.
func (n *node) order(path string, question, answer any) error {
	text, err := json.Marshal(question)
	if err != nil {
		return err
	}
	res, err := n.client.Post("http://"+n.admin+"/cacheward/"+path, "application/json", bytes.NewReader(text))
	if err != nil {
		return err
	}
	return n.read(res, answer)
}

func (n *node) read(res *http.Response, answer any) error {
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", res.Request.URL.Path, res.Status, body)
	}
	return json.Unmarshal(body, answer)
}

// acknowledged says whether an order is: it is in the log of the fleet.
func acknowledged(err error, d *control.FleetDelivery, problems []string) bool {
	return err == nil && d != nil && d.Generation > 0 && d.Problem == "" && len(problems) == 0
}

// spans are times at which something went on.
type spans struct {
	mu   sync.Mutex
	all  []span
	open int
}

func (s *spans) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open++; s.open == 1 {
		s.all = append(s.all, span{from: time.Now()})
	}
}

func (s *spans) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open--; s.open == 0 {
		s.all[len(s.all)-1].until = time.Now()
	}
}

// touch says whether it went on at any moment of that time, or up to after before it.
func (s *spans) touch(from, until time.Time, after time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.all, func(s span) bool {
		return s.from.Before(until) && (s.until.IsZero() || from.Before(s.until.Add(after)))
	})
}
