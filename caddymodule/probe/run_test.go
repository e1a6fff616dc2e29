package probe

import (
	"encoding/json"
	"net/url"
	"testing"
)

var repeatsReferer = []Input{{Kind: KindHeader, Name: "Referer"}}

func signedEdge(t testing.TB, e *fakeEdge) *fakeEdge {
	e.secret = mustSecret(t, testSecret)
	e.verifier = NewVerifier(e.secret)
	return e
}

// TestRun: what is found out about caches of all kinds.
func TestRun(t *testing.T) {
	obeying := frontCache{Query: true, Says: "X-Cache"}
	deaf := frontCache{Query: true, Deaf: true, Says: "X-Cache"}
	for _, test := range []struct {
		name     string
		edge     *fakeEdge
		cache    *frontCache
		unsigned bool
		change   func(*Options)
		verdict  Verdict
		kind     string
		who      string
		behaves  Behaviour // without names and status
	}{
		{name: "no cache", verdict: Isolated, behaves: Behaviour{Stores: no, Query: "?", Obeys: yes, Coalesces: no}},
		{name: "obeys", cache: &obeying, verdict: Isolated, behaves: Behaviour{Stores: no, Query: "?", Obeys: yes, Coalesces: no}},
		{name: "deaf", cache: &deaf, verdict: Leak, kind: EvidenceReceipt, who: WhoCDN,
			behaves: Behaviour{Stores: yes, Query: yes, Obeys: no, Coalesces: "?"}},
		{name: "deaf to what has no cookie", cache: &frontCache{Query: true, Deaf: true, Passes: true}, verdict: Leak, kind: EvidenceReceipt, who: WhoCDN,
			behaves: Behaviour{Stores: yes, Query: yes, Obeys: no, Coalesces: "?"}},
		{name: "blind to the query", edge: &fakeEdge{shared: true, ttl: 60, keyed: []string{"ref"}}, cache: &frontCache{}, verdict: Leak, kind: EvidenceReceipt, who: WhoCDN,
			behaves: Behaviour{Stores: yes, Query: no, Obeys: "?", Coalesces: "?"}},
		{name: "does not send the query on", edge: &fakeEdge{shared: true, ttl: 60, keyed: []string{"ref"}}, cache: &frontCache{Strips: true}, verdict: Shared,
			behaves: Behaviour{Stores: yes, Query: no, Obeys: "?", Coalesces: "?"}},
		{name: "shares what may be", edge: &fakeEdge{shared: true, ttl: 60, keyed: []string{"ref"}}, cache: &obeying, verdict: Shared,
			behaves: Behaviour{Stores: yes, Query: yes, Obeys: "?", Coalesces: "?"}},
		{name: "coalesces", cache: &frontCache{Query: true, Coalesces: true}, verdict: Leak, kind: EvidenceReceipt, who: WhoCDN,
			behaves: Behaviour{Stores: no, Query: yes, Obeys: no, Coalesces: yes}},
		{name: "coalesces and keeps", cache: &frontCache{Query: true, Coalesces: true, Deaf: true}, change: fresh, verdict: Leak, kind: EvidenceReceipt, who: WhoCDN,
			behaves: Behaviour{Stores: yes, Query: yes, Obeys: no, Coalesces: yes}},
		{name: "the edge leaks", edge: &fakeEdge{stores: true, blind: true}, verdict: Leak, kind: EvidenceCanary, who: WhoEdge,
			behaves: Behaviour{Stores: no, Query: "?", Obeys: yes, Coalesces: no}},
		{name: "the edge shares", edge: &fakeEdge{shared: true, ttl: 60, stores: true}, verdict: Shared,
			behaves: Behaviour{Stores: no, Query: "?", Obeys: "?", Coalesces: no}},
		{name: "unsigned, deaf", unsigned: true, cache: &deaf, verdict: Leak, kind: EvidenceCanary, who: WhoUnknown,
			behaves: Behaviour{Stores: yes, Query: yes, Obeys: no, Coalesces: "?"}},
		{name: "unsigned, obeys", unsigned: true, cache: &obeying, verdict: Isolated,
			behaves: Behaviour{Stores: no, Query: "?", Obeys: yes, Coalesces: no}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := test.edge
			if e == nil {
				e = new(fakeEdge)
			}
			e.app = &app{repeats: repeatsReferer, clock: !e.shared}
			if !test.unsigned {
				signedEdge(t, e)
			}
			var cache *frontCache
			if test.cache != nil {
				cache = &frontCache{Query: test.cache.Query, Deaf: test.cache.Deaf, Passes: test.cache.Passes, Coalesces: test.cache.Coalesces,
					Strips: test.cache.Strips, Says: test.cache.Says}
			}
			r := newRig(e, cache)
			defer r.close()
			report := r.probe(t, test.change, "/lp?ref=A1")
			u := report.URLs[0]
			got := u.Cache
			got.Names, got.Status = nil, nil
			if text, _ := json.MarshalIndent(report, "", "  "); u.Verdict != test.verdict || report.Verdict != test.verdict || !equal(got, test.behaves) {
				t.Fatalf("%+v\n%s", got, text)
			}
			if test.verdict != Leak {
				return
			}
			for _, leak := range u.Leaks {
				if leak.Sentence == "" || leak.Received.IsZero() || leak.Receiver == "" {
					t.Errorf("%+v", leak)
				}
			}
			if first := u.Leaks[0]; first.Kind != test.kind || first.Who != test.who {
				t.Errorf("%+v", first)
			}
		})
	}
}

// fresh declares that any value of ref will do.
func fresh(o *Options) {
	o.Declared = func(*url.URL) Declared { return Declared{Fresh: "ref"} }
}

func equal(a, b Behaviour) bool {
	return a.Stores == b.Stores && a.Query == b.Query && a.Obeys == b.Obeys && a.Coalesces == b.Coalesces
}
