package inquiry

import (
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

func TestWordsOfAttribution(t *testing.T) {
	for _, test := range []struct {
		a    *reading.Attribution
		want string
	}{
		{nil, ""},
		{&reading.Attribution{}, ""},
		{&reading.Attribution{Landing: "L1", Params: []string{"ref", "source"}, Carried: "cookie"}, "; a landing with ref, source, carried in the cookie"},
		{&reading.Attribution{Landing: "L1", Referer: "search.example", Carried: "both", BeaconLost: true},
			"; a landing from search.example, carried in the cookie and reported by beacon; its beacon was lost, and the app will not hear of it"},
		{&reading.Attribution{Landing: "L1", Carried: "beacon", LeftOut: "unchanged"}, "; a landing, reported by beacon (the cookie says already what counts)"},
		{&reading.Attribution{LeftOut: "consent"}, "; a landing that is not carried: the visitor has not consented"},
		{&reading.Attribution{LeftOut: "tomorrow"}, "; a landing that is not carried: tomorrow"},
		{&reading.Attribution{Dropped: "foreign"}, "; the attribution cookie was not believed: it was made for another host"},
		{&reading.Attribution{Delivered: "L1", As: "header", Landed: three.Add(-2 * time.Hour)}, "; the app was told of the landing L1, 2 h before, by header"},
		{&reading.Attribution{Delivered: "L1", As: "form-cookie", Landed: three.Add(time.Hour)}, "; the app was told of the landing L1, 0 s before, in cookies"},
		{&reading.Attribution{Withheld: "consent"}, "; the app was not told who sent the visitor: the visitor has not consented"},
		{&reading.Attribution{Delivered: "L1"}, "; the app was told of the landing L1"},
	} {
		for event, outcome := range map[audit.Event]string{audit.EventServe: "hit", audit.EventBypass: "bypass"} {
			e := &reading.Entry{Time: three, Event: event, Outcome: outcome, Attribution: test.a}
			without := *e
			without.Attribution = nil
			if got := strings.TrimPrefix(Words(e), Words(&without)); got != test.want {
				t.Errorf("%+v: %q, not %q", test.a, got, test.want)
			}
		}
	}
	// Every word of the schema has a sentence of its own.
	for _, problem := range []string{"prefetch", "crawler", "probe", "consent", "bounds", "malformed", "unchanged", "status", "no-keys", "trip"} {
		if leftOutWords(problem) == problem {
			t.Errorf("%s is told as it is", problem)
		}
	}
	for _, problem := range []string{"forged", "expired", "foreign", "malformed", "ambiguous", "no-keys"} {
		if droppedWords(problem) == problem {
			t.Errorf("%s is told as it is", problem)
		}
	}
}
