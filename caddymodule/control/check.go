package control

import (
	"fmt"
	"strings"
)

// Bounds of what is asked.
const (
	// MaxWhy bounds reasons, in bytes.
	MaxWhy = 512
	// MaxBy bounds names of who asks, in bytes. The endpoint appends from where.
	MaxBy = 128
	// MaxObjects bounds the length of a list, DefaultObjects is its length where none
	// is asked for.
	MaxObjects     = 10_000
	DefaultObjects = 100
)

// Check says whether the purge can be asked for: exactly one selection, well-formed.
// Its error is a Mistake.
func (q Purge) Check() error {
	selections := []selection{
		{"url", q.URL, checkURL}, {"key", q.Key, checkKey}, {"route", q.Route, checkRoute},
		{"tag", q.Tag, checkTag}, {"prefix", q.Prefix, checkPrefix},
	}
	var given []string
	for _, s := range selections {
		if s.value != "" {
			given = append(given, s.name)
		}
	}
	if q.All {
		given = append(given, "all")
	}
	switch len(given) {
	case 0:
		return Mistake("nothing says what to purge: one of url, key, route, tag, prefix and all was expected")
	case 1:
	default:
		return mistake("%s exclude each other: exactly one of url, key, route, tag, prefix and all was expected", strings.Join(given, " and "))
	}
	if err := checkGiven(selections); err != nil {
		return err
	}
	return checkWho(q.By, q.Why, false)
}

// Check says whether the trip can be asked for: it has a reason. Its error is a Mistake.
func (q Trip) Check() error {
	if err := checkGiven([]selection{{"route", q.Route, checkRoute}}); err != nil {
		return err
	}
	return checkWho(q.By, q.Why, true)
}

// Check says whether the reset can be asked for: it has a reason, and does not name one
// trip and mean all. Its error is a Mistake.
func (q Reset) Check() error {
	if q.Route != "" && q.All {
		return Mistake("route and all exclude each other: route ends one trip, all ends every one, and neither ends the trip of everything")
	}
	if err := checkGiven([]selection{{"route", q.Route, checkRoute}}); err != nil {
		return err
	}
	return checkWho(q.By, q.Why, true)
}

// Check says whether the list can be asked for. Its error is a Mistake.
func (q Objects) Check() error {
	if q.Limit < 0 || q.Limit > MaxObjects {
		return mistake("limit %d: 1 to %d was expected, or 0 for %d", q.Limit, MaxObjects, DefaultObjects)
	}
	return checkGiven([]selection{{"route", q.Route, checkRoute}, {"prefix", q.Prefix, checkPrefix}, {"key", q.Key, checkKey}})
}

// selection is a member, its value, and what a value has to be.
type selection struct {
	name, value string
	check       func(string) error
}

// checkGiven checks those that are not empty.
func checkGiven(selections []selection) error {
	for _, s := range selections {
		if s.value == "" {
			continue
		}
		if err := s.check(s.value); err != nil {
			return mistake("%s %s: %w", s.name, shown(s.value), err)
		}
	}
	return nil
}

func checkWho(by, why string, required bool) error {
	if required && strings.TrimSpace(why) == "" {
		return Mistake("why is missing: a reason was expected, for those who find this later")
	}
	if err := checkText(why, MaxWhy); err != nil {
		return mistake("why %s: %w", shown(why), err)
	}
	if err := checkText(by, MaxBy); err != nil {
		return mistake("by %s: %w", shown(by), err)
	}
	return nil
}

func mistake(format string, args ...any) error {
	return Mistake(fmt.Errorf(format, args...).Error())
}

// shown is the value in an error, not more of it than one line has room for.
func shown(value string) string {
	const room = 80
	if len(value) > room {
		return fmt.Sprintf("%q…", value[:room])
	}
	return fmt.Sprintf("%q", value)
}
