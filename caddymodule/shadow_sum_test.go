package caddymodule

import (
	"net/http"
	"testing"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/gate/harmless"
	"github.com/cacheward/cacheward/policies"
)

var declaredSet = func() *harmless.Set {
	set, err := harmless.Compile([]policies.Harmless{
		{HTML: "time", Matching: "at *", Reason: "nobody reads it"},
		{HTML: "meta[name=node] content", Reason: "nobody reads it"},
		{Header: "X-Node", Matching: "web-?", Reason: "nobody reads it"},
	})
	if err != nil {
		panic(err)
	}
	return set
}()

// recorded is a body as it would be recorded, kept or only summed up.
func recorded(text string, keep bool) gate.Body {
	limits := gate.Limits{Decoded: 1 << 20}
	if keep {
		limits.Keep = 1 << 20
	}
	r := gate.NewRecorder(nil, limits)
	_, _ = r.Write([]byte(text))
	return r.Close()
}

// TestAnswerSum names what tells two answers apart, and what does not.
func TestAnswerSum(t *testing.T) {
	const page = "<meta name=node content=a><p>page</p><time>at 1</time>"
	type made struct {
		status int
		fields []string
		body   string
	}
	base := made{200, []string{"Content-Type", "text/html", "Etag", `"v1"`}, page}
	for _, tt := range []struct {
		name string
		made
		same bool
	}{
		{"nothing", base, true},
		{"the status", made{404, base.fields, page}, false},
		{"a field more", made{200, append([]string{"X-Lead", "1"}, base.fields...), page}, false},
		{"the type", made{200, []string{"Content-Type", "text/plain", "Etag", `"v1"`}, page}, false},
		{"the tag", made{200, []string{"Content-Type", "text/html", "Etag", `"v2"`}, page}, false},
		{"the tag of a coding", made{200, []string{"Content-Type", "text/html", "Etag", `"v1-gzip"`, "Content-Encoding", "gzip"}, page}, true},
		{"a tag made weak by a coding", made{200, []string{"Content-Type", "text/html", "Etag", `W/"v1"`, "Content-Encoding", "br"}, page}, true},
		{"a tag that only ends like that of another coding", made{200, []string{"Content-Type", "text/html", "Etag", `"v1-gzip"`, "Content-Encoding", "br"}, page}, false},
		{"how it was sent", made{200, append([]string{"Date", "now", "Age", "3", "Via", "1.1 x", "Content-Length", "5"}, base.fields...), page}, true},
		{"Vary for a coding", made{200, append([]string{"Vary", "Accept-Encoding"}, base.fields...), page}, true},
		{"Vary", made{200, append([]string{"Vary", "Accept"}, base.fields...), page}, false},
		{"the body", made{200, base.fields, page + "!"}, false},
		{"no body", made{200, base.fields, ""}, false},
		{"a declared place", made{200, base.fields, "<meta name=node content=bcd><p>page</p><time>at 12</time>"}, true},
		{"a place that is not as declared", made{200, base.fields, "<meta name=node content=a><p>page</p><time>on 1</time>"}, false},
		{"a declared place that is missing", made{200, base.fields, "<meta name=node content=a><p>page</p>"}, false},
		{"around a declared place", made{200, base.fields, "<meta name=node content=a><p>Page</p><time>at 1</time>"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sum := func(m made) [32]byte {
				return answerSum(m.status, pairsHeader(m.fields), recorded(m.body, true), declaredSet)
			}
			if same := sum(base) == sum(tt.made); same != tt.same {
				t.Errorf("they are the same: %v, want %v", same, tt.same)
			}
		})
	}
	node := func(value string) [32]byte {
		return answerSum(200, pairsHeader([]string{"X-Node", value}), recorded(page, true), declaredSet)
	}
	if node("web-1") != node("web-2") || node("web-1") == node("db-1") || node("db-1") == node("db-2") {
		t.Error("a declared field counts, or one that is not as declared does not")
	}
	opaque := func(coding string) [32]byte {
		b := recorded(page, true)
		b.Opaque = true
		return answerSum(200, pairsHeader([]string{"Content-Encoding", coding}), b, nil)
	}
	if one := opaque("a"); one == opaque("b") || one != opaque("a") {
		t.Error("the bytes of two codings count as one body")
	}
}

func pairsHeader(pairs []string) http.Header {
	h := make(http.Header)
	for i := 0; i+1 < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// TestAnswerSumAgreesWithCompare: two answers have one sum if and only if the comparison
// that enforce makes finds nothing, whether their bodies are kept or only summed up.
func TestAnswerSumAgreesWithCompare(t *testing.T) {
	pool := map[string][]string{
		"Content-Type":     {"text/html", "text/plain"},
		"Etag":             {`"a"`, `"b"`},
		"Vary":             {"Accept", "accept", "Accept, Accept-Encoding", "Accept-Encoding"},
		"X-Node":           {"web-1", "web-2", "db-1"},
		"Cache-Control":    {"public, max-age=60", "public"},
		"Link":             {"</a.css>; rel=preload", "</b.css>; rel=preload"},
		"Age":              {"1", "2"},
		"Content-Language": {"ja", "en"},
	}
	bodies := []string{"", "page", "Page", "page ", "<time>at 1</time>", "<time>at 22</time>", "<time>on 1</time>", "<time>at 1</time><time>at 2</time>"}
	drawn := rapid.Custom(func(r *rapid.T) gate.Answer {
		a := gate.Answer{Status: rapid.SampledFrom([]int{200, 404}).Draw(r, "status"), Header: make(http.Header)}
		for name, values := range pool {
			if n := rapid.IntRange(0, 3*len(values)).Draw(r, name); n < len(values) {
				a.Header.Add(name, values[n])
			}
		}
		a.Body = recorded(rapid.SampledFrom(bodies).Draw(r, "body"), rapid.Bool().Draw(r, "kept"))
		return a
	})
	var same, different int
	rapid.Check(t, func(r *rapid.T) {
		a := drawn.Draw(r, "a")
		b := a
		if rapid.Bool().Draw(r, "another") {
			b = drawn.Draw(r, "b")
		} else if name := rapid.SampledFrom([]string{"Etag", "X-Node", "Age", "Vary"}).Draw(r, "field"); len(a.Header[name]) > 0 {
			b.Header = a.Header.Clone()
			b.Header.Set(name, rapid.SampledFrom(pool[name]).Draw(r, "value"))
		}
		if a.Body.Whole != b.Body.Whole {
			b.Body = a.Body // places are looked for in both, or in neither
		}
		equal := answerSum(a.Status, a.Header, a.Body, declaredSet) == answerSum(b.Status, b.Header, b.Body, declaredSet)
		d := gate.Compare(a, b, gate.Context{Harmless: declaredSet})
		if equal != (d == nil) {
			r.Fatalf("one sum %v, but what differs is %+v\n%v %s\n%v %s", equal, d, a.Header, a.Body.Kept, b.Header, b.Body.Kept)
		}
		if equal {
			same++
		} else {
			different++
		}
	})
	if same < 10 || different < 10 {
		t.Errorf("%d pairs were the same and %d were not", same, different)
	}
}
