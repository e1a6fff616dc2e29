package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/cacheward/cacheward/caddymodule/store"
)

// traced is a handler whose requests come in with a span, as Caddy's tracing directive
// gives them one.
type traced struct {
	*bubble
	spans    *tracetest.SpanRecorder
	provider *sdktrace.TracerProvider
}

func newTraced(b *bubble) *traced {
	spans := tracetest.NewSpanRecorder()
	return &traced{b, spans, sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))}
}

// ask sends a request within a span, and returns the span that was made for it. To the
// handlers below, seen tells of the context that they run in.
func (tr *traced) ask(target string, next caddyhttp.HandlerFunc, fields ...string) (ours sdktrace.ReadOnlySpan, parent trace.SpanContext, err error) {
	tr.t.Helper()
	ctx, span := tr.provider.Tracer("test").Start(context.Background(), "handler")
	rec := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	for i := 0; i+1 < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	before := len(tr.spans.Ended())
	func() {
		defer func() {
			if v := recover(); v != nil {
				err = errors.New("panic")
			}
		}()
		err = tr.ServeHTTP(rec, caddyhttp.PrepareRequest(r, caddy.NewReplacer(), rec, nil), next)
	}()
	ended := tr.spans.Ended()[before:]
	if len(ended) != 1 {
		tr.t.Fatalf("%d spans have ended", len(ended))
	}
	return ended[0], span.SpanContext(), err
}

func attributes(s sdktrace.ReadOnlySpan) map[attribute.Key]attribute.Value {
	m := make(map[attribute.Key]attribute.Value)
	for _, kv := range s.Attributes() {
		m[kv.Key] = kv.Value
	}
	return m
}

// TestSpan: a traced request has a span with what became of it, the handlers below run
// inside it, and fills run in nobody's.
func TestSpan(t *testing.T) {
	inBubble(t, Limits{}, func(t *testing.T, b *bubble) {
		tr := newTraced(b)
		var below, filling []trace.SpanContext
		page := shareable(0, 0)
		next := func(w http.ResponseWriter, r *http.Request) error {
			span := trace.SpanContextFromContext(r.Context())
			if canonical(r) {
				filling = append(filling, span)
			} else {
				below = append(below, span)
			}
			return page(w, r)
		}
		ours, parent, err := tr.ask("/page/a", next)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if ours.Name() != "cacheward" || ours.Parent().SpanID() != parent.SpanID() || ours.SpanContext().TraceID() != parent.TraceID() {
			t.Errorf("span %s of %v", ours.Name(), ours.Parent())
		}
		if len(below) != 1 || below[0].SpanID() != ours.SpanContext().SpanID() {
			t.Errorf("the handlers below ran in %v", below)
		}
		if len(filling) == 0 {
			t.Error("there was no fill")
		}
		for _, span := range filling {
			if span.IsValid() {
				t.Errorf("a fill ran in a visitor's trace: %v", span)
			}
		}
		got := attributes(ours)
		if got["cacheward.route"].AsString() != "page" || got["cacheward.outcome"].AsString() != "fill" {
			t.Errorf("attributes %v", got)
		}

		ours, _, err = tr.ask("/page/a", next)
		if err != nil {
			t.Fatal(err)
		}
		got = attributes(ours)
		if got["cacheward.outcome"].AsString() != "hit" || len(got["cacheward.object"].AsString()) != 36 || got["cacheward.ttl_s"].AsFloat64() != 300 {
			t.Errorf("attributes %v", got)
		}
		if _, ok := got["cacheward.age_s"]; !ok {
			t.Errorf("attributes %v", got)
		}

		ours, _, err = tr.ask("/page/a", next, "Authorization", "Basic eA==")
		if err != nil {
			t.Fatal(err)
		}
		if got = attributes(ours); got["cacheward.outcome"].AsString() != "bypass" || got["cacheward.reason"].AsString() != "authorization" {
			t.Errorf("attributes %v", got)
		}
	})
}

// TestSpanEnds: whatever happens to the request, and a fault is an error.
func TestSpanEnds(t *testing.T) {
	inBubble(t, Limits{}, func(t *testing.T, b *bubble) {
		tr := newTraced(b)
		_, _, err := tr.ask("/other", func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) })
		if err == nil {
			t.Error("the panic did not come through")
		}
		_, _, err = tr.ask("/other", func(http.ResponseWriter, *http.Request) error { return errors.New("dead") })
		if err == nil {
			t.Error("the error did not come through")
		}
		closed, err := store.NewMemory(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		if err := closed.Close(); err != nil {
			t.Fatal(err)
		}
		open := b.shared.store
		b.shared.store = closed
		defer func() { b.shared.store = open }()
		ours, _, err := tr.ask("/pub/a", shareable(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		if ours.Status().Code != codes.Error || attributes(ours)["cacheward.reason"].AsString() != "store-fault" {
			t.Errorf("a fault: %v %v", ours.Status(), ours.Attributes())
		}
	})
}

// TestNoSpan: a request that nobody traces, or whose trace is not recorded, costs
// nothing, and the handlers below get the request as it was.
func TestNoSpan(t *testing.T) {
	remote := trace.ContextWithRemoteSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, // not sampled
	}))
	for name, ctx := range map[string]context.Context{"untraced": context.Background(), "not sampled": remote} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
			x := &exchange{r: r}
			if n := testing.AllocsPerRun(100, func() {
				x.startSpan()
				x.endSpan()
			}); n != 0 {
				t.Errorf("%v allocations", n)
			}
			if x.r != r || x.span != nil {
				t.Error("the request is another one")
			}
		})
	}
}
