package attribution

// Problem is why a visit or a cookie is not taken, or not believed. Empty: it is.
type Problem string

// What is wrong with what a request says, or with its cookie.
const (
	Bounds    Problem = "bounds"    // too many values, or too long ones
	Malformed Problem = "malformed" // control characters, no UTF-8, or a cookie that is none of ours
	Ambiguous Problem = "ambiguous" // several cookies of the name
	Forged    Problem = "forged"    // the signature is not right
	Expired   Problem = "expired"   // the window is over
	Foreign   Problem = "foreign"   // made for another host
	NoKeys    Problem = "no-keys"   // there are no keys to sign or verify with
)

// Why a visit that could be taken is not carried.
const (
	NotCountedPrefetch Problem = "prefetch"  // the browser asks in advance
	NotCountedCrawler  Problem = "crawler"   // a program that says so
	NotCountedProbe    Problem = "probe"     // a signed probe
	NoConsent          Problem = "consent"   // the visitor has not agreed to it
	NotAnswered        Problem = "status"    // the response is an error
	Unchanged          Problem = "unchanged" // the visitor carries the same, or what counts more
)
