package probe

import "time"

// Schema is the version of the report's JSON.
const Schema = 1

// Report is what a probe has found out.
type Report struct {
	Schema   int         `json:"schema"`
	Began    time.Time   `json:"began"`
	Ended    time.Time   `json:"ended"`
	Verdict  Verdict     `json:"verdict"` // the worst of all
	Requests int         `json:"requests"`
	Receipts bool        `json:"receipts"` // the edge gave some
	URLs     []URLReport `json:"urls"`
	// Notes say what could not be found out, and why.
	Notes []string `json:"notes,omitempty"`
}

// URLReport is about one URL.
type URLReport struct {
	URL     string  `json:"url"`
	Verdict Verdict `json:"verdict"`
	// Inputs has a verdict for each input, and one for "nothing": visitors who do not
	// differ in anything.
	Inputs []InputReport `json:"inputs"`
	// Leaks is the evidence, oldest first.
	Leaks []Evidence `json:"leaks,omitempty"`
	// Cache is what has been found out about the caches in front.
	Cache Behaviour `json:"cache"`
	// Routes are the routes that the edge's receipts name.
	Routes []string `json:"routes,omitempty"`
	Errors []string `json:"errors,omitempty"`
}

// InputReport is about visitors who differ in one input.
type InputReport struct {
	Input   string  `json:"input"`
	Policy  string  `json:"policy,omitempty"`
	Verdict Verdict `json:"verdict"`
	// InKey says whether the caches in front tell visitors apart by it: "yes", "no", or
	// "?" where nothing was shared at all.
	InKey string `json:"in_key"`
	// Arrives says whether the edge received it: "yes", "no", "?".
	Arrives string `json:"arrives"`
	// Reflected says that a visitor's own value came back to them.
	Reflected bool `json:"reflected,omitempty"`
}

// Behaviour is what the caches in front do, as far as seen: "yes", "no" or "?".
type Behaviour struct {
	// Names are the caches that said who they are ("Cloudflare", "Varnish", "nginx" …).
	Names []string `json:"names,omitempty"`
	// Stores: an answer came from a cache in front. Query: the key has the query in it.
	Stores string `json:"stores"`
	Query  string `json:"query"`
	// Obeys: no answer that said private, no-store was given to another visitor.
	Obeys string `json:"obeys"`
	// Coalesces: visitors who asked at once were given one answer.
	Coalesces string `json:"coalesces"`
	// Status are the status fields seen, with how often: "x-cache: HIT" 3.
	Status map[string]int `json:"status,omitempty"`
}
