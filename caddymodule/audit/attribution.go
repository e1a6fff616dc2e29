package audit

import (
	"time"

	"go.uber.org/zap/zapcore"
)

// Attribution says what a request had to do with who sent its visitor: that it was a
// landing, what of it is carried, what an earlier one left with the visitor, and whether
// the app was told. It is the Attribution of a [Record]: values of parameters are not in
// it, they stand in the record's URL, where the policy has them plain. What has its zero
// value is left out.
type Attribution struct {
	// Landing is the ID of this visit, of a request that has a declared value. Without one it
	// is no landing, or one that could not be read: LeftOut says why.
	Landing string
	// Params are the names of the declared parameters that were taken, decoded; of a request
	// that is no landing, those of its own URL that the app was told of. Nil: not told, all
	// that are in clear in the URL may be.
	Params []string
	// Referer is the host or URL of the other site that linked here, where it was taken.
	Referer string
	// Paid says that the visit counts as paid.
	Paid bool
	// Model is which of several visits counts: first, last or last-paid.
	Model string
	// Carried is where the visit's values went: cookie, beacon or both. Empty: nowhere.
	Carried string
	// LeftOut is why the visit is not carried, or not as the route has it: a word of
	// attribution.Problem.
	LeftOut string
	// Withheld is why the app was not told with a request with which it would have been: a
	// word of attribution.Problem, such as consent.
	Withheld string
	// Dropped is what was wrong with the cookie that the request had: a word of
	// attribution.Problem. Nobody was told what is in it.
	Dropped string
	// Delivered is the ID of the landing that the app was told of with this request, Landed
	// when that was, As how: header, query or form-cookie.
	Delivered string
	Landed    time.Time
	As        string
	// BeaconLost: the landing could not be queued for the app, which will not hear of it.
	BeaconLost bool
}

// Bounds of what of a landing can get into a record, in bytes before escaping.
const (
	maxLanding = 64
	maxReferer = 512
	maxWord    = 32
)

// MarshalLogObject implements zapcore.ObjectMarshaler. A nil Attribution writes nothing.
func (a *Attribution) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	if a == nil {
		return nil
	}
	addString(enc, "landing", escaped(a.Landing, maxLanding))
	var err error
	if len(a.Params) > 0 {
		err = enc.AddArray("params", paramNames(a.Params))
	}
	addString(enc, "referer", escaped(a.Referer, maxReferer))
	addTrue(enc, "paid", a.Paid)
	addString(enc, "model", escaped(a.Model, maxWord))
	addString(enc, "carried", escaped(a.Carried, maxWord))
	addString(enc, "left_out", escaped(a.LeftOut, maxWord))
	addString(enc, "withheld", escaped(a.Withheld, maxWord))
	addString(enc, "dropped", escaped(a.Dropped, maxWord))
	addString(enc, "delivered", escaped(a.Delivered, maxLanding))
	addTime(enc, "landed", a.Landed)
	addString(enc, "as", escaped(a.As, maxWord))
	addTrue(enc, "beacon_lost", a.BeaconLost)
	return err
}

// paramNames writes names of parameters as they are, save that what cannot be seen is
// escaped.
type paramNames []string

// MarshalLogArray implements zapcore.ArrayMarshaler.
func (names paramNames) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	for _, name := range names[:min(len(names), maxParams)] {
		enc.AppendString(visible(name))
	}
	return nil
}

func addTrue(enc zapcore.ObjectEncoder, name string, value bool) {
	if value {
		enc.AddBool(name, true)
	}
}
