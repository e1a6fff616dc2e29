package probe

import "time"

// Schema is the version of the report's JSON.
const Schema = 1

// Report is what a probe has found out. SCHEMA.md tells of its JSON.
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

// Verdict is what was found out.
type Verdict string

// The verdicts, best first.
const (
	// Isolated: each visitor had an answer of their own.
	Isolated Verdict = "isolated"
	// Shared: visitors were given the same answer, which may be shared: nothing of one of
	// them is in it, and the edge, where it tells, has permitted it.
	Shared Verdict = "shared"
	// Unknown: nothing could be found out (errors, other answers than those of the site).
	Unknown Verdict = "unknown"
	// Leak: a visitor was given what belongs to another.
	Leak Verdict = "leak"
)

var verdicts = []Verdict{Isolated, Shared, Unknown, Leak}

// URLReport is about one URL.
type URLReport struct {
	URL     string  `json:"url"`
	Verdict Verdict `json:"verdict"`
	// Inputs has a verdict for each input, one for "nothing", visitors who do not differ
	// in anything, and some for several inputs at once ("everything", "headers" …).
	Inputs []InputReport `json:"inputs"`
	// Leaks is the evidence, oldest first: the first of each kind for each input and
	// phase. LeakCount is how many answers leak.
	Leaks     []Evidence `json:"leaks,omitempty"`
	LeakCount int        `json:"leak_count,omitempty"`
	// Cache is what has been found out about the caches in front.
	Cache Behaviour `json:"cache"`
	// Edge is what the edge gave when it was asked past the caches; nil if it was not.
	Edge *EdgeReport `json:"edge,omitempty"`
	// Routes are the routes that the edge's receipts name.
	Routes []string `json:"routes,omitempty"`
	// Errors are what went wrong, Notes what is to be known about the verdict.
	Errors []string `json:"errors,omitempty"`
	Notes  []string `json:"notes,omitempty"`
	// Failure is why nobody has answered: the last of the errors, if there was no answer at
	// the public address at all, else nil.
	Failure error `json:"-"`
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

// EdgeReport is about the edge itself.
type EdgeReport struct {
	Address string     `json:"address"`
	Verdict Verdict    `json:"verdict"`
	Leaks   []Evidence `json:"leaks,omitempty"`
	// Failure is as in [URLReport], of the edge itself.
	Failure error `json:"-"`
}

// Behaviour is what the caches in front do, as far as seen: "yes", "no" or "?".
type Behaviour struct {
	// Names are the caches that said who they are ("Cloudflare", "Varnish", "nginx" …).
	Names []string `json:"names,omitempty"`
	// Stores: an answer came from a cache in front. Query: the key has the query in it.
	Stores string `json:"stores"`
	Query  string `json:"query"`
	// Obeys: no answer that said private or no-store was given again.
	Obeys string `json:"obeys"`
	// Coalesces: visitors who asked at once were given one answer.
	Coalesces string `json:"coalesces"`
	// Status are the status fields seen, with how often: "x-cache: HIT" 3.
	Status map[string]int `json:"status,omitempty"`
}

// What is known or not.
const (
	yes     = "yes"
	no      = "no"
	unknown = "?"
)

// Where a leak is, as [Evidence.Who] has it.
const (
	WhoCDN     = "cdn"  // a cache in front of the edge
	WhoEdge    = "edge" // Cacheward
	WhoApp     = "app"  // the app, or a cache behind the edge: no cache of ours or in front was used
	WhoUnknown = "?"
)

// The kinds of evidence.
const (
	// EvidenceCanary: a value that only the giver had sent is in the receiver's answer.
	EvidenceCanary = "canary"
	// EvidenceReceipt: the answer is one that the edge had made for the giver, and did
	// not permit to be given to the receiver.
	EvidenceReceipt = "receipt"
	// EvidenceRefused: the answer was not made for the receiver, and says that it must
	// not be shared.
	EvidenceRefused = "refused"
)

// Evidence is why something is a leak. It can be read by itself.
type Evidence struct {
	// Kind is "canary", "receipt" or "refused".
	Kind string `json:"kind"`
	// Who leaks, as far as it is known: "cdn", "edge", "app" or "?".
	Who string `json:"who"`
	// Giver and Receiver are visitors ("X", "Y", "X2" …), whose names are unique for a URL;
	// the giver is empty where it was somebody else than the probe, or an earlier probe.
	Giver    string `json:"giver,omitempty"`
	Receiver string `json:"receiver"`
	// Input is what they differed in, and Where the place in the answer ("body, byte 570,
	// near input lead" or "header Set-Cookie").
	Input string `json:"input,omitempty"`
	Where string `json:"where,omitempty"`
	// Group are the visitors among whom it was seen, by what they differ in.
	Group string `json:"group"`
	// Sentence says it all in one.
	Sentence string `json:"sentence"`
	// URL is what the receiver asked for.
	URL string `json:"url"`
	// Sent and Received are when the giver's request (or receipt) and the receiver's
	// answer were.
	Sent     time.Time `json:"sent,omitzero"`
	Received time.Time `json:"received"`
	// Phase is "one after the other" or "at once", each also with ", again".
	Phase string `json:"phase"`
	// Headers are the fields of the receiver's answer that tell of caches.
	Headers map[string]string `json:"headers,omitempty"`
	// Receipt is the giver's.
	Receipt *Receipt `json:"receipt,omitempty"`
}
