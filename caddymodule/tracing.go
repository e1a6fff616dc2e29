package caddymodule

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// tracerName is what spans say they come from.
const tracerName = "github.com/cacheward/cacheward"

// startSpan makes the request a span of its own within the one that Caddy's tracing
// directive has begun, if it records. The handlers below run inside it.
//
// Fills have no span. They are sent for nobody: what the origin is asked, and what it
// answers to all who come later, must not depend on whose trace it was. The visitor
// who waits for one waits within their own span.
func (x *exchange) startSpan() {
	parent := trace.SpanFromContext(x.r.Context())
	if !parent.IsRecording() {
		return
	}
	ctx, span := parent.TracerProvider().Tracer(tracerName).Start(x.r.Context(), "cacheward")
	x.span, x.r = span, x.r.WithContext(ctx)
}

// endSpan says in the span what became of the request, and ends it.
func (x *exchange) endSpan() {
	if x.span == nil {
		return
	}
	defer x.span.End()
	x.span.SetAttributes(attribute.String("cacheward.route", x.ruleName()))
	if x.outcome == "" {
		return // a panic from below is passing through
	}
	x.span.SetAttributes(attribute.String("cacheward.outcome", string(x.outcome)))
	if len(x.reasons) > 0 {
		x.span.SetAttributes(attribute.String("cacheward.reason", x.reasons[0].String()))
	}
	if x.would != "" {
		x.span.SetAttributes(attribute.String("cacheward.would", x.would))
	}
	switch o := x.object; {
	case o != nil:
		x.span.SetAttributes(
			attribute.String("cacheward.object", o.ID),
			attribute.Float64("cacheward.age_s", o.Age(x.started).Seconds()),
			attribute.Float64("cacheward.ttl_s", o.TTL(x.started).Seconds()),
		)
	case x.fill != "":
		x.span.SetAttributes(attribute.String("cacheward.object", x.fill))
	}
	if x.outcome == OutcomeFault {
		x.span.SetStatus(codes.Error, x.reasons[0].Info().Sentence)
	}
}
