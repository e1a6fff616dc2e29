package caddymodule

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// job is what outlives the request: what a fill needs, and nothing of the visitor
// but the parts of the key and what the route lets through beside it.
type job struct {
	rule   *policies.Rule
	parts  *policies.Parts
	path   string // decoded, for the gate
	key    store.Key
	at     store.Key // where the response is stored, if variants are known already
	lane   store.Key // see exchange
	bytes  string
	next   caddyhttp.Handler
	server *caddyhttp.Server

	// head says that only the head is asked for.
	head bool
	// stale is the stored response that the fill may find to be still good.
	stale *store.Object
	// standby is the stored response, with or without a validator, that an error
	// must not take the place of.
	standby *store.Object
	// address is the visitor's, on routes that send it.
	address string
	// whole says that the origin is sent everything that the visitor sent, so that
	// the fill is the answer to the visitor's own request, too.
	whole bool
	// nobody caused the fill: it is a refresh in the background.
	nobody bool
}

func (x *exchange) job() *job {
	j := &job{
		rule:   x.rule,
		parts:  x.parts.Clone(),
		path:   x.req.Path,
		key:    x.key,
		at:     x.at,
		lane:   x.lane,
		bytes:  string(x.keyBytes),
		next:   x.next,
		server: serverOf(x.r),
		whole:  x.whole(),
	}
	if !x.rule.Corroborate {
		j.standby = x.found
		j.head = x.r.Method == http.MethodHead
		// What is said to one who is signed in updates nothing that others get.
		if x.stale != nil && !x.authorized && validatable(x.stale) {
			j.stale = x.stale
		}
	}
	if x.rule.ForwardAddress {
		j.address = x.r.RemoteAddr
	}
	return j
}

// whole says whether a fill withholds nothing of the request from the origin.
func (x *exchange) whole() bool {
	return x.rule.ForwardAddress && !x.parts.Withheld && !httpcache.Conditional(x.r.Header) &&
		x.r.Header["Range"] == nil && (x.r.TLS == nil || len(x.r.TLS.PeerCertificates) == 0) && bare(x.r)
}

// bare says whether handlers above have told those below nothing about the request
// that a fill would not tell them.
func bare(r *http.Request) bool {
	vars, _ := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	for name := range vars {
		switch name {
		case caddyhttp.TrustedProxyVarKey, caddyhttp.ClientIPVarKey, "matchers.error",
			"start_time", "uuid", "trace_id", "span_id": // of every request
		case nestedVar, rootVar, fileSystemVar: // a fill has them as well
		default:
			return false
		}
	}
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return true
	}
	_, signedIn := repl.Get("http.auth.user.id")
	return !signedIn
}

// forNobody is the job without anything of the visitor who caused it.
func (j *job) forNobody() *job {
	c := *j
	c.parts = j.parts.Clone()
	o := j.standby
	if o == nil {
		o = new(store.Object) // nothing is known to select the response
	}
	c.impersonal(o)
	c.stale, c.standby = nil, nil // the whole response is wanted
	return &c
}

// impersonal leaves nothing in the job but what selected the stored response: a
// refresh in the background is nobody's.
func (j *job) impersonal(o *store.Object) {
	var selecting []policies.Field
	for _, s := range o.Selecting {
		if s.Sent {
			selecting = append(selecting, policies.Field{Name: s.Name, Value: s.Value})
		}
	}
	j.parts.Impersonal()
	j.parts.Select(selecting)
	j.address, j.whole, j.head, j.nobody = "", false, false, true
	j.lane = j.at
	if j.rule.Corroborate {
		return
	}
	j.standby = o
	if validatable(o) {
		j.stale = o
	}
}

// sent is the value with which a header that may vary is sent.
func (j *job) sent(name string) (string, bool) { return sentField(j.parts.Varying, name) }

// selecting is what an error is kept for: requests in which what may have provoked it is
// sent just like in this one.
func (j *job) selecting() (all []store.Selecting) {
	for _, name := range j.rule.MayProvoke() {
		value, sent := j.sent(name)
		all = append(all, store.Selecting{Name: name, Value: value, Sent: sent})
	}
	return all
}

// influenced says whether a visitor had a say in the fill beyond the key.
func (j *job) influenced() bool {
	return !j.nobody && (len(j.parts.Forwarded()) > 0 || len(j.parts.Varying) > 0 || j.address != "")
}

// varied says whether headers that no list knows were sent: anybody can think of one
// that an app answers oddly.
func (j *job) varied() bool {
	for _, f := range j.parts.Varying {
		if f.Name != "Accept" && f.Name != "Accept-Language" {
			return !j.nobody
		}
	}
	return false
}

// validatable says whether the origin can be asked if the response still holds
// (RFC 9111 §4.3.1).
func validatable(o *store.Object) bool {
	for name := range o.Header.All() {
		if name == "Etag" || name == "Last-Modified" {
			return true
		}
	}
	return false
}

// setConditions makes the request one that the origin may answer with 304.
func setConditions(h http.Header, o *store.Object) {
	etag, modified := httpcache.Validators(o.Header.Header())
	if etag != "" {
		h["If-None-Match"] = []string{etag}
	}
	if modified != "" {
		h["If-Modified-Since"] = []string{modified}
	}
}

// validated says whether the fill is the origin's word that the stored response
// still holds.
func (j *job) validated(f *fill) bool {
	return j.stale != nil && !j.head && f.writer.wroteFinal && f.writer.status == http.StatusNotModified
}

// authorized says whether the fill carries a visitor's Authorization.
func (j *job) authorized() bool {
	if j.parts == nil { // observed only
		return false
	}
	for _, f := range j.parts.Forwarded() {
		if f.Name == "Authorization" {
			return true
		}
	}
	return false
}

// hostOf is an address as a response might repeat it: without its port.
func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// updates says whether the fill speaks of the stored response rather than being one:
// a 304 does, and the answer to a HEAD that agrees with it (RFC 9111 §4.3.4, §4.3.5).
func (j *job) updates(f *fill) bool {
	if !j.head {
		return j.validated(f)
	}
	o := j.stale
	return o != nil && f.writer.wroteFinal && f.writer.status == o.Status && selectedBy(o, f.writer.final) &&
		httpcache.HeadAgrees(o.Header.Header(), int64(len(o.Body)), f.writer.final)
}

// sameVersion says whether an update speaks of what is stored: its entity tag is the
// stored one, or, where it has none, its modification date (RFC 9111 §4.3.4).
func sameVersion(o *store.Object, update http.Header) bool {
	for _, tag := range update["Etag"] {
		stored, _ := httpcache.Validators(o.Header.Header())
		if strings.TrimPrefix(tag, "W/") != strings.TrimPrefix(stored, "W/") {
			return false
		}
	}
	if len(update["Etag"]) == 0 {
		_, stored := httpcache.Validators(o.Header.Header())
		for _, date := range update["Last-Modified"] {
			if stored != "" && date != stored {
				return false
			}
		}
	}
	return true
}

// selectedBy says whether the object was selected by all that the Vary of a later
// answer names. If not, its body may be that of another variant.
func selectedBy(o *store.Object, head http.Header) bool {
	names, ok := httpcache.VaryNames(head)
	known, _ := httpcache.VaryNames(o.Header.Header())
	for _, name := range names {
		if !slices.Contains(known, name) && !slices.ContainsFunc(o.Selecting, func(s store.Selecting) bool { return s.Name == name }) {
			return false
		}
	}
	return ok
}
