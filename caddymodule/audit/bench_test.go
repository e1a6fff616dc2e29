package audit

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func jsonLogger(w io.Writer, level zapcore.Level) *zap.Logger {
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	return zap.New(zapcore.NewCore(encoder, zapcore.AddSync(w), level))
}

// idle takes records and does nothing with them.
type idle struct{ zapcore.Core }

func (c idle) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return ce.AddCore(e, c)
}

func (idle) Write(zapcore.Entry, []zapcore.Field) error { return nil }

// served is what there is most of.
func served() *Record {
	r := full(EventServe)
	r.Reasons, r.Difference, r.Findings, r.Detail, r.Err = nil, nil, nil, "", nil
	r.Address, r.Marks, r.Would = "", "", ""
	r.By, r.Why, r.Scope, r.Soft, r.Removed, r.Records = "", "", "", false, 0, 0
	return r
}

// BenchmarkWrite is what a record costs the request, without what the goroutine does
// later.
func BenchmarkWrite(b *testing.B) {
	enabled := jsonLogger(io.Discard, zapcore.InfoLevel)
	queued := zap.New(idle{enabled.Core()})
	visitor := served()
	visitor.Address, visitor.Marks = "192.0.2.7", "sid=1"
	for _, c := range []struct {
		name        string
		record      *Record
		logger      *zap.Logger
		synchronous bool
	}{
		{"serve", served(), queued, false},
		{"visitor", visitor, queued, false},
		{"synchronous", served(), enabled, true},
		{"synchronous-visitor", visitor, enabled, true},
		{"disabled", served(), jsonLogger(io.Discard, zapcore.WarnLevel), false},
	} {
		b.Run(c.name, func(b *testing.B) {
			l := New(c.logger, Options{Keys: keys, Synchronous: c.synchronous})
			defer l.Close()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if i%(DefaultRoom/2) == 0 { // there is room
					b.StopTimer()
					if err := l.Flush(b.Context()); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
				l.Write(c.record, onlySource)
			}
			if dropped := l.Stats().Dropped; dropped > 0 {
				b.Errorf("%d records were dropped", dropped)
			}
		})
	}
}

// BenchmarkDrain is how many records the goroutine writes.
func BenchmarkDrain(b *testing.B) {
	for _, c := range []struct {
		name string
		open func(b *testing.B) io.Writer
	}{
		{"discard", func(*testing.B) io.Writer { return io.Discard }},
		{"file", func(b *testing.B) io.Writer {
			f, err := os.Create(filepath.Join(b.TempDir(), "audit.log"))
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = f.Close() })
			return f
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			l := New(jsonLogger(c.open(b), zapcore.InfoLevel), Options{Keys: keys, Full: FullWait})
			defer l.Close()
			r := served()
			r.Address, r.Marks = "192.0.2.7", "sid=1"
			b.ReportAllocs()
			for b.Loop() {
				l.Write(r, onlySource)
			}
			if err := l.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
