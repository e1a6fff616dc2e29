package inquiry

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

func served(t *testing.T, o ServedOptions, entries ...*reading.Entry) *ServedAnswer {
	t.Helper()
	q, err := NewServed(o)
	if err != nil {
		t.Fatal(err)
	}
	a, err := fed(q, entries...).Answer(AnswerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestServed(t *testing.T) {
	leak, other := objectAt(three, 1), objectAt(three, 2)
	entries := []*reading.Entry{
		storeOf(leak, after(time.Second), "https://shop.example/lp"),
		serveOf(leak, after(time.Second), "aaaa-1", "https://shop.example/lp?ref=A1", "fill"),
		serveOf(leak, after(3*time.Second), "aaaa-2", "https://shop.example/lp?ref=B2&gclid=h:123456789abc", "hit"),
		serveOf(leak, after(2*time.Second), "aaaa-2", "https://shop.example/lp", "hit"),
		{Time: after(time.Minute), Event: audit.EventWithdraw, Key: pageKey, Object: leak, Reasons: []string{"divergent"}},
		serveOf(other, after(4*time.Second), "aaaa-3", "https://shop.example/other", "hit"),
	}
	entries[5].Key = otherKey
	for _, test := range []struct {
		name    string
		o       ServedOptions
		objects []string
		serves  int
	}{
		{"an object", ServedOptions{Objects: []string{strings.ToUpper(leak)}}, []string{leak}, 3},
		{"a key", ServedOptions{Keys: []string{pageKey}}, []string{leak}, 3},
		{"a whole key", ServedOptions{Keys: []string{strings.ToUpper(pageKey) + strings.Repeat("0", 48)}}, []string{leak}, 3},
		{"a path", ServedOptions{URLs: []string{"/lp"}}, []string{leak}, 3},
		{"a URL", ServedOptions{URLs: []string{"https://SHOP.example/lp"}}, []string{leak}, 3},
		{"the code of one of them, and who was served the same", ServedOptions{URLs: []string{"/lp?ref=B2"}}, []string{leak}, 3},
		{"a value that is a digest in records", ServedOptions{URLs: []string{"/lp?gclid=secret"}}, []string{leak}, 3},
		{"a code that nobody had", ServedOptions{URLs: []string{"/lp?ref=C3"}}, nil, 0},
		{"another host", ServedOptions{URLs: []string{"https://else.example/lp"}}, nil, 0},
		{"all", ServedOptions{}, []string{leak, other}, 4},
		{"all of a time", ServedOptions{Since: after(3 * time.Second), Until: after(4 * time.Second)}, []string{leak}, 1},
		{"two ways to say", ServedOptions{Objects: []string{other}, URLs: []string{"/lp"}}, []string{leak, other}, 4},
		{"chosen", ServedOptions{Keep: func(e *reading.Entry) bool { return e.Visitor == "aaaa-3" }}, []string{other}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := served(t, test.o, entries...)
			var ids []string
			for i := range a.Objects.Len() {
				ids = append(ids, a.Objects.At(i).Object)
			}
			if strings.Join(ids, " ") != strings.Join(test.objects, " ") || a.Serves != test.serves {
				t.Errorf("%q, %d serves", ids, a.Serves)
			}
		})
	}
	a := served(t, ServedOptions{Objects: []string{leak}}, entries...)
	object := a.Objects.At(0)
	if a.Visitors != 2 || object.Visitors != 2 || !object.Filled.Equal(three) || object.State != Withdrawn {
		t.Errorf("%+v", object)
	}
	if c := object.Cause; c == nil || c.Visitor != "aaaa-1" || c.Own || c.Codes.String() != "ref=A1" {
		t.Errorf("caused by %+v", object.Cause)
	}
	if row := object.Served.At(2); row.Visitor != "aaaa-2" || row.Codes.String() != "ref=B2" || !row.Time.Equal(after(3*time.Second)) {
		t.Errorf("%+v", row)
	}
}

// TestServedCauseOfACorroboratedPage: whoever caused the fill was given their own answer.
func TestServedCauseOfACorroboratedPage(t *testing.T) {
	id := objectAt(after(10*time.Millisecond), 1)
	own := func(began time.Duration, took float64, visitor string) *reading.Entry {
		return &reading.Entry{
			Time: after(began).Add(time.Duration(took) * time.Millisecond), Duration: took, Event: audit.EventBypass,
			Outcome: "fill", Key: pageKey, Visitor: visitor, URL: "/lp?ref=" + visitor,
		}
	}
	a := served(t, ServedOptions{Objects: []string{id}},
		own(-time.Minute, 20, "earlier"), own(9*time.Millisecond, 500, "cause"), own(2*time.Second, 5, "later"),
		storeOf(id, after(time.Second), "/lp"), serveOf(id, after(time.Minute), "aaaa-1", "/lp", "hit"))
	if c := a.Objects.At(0).Cause; c == nil || c.Visitor != "cause" || !c.Own {
		t.Errorf("%+v", c)
	}
}

func TestServedState(t *testing.T) {
	id := objectAt(three, 1)
	event := func(e audit.Event, at time.Duration, scope string) *reading.Entry {
		r := &reading.Entry{Time: after(at), Event: e, Route: "landing", Key: pageKey, Scope: scope, By: "ops"}
		switch e {
		case audit.EventExpire, audit.EventEvict, audit.EventWithdraw, audit.EventRefresh:
			r.Object = id
		case audit.EventPurge, audit.EventTrip, audit.EventReset:
			r.Key, r.Route = "", ""
		}
		return r
	}
	soft := event(audit.EventPurge, time.Minute, "everything")
	soft.Soft = true
	dropping := event(audit.EventReset, 2*time.Minute, "route landing")
	dropping.Removed = 3
	elsewhere := event(audit.EventReset, 2*time.Minute, "route product")
	elsewhere.Removed = 3
	for _, test := range []struct {
		name    string
		entries []*reading.Entry
		state   string
		turns   int
	}{
		{"nothing", nil, Remaining, 0},
		{"expired", []*reading.Entry{event(audit.EventExpire, time.Minute, "")}, Expired, 1},
		{"purged before it was there", []*reading.Entry{event(audit.EventPurge, -time.Minute, "everything")}, Remaining, 0},
		{"purged, all", []*reading.Entry{event(audit.EventPurge, time.Minute, "everything")}, Purged, 1},
		{"purged, its route", []*reading.Entry{event(audit.EventPurge, time.Minute, "route landing")}, Purged, 1},
		{"purged, another route", []*reading.Entry{event(audit.EventPurge, time.Minute, "route product")}, Remaining, 0},
		{"purged, its key", []*reading.Entry{event(audit.EventPurge, time.Minute, "key "+pageKey+"0011")}, Purged, 1},
		{"purged, its URL", []*reading.Entry{event(audit.EventPurge, time.Minute, "url http://shop.example/lp")}, Purged, 1},
		{"purged, another URL", []*reading.Entry{event(audit.EventPurge, time.Minute, "url http://shop.example/lpx")}, Remaining, 0},
		{"purged, a prefix", []*reading.Entry{event(audit.EventPurge, time.Minute, "prefix shop.example/")}, Purged, 1},
		{"purged, the beginning of a segment", []*reading.Entry{event(audit.EventPurge, time.Minute, "prefix shop.example/l")}, Remaining, 0},
		{"purged, the beginning of a name", []*reading.Entry{event(audit.EventPurge, time.Minute, "prefix shop.example/l*")}, Purged, 1},
		{"perhaps purged, a tag", []*reading.Entry{event(audit.EventPurge, time.Minute, "tag news")}, Remaining, 1},
		{"made stale", []*reading.Entry{soft}, Softened, 1},
		{"tripped", []*reading.Entry{event(audit.EventTrip, time.Minute, "route landing")}, Tripped, 1},
		{"tripped and reset", []*reading.Entry{event(audit.EventTrip, time.Minute, "everything"), event(audit.EventReset, 2*time.Minute, "everything")}, Remaining, 2},
		{"tripped and reset, which drops", []*reading.Entry{event(audit.EventTrip, time.Minute, "route landing"), dropping}, Dropped, 2},
		{"dropped, then a purge that found nothing", []*reading.Entry{dropping, event(audit.EventPurge, 3*time.Minute, "everything")}, Dropped, 1},
		{"another route's reset", []*reading.Entry{elsewhere}, Remaining, 0},
		{"evicted, then a purge that is not its", []*reading.Entry{event(audit.EventEvict, time.Minute, ""), event(audit.EventPurge, 2*time.Minute, "everything")}, Evicted, 1},
		{"diverged after it was gone", []*reading.Entry{event(audit.EventExpire, time.Minute, ""), event(audit.EventDiverge, 2*time.Minute, "")}, Expired, 2},
		{"replaced", []*reading.Entry{storeOf(objectAt(after(time.Hour), 2), after(time.Hour), "https://shop.example/lp")}, Replaced, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := served(t, ServedOptions{Objects: []string{id}},
				append(test.entries, storeOf(id, after(time.Second), "https://shop.example/lp"))...)
			if got := a.Objects.At(0); got.State != test.state || len(got.Turns) != test.turns {
				t.Errorf("%s, %+v", got.State, got.Turns)
			}
		})
	}
}

// TestServedNeverStored: a fill that streamed to one visitor and was refused after all.
func TestServedNeverStored(t *testing.T) {
	id := objectAt(three, 1)
	a := served(t, ServedOptions{Objects: []string{id}},
		serveOf(id, after(time.Second), "aaaa-1", "/lp", "fill"),
		&reading.Entry{Time: after(time.Second), Event: audit.EventRefuse, Key: pageKey, Reasons: []string{"state-in-body"}})
	if got := a.Objects.At(0); got.State != Refused || got.Stored != nil || got.Turns[0].Why != "state-in-body" {
		t.Errorf("%+v", got)
	}
}

// TestServedFindsURLsAsPeopleWriteThem: rather one object too many than one missing.
func TestServedFindsURLsAsPeopleWriteThem(t *testing.T) {
	long := "/" + strings.Repeat("x", 2000)
	for _, test := range []struct {
		asked, recorded string
		found           bool
	}{
		{"https://shop.example:443/lp", "https://shop.example/lp", true},
		{"http://shop.example/lp", "http://shop.example:80/lp", true},
		{"HTTP://SHOP.example/lp", "http://shop.example/lp", true},
		{"https://shop.example:8443/lp", "https://shop.example/lp", false},
		{"https://店.example:8443/lp", "https://xn--hxt.example:8443/lp", true},
		{"https://[::1]:8443/lp", "https://[::1]:8443/lp", true},
		{"https://shop.example" + long, "https://shop.example" + long[:1024] + "...", true},
		{"https://shop.example/lp", "https://shop.example/l...", false},
	} {
		id := objectAt(three, 1)
		a := served(t, ServedOptions{URLs: []string{test.asked}}, serveOf(id, after(time.Second), "aaaa-1", test.recorded, "hit"))
		if found := a.Objects.Len() == 1; found != test.found {
			t.Errorf("%.60s, recorded as %.60s: found %t", test.asked, test.recorded, found)
		}
	}
}

// TestServedNarrow: on a narrow terminal, what became of an object is told to its end.
func TestServedNarrow(t *testing.T) {
	id := objectAt(three, 1)
	a := served(t, ServedOptions{}, storeOf(id, after(time.Second), "/lp"), serveOf(id, after(2*time.Second), "aaaa-1", "/lp", "hit"),
		&reading.Entry{Time: after(time.Minute), Event: audit.EventTrip, Scope: "route landing", By: "sato@ops1 via 127.0.0.1",
			Why: "customers saw the names of other customers on the page"})
	var text bytes.Buffer
	if err := a.Text(&text, TextOptions{Width: 80}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(strings.Fields(text.String()), " "), "on the page, by sato@ops1 via 127.0.0.1") {
		t.Errorf("%s", &text)
	}
}

func TestServedRefuses(t *testing.T) {
	for _, o := range []ServedOptions{
		{Objects: []string{"x"}}, {Objects: []string{""}}, {Keys: []string{"b398"}}, {Keys: []string{strings.Repeat("g", 16)}},
		{Keys: []string{strings.Repeat("a", 65)}}, {URLs: []string{""}}, {URLs: []string{"lp"}}, {URLs: []string{"https://a/%zz"}}, {URLs: []string{"mailto:a@b"}},
	} {
		if _, err := NewServed(o); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestServedHostile: what visitors and logs say can do nothing but be shown.
func TestServedHostile(t *testing.T) {
	id := objectAt(three, 1)
	const evil = "\x1b[2J\x1b]0;owned\a\r\n; rm -rf /"
	store := storeOf(id, after(time.Second), "/lp")
	store.Route = "landing' ; reboot #" + evil
	row := serveOf(id, after(time.Second), "=cmd|'/c calc'!A0", "/lp?ref=%3D1%2B1&"+evil, "hit")
	row.Route = store.Route
	a := served(t, ServedOptions{}, store, row)
	var text, csv bytes.Buffer
	if err := a.Text(&text, TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(text.String(), "\x1b\a\r") {
		t.Errorf("%q", text.String())
	}
	for line := range strings.Lines(text.String()) {
		if strings.Contains(line, "cacheward") && strings.Contains(line, "reboot") {
			t.Errorf("a command to paste: %q", line)
		}
	}
	if err := a.CSV(&csv); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"'=cmd|", "'=1+1"} {
		if !strings.Contains(csv.String(), want) {
			t.Errorf("no %q in %q", want, csv.String())
		}
	}
	if strings.Count(csv.String(), "\n") != 2 {
		t.Errorf("%q", csv.String())
	}
}

func FuzzWantedURL(f *testing.F) {
	f.Add("https://shop.example/lp?ref=A1", "https://shop.example/lp?ref=A1&x=h:123456789abc")
	f.Add("/a%20b?x", "/a%20b?x=...")
	f.Add("//h?a=b&&=", "://?&a=%zz...")
	f.Fuzz(func(t *testing.T, wanted, recorded string) {
		w, err := newWantedURL(wanted)
		if err != nil {
			return
		}
		_ = w.matches(recorded)
		for name, value := range params(recorded) {
			if name == "" || value == "" {
				t.Errorf("%q: a parameter %q=%q", recorded, name, value)
			}
		}
		// A record of exactly this URL, with everything in clear, is found.
		if w.host == "" && strings.HasPrefix(wanted, "/") && !strings.ContainsAny(wanted, "#%+") && !w.matches(wanted) {
			t.Errorf("%q does not match itself", wanted)
		}
	})
}
