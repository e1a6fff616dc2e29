package origin

import (
	"context"
	"net"
	"net/http/httptrace"
	"net/textproto"
	"testing"
)

// BenchmarkStepGuarded is what a request is given on its way to the transport, with a trace
// in its context, as reverse_proxy puts one there.
func BenchmarkStepGuarded(b *testing.B) {
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
		Got1xxResponse: func(int, textproto.MIMEHeader) error { return nil },
	})
	b.ReportAllocs()
	for b.Loop() {
		Guarded(ctx)
	}
}

// BenchmarkStepGuard is a request and its answer on a guarded connection, without a socket.
func BenchmarkStepGuard(b *testing.B) {
	for _, c := range []struct {
		name string
		conn net.Conn
	}{{"bare", still{}}, {"guarded", NewGuard(still{})}} {
		b.Run(c.name, func(b *testing.B) {
			p := make([]byte, 512)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = c.conn.Write(p)
				_, _ = c.conn.Read(p)
			}
		})
	}
}

// still is a connection on which everything has come and gone.
type still struct{ net.Conn }

func (still) Read(p []byte) (int, error)  { return len(p), nil }
func (still) Write(p []byte) (int, error) { return len(p), nil }
