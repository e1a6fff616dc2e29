package probe

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dunglas/httpsfv"
)

// state is what a cache says that it did with a request.
type state string

const (
	stateHit    state = "hit"    // the answer was made for another request
	stateMiss   state = "miss"   // it was not there, and has been asked for
	stateBypass state = "bypass" // it is none for the cache
	stateUnsure state = "?"      // the field does not say it, or in words that are not known
)

// said is what one field of an answer says of one cache.
type said struct {
	field string // lower case
	cache string // its name, if the field tells
	state state
	value string // for people
}

// ours is how Cacheward calls itself in Cache-Status.
const ours = "Cacheward"

// statusFields are the fields by which caches say what they did.
var statusFields = []struct {
	name  string
	cache string // whose field it is, if only one has it
	read  func(string) state
}{
	{"Cf-Cache-Status", "Cloudflare", byWord},
	{"X-Vercel-Cache", "Vercel", byWord},
	{"Cdn-Cache", "Bunny", byWord},
	{"Akamai-Cache-Status", "Akamai", byWord},
	{"X-Cache", "", byWord}, // Fastly, CloudFront, Azure Front Door, Akamai, KeyCDN, nginx, many more
	{"X-Cache-Remote", "", byWord},
	{"X-Cache-Status", "", byWord},
	{"X-Proxy-Cache", "", byWord},
	{"X-Cdn-Cache-Status", "", byWord},
	{"X-Cache-Hits", "", byCount},
	{"X-Varnish", "Varnish", byTransactions},
}

// readStatus is all that the caches before an answer say of it. Cache-Status has a member
// for each cache, that nearest to the app first (RFC 9211 §2); so have others that are
// lists.
func readStatus(h http.Header) []said {
	var all []said
	for _, f := range statusFields {
		for _, line := range h[f.name] {
			all = append(all, said{strings.ToLower(f.name), f.cache, f.read(line), line})
		}
	}
	all = append(all, readCacheStatus(h["Cache-Status"])...)
	all = append(all, readServerTiming(h["Server-Timing"])...)
	if seconds, err := strconv.ParseInt(strings.TrimSpace(h.Get("Age")), 10, 64); err == nil {
		s := said{"age", "", stateUnsure, strconv.FormatInt(seconds, 10)}
		if seconds > 0 {
			s.state = stateHit
		}
		all = append(all, s)
	}
	return all
}

// words are those of all caches. Longer ones come before those that they contain.
var words = []struct {
	word  string
	state state
}{
	{"REFRESH_MISS", stateMiss}, {"IMS_MISS", stateMiss}, {"REVALIDATED", stateHit}, {"REFRESHHIT", stateHit},
	{"PRIVATE_NOSTORE", stateBypass}, {"CONFIG_NOCACHE", stateBypass}, {"UNCACHEABLE", stateBypass}, {"NOT_CACHEABLE", stateBypass},
	{"NO-CACHE", stateBypass}, {"DYNAMIC", stateBypass}, {"BYPASS", stateBypass}, {"PASS", stateBypass},
	{"MISS", stateMiss}, {"EXPIRED_HIT", stateHit}, {"EXPIRED", stateMiss},
	{"PRERENDER", stateHit}, {"STALE", stateHit}, {"UPDATING", stateHit}, {"HIT", stateHit},
}

// byWord reads "HIT", "Hit from cloudfront", "TCP_REMOTE_HIT", "MISS, HIT". If one of
// several caches hit, the answer was made for another request.
func byWord(line string) state {
	result := stateUnsure
	for part := range strings.SplitSeq(strings.ToUpper(line), ",") {
		part, _, _ = strings.Cut(part, " FROM ") // a host may be called anything
		i := slices.IndexFunc(words, func(w struct {
			word  string
			state state
		}) bool {
			return strings.Contains(part, w.word)
		})
		if i >= 0 && (result == stateUnsure || words[i].state == stateHit) {
			result = words[i].state
		}
	}
	return result
}

// byCount reads X-Cache-Hits, how often each cache has given the object: "0, 3".
func byCount(line string) state {
	result := stateUnsure
	for part := range strings.SplitSeq(line, ",") {
		n, err := strconv.ParseUint(strings.TrimSpace(part), 10, 63)
		switch {
		case err != nil:
		case n > 0:
			return stateHit
		default:
			result = stateMiss
		}
	}
	return result
}

// byTransactions reads X-Varnish: the number of this request, and on a hit that of the
// one which the object was made for.
func byTransactions(line string) state {
	numbers := strings.Fields(line)
	for _, n := range numbers {
		if _, err := strconv.ParseUint(n, 10, 63); err != nil {
			return stateUnsure
		}
	}
	switch len(numbers) {
	case 1:
		return stateMiss
	case 2:
		return stateHit
	}
	return stateUnsure
}

// readCacheStatus is RFC 9211.
func readCacheStatus(lines []string) []said {
	if len(lines) == 0 {
		return nil
	}
	list, err := httpsfv.UnmarshalList(lines)
	if err != nil {
		// What one cache has spoiled is unreadable by the standard; the words are not.
		line := strings.Join(lines, ", ")
		return []said{{"cache-status", "", stateUnsure, line}}
	}
	var all []said
	for _, member := range list {
		item, ok := member.(httpsfv.Item)
		if !ok {
			continue
		}
		s := said{field: "cache-status", state: stateUnsure}
		switch name := item.Value.(type) {
		case string:
			s.cache = name
		case httpsfv.Token:
			s.cache = string(name)
		default:
			continue
		}
		s.state, s.value = itemState(item.Params)
		all = append(all, s)
	}
	return all
}

// itemState is the state of one cache, and "hit" or "fwd=…; stored".
func itemState(params *httpsfv.Params) (state, string) {
	isTrue := func(name string) bool {
		v, ok := params.Get(name)
		b, is := v.(bool)
		return ok && is && b
	}
	if isTrue("hit") {
		return stateHit, "hit"
	}
	fwd, _ := params.Get("fwd")
	token, _ := fwd.(httpsfv.Token)
	text := "fwd=" + string(token)
	if isTrue("stored") {
		text += "; stored"
	}
	if isTrue("collapsed") {
		return stateHit, text + "; collapsed"
	}
	switch token {
	case "bypass", "method", "request":
		return stateBypass, text
	case "uri-miss", "vary-miss", "miss", "stale", "partial":
		return stateMiss, text
	}
	return stateUnsure, text
}

// readServerTiming reads what CDNs say in metrics of theirs: cdn-cache;desc=HIT, and
// CloudFront's cdn-cache-hit.
func readServerTiming(lines []string) []said {
	var all []said
	for metric := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(metric), ";")
		word, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(name)), "cdn-cache")
		switch {
		case !ok:
			continue
		case word == "-refresh":
			word = "refreshhit"
		case word == "":
			for param := range strings.SplitSeq(params, ";") {
				if n, v, _ := strings.Cut(param, "="); strings.EqualFold(strings.TrimSpace(n), "desc") {
					word = strings.Trim(strings.TrimSpace(v), `"`)
				}
			}
		}
		all = append(all, said{"server-timing", "", byWord(word), strings.TrimSpace(metric)})
	}
	return all
}

// signs are what else tells which caches an answer has gone through.
var signs = []struct {
	field, cache string
	matches      *regexp.Regexp // nil: the field is enough
}{
	{"Cf-Ray", "Cloudflare", nil},
	{"X-Amz-Cf-Pop", "CloudFront", nil},
	{"X-Azure-Ref", "Azure Front Door", nil},
	{"X-Vercel-Id", "Vercel", nil},
	{"X-Nf-Request-Id", "Netlify", nil},
	{"Cdn-Pullzone", "Bunny", nil},
	{"X-Akamai-Transformed", "Akamai", nil},
	{"X-Served-By", "Fastly", regexp.MustCompile(`^cache-`)},
	{"Server", "Cloudflare", regexp.MustCompile(`^cloudflare`)},
	{"Server", "Akamai", regexp.MustCompile(`^AkamaiGHost`)},
	{"Server", "Bunny", regexp.MustCompile(`^BunnyCDN`)},
	{"Server", "Netlify", regexp.MustCompile(`^Netlify`)},
	{"Server", "Vercel", regexp.MustCompile(`^Vercel`)},
	{"Server", "KeyCDN", regexp.MustCompile(`^keycdn`)},
	{"X-Cache", "CloudFront", regexp.MustCompile(`from cloudfront$`)},
	{"Server", "Apache Traffic Server", regexp.MustCompile(`^ATS`)},
	{"Via", "CloudFront", regexp.MustCompile(`(?i)\(cloudfront\)`)},
	{"Via", "Google Cloud CDN", regexp.MustCompile(`^1\.1 google`)},
	{"Via", "Varnish", regexp.MustCompile(`(?i)\bvarnish`)},
	{"Via", "Squid", regexp.MustCompile(`(?i)\(squid`)},
	{"Via", "Apache Traffic Server", regexp.MustCompile(`(?i)ApacheTrafficServer`)},
}

// cacheNames are the caches that an answer tells of, without this product's own.
func cacheNames(h http.Header, status []said) []string {
	var names []string
	add := func(name string) {
		if name != "" && name != ours && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, s := range status {
		add(s.cache)
	}
	for _, sign := range signs {
		for _, line := range h[sign.field] {
			if sign.matches == nil || sign.matches.MatchString(line) {
				add(sign.cache)
			}
		}
	}
	// Most that are called so are no caches; one that speaks of its cache is.
	if len(names) == 0 && (h.Get("X-Cache") != "" || h.Get("X-Cache-Status") != "") && strings.HasPrefix(h.Get("Server"), "nginx") {
		add("nginx")
	}
	return names
}

// telling are the fields of an answer that evidence shows, beside the status fields.
var telling = []string{
	"Age", "Cache-Control", "Cdn-Cache-Control", "Cache-Status", "Date", "Etag", "Expires", "Server", "Server-Timing",
	"Surrogate-Control", "Vary", "Via", "X-Served-By",
}

// tellingFields are those of an answer.
func tellingFields(h http.Header) map[string]string {
	found := make(map[string]string)
	for _, name := range telling {
		if lines := h[name]; len(lines) > 0 {
			found[strings.ToLower(name)] = strings.Join(lines, ", ")
		}
	}
	for _, f := range statusFields {
		if lines := h[f.name]; len(lines) > 0 {
			found[strings.ToLower(f.name)] = strings.Join(lines, ", ")
		}
	}
	return found
}
