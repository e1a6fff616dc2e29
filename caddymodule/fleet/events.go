package fleet

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/store"
)

// eventJSON is an event as edges tell it to each other. The names of its members are
// fixed.
type eventJSON struct {
	Generation uint64           `json:"generation,omitempty"`
	Edge       string           `json:"edge,omitempty"`
	Kind       Kind             `json:"kind"`
	All        bool             `json:"all,omitempty"`
	Route      string           `json:"route,omitempty"`
	Key        string           `json:"key,omitempty"` // in hex, as Tag is
	Tag        string           `json:"tag,omitempty"`
	URL        string           `json:"url,omitempty"`
	Prefix     string           `json:"prefix,omitempty"`
	Soft       bool             `json:"soft,omitempty"`
	Afresh     bool             `json:"afresh,omitempty"`
	Trip       *control.Tripped `json:"trip,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (e Event) MarshalJSON() ([]byte, error) {
	s := e.Selection
	j := eventJSON{
		Generation: e.Generation, Edge: e.Edge, Kind: e.Kind,
		All: s.All, Route: s.Route, Key: hex.EncodeToString(s.Key), URL: s.URI, Prefix: s.Prefix,
		Soft: e.Soft, Afresh: e.Afresh,
	}
	if s.Tag != nil {
		j.Tag = hex.EncodeToString(s.Tag[:])
	}
	if e.Trip != (control.Tripped{}) {
		j.Trip = &e.Trip
	}
	return json.Marshal(j)
}

// UnmarshalJSON implements json.Unmarshaler. A member that is not known is an error: an
// event that means something else than is understood must not be taken for one that is.
func (e *Event) UnmarshalJSON(b []byte) error {
	var j eventJSON
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return fmt.Errorf("event: %w", err)
	}
	*e = Event{
		Generation: j.Generation, Edge: j.Edge, Kind: j.Kind, Soft: j.Soft, Afresh: j.Afresh,
		Selection: store.Selection{All: j.All, Route: j.Route, URI: j.URL, Prefix: j.Prefix},
	}
	if j.Trip != nil {
		e.Trip = *j.Trip
	}
	if j.Key != "" {
		key, err := hex.DecodeString(j.Key)
		if err != nil {
			return fmt.Errorf("event with the key %q: %w", j.Key, err)
		}
		e.Selection.Key = key
	}
	if j.Tag != "" {
		tag, err := hex.DecodeString(j.Tag)
		if err != nil || len(tag) != len(store.Tag{}) {
			return fmt.Errorf("event with the tag %q; %d bytes in hex were expected", j.Tag, len(store.Tag{}))
		}
		e.Selection.Tag = (*store.Tag)(tag)
	}
	return nil
}
