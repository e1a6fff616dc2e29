package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"
	"golang.org/x/net/html"
)

const (
	// visitTimeout is for one request of a visit. It is long, as it is only
	// there to end a demo that hangs.
	visitTimeout = 30 * time.Second
	// maxPage bounds what a visitor reads of a page, in bytes.
	maxPage = 1 << 20
	// maxConnections is how many connections are kept to each host.
	maxConnections = 32
)

// landed is what a visitor's landing page says of where it came from.
type landed struct {
	// cached: it came out of a cache, the CDN's or Cacheward's. Who had to wait until
	// Cacheward had it was given what the cache has, too.
	cached bool
	// refusal is Cacheward's reason for not sharing it; may be empty.
	refusal string
}

// browser makes visits. All of them go to one address, whatever their host, as
// if the name were resolved to it. Safe for concurrent use.
type browser struct {
	client *http.Client
}

func newBrowser(address string) *browser {
	dialer := &net.Dialer{Timeout: visitTimeout}
	return &browser{client: &http.Client{
		Timeout: visitTimeout,
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, network, address)
			},
			MaxIdleConnsPerHost: maxConnections,
			IdleConnTimeout:     time.Minute,
		},
	}}
}

// close closes the connections that are not in use.
func (b *browser) close() { b.client.CloseIdleConnections() }

// visit opens the landing page, fills in its form as a person with a browser
// would, and sends it. An error means that the visit could not be completed.
func (b *browser) visit(ctx context.Context, v visitor) (landed, error) {
	header, page, err := b.send(ctx, v, http.MethodGet, v.url(), "")
	if err != nil {
		return landed{}, err
	}
	v.cookies = withNew(v.cookies, header)
	form, err := findForm(page)
	if err != nil {
		return landed{}, fmt.Errorf("page at %s: %w", v.url(), err)
	}
	action, err := resolve(v.url(), form.action)
	if err != nil {
		return landed{}, err
	}
	v.referer = v.url()
	if _, _, err := b.send(ctx, v, http.MethodPost, action, form.fill(v).Encode()); err != nil {
		return landed{}, err
	}
	return readLanded(header), nil
}

// send makes one request and returns the head and the whole body of a response
// with status 200; any other is an error.
func (b *browser) send(ctx context.Context, v visitor, method, address, form string) (http.Header, string, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form))
	if err != nil {
		return nil, "", err
	}
	request.Header.Set("User-Agent", v.agent)
	request.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	request.Header.Set("Accept-Language", v.language)
	if v.referer != "" {
		request.Header.Set("Referer", v.referer)
	}
	if v.cookies != "" {
		request.Header.Set("Cookie", v.cookies)
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Origin", "http://"+v.host)
	}
	response, err := b.client.Do(request)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxPage))
	if err != nil {
		return nil, "", fmt.Errorf("%s %s: %w", method, address, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("%s %s: status %d, 200 was expected", method, address, response.StatusCode)
	}
	return response.Header, string(body), nil
}

// withNew returns a Cookie header with the cookies that a response sets added to it,
// as a browser's jar would.
func withNew(cookies string, header http.Header) string {
	for _, set := range (&http.Response{Header: header}).Cookies() {
		if cookies != "" {
			cookies += "; "
		}
		cookies += set.Name + "=" + set.Value
	}
	return cookies
}

// resolve returns the address of a form's action on a page.
func resolve(page, action string) (string, error) {
	base, err := url.Parse(page)
	if err != nil {
		return "", err
	}
	target, err := base.Parse(action)
	if err != nil {
		return "", fmt.Errorf("form action %q: %w", action, err)
	}
	if target.Host != base.Host {
		return "", fmt.Errorf("form action %q leads to another host than %q", action, base.Host)
	}
	return target.String(), nil
}

// form is a form of a page.
type form struct {
	action string
	inputs []input
	// data is what the page has for its own script.
	data map[string]string
}

// input is an input of a form that has a name.
type input struct {
	name, value string
	// fromQuery names the query parameter that the page's script copies into
	// the input when the form is sent; may be empty.
	fromQuery string
	// fromData names the member of the page's data that the page's script copies
	// into the input when the form is sent; may be empty.
	fromData string
	hidden   bool
}

// findForm returns the page's first form that is sent by POST.
func findForm(page string) (form, error) {
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return form{}, fmt.Errorf("reading the HTML: %w", err)
	}
	for node := range root.Descendants() {
		if node.Type != html.ElementNode || node.Data != "form" || !strings.EqualFold(attribute(node, "method"), "post") {
			continue
		}
		found := form{action: attribute(node, "action"), data: findData(root)}
		for child := range node.Descendants() {
			if child.Type == html.ElementNode && child.Data == "input" && attribute(child, "name") != "" {
				found.inputs = append(found.inputs, input{
					name:      attribute(child, "name"),
					value:     attribute(child, "value"),
					fromQuery: attribute(child, "data-from-query"),
					fromData:  attribute(child, "data-from-data"),
					hidden:    strings.EqualFold(attribute(child, "type"), "hidden"),
				})
			}
		}
		return found, nil
	}
	return form{}, errors.New("no form that is sent by POST")
}

// findData returns the members of the last JSON object in the page's scripts, nil if there
// is none. What is no object of strings is not for these visitors.
func findData(root *html.Node) map[string]string {
	var data map[string]string
	for node := range root.Descendants() {
		if node.Type == html.ElementNode && node.Data == "script" && attribute(node, "type") == "application/json" && node.FirstChild != nil {
			var object map[string]string
			if json.Unmarshal([]byte(node.FirstChild.Data), &object) == nil && object != nil {
				data = object
			}
		}
	}
	return data
}

func attribute(node *html.Node, name string) string {
	for _, a := range node.Attr {
		if a.Namespace == "" && a.Key == name {
			return a.Val
		}
	}
	return ""
}

// fill returns what the visitor sends: hidden inputs as the page has them, those
// that the page's script fills from the visitor's own address or from its data, and
// their name.
func (f form) fill(v visitor) url.Values {
	own, _ := url.ParseQuery(v.query) // what cannot be read is left out, as URLSearchParams does
	values := make(url.Values)
	for _, in := range f.inputs {
		switch {
		case in.fromQuery != "":
			values.Add(in.name, own.Get(in.fromQuery))
		case in.fromData != "":
			values.Add(in.name, f.data[in.fromData])
		case in.hidden:
			values.Add(in.name, in.value)
		case in.name == "member":
			values.Add(in.name, v.name)
		}
	}
	return values
}

// readLanded reads where a response came from. X-Cache is the CDN's. What the
// CDN answers from its own copy says nothing about Cacheward today: the stored
// Cache-Status (RFC 9211) belongs to the response that was stored.
func readLanded(header http.Header) landed {
	if header.Get("X-Cache") == "HIT" {
		return landed{cached: true}
	}
	caches, err := httpsfv.UnmarshalList(header.Values("Cache-Status"))
	if err != nil {
		return landed{}
	}
	for _, member := range caches {
		cache, ok := member.(httpsfv.Item)
		if !ok || text(cache.Value) != "Cacheward" {
			continue
		}
		if hit, _ := cache.Params.Get("hit"); hit == true {
			return landed{cached: true}
		}
		if collapsed, _ := cache.Params.Get("collapsed"); collapsed == true {
			return landed{cached: true}
		}
		if _, forwarded := cache.Params.Get("fwd"); forwarded {
			detail, _ := cache.Params.Get("detail")
			return landed{refusal: mostTelling(text(detail))}
		}
	}
	return landed{}
}

// mostTelling is the first of several reasons, so that each refusal counts once.
func mostTelling(reasons string) string {
	first := strings.FieldsFunc(reasons, func(r rune) bool { return r == ',' || r == ' ' })
	if len(first) == 0 {
		return ""
	}
	return first[0]
}

// text is the text of a token or string; RFC 9211 allows either.
func text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case httpsfv.Token:
		return string(v)
	}
	return ""
}
