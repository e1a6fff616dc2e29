package probe

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Options say what is probed, and how much of it.
type Options struct {
	// URLs are asked through the public address.
	URLs []string
	// Inputs are what could tell visitors apart. Empty: see Inputs.
	Inputs []Input
	// Visitors is how many ask at once, at least 2. Default: 4.
	Visitors int
	// Secret is what the edge knows too. Nil: answers are judged by what they show.
	Secret *Secret
	// Client sends the requests. Nil: one without cookies, redirects or keep-alive.
	Client *http.Client
	// MaxRequests bounds the requests for all URLs. Default: 400.
	MaxRequests int
	// Rate bounds the requests a second; those that are sent at once count as that many.
	// Default: 20.
	Rate float64
	// Timeout bounds one request and its answer. Default: 10s.
	Timeout time.Duration
	// Quick leaves out what finds out about single inputs: for a watch that asks again
	// and again.
	Quick bool
	// Progress, where given, is told after each request how many of how many there have been.
	Progress func(done, planned int)
}

// Kind is the part of a request that an input is of.
type Kind string

// The kinds.
const (
	KindParam  Kind = "param"
	KindCookie Kind = "cookie"
	KindHeader Kind = "header"
)

// Input is one that visitors are given different values of.
type Input struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name"`
	// Policy is what a policy says of it, "" where there is none: key, strip, bypass …
	Policy string `json:"policy,omitempty"`
}

// String is as receipts and audit records have it: "param ref".
func (i Input) String() string { return string(i.Kind) + " " + i.Name }

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

// Evidence is why something is a leak. It can be read by itself.
type Evidence struct {
	// Kind is "canary", "receipt" or "refused".
	//   canary: a value that only the giver had sent is in the receiver's answer
	//   receipt: the answer is one that the edge had made for the giver, and did not permit
	//     to be given to the receiver
	//   refused: the answer was not made for the receiver, and says that it must not be shared
	Kind string `json:"kind"`
	// Giver and Receiver are visitors ("X", "Y", …); the giver is empty where it was
	// somebody else than the probe.
	Giver    string `json:"giver,omitempty"`
	Receiver string `json:"receiver"`
	// Input is what they differed in, and Where the place in the answer ("body, byte 570,
	// input lead" or "header Set-Cookie").
	Input string `json:"input,omitempty"`
	Where string `json:"where,omitempty"`
	// Sentence says it all in one.
	Sentence string `json:"sentence"`
	// Sent and Received are when the giver's request (or receipt) and the receiver's
	// answer were.
	Sent     time.Time `json:"sent,omitzero"`
	Received time.Time `json:"received"`
	// Phase is "one after the other" or "at once".
	Phase string `json:"phase"`
	// Headers are the fields of the receiver's answer that tell of caches.
	Headers map[string]string `json:"headers,omitempty"`
	// Receipt is the giver's.
	Receipt *Receipt `json:"receipt,omitempty"`
}

// ErrRequests is for options that cannot be met with so few requests.
var ErrRequests = errors.New("more requests are needed than are permitted")

// Run probes. An error means that nothing could be found out at all, or that ctx ended; a
// leak is not an error.
func Run(ctx context.Context, o Options) (*Report, error) { return nil, errors.New("not built yet") }
