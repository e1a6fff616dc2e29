// Package control is the language of Cacheward's admin endpoint: what can be asked of
// a running proxy, and what it answers. The endpoint and the commands share it.
package control

import "time"

// Schema is the version of the answers' format. It changes when a member changes its
// meaning or goes, not when one is added.
const Schema = 1

// Purge asks for stored responses to be dropped. Exactly one of URL, Key, Route, Tag,
// Prefix and All is given.
type Purge struct {
	// URL drops what requests for it would be served, whatever else is in the key:
	// every variant, on http and https alike.
	URL string `json:"url,omitempty"`
	// Key is that of audit records: 16 hexadecimal digits, or all 64.
	Key string `json:"key,omitempty"`
	// Route is a route's name.
	Route string `json:"route,omitempty"`
	// Tag is a name that the origin gave in Cache-Tag or Surrogate-Key.
	Tag string `json:"tag,omitempty"`
	// Prefix drops what is stored for URLs that begin with it: host and path, with or
	// without a scheme. It ends at a segment: example.com/a/ and all below, or with a *.
	Prefix string `json:"prefix,omitempty"`
	All    bool   `json:"all,omitempty"`
	// Soft makes stale instead of dropping: for content that changed, never for a leak.
	Soft bool `json:"soft,omitempty"`
	// By and Why are for the audit record.
	By  string `json:"by,omitempty"`
	Why string `json:"why,omitempty"`
}

// Purged is the answer to a purge.
type Purged struct {
	Schema int `json:"schema"`
	// Scope is what was purged, in words: "route landing".
	Scope string `json:"scope"`
	Soft  bool   `json:"soft,omitempty"`
	// Stores says what was done in each store, one for each that handlers use.
	Stores []PurgedStore `json:"stores"`
	// Removed is the sum of the stores': dropped, or made stale.
	Removed int `json:"removed"`
	// Verified: after it, every store was looked through again, and nothing that was
	// stored before the purge was there that it selects; nor was anybody who had looked
	// before still about to answer.
	Verified bool `json:"verified"`
	// Fleet is how far it has come on the other edges; nil: there are none.
	Fleet *FleetDelivery `json:"fleet,omitempty"`
	// Notes say what the one who asked may not expect: a URL that is never stored,
	// requests that were still being answered.
	Notes []string `json:"notes,omitempty"`
	// Problems are what did not work. With any, the purge is not complete.
	Problems []string `json:"problems,omitempty"`
}

// PurgedStore is what a purge did in one store.
type PurgedStore struct {
	Store   string `json:"store"`
	Looked  int    `json:"looked"`  // objects that were looked at
	Removed int    `json:"removed"` // of them dropped, or made stale
	Left    int    `json:"left"`    // selected and still there after it; 0, or it failed
}

// Trip asks for caching to stop, at once and until someone resets it.
type Trip struct {
	// Route is a route's name; empty: everything.
	Route string `json:"route,omitempty"`
	// Why is required, By says who.
	Why string `json:"why,omitempty"`
	By  string `json:"by,omitempty"`
}

// Reset ends a trip. What was stored before it is dropped, unless Keep.
type Reset struct {
	// Route is a route's name; empty: the trip of everything. All ends every trip.
	Route string `json:"route,omitempty"`
	All   bool   `json:"all,omitempty"`
	// Keep serves again what was stored before the trip: after a false alarm.
	Keep bool   `json:"keep,omitempty"`
	Why  string `json:"why,omitempty"`
	By   string `json:"by,omitempty"`
}

// Tripped is one trip in force.
type Tripped struct {
	// Route is empty where everything is tripped.
	Route string    `json:"route,omitempty"`
	Since time.Time `json:"since"`
	Why   string    `json:"why"`
	By    string    `json:"by,omitempty"`
	// Generation is that of the event by which the other edges were told of it; 0: they were
	// not, or there are none.
	Generation uint64 `json:"generation,omitempty"`
	// Unknown: no running handler has a route of that name.
	Unknown bool `json:"unknown,omitempty"`
}

// Switched is the answer to a trip or a reset.
type Switched struct {
	Schema int `json:"schema"`
	// Done is what was done, in words: "tripped route landing".
	Done string `json:"done"`
	// Tripped are all trips in force now.
	Tripped []Tripped `json:"tripped"`
	// Saved: it is in Caddy's storage and survives a restart.
	Saved bool `json:"saved"`
	// Settled: every request that had been looking for a stored response when it took
	// effect has begun its answer.
	Settled bool `json:"settled"`
	// Removed is how many stored responses a reset dropped.
	Removed int `json:"removed,omitempty"`
	// Took is how long it took, in milliseconds.
	Took float64 `json:"took_ms"`
	// Fleet is how far it has come on the other edges; nil: there are none.
	Fleet    *FleetDelivery `json:"fleet,omitempty"`
	Notes    []string       `json:"notes,omitempty"`
	Problems []string       `json:"problems,omitempty"`
}

// Status is the state of a running proxy.
type Status struct {
	Schema  int       `json:"schema"`
	Version string    `json:"version"`
	Started time.Time `json:"started"` // of the process
	Loaded  time.Time `json:"loaded"`  // of the configuration in force
	Tripped []Tripped `json:"tripped"`

	Handlers []HandlerStatus `json:"handlers"`
	Stores   []StoreStatus   `json:"stores"`
	// Fleets are those that the stores belong to, one for each that does.
	Fleets []FleetStatus `json:"fleets,omitempty"`
	// Watched are the URLs that the proxy probes from outside.
	Watched []WatchStatus `json:"watched,omitempty"`
	// Landings are those that wait for the app, by route.
	Landings []LandingStatus `json:"landings,omitempty"`
	Problems []string        `json:"problems,omitempty"`
}

// LandingStatus is the queue of one route's landings.
type LandingStatus struct {
	Route   string `json:"route"`
	Waiting int    `json:"waiting"`
	// Oldest is when the one came that has waited for longest.
	Oldest time.Time `json:"oldest,omitzero"`
	Sent   uint64    `json:"sent"`
	// Lost could not be queued, or the app has refused them for good.
	Lost uint64 `json:"lost,omitempty"`
	// Failures are reports that the app did not take. They are sent again.
	Failures uint64 `json:"failures,omitempty"`
}

// HandlerStatus is one handler of the configuration in force.
type HandlerStatus struct {
	Handler string `json:"handler"`
	Store   string `json:"store"`
	// Policy is a digest over the compiled routes: equal digests decide alike.
	Policy     string        `json:"policy"`
	PolicyFile string        `json:"policy_file,omitempty"`
	Mode       string        `json:"mode"`
	Routes     []RouteStatus `json:"routes"`
	Audit      AuditStatus   `json:"audit"`
}

// RouteStatus is a route with its figures since the process began.
type RouteStatus struct {
	Route    string            `json:"route"`
	Cache    string            `json:"cache"` // never, origin, or a duration
	Mode     string            `json:"mode"`
	Tripped  bool              `json:"tripped,omitempty"`
	Requests uint64            `json:"requests"`
	Outcomes map[string]uint64 `json:"outcomes"`
	Fills    uint64            `json:"fills"`
	Refusals map[string]uint64 `json:"refusals,omitempty"` // by first reason
	// Diverged counts pairs of answers that differed, Withdrawn pages that had been
	// shared and are no more.
	Diverged  uint64 `json:"diverged,omitempty"`
	Withdrawn uint64 `json:"withdrawn,omitempty"`
	// Suspended: its pages kept diverging, so none is tried for a while.
	Suspended bool `json:"suspended,omitempty"`
}

// StoreStatus is one store.
type StoreStatus struct {
	Store       string `json:"store"`
	Objects     int    `json:"objects"`
	Bytes       int64  `json:"bytes"`
	Limit       int64  `json:"limit"`
	Evictions   uint64 `json:"evictions"`
	Expirations uint64 `json:"expirations"`
	// Refusals that are remembered, and fills under way.
	Refusals int `json:"refusals"`
	Fills    int `json:"fills"`
	// FillBytes are held by fills that are not yet judged, of FillLimit.
	FillBytes int64 `json:"fill_bytes"`
	FillLimit int64 `json:"fill_limit"`
}

// WatchStatus is one URL that is probed from outside, through whatever stands in front.
type WatchStatus struct {
	URL string `json:"url"`
	// State is clean, leaking, or unknown: nothing has been found out yet, or could be
	// the last time (Problem says why).
	State    string   `json:"state"`
	Routes   []string `json:"routes,omitempty"` // that answer it
	OnLeak   string   `json:"on_leak"`          // trip or warn
	Interval float64  `json:"interval_s"`
	Probes   uint64   `json:"probes"`
	Leaks    uint64   `json:"leaks,omitempty"` // probes that found one
	// The last probe that found no leak, before FirstLeak where it is leaking.
	LastProbe time.Time `json:"last_probe,omitzero"`
	LastClean time.Time `json:"last_clean,omitzero"`
	FirstLeak time.Time `json:"first_leak,omitzero"`
	// Clean probes in a row, of ClearAfter that end the leak.
	Clean      int    `json:"clean,omitempty"`
	ClearAfter int    `json:"clear_after,omitempty"`
	Evidence   string `json:"evidence,omitempty"` // in a sentence
	Problem    string `json:"problem,omitempty"`
}

// The states of a watched URL.
const (
	WatchClean   = "clean"
	WatchLeaking = "leaking"
	WatchUnknown = "unknown"
)

// AuditStatus is the queue of records.
type AuditStatus struct {
	Serves  string `json:"serves"`
	Full    string `json:"full"` // drop or wait
	Queued  int    `json:"queued"`
	Room    int    `json:"room"`
	Written uint64 `json:"written"`
	Dropped uint64 `json:"dropped"`
}

// Objects asks what is stored. Members that are given must all hold.
type Objects struct {
	Route  string `json:"route,omitempty"`
	Prefix string `json:"prefix,omitempty"` // as in Purge
	Key    string `json:"key,omitempty"`
	Limit  int    `json:"limit,omitempty"` // default 100, at most 10000
}

// ObjectList is the answer, the newest first.
type ObjectList struct {
	Schema  int      `json:"schema"`
	Total   int      `json:"total"` // of those that were asked for, listed or not
	Objects []Object `json:"objects"`
}

// Object is a stored response.
type Object struct {
	ID    string `json:"id"`
	Key   string `json:"key"`
	Store string `json:"store"`
	Route string `json:"route"`
	URL   string `json:"url"` // of the canonical request, its values redacted as in audit records
	// Status, Size (bytes of the body), and when the origin was asked.
	Status   int       `json:"status"`
	Size     int64     `json:"size_bytes"`
	Fetched  time.Time `json:"fetched"`
	TTL      float64   `json:"ttl_s"`
	Age      float64   `json:"age_s"`
	Variants int       `json:"variants,omitempty"` // where it is the index of variants, how many
	// Unreachable: its route is tripped, or is no more as it was when it was stored.
	Unreachable bool `json:"unreachable,omitempty"`

	// Only where one object is asked for:
	Header    map[string][]string `json:"header,omitempty"`
	Digest    string              `json:"body_blake3,omitempty"` // of the body, hexadecimal
	Selecting []string            `json:"selecting,omitempty"`   // names of the request fields that chose it
	Body      []byte              `json:"body,omitempty"`        // base64; only if it was asked for
}
