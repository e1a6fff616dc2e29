package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/explain"
)

const (
	// originTime is how long the origin may take for one answer.
	originTime = 30 * time.Second
	// maxBody is how much of a body is read: a byte more than is ever stored.
	maxBody = 8<<20 + 1
)

// asker answers a question.
type asker func(context.Context, explain.Question) (*explain.Answer, error)

// askOrigin sends the canonical request of the first report that has one, and on a
// corroborated route the visitor's own as well, and asks again with what came back.
func (x *explainer) askOrigin(ctx context.Context, q explain.Question, answer *explain.Answer, ask asker) (*explain.Answer, error) {
	base, err := url.Parse(x.origin)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("--origin %q; a URL such as http://127.0.0.1:3000 was expected", x.origin)
	}
	var first *explain.Explanation
	for _, report := range answer.Reports {
		if e := report.Explanations[0]; e.Canonical != nil {
			first = e
			break
		}
	}
	if first == nil {
		fmt.Fprintln(x.stderr, "cacheward explain: the request is not for the cache; the origin was not asked")
		return answer, nil
	}
	if q.Response, err = send(ctx, base, first.Canonical.Method, first.Canonical.URL, fieldsOf(first.Canonical.Header), explain.FillAddress); err != nil {
		return nil, fmt.Errorf("asking the origin for a fill: %w", err)
	}
	if first.Admission.Rule == "corroborated" && first.Request.Method == http.MethodGet {
		header := q.Requests[0].Header.Clone()
		header.Del("Host")
		own := first.Request.URL
		if first.Attribution != nil {
			own = first.Attribution.URL
		}
		if q.Own, err = send(ctx, base, first.Request.Method, own, header, x.client); err != nil {
			return nil, fmt.Errorf("asking the origin the visitor's own question: %w", err)
		}
	}
	return ask(ctx, q)
}

func fieldsOf(fields []explain.Field) http.Header {
	h := make(http.Header, len(fields))
	for _, f := range fields {
		h.Add(f.Name, f.Value)
	}
	return h
}

// send asks the origin for a URL of the site, as reverse_proxy does: with the site's
// host, and the X-Forwarded fields that it adds.
func send(ctx context.Context, base *url.URL, method, target string, header http.Header, address string) (*explain.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, originTime)
	defer cancel()
	scheme, rest, _ := strings.Cut(target, "://")
	slash := strings.IndexByte(rest, '/')
	host, path := rest[:slash], rest[slash:]
	req, err := http.NewRequestWithContext(ctx, method, base.Scheme+"://"+base.Host, nil)
	if err != nil {
		return nil, err
	}
	if req.URL, err = url.ParseRequestURI(path); err != nil {
		return nil, err
	}
	req.URL.Scheme, req.URL.Host, req.Host = base.Scheme, base.Host, host
	req.Header = header.Clone()
	if req.Header == nil {
		req.Header = make(http.Header)
	}
	if req.Header["User-Agent"] == nil {
		req.Header["User-Agent"] = nil // none, rather than Go's
	}
	req.Header.Set("X-Forwarded-Proto", scheme)
	req.Header.Set("X-Forwarded-Host", host)
	if address != "" {
		req.Header.Set("X-Forwarded-For", address)
	}
	var informational []http.Header
	req = req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: func(_ int, h textproto.MIMEHeader) error {
		informational = append(informational, http.Header(h).Clone())
		return nil
	}}))
	client := http.Client{
		Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	for _, name := range slices.Sorted(maps.Keys(resp.Trailer)) {
		resp.Header.Add("Trailer", name) // where reverse_proxy has it, and http.Client not
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil && !(errors.Is(err, io.ErrUnexpectedEOF) && resp.ContentLength > int64(len(body))) {
		return nil, fmt.Errorf("reading the answer: %w", err) // else its Content-Length shows it
	}
	return &explain.Response{Status: resp.StatusCode, Header: resp.Header, Body: body, Informational: informational, Received: time.Now()}, nil
}
