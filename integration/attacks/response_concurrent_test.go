package attacks

import (
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/cacheward/cacheward/integration/edge"
)

// headRow is what an origin says of answers that it makes for each visitor.
type headRow struct {
	name   string
	fields http.Header
}

// setsCookie is where a row has a cookie of the visitor's.
const setsCookie = "Set-Cookie"

var headRows = []headRow{
	{"no-store", http.Header{"Cache-Control": {"no-store"}}},
	{"private", http.Header{"Cache-Control": {"private"}}},
	{"no-cache", http.Header{"Cache-Control": {"no-cache"}}},
	{"max-age + Set-Cookie", http.Header{"Cache-Control": {"public, max-age=3600"}, setsCookie: nil}},
	{"Set-Cookie alone", http.Header{setsCookie: nil}},
	{"none", http.Header{}},
	{"Vary: *", http.Header{"Cache-Control": {"public, max-age=3600"}, "Vary": {"*"}}},
	{"Vary: Cookie", http.Header{"Cache-Control": {"public, max-age=3600"}, "Vary": {"Cookie"}}},
}

// crowd is how many visitors come at once.
const crowd = 30

// holding is for how long the slow origin waits for the whole crowd. Where requests are
// collapsed it never comes.
const holding = 100 * time.Millisecond

// slowOrigin makes a page and a cookie for each visitor, whom it knows by their
// User-Agent. It answers
// nobody before the crowd is there, or has not come for a while.
type slowOrigin struct {
	mu    sync.Mutex
	gates map[string]*gathering
}

type gathering struct {
	come int
	all  chan struct{}
}

func (o *slowOrigin) gather(path string) {
	o.mu.Lock()
	g := o.gates[path]
	if g == nil {
		g = &gathering{all: make(chan struct{})}
		o.gates[path] = g
	}
	if g.come++; g.come == crowd {
		close(g.all)
	}
	o.mu.Unlock()
	timer := time.NewTimer(holding)
	defer timer.Stop()
	select {
	case <-g.all:
	case <-timer.C:
	}
}

func (o *slowOrigin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.gather(r.URL.Path)
	who := r.Header.Get("User-Agent")
	for _, row := range headRows {
		if row.name != r.URL.Query().Get("head") {
			continue
		}
		for name, lines := range row.fields {
			w.Header()[name] = lines
		}
		if _, ok := row.fields[setsCookie]; ok {
			w.Header().Set(setsCookie, "lead=of-"+who)
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<p>page of-%s</p>", who)
}

func startSlowOrigin(t testing.TB) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: &slowOrigin{gates: make(map[string]*gathering)}}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })
	return listener.Addr().String()
}

// cell is what went wrong where a crowd asked for one page at once.
type cell struct {
	bodies, cookies, errors int
	first                   string // one of them
}

func (c *cell) note(count *int, a *answered, v verdict) {
	*count++
	if c.first == "" {
		c.first = fmt.Sprintf("%s: %s", v, a)
	}
}

func (c cell) String() string { return fmt.Sprintf("%d/%d/%d", c.bodies, c.cookies, c.errors) }

var ownedBy = regexp.MustCompile(`of-[a-z]+-[0-9]+`)

// askAtOnce lets a crowd ask for the target, all at one moment, and finds who was given
// what is not theirs.
func askAtOnce(c *client, over, target string, sets bool) cell {
	answers := make([]*answered, crowd)
	start := make(chan struct{})
	var group sync.WaitGroup
	for n := range crowd {
		group.Go(func() {
			v := visitor(n, target)
			v.over = over
			<-start
			answers[n] = c.ask(v)
		})
	}
	close(start)
	group.Wait()
	var found cell
	for n, a := range answers {
		whose := fmt.Sprintf("of-visitor-%d", n)
		if a.broken != nil || a.status != http.StatusOK {
			found.note(&found.errors, a, denial)
			continue
		}
		if ownedBy.FindString(string(a.body)) != whose {
			found.note(&found.bodies, a, leak)
		}
		if cookie := a.header.Get(setsCookie); ownedBy.FindString(cookie) != whose && (cookie != "" || sets) {
			found.note(&found.cookies, a, leak)
		}
	}
	return found
}

// headTable has a crowd ask at once for a page of each row, on the path of each column,
// over each version.
func headTable(c *client, columns, versions []string) [][]cell {
	table := make([][]cell, len(headRows))
	var group sync.WaitGroup
	few := make(chan struct{}, 6) // crowds at a time
	for i, row := range headRows {
		table[i] = make([]cell, len(columns)*len(versions))
		_, sets := row.fields[setsCookie]
		for j, column := range columns {
			for k, over := range versions {
				group.Go(func() {
					few <- struct{}{}
					defer func() { <-few }()
					target := fmt.Sprintf(column, i*len(versions)+k) + "?head=" + strings.NewReplacer(" ", "%20", "+", "%2B", "*", "%2A").Replace(row.name)
					table[i][j*len(versions)+k] = askAtOnce(c, over, target, sets)
				})
			}
		}
	}
	group.Wait()
	return table
}

func printTable(t testing.TB, columns, versions []string, table [][]cell) {
	t.Helper()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	fmt.Fprint(w, "response head")
	for _, column := range columns {
		for _, over := range versions {
			fmt.Fprintf(w, "\t%s, %s", column, over)
		}
	}
	fmt.Fprintln(w)
	for i, row := range headRows {
		fmt.Fprint(w, row.name)
		for _, c := range table[i] {
			fmt.Fprintf(w, "\t%s", c)
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // to memory
	t.Logf("%d visitors at once: wrong bodies/wrong cookies/errors\n%s", crowd, b.String())
}

// crowdPolicy is the operator's mistake on each kind of route: the query is keyed, and
// nothing tells visitors apart.
func crowdPolicy() string {
	var b strings.Builder
	for i := range 2 * len(headRows) {
		fmt.Fprintf(&b, "\t\troute duration-%d {\n\t\t\tpath /duration/%[1]d\n\t\t\tcache 5m\n\t\t\tparam key head\n\t\t\tcookie strip track\n\t\t\tdownstream 60s\n\t\t}\n", i)
	}
	b.WriteString("\t\troute origin {\n\t\t\tpath /origin/*\n\t\t\tcache origin\n\t\t\tcookie strip track\n\t\t\tdownstream 60s\n\t\t}\n")
	return b.String()
}

// A crowd that comes at one moment is given nothing that was made for one of them,
// whatever the origin says or does not say of caching: nobody gets another's page,
// nobody another's cookie, and nobody an error.
func TestConcurrentVisitors(t *testing.T) {
	site := edge.StartSite(t, binary, edge.SiteConfig{Origin: startSlowOrigin(t), Policy: crowdPolicy()})
	columns := []string{"/duration/%d", "/origin/%d", "/nothing/%d"}
	versions := []string{overH1, overH2}
	table := headTable(newClient(site.Address), columns, versions)
	printTable(t, []string{"cache 5m", "cache origin", "no route"}, versions, table)
	for i, row := range headRows {
		for j, c := range table[i] {
			if c.first != "" {
				t.Errorf("%s, %s: wrong bodies, wrong cookies, errors: %s\n  %s", row.name, columns[j/2], c, c.first)
			}
		}
	}
}
