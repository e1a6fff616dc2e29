package corpus

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/andybalholm/brotli"

	"github.com/cacheward/cacheward/integration/edge"
)

// visitor is who asks. Each value in here but the language, the coding and the agent is
// theirs alone, and made so that no page changes it by escaping.
type visitor struct {
	name, session, source, ref, callback, article, address string

	language, coding, agent string
}

// The first one's browser is a telephone: what is made for telephones must not be
// what the others get.
var visitors = []visitor{
	{
		name: "Aiko Tanaka", session: "q7Lk2vXn8TtYb4MzRw1cPd6H", source: "newsletter-spring-4711", ref: "partner-k4m8x2q9",
		callback: "jQuery37105518402993_1803", article: "review-of-three-lamps-90215", address: "203.0.113.21",
		language: "ja,en;q=0.7", coding: "gzip, deflate, br",
		agent: "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
	},
	{
		name: "Benedikt Moser", session: "h3Fz9sWq5JgNe7Vk0uBx2RyC", source: "podcast-episode-1382", ref: "partner-w7p3z5t1",
		callback: "jQuery37109927714065_2956", article: "gift-ideas-under-fifty-33870", address: "203.0.113.34",
		language: "de-AT,de;q=0.9,en;q=0.5", coding: "br",
		agent: "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
	},
	{
		name: "Carla Espinosa", session: "t1Dm6oKp0AaSx9Ij8fUv3EwL", source: "billboard-station-2065", ref: "partner-r2v6n8j4",
		callback: "jQuery37102240381776_4417", article: "forum-thread-on-kettles-55126", address: "203.0.113.57",
		language: "es,en;q=0.8", coding: "gzip",
		agent: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Safari/605.1.15",
	},
	{ // has never been here
		name: "nobody yet", source: "search-campaign-8890", ref: "partner-b9c1d5f7",
		callback: "jQuery37106671923540_5032", article: "list-of-workshops-71493", address: "203.0.113.88",
		language: "en-US", coding: "identity",
		agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
	},
}

// own are the values that nobody else may be given.
func (v *visitor) own() []string {
	values := []string{v.name, v.session, v.source, v.ref, v.callback, v.article, v.address}
	return slices.DeleteFunc(values, func(s string) bool { return s == "" })
}

// request is the visitor's for a page.
func (v *visitor) request(p *page, base, path string) (*http.Request, error) {
	query := url.Values{"ref": {v.ref}, "callback": {v.callback}, "utm_content": {v.source}}
	r, err := http.NewRequest(http.MethodGet, "http://"+base+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	r.Host = "shop.example"
	cookies := "lead_source=" + v.source + "; theme=light"
	if v.session != "" {
		cookies += "; " + p.session + "=" + v.session
	}
	for name, value := range map[string]string{
		"Cookie":          cookies,
		"Referer":         "https://blog.example/" + v.article + "/",
		"Accept-Language": v.language,
		"Accept-Encoding": v.coding,
		"User-Agent":      v.agent,
		"X-Forwarded-For": v.address,
	} {
		r.Header.Set(name, value)
	}
	return r, nil
}

// answer is what a visitor got, decoded.
type answer struct {
	visitor *visitor
	status  int
	header  http.Header
	body    []byte
}

// hit says whether it came out of the store.
func (a answer) hit() bool {
	return strings.HasPrefix(a.header.Get("Cache-Status"), "Cacheward; hit")
}

var client = &http.Client{
	Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 2 * len(visitors)},
	Timeout:   edge.Patience,
}

// visit asks for the page.
func (v *visitor) visit(p *page, base, path string) (answer, error) {
	r, err := v.request(p, base, path)
	if err != nil {
		return answer{}, err
	}
	res, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := decode(res)
	if err != nil {
		return answer{}, fmt.Errorf("%s: %w", path, err)
	}
	return answer{visitor: v, status: res.StatusCode, header: res.Header, body: body}, nil
}

func decode(res *http.Response) ([]byte, error) {
	var r io.Reader = res.Body
	switch coding := res.Header.Get("Content-Encoding"); coding {
	case "":
	case "gzip":
		var err error
		if r, err = gzip.NewReader(r); err != nil {
			return nil, err
		}
	case "br":
		r = brotli.NewReader(r)
	default:
		return nil, fmt.Errorf("content coding %q", coding)
	}
	return io.ReadAll(r)
}

// leaks says which values in the answers are somebody else's: of another visitor, of a
// session that another visitor has, or of a request whose answer somebody else has.
func leaks(answers []answer, made map[string]bool) (found []string) {
	for _, a := range answers {
		for i := range visitors {
			other := &visitors[i]
			if other == a.visitor {
				continue
			}
			for _, value := range other.own() {
				if bytes.Contains(a.body, []byte(value)) {
					found = append(found, fmt.Sprintf("%s got %q, which is of %s", a.visitor.name, value, other.name))
				}
			}
		}
	}
	for value, one := range made {
		var first *answer
		for i := range answers {
			a := &answers[i]
			switch {
			case !bytes.Contains(a.body, []byte(value)):
			case first == nil:
				first = a
			case one || first.visitor != a.visitor:
				found = append(found, fmt.Sprintf("%s and %s got %q", first.visitor.name, a.visitor.name, value))
			}
		}
	}
	return found
}

// has says whether the answer has something of its visitor, or something made for one.
func (a answer) has(made map[string]bool) bool {
	return slices.ContainsFunc(slices.Concat(a.visitor.own(), slices.Collect(maps.Keys(made))), func(value string) bool {
		return bytes.Contains(a.body, []byte(value))
	})
}
