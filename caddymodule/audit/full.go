package audit

import "fmt"

// Full is what becomes of a record for which the queue has no room.
type Full uint8

const (
	// FullDrop drops the record and counts it: requests never wait for the log.
	FullDrop Full = iota
	// FullWait has the request wait until there is room: no record is lost, and
	// requests are no faster than the log is.
	FullWait
)

// ParseFull reads "drop" or "wait".
func ParseFull(s string) (Full, error) {
	switch s {
	case "drop":
		return FullDrop, nil
	case "wait":
		return FullWait, nil
	}
	return 0, fmt.Errorf("%q is not what a full queue can do; drop or wait was expected", s)
}

// String writes it as [ParseFull] reads it.
func (f Full) String() string {
	if f == FullWait {
		return "wait"
	}
	return "drop"
}

// MarshalText implements encoding.TextMarshaler.
func (f Full) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *Full) UnmarshalText(text []byte) error {
	parsed, err := ParseFull(string(text))
	if err == nil {
		*f = parsed
	}
	return err
}
