package caddymodule

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/zeebo/blake3"
	"pgregory.net/rapid"
)

// planted is a page with a value in it that is another one for each visitor or each
// request.
type planted struct {
	before, after string
	source        string // what the value is made of
	shape, coding int
	compress      string
	header        string // where the value is if not in the body
}

var plantedBlocks = []string{
	`<p>All of this is the same for everybody.</p>`, `<form action="/join" method="post"><input type="hidden" name="step" value="1">`, `</form>`,
	`<script>var state = {"step": 1, "user": null};</script>`, `<!-- generated at 2027-01-01 -->`, `<a href="/items/17?from=list" class="item">`, `</a>`,
	`<time datetime="2027-01-01T00:00:00Z">today</time>`, `<meta name="description" content="a page">`, `<style>.a{color:red}</style>`,
	"\n\n    ", `{"items":[1,2,3],"server_time":"2027-01-01","next":"/items?page=2"}`, `日本語のページ`, "\x00\xff\xfe", `<![CDATA[x]]>`, strings.Repeat("x", 200),
}

// value is what the page shows for a request: something of the visitor's, or
// something that is new with every request.
func (p planted) value(r *http.Request, n int64) string {
	seed := ""
	switch p.source {
	case "param":
		seed = r.URL.Query().Get("ref")
	case "cookie":
		if c, err := r.Cookie("lead"); err == nil {
			seed = c.Value
		}
	case "referer":
		seed = r.Referer()
	case "address":
		seed = r.RemoteAddr
	case "language":
		seed = r.Header.Get("Accept-Language")
	default:
		seed = fmt.Sprint("request ", n)
	}
	sum := blake3.Sum256([]byte(seed))
	text := seed
	switch p.shape {
	case 1:
		text = hex.EncodeToString(sum[:12])
	case 2:
		text = base64.RawURLEncoding.EncodeToString(sum[:24])
	case 3:
		text = fmt.Sprint(sum[0], sum[1], sum[2], sum[3])
	case 4:
		text = fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
	}
	switch p.coding {
	case 1:
		text = url.QueryEscape(text)
	case 2:
		text = html.EscapeString(text)
	case 3:
		quoted, _ := json.Marshal(text)
		text = string(quoted)
	case 4:
		text = base64.StdEncoding.EncodeToString([]byte(text))
	case 5:
		text = strings.ToUpper(text)
	}
	return text
}

func (p planted) answer(n *atomic.Int64) func(w http.ResponseWriter, r *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		value := p.value(r, n.Add(1))
		headers := []string{"Cache-Control", "public, max-age=600"}
		body := p.before + value + p.after
		if p.header != "" {
			body = p.before + p.after
			headers = append(headers, p.header, strings.Map(func(r rune) rune {
				if r < ' ' || r > '~' {
					return '.'
				}
				return r
			}, value))
		}
		if encode := codings[p.compress]; encode != nil && !canonical(r) {
			body = string(encode(body))
			headers = append(headers, "Content-Encoding", p.compress)
		}
		return say(200, body, headers...)(w, r)
	}
}

// TestPlantedValueIsNeverShared: whatever a page looks like, wherever in it a value of
// one visitor or one request stands and however it is written: corroboration never
// admits the page, and nobody is given another's answer.
func TestPlantedValueIsNeverShared(t *testing.T) {
	block := rapid.SampledFrom(plantedBlocks)
	rapid.Check(t, func(rt *rapid.T) {
		page := strings.Join(rapid.SliceOfN(block, 1, 12).Draw(rt, "page"), "")
		at := rapid.IntRange(0, len(page)).Draw(rt, "place")
		p := planted{
			before: page[:at], after: page[at:],
			source:   rapid.SampledFrom([]string{"param", "cookie", "referer", "address", "language", "request"}).Draw(rt, "source"),
			shape:    rapid.IntRange(0, 4).Draw(rt, "shape"),
			coding:   rapid.IntRange(0, 5).Draw(rt, "coding"),
			compress: rapid.SampledFrom([]string{"", "gzip", "br", "deflate", "zstd"}).Draw(rt, "compressed"),
			header:   rapid.SampledFrom([]string{"", "", "", "X-Lead", "Link", "Content-Disposition", "Etag"}).Draw(rt, "header"),
		}
		route := "cache: 5m\nparams: {others: strip}\ncookies: {others: strip}"
		if p.source != "request" && rapid.Bool().Draw(rt, "declared") {
			// A declared place must not show what is the visitor's own. Only what can be
			// recognised as such counts: not its digest.
			p.shape, p.coding, p.header = 0, min(p.coding, 3), ""
			route += `
ignore:
  - {html: comment, matching: "generated at *", reason: test}
  - {html: time datetime, reason: test}
  - {json: "$.server_time", reason: test}`
		}
		broken := "" // to be told of outside of the bubble
		withRoute(t, route, func(t *testing.T, c *ruled) {
			c.origin = p.answer(new(atomic.Int64))
			for i, name := range []string{"alice", "bob", "alice"} {
				a := c.get("/?ref=REF-"+name, "Cookie", "lead=lead-of-"+name,
					"Referer", "https://"+name+".example/", "Accept-Language", "x-"+name)
				if a.hit() || c.objects() != 0 {
					broken = fmt.Sprintf("visit %d: %s, %d objects", i, a.header["Cache-Status"], c.objects())
					return
				}
			}
		})
		if broken != "" {
			rt.Fatalf("%s, of %+v", broken, p)
		}
	})
}
