package redis

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/fleet"
	"github.com/cacheward/cacheward/caddymodule/store"
)

// eventJSON is an event as it is in the log. Its names stay as they are: edges of several
// versions read them, and the scripts write one. The number is not in it, for the log
// gives it.
type eventJSON struct {
	Edge   string           `json:"edge"`
	Kind   fleet.Kind       `json:"kind"`
	All    bool             `json:"all,omitempty"`
	Route  string           `json:"route,omitempty"`
	Key    string           `json:"key,omitempty"`
	Tag    string           `json:"tag,omitempty"`
	URI    string           `json:"uri,omitempty"`
	Prefix string           `json:"prefix,omitempty"`
	Soft   bool             `json:"soft,omitempty"`
	Afresh bool             `json:"afresh,omitempty"`
	Trip   *control.Tripped `json:"trip,omitempty"`
}

// selects are the kinds that have a selection; the others have a trip.
var selects = []fleet.Kind{fleet.KindPurge, fleet.KindInvalidate}

func encodeEvent(e fleet.Event) (string, error) {
	j := eventJSON{
		Edge: e.Edge, Kind: e.Kind,
		All: e.Selection.All, Route: e.Selection.Route, Key: hex.EncodeToString(e.Selection.Key),
		URI: e.Selection.URI, Prefix: e.Selection.Prefix,
		Soft: e.Soft, Afresh: e.Afresh,
	}
	if e.Selection.Tag != nil {
		j.Tag = hex.EncodeToString(e.Selection.Tag[:])
	}
	if !slices.Contains(selects, e.Kind) {
		j.Trip = &e.Trip
	}
	if err := checkEvent(e); err != nil {
		return "", err
	}
	b, err := json.Marshal(j)
	return string(b), err
}

// decodeEvent reads an event of the log. An event that it cannot read is an error, and not
// left out: nobody knows what it forbids.
func decodeEvent(generation uint64, text string) (fleet.Event, error) {
	var j eventJSON
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return fleet.Event{}, fmt.Errorf("event %d: %w", generation, err)
	}
	e := fleet.Event{
		Generation: generation, Edge: j.Edge, Kind: j.Kind,
		Selection: store.Selection{All: j.All, Route: j.Route, URI: j.URI, Prefix: j.Prefix},
		Soft:      j.Soft, Afresh: j.Afresh,
	}
	if j.Trip != nil {
		e.Trip = *j.Trip
	}
	if j.Key != "" {
		key, err := hex.DecodeString(j.Key)
		if err != nil {
			return fleet.Event{}, fmt.Errorf("event %d: key: %w", generation, err)
		}
		e.Selection.Key = key
	}
	if j.Tag != "" {
		var tag store.Tag
		if n, err := hex.Decode(tag[:], []byte(j.Tag[:min(len(j.Tag), hex.EncodedLen(len(tag)))])); err != nil ||
			n != len(tag) || len(j.Tag) != hex.EncodedLen(n) {
			return fleet.Event{}, fmt.Errorf("event %d: tag %q", generation, j.Tag)
		}
		e.Selection.Tag = &tag
	}
	if err := checkEvent(e); err != nil {
		return fleet.Event{}, fmt.Errorf("event %d: %w", generation, err)
	}
	return e, nil
}

func checkEvent(e fleet.Event) error {
	switch e.Kind {
	case fleet.KindPurge:
		return e.Selection.Check()
	case fleet.KindInvalidate:
		if e.Selection.Tag == nil {
			return fmt.Errorf("%s has no tag", e.Kind)
		}
		return e.Selection.Check()
	case fleet.KindTrip, fleet.KindReset:
		return nil
	}
	return fmt.Errorf("kind %q is not known; is this edge older than others?", e.Kind)
}
