package httpcache

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// FuzzFixedDate: the short way never reads a date that the long way does not, or reads as
// another.
func FuzzFixedDate(f *testing.F) {
	for _, s := range []string{
		"Sun, 06 Nov 1994 08:49:37 GMT", "Mon, 06 Nov 1994 08:49:37 GMT", "Thu, 31 Feb 2024 00:00:00 GMT",
		"Thu, 29 Feb 2024 23:59:59 GMT", "Wed, 29 Feb 2023 23:59:59 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
		"Sun, 06 Nov 1994 08:49:60 GMT", "unM, 06 Nov 1994 08:49:37 GMT", "Sun, 06 ovD 1994 08:49:37 GMT",
		"Sun, 00 Nov 1994 08:49:37 GMT", "Sat, 01 Jan 0000 00:00:00 GMT", "Sun, 06 Nov 1994 08:49:37 UTC",
		"Sun,  6 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:3\xff GMT",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		short, ok := fixedDate(s)
		if !ok {
			return
		}
		if long, ok := anyDate(strings.ToUpper(s)); !ok || !long.Equal(short) {
			t.Errorf("%q is %v; the long way has %v, %t", s, short, long, ok)
		}
	})
}

// TestFixedDate: what Go writes is read the short way, and what is nearly that is read as
// the long way reads it.
func TestFixedDate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		when := time.Unix(rapid.Int64Range(-62_000_000_000, 253_402_300_799).Draw(t, "seconds"), 0).UTC()
		s := when.Format(http.TimeFormat)
		if got, ok := fixedDate(s); !ok || !got.Equal(when) {
			t.Fatalf("%q is %v, %t", s, got, ok)
		}
		b := []byte(s)
		b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.SampledFrom([]byte("0123456789 ,:SunGMTx")).Draw(t, "byte")
		got, ok := date(string(b))
		want, valid := anyDate(strings.ToUpper(string(b)))
		if ok != valid || ok && !got.Equal(want) {
			t.Fatalf("%q is %v, %t; the long way has %v, %t", b, got, ok, want, valid)
		}
	})
}
