package incidents

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/integration/edge"
)

// askRaw sends a GET with target and fields (whole lines) byte by byte as they are
// given, which client libraries refuse to do with some of what attackers send.
func (s *stage) askRaw(t testing.TB, host, target string, fields ...string) answer {
	t.Helper()
	conn, err := net.DialTimeout("tcp", s.address, edge.Patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(edge.Patience)); err != nil {
		t.Fatal(err)
	}
	lines := append([]string{"GET " + target + " HTTP/1.1", "Host: " + host, "Connection: close"}, fields...)
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("GET %q of %s: %v", target, host, err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("GET %q of %s: %v", target, host, err)
	}
	a := answer{request: request{host: host, target: target}, status: res.StatusCode, header: res.Header, body: string(body)}
	s.note(a)
	return a
}

// shares sees that protection is not bought by sharing nothing: with Cacheward, what the
// request asks for comes out of its store, or of the cache in front of it.
func (s *stage) shares(t testing.TB, r request) {
	t.Helper()
	if s.position == without {
		return
	}
	edge.Eventually(t, fmt.Sprintf("%s%s served from a cache", r.host, r.target), func() bool {
		a := s.ask(t, r)
		return a.hit() || a.header.Get("X-Cache") == "HIT"
	})
}

// awaitReason waits until the audit log says that something of the path was not shared
// for the reason.
func (s *stage) awaitReason(t testing.TB, path, code string) {
	t.Helper()
	edge.Eventually(t, path+" not shared for "+code, func() bool {
		return slices.ContainsFunc(edge.Records[record](t, s.site), func(r record) bool {
			return strings.Contains(r.URL, path) && slices.Contains(r.Reasons, code)
		})
	})
}
