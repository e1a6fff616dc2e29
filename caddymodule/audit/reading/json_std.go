//go:build cacheward_stdjson

package reading

import (
	"encoding/json"
	"errors"
)

// unmarshal decodes a line. It fails with errNotJSON, or with errMistyped when a member
// has a type that v has not; the other members are then decoded all the same.
func unmarshal(line []byte, v any) error {
	err := json.Unmarshal(line, v)
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return errMistyped
	}
	return errNotJSON
}
