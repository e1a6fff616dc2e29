package policies

import "slices"

// ShapeInfo says what one of the shapes is that records describe a value by, since they
// never contain the value itself.
type ShapeInfo struct {
	// Shape is the word. N stands for the value's length in bytes: hex-24.
	Shape string
	// Sentence says how such a value is written, and what it usually is.
	Sentence string
}

// shapes is the catalogue, in the order in which a value is tried.
var shapes = []ShapeInfo{
	{"empty", "Nothing: the value is in only one of the two answers."},
	{"uuid", "32 hexadecimal digits in groups of 8-4-4-4-12: an id that is made at random or from a clock."},
	{"jwt", "Three base64url parts joined by dots, the first beginning with eyJ: a JSON Web Token, which often says who somebody is."},
	{"timestamp", "A date with a time of day (RFC 3339, RFC 9110 or as people write it), or the seconds or milliseconds since 1970."},
	{"date", "A day without a time, in digits or with the month's English name."},
	{"email", "A mail address."},
	{"ip", "An IP address, version 4 or 6."},
	{"time", "A time of day, to the minute or finer."},
	{"duration", "A number with a unit of time behind it (0.032s, 12 ms): how long something took."},
	{"decimal-N", "N decimal digits: an id from a database, a count, a price."},
	{"hex-N", "N hexadecimal digits of one letter case: a token, a hash, an id."},
	{"base64-N", "N bytes of base64 with + or /: a token, or something encrypted or encoded."},
	{"base64url-N", "N bytes of letters of both cases and digits, also with - and _: a token or a short id."},
	{"text-N", "N bytes of words: letters and what stands between them, no digits."},
	{"mixed-N", "N bytes of anything else, such as markup or several values at once."},
}

// AllShapes lists the shapes that records describe values by.
func AllShapes() []ShapeInfo { return slices.Clone(shapes) }
