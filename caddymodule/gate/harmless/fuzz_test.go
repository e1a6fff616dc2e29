package harmless

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/cacheward/cacheward/policies"
)

// FuzzPlaces: of any body, damaged ones above all, the places are within it and apart,
// and what stands in them is nothing but a value. Damage makes no two bodies the same
// that differ outside of their places.
func FuzzPlaces(f *testing.F) {
	page := compiled(f, append(slices.Clone(htmlRules), policies.Harmless{HTML: "time"}, policies.Harmless{HTML: "title"})...)
	data := compiled(f, policies.Harmless{JSON: "$.at"}, policies.Harmless{JSON: "$.a[*].at"}, policies.Harmless{JSON: "$[*]"})
	for _, seed := range []string{
		`<!--gen 1--><span id=stamp>2</span><time datetime="3">4</time><meta name=generated content=5><title>6</title>`,
		`<!--gen 1 <input name=lead value=17>`, `<!--gen--!><!--><!---><!--gen->`, `<time datetime=5/ datetime='6`, `<span id='stamp' / =x =y= ">">5</span>`,
		`<p><![CDATA[ <!--gen 1--> ]]><time><![CDATA[1]]></time>`, `<script><!--gen</script><time>1</time>`, "<time\x00 datetime\x00=\x00>\x00</time>",
		`{"at":1,"a":[{"at":"\u0041"},{"at":[1]}]}`, `[1,"2",{"at":3}]`, `{"at":1`, `{"at":"`, strings.Repeat("[", 101), `-0.0e+0 `, `{"\u0061t":nul}`,
	} {
		f.Add([]byte(seed), []byte(seed+" "))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		holds(t, page, "text/html", a, "gen")
		holds(t, page, "application/xhtml+xml", a, "gen")
		holds(t, data, "application/json", a, "0")
		for contentType, s := range map[string]*Set{"text/html": page, "application/json": data} {
			same, pa, pb := s.Same(contentType, a, b)
			if want := slices.EqualFunc(around(a, pa), around(b, pb), bytes.Equal) && slices.Equal(rules(pa), rules(pb)); same != want {
				t.Fatalf("%s: same %v: %q %v and %q %v", contentType, same, a, pa, b, pb)
			}
		}
	})
}

// around are the parts of the body between its places.
func around(body []byte, places []Place) [][]byte {
	var out [][]byte
	end := 0
	for _, p := range places {
		out = append(out, body[end:p.Start])
		end = p.End
	}
	return append(out, body[end:])
}

func rules(places []Place) []int {
	var out []int
	for _, p := range places {
		out = append(out, p.Rule)
	}
	return out
}

// FuzzJSON: what is JSON here is JSON to encoding/json, save what nests too deep.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-0.5E-7,true,false,null,"\ud83d\ude00\"\\\/\b\f\n\r\t"],"b":{}}`, ` [ ] `, `"`, `01`, `1.`, `.5`, `1e`, `+1`, `tru`, `{"a":1,}`, `[1,]`, `{,}`, "\"\t\"", `[1]]`, "1\x00",
		strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		j := &jsonReader{body: body}
		got := j.value(0, 0) && j.next() == 0 && j.at == len(body)
		if want := json.Valid(body) && nesting(body) <= maxDepth; got != want {
			t.Fatalf("%q: got %v, want %v", body, got, want)
		}
	})
}

// nesting is how deep the objects and lists of valid JSON nest.
func nesting(body []byte) int {
	depth, deepest, quoted := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
			deepest = max(deepest, depth)
		case c == ']' || c == '}':
			depth--
		}
	}
	return deepest
}

// FuzzAttributes: attributes parts a tag as the tokenizer does.
func FuzzAttributes(f *testing.F) {
	for _, seed := range []string{
		`<a>`, `<a/>`, `<a b>`, `<a b=c d='e' f="g">`, "<a\n/b / c = d=e/>", `<a =b ==c d==e>`, `<a b='>' c="'">`, `<a b=>`, `<a b= >`, `<a B=1 b=2>`, `<a"b='c'd="e"f>`, "<a b\x00=\x00>", "<a\x00 b>",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, page []byte) {
		z := html.NewTokenizer(bytes.NewReader(page))
		for begin := 0; ; {
			kind := z.Next()
			if kind == html.ErrorToken {
				return
			}
			end := begin + len(z.Raw())
			if kind == html.StartTagToken || kind == html.SelfClosingTagToken {
				sameAttributes(t, z, page[begin:end])
			}
			begin = end
		}
	})
}

func sameAttributes(t *testing.T, z *html.Tokenizer, tag []byte) {
	t.Helper()
	own := attributes(tag)
	_, more := z.TagName()
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		if bytes.IndexByte(tag, 0) >= 0 {
			continue // the tokenizer puts a replacement character there
		}
		a := find(own, string(key))
		if a == nil {
			t.Fatalf("%q: no attribute %q in %+v", tag, key, own)
		}
		if raw := tag[a.start:a.end]; !bytes.ContainsAny(raw, "&\r") && !bytes.Equal(raw, value) {
			t.Fatalf("%q: %s is %q, want %q", tag, key, raw, value)
		}
		own = slices.DeleteFunc(own, func(a attribute) bool { return foldsTo(a.name, string(key)) })
	}
	if len(own) > 0 && bytes.IndexByte(tag, 0) < 0 {
		t.Fatalf("%q: the tokenizer does not know %+v", tag, own)
	}
}
