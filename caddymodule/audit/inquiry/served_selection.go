package inquiry

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/net/idna"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

// selection is which objects are asked about: those of an ID, those under a key, and
// those of which a request for a URL was served or which were stored for it.
type selection struct {
	objects map[string]int64 // IDs, with the times at which their fills began
	keys    map[string]bool
	urls    []wantedURL
}

// wantedURL is a URL as a person gives it.
type wantedURL struct {
	host, path string // no host: any
	params     map[string][]string
}

func newSelection(objects, keys, urls []string) (*selection, error) {
	s := &selection{objects: make(map[string]int64), keys: make(map[string]bool)}
	for _, id := range objects {
		u, err := uuid.Parse(id)
		if err != nil {
			return nil, fmt.Errorf("--object %q; the ID of an object was expected, such as 019345c2-8f3a-7c11-9d0e-5f2b6a7c8d90", id)
		}
		s.objects[u.String()] = filled(u.String())
	}
	for _, key := range keys {
		if len(key) < 16 || len(key) > 64 || strings.Trim(strings.ToLower(key), "0123456789abcdef") != "" {
			return nil, fmt.Errorf("--key %q; the 16 hexadecimal digits of a record's key were expected, or more of them", key)
		}
		s.keys[shortKey(key)] = true
	}
	for _, text := range urls {
		wanted, err := newWantedURL(text)
		if err != nil {
			return nil, err
		}
		s.urls = append(s.urls, wanted)
	}
	return s, nil
}

func newWantedURL(text string) (wantedURL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Opaque != "" || !strings.HasPrefix(u.EscapedPath(), "/") && (u.Host == "" || u.Path != "") {
		return wantedURL{}, fmt.Errorf("--url %q; a URL was expected, or a path: https://example.com/page or /page", text)
	}
	// A path that is a pattern of escapes is compared as it was written.
	w := wantedURL{host: wantedHost(u.Host), path: recordedPath(pathOf(text)), params: make(map[string][]string)}
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		if name, value, assigned := strings.Cut(pair, "="); assigned && name != "" {
			name = decoded(name)
			w.params[name] = append(w.params[name], decoded(value))
		}
	}
	return w, nil
}

// wantedHost is the host as records have it: a name in another script is in Punycode there.
func wantedHost(host string) string {
	name, port, _ := strings.Cut(host, ":")
	if ascii, err := idna.Lookup.ToASCII(name); err == nil && ascii != "" {
		host = strings.TrimSuffix(ascii+":"+port, ":")
	}
	return usualHost(host)
}

// recordedPath is a path as records have it: what is not ASCII is percent-encoded there.
func recordedPath(path string) string {
	var b strings.Builder
	for i := range len(path) {
		if c := path[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// all says whether nothing was named, so that every object is meant.
func (s *selection) all() bool { return len(s.objects)+len(s.keys)+len(s.urls) == 0 }

// named says whether the record is of an object that was asked about, by what stands in
// it. Another record of the object may say so where this one does not: near.
func (s *selection) named(e *reading.Entry) (named, near bool) {
	if s.all() {
		return true, true
	}
	if _, ok := s.objects[e.Object]; ok && e.Object != "" {
		return true, true
	}
	if s.keys[e.Key] {
		return true, true
	}
	if len(s.urls) == 0 || e.URL == "" {
		return false, false
	}
	path := pathOf(e.URL)
	for i := range s.urls {
		// All that was served from one object has one path: it is in the key.
		if w := &s.urls[i]; w.hasPath(path) {
			near = true
			if w.matches(e.URL) {
				return true, true
			}
		}
	}
	return false, near
}

// concerns says whether a record of an object's life may concern an object that was
// asked about.
func (s *selection) concerns(e *reading.Entry) bool {
	if _, near := s.named(e); near {
		return true
	}
	switch e.Event {
	case audit.EventPurge, audit.EventTrip, audit.EventReset, audit.EventLeak, audit.EventClear:
		return true
	case audit.EventExpire, audit.EventEvict:
		return len(s.urls) > 0 // these have no URL
	case audit.EventDiverge, audit.EventStore, audit.EventRefuse, audit.EventBypass:
		// Which key is that of an object may be read later.
		later := e.Event == audit.EventDiverge || e.Event == audit.EventStore
		at := e.Time.UnixNano()
		for _, began := range s.objects {
			if at >= began-int64(causeReach) && (later || at <= began+int64(causeReach)) {
				return true
			}
		}
	}
	return false
}

// longPath is a length that a path in a record has only if it is cut off, or about to be.
const longPath = 1024

// hasPath says whether a path in a record may be the wanted one: of a long one only the
// beginning is there.
func (w *wantedURL) hasPath(recorded string) bool {
	if start, cut := strings.CutSuffix(recorded, "..."); cut && len(start) >= longPath && strings.HasPrefix(w.path, start) {
		return true
	}
	return w.path == recorded
}

// matches says whether a record's URL is the wanted one: host and path, and that it has
// the parameters that the wanted one has. Values that records have only as digests cannot
// be compared and count as equal: rather one object too many than one missing.
func (w *wantedURL) matches(recorded string) bool {
	if w.host != "" && w.host != hostOf(recorded) {
		return false
	}
	if len(w.params) == 0 {
		return true
	}
	have := make(map[string][]string, len(w.params))
	_, query, _ := strings.Cut(recorded, "?")
	for pair := range strings.SplitSeq(query, "&") {
		name, value, assigned := strings.Cut(pair, "=")
		if assigned && name != "" {
			name = decoded(name)
			have[name] = append(have[name], value)
		}
	}
	for name, values := range w.params {
		for _, value := range values {
			if !slices.ContainsFunc(have[name], func(v string) bool { return couldBe(v, value) }) {
				return false
			}
		}
	}
	return true
}

// couldBe says whether a value in a record may stand for a value.
func couldBe(recorded, value string) bool {
	if strings.HasPrefix(recorded, digest) {
		return value != ""
	}
	if start, cut := strings.CutSuffix(recorded, "..."); cut && strings.HasPrefix(value, decoded(start)) {
		return true
	}
	return decoded(recorded) == value
}
