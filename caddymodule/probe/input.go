package probe

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

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
	Kind Kind `json:"kind"`
	// Name of a parameter is as it is in the URL, that of a header in any case.
	Name string `json:"name"`
	// Policy is what a policy says of it, "" where there is none: key, strip, bypass …
	Policy string `json:"policy,omitempty"`
}

// String is as receipts and audit records have it: "param ref".
func (i Input) String() string { return string(i.Kind) + " " + i.Name }

// Is says whether both are the same input.
func (i Input) Is(other Input) bool {
	switch {
	case i.Kind != other.Kind:
		return false
	case i.Kind == KindParam:
		return same(i.Name, other.Name) // however it is escaped: an edge may take both for one
	case i.Kind == KindHeader:
		return strings.EqualFold(i.Name, other.Name)
	}
	return i.Name == other.Name
}

// defaultInputs are those of every site. None of them can break a page or make one that
// would harm others who are given it: a value in them is looked at for statistics, for
// the choice of a language, and for who a visitor is.
var defaultInputs = []Input{
	{Kind: KindCookie, Name: "cacheward_probe"},
	{Kind: KindHeader, Name: "Referer"},
	{Kind: KindHeader, Name: "User-Agent"},
	{Kind: KindHeader, Name: "Accept-Language"},
	{Kind: KindHeader, Name: "From"},
}

// ownParam is the parameter of URLs that have none.
const ownParam = "cacheward_probe"

// Inputs are those in which visitors of a URL differ where nothing else is said: the
// parameters that it has, or one that no app knows; a cookie that no app knows, Referer,
// User-Agent, Accept-Language and From.
func Inputs(u *url.URL) []Input {
	var all []Input
	for name := range eachParam(u.RawQuery) {
		in := Input{Kind: KindParam, Name: name}
		if name != "" && !slices.ContainsFunc(all, in.Is) {
			all = append(all, in)
		}
	}
	if len(all) == 0 {
		all = append(all, Input{Kind: KindParam, Name: ownParam})
	}
	return append(all, defaultInputs...)
}

// framing are the fields that say how a message is to be read, and which host it is for.
// With a canary in one of them, there would be no telling whose answer it is.
var framing = []string{
	"Connection", "Content-Encoding", "Content-Length", "Content-Range", "Content-Type", "Cookie", "Expect", "Host", "Http2-Settings",
	"Keep-Alive", "Proxy-Connection", "Range", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Accept-Encoding", SignatureField,
}

// unsafeFields change what a page is for everybody who is given it: where its links
// point, which page it is, who may read it. A cache that does not have them in its key
// would give real visitors what the probe has made.
var unsafeFields = []string{
	"Accept", "Cache-Control", "Front-End-Https", "Forwarded", "Origin", "Pragma", "Via", "X-Host", "X-Http-Host-Override",
	"X-Original-Host", "X-Original-Url", "X-Rewrite-Url", "X-Wap-Profile", "X-Url-Scheme", "True-Client-Ip", "X-Real-Ip",
}

// Safe says whether visitors can differ in the input without harm to others, so that it
// may be probed although nobody has asked for it by name.
func (i Input) Safe() bool {
	if i.Kind != KindHeader {
		return true
	}
	name := http.CanonicalHeaderKey(i.Name)
	for _, prefix := range []string{"X-Forwarded-", "X-Http-Method", "X-Method", "If-", "Sec-Fetch-", "Proxy-"} {
		if strings.HasPrefix(name, prefix) {
			return false
		}
	}
	return !slices.Contains(unsafeFields, name) && !slices.Contains(framing, name)
}

// ofBrowsers says whether all browsers send it.
func (i Input) ofBrowsers() bool {
	return i.Kind == KindHeader && slices.ContainsFunc([]string{"Referer", "User-Agent", "Accept-Language"}, func(name string) bool {
		return strings.EqualFold(i.Name, name)
	})
}

// Check refuses inputs that no request can have.
func (i Input) Check() error {
	switch {
	case i.Name == "":
		return fmt.Errorf("a %s without a name", i.Kind)
	case i.Kind == KindParam:
		if strings.ContainsAny(i.Name, "&=#?; \t\r\n") {
			return fmt.Errorf("param %q; a name as it stands in a URL was expected", i.Name)
		}
	case i.Kind == KindCookie:
		if !httpguts.ValidHeaderFieldName(i.Name) {
			return fmt.Errorf("cookie %q; the name of a cookie was expected", i.Name)
		}
	case i.Kind == KindHeader:
		if !httpguts.ValidHeaderFieldName(i.Name) {
			return fmt.Errorf("header %q; the name of a header was expected", i.Name)
		}
		if slices.Contains(framing, http.CanonicalHeaderKey(i.Name)) {
			return fmt.Errorf("header %s cannot be probed: it says how the message is to be read", i.Name)
		}
	default:
		return fmt.Errorf("the kind %q; param, cookie or header was expected", i.Kind)
	}
	return nil
}

// value is what a visitor sends in an input.
type value struct {
	input  Input
	canary canary
}

// What visitors send who do not differ in it.
const (
	plainAgent    = "Mozilla/5.0 (compatible; cacheward-probe)"
	plainLanguage = "en"
)

// text is the value of a parameter or cookie.
func (v value) text() string { return string(v.canary) }

// field is a header's value with the canary in it; base is what all visitors send, if they
// do.
func (v value) field(base string) string {
	switch http.CanonicalHeaderKey(v.input.Name) {
	case "Referer":
		return "https://probe.invalid/" + string(v.canary) // RFC 2606 §2
	case "User-Agent":
		return strings.TrimSpace(base + " " + string(v.canary))
	case "Accept-Language":
		return strings.TrimPrefix(base+", en-x-"+v.canary.inLanguage()+";q=0.1", ", ")
	case "From":
		return string(v.canary) + "@probe.invalid"
	case "Authorization":
		return "Bearer " + string(v.canary)
	case "X-Forwarded-Host", "X-Host", "X-Original-Host":
		return string(v.canary) + ".invalid"
	case "Origin":
		return "https://" + string(v.canary) + ".invalid"
	}
	return string(v.canary)
}

// sought is what of the value is looked for in answers.
func (v value) sought() string {
	if v.input.Kind == KindHeader && strings.EqualFold(v.input.Name, "Accept-Language") {
		return v.canary.inLanguage()
	}
	return string(v.canary)
}

// eachParam yields the names and values of a query as they are written.
func eachParam(query string) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		if query == "" {
			return
		}
		for pair := range strings.SplitSeq(query, "&") {
			if name, value, _ := strings.Cut(pair, "="); !yield(name, value) {
				return
			}
		}
	}
}

// withParam is the query with one parameter of that name, in the place of the first that
// there was. Nothing else of it is changed.
func withParam(query, name, value string) string {
	var pairs []string
	set := false
	for pair := range strings.SplitSeq(query, "&") {
		if n, _, _ := strings.Cut(pair, "="); query == "" || n == name && set {
			continue
		} else if n == name {
			pair, set = name+"="+value, true
		}
		pairs = append(pairs, pair)
	}
	if !set {
		pairs = append(pairs, name+"="+value)
	}
	return strings.Join(pairs, "&")
}
