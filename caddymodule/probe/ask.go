package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zeebo/blake3"

	"github.com/cacheward/cacheward/caddymodule/gate"
	gatemarkers "github.com/cacheward/cacheward/caddymodule/gate/markers"
)

// Bounds of one answer. What is beyond is not looked at.
const (
	maxWire    = 16 << 20 // bytes of a body as they are sent
	maxDecoded = 64 << 20
	maxKept    = 4 << 20 // decoded bytes in which canaries are looked for
	maxRatio   = 1000
	decodeTime = 5 * time.Second
)

// answer is one request and what came back.
type answer struct {
	round    *round
	visitor  *visitor
	nonce    Nonce
	asked    *url.URL
	fields   http.Header // of the request
	sent     time.Time
	received time.Time // the head of the answer

	err    error
	cut    bool // the body is not whole, or only its beginning was looked at
	status int
	header http.Header
	said   []said
	sum    [32]byte // of the status, the place it leads to and the decoded body
	found  []found
	state  []string // what in the body looks like the state of one visitor

	receipts []Receipt
	unopened bool // there was a receipt that another secret had made
}

// own is the receipt of this very request.
func (a *answer) own() *Receipt {
	for i := range a.receipts {
		if a.receipts[i].Nonce == a.nonce {
			return &a.receipts[i]
		}
	}
	return nil
}

// foreign is the receipt of another request, where there is none of this one.
func (a *answer) foreign() *Receipt {
	if len(a.receipts) == 0 || a.own() != nil {
		return nil
	}
	return &a.receipts[len(a.receipts)-1]
}

// acceptsAll are the codings that package gate undoes.
const acceptsAll = "gzip, deflate, br, zstd"

// request makes a visitor's request. It has no receipt of its own yet.
func (p *prober) request(a *answer) *http.Request {
	h := make(http.Header)
	h.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	h.Set("Accept-Encoding", acceptsAll)
	h.Set("Accept-Language", plainLanguage)
	h.Set("User-Agent", plainAgent)
	for name, lines := range p.o.Header {
		h[http.CanonicalHeaderKey(name)] = lines
	}
	for _, v := range a.visitor.values {
		if v.input.Kind == KindHeader {
			h.Set(v.input.Name, v.field(h.Get(v.input.Name)))
		}
	}
	if cookies := a.visitor.cookies(); cookies != "" {
		h["Cookie"] = []string{strings.Join(append(slices.Clone(h["Cookie"]), cookies), "; ")}
	}
	a.fields = h.Clone()
	if p.o.Secret != nil {
		a.nonce = NewNonce()
		h.Set(SignatureField, p.o.Secret.Sign(a.nonce, time.Now()))
	}
	return &http.Request{Method: http.MethodGet, URL: a.asked, Host: a.asked.Host, Header: h, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Close: true}
}

// ask sends one visitor's request. ready, where given, is called when it is about to be
// written, and may wait.
func (p *prober) ask(ctx context.Context, r *round, v *visitor, ready func(context.Context)) *answer {
	a := &answer{round: r, visitor: v, asked: r.target.asked(v)}
	ctx, cancel := context.WithTimeout(ctx, p.o.Timeout)
	defer cancel()
	request := p.request(a)
	a.sent = time.Now()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		if ready != nil {
			ready(ctx)
		}
		a.sent = time.Now()
	}})
	transport := p.transport
	if r.direct {
		transport = p.edge
	}
	response, err := transport.RoundTrip(request.WithContext(ctx))
	a.received = time.Now()
	if err != nil {
		a.err = plainError(err, p.o.Timeout)
		return a
	}
	defer response.Body.Close()
	a.status, a.header, a.said = response.StatusCode, response.Header, readStatus(response.Header)
	p.readReceipts(a)
	p.readBody(a, response.Body)
	return a
}

// readReceipts opens those that the answer has. A cache may have put several together.
func (p *prober) readReceipts(a *answer) {
	if p.o.Secret == nil {
		return
	}
	for _, line := range a.header[ReceiptField] {
		for sealed := range strings.SplitSeq(line, ",") {
			receipt, err := p.o.Secret.Open(strings.TrimSpace(sealed))
			if err != nil {
				a.unopened = true
				continue
			}
			a.receipts = append(a.receipts, receipt)
		}
	}
}

// readBody decodes it and looks for canaries.
func (p *prober) readBody(a *answer, body io.Reader) {
	recorder := gate.NewRecorder(a.header["Content-Encoding"], gate.Limits{
		Keep: maxKept, Decoded: maxDecoded, Ratio: maxRatio, Time: decodeTime, Opaque: true,
	})
	raw := blake3.New()
	n, err := io.Copy(io.MultiWriter(recorder, raw), io.LimitReader(body, maxWire))
	b := recorder.Close()
	a.cut = err != nil || n == maxWire || !b.Readable || !b.Whole
	sum := blake3.New()
	fmt.Fprintf(sum, "%d %q ", a.status, a.header.Get("Location"))
	switch {
	case !b.Readable:
		_, _ = sum.Write(raw.Sum(nil))
	case b.Whole:
		_, _ = sum.Write(b.Kept)
	default:
		_, _ = sum.Write(b.Sum[:])
	}
	sum.Sum(a.sum[:0])
	markers, _ := gatemarkers.Detect(gatemarkers.Page{Header: a.header, Body: b.Kept}, nil)
	for _, m := range markers {
		a.state = append(a.state, strings.TrimSpace(m.ID+" "+m.Near))
	}
	for _, f := range p.canaries.inHeader(a.header) {
		a.found = addFound(a.found, f)
	}
	for _, f := range p.canaries.inBody(b.Kept) {
		a.found = addFound(a.found, f)
	}
}

// plainError is what went wrong, without the URL, which has canaries in it.
func plainError(err error, timeout time.Duration) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w %v", ErrTimeout, timeout)
	}
	return err
}

// together sends the requests of several visitors at once: each has its connection before
// the first of them is written. One that takes too long to connect is not waited for.
func (p *prober) together(ctx context.Context, r *round) []*answer {
	answers := make([]*answer, len(r.visitors))
	var left sync.WaitGroup // those that are not ready yet
	left.Add(len(r.visitors))
	all := make(chan struct{})
	go func() {
		left.Wait()
		close(all)
	}()
	patience := time.NewTimer(p.o.Timeout / 2)
	defer patience.Stop()
	late := make(chan struct{})
	go func() {
		select {
		case <-patience.C:
			close(late)
		case <-all:
		}
	}()
	var running sync.WaitGroup
	for i, v := range r.visitors {
		running.Go(func() {
			once := sync.OnceFunc(left.Done)
			defer once() // one that cannot connect keeps nobody waiting
			answers[i] = p.ask(ctx, r, v, func(ctx context.Context) {
				once()
				select {
				case <-all:
				case <-late:
				case <-ctx.Done():
				}
			})
		})
	}
	running.Wait()
	return answers
}

// newTransport makes the connections. dial is an address that is connected to whatever
// the URL's host is; empty: that of the host.
func (o *Options) newTransport(dial string) http.RoundTripper {
	t := &http.Transport{
		DisableKeepAlives: true, DisableCompression: true, ForceAttemptHTTP2: !o.HTTP1,
		TLSHandshakeTimeout: o.Timeout, MaxResponseHeaderBytes: 256 << 10,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: o.Insecure},
	}
	if dial == "" && len(o.Resolve) == 0 {
		t.Proxy = http.ProxyFromEnvironment
	}
	dialer := &net.Dialer{Timeout: o.Timeout}
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if to, ok := o.Resolve[address]; ok {
			address = to
		}
		if dial != "" {
			address = dial
		}
		return dialer.DialContext(ctx, network, address)
	}
	return t
}
