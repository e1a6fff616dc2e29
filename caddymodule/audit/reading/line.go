package reading

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/cacheward/cacheward/caddymodule/audit"
)

var (
	errNotJSON  = errors.New("not JSON")
	errMistyped = errors.New("a field has the wrong type")
)

// line is how a record is decoded: the entry, and what is only looked at here.
type line struct {
	TS  json.RawMessage `json:"ts"`
	Msg string          `json:"msg"`
	// ServesPct stands before that of the Entry, for 0 is not the same as nothing.
	ServesPct *float64 `json:"serves_pct"`
	// From and Until are times in the Entry.
	From  string `json:"from"`
	Until string `json:"until"`
	// Attribution has a time in the Entry's, too.
	Attribution *attributionLine `json:"attribution"`
	Entry
}

// decode reads one line into l and says what it is. The strings in l may refer to raw.
func (l *line) decode(raw []byte, unmarshal func([]byte, any) error) Kind {
	*l = line{}
	err := unmarshal(raw, l)
	switch {
	case errors.Is(err, errNotJSON):
		return NotJSON
	case l.Msg != audit.Message || l.Event == "":
		return Foreign
	case err != nil:
		return Mistyped
	}
	if l.ServesPct != nil {
		l.Entry.ServesPct, l.Unserved = *l.ServesPct, *l.ServesPct == 0
	}
	var ok, fromOK, untilOK bool
	l.Time, ok = parseStamp(l.TS)
	l.Entry.From, fromOK = parseMoment(l.From)
	l.Entry.Until, untilOK = parseMoment(l.Until)
	var landedOK bool
	l.Entry.Attribution, landedOK = l.Attribution.entry()
	if !ok || !fromOK || !untilOK || !landedOK {
		return Mistyped
	}
	l.Raw = raw
	if l.Schema > audit.Schema {
		return Newer
	}
	return none
}

// recordStart is how Caddy's log begins a line. Within a JSON string, the quotes would be
// escaped.
var recordStart = []byte(`{"level":"`)

// behind is what stands behind a torn record on its line, nil if nothing does: a process
// writes on where the one before it was cut off.
func behind(raw []byte) []byte {
	if at := bytes.LastIndex(raw, recordStart); at > 0 {
		return raw[at:]
	}
	return nil
}

// keeper makes the strings of entries good for ever. The same few routes, outcomes,
// objects and URLs come again and again, so it gives out one string for all that are
// equal, as far as its room goes: the newest of each slot.
type keeper struct {
	slots [8192]string
	brief bool
	asked Fields
}

// maxKept bytes has a string that is worth comparing; longer ones are copied.
const maxKept = 256

// keep makes every string of e its own. In brief, what was not asked for is dropped.
func (k *keeper) keep(e *Entry) {
	e.Event = audit.Event(k.own(string(e.Event)))
	for _, s := range [...]*string{&e.Edge, &e.Route, &e.Outcome, &e.Would, &e.Key, &e.Object, &e.Visitor} {
		*s = k.own(*s)
	}
	for i := range e.Reasons {
		e.Reasons[i] = k.own(e.Reasons[i])
	}
	if k.brief {
		k.leaveOut(e)
		return
	}
	for _, s := range [...]*string{&e.Mode, &e.Coding, &e.Method, &e.Host, &e.URL, &e.Detail, &e.Error, &e.By, &e.Why, &e.Scope} {
		*s = k.own(*s)
	}
	if e.Divergence != nil {
		k.divergence(e.Divergence)
	}
	if e.Evidence != nil {
		k.evidence(e.Evidence)
	}
	k.attribution(e.Attribution)
	for i := range e.Findings {
		f := &e.Findings[i]
		for _, s := range [...]*string{&f.Kind, &f.Detector, &f.Input, &f.Coding, &f.Field, &f.Shape, &f.Near} {
			*s = k.own(*s)
		}
	}
}

func (k *keeper) divergence(d *Divergence) {
	for _, s := range [...]*string{&d.Class, &d.Input, &d.Part, &d.Field, &d.Shape, &d.Entropy, &d.Near} {
		*s = k.own(*s)
	}
	for i := range d.Spans {
		k.divergence(&d.Spans[i])
	}
}

func (k *keeper) evidence(v *Evidence) {
	for _, s := range [...]*string{&v.Kind, &v.Giver, &v.Receiver, &v.Input, &v.Where, &v.Phase, &v.Sentence} {
		*s = k.own(*s)
	}
	if v.Status == nil {
		return
	}
	status := make(map[string]string, len(v.Status)) // names refer to the line as well
	for name, value := range v.Status {
		status[k.own(name)] = k.own(value)
	}
	v.Status = status
}

// leaveOut drops what a brief entry has only if it is asked for.
func (k *keeper) leaveOut(e *Entry) {
	e.URL = k.ownIf(k.asked&FieldURL != 0, e.URL)
	e.Host = k.ownIf(k.asked&FieldHost != 0, e.Host)
	for _, s := range [...]*string{&e.Mode, &e.Coding, &e.Method, &e.Detail, &e.Error, &e.By, &e.Why, &e.Scope} {
		*s = ""
	}
	e.Divergence, e.Evidence, e.Findings = nil, nil, nil
	if k.asked&FieldAttribution == 0 {
		e.Attribution = nil
	}
	k.attribution(e.Attribution)
}

func (k *keeper) ownIf(asked bool, s string) string {
	if !asked {
		return ""
	}
	return k.own(s)
}

// own returns a string equal to s that refers to nothing else.
func (k *keeper) own(s string) string {
	if s == "" || len(s) > maxKept {
		return strings.Clone(s)
	}
	slot := &k.slots[slotOf(s)]
	if *slot != s {
		*slot = strings.Clone(s)
	}
	return *slot
}

// slotOf spreads strings over the slots by their last bytes, in which IDs, digests and
// names differ, and their length. It need not be a good hash, only a quick one.
func slotOf(s string) uint {
	h := uint(len(s))
	for i := max(0, len(s)-12); i < len(s); i++ {
		h = h*31 + uint(s[i])
	}
	return (h ^ h>>13) % uint(len(keeper{}.slots))
}
