package fleet

import (
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cacheward/cacheward/integration/edge"
)

// host is the site's name: all edges have the same.
const host = "shop.example"

// newClient is one that keeps its connections, and does not unpack.
func newClient() *http.Client {
	return &http.Client{
		Timeout: edge.Patience, Transport: &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// get asks an edge for a page.
func get(client *http.Client, n *node, a *answer) {
	a.node = n.number
	if a.who == "" {
		a.who = everyone
	}
	r, err := http.NewRequest(http.MethodGet, "http://"+n.address+a.path, nil)
	if err != nil {
		a.err = err
		return
	}
	if a.who != everyone {
		r.Header.Set("X-Visitor", a.who)
	}
	if a.held != "" {
		r.Header.Set("If-None-Match", a.held)
	}
	r.Host = cmp.Or(n.host, host)
	do(client, r, a)
}

func do(client *http.Client, r *http.Request, a *answer) {
	a.sent = time.Now()
	res, err := client.Do(r)
	if err == nil {
		a.status, a.header = res.StatusCode, res.Header
		a.body, err = io.ReadAll(res.Body)
		res.Body.Close()
	}
	a.received, a.err = time.Now(), err
}

// visitor asks one edge for pages, one after the other, over one connection.
type visitor struct {
	name    string
	node    *node
	checker *checker
	client  *http.Client
	random  *rand.Rand
	held    map[string]string // ETags, by path
}

// visit goes on until it is to stop.
func (v *visitor) visit(stop *atomic.Bool) {
	defer v.client.CloseIdleConnections()
	for n := 0; !stop.Load(); n++ {
		v.step(n)
		// A pace that leaves the machine to the edges.
		time.Sleep(time.Duration(v.random.IntN(5000)) * time.Microsecond)
	}
}

func (v *visitor) step(n int) {
	a := answer{path: v.page()}
	switch dice := v.random.IntN(200); {
	case dice < 16:
		kind := []string{"private", "mine"}[dice%2]
		a.path, a.who = fmt.Sprintf("/v/%s/%d", kind, v.random.IntN(4)), fmt.Sprintf("%s-%d", v.name, n)
	case dice < 18:
		v.post(a.path)
		return
	case dice < 40:
		a.held = v.held[a.path]
	}
	get(v.client, v.node, &a)
	if page, ok := v.checker.take(&a); ok && a.who == everyone {
		v.held[a.path] = page.etag()
	}
}

// page is one of the shared ones.
func (v *visitor) page() string {
	route := []string{news, news, shop, calm}[v.random.IntN(4)]
	return pagePath(route, v.random.IntN(groups), v.random.IntN(perGroup))
}

// post changes a page. Who is told that it is changed is given the new one.
func (v *visitor) post(path string) {
	a := answer{node: v.node.number, path: path}
	r, err := http.NewRequest(http.MethodPost, "http://"+v.node.address+path, strings.NewReader("x=1"))
	if err != nil {
		panic(err)
	}
	r.Host = host
	do(v.client, r, &a)
	var version int64
	if a.err == nil {
		if a.status != http.StatusOK {
			a.err = fmt.Errorf("the answer to a POST")
		} else if version, err = strconv.ParseInt(string(a.body), 10, 64); err != nil {
			a.err = err
		}
	}
	if a.err != nil {
		v.checker.take(&a)
		return
	}
	quiet := !v.node.away.touch(a.sent, a.received, 2*v.checker.journal.lease) &&
		!v.node.down.touch(a.sent, a.received, 0)
	v.checker.journal.changed(path, version, v.node.number, a.received, quiet && v.checker.postsTravel)
}

// crowd has visitors ask all the edges until stop is called.
func crowd(nodes []*node, each int, c *checker, seed uint64) (stop func()) {
	var done atomic.Bool
	var visitors sync.WaitGroup
	for _, n := range nodes {
		for i := range each {
			v := &visitor{
				name: fmt.Sprintf("v%d-%d", n.number, i), node: n, checker: c, client: newClient(), held: make(map[string]string),
				random: rand.New(rand.NewPCG(seed, uint64(n.number*each+i))),
			}
			visitors.Go(func() { v.visit(&done) })
		}
	}
	return func() {
		done.Store(true)
		visitors.Wait()
	}
}
