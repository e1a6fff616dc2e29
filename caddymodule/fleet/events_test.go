package fleet

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/store"
)

// TestEventsAreWrittenSo pins how edges tell each other of events, for edges of two
// versions may be in one fleet.
func TestEventsAreWrittenSo(t *testing.T) {
	tag := store.Tag{'t', 1, 2}
	for want, e := range map[string]Event{
		`{"generation":7,"edge":"a","kind":"purge","all":true,"soft":true,"afresh":true}`: {Generation: 7, Edge: "a", Kind: KindPurge, Selection: store.Selection{All: true}, Soft: true, Afresh: true},
		`{"kind":"purge","route":"r"}`:                                                  purgeRoute("r"),
		`{"kind":"purge","url":"example.com/a?b"}`:                                      {Kind: KindPurge, Selection: store.Selection{URI: "example.com/a?b"}},
		`{"kind":"purge","prefix":"example.com/a"}`:                                     {Kind: KindPurge, Selection: store.Selection{Prefix: "example.com/a"}},
		`{"kind":"purge","key":"0102030405060708"}`:                                     {Kind: KindPurge, Selection: store.Selection{Key: []byte{1, 2, 3, 4, 5, 6, 7, 8}}},
		`{"kind":"invalidate","tag":"74010200000000000000000000000000"}`:                {Kind: KindInvalidate, Selection: store.Selection{Tag: &tag}},
		`{"kind":"reset"}`:                                                              resetOf(""),
		`{"kind":"reset","trip":{"route":"r","since":"0001-01-01T00:00:00Z","why":""}}`: resetOf("r"),
		`{"kind":"trip","trip":{"route":"r","since":"2026-01-02T03:04:05Z","why":"w","by":"b"}}`: {Kind: KindTrip, Trip: control.Tripped{
			Route: "r", Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Why: "w", By: "b"}},
	} {
		got, err := json.Marshal(e)
		if err != nil || string(got) != want {
			t.Errorf("%s, %v; %s was expected", got, err, want)
		}
		var back Event
		if err := json.Unmarshal(got, &back); err != nil || !reflect.DeepEqual(back, e) {
			t.Errorf("%s is read as %+v, %v; %+v was expected", got, back, err, e)
		}
	}
	for _, wrong := range []string{
		`{"kind":"purge","all":true,"unless":"r"}`, `{"kind":"purge","key":"x"}`, `{"kind":"purge","tag":"00"}`, `{"kind":"purge","tag":"zz"}`, `[]`, `{`,
	} {
		var e Event
		if err := json.Unmarshal([]byte(wrong), &e); err == nil {
			t.Errorf("%s is read as %+v", wrong, e)
		}
	}
}
