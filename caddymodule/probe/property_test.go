package probe

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// oracle sits where the visitors are, and sees who is given what.
type oracle struct {
	http.Handler
	mu sync.Mutex
	// foreign are answers with a value in them that their visitor has not sent.
	foreign int
}

func (o *oracle) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sent := r.RequestURI
	for _, lines := range r.Header {
		sent += " " + strings.Join(lines, " ")
	}
	seen := &recorded{ResponseWriter: w}
	o.Handler.ServeHTTP(seen, r)
	for _, like := range canaryLike.FindAllString(decoded(w.Header().Get("Content-Encoding"), seen.body.String()), -1) {
		if !strings.Contains(sent, like) {
			o.mu.Lock()
			o.foreign++
			o.mu.Unlock()
			return
		}
	}
}

type recorded struct {
	http.ResponseWriter
	body strings.Builder
}

func (r *recorded) Write(p []byte) (int, error) {
	r.body.Write(p)
	return r.ResponseWriter.Write(p)
}

// someCache is any.
func someCache(t *rapid.T) *frontCache {
	is := func(name string) bool { return rapid.Bool().Draw(t, name) }
	return &frontCache{
		Query: is("query in the key"), Cookies: is("cookies in the key"), Passes: is("passes cookies"),
		Headers: rapid.SampledFrom([][]string{nil, {"Referer"}, {"User-Agent", "Accept-Language"}}).Draw(t, "headers in the key"),
		Deaf:    is("deaf"), Coalesces: is("coalesces"), Strips: is("strips the query"),
		Says: rapid.SampledFrom([]string{"", "X-Cache", "age"}).Draw(t, "says"),
	}
}

func someInputs(t *rapid.T) []Input {
	return rapid.SliceOfNDistinct(rapid.SampledFrom([]Input{
		{Kind: KindParam, Name: "ref"}, {Kind: KindHeader, Name: "Referer"}, {Kind: KindHeader, Name: "Accept-Language"},
		{Kind: KindHeader, Name: "User-Agent"}, {Kind: KindCookie, Name: "cacheward_probe"},
	}), 0, 3, Input.String).Draw(t, "repeats")
}

// TestVerdictIsTheTruth: whatever the caches are like, a leak is found if there is one,
// and none if there is none. With receipts it is known from what the cache is told to do;
// without, who sees all answers knows it.
func TestVerdictIsTheTruth(t *testing.T) {
	secret := mustSecret(t, testSecret)
	rapid.Check(t, func(t *rapid.T) {
		e := &fakeEdge{
			app:    &app{repeats: someInputs(t), clock: rapid.Bool().Draw(t, "clock")},
			shared: rapid.Bool().Draw(t, "shared"), keyed: []string{"ref"}, ttl: 60,
			coding: rapid.SampledFrom([]string{"", "gzip", "br", "zstd", "deflate"}).Draw(t, "coding"),
		}
		signed := rapid.Bool().Draw(t, "signed")
		if signed {
			e.secret, e.verifier = secret, NewVerifier(secret)
		}
		c := someCache(t)
		watching := &oracle{Handler: c}
		r := newRigBehind(e, c, watching)
		defer r.close()
		quick := rapid.IntRange(0, 2).Draw(t, "quick") > 0 // the others take five times as long
		report := r.probe(t, func(o *Options) {
			o.Quick = quick
			o.Visitors = rapid.IntRange(2, 4).Draw(t, "visitors")
			if rapid.Bool().Draw(t, "fresh") {
				fresh(o)
			}
		}, "/lp?ref=A1")
		truth := watching.foreign > 0
		switch {
		case !signed:
		case e.shared:
			truth = !c.Query && !c.Strips
		default:
			truth = c.Deaf || c.Coalesces
		}
		if got := report.Verdict == Leak; got != truth {
			t.Fatalf("leak %v, found %v: %+v", truth, got, report.URLs[0])
		}
		checkReport(t, report, signed)
	})
}

// checkReport holds what is so in every report.
func checkReport(t *rapid.T, r *Report, signed bool) {
	worst := Isolated
	for _, u := range r.URLs {
		worst = worse(worst, u.Verdict)
		of := Isolated
		for _, in := range u.Inputs {
			of = worse(of, in.Verdict)
		}
		if of != u.Verdict && len(u.Leaks) == 0 || (u.Verdict == Leak) != (u.LeakCount > 0) {
			t.Fatalf("%s of %s: %+v", u.Verdict, of, u.Leaks)
		}
		for _, e := range u.Leaks {
			if e.Who == WhoApp || signed && e.Who != WhoCDN {
				t.Fatalf("%s leaks: %+v", e.Who, e)
			}
			if e.Sentence == "" || e.Receiver == "" || e.Phase == "" || e.Received.IsZero() {
				t.Fatalf("%+v", e)
			}
		}
		if len(u.Errors) > 0 {
			t.Fatal(u.Errors)
		}
	}
	if worst != r.Verdict || r.Receipts != signed || r.Requests == 0 {
		t.Fatalf("%+v", r)
	}
}
