package policies

import "encoding/json"

// Policies are written as JSON by encoding/json, each union in its shortest form.
// What ParseJSON reads back is equal.

// MarshalJSON writes "never", "origin", the duration alone, or an object.
func (c Cache) MarshalJSON() ([]byte, error) {
	text := string(c.Kind)
	if c.Kind == CacheTTL {
		text = c.TTL.String()
	}
	if c.Kind != CacheTTL && c.Kind != CacheOrigin || c.StaleWhileRevalidate == 0 && c.StaleIfError == 0 && len(c.Statuses) == 0 {
		return json.Marshal(text)
	}
	return json.Marshal(struct {
		TTL                  string           `json:"ttl"`
		StaleWhileRevalidate Duration         `json:"stale_while_revalidate,omitempty"`
		StaleIfError         Duration         `json:"stale_if_error,omitempty"`
		Statuses             map[int]Duration `json:"statuses,omitempty"`
	}{text, c.StaleWhileRevalidate, c.StaleIfError, c.Statuses})
}

// MarshalJSON writes the name alone, or an object with name and values.
func (k HeaderKey) MarshalJSON() ([]byte, error) {
	if len(k.Values) == 0 {
		return json.Marshal(k.Name)
	}
	type object HeaderKey // without this method
	return json.Marshal(object(k))
}

// MarshalJSON writes an object with name and reason, or the name alone where the
// reason is missing.
func (f HeaderForward) MarshalJSON() ([]byte, error) {
	if f.Reason == "" {
		return json.Marshal(f.Name)
	}
	type object HeaderForward // without this method
	return json.Marshal(object(f))
}

// MarshalJSON writes the rule alone, or an object with rule and reason.
func (c Choice) MarshalJSON() ([]byte, error) {
	if c.Reason == "" {
		return json.Marshal(c.Rule)
	}
	type object Choice // without this method
	return json.Marshal(object(c))
}

// MarshalJSON writes "origin", the TTL alone where nothing else is said, or an
// object.
func (d Downstream) MarshalJSON() ([]byte, error) {
	if d == (Downstream{Profile: ProfileOrigin}) {
		return json.Marshal(d.Profile)
	}
	if d == (Downstream{TTL: d.TTL}) {
		return json.Marshal(d.TTL)
	}
	type object Downstream // without this method
	return json.Marshal(object(d))
}
