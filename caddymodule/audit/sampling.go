package audit

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Sampling is which share of records is written: all (the zero value), none, or a
// percentage in steps of 0.01%. Which ones is a matter of chance, so that nobody
// can arrange to be left out.
type Sampling struct {
	leftOut uint16 // of 10,000
}

const sampleWhole = 10_000

// ParseSampling reads "all", "none" or a percentage ("5%", "0.25%").
func ParseSampling(s string) (Sampling, error) {
	switch s {
	case "all":
		return Sampling{}, nil
	case "none":
		return Sampling{leftOut: sampleWhole}, nil
	}
	number, found := strings.CutSuffix(s, "%")
	whole, fraction, _ := strings.Cut(number, ".")
	hundredths, err := strconv.ParseUint(whole+fraction+strings.Repeat("0", max(0, 2-len(fraction))), 10, 16)
	if !found || err != nil || whole == "" || strings.HasSuffix(number, ".") || len(fraction) > 2 || hundredths > sampleWhole {
		return Sampling{}, fmt.Errorf("%q is not a share; all, none or a percentage like 5%% was expected, in steps of 0.01%%", s)
	}
	return Sampling{leftOut: sampleWhole - uint16(hundredths)}, nil
}

// String writes the share as [ParseSampling] reads it.
func (s Sampling) String() string {
	switch s.leftOut {
	case 0:
		return "all"
	case sampleWhole:
		return "none"
	}
	return strconv.FormatFloat(s.percent(), 'f', -1, 64) + "%"
}

// MarshalText implements encoding.TextMarshaler.
func (s Sampling) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Sampling) UnmarshalText(text []byte) error {
	parsed, err := ParseSampling(string(text))
	if err == nil {
		*s = parsed
	}
	return err
}

func (s Sampling) percent() float64 { return float64(sampleWhole-s.leftOut) / 100 }

// take draws whether the next record is written.
func (s Sampling) take() bool {
	return s.leftOut == 0 || s.leftOut < sampleWhole && rand.Uint32N(sampleWhole) >= uint32(s.leftOut)
}
