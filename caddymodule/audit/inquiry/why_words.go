package inquiry

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// decisionOf tells a record. Of a trip, reset or purge, the scope stands in Reasons until
// it is known whether it concerns the URL.
func decisionOf(e *reading.Entry) Decision {
	d := Decision{
		Edge: strings.Clone(e.Edge), Event: strings.Clone(string(e.Event)), Outcome: strings.Clone(e.Outcome), Route: strings.Clone(e.Route), Words: Words(e),
		Reasons: strings.Join(e.Reasons, " "), URL: strings.Clone(e.URL), Object: strings.Clone(e.Object), Key: strings.Clone(e.Key),
		Visitor: strings.Clone(e.Visitor), Status: e.Status, Probe: e.Probe, From: e.From, Until: e.Until,
	}
	if at, ok := moment(e.Time); ok {
		d.Time = time.Unix(0, at).UTC()
	}
	switch e.Event {
	case audit.EventTrip, audit.EventReset, audit.EventPurge:
		d.Reasons = strings.Clone(e.Scope)
		return d
	case audit.EventServe, audit.EventBypass, audit.EventDeny:
		if e.Probe {
			return d
		}
	case audit.EventLeak:
		d.Change = leakAdvice
	case audit.EventDiverge:
		if e.Divergence != nil {
			d.Change = Advice(e.Divergence.Class, e)
		}
	}
	if len(e.Reasons) > 0 && d.Change == "" {
		d.Change = Advice(e.Reasons[0], e)
	}
	return d
}

// leakAdvice is what to do about a leak.
const leakAdvice = "purge the caches in front; see to it that they heed Cache-Control and tell visitors apart by what the policy keys " +
	"(cacheward probe says what they do); when it finds nothing, cacheward reset"

// Words says in one sentence, without its full stop, what a record tells: "served from
// the cache: 41 s old, fresh for 4 min 19 s more". It holds values of the record as they
// are; print it by package show.
func Words(e *reading.Entry) string {
	switch e.Event {
	case audit.EventServe:
		return servedWords(e) + attributionWords(e)
	case audit.EventBypass, audit.EventDeny:
		return requestWords(e) + attributionWords(e)
	case audit.EventTrip:
		return "caching of " + orWord(e.Scope, "everything") + " was stopped" + byAndWhy(e)
	case audit.EventReset:
		return "caching of " + orWord(e.Scope, "everything") + " was resumed" + byAndWhy(e)
	case audit.EventPurge:
		how := "dropped"
		if e.Soft {
			how = "made stale"
		}
		return fmt.Sprintf("%s purged: %s %s%s", orWord(e.Scope, "something"), counted(int(e.Removed), "object", "objects"), how, byAndWhy(e))
	case audit.EventLeak:
		return "a leak was found" + by(e) + ": " + leakSentence(e)
	case audit.EventClear:
		return "probes find no leak any more" + byAndWhy(e)
	case audit.EventDrop:
		return countedWere(max(1, e.Records), "record") + " lost: the queue of the log was full"
	case audit.EventExpire:
		return "an object's time was over" + aged(e)
	case audit.EventEvict:
		return "an object was dropped to make room" + aged(e)
	}
	return fillWords(e)
}

func servedWords(e *reading.Entry) string {
	switch e.Outcome {
	case "hit":
		return fmt.Sprintf("served from the cache: %s old, fresh for %s more", show.Seconds(e.Age), show.Seconds(e.TTL))
	case "stale":
		return fmt.Sprintf("served from the cache although its time was over for %s: %s old", show.Seconds(max(0, -e.TTL)), show.Seconds(e.Age))
	case "revalidated":
		return "served from the cache, after the app said that it still holds"
	case "collapsed":
		return "waited for an answer that the app was giving just then, and was served that"
	case "fill":
		return "fetched from the app for the cache, and served"
	}
	return "served from the cache (" + orWord(e.Outcome, "no outcome told") + ")"
}

func requestWords(e *reading.Entry) string {
	if e.Event == audit.EventDeny {
		return "refused with " + strconv.Itoa(e.Status) + because(e)
	}
	switch e.Outcome {
	case "bypass":
		return "sent to the app untouched" + because(e)
	case "pass":
		return "sent to the app, for the page cannot be shared now" + because(e)
	case "fill":
		return "sent to the app, while a page for the cache was fetched beside it" + because(e)
	case "observe":
		if e.Would == "" {
			return "sent to the app: the route only observes" + because(e)
		}
		return "sent to the app: the route only observes; " + wouldWords(e.Would) + because(e)
	case "fault":
		return "sent to the app after a fault of Cacheward's own" + because(e)
	}
	return "sent to the app (" + orWord(e.Outcome, "no outcome told") + ")" + because(e)
}

// wouldWords says what would have become of a request.
func wouldWords(would string) string {
	switch would {
	case "hit":
		return "it would have been served from the cache"
	case "fill":
		return "it would have fetched a page for the cache"
	case "pass", "bypass":
		return "it would have gone to the app in any case"
	case "deny":
		return "it would have been refused with 400"
	}
	return "it would have been: " + would
}

func fillWords(e *reading.Entry) string {
	switch e.Event {
	case audit.EventStore:
		return fmt.Sprintf("stored for %s: status %d, %s, after %s of the app's time", show.Seconds(e.TTL), e.Status, show.Bytes(e.Size),
			show.Duration(time.Duration(e.Origin*float64(time.Millisecond))))
	case audit.EventRefuse:
		return "not stored" + because(e)
	case audit.EventDiverge:
		return "not stored: two answers of the app differed" + differed(e)
	case audit.EventWithdraw:
		return "withdrawn: the page had been shared and is not shareable" + differed(e) + because(e)
	case audit.EventRefresh:
		if e.Object == "" {
			return "being fetched anew in the background"
		}
		return "still holds, the app said: fresh for " + show.Seconds(e.TTL) + " more"
	case audit.EventFault:
		if e.Error != "" {
			return "a fault of Cacheward's own: " + e.Error
		}
		return "a fault of Cacheward's own" + because(e)
	}
	return orWord(string(e.Event), "no event told")
}

// because gives the first reason.
func because(e *reading.Entry) string {
	if len(e.Reasons) == 0 {
		return ""
	}
	text := ": " + inSentence(orWord(reasonInfo(e.Reasons[0]).Sentence, e.Reasons[0]))
	if where := placeOf(e.Reasons[0], e).String(); where != "" {
		text += " (" + where + ")"
	}
	return text
}

// differed says what differed, and where.
func differed(e *reading.Entry) string {
	if e.Divergence == nil {
		return ""
	}
	var parts []string
	if e.Divergence.Class != "" {
		parts = append(parts, e.Divergence.Class)
	}
	if where := placeOf(e.Divergence.Class, e).String(); where != "" {
		parts = append(parts, where)
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ": ") + ")"
}

// inSentence is a sentence of the catalogue within another: without its full stop, and
// with a small letter where the first word is no name.
func inSentence(s string) string {
	s = strings.TrimSuffix(s, ".")
	for _, word := range []string{"The ", "A ", "An ", "Two ", "Too ", "No ", "Nothing ", "Caching ", "Much ", "Other ", "One "} {
		if strings.HasPrefix(s, word) {
			return strings.ToLower(s[:1]) + s[1:]
		}
	}
	return s
}

func by(e *reading.Entry) string {
	if e.By == "" {
		return ""
	}
	return " by " + e.By
}

func byAndWhy(e *reading.Entry) string {
	text := by(e)
	if e.Why != "" {
		text += ": " + e.Why
	}
	return text
}

func aged(e *reading.Entry) string {
	if e.Age <= 0 {
		return ""
	}
	return ", " + show.Seconds(e.Age) + " old"
}
