package gate

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/policies"
)

// notCompared are the fields that describe how an answer was sent rather than what
// it is, and those that Check has judged already.
var notCompared = map[string]bool{
	"Age":               true,
	"Content-Encoding":  true,
	"Content-Length":    true,
	"Date":              true,
	"Set-Cookie":        true,
	"Set-Cookie2":       true,
	"Transfer-Encoding": true,
	"Via":               true,
}

// followsBody reports whether a field is computed from the body, so that it
// differs wherever the body does.
func followsBody(field string) bool {
	switch field {
	case "Content-Digest", "Content-Md5", "Digest", "Etag", "Last-Modified", "Repr-Digest":
		return true
	}
	return false
}

// differingFields returns the names of the fields in which two answers differ, sorted,
// and apart from them those that follow the body.
func differingFields(own, fill http.Header) (fields, following []string) {
	a, b := fold(own).fields, fold(fill).fields
	differs := func(name string) {
		if notCompared[name] || sameField(name, a, b) || httpcache.PerRequest(name) {
			return
		}
		if followsBody(name) {
			following = append(following, name)
			return
		}
		fields = append(fields, name)
	}
	for name := range b {
		differs(name)
	}
	for name := range a {
		if _, both := b[name]; !both {
			differs(name)
		}
	}
	slices.Sort(fields)
	slices.Sort(following)
	return fields, following
}

// compareFields enters where the named fields differ, unless that is declared harmless.
func (k *comparison) compareFields(names []string) {
	if len(names) == 0 {
		return
	}
	a, b := fold(k.own.Header).fields, fold(k.fill.Header).fields
	for _, name := range names {
		own, fill := a[name], b[name]
		if k.context.Harmless.Header(name, own, fill) {
			if d, made := k.visitorMadeField(name, own, fill); made {
				k.add(d)
			}
			continue
		}
		k.compareField(name, own, fill)
	}
}

func (k *comparison) compareField(name string, own, fill []string) {
	common := Span{Part: PartHeader, Field: name, Near: nearField(name)}
	if (len(own) == 0) != (len(fill) == 0) && !isPlainName(name) {
		common.Field, common.Near = "", ""
	}
	if name == "Content-Type" && mediaType(strings.Join(own, ", ")) != mediaType(strings.Join(fill, ", ")) {
		common.Class = policies.ClassPersonal // it is another page
	}
	a, b := []byte(strings.Join(own, ", ")), []byte(strings.Join(fill, ", "))
	spans := explain(diff(a, b, true), a, b)
	if len(spans) == 0 {
		spans = append(spans, differing{}) // in how it is divided into lines
	}
	for _, d := range spans {
		d.Part, d.Field, d.Near, d.Class = common.Part, common.Field, common.Near, common.Class
		k.add(d)
	}
}

// nearField is how a record names a place in a header field.
func nearField(name string) string {
	if near := PartHeader + " " + name; identifier.MatchString(near) {
		return near
	}
	return ""
}

// fieldWords are the words of which response fields are named as a rule. One that only
// one answer has might be named by a value, and is told only if it is made of these.
var fieldWords = func() map[string]bool {
	words := make(map[string]bool)
	for _, word := range strings.Fields(`
		ab accept access age agent agents alive allow alt amp api app application auth aws azure backend build by cache cdn cf
		channel city client cloud code config content control cookie cors count country cross csp currency customer data
		date debug deployment description device digest disposition dns domain edge embedder encoding env environment error
		etag expect experiment experiments expires feature features flag flags forwarded frame from generator geo group has
		hint host http id image info instance is key lang language last lead length limit link locale location login map
		max mobile mode modified name node no nonce of opener options origin page path pattern permissions platform point
		policy pool port powered preload price privacy private process protection proto proxy public push query range ranges rate
		reason redirect ref referral referrer region release remaining request resource response retry robots route
		security segment server service session set shard site size sniff source span state status store strict sub svc
		tag target tenant test theme time timeout timing token total trace transform transport treatment type uid upgrade
		ua url user variant variation varnish vary version via view visitor warning with www x xss zone`) {
		words[word] = true
	}
	return words
}()

func isPlainName(name string) bool {
	for word := range strings.SplitSeq(strings.ToLower(name), "-") {
		if !fieldWords[word] {
			return false
		}
	}
	return true
}

// sameField reports whether the two answers agree in a field, apart from what
// compressing one of them does to it.
func sameField(name string, own, fill http.Header) bool {
	a, b := own[name], fill[name]
	if slices.Equal(a, b) {
		return true
	}
	ownCoding, fillCoding := coding(own), coding(fill)
	switch {
	case name == "Vary":
		return slices.Equal(varyNames(a), varyNames(b))
	case name == "Expires":
		return sameLifetime(own, fill)
	case ownCoding == fillCoding:
		return false
	case name == "Etag":
		return len(a) == 1 && len(b) == 1 && opaqueTag(a[0], ownCoding) == opaqueTag(b[0], fillCoding)
	case name == "Accept-Ranges":
		// nginx takes it away when it compresses.
		return isRangeUnits(a) && isRangeUnits(b)
	}
	return false
}

// coding is an answer's content coding, lower-case, or "" for none.
func coding(h http.Header) string {
	var names []string
	for _, line := range h["Content-Encoding"] {
		for name := range strings.SplitSeq(strings.ToLower(line), ",") {
			if name = strings.Trim(name, " \t"); name != "" && name != "identity" {
				names = append(names, name)
			}
		}
	}
	return strings.Join(names, ", ")
}

// varyNames returns what Vary names besides Accept-Encoding, which is added where
// an answer is compressed.
func varyNames(lines []string) []string {
	var names []string
	for _, line := range lines {
		for name := range strings.SplitSeq(strings.ToLower(line), ",") {
			if name = strings.Trim(name, " \t"); name != "" && name != "accept-encoding" {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// opaqueTag returns an entity tag as it was before the answer was compressed:
// nginx makes it weak, Apache, Caddy and others add the coding's name to it
// (RFC 9110 §8.8.3.3).
func opaqueTag(tag, coding string) string {
	tag = strings.Trim(strings.TrimPrefix(strings.Trim(tag, " \t"), "W/"), `"`)
	if coding == "" {
		return tag
	}
	for _, separator := range []string{"--", "-", ";", ":"} {
		if base, ok := strings.CutSuffix(tag, separator+coding); ok {
			return base
		}
	}
	return tag
}

func isRangeUnits(values []string) bool {
	return !slices.ContainsFunc(values, func(v string) bool { return v != "bytes" && v != "none" })
}

// sameLifetime reports whether two answers, made at different times, expire as
// long after they were made. Date and Expires are often taken from two readings of
// a clock that counts in seconds.
func sameLifetime(own, fill http.Header) bool {
	const tolerance = 2 * time.Second
	a, okA := lifetime(own)
	b, okB := lifetime(fill)
	return okA && okB && (a-b).Abs() <= tolerance
}

func lifetime(h http.Header) (time.Duration, bool) {
	if len(h["Expires"]) != 1 || len(h["Date"]) != 1 {
		return 0, false
	}
	expires, errExpires := http.ParseTime(h["Expires"][0])
	made, errMade := http.ParseTime(h["Date"][0])
	return expires.Sub(made), errExpires == nil && errMade == nil
}
