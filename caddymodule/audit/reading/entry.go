// Package reading reads audit records back: from files as Caddy's log writers leave
// them, plain, rolled, gzipped or zstd-compressed, growing or torn, and from streams.
// It is for whoever asks questions of records; what answers them is package inquiry.
package reading

import (
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
)

// Entry is one record, as SCHEMA.md describes it. What a record leaves out has its
// zero value. An Entry that is handed to a function is good until it returns, unless
// the function copies it; its strings, slices and what it points to are good for ever,
// save Raw.
type Entry struct {
	Time    time.Time   `json:"-"`
	Schema  int         `json:"schema"`
	Edge    string      `json:"edge"` // that wrote the record; empty: there is one only
	Event   audit.Event `json:"event"`
	Route   string      `json:"route"`
	Outcome string      `json:"outcome"`
	Mode    string      `json:"mode"`
	// Would is the outcome that the request would have had, where the route observes.
	Would   string   `json:"would"`
	Reasons []string `json:"reasons"`

	Key    string  `json:"key"`
	Object string  `json:"object"`
	TTL    float64 `json:"ttl_s"`      // seconds
	Age    float64 `json:"age_s"`      // seconds
	Size   int64   `json:"size_bytes"` // bytes
	Coding string  `json:"coding"`     // content coding in which it was served; empty: as it is

	Method   string  `json:"method"`
	Host     string  `json:"host"`
	URL      string  `json:"url"`
	Status   int     `json:"status"`
	Origin   float64 `json:"origin_ms"`   // milliseconds
	Duration float64 `json:"duration_ms"` // milliseconds
	// Visitor is the pseudonym of who asked. Probe: that was a signed probe, no person.
	Visitor string `json:"visitor"`
	Probe   bool   `json:"probe"`

	Divergence *Divergence `json:"divergence"`
	Findings   []Finding   `json:"findings"`
	Detail     string      `json:"detail"`
	Error      string      `json:"error"`
	ServesPct  float64     `json:"serves_pct"` // zero: all are written, or Unserved
	// Unserved: no record of the event serve is written.
	Unserved bool `json:"-"`

	// From and Until are in UTC, and zero where the record does not say. Event leak: when the
	// last probe began that found none, and when the leak was first found. Event clear: when it
	// was first found, and when the first probe began that finds none any more.
	From  time.Time `json:"-"`
	Until time.Time `json:"-"`
	// Evidence is what a probe was given that belongs to another: event leak.
	Evidence *Evidence `json:"evidence"`

	// Attribution is what the request had to do with who sent its visitor; nil: nothing.
	Attribution *Attribution `json:"attribution"`

	// Who did what, why, and to what extent: purge, trip, reset, leak and clear.
	By      string `json:"by"`
	Why     string `json:"why"`
	Scope   string `json:"scope"`
	Soft    bool   `json:"soft"`
	Removed int64  `json:"removed"`
	// Records that were lost: event drop.
	Records int64 `json:"records"`

	// Raw is the line that the record was read from, without its end. It is overwritten
	// once the function that was handed the Entry has returned.
	Raw []byte `json:"-"`
}

// Divergence says where two answers of the origin differed.
type Divergence struct {
	Class      string       `json:"class"`
	Input      string       `json:"input"`
	Part       string       `json:"part"`
	Field      string       `json:"field"`
	Declared   bool         `json:"declared"`
	Offset     int64        `json:"offset"`
	Length     int64        `json:"length"`
	OwnLength  int64        `json:"own_length"`
	Shape      string       `json:"shape"`
	Entropy    string       `json:"entropy"`
	Near       string       `json:"near"`
	SpansTotal int          `json:"spans_total"`
	Spans      []Divergence `json:"spans"`
}

// Evidence is what a probe was given that belongs to another.
type Evidence struct {
	Kind     string `json:"kind"` // canary, receipt or refused
	Who      string `json:"who"`  // cdn, edge, app or ?
	Giver    string `json:"giver"`
	Receiver string `json:"receiver"`
	Input    string `json:"input"`
	Where    string `json:"where"`
	Phase    string `json:"phase"`
	Sentence string `json:"sentence"`
	// Status are the fields of the answer that tell of caches, by name.
	Status map[string]string `json:"status"`
}

// Finding is what in a response speaks of one visitor.
type Finding struct {
	Kind     string `json:"kind"`
	Detector string `json:"detector"`
	Input    string `json:"input"`
	Coding   string `json:"coding"`
	Field    string `json:"field"`
	Offset   int64  `json:"offset"`
	Length   int64  `json:"length"`
	Shape    string `json:"shape"`
	Near     string `json:"near"`
}
