//go:build unix

package redistest

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// say sends a PING and returns what comes back.
func say(conn net.Conn) (string, error) {
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return "", err
	}
	answer := make([]byte, len("+PONG\r\n"))
	_, err := io.ReadFull(conn, answer)
	return string(answer), err
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestRelay(t *testing.T) {
	server := Start(t)
	relay := Proxy(t, server.Addr)
	conn := dial(t, relay.Addr)
	if answer, err := say(conn); answer != "+PONG\r\n" {
		t.Fatalf("passed: %q, %v", answer, err)
	}

	relay.Set(BlackHole)
	late := dial(t, relay.Addr)
	for _, c := range []net.Conn{conn, late} {
		// Silence, and no error but the reader's own impatience.
		if err := c.SetDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if answer, err := say(c); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("in the black hole: %q, %v", answer, err)
		}
		if err := c.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	relay.Set(Pass)
	for _, c := range []net.Conn{conn, late} {
		if _, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after the black hole: %v, want a reset", err)
		}
	}

	conn = dial(t, relay.Addr)
	if _, err := say(conn); err != nil {
		t.Fatalf("passed again: %v", err)
	}
	relay.Delay(50 * time.Millisecond)
	start := time.Now()
	if _, err := say(conn); err != nil || time.Since(start) < 100*time.Millisecond {
		t.Errorf("delayed in both directions: %s, %v", time.Since(start), err)
	}
	relay.Delay(0)
	relay.Set(Cut)
	if _, err := io.ReadAll(conn); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("cut: %v, want a reset", err)
	}
	if late, err := net.Dial("tcp", relay.Addr); err == nil {
		if _, err := say(late); err == nil {
			t.Error("a new connection passes although the relay is cut")
		}
		late.Close()
	}
}

func TestServer(t *testing.T) {
	server := Start(t)
	conn := dial(t, server.Addr)
	server.Pause()
	if err := conn.SetDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if answer, err := say(conn); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("paused: %q, %v", answer, err)
	}
	server.Resume()
	if _, err := say(dial(t, server.Addr)); err != nil {
		t.Errorf("resumed: %v", err)
	}
	server.Stop()
	if conn, err := net.Dial("tcp", server.Addr); err == nil {
		t.Error("it is there after it was stopped")
		conn.Close()
	}
	server.Restart()
	if _, err := say(dial(t, server.Addr)); err != nil {
		t.Errorf("restarted: %v", err)
	}
}
