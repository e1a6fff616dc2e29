package beacon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cacheward/cacheward/caddymodule/attribution"
)

// Landing is a visit that the app is told of. As JSON, all members are there always:
// strings, but for values, an object of strings in the order of Values, and paid.
type Landing struct {
	// ID identifies it. What the app is sent twice has the same one.
	ID string
	// At is when, to the millisecond.
	At time.Time
	// Visitor says which landings are the same visitor's.
	Visitor string
	// Host, Route and Path are where.
	Host, Route, Path string
	// Referer is the host or URL of another site that linked here. Empty: none.
	Referer string
	// Object is what of the cache was served. Empty: nothing.
	Object string
	// Values are the declared parameters. Of several with one name the first counts.
	Values []attribution.Value
	// Paid says that it counts as paid.
	Paid bool
}

// wire is a Landing as the app gets it.
type wire struct {
	ID      string     `json:"id"`
	At      string     `json:"at"`
	Visitor string     `json:"visitor"`
	Host    string     `json:"host"`
	Route   string     `json:"route"`
	Path    string     `json:"path"`
	Referer string     `json:"referer"`
	Object  string     `json:"object"`
	Values  wireValues `json:"values"`
	Paid    bool       `json:"paid"`
}

const millis = "2006-01-02T15:04:05.000Z07:00"

// MarshalJSON fails where the year has not four digits.
func (l Landing) MarshalJSON() ([]byte, error) {
	at := l.At.UTC()
	if y := at.Year(); y < 0 || y > 9999 {
		return nil, fmt.Errorf("landing of the year %d: RFC 3339 has 0 to 9999", y)
	}
	return json.Marshal(wire{
		ID: l.ID, At: at.Format(millis), Visitor: l.Visitor, Host: l.Host, Route: l.Route, Path: l.Path,
		Referer: l.Referer, Object: l.Object, Values: l.Values, Paid: l.Paid,
	})
}

// UnmarshalJSON reads what MarshalJSON writes, for those who take landings.
func (l *Landing) UnmarshalJSON(data []byte) error {
	var w wire
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	at, err := time.Parse(time.RFC3339, w.At)
	if err != nil {
		return fmt.Errorf("landing: at is %.40q, want a time as in RFC 3339", w.At)
	}
	*l = Landing{
		ID: w.ID, At: at.UTC(), Visitor: w.Visitor, Host: w.Host, Route: w.Route, Path: w.Path,
		Referer: w.Referer, Object: w.Object, Values: w.Values, Paid: w.Paid,
	}
	return nil
}

// wireValues are an object in JSON, whose members keep their order.
type wireValues []attribution.Value

func (v wireValues) MarshalJSON() ([]byte, error) {
	text := []byte{'{'}
	seen := make(map[string]bool, len(v))
	for _, value := range v {
		name, err := json.Marshal(value.Name)
		if err != nil {
			return nil, err
		}
		if seen[string(name)] {
			continue
		}
		seen[string(name)] = true
		content, err := json.Marshal(value.Value)
		if err != nil {
			return nil, err
		}
		if len(text) > 1 {
			text = append(text, ',')
		}
		text = append(append(append(text, name...), ':'), content...)
	}
	return append(text, '}'), nil
}

func (v *wireValues) UnmarshalJSON(data []byte) error {
	*v = nil
	d := json.NewDecoder(bytes.NewReader(data))
	switch first, err := d.Token(); {
	case err != nil:
		return err
	case first == nil: // null
		return nil
	case first != json.Delim('{'):
		return errors.New("landing: values are not an object")
	}
	seen := make(map[string]bool)
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value string
		if err := d.Decode(&value); err != nil {
			return err
		}
		key := name.(string) // of an object: nothing else is a key
		if !seen[key] {
			seen[key] = true
			*v = append(*v, attribution.Value{Name: key, Value: value})
		}
	}
	return nil
}
