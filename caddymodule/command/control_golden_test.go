package command

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
	"github.com/cacheward/cacheward/caddymodule/control"
)

var updateControl = flag.Bool("update-control", false, "write the texts in testdata/control anew")

var (
	moment   = time.Date(2026, 11, 23, 3, 12, 7, 0, time.UTC)
	plain100 = view{width: 100, now: moment, loc: time.UTC}

	everything = control.Tripped{Since: moment.Add(-90 * time.Second), Why: "customers see other customers' names", By: "ops@edge-1 via 127.0.0.1"}
	landing    = control.Tripped{Route: "landing", Since: moment.Add(-26 * time.Hour), By: "cacheward",
		Why: "a page that was shared holds a visitor's state: divergent, token near csrf_token; object 01890a5d-ac96-774b-bcce-b302099a8057"}
)

// compare compares a text with that in testdata/control.
func compare(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "control", name+".txt")
	if *updateControl {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; -update-control writes it", err)
	}
	if got != string(want) {
		t.Errorf("%s differs; now it is\n%s", file, got)
	}
}

func TestPurgeTexts(t *testing.T) {
	one := func(removed, left int) []control.PurgedStore {
		return []control.PurgedStore{{Store: "memory", Looked: 24551, Removed: removed, Left: left}}
	}
	for _, test := range []struct {
		name string
		q    control.Purge
		r    control.Purged
	}{
		{"purge-route", control.Purge{Route: "landing"}, control.Purged{Scope: "route landing", Removed: 1204, Stores: one(1204, 0), Verified: true}},
		{"purge-url", control.Purge{URL: "https://hapitas.example/register/lp?ref=A1&x='"}, control.Purged{Scope: "url https://hapitas.example/register/lp?ref=A1&x='", Removed: 1, Stores: one(1, 0), Verified: true}},
		{"purge-key", control.Purge{Key: "0b1e55ed0badcafe"}, control.Purged{Scope: "key 0b1e55ed0badcafe", Removed: 3, Stores: one(3, 0), Verified: true,
			Notes: []string{"some requests that had looked before the purge were still about to answer"}}},
		{"purge-soft", control.Purge{Tag: "product-17", Soft: true}, control.Purged{Scope: "tag product-17", Soft: true, Removed: 17, Stores: one(17, 0), Verified: true}},
		{"purge-nothing", control.Purge{URL: "https://hapitas.example/account"}, control.Purged{Scope: "url https://hapitas.example/account", Stores: one(0, 0), Verified: true,
			Notes: []string{"no policy that is in force stores what a GET for this URL is answered; `cacheward explain --live` says why"}}},
		{"purge-redacted", control.Purge{URL: "https://hapitas.example/lp?ref=h:0123456789ab"}, control.Purged{Scope: "url https://hapitas.example/lp?ref=h:0123456789ab", Stores: one(0, 0), Verified: true}},
		{"purge-failed", control.Purge{Route: "landing"}, control.Purged{Scope: "route landing", Removed: 1201, Stores: append(one(1201, 3), control.PurgedStore{Store: "other"}),
			Problems: []string{"store memory: 3 objects that the purge selects are still there", "store other: the store is closed"}}},
	} {
		t.Run(test.name, func(t *testing.T) { compare(t, test.name, purgedText(plain100, test.q, test.r)) })
	}
}

func TestSwitchTexts(t *testing.T) {
	trip := control.Switched{Done: "tripped everything", Tripped: []control.Tripped{landing, everything}, Saved: true, Settled: true, Took: 1.4}
	t.Run("trip", func(t *testing.T) { compare(t, "trip", trippedText(plain100, control.Trip{}, trip)) })
	half := control.Switched{Done: "tripped route landing", Tripped: []control.Tripped{landing}, Took: 1001,
		Notes:    []string{"some requests that had looked before the trip were still about to answer"},
		Problems: []string{"saving the trips: mkdir /var/lib/caddy: read-only file system; what is in force now would not be after a restart"}}
	t.Run("trip-half", func(t *testing.T) {
		compare(t, "trip-half", trippedText(plain100, control.Trip{Route: "landing"}, half))
	})
	reset := control.Switched{Done: "reset everything", Saved: true, Settled: true, Removed: 1204, Took: 3}
	t.Run("reset", func(t *testing.T) { compare(t, "reset", resetText(plain100, control.Reset{}, reset)) })
	kept := control.Switched{Done: "reset route landing", Saved: true, Settled: true, Tripped: []control.Tripped{everything}, Notes: []string{"there are trips in force still"}}
	t.Run("reset-kept", func(t *testing.T) {
		compare(t, "reset-kept", resetText(plain100, control.Reset{Route: "landing", Keep: true}, kept))
	})
}

// delivery says that two of three edges have confirmed, and the third is missing.
func delivery(silent bool) *control.FleetDelivery {
	d := &control.FleetDelivery{Generation: 41, Edges: 3, Confirmed: 2, Missing: []string{"osaka-1"}, Took: 3004.2}
	if silent {
		d.Silent = d.Missing
	}
	return d
}

func TestDeliveryTexts(t *testing.T) {
	purge := control.Purged{
		Scope: "route landing", Removed: 1204, Stores: []control.PurgedStore{{Store: "redis:shop", Looked: 24551, Removed: 1204}}, Verified: true,
		Fleet: &control.FleetDelivery{Generation: 41, Edges: 3, Confirmed: 3, Took: 4.1},
	}
	q := control.Purge{Route: "landing"}
	t.Run("fleet-purge", func(t *testing.T) { compare(t, "fleet-purge", purgedText(plain100, q, purge)) })
	purge.Fleet = delivery(true)
	t.Run("fleet-purge-silent", func(t *testing.T) { compare(t, "fleet-purge-silent", purgedText(plain100, q, purge)) })
	purge.Fleet = delivery(false)
	t.Run("fleet-purge-missing", func(t *testing.T) { compare(t, "fleet-purge-missing", purgedText(plain100, q, purge)) })
	purge.Fleet = &control.FleetDelivery{Problem: "dial tcp 127.0.0.1:6379: connect: connection refused"}
	purge.Problems, purge.Verified = []string{"the other edges could not be told yet: " + purge.Fleet.Problem}, false
	t.Run("fleet-purge-cut", func(t *testing.T) { compare(t, "fleet-purge-cut", purgedText(plain100, q, purge)) })

	trip := control.Switched{Done: "tripped everything", Tripped: []control.Tripped{everything}, Saved: true, Settled: true, Took: 1.4}
	trip.Fleet = &control.FleetDelivery{Generation: 42, Edges: 1, Confirmed: 1, Took: 0.4}
	t.Run("fleet-trip", func(t *testing.T) { compare(t, "fleet-trip", trippedText(plain100, control.Trip{}, trip)) })
	trip.Fleet = delivery(false)
	trip.Fleet.Missing, trip.Fleet.Silent, trip.Fleet.Confirmed = []string{"osaka-1", "osaka-2"}, []string{"osaka-2"}, 1
	t.Run("fleet-trip-missing", func(t *testing.T) { compare(t, "fleet-trip-missing", trippedText(plain100, control.Trip{}, trip)) })
	reset := control.Switched{Done: "reset everything", Saved: true, Settled: true, Removed: 1204, Took: 3, Fleet: delivery(true)}
	t.Run("fleet-reset", func(t *testing.T) { compare(t, "fleet-reset", resetText(plain100, control.Reset{}, reset)) })
}

// three is a fleet of three edges: one has gone, one is late.
func three() control.FleetStatus {
	return control.FleetStatus{
		Store: "redis:shop", Edge: "tokyo-1", Trusted: true, Heard: 412, Lease: 3000, Applied: 1041, Generation: 1041, OnPartition: "bypass",
		Members: []control.FleetMember{
			{Edge: "tokyo-2", Applied: 1039, Silent: 733}, {Edge: "tokyo-1", Applied: 1041, Silent: 412}, {Edge: "osaka-1", Applied: 977, Silent: 21_400},
		},
		Shared: &control.SharedStatus{Fetches: 12_903, Hits: 9_120, Misses: 3_711, Refused: 71, Errors: 1, Writes: 3_702, Bytes: 312 << 20},
	}
}

func TestFleetTexts(t *testing.T) {
	with := func(f control.FleetStatus) control.Status {
		s := busy()
		s.Fleets = []control.FleetStatus{f}
		return s
	}
	t.Run("status-fleet", func(t *testing.T) { compare(t, "status-fleet", statusText(plain100, with(three()), 3)) })
	cut := three()
	cut.Trusted, cut.Heard, cut.Lapses, cut.Partitioned, cut.Unsent, cut.Applied = false, 12_345, 2, 71_000, 1, 1040
	cut.Problem = "dial tcp 127.0.0.1:6379: connect: connection refused"
	cut.Members[1].Silent = 12_345
	t.Run("status-fleet-cut", func(t *testing.T) { compare(t, "status-fleet-cut", statusText(plain100, with(cut), 3)) })
	t.Run("fleet-cut", func(t *testing.T) { compare(t, "fleet-cut", fleetsText(plain100, []control.FleetStatus{cut})) })
	narrow := plain100
	narrow.width, narrow.terminal, narrow.Color = 80, true, true
	cut.OnPartition = control.OnPartitionServe
	t.Run("fleet-cut-color", func(t *testing.T) {
		compare(t, "fleet-cut-color", fleetsText(narrow, []control.FleetStatus{three(), cut}))
	})
	t.Run("fleet", func(t *testing.T) { compare(t, "fleet", fleetsText(plain100, []control.FleetStatus{three()})) })
	fresh := control.FleetStatus{Store: "redis:shop", Edge: "tokyo-1", Heard: -1, Lease: 3000, OnPartition: "bypass", Members: []control.FleetMember{}}
	t.Run("fleet-new", func(t *testing.T) { compare(t, "fleet-new", fleetsText(plain100, []control.FleetStatus{fresh})) })
}

func busy() control.Status {
	return control.Status{
		Schema: 1, Version: "v0.1.0", Started: moment.Add(-76 * time.Hour), Loaded: moment.Add(-12 * time.Minute),
		Handlers: []control.HandlerStatus{{
			Handler: "handler shop", Store: "memory", Policy: "3f2a9bc0d1e2", PolicyFile: "policies.yaml", Mode: "enforce",
			Audit: control.AuditStatus{Serves: "all", Full: "drop", Queued: 12, Room: 8192, Written: 1234567},
			Routes: []control.RouteStatus{
				{Route: "assets", Cache: "origin", Mode: "enforce", Requests: 1048576, Outcomes: map[string]uint64{"hit": 1048000, "fill": 576}, Fills: 576, Refusals: map[string]uint64{"no-store": 12}},
				{Route: "landing", Cache: "5m", Mode: "enforce", Requests: 123456, Outcomes: map[string]uint64{"hit": 110000, "stale": 2000, "collapsed": 4000, "pass": 7456}, Fills: 1210,
					Refusals: map[string]uint64{"set-cookie": 1100, "divergent": 104}, Diverged: 104},
				{Route: "shop", Cache: "1m", Mode: "observe", Requests: 4242, Outcomes: map[string]uint64{"observe": 4242}},
				{Route: "offers", Cache: "1m", Mode: "enforce", Requests: 77, Outcomes: map[string]uint64{"pass": 77}, Fills: 8, Refusals: map[string]uint64{"divergent": 8}, Diverged: 8, Suspended: true},
				{Route: "default", Cache: "never", Mode: "enforce", Requests: 0},
			},
		}},
		Stores: []control.StoreStatus{{Store: "memory", Objects: 24551, Bytes: 312 << 20, Limit: 512 << 20, Evictions: 0, Expirations: 91822, Refusals: 118, Fills: 3, FillBytes: 90 << 10, FillLimit: 64 << 20}},
	}
}

func TestStatusTexts(t *testing.T) {
	t.Run("status", func(t *testing.T) { compare(t, "status", statusText(plain100, busy(), 40)) })
	t.Run("status-tripped", func(t *testing.T) {
		s := busy()
		gone := control.Tripped{Route: "gone", Since: moment.Add(-time.Hour), Why: "wrong prices", By: "ops", Unknown: true}
		s.Tripped = []control.Tripped{landing, gone}
		s.Problems = []string{"tripped is route gone, and no running handler has a route of that name"}
		h := &s.Handlers[0]
		h.Routes[1].Tripped, h.Routes[1].Withdrawn = true, 1
		h.Audit.Dropped, h.Audit.Queued = 1722, 8192
		s.Stores[0].Bytes, s.Stores[0].Evictions = 511<<20, 40211
		compare(t, "status-tripped", statusText(plain100, s, 40))
		wide := plain100
		wide.Color, wide.width, wide.terminal = true, 120, true
		compare(t, "status-tripped-color", statusText(wide, s, 40))
		narrow := plain100
		narrow.width, narrow.terminal = 80, true
		compare(t, "status-narrow", statusText(narrow, s, 3))
	})
	t.Run("status-leaking", func(t *testing.T) {
		s := busy()
		s.Tripped = []control.Tripped{{Route: "landing", Since: moment.Add(-time.Minute), By: "watch", Why: "a probe of https://hapitas.example/register/lp was given what belongs to another visitor: Y was given the answer to X"}}
		s.Watched = []control.WatchStatus{
			{URL: "https://hapitas.example/register/lp", State: control.WatchLeaking, OnLeak: "trip", Interval: 30, Probes: 4211, Leaks: 2,
				LastClean: moment.Add(-91 * time.Second), FirstLeak: moment.Add(-61 * time.Second), ClearAfter: 10, Evidence: "Y was given the answer that the edge had made for X and did not permit to be shared"},
			{URL: "https://hapitas.example/shop", State: control.WatchClean, OnLeak: "warn", Interval: 60, Probes: 2104, LastClean: moment.Add(-12 * time.Second)},
			{URL: "https://hapitas.example/news", State: control.WatchUnknown, OnLeak: "trip", Interval: 60, Probes: 3, Problem: "status 403, and no receipt: a challenge page?"},
		}
		compare(t, "status-leaking", statusText(plain100, s, 40))
		narrow := plain100
		narrow.width, narrow.terminal = 80, true
		compare(t, "status-leaking-narrow", statusText(narrow, s, 3))
	})
	t.Run("status-landings", func(t *testing.T) {
		s := busy()
		s.Landings = []control.LandingStatus{
			{Route: "campaign", Sent: 12_903},
			{Route: "landing", Waiting: 4_211, Oldest: moment.Add(-13 * time.Minute), Sent: 1_204_377, Lost: 2, Failures: 31},
		}
		compare(t, "status-landings", statusText(plain100, s, 3))
	})
	t.Run("status-none", func(t *testing.T) {
		s := control.Status{Version: "v0.1.0", Started: moment.Add(-time.Minute), Problems: []string{"the running configuration has no cacheward handler"}}
		compare(t, "status-none", statusText(plain100, s, 40))
	})
}

func someObjects() control.ObjectList {
	return control.ObjectList{Schema: 1, Total: 24551, Objects: []control.Object{
		{ID: anID, Key: "0b1e55ed0badcafe", Store: "memory", Route: "landing", URL: "https://hapitas.example/register/lp?lang=ja", Status: 200, Size: 41022, TTL: 258.7, Age: 41.3, Fetched: moment.Add(-41 * time.Second)},
		{ID: "01890a5d-ac96-774b-bcce-000000000001", Route: "landing", URL: "https://hapitas.example/", Status: 301, TTL: -12, Age: 312, Unreachable: true},
		{ID: "01890a5d-ac96-774b-bcce-000000000002", Route: "assets", URL: "https://hapitas.example/static/app/a-rather-long-name.0123456789abcdef.js", Status: 200, Size: 3 << 20, TTL: 86400, Age: 0.2},
		{ID: "01890a5d-ac96-774b-bcce-000000000003", Route: "assets", URL: "https://hapitas.example/static/logo", Status: 200, Variants: 3},
	}}
}

func TestObjectTexts(t *testing.T) {
	t.Run("objects", func(t *testing.T) { compare(t, "objects", objectsText(plain100, someObjects())) })
	t.Run("objects-narrow", func(t *testing.T) {
		v := plain100
		v.terminal = true
		compare(t, "objects-narrow", objectsText(v, someObjects()))
	})
	t.Run("objects-none", func(t *testing.T) { compare(t, "objects-none", objectsText(plain100, control.ObjectList{})) })
	o := someObjects().Objects[0]
	o.Header = map[string][]string{"Content-Type": {"text/html; charset=utf-8"}, "Etag": {`"33a64df5"`}, "Link": {"</a.css>; rel=preload", "</b.js>; rel=preload"}}
	o.Digest, o.Selecting = strings.Repeat("0b1e55ed", 8), []string{"Accept-Language"}
	t.Run("object", func(t *testing.T) { compare(t, "object", objectText(plain100, o)) })
}

// TestTextsAreSafe: whatever the proxy says, nothing of it reaches the terminal that it
// would obey, and no line is longer than it is wide where lines can be broken.
func TestTextsAreSafe(t *testing.T) {
	const evil = "\x1b[2J\x1b]0;x\a\u202e\r\n\u009b31m"
	s := busy()
	s.Version, s.Problems = evil, []string{evil}
	s.Tripped = []control.Tripped{{Route: evil, Why: evil, By: evil, Since: moment}}
	h := &s.Handlers[0]
	h.Handler, h.Policy, h.PolicyFile, h.Mode, h.Store, h.Audit.Serves = evil, evil, evil, evil, evil, evil
	h.Routes[0] = control.RouteStatus{Route: evil, Cache: evil, Mode: evil, Refusals: map[string]uint64{evil: 3}}
	s.Stores[0].Store = evil
	s.Watched = []control.WatchStatus{{URL: evil, State: control.WatchLeaking, Evidence: evil, Problem: evil, OnLeak: evil, ClearAfter: 1}, {URL: evil, State: evil}}
	s.Fleets = []control.FleetStatus{{Store: evil, Edge: evil, Problem: evil, OnPartition: evil, Members: []control.FleetMember{{Edge: evil}}}, {Edge: evil, Trusted: true, Problem: evil}}
	list := someObjects()
	list.Objects[0] = control.Object{ID: evil, Route: evil, URL: evil, Key: evil, Store: evil, Digest: evil, Selecting: []string{evil}, Header: map[string][]string{evil: {evil}}}
	q := control.Purge{URL: evil, Route: evil}
	bad := control.Purged{Scope: evil, Stores: []control.PurgedStore{{Store: evil, Left: 1}, {Store: evil}}, Notes: []string{evil}, Problems: []string{evil},
		Fleet: &control.FleetDelivery{Edges: 3, Missing: []string{evil, "x"}, Silent: []string{evil}}}
	good := control.Purged{Scope: evil, Verified: true}
	moved := control.Switched{Done: evil, Tripped: s.Tripped, Notes: []string{evil}, Problems: []string{evil}}
	for i, text := range []string{
		statusText(plain100, s, 40), objectsText(plain100, list), objectText(plain100, list.Objects[0]),
		purgedText(plain100, q, bad), purgedText(plain100, q, good),
		trippedText(plain100, control.Trip{Route: evil}, moved), resetText(plain100, control.Reset{}, moved),
		fleetsText(plain100, s.Fleets), onScreen(evil + "<html>\n\t" + evil),
	} {
		if strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			t.Errorf("%d: %q", i, text)
		}
	}
	if got := onScreen("\xff\xfe"); !strings.Contains(got, "no text") {
		t.Errorf("%q", got)
	}
}

// TestTextsFillTheWidth: the block of an alarm is as wide as the terminal.
func TestTextsFillTheWidth(t *testing.T) {
	for _, width := range []int{40, 80, 200} {
		p := page{view: view{Style: show.Style{Color: true}, width: width, now: moment, loc: time.UTC}}
		p.alarm("CACHING IS STOPPED: everything", "why: "+strings.Repeat("word ", 60), fmt.Sprint(width))
		for line := range strings.Lines(p.String()) {
			_, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "m")
			if got := len(strings.TrimSuffix(rest, "\x1b[0m")); got != width {
				t.Errorf("%d cells instead of %d: %q", got, width, line)
			}
		}
	}
}
