package attribution

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/integration/edge"
	"github.com/cacheward/cacheward/policies"
)

// connection is one to the edge over which requests go one after the other. It never sends
// one twice by itself, so that its user knows how often the edge was asked.
type connection struct {
	address string
	conn    net.Conn
	in      *bufio.Reader
}

// close ends it without a farewell: many connections that wait for their last packets
// would use up the ports that tests listen on.
func (c *connection) close() {
	if c.conn != nil {
		_ = c.conn.(*net.TCPConn).SetLinger(0)
		c.conn.Close()
		c.conn = nil
	}
}

// answer is one that a visitor was given.
type answer struct {
	status  int
	header  http.Header
	cookies []*http.Cookie
	body    string
}

// hit says whether it came out of the edge's store.
func (a answer) hit() bool { return strings.Contains(a.header.Get("Cache-Status"), "Cacheward; hit") }

// private says whether the answer tells caches further on to keep nothing of it.
func (a answer) private() bool {
	words := strings.Split(strings.Join(a.header["Cache-Control"], ","), ",")
	for i := range words {
		words[i] = strings.ToLower(strings.TrimSpace(words[i]))
	}
	return slices.Contains(words, "private") && slices.Contains(words, "no-store") && !slices.ContainsFunc(words, func(w string) bool {
		return w == "public" || strings.HasPrefix(w, "s-maxage")
	})
}

// carries are the edge's cookies that it sets.
func (a answer) carries() (set []*http.Cookie) {
	for _, c := range a.cookies {
		if c.Name == policies.AttributionCookie || c.Name == policies.AttributionCookiePlain {
			set = append(set, c)
		}
	}
	return set
}

// ask sends the request once. After an error nothing of the answer is known.
func (c *connection) ask(r *http.Request) (answer, error) {
	a, err := c.exchange(r)
	if err != nil {
		c.close()
	}
	return a, err
}

func (c *connection) exchange(r *http.Request) (answer, error) {
	if c.conn == nil {
		conn, err := net.Dial("tcp", c.address)
		if err != nil {
			return answer{}, err
		}
		c.conn, c.in = conn, bufio.NewReader(conn)
	}
	if err := c.conn.SetDeadline(time.Now().Add(edge.Patience)); err != nil {
		return answer{}, err
	}
	if err := r.Write(c.conn); err != nil {
		return answer{}, err
	}
	res, err := http.ReadResponse(c.in, r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	if res.Close {
		c.close()
	}
	return answer{res.StatusCode, res.Header, res.Cookies(), string(body)}, nil
}

// browser is what a visitor has: a cookie jar, and a name for the site that they visit.
type browser struct {
	host string
	jar  http.CookieJar
}

func newBrowser(host string) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // without options there is nothing to be wrong
	}
	return &browser{host, jar}
}

// request makes one as the visitor's browser does. A form makes it a POST.
func (b *browser) request(target, referer string, form url.Values) *http.Request {
	method, body := http.MethodGet, ""
	if form != nil {
		method, body = http.MethodPost, form.Encode()
	}
	r, err := http.NewRequest(method, "http://"+b.host+target, strings.NewReader(body))
	if err != nil {
		panic(fmt.Sprintf("%q is a target of the test's own: %v", target, err))
	}
	for _, c := range b.jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	r.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	if referer != "" {
		r.Header.Set("Referer", referer)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

// take has the jar keep what an answer sets.
func (b *browser) take(r *http.Request, a answer) { b.jar.SetCookies(r.URL, a.cookies) }
