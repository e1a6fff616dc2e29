package caddymodule

// A request is in one phase at a time. The phases and the ways between them are
// these, and no others; a test visits every pair.
//
//	                 ┌────────────► denied ◄───────┐
//	received ─► routed ─► keyed ─► looked-up ──────┴─► served
//	   │          │         │        │  │               ▲
//	   │          │         │        │  └─ waiting ─────┤ ─► looked-again ─► waiting-again
//	   │          │         │        └──► filling ──────┤
//	   └──────────┴─────────┴───────► own ◄─────────────┘
//
// Own may end in served: an object that stale_if_error allows, when the origin
// failed. Filling may end in served: with admission once, the visitor who caused
// a fill is given it. A request that waited for what turned out to be another
// variant looks up again, once; from there the ways are those of the first time.
type phase uint8

const (
	received     phase = iota // nothing is known of the request
	routed                    // a rule governs it
	keyed                     // every input has its disposition: there is a key
	lookedUp                  // the store was asked
	waiting                   // another request's fill is under way
	lookedAgain               // the store was asked again, for another variant
	waitingAgain              // that variant's fill is under way
	filling                   // this request's fill is under way
	own                       // the visitor's own request goes to the origin, untouched
	served                    // end: an admitted object, or with admission once the fill
	answered                  // end: the origin's answer to the visitor's own request
	denied                    // end: 400, or 504 for only-if-cached
	failed                    // end: an error for the chain above

	phaseCount
)

var phaseNames = [phaseCount]string{
	"received", "routed", "keyed", "looked-up", "waiting", "looked-again", "waiting-again", "filling", "own", "served", "answered", "denied", "failed",
}

func (p phase) String() string { return phaseNames[p] }

// ways[from][to] says whether a request may go from one phase to another.
var ways = [phaseCount][phaseCount]bool{
	received:     {routed: true, own: true},
	routed:       {keyed: true, own: true, denied: true},
	keyed:        {lookedUp: true, own: true},
	lookedUp:     {served: true, waiting: true, filling: true, own: true, denied: true},
	waiting:      {lookedAgain: true, served: true, own: true, failed: true},
	lookedAgain:  {served: true, waitingAgain: true, filling: true, own: true, denied: true},
	waitingAgain: {served: true, own: true, failed: true},
	filling:      {served: true, own: true, failed: true},
	own:          {answered: true, served: true, failed: true},
}

// life is the phase of one request.
type life struct{ phase phase }

// to changes the phase and says whether that was a way there is. Where there is
// none the phase stays; the caller treats it as a fault of ours.
func (l *life) to(p phase) bool {
	if !ways[l.phase][p] {
		return false
	}
	l.phase = p
	return true
}

// Outcome says how a request ended. The values are an interface: log field,
// metric label and placeholder.
type Outcome string

// The outcomes.
const (
	OutcomeHit         Outcome = "hit"         // a fresh object
	OutcomeStale       Outcome = "stale"       // an object past its lifetime, as RFC 5861 allows
	OutcomeRevalidated Outcome = "revalidated" // an object that the origin said still holds
	OutcomeCollapsed   Outcome = "collapsed"   // an object whose admission the request waited for
	OutcomeFill        Outcome = "fill"        // the request caused a fill
	OutcomePass        Outcome = "pass"        // its own request, because the key cannot be shared now
	OutcomeBypass      Outcome = "bypass"      // its own request, because the policy says so
	OutcomeObserve     Outcome = "observe"     // its own request; the route only observes
	OutcomeDeny        Outcome = "deny"        // 400
	OutcomeFault       Outcome = "fault"       // its own request, after a fault of ours
)
