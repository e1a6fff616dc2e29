package audit

import "go.uber.org/zap/zapcore"

// Event is what a record tells of. The set is closed.
type Event string

// The events.
const (
	EventStore    Event = "store"    // a response was admitted and stored
	EventRefuse   Event = "refuse"   // a response was refused: Reasons say why
	EventServe    Event = "serve"    // a stored object was served; Options.Serves may leave some out
	EventBypass   Event = "bypass"   // the request went to the origin untouched: Reasons say why
	EventDeny     Event = "deny"     // the request was refused with 400: Reasons say why
	EventRefresh  Event = "refresh"  // a stored object was found to hold still, or is being replaced in the background
	EventExpire   Event = "expire"   // the time of a stored object was over
	EventEvict    Event = "evict"    // a stored object was dropped to make room
	EventDiverge  Event = "diverge"  // two answers of the origin differed: Difference says where
	EventWithdraw Event = "withdraw" // a page that had been stored is not shareable any more: Reasons say why
	EventPurge    Event = "purge"    // stored objects were dropped, or made stale, because somebody asked for it
	EventTrip     Event = "trip"     // caching was stopped until somebody resets it
	EventReset    Event = "reset"    // a trip was ended
	EventLeak     Event = "leak"     // a probe from outside was given what belongs to another: Evidence says what
	EventClear    Event = "clear"    // probes have found no leak any more since
	EventDrop     Event = "drop"     // records were lost because the queue was full: Records says how many
	EventFault    Event = "fault"    // a failure of our own; the request went to the origin
)

// AllEvents lists every event.
func AllEvents() []Event {
	return []Event{
		EventStore, EventRefuse, EventServe, EventBypass, EventDeny, EventRefresh, EventExpire, EventEvict,
		EventDiverge, EventWithdraw, EventPurge, EventTrip, EventReset, EventLeak, EventClear, EventDrop, EventFault,
	}
}

// level of the event in the log. What is not an event is a fault.
func (e Event) level() zapcore.Level {
	switch e {
	case EventStore, EventRefuse, EventServe, EventBypass, EventDeny, EventRefresh,
		EventExpire, EventEvict, EventPurge, EventReset, EventClear:
		return zapcore.InfoLevel
	case EventDiverge, EventDrop:
		return zapcore.WarnLevel
	case EventWithdraw, EventTrip, EventLeak:
		return zapcore.ErrorLevel
	default:
		return zapcore.ErrorLevel
	}
}
