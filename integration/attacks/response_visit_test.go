package attacks

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"time"
)

// The versions of HTTP that visits are made over.
const (
	overH1 = "HTTP/1.1"
	overH2 = "h2c"
)

// call is a request.
type call struct {
	// over is the version; HTTP/1.1 if empty.
	over string
	// method is GET if empty.
	method string
	target string
	// fields are lines of the head beside Host.
	fields []string
}

// answered is what a visitor got.
type answered struct {
	visit   call
	status  int
	header  http.Header
	interim []http.Header
	trailer http.Header
	body    []byte
	// broken is why the answer is not complete, if it is not.
	broken error
}

// visitDeadline is when a visit is given up, so that a test which would hang fails.
const visitDeadline = 30 * time.Second

// siteHost is the host that visitors ask for.
const siteHost = "shop.example"

// client asks a site at an address, over connections that all visitors share, as those
// do who come through a CDN.
type client struct {
	address string
	h1, h2  *http.Transport
}

func newClient(address string) *client {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	return &client{
		address: address,
		h1:      &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100},
		h2:      &http.Transport{DisableCompression: true, Protocols: &protocols},
	}
}

func (c *client) ask(v call) *answered { return c.askUntil(context.Background(), v) }

// askUntil gives the visit up when the context ends.
func (c *client) askUntil(ctx context.Context, v call) *answered {
	if v.method == "" {
		v.method = http.MethodGet
	}
	transport := c.h1
	if v.over == overH2 {
		transport = c.h2
	}
	a := &answered{visit: v}
	ctx, cancel := context.WithTimeout(ctx, visitDeadline)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(_ int, h textproto.MIMEHeader) error {
			a.interim = append(a.interim, http.Header(h).Clone())
			return nil
		},
	})
	request, err := http.NewRequestWithContext(ctx, v.method, "http://"+c.address+v.target, nil)
	if err != nil {
		a.broken = err
		return a
	}
	request.Host = siteHost
	for _, line := range v.fields {
		name, value, _ := strings.Cut(line, ":")
		request.Header.Add(name, strings.TrimSpace(value))
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		a.broken = err
		return a
	}
	defer response.Body.Close()
	a.status, a.header = response.StatusCode, response.Header
	a.body, a.broken = io.ReadAll(response.Body)
	a.trailer = response.Trailer
	return a
}

// text is all that the visitor can read: heads, decoded body, trailers.
func (a *answered) text() string {
	var b strings.Builder
	for _, h := range append(slices.Clone(a.interim), a.header, a.trailer) {
		_ = h.Write(&b) // to memory
	}
	coding := a.header.Get("Content-Encoding")
	b.Write(uncoded(coding, a.body))
	if coding != "" {
		b.Write(a.body)
	}
	return b.String()
}

// content is the body without its coding.
func (a *answered) content() string {
	return string(uncoded(a.header.Get("Content-Encoding"), a.body))
}

// mints are the minted values that the visitor was given, each once.
func (a *answered) mints() []string {
	found := minted.FindAllString(a.text(), -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// detail is what Cacheward says of the answer in Cache-Status.
func (a *answered) detail() string {
	for _, line := range a.header["Cache-Status"] {
		if strings.HasPrefix(line, "Cacheward") {
			return line
		}
	}
	return ""
}

func (a *answered) hit() bool { return strings.Contains(a.detail(), "; hit") }

// permits names a field by which caches further on may keep the answer, or may take
// it that they may.
func (a *answered) permits() string {
	control := strings.ToLower(strings.Join(a.header["Cache-Control"], ","))
	if !strings.Contains(control, "private") || !strings.Contains(control, "no-store") {
		return "Cache-Control: " + control
	}
	for _, name := range []string{"Expires", "Cdn-Cache-Control", "Surrogate-Control", "Edge-Control", "X-Accel-Expires", "Cloudflare-Cdn-Cache-Control"} {
		switch value := a.header.Get(name); {
		case value == "", value == "0", strings.Contains(value, "no-store"):
		default:
			return name + ": " + value
		}
	}
	return ""
}

// String is how a failure shows the answer.
func (a *answered) String() string {
	if a.header == nil {
		return fmt.Sprintf("%s %s: no answer: %v", a.visit.method, a.visit.target, a.broken)
	}
	body := a.body
	if len(body) > 200 {
		body = body[:200]
	}
	return fmt.Sprintf("%s %s over %s %q: %d, %q, %q, mints %q, broken: %v", a.visit.method, a.visit.target, a.visit.over,
		a.visit.fields, a.status, a.header, body, a.mints(), a.broken)
}
