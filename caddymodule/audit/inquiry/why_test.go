package inquiry

import (
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

func TestWhyMatches(t *testing.T) {
	for _, tt := range []struct {
		asked, recorded string
		want            bool
	}{
		{"/x", "https://a.example/x", true},
		{"/x", "https://a.example/x?ref=A1", true},
		{"/x", "https://a.example/x/", false},
		{"/x", "", false},
		{"https://a.example/x", "https://a.example/x", true},
		{"https://A.example/x", "https://a.example/x", true},
		{"http://a.example/x", "https://a.example/x", false},
		{"https://b.example/x", "https://a.example/x", false},
		{"/x?ref=A1", "https://a.example/x?ref=A1", true},
		{"/x?ref=A2", "https://a.example/x?ref=A1", false},
		{"/x?ref=A2", "https://a.example/x?ref=h:0123456789ab", true},
		{"/x?ref=A1", "https://a.example/x?page=1", false},
		{"/x?ref=http://b", "http://a.example/x?ref=http%3A//b", true},
	} {
		if got := newWhyOf(t, tt.asked, 0).matches(tt.recorded); got != tt.want {
			t.Errorf("%s and %s: %v", tt.asked, tt.recorded, got)
		}
	}
	for _, bad := range []string{"", "x y", "mailto:a", "://"} {
		if _, err := NewWhy(bad, 0); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestWhyTellsOfTripsThatConcernIt(t *testing.T) {
	q := newWhyOf(t, "/x", 0)
	at := func(second int) time.Time { return sampleStart.Add(time.Duration(second) * time.Second) }
	q.Add(&reading.Entry{Time: at(0), Event: audit.EventTrip, Scope: "everything"}) // before all that is told
	q.Add(&reading.Entry{Time: at(1), Event: audit.EventServe, Outcome: "hit", Route: "r", Key: "0123456789abcdef", URL: "https://a.example/x"})
	for i, scope := range []string{
		"everything", "route r", "route other", "key 0123456789abcdef", "url https://a.example/x", "url https://a.example/y", "prefix a.example/x",
		"prefix a.example/y", "tag t",
	} {
		q.Add(&reading.Entry{Time: at(2 + i), Event: audit.EventPurge, Scope: scope})
	}
	var got []string
	a := q.Answer()
	for _, d := range a.Decisions[:len(a.Decisions)-1] {
		got = append([]string{strings.TrimSuffix(d.Words, " purged: 0 objects dropped")}, got...)
	}
	if want := "everything; route r; key 0123456789abcdef; url https://a.example/x; prefix a.example/x; tag t"; strings.Join(got, "; ") != want {
		t.Errorf("got %s\nwant %s", strings.Join(got, "; "), want)
	}
	if a.Found != 1 {
		t.Errorf("found %d", a.Found)
	}
}

func TestWords(t *testing.T) {
	for _, tt := range []struct {
		entry reading.Entry
		want  string
	}{
		{reading.Entry{Event: "serve", Outcome: "hit", Age: 41, TTL: 259}, "served from the cache: 41 s old, fresh for 4 min 19 s more"},
		{reading.Entry{Event: "serve", Outcome: "stale", Age: 312, TTL: -12}, "served from the cache although its time was over for 12 s: 5 min 12 s old"},
		{reading.Entry{Event: "refuse", Reasons: []string{"set-cookie"}}, "not stored: the response sets a cookie (in its head, in a 1xx response or in a trailer)"},
		{reading.Entry{Event: "refuse", Reasons: []string{"private"}}, "not stored: Cache-Control says private"},
		{reading.Entry{Event: "refuse", Reasons: []string{"novel"}}, "not stored: novel"},
		{reading.Entry{Event: "deny", Status: 400, Reasons: []string{"denied"}, Detail: "param debug"}, "refused with 400: the policy denies requests with this input (param debug)"},
		{reading.Entry{Event: "diverge", Divergence: &reading.Divergence{Class: "token", Part: "body", Near: "input csrf"}}, "not stored: two answers of the app differed (token: the body, near input csrf)"},
		{reading.Entry{Event: "store", TTL: 300, Status: 200, Size: 18211, Origin: 41.5}, "stored for 5 min: status 200, 18 KiB, after 41 ms of the app's time"},
		{reading.Entry{Event: "bypass", Outcome: "observe", Would: "hit"}, "sent to the app: the route only observes; it would have been served from the cache"},
		{reading.Entry{Event: "trip", Scope: "route a", By: "ops@edge-1", Why: "leak"}, "caching of route a was stopped by ops@edge-1: leak"},
		{reading.Entry{Event: "drop", Records: 3}, "3 records were lost: the queue of the log was full"},
		{reading.Entry{Event: "refresh"}, "being fetched anew in the background"},
	} {
		if got := Words(&tt.entry); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
	for _, event := range audit.AllEvents() {
		if got := Words(&reading.Entry{Event: event}); got == "" || got == string(event) {
			t.Errorf("%s: %q", event, got)
		}
	}
}
