package policies

// Attribution has a route's landing pages shared while each visitor keeps who sent them:
// the declared values are taken off the request at the edge, carried with the visitor, and
// handed to the app with the request that converts.
type Attribution struct {
	// Params are the query parameters that say who sent the visitor: exact names, globs and
	// lists, as in Inputs. They are neither in the key nor sent to the origin, on any request
	// of the route.
	Params []string `json:"params,omitempty"`
	// Referer says whether, and how much of, a Referer of another site is taken, too.
	Referer RefererUse `json:"referer,omitempty"`
	// Model says which of several visits counts. Default: last.
	Model AttributionModel `json:"model,omitempty"`
	// Paid are what makes a visit a paid one, for last-paid: a parameter that is there
	// (gclid), or has a value (utm_medium=cpc; a glob may stand for the value). Default:
	// DefaultPaid.
	Paid []string `json:"paid,omitempty"`
	// Carry says where the values go. Default: cookie.
	Carry Carry `json:"carry,omitempty"`
	// Window is for how long after the visit it counts. At most 400 days. Default: 30d.
	Window Duration `json:"window,omitempty"`
	// Encrypt seals the cookie, so that visitors cannot read what is in it. Without, it is
	// signed. Default: off.
	Encrypt Switch `json:"encrypt,omitempty"`
	// Deliver says which requests are told, and how. Nil: none.
	Deliver *Deliver `json:"deliver,omitempty"`
	// Beacon says where landings are reported to. With carry beacon or both only.
	Beacon *Beacon `json:"beacon,omitempty"`
	// Consent, where given, must be there for anything to be carried.
	Consent *Consent `json:"consent,omitempty"`
}

// RefererUse is external or external-full.
type RefererUse string

// The uses of Referer. A Referer of the visited host itself is none.
const (
	RefererHost RefererUse = "external"      // the host of another site
	RefererFull RefererUse = "external-full" // its whole URL, as far as it is sent, without query and fragment
)

// AttributionModel is first, last or last-paid.
type AttributionModel string

// The models.
const (
	ModelFirst    AttributionModel = "first"     // the first visit within the window counts
	ModelLast     AttributionModel = "last"      // the last one
	ModelLastPaid AttributionModel = "last-paid" // the last paid one; without any, the last
)

// Carry is cookie, beacon or both.
type Carry string

// The ways to carry.
const (
	CarryCookie Carry = "cookie" // with the visitor
	CarryBeacon Carry = "beacon" // each landing is reported to the app
	CarryBoth   Carry = "both"
)

// Deliver says which requests the app is told with.
type Deliver struct {
	// Paths are as in Match, of any route of the policy. Such a request of a visitor who has
	// something to deliver is a bypass.
	Paths []string `json:"paths,omitempty"`
	// As says how. Default: header.
	As DeliverAs `json:"as,omitempty"`
}

// DeliverAs is header, query or form-cookie.
type DeliverAs string

// The ways to deliver.
const (
	AsHeader DeliverAs = "header"      // Cacheward-Attribution and its fellows
	AsQuery  DeliverAs = "query"       // the parameters, put back
	AsCookie DeliverAs = "form-cookie" // cookies with the names of the parameters, as an app reads that has set them on its landing page
)

// Beacon says where landings are reported to.
type Beacon struct {
	// URL is the app's own, http or https.
	URL string `json:"url,omitempty"`
	// Batch is how many landings one report has at most, 1 to 1000. Default: 100.
	Batch int `json:"batch,omitempty"`
	// Every is how long a landing waits for others at most. At least 10ms. Default: 1s.
	Every Duration `json:"every,omitempty"`
	// Queue is how many landings may wait. Default: 1000000.
	Queue int `json:"queue,omitempty"`
	// Sync is always (a landing is on the disk before its page is answered), interval (once
	// a second; a crash of the machine may lose that much, one of the process nothing) or
	// never (the system's choice). Default: interval.
	Sync string `json:"sync,omitempty"`
}

// The choices of Beacon.Sync.
const (
	SyncAlways   = "always"
	SyncInterval = "interval"
	SyncNever    = "never"
)

// Consent is the cookie that says what the visitor has agreed to.
type Consent struct {
	// Cookie is its exact, case-sensitive name.
	Cookie string `json:"cookie,omitempty"`
	// Matches is a glob that its value (percent-decoded) must match. Default: *.
	Matches string `json:"matches,omitempty"`
}

// DefaultPaid is what makes a visit a paid one where a route does not say.
var DefaultPaid = []string{
	"gclid", "gbraid", "wbraid", "dclid", "msclkid", "twclid", "ttclid", "li_fat_id",
	"utm_medium=cpc", "utm_medium=ppc", "utm_medium=cpm", "utm_medium=cpv", "utm_medium=paid*", "utm_medium=display", "utm_medium=affiliate",
}

// The cookies in which the edge carries. With https it is the first, which no subdomain and
// no plain http can set (RFC 6265bis §4.1.3.2); with http, the second. They are neither in
// any key nor sent to any origin.
const (
	AttributionCookie      = "__Host-cacheward"
	AttributionCookiePlain = "cacheward"
)

// The header fields by which the app is told, of requests that deliver. What clients send
// under these names is removed, on every request of a policy that has an Attribution.
const (
	AttributionField        = "Cacheward-Attribution"         // the values, as application/x-www-form-urlencoded
	AttributionAtField      = "Cacheward-Attribution-At"      // when the visitor landed, RFC 3339
	AttributionRefererField = "Cacheward-Attribution-Referer" // the host or URL that sent them
	AttributionLandingField = "Cacheward-Attribution-Landing" // the ID of the landing, as in the beacon and the audit log
)
