package inquiry

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

var sampleStart = time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)

// morning is what the records of one night might be: a landing page that is shared, a
// shop whose pages hold a token, a site that only observes, and an incident.
func morning() []reading.Entry {
	random := rand.New(rand.NewPCG(1, 2))
	var all []reading.Entry
	add := func(minute float64, e reading.Entry) {
		e.Schema, e.Time = 1, sampleStart.Add(time.Duration(minute*float64(time.Minute)))
		all = append(all, e)
	}
	const lp = "https://hapitas.example/register/lp?ref="
	for i := range 2400 {
		minute := 192 * float64(i) / 2400
		e := reading.Entry{
			Event: audit.EventServe, Route: "landing", Outcome: "hit", Mode: "enforce", Key: "9f86d081884c7d65",
			Object: "019abbd2-8f3a-7c11-9d0e-5f2b6a7c8d90", TTL: 300 - float64(i%300), Age: float64(i % 300), Size: 18_211,
			Method: "GET", Host: "hapitas.example", URL: fmt.Sprintf("%sA%d", lp, i%7), Status: 200,
			Visitor: fmt.Sprintf("3f2a-%012x", random.Uint64()>>16),
		}
		switch n := random.IntN(100); {
		case minute > 14 && minute < 31:
			e.Event, e.Outcome, e.Object, e.Reasons = audit.EventBypass, "pass", "", []string{"tripped"}
		case n < 3:
			e.Outcome, e.TTL = "stale", -4
		case n < 5:
			e.Outcome = "collapsed"
		case n < 12:
			e.Event, e.Outcome, e.Object, e.Key = audit.EventBypass, "bypass", "", ""
			e.Reasons, e.Detail = []string{"cookie-bypass"}, "cookie lead"
		case n < 14:
			e.Event, e.Outcome, e.Object, e.Key = audit.EventBypass, "bypass", "", ""
			e.Reasons, e.Detail = []string{"cookie-bypass"}, "cookie ab_test"
		case n < 15:
			e.Event, e.Outcome, e.Object, e.Key = audit.EventBypass, "bypass", "", ""
			e.Reasons, e.URL = []string{"param-bypass"}, "https://hapitas.example/register/lp?page=h:0c1f6fa2b7aa"
		}
		add(minute, e)
	}
	for i := range 38 {
		add(float64(i)*5+0.01, reading.Entry{
			Event: audit.EventStore, Route: "landing", Mode: "enforce", Key: "9f86d081884c7d65", Object: "019abbd2-8f3a-7c11-9d0e-5f2b6a7c8d90",
			TTL: 300, Size: 18_211, Method: "GET", Host: "hapitas.example", URL: lp + "A1", Status: 200, Origin: 41.5,
		})
	}
	for i := range 640 {
		minute := 192 * float64(i) / 640
		e := reading.Entry{
			Event: audit.EventBypass, Route: "shop", Outcome: "pass", Key: "60303ae22b998861", Reasons: []string{"remembered-refusal"},
			Method: "GET", Host: "hapitas.example", URL: "https://hapitas.example/shop/cart", Status: 200,
		}
		if i%40 == 0 {
			add(minute+0.001, reading.Entry{
				Event: audit.EventDiverge, Route: "shop", Key: "60303ae22b998861", Reasons: []string{"divergent"}, Method: "GET",
				Host: "hapitas.example", URL: "https://hapitas.example/shop/cart", Status: 200,
				Divergence: &reading.Divergence{Class: "token", Part: "body", Near: "input csrf_token", Shape: "hex-32", Offset: 4112, Length: 32},
			})
			e.Outcome, e.Reasons = "fill", nil
		}
		add(minute, e)
	}
	for i := range 12 {
		add(float64(i*16), reading.Entry{
			Event: audit.EventRefuse, Route: "shop", Key: "fd61a03af4f77d87", Reasons: []string{"set-cookie", "private"}, Method: "GET",
			Host: "hapitas.example", URL: "https://hapitas.example/shop/", Status: 200, Detail: "Set-Cookie",
		})
	}
	for i := range 3 {
		add(float64(i*50+7), reading.Entry{
			Event: audit.EventDiverge, Route: "news", Key: "a4e624d686e03ed2", Reasons: []string{"divergent"}, Method: "GET",
			Host: "hapitas.example", URL: "https://hapitas.example/news", Status: 200,
			Divergence: &reading.Divergence{Class: "clock", Part: "body", Near: "$.server_time", Shape: "timestamp", Offset: 12, Length: 20},
		})
	}
	for i := range 300 {
		e := reading.Entry{
			Event: audit.EventBypass, Route: "site", Outcome: "observe", Mode: "observe", Would: "hit", Key: "18ac3e7343f01689",
			Method: "GET", Host: "hapitas.example", URL: "https://hapitas.example/about", Status: 200,
		}
		switch {
		case i%5 == 0:
			e.Would, e.Reasons = "pass", []string{"set-cookie"}
		case i%17 == 0:
			e.Would, e.Reasons, e.Detail = "bypass", []string{"identity"}, "cookie session"
		case i%29 == 0:
			e.Would = "fill"
		}
		add(192*float64(i)/300, e)
	}
	add(14, reading.Entry{
		Event: audit.EventWithdraw, Route: "landing", Key: "9f86d081884c7d65", Object: "019abbd2-8f3a-7c11-9d0e-5f2b6a7c8d90",
		Reasons: []string{"divergent", "reflects-input"}, URL: lp + "A1", Status: 200, Detail: "first admitted 2026-11-23T02:58:00Z",
		Divergence: &reading.Divergence{Class: "reflected-input", Input: "cookie lead", Part: "body", Near: "input lead", Shape: "hex-24"},
	})
	add(14.1, reading.Entry{Event: audit.EventTrip, Scope: "route landing", By: "ops@edge-1", Why: "customers see other customers' names"})
	add(14.6, reading.Entry{Event: audit.EventPurge, Scope: "route landing", By: "ops@edge-1", Why: "the same", Removed: 12})
	add(31, reading.Entry{Event: audit.EventReset, Scope: "route landing", By: "ops@edge-1", Why: "the app is mended"})
	add(40, reading.Entry{Event: audit.EventDrop, Records: 1204})
	for i := range 5 {
		add(60+float64(i), reading.Entry{Event: audit.EventFault, Route: "shop", Outcome: "fault", Reasons: []string{"store-fault"}, Error: "dial tcp 127.0.0.1:6379: connect: connection refused"})
	}
	return all
}
