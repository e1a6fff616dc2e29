package reading

import "time"

// Attribution is what a request had to do with who sent its visitor, as SCHEMA.md has it.
type Attribution struct {
	Landing    string   `json:"landing"` // ID of this visit
	Params     []string `json:"params"`  // names that were taken; nil: not told
	Referer    string   `json:"referer"`
	Paid       bool     `json:"paid"`
	Model      string   `json:"model"`
	Carried    string   `json:"carried"` // cookie, beacon or both
	LeftOut    string   `json:"left_out"`
	Withheld   string   `json:"withheld"`
	Dropped    string   `json:"dropped"`
	Delivered  string   `json:"delivered"` // ID of the landing that the app was told of
	As         string   `json:"as"`        // header, query or form-cookie
	BeaconLost bool     `json:"beacon_lost"`
	// Landed is when the delivered landing was, in UTC; zero where the record does not say.
	Landed time.Time `json:"-"`
}

// IsLanding says whether the request was a landing, also one of which nothing is carried.
func (a *Attribution) IsLanding() bool {
	return a != nil && (a.Landing != "" || a.LeftOut != "" || a.Carried != "")
}

// Concerns says whether the request was a landing, or one with which the app was told of one
// or would have been.
func (a *Attribution) Concerns() bool {
	return a.IsLanding() || a.IsDelivered() || a != nil && a.Withheld != ""
}

// IsDelivered says whether the app was told of a landing with the request.
func (a *Attribution) IsDelivered() bool { return a != nil && a.Delivered != "" }

// attributionLine is how it is decoded.
type attributionLine struct {
	Landed string `json:"landed"`
	Attribution
}

// entry is what an Entry has of it. It fails if the time cannot be read.
func (l *attributionLine) entry() (*Attribution, bool) {
	if l == nil {
		return nil, true
	}
	var ok bool
	l.Attribution.Landed, ok = parseMoment(l.Landed)
	return &l.Attribution, ok
}

// attribution makes its strings its own.
func (k *keeper) attribution(a *Attribution) {
	if a == nil {
		return
	}
	for _, s := range [...]*string{
		&a.Landing, &a.Referer, &a.Model, &a.Carried, &a.LeftOut, &a.Withheld, &a.Dropped, &a.Delivered, &a.As,
	} {
		*s = k.own(*s)
	}
	for i := range a.Params {
		a.Params[i] = k.own(a.Params[i])
	}
}
