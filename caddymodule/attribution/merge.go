package attribution

import (
	"slices"
	"time"
)

// The models, in the words of policies.
const (
	modelFirst    = "first"
	modelLastPaid = "last-paid"
)

// Merge says which of two touches counts by the model (first, last or last-paid; any other
// word is last): the one that the visitor has and the one that came. Either may be zero.
// What is older than the window does not count. changed says that the visitor has to be
// told; a visit that says the same as the one before is news only when a tenth of the
// window has passed since.
func Merge(model string, have, came Touch, window time.Duration, now time.Time) (counts Touch, changed bool) {
	if have.Landing != "" && !now.Before(have.At.Add(window)) {
		have = Touch{}
	}
	switch {
	case came.Landing == "":
		return have, false
	case have.Landing == "":
		return came, true
	case model == modelFirst, model == modelLastPaid && have.Paid && !came.Paid:
		return have, false
	case came.says(have) && now.Sub(have.At) < window/10:
		return have, false
	}
	return came, true
}

// says: whether the two say the same.
func (t *Touch) says(o Touch) bool {
	return t.Referer == o.Referer && t.Paid == o.Paid && slices.Equal(t.Values, o.Values)
}
